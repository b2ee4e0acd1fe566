/* SPDX-License-Identifier: Apache-2.0 */
/* Making tasks: the one function below fork, vfork, clone and clone3. */
#ifndef TASK_CLONE_H
#define TASK_CLONE_H

#include "lib/types.h"

struct cgroup;
struct pid_choice;
struct task;

struct clone_request {
	u64 flags; /* CLONE_* */
	u32 exit_signal;
	u64 stack; /* new stack pointer, 0 = the caller's */
	u64 tls;
	uaddr_t parent_tid, child_tid, pidfd;
	struct cgroup *cgroup; /* CLONE_INTO_CGROUP; borrowed */
	const struct pid_choice *set_tid; /* NULL: any numbers */
};

/* The new id in the caller's pid namespace, or -errno. */
s64 task_clone(struct task *t, const struct clone_request *req);

#endif
