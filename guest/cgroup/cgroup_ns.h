/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup namespaces: which cgroup a task takes for the root in /proc/PID/cgroup, in mountinfo, in what it mounts, and beyond which it moves no process.
 */
#ifndef CGROUP_CGROUP_NS_H
#define CGROUP_CGROUP_NS_H

#include "task/ns.h"

struct cgroup;

struct cgroup_ns {
	struct ns ns;
	struct cgroup *root; /* reference; the first one's is the tree's root */
};
extern struct cgroup_ns cgroup_ns_root;
/* A new one whose root is `root`, NULL: the current task's cgroup. 0, -ENOSPC, -ENOMEM. */
int cgroup_ns_create(struct cgroup *root, struct user_ns *owner, struct cgroup_ns **out);
void cgroup_ns_get(struct cgroup_ns *ns);
/* Of one that no task has yet. */
void cgroup_ns_set_root(struct cgroup_ns *ns, struct cgroup *root);
void cgroup_ns_put(struct cgroup_ns *ns); /* may sleep */

#endif
