/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of execution in the sentry and their scheduling: per-CPU run queues, round robin, no preemption inside the kernel.
 * Every application task has exactly one thread; kernel threads have task == NULL. A thread is found from its kernel stack: the
 * lowest word of the KSTACK_SIZE-aligned stack points to it.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "arch/x86_64/thread.h"
#include "kernel/lock.h"
#include "lib/list.h"
#include "lib/rbtree.h"

#define KSTACK_SIZE  16384UL
#define SCHED_WEIGHT 1024u

struct nsproxy;
struct task;
struct as;
struct cgroup;

enum thread_state {
	THREAD_RUNNABLE, /* running or on a run queue */
	THREAD_SLEEP, /* waits; only a wake-up ends it */
	THREAD_SLEEP_INTR, /* waits; a wake-up or an interrupt (signal) ends it */
	THREAD_DEAD /* never runs again; freed by whoever reaps it */
};

struct thread {
	u64 ksp; /* saved stack pointer while not running */
	void *stack; /* lowest address of the kernel stack */
	u32 cpu; /* where it runs or ran last */
	u32 state; /* enum thread_state; lock: the run queue's for wake-ups */
	bool on_cpu; /* a CPU still uses its stack */
	bool rseq; /* wants `resumed` */
	bool resumed; /* was switched in since it last looked (restartable sequences) */
	bool need_resched; /* set by interrupts and wake-ups, read at return to user mode */
	bool interrupted; /* a signal (or kill) is pending: interruptible sleeps end with -ERESTARTSYS */
	struct rb_node run_node; /* lock: the run queue's */
	bool queued; /* on a run queue; lock: the run queue's */
	u32 weight; /* share of the processor, SCHED_WEIGHT = nice 0 */
	u32 nice_weight; /* what nice alone makes of it */
	struct cgroup
		*cgroup; /* charged for its time; borrowed of its task; lock: the run queue's */
	u64 cg_utime, cg_stime; /* part of utime_ns and stime_ns that was charged; as cgroup */
	u32 cg_window; /* see cgroup/cpu.c */
	u64 vruntime; /* ns that it ran, times SCHED_WEIGHT / weight */
	struct task *task; /* NULL for a kernel thread */
	struct nsproxy *kernel_ns; /* kernel threads: task/ns.h, ns_act() */
	struct as *as; /* address space that must be loaded while it runs; NULL = any */
	u64 cpu_mask; /* CPUs that it may run on */
	u64 utime_ns, stime_ns; /* accounted at entry, exit and switch */
	u64 slice_end; /* CLOCK_MONOTONIC ns */
	u64 queued_at; /* when it last began to wait for a CPU, true while there are missing ones; CLOCK_MONOTONIC ns */
	u64 woke_at; /* when it last woke another thread, 0 = not since it blocked; CLOCK_MONOTONIC ns */
	u32 sync; /* how often in a row it blocked soon after it woke another, at most SCHED_SYNC_MAX */
	u64 nvcsw, nivcsw;
	struct arch_thread arch; /* FPU state, FS/GS base */
	u16 ranks[16], nranks; /* ranked locks held, in order (--enable-devel) */
	char name[16];
};

struct thread *thread_current(void);
/* The running task; NULL in a kernel thread. */
struct task *task_current(void);

/* Allocates stack and thread, not yet runnable. The thread begins in fn(arg) (kernel thread) and must end in thread_exit. NULL = no memory. */
struct thread *thread_create(void (*fn)(void *), void *arg, const char *name);
/* For fork: the new thread begins by returning to user mode with the registers at the top of its stack (thread_user_regs). */
struct thread *thread_create_user(struct task *task);
struct regs *thread_user_regs(struct thread *t);
void thread_start(struct thread *t); /* put on a run queue */
void thread_destroy(struct thread
		*t); /* t is THREAD_DEAD (waits until no CPU uses its stack) or was never started */
__noreturn void thread_exit(void); /* the caller's thread becomes THREAD_DEAD */
struct thread *kthread_run(void (*fn)(void *), void *arg, const char *name); /* create + start */

void sched_yield_cpu(void);
/* t, which waits on no queue, waits on this CPU's from now on. Interrupts off. */
void sched_take(struct thread *t);
/* Give the CPU away in the state that the caller has set (see waitq.c). */
void sched_block(void);
/* Make t runnable if it sleeps. True when it did. Any context. */
bool sched_wake(struct thread *t);
/* Set t->interrupted, and wake it from an interruptible sleep. Any context. */
void sched_interrupt(struct thread *t);
/* Ask t's CPU to look at its need_resched/pending work soon (IPI when it runs on another CPU in user mode). */
void sched_kick(struct thread *t);
/* Sleep until CLOCK_MONOTONIC deadline (ns). 0 when it passed, -ERESTARTSYS when interrupted. */
int sched_sleep_until(u64 deadline, bool intr);

/* Its share of the processor: each step of nice, -20 to 26, is a quarter more or a fifth less. */
void sched_set_nice(struct thread *t, s32 nice);
/* Let t run on the CPUs of mask only (some CPU that cpus_need granted is in it); it is on one of them soon, at once if it is the caller. */
void sched_set_affinity(struct thread *t, u64 mask);

/* The current thread runs on `as` from now on (exec), on none with NULL (exit). The reference stays the task's. */
void sched_set_as(struct as *as);

/* t is charged to this cgroup from now on; NULL: to none. The caller keeps it alive. */
void sched_set_cgroup(struct thread *t, struct cgroup *cg);

u32 cpu_id(void);
u32 cpu_count(void); /* vCPUs that the machine has, running or not */

#endif
