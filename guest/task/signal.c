/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generating signals: side effects of SIGCONT and stop signals, ignoring, queueing, and the choice of a thread to wake. A fatal
 * signal starts the end of the whole process here, so that its threads leave their sleeps at once. Delivery: sigdeliver.c.
 */
#include "task/ptrace.h"
#include "task/signal.h"

#include <linux/capability.h>

#include "lib/string.h"
#include "mm/slab.h"
#include "task/user_ns.h"

#define SIG_STOPS (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))

struct sighand *sighand_create(void)
{
	struct sighand *h = kzalloc(sizeof(*h));

	if (!h)
		return NULL;
	ref_init(&h->ref);
	h->lock.rank = 52;
	return h;
}

void sighand_put(struct sighand *h)
{
	if (h && ref_put(&h->ref))
		kfree(h);
}

void sighand_reset(struct sighand *h)
{
	u64 flags = spin_lock_irq(&h->lock);
	int i;

	for (i = 0; i < SIG_MAX; i++) {
		if (h->action[i].handler != (u64)SIG_IGN)
			h->action[i].handler = (u64)SIG_DFL;
		h->action[i].flags = 0;
		h->action[i].restorer = 0;
		h->action[i].mask = 0;
	}
	spin_unlock_irq(&h->lock, flags);
}

siginfo_t signal_info(int sig, int code, int pid, u32 uid)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_pid = pid;
	info.si_uid = uid;
	return info;
}

static u64 signal_handler(const struct group *g, int sig)
{
	return READ_ONCE(g->sighand->action[sig - 1].handler);
}

/* A default action that ends or stops does not apply to an init, except SIGKILL and SIGSTOP from outside. */
static bool signal_immune(const struct group *g, int sig, bool force)
{
	return g->unkillable && signal_handler(g, sig) == (u64)SIG_DFL &&
	       !(force && sig_kernel_only(sig));
}

static bool signal_ignored(const struct group *g, const struct task *t, int sig, bool force)
{
	u64 handler = signal_handler(g, sig);
	enum sig_action act = sig_default_action(sig);

	if (t && ((t->blocked | t->waiting) & SIGMASK(sig)))
		return false;
	/* A tracer may want to know. */
	if (t && ptrace_traced(t) && sig != SIGKILL)
		return false;
	if (signal_immune(g, sig, force))
		return true;
	return handler == (u64)SIG_IGN ||
	       (handler == (u64)SIG_DFL && (act == SIG_ACT_IGNORE || act == SIG_ACT_CONT));
}

static void sigqueue_free(struct sigqueue *q)
{
	if (!q->user)
		return;
	atomic_sub(&q->user->nsignals, 1);
	user_put(q->user);
	kfree(q);
}

void signal_flush_locked(struct sigpending *p, u64 mask)
{
	struct list_head out;
	struct sigqueue *q, *next;

	list_init(&out);
	sigpending_remove(p, mask, &out);
	list_for_each_entry_safe (q, next, &out, link) {
		list_del(&q->link);
		if (q->taken)
			q->taken(q);
		sigqueue_free(q);
	}
}

static void signal_flush_group_locked(struct group *g, u64 mask)
{
	struct task *t;

	signal_flush_locked(&g->pending, mask);
	list_for_each_entry (t, &g->tasks, group_link)
		signal_flush_locked(&t->pending, mask);
}

void signal_wake_locked(struct task *t, bool fatal)
{
	if (!t->thread)
		return;
	sched_interrupt(t->thread);
	sched_kick(t->thread);
	if (fatal && t->kill_wq)
		waitq_wake_all(t->kill_wq);
}

