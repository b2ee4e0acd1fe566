/* SPDX-License-Identifier: Apache-2.0 */
/* --probe: what this host's KVM is, offers and costs; and the constants that its built-in guest shares with it. */
#ifndef CM_VMM_PROBE_H
#define CM_VMM_PROBE_H

#define PROBE_PORT_MARK	   0x10
#define PROBE_PORT_NOTHING 0x11
#define PROBE_PORT_LATE	   0x12 /* the shortest of PROBE_TIMERS delays, cycles */
#define PROBE_ROUNDS	   2000
#define PROBE_USER	   0x200000 /* user address of the guest's first page */

#define PROBE_TIMERS	   20
#define PROBE_TIMER_CYCLES 1000000
#define PROBE_VECTOR	   0x40

/* What is measured from this mark to the next. */
#define PROBE_MARK_PIO	   0
#define PROBE_MARK_CPUID   1
#define PROBE_MARK_MSR	   2
#define PROBE_MARK_TIMER   3
#define PROBE_MARK_SYSCALL 4
#define PROBE_MARK_RETURN  5 /* only where pvm has the way into user mode that is no exit */
#define PROBE_MARK_END	   6

#ifndef __ASSEMBLER__
#include "common/err.h"

/*
 * Print one `key=value` a line on standard output: kvm.flavour (pvm, vmx, svm or unknown), kvm.api, kvm.tsc_khz, kvm.pvm_features, cap.NAME
 * (value of the capability), cost.NAME_us. kvm_fd is /dev/kvm. Returns 0, or -errno with err filled after the lines that could be had.
 */
int probe_run(int kvm_fd, struct cm_err *err);
#endif

#endif
