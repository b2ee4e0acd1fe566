/* SPDX-License-Identifier: Apache-2.0 */
/* CPU-time clocks by number: ~pid << 3 | 4 (a thread's) | kind, pid 0 = the caller's own. */
#ifndef SYSCALL_CPU_CLOCK_H
#define SYSCALL_CPU_CLOCK_H

#include "syscall/handlers.h"

/* As a C library names the caller's: the scheduler's time. */
#define CPU_CLOCK_OWN	     (-6)
#define CPU_CLOCK_OWN_THREAD (-2)

/* 0 or -EINVAL: none such. */
s64 cpu_clock_read(struct task *t, int clock, u64 *ns);
/* clock_nanosleep(2) on it, with the arguments of the call. */
s64 cpu_clock_sleep(struct task *t, int clock, const struct sysargs *a);

#endif
