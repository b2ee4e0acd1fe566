/* SPDX-License-Identifier: Apache-2.0 */
/* Changing the namespaces of the current task: unshare(2), setns(2), and what clone(2) shares with them. */
#ifndef TASK_NS_CHANGE_H
#define TASK_NS_CHANGE_H

#include "lib/types.h"

struct cred;
struct fs_context;
struct ns;
struct nsproxy;
struct task;

/* CLONE_NEW* that there are. */
#define NS_CLONE_FLAGS \
	(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | \
		CLONE_NEWTIME | CLONE_NEWUSER | CLONE_NEWUTS)

/* The set for a child, or after unshare, with credentials c: a new one when flags ask for it, else another reference of from. fs (private) is moved
 * over to a copy of the mounts. 0, -EPERM, -ENOSPC, -ENOMEM. */
int ns_derive(struct nsproxy *from, u64 flags, const struct cred *c, struct fs_context *fs,
	struct nsproxy **out);
/* t, the current task or not yet one of the tree, got an address space of its own: its time namespace is now the one for children. 0, -ENOMEM. May sleep. */
int ns_enter_time(struct task *t);
s64 ns_unshare(struct task *t, u64 flags);
/* Enter n, which is of one of the kinds that nstype (CLONE_NEW*, 0 = any) names. 0 or -errno. */
s64 ns_enter(struct task *t, struct ns *n, u64 nstype);
/* Enter the namespaces of another task that the flags name, all or none. */
s64 ns_enter_task(struct task *t, struct task *other, u64 flags);

#endif
