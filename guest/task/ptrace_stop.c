/* SPDX-License-Identifier: Apache-2.0 */
/* The tracee's side of ptrace(2): when it stops, and what its tracer makes of it. Contract: ptrace.h. */
#include "task/ptrace.h"

#include "kernel/errno.h"
#include "lib/string.h"
#include "task/signal.h"

#define SYSGOOD 0x80

static bool trace_killed(const struct task *t)
{
	return t->pending.set & SIGMASK(SIGKILL);
}

static bool trace_may_go(struct task *t)
{
	u64 flags = sig_lock(t->group);
	bool go = !t->trace.frozen && (!t->trace.stopped || trace_killed(t));

	sig_unlock(t->group, flags);
	return go;
}

/* The tracer hears of every stop, the parent only of the stop of the whole process. */
static void trace_tell(struct task *t, int why, bool group_done)
{
	u64 tree = tree_lock();
	struct task *tracer = t->trace.tracer;
	struct group *parent = t->group->parent;

	if (tracer)
		family_tell_stop_locked(t, tracer->group, why,
			why == CLD_TRAPPED ? t->trace.code & 0x7f : (int)t->group->stop_sig);
	if (group_done && parent && (!tracer || tracer->group != parent) && t->group->leader)
		family_tell_stop_locked(
			t->group->leader, parent, CLD_STOPPED, (int)t->group->stop_sig);
	tree_unlock(tree);
}

/* Back from a stop: the signal that the tracer wants, or the stop's own code when SIGKILL ended it. */
static int trace_resumed(struct task *t)
{
	struct trace_state *s = &t->trace;
	u64 flags = sig_lock(t->group);
	int code = s->code;

	t->kill_wq = NULL;
	s->code = 0;
	s->message = 0;
	s->info = NULL;
	s->stopped = s->listening = false;
	signal_recalc_locked(t);
	sig_unlock(t->group, flags);
	return code;
}

/* why: CLD_TRAPPED, or CLD_STOPPED when it may be part of a stop of the process. The signal to go on with. */
static int ptrace_stop(struct task *t, int code, int why, u64 message, siginfo_t *info)
{
	struct trace_state *s = &t->trace;
	u64 flags = sig_lock(t->group);
	bool group_done = false;

	if (!s->tracer || trace_killed(t)) {
		sig_unlock(t->group, flags);
		return code;
	}
	s->code = code;
	s->message = message;
	s->info = info;
	s->stopped = true;
	if (why == CLD_STOPPED && t->stop_pending)
		group_done = signal_join_stop_locked(t);
	s->trap_stop = s->trapping = false;
	if (info && info->si_code >> 8 == PTRACE_EVENT_STOP)
		s->trap_notify = false;
	t->kill_wq = &s->wq;
	waitq_wake_all(&s->wq);
	sig_unlock(t->group, flags);
	trace_tell(t, why, group_done);
	wait_event(&s->wq, trace_may_go(t));
	return trace_resumed(t);
}

/* A stop that the kernel invents a signal for. */
static int trace_notify(struct task *t, int sig, int code, int why, u64 message)
{
	siginfo_t info = signal_info(sig, code, t->tid, t->cred->uid);

	return ptrace_stop(t, code, why, message, &info);
}

bool ptrace_event_on(const struct task *t, int event)
{
	return ptrace_traced(t) && (t->trace.options >> event & 1);
}

void ptrace_event(struct task *t, int event, u64 message)
{
	if (ptrace_event_on(t, event))
		trace_notify(t, SIGTRAP, PTRACE_CODE(event), CLD_TRAPPED, message);
}

void ptrace_exec(struct task *t, int old_tid)
{
	siginfo_t info;

	if (ptrace_event_on(t, PTRACE_EVENT_EXEC)) {
		ptrace_event(t, PTRACE_EVENT_EXEC, (u64)old_tid);
	} else if (ptrace_traced(t) && !t->trace.seized) {
		info = signal_info(SIGTRAP, SI_USER, t->tid, t->cred->uid);
		signal_send_task(t, SIGTRAP, &info);
	}
}

/* The SIGKILL that brought the task here is taken, and no other comes to a process that ends: only the tracer ends the stop. */
void ptrace_exit(struct task *t, int status)
{
	u64 flags;

	if (likely(!ptrace_event_on(t, PTRACE_EVENT_EXIT)))
		return;
	flags = sig_lock(t->group);
	signal_flush_locked(&t->pending, SIGMASK(SIGKILL));
	sig_unlock(t->group, flags);
	ptrace_event(t, PTRACE_EVENT_EXIT, (u64)(u32)status);
}

/* What the tracer's own signal looks like. */
static siginfo_t trace_signal_info(struct task *t, int sig)
{
	u64 tree = tree_lock();
	struct task *tracer = t->trace.tracer;
	struct cred *c = tracer ? task_cred(tracer) : NULL;
	siginfo_t info = signal_info(sig, SI_USER,
		tracer ? pid_nr_ns(tracer->group->id, t->group->ns) : 0, c ? c->uid : 0);

	tree_unlock(tree);
	cred_put(c);
	return info;
}

int ptrace_signal(struct task *t, int sig, siginfo_t *info)
{
	u64 flags;
	bool later;

	sig = ptrace_stop(t, sig, CLD_TRAPPED, 0, info);
	if (sig == 0)
		return 0;
	/* Also where the tracer wrote another number into it. */
	if (sig != info->si_signo)
		*info = trace_signal_info(t, sig);
	flags = sig_lock(t->group);
	later = (t->blocked & SIGMASK(sig)) || trace_killed(t);
	if (later)
		signal_generate_locked(t->group, t, sig, info, false);
	sig_unlock(t->group, flags);
	return later ? 0 : sig;
}

void ptrace_trap(struct task *t)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	bool group = g->stop_count || g->state == GROUP_STOPPED;
	bool seized = t->trace.seized;
	int sig = group || !seized ? (int)g->stop_sig : SIGTRAP;

	sig_unlock(g, flags);
	if (seized)
		trace_notify(t, sig, PTRACE_EVENT_STOP << 8 | sig, CLD_STOPPED, 0);
	else
		ptrace_stop(t, sig, CLD_STOPPED, 0, NULL);
}

/* False: killed meanwhile. */
static bool trace_call_stop(struct task *t, u64 message)
{
	int code = SIGTRAP | (t->trace.options & PTRACE_O_TRACESYSGOOD ? SYSGOOD : 0);
	siginfo_t info;
	int sig;

	if (!ptrace_traced(t))
		return true;
	sig = trace_notify(t, SIGTRAP, code, CLD_TRAPPED, message);
	if (trace_killed(t))
		return false;
	if (sig) {
		info = signal_info(sig, SI_KERNEL, 0, 0);
		signal_send_task(t, sig, &info);
	}
	return true;
}

bool ptrace_call_enter(struct task *t)
{
	return trace_call_stop(t, PTRACE_EVENTMSG_SYSCALL_ENTRY);
}

void ptrace_call_leave(struct task *t, struct regs *r)
{
	u32 work = READ_ONCE(t->call_work);

	if (work & CALL_EMULATE)
		return;
	if (work & CALL_STEP)
		signal_force_fault(SIGTRAP, TRAP_BRKPT, r->rip);
	else if (work & CALL_TRACE)
		trace_call_stop(t, PTRACE_EVENTMSG_SYSCALL_EXIT);
}

void ptrace_step_handler(struct task *t)
{
	if (ptrace_traced(t))
		trace_notify(t, SIGTRAP, SIGTRAP, CLD_TRAPPED, 0);
}
