/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork, vfork, clone. A new task is made in private and entered into the tree in one step at the end (clone_publish), so nobody
 * finds half of one. What is shared and what copied is decided by CLONE_* flags, one helper an object.
 */
#include "task/clone.h"

#include <asm/unistd.h>
#include <linux/capability.h>

#include "cgroup/cgroup.h"
#include "cgroup/cgroup_ns.h"
#include "ipc/ipc.h"
#include "keys/keys.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "task/ns_change.h"
#include "task/pidfd.h"
#include "task/ptrace.h"
#include "task/seccomp.h"
#include "task/signal.h"
#include "task/user_ns.h"
#include "task/rseq.h"

static s64 clone_check(const struct task *t, const struct clone_request *req)
{
	u64 f = req->flags;
	struct group *g = t->group;

	if ((f & CLONE_FS) && (f & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if ((f & CLONE_THREAD) && (f & (CLONE_NEWUSER | CLONE_NEWPID)))
		return -EINVAL;
	if ((f & CLONE_NEWIPC) && (f & CLONE_SYSVSEM))
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PARENT) && g->unkillable)
		return -EINVAL;
	/* Threads live where their process does. */
	if ((f & CLONE_THREAD) && t->ns->pid != g->ns)
		return -EINVAL;
	if (!(f & CLONE_NEWPID) && READ_ONCE(t->ns->pid->dying))
		return -ENOMEM;
	/* A signal first: the program sees it before it has a child. */
	if (signal_pending(t))
		return -ERESTARTNOINTR;
	return 0;
}

static int clone_charge(struct task *t, const struct task *parent)
{
	struct user_acct *u = t->cred->user;
	u64 limit = rlimit_soft(parent->group, RLIMIT_NPROC);

	if ((u64)atomic_add(&u->nproc, 1) > limit && u->uid != 0 && !capable(CAP_SYS_RESOURCE) &&
		!capable(CAP_SYS_ADMIN)) {
		atomic_sub(&u->nproc, 1);
		return -EAGAIN;
	}
	return 0;
}

static int clone_as(struct task *t, struct task *parent, u64 flags)
{
	int err = 0;

	if (flags & CLONE_VM) {
		as_get(parent->as);
		t->as = parent->as;
		return 0;
	}
	t->as = as_fork(parent->as, &err);
	return t->as ? 0 : err;
}

static int clone_files(struct task *t, struct task *parent, u64 flags)
{
	int err = 0;

	if (flags & CLONE_FILES) {
		fdtable_get(parent->files);
		t->files = parent->files;
		return 0;
	}
	t->files = fdtable_dup(parent->files, &err);
	return t->files ? 0 : err;
}

static int clone_fs(struct task *t, struct task *parent, u64 flags)
{
	if (flags & CLONE_FS) {
		fs_context_get(parent->fs);
		t->fs = parent->fs;
		return 0;
	}
	t->fs = fs_context_dup(parent->fs);
	return t->fs ? 0 : -ENOMEM;
}

static void clone_copy_limits(struct group *g, struct group *from)
{
	u64 flags = sig_lock(from);

	memcpy(g->rlim, from->rlim, sizeof(g->rlim));
	sig_unlock(from, flags);
}

static int clone_sighand(struct group *g, struct group *from, u64 flags)
{
	struct sighand *h;
	u64 irq;

	if (flags & CLONE_SIGHAND) {
		ref_get(&from->sighand->ref);
		g->sighand = from->sighand;
		return 0;
	}
	h = sighand_create();
	if (!h)
		return -ENOMEM;
	irq = spin_lock_irq(&from->sighand->lock);
	memcpy(h->action, from->sighand->action, sizeof(h->action));
	spin_unlock_irq(&from->sighand->lock, irq);
	if (flags & CLONE_CLEAR_SIGHAND)
		sighand_reset(h);
	g->sighand = h;
	return 0;
}

static int clone_group(struct task *t, struct task *parent, const struct clone_request *req)
{
	struct group *from = parent->group;
	struct group *g;

	if (req->flags & CLONE_THREAD) {
		group_get(from);
		t->group = from;
		return 0;
	}
	g = group_create();
	if (!g)
		return -ENOMEM;
	t->group = g;
	g->creator = req->flags & CLONE_PARENT ? from->creator : parent->tid;
	g->exit_signal = req->flags & CLONE_PARENT ? from->exit_signal : req->exit_signal;
	g->tty = from->tty;
	g->oom_score_adj = from->oom_score_adj;
	g->has_subreaper = from->subreaper || from->has_subreaper;
	g->dumpable = from->dumpable;
	g->dump_filter = from->dump_filter;
	g->container = from->container;
	clone_copy_limits(g, from);
	return clone_sighand(g, from, req->flags);
}

/* Credentials: the parent's, or moved to a user namespace of their own. */
static int clone_cred(struct task *t, struct task *parent, u64 flags)
{
	if (!(flags & CLONE_NEWUSER)) {
		t->cred = task_cred(parent);
		return 0;
	}
	t->cred = cred_dup(parent->cred);
	return t->cred ? user_ns_create(t->cred) : -ENOMEM;
}

