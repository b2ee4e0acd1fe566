/* SPDX-License-Identifier: Apache-2.0 */
/* Signal system calls. */
#include "lib/string.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/time_user.h"
#include "task/pidfd.h"
#include "task/signal.h"
#include "task/user_ns.h"

#define UNBLOCKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))
#define SA_KNOWN \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
		SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER)

/* struct sigaction as the system call has it. */
struct user_sigaction {
	u64 handler, flags, restorer, mask;
};

/* A new action that ignores drops what is pending, as POSIX wants. */
static void sigaction_drop_ignored(struct group *g, int sig, const struct sigaction_k *act)
{
	enum sig_action def = sig_default_action(sig);
	struct task *t;

	if (act->handler != (u64)SIG_IGN &&
		!(act->handler == (u64)SIG_DFL && (def == SIG_ACT_IGNORE || def == SIG_ACT_CONT)))
		return;
	signal_flush_locked(&g->pending, SIGMASK(sig));
	list_for_each_entry (t, &g->tasks, group_link)
		signal_flush_locked(&t->pending, SIGMASK(sig));
}

s64 sys_rt_sigaction(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[0];
	struct group *g = t->group;
	struct user_sigaction u;
	struct sigaction_k act, old;
	u64 flags;

	if (a->a[3] != sizeof(u64))
		return -EINVAL;
	if (a->a[1] && copy_from_user(&u, a->a[1], sizeof(u)) < 0)
		return -EFAULT;
	if (sig < 1 || sig > SIG_MAX || (a->a[1] && sig_kernel_only(sig)))
		return -EINVAL;
	flags = sig_lock(g);
	spin_lock(&g->sighand->lock);
	old = g->sighand->action[sig - 1];
	if (a->a[1]) {
		act.handler = u.handler;
		act.flags = u.flags & (u64)(u32)SA_KNOWN;
		act.restorer = u.restorer;
		act.mask = u.mask & ~UNBLOCKABLE;
		g->sighand->action[sig - 1] = act;
	}
	spin_unlock(&g->sighand->lock);
	if (a->a[1])
		sigaction_drop_ignored(g, sig, &act);
	sig_unlock(g, flags);
	if (!a->a[2])
		return 0;
	u = (struct user_sigaction){ old.handler, old.flags, old.restorer, old.mask };
	return copy_to_user(a->a[2], &u, sizeof(u));
}

s64 sys_rt_sigprocmask(struct task *t, const struct sysargs *a)
{
	u64 old = t->blocked;
	u64 set;

	if (a->a[3] != sizeof(u64))
		return -EINVAL;
	if (a->a[1]) {
		if (get_user(set, a->a[1]) < 0)
			return -EFAULT;
		switch ((int)a->a[0]) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(t, set);
	}
	return a->a[2] ? put_user(old, a->a[2]) : 0;
}

s64 sys_rt_sigreturn(struct task *t, const struct sysargs *a)
{
	struct regs *r = thread_user_regs(t->thread);
	u64 mask = t->blocked;
	int err = sigframe_pop(t, r, &mask);

	signal_set_blocked(t, mask);
	if (err)
		signal_force_fault(SIGSEGV, SI_KERNEL, 0);
	return (s64)r->rax;
}

s64 sys_rt_sigpending(struct task *t, const struct sysargs *a)
{
	u64 set = signal_peek(t->blocked);

	if (a->a[1] > sizeof(set))
		return -EINVAL;
	return copy_to_user(a->a[0], &set, a->a[1]);
}

s64 sys_rt_sigsuspend(struct task *t, const struct sysargs *a)
{
	u64 set;

	if (a->a[1] != sizeof(u64))
		return -EINVAL;
	if (get_user(set, a->a[0]) < 0)
		return -EFAULT;
	signal_mask_temporary(set);
	sched_sleep_until(WAIT_FOREVER, true);
	return -ERESTARTNOHAND;
}

s64 sys_pause(struct task *t, const struct sysargs *a)
{
	sched_sleep_until(WAIT_FOREVER, true);
	return -ERESTARTNOHAND;
}

/* Wait until one of `set` is there or the deadline. The number, or -EAGAIN, -EINTR. */
static int sigtimedwait(struct task *t, u64 set, u64 deadline, siginfo_t *info)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	int sig = signal_dequeue_locked(t, ~set, info);
	int ret = 0;
	bool again;

	if (!sig)
		t->waiting = set;
	signal_recalc_locked(t);
	sig_unlock(g, flags);
	if (sig)
		return sig;
	do {
		ret = sched_sleep_until(deadline, true);
		flags = sig_lock(g);
		sig = signal_dequeue_locked(t, ~set, info);
		/* Woken for a signal that somebody else took meanwhile: sleep again. */
		again = !sig && !ret && clock_monotonic() < deadline;
		if (!again)
			t->waiting = 0;
		signal_recalc_locked(t);
		sig_unlock(g, flags);
	} while (again);
	if (sig)
		return sig;
	return ret < 0 ? -EINTR : -EAGAIN;
}

