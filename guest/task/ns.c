/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of namespaces: making, sharing, finding the current one. */
#include "task/signal.h"

#include "fs/mount.h"
#include "ipc/ipc.h"
#include "mm/slab.h"
#include "task/uts.h"

#define NS_MAX 8192u /* of each kind, in the sandbox */

struct nsproxy nsproxy_root = {
	.ref = { 1 },
	.ipc = &ipc_ns_root,
	.pid = &pid_ns_root,
	.uts = &uts_ns_root,
};
static u32 ns_next_inum = NS_INUM_FIRST;
static u32 ns_count[NS_KINDS];

void ns_init(struct ns *n, enum ns_kind kind)
{
	ref_init(&n->ref);
	n->kind = kind;
	n->inum = atomic_add(&ns_next_inum, 1);
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
	ipc_ns_get(p->ipc);
	if (p->mnt)
		mount_ns_get(p->mnt);
	pid_ns_get(p->pid);
	uts_ns_get(p->uts);
}

static void nsproxy_drop(struct nsproxy *p)
{
	ipc_ns_put(p->ipc);
	mount_ns_put(p->mnt);
	pid_ns_put(p->pid);
	uts_ns_put(p->uts);
}

/* Replaces the kinds that `flags` name by new ones; what p held of them is dropped. */
static int nsproxy_renew(struct nsproxy *p, u64 flags)
{
	struct ipc_ns *ipc;
	struct pid_ns *pid;
	struct uts_ns *uts;
	int ret = 0;

	if (flags & CLONE_NEWIPC) {
		ret = ipc_ns_create(&ipc);
		if (ret < 0)
			return ret;
		ipc_ns_put(p->ipc);
		p->ipc = ipc;
	}
	if (flags & CLONE_NEWPID) {
		ret = pid_ns_create(p->pid, &pid);
		if (ret < 0)
			return ret;
		pid_ns_put(p->pid);
		p->pid = pid;
	}
	if (flags & CLONE_NEWUTS) {
		ret = uts_ns_create(p->uts, &uts);
		if (ret < 0)
			return ret;
		uts_ns_put(p->uts);
		p->uts = uts;
	}
	return ret;
}

int nsproxy_create(const struct nsproxy *from, u64 clone_flags, struct nsproxy **out)
{
	struct nsproxy *p = kmalloc(sizeof(*p));
	int ret;

	if (!p)
		return -ENOMEM;
	*p = *from;
	ref_init(&p->ref);
	nsproxy_hold(p);
	ret = nsproxy_renew(p, clone_flags);
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

void nsproxy_join(struct nsproxy *p, enum ns_kind kind, const struct nsproxy *from)
{
	struct nsproxy old = *p;

	switch (kind) {
	case NS_IPC:
		ipc_ns_get(from->ipc);
		p->ipc = from->ipc;
		ipc_ns_put(old.ipc);
		break;
	case NS_MNT:
		nsproxy_set_mnt(p, from->mnt);
		break;
	case NS_PID:
		pid_ns_get(from->pid);
		p->pid = from->pid;
		pid_ns_put(old.pid);
		break;
	case NS_UTS:
		uts_ns_get(from->uts);
		p->uts = from->uts;
		uts_ns_put(old.uts);
		break;
	case NS_KINDS:
		break;
	}
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