/* After fs, which goes with a copy of the mounts. */
static int clone_ns(struct task *t, struct task *parent, const struct clone_request *req)
{
	u64 flags = req->flags;
	int ret = ns_derive(parent->ns, flags, t->cred, t->fs, &t->ns);

	/* The root of a new cgroup namespace is where the child begins. */
	if (ret == 0 && (flags & CLONE_NEWCGROUP) && req->cgroup)
		cgroup_ns_set_root(t->ns->cgroup, req->cgroup);
	if (ret == 0 && !(flags & CLONE_THREAD))
		t->group->ns = t->ns->pid;
	return ret;
}

static void clone_copy_plain(struct task *t, const struct task *parent, u64 flags)
{
	memcpy(t->comm, parent->comm, sizeof(t->comm));
	t->blocked = parent->restore_blocked ? parent->saved_blocked : parent->blocked;
	t->nice = parent->nice;
	t->ioprio = parent->ioprio;
	t->mempolicy = parent->mempolicy;
	t->policy = parent->policy;
	t->rt_priority = parent->rt_priority;
	t->timer_slack = t->timer_slack_default = parent->timer_slack;
	t->personality = parent->personality;
	/* A thread of the same memory must not run on its creator's alternate stack. */
	if (!(flags & CLONE_VM) || (flags & CLONE_VFORK))
		t->altstack = parent->altstack;
}

static int clone_thread(struct task *t, struct task *parent, const struct clone_request *req)
{
	struct regs *r;

	t->thread = thread_create_user(t);
	if (!t->thread)
		return -ENOMEM;
	t->thread->as = t->as;
	t->thread->cpu_mask = parent->thread->cpu_mask;
	str_copy(t->thread->name, t->comm, sizeof(t->thread->name));
	fpu_save_current();
	memcpy(t->thread->arch.fpu, parent->thread->arch.fpu, fpu_size());
	arch_inherit(t->thread, parent->thread);
	if (req->flags & CLONE_SETTLS) {
		t->thread->arch.fsbase = req->tls;
		t->thread->arch.sel.fs = 0;
	}
	r = thread_user_regs(t->thread);
	*r = *thread_user_regs(parent->thread);
	r->rax = 0;
	r->orig_rax = ~0UL;
	if (req->stack)
		r->rsp = req->stack;
	if (!(req->flags & CLONE_VM))
		rseq_inherit(t, parent);
	return 0;
}

/* Undo whatever was done; t was never in the tree. */
static void clone_abort(struct task *t, bool charged)
{
	keys_exit(t, false);
	if (t->thread)
		thread_destroy(t->thread);
	t->thread = NULL;
	if (t->fs)
		fs_context_put(t->fs);
	if (t->files)
		fdtable_put(t->files);
	if (t->as)
		as_put(t->as);
	sem_undo_exit(t);
	nsproxy_put(t->ns);
	if (charged)
		atomic_sub(&t->cred->user->nproc, 1);
	task_put(t);
}

/* A private task with copies or shares of everything. NULL: *err says why. */
static struct task *clone_build(struct task *parent, const struct clone_request *req, s64 *err)
{
	struct task *t = task_create();
	bool charged = false;
	u64 f = req->flags;

	*err = -ENOMEM;
	if (!t)
		return NULL;
	clone_copy_plain(t, parent, f);
	*err = clone_cred(t, parent, f);
	if (*err < 0)
		goto fail;
	*err = clone_charge(t, parent);
	if (*err < 0)
		goto fail;
	charged = true;
	*err = clone_group(t, parent, req);
	if (*err < 0)
		goto fail;
	*err = clone_files(t, parent, f);
	if (*err < 0)
		goto fail;
	*err = clone_fs(t, parent, f);
	if (*err < 0)
		goto fail;
	*err = clone_ns(t, parent, req);
	if (*err < 0)
		goto fail;
	*err = clone_as(t, parent, f);
	if (*err < 0)
		goto fail;
	*err = f & CLONE_VM ? 0 : ns_enter_time(t);
	if (*err < 0)
		goto fail;
	*err = cgroup_fork(t, parent, req->cgroup);
	if (*err < 0)
		goto fail;
	*err = sem_undo_clone(t, parent, f & CLONE_SYSVSEM);
	if (*err < 0)
		goto fail;
	*err = clone_thread(t, parent, req);
	if (*err < 0)
		goto fail;
	*err = keys_fork(t, parent, f & CLONE_THREAD);
	if (*err < 0)
		goto fail;
	return t;
fail:
	clone_abort(t, charged);
	return NULL;
}

/* The event that the parent's tracer asked to stop at, 0 = none. */
static int clone_event(const struct task *parent, const struct clone_request *req)
{
	int event = PTRACE_EVENT_FORK;

	if (req->flags & CLONE_UNTRACED)
		return 0;
	if (req->flags & CLONE_VFORK)
		event = PTRACE_EVENT_VFORK;
	else if (req->exit_signal != SIGCHLD)
		event = PTRACE_EVENT_CLONE;
	return ptrace_event_on(parent, event) ? event : 0;
}