s64 sys_rt_sigtimedwait(struct task *t, const struct sysargs *a)
{
	u64 deadline = WAIT_FOREVER;
	siginfo_t info;
	u64 set;
	int sig;

	if (a->a[3] != sizeof(u64))
		return -EINVAL;
	if (get_user(set, a->a[0]) < 0)
		return -EFAULT;
	if (a->a[2]) {
		s64 ns = get_timespec(a->a[2]);

		if (ns < 0)
			return ns;
		deadline = deadline_after(ns);
	}
	sig = sigtimedwait(t, set & ~UNBLOCKABLE, deadline, &info);
	if (sig > 0 && a->a[1] && copy_to_user(a->a[1], &info, sizeof(info)) < 0)
		return -EFAULT;
	return sig;
}

static siginfo_t kill_info(struct task *t, int sig, int code)
{
	return signal_info(sig, code, t->group->pid, uid_shown(t->cred->uid));
}

/* The sender's uid as the target's user namespace has it. */
static siginfo_t kill_info_for(struct task *target, const siginfo_t *info)
{
	struct cred *c = task_cred(target);
	siginfo_t out = *info;

	if (c->user_ns != user_ns_current()) {
		u32 id = id_from_kernel(&c->user_ns->uid, uid_to_kernel((u32)info->si_uid));

		out.si_uid = id == ID_NONE ? ID_OVERFLOW : id;
	}
	cred_put(c);
	return out;
}

/* One process for kill(2). sig 0 only checks. tree lock held. */
static int kill_group_locked(struct task *t, struct group *g, int sig, const siginfo_t *info)
{
	siginfo_t seen;

	if (!g->leader || !signal_may_send(t->cred, g->leader, sig))
		return -EPERM;
	if (!sig)
		return 0;
	seen = kill_info_for(g->leader, info);
	return signal_send_group(g, sig, &seen);
}

/* kill(-1): all but the caller and the init of its namespace, as far as it sees them. */
static bool kill_all_reaches(const struct task *t, const struct group *g)
{
	return g != t->group->ns->init && g != t->group && pid_nr_ns(g->id, t->group->ns);
}

/* pid <= 0: a process group (0: the caller's), or everything for -1. */
static s64 kill_many(struct task *t, int pid, int sig, const siginfo_t *info)
{
	struct pid_ns *ns = t->group->ns;
	u64 flags = tree_lock();
	struct pid *pgrp = pid ? pid_find_locked(ns, -pid) : t->group->pgrp;
	struct group *g;
	s64 ret = -ESRCH;
	bool ok = false;

	list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
		int r;

		if (pid == -1 ? !kill_all_reaches(t, g) : !pgrp || g->pgrp != pgrp)
			continue;
		r = kill_group_locked(t, g, sig, info);
		ok |= r == 0;
		/* For -1 a refusal of one process is no news. */
		if (r == 0 || pid != -1 || ret == -ESRCH)
			ret = pid == -1 && r == -EPERM ? ret : r;
	}
	tree_unlock(flags);
	return ok ? 0 : ret;
}

/* A thread's number means its process. tree lock held; borrowed. */
static struct group *signal_target(struct task *t, int pid)
{
	struct group *g = group_leader_of(t->group->ns, pid);
	struct task *thread = g ? NULL : pid_task(t->group->ns, pid);

	return thread ? thread->group : g;
}

