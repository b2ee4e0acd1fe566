/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks in figures, as struct taskstats has them: what the sentry measures; the rest is 0, as delays are on Linux where kernel.task_delayacct is off. See
 * Documentation/accounting/taskstats-struct.rst of Linux.
 */
#ifndef TASK_TASKSTATS_H
#define TASK_TASKSTATS_H

#include <linux/taskstats.h>

#include "lib/types.h"

struct group;
struct pid_ns;
struct task;
struct user_ns;

/* Of one thread; its numbers and ids as these namespaces see them. */
void taskstats_of_task(struct task *t, const struct pid_ns *pids, const struct user_ns *users,
	struct taskstats *out);
/* Of a process: CPU time of all its threads, dead ones too; times and switches are those of living ones, as on Linux. */
void taskstats_of_group(struct group *g, struct taskstats *out);

#endif
