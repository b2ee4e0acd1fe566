/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run queues. Threads are ordered by virtual runtime: the time that they ran, longer for nice ones. Who has run least comes first, so
 * processors are shared fairly, and who mostly sleeps gets in soon after it wakes. The caller holds the lock.
 */
#ifndef KERNEL_RUNQ_H
#define KERNEL_RUNQ_H

#include "kernel/lock.h"
#include "lib/rbtree.h"

struct thread;

struct runq {
	struct spinlock
		lock; /* irq; protects: the rest, and `state` of the threads whose `cpu` is this one */
	struct rb_root tree; /* runnable, without the one that runs */
	u32 queued;
	u64 floor; /* virtual runtime that nobody here is behind by much; only grows */
	struct thread *running;
	struct thread *previous; /* switched out, its stack in use until the switch is finished */
	struct thread *away; /* previous too, when it must go on on another CPU */
	u32 relies; /* atomic: an idle CPU is about to take the only one that waits, no timer is armed for it (idle.c) */
};

void runq_push(struct runq *rq, struct thread *t);
void runq_remove(struct runq *rq, struct thread *t);
/* The first, or last, that may run on cpu; NULL = none. */
struct thread *runq_first(const struct runq *rq, u32 cpu);
struct thread *runq_last(const struct runq *rq, u32 cpu);
/* Bring the floor up to what waits and to the running thread, whose virtual runtime is `running` by now. */
void runq_raise_floor(struct runq *rq, u64 running);
/* t comes from a sleep: what it slept counts only up to a limit. */
void runq_place_woken(const struct runq *rq, struct thread *t);
/* t, on no queue, comes from the queue `from`: keep its distance to the others. */
void runq_rebase(const struct runq *from, const struct runq *to, struct thread *t);
/* a should run before b by more than `margin` ns. */
bool runq_before(const struct thread *a, const struct thread *b, u64 margin);

#endif
