/* SPDX-License-Identifier: Apache-2.0 */
/* CPU-time clocks by number: ~pid << 3 | 4 (a thread's) | kind, pid 0 = the caller's own. */
#ifndef SYSCALL_CPU_CLOCK_H
#define SYSCALL_CPU_CLOCK_H

#include "syscall/handlers.h"
#include "task/itimer.h"

/* As a C library names the caller's: the scheduler's time. */
#define CPU_CLOCK_OWN	     (-6)
#define CPU_CLOCK_OWN_THREAD (-2)

/* The clock of an open device, none of which has one. */
static inline bool cpu_clock_is_device(int clock)
{
	return (clock & 7) == 3;
}

/* Whose time the clock is of, with a reference. A thread's must be of t's process; a process's is named by its own number, or to read it by t's. 0 or -EINVAL. */
int cpu_clock_find(struct task *t, int clock, bool reading, struct cpu_clock *out);
/* 0 or -EINVAL: none such. */
s64 cpu_clock_read(struct task *t, int clock, u64 *ns);
/* clock_nanosleep(2) on it, with the arguments of the call. */
s64 cpu_clock_sleep(struct task *t, int clock, const struct sysargs *a);

#endif
