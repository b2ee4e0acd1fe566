/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp(2): filters of system calls. A task has a chain of filters, the newest first; filters are immutable and shared by reference, so that a
 * child or thread costs a count. Tasks without a filter pay one test a call (task->call_work in syscall_dispatch).
 *
 * Actions: all of Linux; what USER_NOTIF does is in seccomp_notify.h.
 */
#ifndef TASK_SECCOMP_H
#define TASK_SECCOMP_H

#include "arch.h"
#include "lib/atomic.h"
#include "task/bpf.h"

struct task;

struct seccomp_filter {
	struct ref ref;
	struct seccomp_filter *prev; /* older; reference */
	u32 total; /* instructions of the whole chain, as Linux counts them */
	u32 depth; /* filters of the chain */
	bool log;
	struct seccomp_listener
		*listener; /* reference; NULL: USER_NOTIF of this filter asks nobody */
	u32 n;
	struct sock_filter insn[];
};

/* A checked filter on top of prev (whose reference is taken over), with a reference. 0, -EINVAL, or -ENOMEM (a chain that is too long). */
int seccomp_filter_create(const struct sock_filter *insn, u32 n, u32 flags,
	struct seccomp_filter *prev, struct seccomp_filter **out);
struct seccomp_filter *seccomp_filter_get(struct seccomp_filter *f);
void seccomp_filter_put(struct seccomp_filter *f);

/* A call of a task with a mode is about to run. True: it may; false: *ret is its result. May not return. */
bool seccomp_check(struct task *t, struct regs *r, s64 *ret);

/* The current task's modes. flags and program are those of seccomp(2). 0, -errno, with TSYNC a thread that cannot follow, with NEW_LISTENER a
 * descriptor. */
int seccomp_set_strict(struct task *t);
s64 seccomp_set_filter(struct task *t, const struct sock_filter *insn, u32 n, u32 flags);

/* Filter n of a stopped tracee, 0 = the oldest, with a reference in *out. 0, -EINVAL (it has none), -ENOENT. */
int seccomp_filter_of(struct task *t, u64 n, struct seccomp_filter **out);

/* A new task of `parent`'s gets its mode, filters and no_new_privs. sig_lock of the parent's group held. */
void seccomp_inherit_locked(struct task *t, const struct task *parent);

#endif
