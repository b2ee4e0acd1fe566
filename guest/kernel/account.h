/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time of threads. It is charged when a thread enters and leaves the kernel and when it is switched out, in user and system time apart. A thread that
 * computes need not do either for long, so whoever asks for its time gets what it has had in user mode since, too.
 */
#ifndef KERNEL_ACCOUNT_H
#define KERNEL_ACCOUNT_H

#include "kernel/percpu.h"

struct cpu_time {
	u64 user, system; /* ns */
};

/* Entry from and return to user mode, interrupts off: the time since the last call is the running thread's. */
void account_enter_kernel(void);
void account_leave_kernel(void);
/* The running thread's time in the kernel up to now. Interrupts off. */
void account_system(void);
/* This CPU's accounting begins; until now it was idle. */
void account_start(void);
/* Behind account_system: does the thread that comes next idle? */
void account_next(bool idles);
/* What a CPU has spent by now; time in the kernel may be missing that has not ended yet. No part goes back. One that has not started is idle. */
struct cpu_spent account_spent(u32 cpu);
/* The virtual runtime of the thread that runs on pc, by now. The queue's lock is held. */
u64 account_vruntime(const struct percpu *pc);

/* What t has had by now. It never goes back. t is kept by the caller. */
struct cpu_time thread_cpu_time(const struct thread *t);
static inline u64 cpu_time_sum(struct cpu_time ct)
{
	return ct.user + ct.system;
}

#endif
