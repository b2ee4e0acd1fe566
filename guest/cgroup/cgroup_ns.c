/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroup namespaces. */
#include "cgroup/cgroup_ns.h"

#include "cgroup/internal.h"
#include "kernel/errno.h"
#include "mm/slab.h"
#include "task/task.h"
#include "task/user_ns.h"

struct cgroup_ns cgroup_ns_root = {
	.ns = { .ref = { 1 }, .kind = NS_CGROUP, .inum = NS_INUM_CGROUP, .owner = &user_ns_root },
	.root = &cgroup_root,
};

int cgroup_ns_create(struct cgroup *root, struct user_ns *owner, struct cgroup_ns **out)
{
	struct cgroup_ns *ns;

	if (!ns_charge(NS_CGROUP))
		return -ENOSPC;
	ns = kzalloc(sizeof(*ns));
	if (!ns) {
		ns_uncharge(NS_CGROUP);
		return -ENOMEM;
	}
	ns_init(&ns->ns, NS_CGROUP, owner);
	if (root)
		cgroup_get(root);
	ns->root = root ? root : cgroup_of_task(task_current());
	*out = ns;
	return 0;
}

void cgroup_ns_get(struct cgroup_ns *ns)
{
	ref_get(&ns->ns.ref);
}

void cgroup_ns_set_root(struct cgroup_ns *ns, struct cgroup *root)
{
	struct cgroup *old = ns->root;

	cgroup_get(root);
	ns->root = root;
	cgroup_put(old);
}

void cgroup_ns_put(struct cgroup_ns *ns)
{
	if (!ref_put(&ns->ns.ref))
		return;
	cgroup_put(ns->root);
	ns_fini(&ns->ns);
	kfree(ns);
}
