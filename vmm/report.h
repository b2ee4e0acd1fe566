/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of guests that panicked or crashed: one block in the log with reason, registers and a symbolised backtrace. All guest data in
 * it is copied, bounded and reduced to printable text.
 */
#ifndef CM_VMM_REPORT_H
#define CM_VMM_REPORT_H

#include <casemate/hypercall.h>

struct vcpu;
struct vm;

/* The sentry reported a panic of its own; p is the VMM's copy. */
void report_panic(struct vm *vm, const struct cm_panic *p);

/* The vCPU stopped in a way that the guest cannot go on from. Its own thread calls. */
void report_crash(struct vcpu *c, const char *what);

/* KVM_RUN failed with this errno value. */
void report_run_failed(struct vcpu *c, int errnum);

/* Exits of every vCPU by reason, for --trace-exits; after the vCPUs stopped or are about to. */
void report_exits(struct vm *vm);

#endif
