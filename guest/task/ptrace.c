/* SPDX-License-Identifier: Apache-2.0 */
/* The tracer's side of ptrace(2): attaching, letting go, resuming. Contract: ptrace.h. */
#include "task/ptrace.h"

#include <linux/capability.h>

#include "task/access.h"
#include "task/signal.h"
#include "task/user_ns.h"

static void trace_link_locked(struct task *t, struct task *tracer, u32 options, bool seized)
{
	struct trace_state *s = &t->trace;

	s->tracer = tracer;
	s->options = options;
	s->seized = seized;
	list_add_tail(&tracer->trace.tracees, &s->link);
}

static void trace_wake_locked(struct task *t)
{
	t->trace.stopped = false;
	waitq_wake_all(&t->trace.wq);
}

static struct task *traceme_tracer_locked(struct group *parent, int creator)
{
	struct task *t;

	list_for_each_entry (t, &parent->tasks, group_link) {
		if (t->tid == creator && !t->dead)
			return t;
	}
	list_for_each_entry (t, &parent->tasks, group_link) {
		if (!t->dead)
			return t;
	}
	return NULL;
}

int ptrace_traceme(struct task *t)
{
	u64 tree = tree_lock();
	struct group *parent = t->group->parent;
	struct task *tracer;
	struct cred *c;
	u64 flags;
	int ret = -EPERM;

	if (t->trace.tracer)
		goto out;
	ret = 0;
	tracer = parent ? traceme_tracer_locked(parent, t->group->creator) : NULL;
	if (!tracer)
		goto out;
	c = task_cred(tracer);
	flags = sig_lock(t->group);
	trace_link_locked(t, tracer, 0, false);
	t->trace.capable = cred_ns_capable(c, &user_ns_root, CAP_SYS_PTRACE);
	sig_unlock(t->group, flags);
	cred_put(c);
out:
	tree_unlock(tree);
	return ret;
}

int ptrace_check_options(u64 options)
{
	struct task *me = task_current();

	if (options & ~(u64)PTRACE_O_MASK)
		return -EINVAL;
	if (!(options & PTRACE_O_SUSPEND_SECCOMP))
		return 0;
	if (!capable(CAP_SYS_ADMIN) || me->seccomp_mode ||
		(me->trace.options & PTRACE_O_SUSPEND_SECCOMP))
		return -EPERM;
	return 0;
}

/* A task that job control stopped goes over to a stop for its tracer. */
static void attach_take_stopped_locked(struct task *t)
{
	if (!t->stopped)
		return;
	t->stopped = false;
	t->trace.trap_stop = true;
	t->trace.trapping = true;
	sched_interrupt(t->thread);
	waitq_wake_all(&t->group->stop_wq);
}

static int attach_locked(struct task *me, struct task *t, bool seize, u32 options)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	int ret = -EPERM;

	if (!t->dead && !list_empty(&t->group_link) && !t->trace.tracer && !me->dead) {
		trace_link_locked(t, me, options, seize);
		t->trace.capable = capable(CAP_SYS_PTRACE);
		if (!seize)
			signal_generate_locked(g, t, SIGSTOP, NULL, true);
		attach_take_stopped_locked(t);
		ret = 0;
	}
	sig_unlock(g, flags);
	return ret;
}

int ptrace_attach(struct task *t, bool seize, u32 options)
{
	struct task *me = task_current();
	u64 tree;
	int ret;

	if (t->group == me->group || !task_may_access(t))
		return -EPERM;
	tree = tree_lock();
	ret = attach_locked(me, t, seize, options);
	tree_unlock(tree);
	if (ret == 0)
		wait_event_killable(me, &t->trace.wq, !READ_ONCE(t->trace.trapping));
	return ret;
}

/* The thread's registers are in its stack and its area only once it sleeps and left the processor. */
static void freeze_wait(struct task *t)
{
	while (READ_ONCE(t->thread->on_cpu) || READ_ONCE(t->thread->state) != THREAD_SLEEP)
		sched_yield_cpu();
}

bool ptrace_freeze(struct task *t, bool running)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	bool ok = t->trace.tracer == task_current();

	if (ok && !running) {
		ok = t->trace.stopped && !t->trace.listening &&
		     !(t->pending.set & SIGMASK(SIGKILL));
		t->trace.frozen = ok;
	}
	sig_unlock(g, flags);
	if (ok && !running)
		freeze_wait(t);
	return ok;
}

void ptrace_thaw(struct task *t)
{
	u64 flags = sig_lock(t->group);

	t->trace.frozen = false;
	if (!t->trace.stopped || (t->pending.set & SIGMASK(SIGKILL)))
		waitq_wake_all(&t->trace.wq);
	sig_unlock(t->group, flags);
}

