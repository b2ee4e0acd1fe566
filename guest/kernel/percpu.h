/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler, the timers and the accounting keep for each vCPU. */
#ifndef KERNEL_PERCPU_H
#define KERNEL_PERCPU_H

#include "arch.h"
#include "kernel/lock.h"
#include "kernel/runq.h"
#include "kernel/sched.h"
#include "lib/rbtree.h"

struct ktimer;

struct timer_base {
	struct spinlock lock; /* irq; protects: the rest */
	struct rb_root tree;
	struct ktimer *firing; /* its callback runs now */
	u64 programmed; /* CLOCK_MONOTONIC ns the hardware is set to, 0 = off */
};

/* What a CPU did with its time, in ns. */
struct cpu_spent {
	u64 user, system, idle;
};

struct percpu {
	struct runq runq;
	struct timer_base timer;
	struct thread *idle;
	u64 stamp; /* TSC of the last accounting */
	u32 stamp_seq; /* odd: what belongs together of the next changes */
	struct thread *
		user; /* the running thread while it is in user mode: the time since the stamp will be its own */
	bool idles; /* the time since the stamp will be idle time */
	struct cpu_spent spent; /* up to the stamp */
} __aligned(64);

extern struct percpu percpu[CM_MAX_CPUS];

static inline struct percpu *percpu_this(void)
{
	return &percpu[cpu_id()];
}

/* ---- for the architecture ---- */
void thread_init_boot(void); /* vCPU 0 becomes a thread: first thing in C */
void thread_set_cpus(u32 cpus);
void sched_init(void);
void sched_switched(void); /* first thing of a thread that arch_switch went to */
void sched_preempt(void); /* need_resched was seen */
void sched_leave_kernel(void); /* before user mode: let an idle CPU have what waits here */
__noreturn void sched_idle(void); /* the idle threads' life: idle.c */
void timer_init(void);
/* An interrupt no later than this, at which the running thread's slice is looked at. Interrupts off. */
void timer_set_slice(u64 slice_end);
void sched_tick(u64 now); /* timer interrupt: is the slice over? */
/* Did the thread's stack run over? */
bool thread_overflowed(const struct thread *t);
/* Idle thread of a vCPU that is to be started. 0 or -ENOMEM. */
int thread_create_idle(u32 cpu);

#endif
