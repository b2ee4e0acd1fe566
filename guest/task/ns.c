/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of namespaces: making, sharing, finding the current one. */
#include "task/signal.h"

#include "cgroup/cgroup_ns.h"
#include "fs/mount.h"
#include "ipc/internal.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "task/time_ns.h"
#include "task/user_ns.h"
#include "task/uts.h"

#define NS_MAX 8192u /* of each kind, in the sandbox */

struct nsproxy nsproxy_root = {
	.ref = { 1 },
	.cgroup = &cgroup_ns_root,
	.ipc = &ipc_ns_root,
	.net = &net_ns_root,
	.pid = &pid_ns_root,
	.time = &time_ns_root,
	.time_children = &time_ns_root,
	.uts = &uts_ns_root,
};
static u32 ns_next_inum = NS_INUM_FIRST;
static u32 ns_count[NS_KINDS];

void ns_init(struct ns *n, enum ns_kind kind, struct user_ns *owner)
{
	ref_init(&n->ref);
	n->kind = kind;
	n->inum = atomic_add(&ns_next_inum, 1);
	if (owner)
		user_ns_get(owner);
	n->owner = owner;
}

void ns_fini(struct ns *n)
{
	user_ns_put(n->owner);
	ns_uncharge((enum ns_kind)n->kind);
}

const struct ns_info *ns_info(enum ns_kind kind)
{
	static const struct ns_info info[NS_KINDS] = {
		[NS_CGROUP] = { "cgroup", CLONE_NEWCGROUP },
		[NS_IPC] = { "ipc", CLONE_NEWIPC },
		[NS_MNT] = { "mnt", CLONE_NEWNS },
		[NS_NET] = { "net", CLONE_NEWNET },
		[NS_PID] = { "pid", CLONE_NEWPID },
		[NS_TIME] = { "time", CLONE_NEWTIME },
		[NS_USER] = { "user", CLONE_NEWUSER },
		[NS_UTS] = { "uts", CLONE_NEWUTS },
	};

	return &info[kind];
}

void ns_get(struct ns *n)
{
	ref_get(&n->ref);
}

void ns_put(struct ns *n)
{
	if (!n)
		return;
	switch ((enum ns_kind)n->kind) {
	case NS_CGROUP:
		cgroup_ns_put(container_of(n, struct cgroup_ns, ns));
		break;
	case NS_IPC:
		ipc_ns_put(container_of(n, struct ipc_ns, ns));
		break;
	case NS_MNT:
		mount_ns_put(container_of(n, struct mount_ns, ns));
		break;
	case NS_NET:
		net_ns_put(container_of(n, struct net_ns, ns));
		break;
	case NS_PID:
		pid_ns_put(container_of(n, struct pid_ns, ns));
		break;
	case NS_USER:
		user_ns_put(container_of(n, struct user_ns, ns));
		break;
	case NS_TIME:
		time_ns_put(container_of(n, struct time_ns, ns));
		break;
	case NS_UTS:
		uts_ns_put(container_of(n, struct uts_ns, ns));
		break;
	default:
		break;
	}
}

bool ns_charge(enum ns_kind kind)
{
	if (atomic_add(&ns_count[kind], 1) <= NS_MAX)
		return true;
	atomic_sub(&ns_count[kind], 1);
	return false;
}

void ns_uncharge(enum ns_kind kind)
{
	atomic_sub(&ns_count[kind], 1);
}

static void nsproxy_hold(const struct nsproxy *p)
{
	cgroup_ns_get(p->cgroup);
	ipc_ns_get(p->ipc);
	if (p->mnt)
		mount_ns_get(p->mnt);
	net_ns_get(p->net);
	pid_ns_get(p->pid);
	time_ns_get(p->time);
	time_ns_get(p->time_children);
	uts_ns_get(p->uts);
}

static void nsproxy_drop(struct nsproxy *p)
{
	cgroup_ns_put(p->cgroup);
	ipc_ns_put(p->ipc);
	mount_ns_put(p->mnt);
	net_ns_put(p->net);
	pid_ns_put(p->pid);
	time_ns_put(p->time);
	time_ns_put(p->time_children);
	uts_ns_put(p->uts);
}

/* The place of a kind in a set; NULL: it has none. */
static struct ns *nsproxy_ns(const struct nsproxy *p, enum ns_kind kind)
{
	switch (kind) {
	case NS_CGROUP:
		return &p->cgroup->ns;
	case NS_IPC:
		return &p->ipc->ns;
	case NS_MNT:
		return p->mnt ? &p->mnt->ns : NULL;
	case NS_NET:
		return &p->net->ns;
	case NS_PID:
		return &p->pid->ns;
	case NS_TIME:
		return &p->time->ns;
	case NS_UTS:
		return &p->uts->ns;
	default:
		return NULL;
	}
}

/* Consumes the reference of n. */
static void nsproxy_put_in(struct nsproxy *p, struct ns *n)
{
	struct ns *old = nsproxy_ns(p, (enum ns_kind)n->kind);

	switch ((enum ns_kind)n->kind) {
	case NS_CGROUP:
		p->cgroup = container_of(n, struct cgroup_ns, ns);
		break;
	case NS_IPC:
		p->ipc = container_of(n, struct ipc_ns, ns);
		break;
	case NS_MNT:
		p->mnt = container_of(n, struct mount_ns, ns);
		break;
	case NS_NET:
		p->net = container_of(n, struct net_ns, ns);
		break;
	case NS_PID:
		p->pid = container_of(n, struct pid_ns, ns);
		break;
	case NS_TIME:
		old = &p->time_children->ns;
		p->time_children = container_of(n, struct time_ns, ns);
		break;
	case NS_UTS:
		p->uts = container_of(n, struct uts_ns, ns);
		break;
	default:
		break;
	}
	ns_put(old);
}