s64 sys_kill(struct task *t, const struct sysargs *a)
{
	int pid = (int)a->a[0];
	int sig = (int)a->a[1];
	siginfo_t info = kill_info(t, sig, SI_USER);
	struct group *g;
	u64 flags;
	s64 ret = -ESRCH;

	if (sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	if (pid == INT_MIN)
		return -ESRCH;
	if (pid <= 0)
		return kill_many(t, pid, sig, &info);
	flags = tree_lock();
	g = signal_target(t, pid);
	if (g)
		ret = kill_group_locked(t, g, sig, &info);
	tree_unlock(flags);
	return ret;
}

/* One thread; tgid 0 = not compared. */
static s64 kill_thread(struct task *t, int tgid, int tid, int sig, const siginfo_t *info)
{
	struct task *target;
	u64 flags;
	s64 ret = -ESRCH;

	if (sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	flags = tree_lock();
	target = pid_task(t->group->ns, tid);
	if (target && !list_empty(&target->group_link) &&
		(!tgid || target->group->id == pid_find_locked(t->group->ns, tgid))) {
		siginfo_t seen = kill_info_for(target, info);

		if (!signal_may_send(t->cred, target, sig))
			ret = -EPERM;
		else
			ret = sig ? signal_send_task(target, sig, &seen) : 0;
	}
	tree_unlock(flags);
	return ret;
}

s64 sys_tkill(struct task *t, const struct sysargs *a)
{
	int tid = (int)a->a[0];
	int sig = (int)a->a[1];
	siginfo_t info = kill_info(t, sig, SI_TKILL);

	if (tid <= 0)
		return -EINVAL;
	return kill_thread(t, 0, tid, sig, &info);
}

s64 sys_tgkill(struct task *t, const struct sysargs *a)
{
	int tgid = (int)a->a[0];
	int tid = (int)a->a[1];
	int sig = (int)a->a[2];
	siginfo_t info = kill_info(t, sig, SI_TKILL);

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	return kill_thread(t, tgid, tid, sig, &info);
}

/* A program may not pretend to be the kernel or another's kill(2), except to itself. */
static s64 sigqueue_copy(struct task *t, int pid, int sig, uaddr_t src, bool exact, siginfo_t *info)
{
	if (copy_from_user(info, src, sizeof(*info)) < 0)
		return -EFAULT;
	if (exact && info->si_signo != sig)
		return -EINVAL;
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != t->group->pid)
		return -EPERM;
	return 0;
}

s64 sys_rt_sigqueueinfo(struct task *t, const struct sysargs *a)
{
	int pid = (int)a->a[0];
	int sig = (int)a->a[1];
	struct group *g;
	siginfo_t info;
	u64 flags;
	s64 ret = sigqueue_copy(t, pid, sig, a->a[2], false, &info);

	if (ret < 0)
		return ret;
	if (sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	flags = tree_lock();
	g = signal_target(t, pid);
	ret = g ? kill_group_locked(t, g, sig, &info) : -ESRCH;
	tree_unlock(flags);
	return ret;
}

s64 sys_rt_tgsigqueueinfo(struct task *t, const struct sysargs *a)
{
	int tgid = (int)a->a[0];
	int tid = (int)a->a[1];
	int sig = (int)a->a[2];
	siginfo_t info;
	s64 ret;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	ret = sigqueue_copy(t, tgid, sig, a->a[3], false, &info);
	return ret < 0 ? ret : kill_thread(t, tgid, tid, sig, &info);
}

s64 sys_pidfd_send_signal(struct task *t, const struct sysargs *a)
{
	int sig = (int)a->a[1];
	siginfo_t info = kill_info(t, sig, SI_USER);
	struct group *g;
	u64 flags;
	s64 ret = 0;

	if (a->a[3] || sig < 0 || sig > SIG_MAX)
		return -EINVAL;
	g = pidfd_group_or_proc((int)a->a[0]);
	if (!g)
		return -EBADF;
	if (a->a[2]) {
		ret = sigqueue_copy(t, pid_nr(g->id), sig, a->a[2], true, &info);
	}
	if (ret == 0) {
		flags = tree_lock();
		ret = list_empty(&g->ns_link) ? -ESRCH : kill_group_locked(t, g, sig, &info);
		tree_unlock(flags);
	}
	group_put(g);
	return ret;
}

s64 sys_sigaltstack(struct task *t, const struct sysargs *a)
{
	u64 sp = thread_user_regs(t->thread)->rsp;
	stack_t ss, old;
	int ret;

	if (a->a[0] && copy_from_user(&ss, a->a[0], sizeof(ss)) < 0)
		return -EFAULT;
	memset(&old, 0, sizeof(old));
	old.ss_sp = (void *)t->altstack.sp;
	old.ss_size = t->altstack.size;
	old.ss_flags = (int)(t->altstack.flags & SS_AUTODISARM);
	if (!t->altstack.size)
		old.ss_flags |= SS_DISABLE;
	else if (sigaltstack_active(t, sp))
		old.ss_flags |= SS_ONSTACK;
	if (a->a[0]) {
		ret = sigaltstack_set(t, &ss, sp);
		if (ret < 0)
			return ret;
	}
	return a->a[1] ? copy_to_user(a->a[1], &old, sizeof(old)) : 0;
}

s64 sys_restart_syscall(struct task *t, const struct sysargs *a)
{
	return t->restart.fn ? t->restart.fn(t) : -EINTR;
}
