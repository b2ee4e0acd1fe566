/* SPDX-License-Identifier: Apache-2.0 */
/* One vCPU: a KVM descriptor and the thread that runs it. */
#ifndef CM_VMM_VCPU_H
#define CM_VMM_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <casemate/debug.h>
#include <casemate/hypercall.h>

#include "common/err.h"

struct vm;

#define VCPU_EXIT_REASONS 64
#define VCPU_DOORBELL	  CM_HC_COUNT
#define VCPU_CALLS	  (CM_HC_COUNT + 1) /* hypercalls by number, then doorbells */

/* Exits of one kind: their number, TSC ticks from KVM_RUN's return to the next one, exits by them as struct cm_dbg_exit says. Written by the vCPU's thread alone, read at any time. */
struct vcpu_exits {
	uint64_t count, ticks;
	uint64_t bucket[CM_DBG_BUCKETS];
};

/*
 * Life of a thread: seal itself; wait until the vCPU is wanted (the first one is at once); create it; the first one then waits until
 * the machine is complete; run.
 */
struct vcpu {
	struct vm *vm;
	unsigned index; /* also the APIC id */
	int fd; /* its thread's; the debug thread's while the vCPU is stopped */
	struct kvm_run *run; /* shared with the kernel; NULL until created */
	pthread_t thread;
	atomic_bool threaded; /* it was started */
	sem_t wanted; /* posted once: create and run the vCPU */
	sem_t go; /* vCPU 0, posted once: the machine is complete */
	atomic_bool asked; /* `wanted` was posted by a request of the guest */
	unsigned faults; /* failed accesses since the last exit; its thread's */
	uint64_t exits; /* total; written by the vCPU's thread, read at the end */
	struct vcpu_exits exit[VCPU_EXIT_REASONS],
		call[VCPU_CALLS]; /* calls are exits by port, too */
	unsigned called; /* by this exit; VCPU_CALLS = nothing; its thread's */
	/* Under the lock of vm->pause. */
	enum cm_dbg_cpu_state state;
	/* The debug thread's, while the vCPU stands. */
	atomic_uint debug_flags; /* CM_DBG_GD_*, 0 = nobody debugs */
	bool stepping; /* the trap flag is the debugger's */
	bool hw; /* KVM was told of debug registers */
	uint64_t
		frame; /* gpa of the registers of the trap that the vCPU reports, 0 = none; its thread's */
	struct cm_dbg_stop stop; /* reason CM_DBG_NONE: none */
};

/* Install the handler of the kick signal. Once, before any vCPU. */
void vcpu_init(void);

/* From now on it may be wanted. Main thread, before any vCPU runs. */
void vcpu_prepare(struct vm *vm, unsigned index);

/* Start the thread of vCPU `index`, which was prepared. Main thread. 0 or -errno with err filled. */
int vcpu_start(struct vm *vm, unsigned index, struct cm_err *err);

/* Have the vCPU created and run. Any thread, once a vCPU. */
void vcpu_want(struct vcpu *c);

/* The vCPU that the calling thread runs. */
struct vcpu *vcpu_current(void);

/* Make its running vCPU leave KVM_RUN soon, or the next one at once; its thread then looks at vm->pause. Any thread. */
void vcpu_interrupt(struct vcpu *c);

/* Make it leave the guest, or its wait, soon; its thread then looks at vm_stopping. Main thread. */
void vcpu_end(struct vcpu *c);

/* Wait for its thread, if there is one. Main thread. */
void vcpu_join(struct vcpu *c);

#endif