/* Enter t into its group and the tree. -ERESTARTNOINTR when a signal for the whole process came meanwhile. */
static s64 clone_publish(
	struct task *t, struct task *parent, const struct clone_request *req, bool traced)
{
	u64 clone_flags = req->flags;
	struct group *from = parent->group;
	struct group *g = t->group;
	u64 tree = tree_lock();
	u64 flags = sig_lock(from);
	bool stop = signal_pending(parent) || from->group_exit || from->exec_task;

	sig_unlock(from, flags);
	if (stop || g->ns->dying) {
		tree_unlock(tree);
		return stop ? -ERESTARTNOINTR : -ENOMEM;
	}
	if (!(clone_flags & CLONE_THREAD)) {
		g->id = pid_get(t->id);
		g->pid = t->tid;
		g->leader = t;
		group_link_locked(g, clone_flags & CLONE_PARENT ? from->parent : from, from->pgrp,
			from->session);
	}
	cgroup_publish_locked(t, parent, !req->cgroup);
	flags = sig_lock(from);
	seccomp_inherit_locked(t, parent);
	if (g != from) {
		sig_unlock(from, flags);
		flags = sig_lock(g);
	}
	list_add_tail(&g->tasks, &t->group_link);
	g->ntasks++;
	g->nlive++;
	if (g != from)
		cpu_tick_start(g);
	if (traced)
		ptrace_inherit_locked(t, parent);
	sig_unlock(g, flags);
	tree_unlock(tree);
	return 0;
}

/* False: killed before. */
static bool clone_wait_vfork(struct task *t, struct vfork *v)
{
	bool done;

	wait_event_killable(t, &v->wq, atomic_load(&v->done));
	done = atomic_load(&v->done);
	if (ref_put(&v->ref))
		kfree(v);
	return done;
}

static struct vfork *clone_vfork(struct task *t)
{
	struct vfork *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->ref.count = 2;
	waitq_init(&v->wq);
	t->vfork = v;
	return v;
}

void vfork_complete(struct task *t)
{
	struct vfork *v = t->vfork;

	if (!v)
		return;
	t->vfork = NULL;
	atomic_store(&v->done, true);
	waitq_wake_all(&v->wq);
	if (ref_put(&v->ref))
		kfree(v);
}

static void clone_store_tids(struct task *t, const struct clone_request *req)
{
	int nr = pid_nr(t->id);

	/* Failing stores are ignored, as in Linux. */
	if (req->flags & CLONE_PARENT_SETTID)
		(void)put_user(nr, req->parent_tid);
	if (req->flags & CLONE_CHILD_SETTID)
		(void)as_copy_to(t->as, req->child_tid, &t->tid, sizeof(t->tid));
	if (req->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = req->child_tid;
}

/* CLONE_PIDFD: the descriptor is there before the child is. 0 or -errno. */
static s64 clone_pidfd(struct task *t, const struct clone_request *req, int *fd)
{
	if (!(req->flags & CLONE_PIDFD))
		return 0;
	*fd = pidfd_install(t->group, 0);
	if (*fd < 0)
		return *fd;
	return put_user(*fd, req->pidfd);
}

/* t was entered nowhere but in the table of ids. */
static void clone_undo(struct task *t, struct vfork *v, int fd)
{
	pid_cancel(t->id);
	t->id = NULL;
	if (fd >= 0)
		fd_close(fd);
	kfree(v);
	t->vfork = NULL;
	clone_abort(t, true);
}

s64 task_clone(struct task *parent, const struct clone_request *req)
{
	struct task *t;
	struct vfork *v = NULL;
	s64 ret = clone_check(parent, req);
	int event = clone_event(parent, req);
	int pidfd = -1;
	int nr;

	if (ret < 0)
		return ret;
	t = clone_build(parent, req, &ret);
	if (!t)
		return ret;
	ret = pid_alloc(t->ns->pid, t, req->set_tid, &t->id);
	if (ret < 0) {
		clone_abort(t, true);
		return ret;
	}
	t->tid = pid_nr_own(t->id);
	nr = pid_nr(t->id);
	if (req->flags & CLONE_VFORK) {
		v = clone_vfork(t);
		ret = v ? 0 : -ENOMEM;
	}
	if (ret == 0)
		ret = clone_pidfd(t, req, &pidfd);
	if (ret == 0) {
		clone_store_tids(t, req);
		ret = clone_publish(t, parent, req, event || (req->flags & CLONE_PTRACE));
	}
	if (ret < 0) {
		clone_undo(t, v, pidfd);
		return ret;
	}
	thread_start(t->thread);
	if (event)
		ptrace_event(parent, event, (u64)nr);
	if (v && clone_wait_vfork(parent, v))
		ptrace_event(parent, PTRACE_EVENT_VFORK_DONE, (u64)nr);
	return nr;
}