static void signal_continue_locked(struct group *g)
{
	struct task *t;

	signal_flush_group_locked(g, SIG_STOPS);
	if (g->state == GROUP_STOPPED) {
		g->state = GROUP_RUNNING;
		g->stop_report = CLD_CONTINUED;
		g->stop_notify = CLD_CONTINUED;
	} else if (g->stop_count) {
		g->stop_notify = CLD_STOPPED;
	}
	g->stop_count = 0;
	g->cont_seq++;
	list_for_each_entry (t, &g->tasks, group_link) {
		bool seized = t->trace.seized;

		if (!t->stopped && !t->stop_pending && !seized)
			continue;
		t->stop_pending = t->stop_counted = false;
		t->stopped = false;
		if (seized)
			ptrace_notify_locked(t);
		else
			signal_wake_locked(t, true);
	}
	waitq_wake_all(&g->stop_wq);
}

void signal_group_exit_locked(struct group *g, int status)
{
	struct task *t;

	if (g->group_exit)
		return;
	g->group_exit = true;
	g->exit_code = status;
	g->stop_count = 0;
	list_for_each_entry (t, &g->tasks, group_link) {
		if (t->exiting)
			continue;
		t->stop_pending = t->stop_counted = false;
		t->stopped = false;
		sigpending_add(&t->pending, SIGKILL, NULL);
		signal_wake_locked(t, true);
	}
	waitq_wake_all(&g->stop_wq);
	waitq_wake_all(&g->exec_wq);
}

static bool signal_wanted(const struct task *t, int sig)
{
	if (t->exiting)
		return false;
	if (sig == SIGKILL)
		return true;
	return !(t->blocked & SIGMASK(sig)) || (t->waiting & SIGMASK(sig));
}

/* The thread that should take it: the addressed one, else the leader, else any. */
static struct task *signal_pick_locked(struct group *g, struct task *t, int sig)
{
	struct task *pos;

	if (t)
		return signal_wanted(t, sig) ? t : NULL;
	if (g->leader && signal_wanted(g->leader, sig))
		return g->leader;
	list_for_each_entry (pos, &g->tasks, group_link) {
		if (signal_wanted(pos, sig))
			return pos;
	}
	return NULL;
}

static void signal_complete_locked(struct group *g, struct task *t, int sig, bool force)
{
	struct task *pick = signal_pick_locked(g, t, sig);

	waitq_wake_all(&g->signalfd_wq);
	if (!pick)
		return;
	if (signal_handler(g, sig) == (u64)SIG_DFL && sig_default_action(sig) == SIG_ACT_TERM &&
		!signal_immune(g, sig, force) && (sig == SIGKILL || !ptrace_traced(pick)) &&
		(sig == SIGKILL || !((pick->blocked | pick->waiting) & SIGMASK(sig)))) {
		signal_group_exit_locked(g, sig);
		return;
	}
	signal_wake_locked(pick, sig == SIGKILL);
}

/* NULL: no memory or over the limit. */
static struct sigqueue *sigqueue_create(struct group *g, struct task *t)
{
	struct cred *c = task_cred(t);
	struct user_acct *u = c->user;
	struct sigqueue *q = NULL;

	if ((u64)atomic_add(&u->nsignals, 1) <= rlimit_soft(g, RLIMIT_SIGPENDING) &&
		!in_interrupt())
		q = kmalloc(sizeof(*q));
	if (q) {
		user_ref(u);
		q->user = u;
		q->taken = NULL;
		list_init(&q->link);
	} else {
		atomic_sub(&u->nsignals, 1);
	}
	cred_put(c);
	return q;
}

static int signal_enqueue_locked(
	struct group *g, struct task *t, int sig, const siginfo_t *info, bool force)
{
	struct sigpending *p = t ? &t->pending : &g->pending;
	struct task *charge = t ? t : g->leader;
	struct sigqueue *q = NULL;

