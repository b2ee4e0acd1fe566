/* SPDX-License-Identifier: Apache-2.0 */
/* Interval timers of a process, its CPU-time limit, and its POSIX timers. Times are ns. */
#ifndef TASK_ITIMER_H
#define TASK_ITIMER_H

#include <linux/signal.h>
#include <linux/time_types.h>

#include "lib/types.h"

struct group;
struct task;

struct itimer_value {
	u64 left, interval; /* left 0 = off */
};
/* which: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. */
void itimer_get(struct group *g, int which, struct itimer_value *v);
void itimer_set(struct group *g, int which, const struct itimer_value *v, struct itimer_value *old);

/* What a CPU-time clock counts. */
struct cpu_clock {
	struct task *of;
	bool thread; /* that thread's time, else its process's */
	bool user; /* in user mode alone */
};

/* POSIX timers. 0 or the id, or -errno. cpu: for a clock below 0, borrowed. */
s64 ptimer_create(struct task *t, int clock, const struct cpu_clock *cpu, const sigevent_t *ev);
s64 ptimer_set(struct task *t, int id, bool absolute, const struct itimer_value *v,
	struct itimer_value *old);
s64 ptimer_get(struct task *t, int id, struct itimer_value *v);
s64 ptimer_overrun(struct task *t, int id);
s64 ptimer_delete(struct task *t, int id);

#endif
