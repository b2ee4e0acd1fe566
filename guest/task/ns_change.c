/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unshare(2) and setns(2). Both prepare everything that can fail in private (a set of namespaces, credentials, a file-system context, a descriptor table),
 * then install it. The rules about who may enter what are those of Linux, namespace by namespace.
 */
#include "task/ns_change.h"

#include <linux/capability.h>

#include "fs/mount.h"
#include "ipc/ipc.h"
#include "task/access.h"
#include "task/exec.h"
#include "task/signal.h"
#include "task/time_ns.h"
#include "task/user_ns.h"

#define NS_FLAGS_PROXY (NS_CLONE_FLAGS & ~CLONE_NEWUSER)

/* What a change puts together before it takes effect. NULL: stays as it is. */
struct ns_change {
	struct cred *cred;
	struct fs_context *fs;
	struct nsproxy *set;
	bool own_files;
	u64 flags;
};

int ns_derive(struct nsproxy *from, u64 flags, const struct cred *c, struct fs_context *fs,
	struct nsproxy **out)
{
	if (!(flags & NS_FLAGS_PROXY)) {
		nsproxy_get(from);
		*out = from;
		return 0;
	}
	if (!cred_ns_capable(c, c->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	return nsproxy_create(from, flags, c->user_ns, fs, out);
}

int ns_enter_time(struct task *t)
{
	struct nsproxy *set;
	int ret;

	if (t->ns->time == t->ns->time_children)
		return 0;
	ret = nsproxy_create(t->ns, 0, NULL, NULL, &set);
	if (ret)
		return ret;
	nsproxy_enter_time(set);
	task_set_ns(t, set);
	time_ns_map(set->time, t->as);
	return 0;
}

static void change_abort(struct ns_change *ch)
{
	cred_put(ch->cred);
	if (ch->fs)
		fs_context_put(ch->fs);
	nsproxy_put(ch->set);
}

/* Everything is there. */
static void change_commit(struct task *t, struct ns_change *ch)
{
	struct fs_context *old = t->fs;
	u64 flags;

	/* Undo records belong to the sets of the old namespace. */
	if (ch->set && ch->set->ipc != t->ns->ipc)
		sem_undo_exit(t);
	if (ch->fs) {
		flags = sig_lock(t->group);
		t->fs = ch->fs;
		sig_unlock(t->group, flags);
		fs_context_put(old);
	}
	if (ch->set && ch->set->time != t->ns->time)
		time_ns_map(ch->set->time, t->as);
	if (ch->set)
		task_set_ns(t, ch->set);
	if (ch->cred) {
		if (!user_ns_owns(t->cred, ch->cred->user_ns))
			t->group->dumpable = false;
		cred_install(ch->cred);
	}
}

static bool task_alone(const struct task *t)
{
	return READ_ONCE(t->group->ntasks) == 1;
}

/* ---- unshare ---- */

/* Some flags need others. -EINVAL: threads cannot be given what they share by force. */
static s64 unshare_flags(const struct task *t, u64 *flags)
{
	u64 f = *flags;

	if (f & ~(u64)(CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |
			CLONE_SYSVSEM | NS_CLONE_FLAGS))
		return -EINVAL;
	if (f & CLONE_NEWUSER)
		f |= CLONE_THREAD | CLONE_FS;
	if (f & CLONE_NEWNS)
		f |= CLONE_FS;
	if (f & CLONE_NEWIPC)
		f |= CLONE_SYSVSEM;
	if ((f & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && !task_alone(t))
		return -EINVAL;
	*flags = f;
	return 0;
}

static s64 unshare_prepare(struct task *t, u64 flags, struct ns_change *ch)
{
	const struct cred *c = t->cred;
	s64 ret = 0;

	if (flags & CLONE_FS) {
		ch->fs = fs_context_dup(t->fs);
		if (!ch->fs)
			return -ENOMEM;
	}
	if (flags & CLONE_NEWUSER) {
		ch->cred = cred_dup(t->cred);
		ret = ch->cred ? user_ns_create(ch->cred) : -ENOMEM;
		c = ch->cred;
	}
	if (!ret && (flags & NS_FLAGS_PROXY))
		ret = ns_derive(t->ns, flags, c, ch->fs, &ch->set);
	if (!ret && (flags & CLONE_FILES))
		ret = exec_unshare_files(t);
	return ret;
}

s64 ns_unshare(struct task *t, u64 flags)
{
	struct ns_change ch = { 0 };
	s64 ret = unshare_flags(t, &flags);

	if (ret)
		return ret;
	ret = unshare_prepare(t, flags, &ch);
	if (ret) {
		change_abort(&ch);
		return ret;
	}
	if (flags & CLONE_SYSVSEM)
		sem_undo_exit(t);
	change_commit(t, &ch);
	return 0;
}

/* ---- setns ---- */

static const struct cred *change_cred(struct task *t, const struct ns_change *ch)
{
	return ch->cred ? ch->cred : t->cred;
}

/* CAP_SYS_ADMIN over the namespace and at home. */
static bool enter_allowed(const struct cred *c, const struct ns *n)
{
	return cred_ns_capable(c, n->owner, CAP_SYS_ADMIN) &&
	       cred_ns_capable(c, c->user_ns, CAP_SYS_ADMIN);
}

static s64 enter_user(struct task *t, struct user_ns *ns, struct ns_change *ch)
{
	if (ns == t->cred->user_ns || !task_alone(t) || atomic_load(&t->fs->ref.count) > 1)
		return -EINVAL;
	if (!ns_capable(ns, CAP_SYS_ADMIN))
		return -EPERM;
	ch->cred = cred_dup(t->cred);
	if (!ch->cred)
		return -ENOMEM;
	user_ns_get(ns);
	user_ns_enter(ch->cred, ns);
	return 0;
}

static s64 enter_mnt(struct task *t, struct mount_ns *ns, struct ns_change *ch)
{
	const struct cred *c = change_cred(t, ch);
	struct path root;

	if (!enter_allowed(c, &ns->ns) || !cred_ns_capable(c, c->user_ns, CAP_SYS_CHROOT))
		return -EPERM;
	if (atomic_load(&t->fs->ref.count) > 1)
		return -EINVAL;
	if (!mount_ns_root(ns, &root))
		return -EINVAL;
	ch->fs = fs_context_create(&root, &root, t->fs->umask);
	path_put(&root);
	if (!ch->fs)
		return -ENOMEM;
	nsproxy_set_mnt(ch->set, ns);
	return 0;
}

static bool shares_memory(struct group *g, void *arg)
{
	struct task *t = *(struct task **)arg, *other;

	list_for_each_entry (other, &g->tasks, group_link) {
		if (other != t && other->as == t->as)
			*(struct task **)arg = NULL;
	}
	return *(struct task **)arg != NULL;
}

/* The clocks that the vDSO reads belong to the address space: no other task may use it. */
static s64 enter_time(struct task *t, struct time_ns *ns, struct ns_change *ch)
{
	struct task *alone = t;

	group_for_each_in(&pid_ns_root, shares_memory, &alone);
	if (!alone)
		return -EUSERS;
	if (!enter_allowed(change_cred(t, ch), &ns->ns))
		return -EPERM;
	nsproxy_replace(ch->set, &ns->ns);
	nsproxy_enter_time(ch->set);
	return 0;
}

static s64 enter_one(struct task *t, struct ns *n, struct ns_change *ch)
{
	if (n->kind == NS_USER)
		return enter_user(t, container_of(n, struct user_ns, ns), ch);
	if (n->kind == NS_MNT)
		return enter_mnt(t, container_of(n, struct mount_ns, ns), ch);
	if (n->kind == NS_TIME)
		return enter_time(t, container_of(n, struct time_ns, ns), ch);
	if (!enter_allowed(change_cred(t, ch), n))
		return -EPERM;
	/* Children live where the task does or deeper. */
	if (n->kind == NS_PID && !pid_ns_contains(t->group->ns, container_of(n, struct pid_ns, ns)))
		return -EINVAL;
	nsproxy_replace(ch->set, n);
	return 0;
}

static s64 enter_begin(struct task *t, struct ns_change *ch)
{
	return nsproxy_create(t->ns, 0, NULL, NULL, &ch->set);
}

static s64 enter_end(struct task *t, struct ns_change *ch, s64 ret)
{
	if (ret)
		change_abort(ch);
	else
		change_commit(t, ch);
	return ret;
}

s64 ns_enter(struct task *t, struct ns *n, u64 nstype)
{
	struct ns_change ch = { 0 };
	s64 ret;

	if (nstype && nstype != ns_info((enum ns_kind)n->kind)->clone_flag)
		return -EINVAL;
	ret = enter_begin(t, &ch);
	if (!ret)
		ret = enter_one(t, n, &ch);
	return enter_end(t, &ch, ret);
}

s64 ns_enter_task(struct task *t, struct task *other, u64 flags)
{
	/* The user namespace first: what the others ask for may be given by it. */
	static const enum ns_kind order[] = { NS_USER, NS_MNT, NS_UTS, NS_IPC, NS_PID, NS_CGROUP,
		NS_NET, NS_TIME };
	struct ns_change ch = { 0 };
	s64 ret;
	u32 i;

	if (!task_may_access(other))
		return -EPERM;
	ret = enter_begin(t, &ch);
	for (i = 0; i < ARRAY_SIZE(order) && !ret; i++) {
		struct ns *n;

		if (!(flags & ns_info(order[i])->clone_flag))
			continue;
		n = task_get_one_ns(other, order[i], false);
		ret = n ? enter_one(t, n, &ch) : -ESRCH;
		ns_put(n);
	}
	return enter_end(t, &ch, ret);
}
