/* SPDX-License-Identifier: Apache-2.0 */
/* Breakpoints and single steps that the guest reports itself; trap.c says why. */
#ifndef CM_VMM_DEBUG_TRAP_H
#define CM_VMM_DEBUG_TRAP_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include <casemate/debug.h>

struct vcpu;

/* CM_HC_TRAP of the vCPU that the calling thread runs: returns when it shall go on. The status of the call. */
int trap_report(struct vcpu *c, uint64_t gpa, uint64_t vector);

/* KVM_EXIT_DEBUG of that vCPU: a step by the trap flag ends. */
void trap_exited(struct vcpu *c);

/* On a vCPU that stands. What KVM said of its registers becomes what the debugger is to see. */
void trap_get_regs(struct vcpu *c, struct kvm_regs *r);
void trap_get_sregs(struct vcpu *c, struct kvm_sregs *s);
/* False: they are KVM's to set. */
bool trap_set_regs(struct vcpu *c, const struct kvm_regs *r);
/* CM_DBG_GUEST_DEBUG for one vCPU: 0 or -errno. */
int trap_set_debug(struct vcpu *c, const struct cm_dbg_guest_debug *q);

#endif