static int ns_create(const struct nsproxy *from, enum ns_kind kind, struct user_ns *owner,
	struct fs_context *fs, struct ns **out)
{
	struct cgroup_ns *cgroup;
	struct ipc_ns *ipc;
	struct mount_ns *mnt;
	struct net_ns *net;
	struct pid_ns *pid;
	struct time_ns *time;
	struct uts_ns *uts;
	int ret;

	switch (kind) {
	case NS_CGROUP:
		ret = cgroup_ns_create(NULL, owner, &cgroup);
		*out = ret ? NULL : &cgroup->ns;
		return ret;
	case NS_IPC:
		ret = ipc_ns_create(owner, &ipc);
		*out = ret ? NULL : &ipc->ns;
		return ret;
	case NS_MNT:
		ret = mount_ns_copy(from->mnt, owner, fs, &mnt);
		*out = ret ? NULL : &mnt->ns;
		return ret;
	case NS_NET:
		ret = net_ns_create(owner, &net);
		*out = ret ? NULL : &net->ns;
		return ret;
	case NS_PID:
		ret = pid_ns_create(from->pid, owner, &pid);
		*out = ret ? NULL : &pid->ns;
		return ret;
	case NS_TIME:
		ret = time_ns_create(from->time_children, owner, &time);
		*out = ret ? NULL : &time->ns;
		return ret;
	case NS_UTS:
		ret = uts_ns_create(from->uts, owner, &uts);
		*out = ret ? NULL : &uts->ns;
		return ret;
	default:
		return -EINVAL;
	}
}

int nsproxy_create(const struct nsproxy *from, u64 clone_flags, struct user_ns *owner,
	struct fs_context *fs, struct nsproxy **out)
{
	/* The mounts last: fs is moved when nothing can fail any more. */
	static const enum ns_kind order[] = { NS_CGROUP, NS_IPC, NS_NET, NS_PID, NS_TIME, NS_UTS,
		NS_MNT };
	struct nsproxy *p = kmalloc(sizeof(*p));
	int ret = 0;
	u32 i;

	if (!p)
		return -ENOMEM;
	*p = *from;
	ref_init(&p->ref);
	nsproxy_hold(p);
	for (i = 0; i < ARRAY_SIZE(order) && !ret; i++) {
		struct ns *n;

		if (!(clone_flags & ns_info(order[i])->clone_flag))
			continue;
		ret = ns_create(from, order[i], owner ? owner : &user_ns_root, fs, &n);
		if (!ret)
			nsproxy_put_in(p, n);
	}
	if (ret < 0)
		nsproxy_put(p);
	else
		*out = p;
	return ret;
}

void nsproxy_get(struct nsproxy *p)
{
	ref_get(&p->ref);
}

void nsproxy_put(struct nsproxy *p)
{
	if (!p || !ref_put(&p->ref))
		return;
	nsproxy_drop(p);
	kfree(p);
}

void nsproxy_set_mnt(struct nsproxy *p, struct mount_ns *mnt)
{
	struct mount_ns *old = p->mnt;

	if (mnt)
		mount_ns_get(mnt);
	p->mnt = mnt;
	mount_ns_put(old);
}

void nsproxy_enter_time(struct nsproxy *p)
{
	struct time_ns *old = p->time;

	time_ns_freeze(p->time_children);
	time_ns_get(p->time_children);
	p->time = p->time_children;
	time_ns_put(old);
}

void nsproxy_replace(struct nsproxy *p, struct ns *n)
{
	ns_get(n);
	nsproxy_put_in(p, n);
}

void nsproxy_join(struct nsproxy *p, enum ns_kind kind, const struct nsproxy *from)
{
	struct ns *n = nsproxy_ns(from, kind);

	if (n)
		nsproxy_replace(p, n);
}

struct nsproxy *nsproxy_current(void)
{
	struct thread *thread = thread_current();
	struct nsproxy *p = thread->task ? thread->task->ns : thread->kernel_ns;

	return p ? p : &nsproxy_root;
}

struct nsproxy *ns_act(struct nsproxy *p)
{
	struct thread *thread = thread_current();
	struct nsproxy *old = thread->kernel_ns;

	thread->kernel_ns = p;
	return old;
}

struct nsproxy *task_get_ns(struct task *t)
{
	u64 flags = sig_lock(t->group);
	struct nsproxy *p = t->ns;

	if (p)
		nsproxy_get(p);
	sig_unlock(t->group, flags);
	return p;
}

void task_set_ns(struct task *t, struct nsproxy *p)
{
	u64 flags = sig_lock(t->group);
	struct nsproxy *old = t->ns;

	t->ns = p;
	sig_unlock(t->group, flags);
	nsproxy_put(old);
}

struct ns *task_get_one_ns(struct task *t, enum ns_kind kind, bool children)
{
	struct nsproxy *set;
	struct cred *c;
	struct ns *n;

	if (kind == NS_USER) {
		c = task_cred(t);
		n = &c->user_ns->ns;
		ns_get(n);
		cred_put(c);
		return n;
	}
	if (kind == NS_PID && !children) {
		ns_get(&t->group->ns->ns);
		return &t->group->ns->ns;
	}
	set = task_get_ns(t);
	n = set ? nsproxy_ns(set, kind) : NULL;
	if (n && kind == NS_TIME && children)
		n = &set->time_children->ns;
	if (n)
		ns_get(n);
	nsproxy_put(set);
	return n;
}
