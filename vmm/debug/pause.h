/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping the vCPUs and letting them go. A vCPU stands between two KVM_RUNs, its last exit complete, so that the debug thread may read and
 * write its registers; nothing on the way of an exit looks at it: it is asked to stop by a kick, which the loop meets as -EINTR.
 *
 * VM-wide, one instance in struct vm. Every count of `wanted` keeps all vCPUs stopped: pauses of debug connections and vCPUs that stopped by
 * themselves and were not told to go on.
 */
#ifndef CM_VMM_DEBUG_PAUSE_H
#define CM_VMM_DEBUG_PAUSE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <casemate/debug.h>

struct vcpu;
struct vm;

struct vm_pause {
	pthread_mutex_t
		lock; /* protects: the members below, and `state` and `stop` of every vCPU */
	pthread_cond_t changed; /* CLOCK_MONOTONIC */
	atomic_uint wanted; /* changed under the lock; read without it by a vCPU that was kicked */
	int event_fd; /* eventfd of the debug thread: a vCPU stopped by itself; -1 = nobody debugs */
	atomic_bool
		stepped; /* a debugger asked for a step: its #DB may come when nobody debugs any more */
	bool held; /* the guest died and waits for pause_let_go */
};

void pause_init(struct vm_pause *p);

/* ---- vCPU threads */

/* A vCPU is about to be made; it counts as running from now on. False: not while another is debugged. Any thread. */
bool pause_may_start(struct vcpu *c);
/* Before the first KVM_RUN: the vCPU counts as running. Returns when nobody wants it stopped. */
void pause_enter(struct vcpu *c);
/* After a KVM_RUN that was interrupted, with immediate_exit cleared: stand while anybody wants that. */
void pause_point(struct vcpu *c);
/* The vCPU leaves its loop. */
void pause_leave(struct vcpu *c);
/* A breakpoint or the like: stop all vCPUs, tell the debug thread, return when the stop was continued. */
void pause_trapped(struct vcpu *c, const struct cm_dbg_stop *stop);
/* The guest died (reason PANIC or CRASH). With --hold-on-panic as pause_trapped, until pause_let_go; else returns at once. */
void pause_died(struct vcpu *c, uint32_t reason);

/* ---- the debug thread, and any other that is no vCPU's */

/* Want all vCPUs stopped, and kick those that run. pause_wait returns whether all are within so many ms. */
void pause_add(struct vm *vm);
bool pause_wait(struct vm *vm, uint32_t timeout_ms);
/* Take one pause_add back. */
void pause_remove(struct vm *vm);
/* May its registers be touched? They stay put until the next pause_remove or pause_continue of the calling thread. */
bool pause_stopped(struct vcpu *c);
/* A stop of the lowest-numbered vCPU that has one; false when none. */
bool pause_next_stop(struct vm *vm, struct cm_dbg_stop *stop);
/* Let the vCPU go on from its stop. False when it has none, or died. */
bool pause_continue(struct vcpu *c);
/* Let a VM that is held come to its end. False when it is not held. */
bool pause_let_go(struct vm *vm);
/* The VM ends: nobody stands any longer. Any thread. */
void pause_abandon(struct vm *vm);

#endif