	if (sig < SIGRTMIN && (p->set & SIGMASK(sig)))
		return 0;
	if (sig != SIGKILL && charge) {
		q = sigqueue_create(g, charge);
		/* A queued real-time signal must not be lost silently; others lose their details. */
		if (!q && sig >= SIGRTMIN && info && info->si_code != SI_USER)
			return -EAGAIN;
	}
	if (q)
		q->info = info ? *info : signal_info(sig, SI_KERNEL, 0, 0);
	sigpending_add(p, sig, q);
	signal_complete_locked(g, t, sig, force);
	return 0;
}

/* True when the signal goes on to the queue. */
static bool signal_prepare_locked(struct group *g, struct task *t, int sig, bool force)
{
	/* A process that ends takes no signal, but SIGKILL breaks off its core dump. */
	if (g->state == GROUP_ZOMBIE || (g->group_exit && !(g->core && sig == SIGKILL)))
		return false;
	if (sig_is_stop(sig) && !signal_immune(g, sig, force))
		signal_flush_group_locked(g, SIGMASK(SIGCONT));
	else if (sig == SIGCONT)
		signal_continue_locked(g);
	return !signal_ignored(g, t ? t : g->leader, sig, force);
}

int signal_generate_locked(
	struct group *g, struct task *t, int sig, const siginfo_t *info, bool force)
{
	if (!signal_prepare_locked(g, t, sig, force))
		return 0;
	return signal_enqueue_locked(g, t, sig, info, force);
}

bool signal_queue_entry_locked(struct group *g, struct task *t, struct sigqueue *q)
{
	int sig = q->info.si_signo;
	struct sigpending *p = t ? &t->pending : &g->pending;

	if (!list_empty(&q->link) || !signal_prepare_locked(g, t, sig, false))
		return false;
	sigpending_add(p, sig, q);
	signal_complete_locked(g, t, sig, false);
	return true;
}

/* Is the sender (the kernel, or the current task in a namespace above) outside of what g can see? Then g's init is not immune, and the number of the
 * sender, which means nothing to g, becomes 0. */
static bool signal_from_outside(const struct group *g, const siginfo_t *info, siginfo_t *copy)
{
	struct task *me = task_current();

	if (!info)
		return true;
	*copy = *info;
	if (!me || info->si_code > 0 || pid_nr_ns(me->group->id, g->ns))
		return false;
	copy->si_pid = 0;
	return true;
}

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	struct group *g = t->group;
	siginfo_t copy;
	bool force;
	u64 flags;
	int ret;

	if (sig < 1 || sig > SIG_MAX)
		return -EINVAL;
	force = signal_from_outside(g, info, &copy);
	flags = sig_lock(g);
	ret = t->exiting ? 0 : signal_generate_locked(g, t, sig, info ? &copy : NULL, force);
	sig_unlock(g, flags);
	return ret;
}

int signal_send_group(struct group *g, int sig, const siginfo_t *info)
{
	siginfo_t copy;
	bool force;
	u64 flags;
	int ret;

	if (sig < 1 || sig > SIG_MAX)
		return -EINVAL;
	force = signal_from_outside(g, info, &copy);
	flags = sig_lock(g);
	ret = signal_generate_locked(g, NULL, sig, info ? &copy : NULL, force);
	sig_unlock(g, flags);
	return ret;
}

int signal_send_pgrp(const struct pid *pgrp, int sig, const siginfo_t *info)
{
	u64 flags = tree_lock();
	struct group *g;
	int ret = -ESRCH;

	list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
		if (g->pgrp != pgrp)
			continue;
		if (signal_send_group(g, sig, info) == 0 || ret == -ESRCH)
			ret = 0;
	}
	tree_unlock(flags);
	return ret;
}

bool signal_is_held(int sig)
{
	struct task *t = task_current();

	return (t->blocked & SIGMASK(sig)) || signal_handler(t->group, sig) == (u64)SIG_IGN;
}

