/* SPDX-License-Identifier: Apache-2.0 */
/* Pure signal sets and queues: which signal comes next, what its default action is. The caller locks. */
#ifndef TASK_SIGSET_H
#define TASK_SIGSET_H

#include "lib/types.h"

struct sigpending;
struct sigqueue;

enum sig_action {
	SIG_ACT_TERM,
	SIG_ACT_CORE,
	SIG_ACT_STOP,
	SIG_ACT_CONT, /* continue was done by the sender: nothing more */
	SIG_ACT_IGNORE
};
enum sig_action sig_default_action(int sig);
bool sig_is_stop(int sig);
bool sig_kernel_only(int sig); /* SIGKILL, SIGSTOP */
/* The signal to deliver first from `set`: synchronous faults, then the lowest number. 0 = none. */
int sigset_first(u64 set);

void sigpending_init(struct sigpending *p);
/* Queue q (NULL: only the bit). */
void sigpending_add(struct sigpending *p, int sig, struct sigqueue *q);
/* Take one instance of sig: its queue entry, or NULL when only the bit was set. The bit stays while more entries wait. */
struct sigqueue *sigpending_take(struct sigpending *p, int sig);
/* Move every entry of the signals in mask to `out` and clear their bits. */
struct list_head;
void sigpending_remove(struct sigpending *p, u64 mask, struct list_head *out);

#endif
