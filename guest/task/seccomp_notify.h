/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User notification of seccomp(2): a call whose verdict is SECCOMP_RET_USER_NOTIF waits until whoever has the filter's listener, a descriptor, has
 * answered it. The filter and the descriptor hold a reference of the listener each; what waits is on the stack of the task that made the call.
 */
#ifndef TASK_SECCOMP_NOTIFY_H
#define TASK_SECCOMP_NOTIFY_H

#include <linux/seccomp.h>

#include "arch.h"

struct seccomp_listener;
struct task;

/* A listener for a filter that is yet to come, with a reference, and its descriptor in *fd (close-on-exec). killable: who waits for an answer to a call that was
 * received wakes up for fatal signals only. 0, -ENOMEM, -EMFILE. */
int seccomp_listener_create(bool killable, struct seccomp_listener **out, int *fd);
/* The filter is gone: nobody will ask any more. Drops its reference; NULL is allowed. */
void seccomp_listener_orphan(struct seccomp_listener *l);

/* The current task asks l (NULL: there is nobody, ENOSYS). True: the call may run; false: *ret is its result. */
bool seccomp_notify(struct task *t, struct seccomp_listener *l, struct regs *r,
	const struct seccomp_data *data, s64 *ret);

#endif
