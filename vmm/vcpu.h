/* SPDX-License-Identifier: Apache-2.0 */
/* One vCPU: a KVM descriptor and the thread that runs it. */
#ifndef CM_VMM_VCPU_H
#define CM_VMM_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct vm;

#define VCPU_EXIT_REASONS 64

struct vcpu {
	struct vm *vm;
	unsigned index; /* also the APIC id */
	int fd;
	struct kvm_run *run; /* shared with the kernel */
	pthread_t thread;
	bool created; /* main thread only */
	bool running; /* main thread only: `thread` is valid */
	uint64_t exits; /* total; written by the vCPU's thread, read at the end */
	uint64_t exits_by_reason[VCPU_EXIT_REASONS];
};

/* Install the handler of the kick signal. Once, before any vCPU. */
void vcpu_init(void);

/* Create vCPU `index` with the registers of the sentry's entry. Main thread. 0 or -errno with err filled. */
int vcpu_create(struct vm *vm, unsigned index, struct cm_err *err);

/* Start its thread. Main thread. */
int vcpu_start(struct vcpu *c, struct cm_err *err);

/* Make it leave the guest soon; its thread then looks at vm_stopping. Any thread. */
void vcpu_kick(struct vcpu *c);

#endif
