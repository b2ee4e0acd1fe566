/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's side of the family TASKSTATS: what questions are answered with, and who hears of the ends of tasks. */
#ifndef NET_TASKSTATS_H
#define NET_TASKSTATS_H

#include "lib/list.h"

struct genl_kernel;
struct task;

/* A socket that is told what ends on some CPUs. */
struct exit_listener {
	struct list_head link; /* lock: listeners_lock; empty: to none */
	u64 cpus; /* as link */
};

/* The caller has said who asks: fills in how the sentry answers, and returns k. */
const struct genl_kernel *taskstats_ask(struct genl_kernel *k);
/* The socket goes. */
void taskstats_unlisten(struct exit_listener *l);
/* The current task ends, with its process when it is the last. */
void taskstats_exit(struct task *t, bool last);

#endif