bool signal_may_send(const struct cred *c, struct task *target, int sig)
{
	struct cred *tc = task_cred(target);
	bool ok = c->euid == tc->suid || c->euid == tc->uid || c->uid == tc->suid ||
		  c->uid == tc->uid || cred_ns_capable(c, tc->user_ns, CAP_KILL);
	struct task *me = task_current();

	cred_put(tc);
	if (!ok && sig == SIGCONT && me)
		ok = me->group->session == target->group->session;
	return ok;
}

int signal_dequeue_locked(struct task *t, u64 mask, siginfo_t *info)
{
	struct sigpending *p = &t->pending;
	int sig = sigset_first(p->set & ~mask);
	struct sigqueue *q;

	if (!sig) {
		p = &t->group->pending;
		sig = sigset_first(p->set & ~mask);
	}
	if (!sig)
		return 0;
	q = sigpending_take(p, sig);
	if (q && q->taken)
		q->taken(q);
	*info = q ? q->info : signal_info(sig, SI_USER, 0, 0);
	if (q)
		sigqueue_free(q);
	return sig;
}

void signal_recalc_locked(struct task *t)
{
	struct group *g = t->group;
	bool pending = ((t->pending.set | g->pending.set) & ~t->blocked) != 0;

	/* The dead are not interrupted: exit sleeps on closing files. */
	if (t->exiting)
		pending = false;
	else if (t->stop_pending || t->cg_freeze || g->group_exit || g->stop_notify ||
		 t->trace.trap_stop || t->trace.trap_notify)
		pending = true;
	WRITE_ONCE(t->thread->interrupted, pending);
}

void signal_recalc(struct task *t)
{
	u64 flags = sig_lock(t->group);

	signal_recalc_locked(t);
	sig_unlock(t->group, flags);
}

bool signal_pending(const struct task *t)
{
	return t->thread && READ_ONCE(t->thread->interrupted);
}

bool task_killed(const struct task *t)
{
	return (READ_ONCE(t->pending.set) & SIGMASK(SIGKILL)) || group_dies(t->group);
}

void task_set_kill_wq(struct task *t, struct waitq *wq)
{
	u64 flags = sig_lock(t->group);

	t->kill_wq = wq;
	sig_unlock(t->group, flags);
}

/* Signals that a mask change hides from t may be for another thread: wake one that can take them. */
static void signal_retarget_locked(struct task *t, u64 newly_blocked)
{
	struct group *g = t->group;
	u64 left = g->pending.set & newly_blocked;
	struct task *pos;

	if (!left)
		return;
	list_for_each_entry (pos, &g->tasks, group_link) {
		if (pos != t && !pos->exiting && (left & ~pos->blocked)) {
			left &= pos->blocked;
			signal_wake_locked(pos, false);
		}
	}
}

void signal_set_blocked(struct task *t, u64 set)
{
	struct group *g = t->group;
	u64 flags;

	set &= ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	if (t->blocked == set)
		return;
	flags = sig_lock(g);
	signal_retarget_locked(t, set & ~t->blocked);
	t->blocked = set;
	signal_recalc_locked(t);
	sig_unlock(g, flags);
}

void signal_mask_temporary(u64 set)
{
	struct task *t = task_current();

	t->saved_blocked = t->blocked;
	t->restore_blocked = true;
	signal_set_blocked(t, set);
}

void signal_mask_restore(void)
{
	struct task *t = task_current();

	if (!t->restore_blocked)
		return;
	t->restore_blocked = false;
	signal_set_blocked(t, t->saved_blocked);
}

int signal_take(u64 mask, siginfo_t *info)
{
	struct task *t = task_current();
	u64 flags = sig_lock(t->group);
	int sig = signal_dequeue_locked(t, ~mask | SIGMASK(SIGKILL) | SIGMASK(SIGSTOP), info);

	signal_recalc_locked(t);
	sig_unlock(t->group, flags);
	return sig;
}

u64 signal_peek(u64 mask)
{
	struct task *t = task_current();

	return (READ_ONCE(t->pending.set) | READ_ONCE(t->group->pending.set)) & mask;
}