void ptrace_resume(struct task *t, u32 work, int sig)
{
	u64 flags;

	user_step(t, work & CALL_STEP);
	flags = sig_lock(t->group);
	atomic_and(&t->call_work, ~(CALL_TRACE | CALL_EMULATE | CALL_STEP));
	atomic_or(&t->call_work, work);
	t->trace.code = sig;
	trace_wake_locked(t);
	sig_unlock(t->group, flags);
}

int ptrace_interrupt(struct task *t)
{
	u64 flags = sig_lock(t->group);
	struct trace_state *s = &t->trace;
	int ret = -EIO;

	if (s->seized && t->thread) {
		ret = 0;
		if (!t->exiting && !(t->pending.set & SIGMASK(SIGKILL))) {
			s->trap_stop = true;
			if (s->listening)
				trace_wake_locked(t);
			signal_wake_locked(t, false);
		}
	}
	sig_unlock(t->group, flags);
	return ret;
}

int ptrace_listen(struct task *t)
{
	u64 flags = sig_lock(t->group);
	struct trace_state *s = &t->trace;
	int ret = -EIO;

	if (s->seized && s->info && s->info->si_code >> 8 == PTRACE_EVENT_STOP) {
		ret = 0;
		s->listening = true;
		if (s->trap_notify)
			trace_wake_locked(t);
	}
	sig_unlock(t->group, flags);
	return ret;
}

void ptrace_notify_locked(struct task *t)
{
	if (t->exiting)
		return;
	t->trace.trap_notify = true;
	if (t->trace.listening)
		trace_wake_locked(t);
	signal_wake_locked(t, false);
}

void ptrace_inherit_locked(struct task *t, const struct task *parent)
{
	const struct trace_state *s = &parent->trace;

	if (!s->tracer)
		return;
	trace_link_locked(t, s->tracer, s->options, s->seized);
	t->trace.capable = s->capable;
	if (s->seized)
		t->trace.trap_stop = true;
	else
		sigpending_add(&t->pending, SIGSTOP, NULL);
	t->thread->interrupted = true;
}

bool ptrace_elsewhere_locked(const struct group *g)
{
	const struct task *tracer = g->leader ? g->leader->trace.tracer : NULL;

	return tracer && tracer->group != g->parent;
}

/* A stop of the process that is under way or complete takes the task in. */
static void unlink_rejoin_stop_locked(struct task *t)
{
	struct group *g = t->group;

	if (!t->exiting && (g->state == GROUP_STOPPED || g->stop_count) && !t->stop_pending &&
		!t->stopped)
		t->stop_pending = true;
	if (!t->thread || t->dead || !(t->stop_pending || t->trace.stopped))
		return;
	trace_wake_locked(t);
	signal_wake_locked(t, false);
}

void ptrace_unlink_locked(struct task *t)
{
	struct trace_state *s = &t->trace;

	s->tracer = NULL;
	list_del(&s->link);
	s->options = 0;
	s->seized = false;
	s->trap_stop = s->trap_notify = s->trapping = false;
	atomic_and(&t->call_work, ~(CALL_TRACE | CALL_EMULATE | CALL_STEP));
	unlink_rejoin_stop_locked(t);
}

/* A tracee that its tracer let go may be a zombie that waited for this. */
static void detach_zombie_locked(struct task *t)
{
	struct group *g = t->group;
	struct task *end = NULL;

	if (!t->dead)
		return;
	if (t != g->leader) {
		task_unlink_locked(t);
		task_free_later(t);
		end = group_end_locked(g);
	} else if (g->state == GROUP_ZOMBIE && group_notify_exit_locked(g)) {
		end = g->leader;
		task_unlink_locked(end);
	}
	if (end)
		group_end_later(end);
}

static void detach_locked(struct task *t)
{
	u64 flags = sig_lock(t->group);

	ptrace_unlink_locked(t);
	sig_unlock(t->group, flags);
	detach_zombie_locked(t);
}

void ptrace_detach(struct task *t, int sig)
{
	u64 tree;

	user_step(t, false);
	tree = tree_lock();
	t->trace.code = sig;
	detach_locked(t);
	tree_unlock(tree);
}

void ptrace_release_all_locked(struct task *tracer)
{
	struct task *t, *next;

	list_for_each_entry_safe (t, next, &tracer->trace.tracees, trace.link) {
		if (t->trace.options & PTRACE_O_EXITKILL)
			signal_send_task(t, SIGKILL, NULL);
		detach_locked(t);
	}
}

void ptrace_tell_exit_locked(struct task *t)
{
	family_tell_end_locked(t, t->trace.tracer->group, SIGCHLD);
}
