/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivering signals on the way back to user mode: exit, stop, or a handler's frame; and the one place where restart codes turn
 * into a repeated system call or -EINTR.
 */
#include "task/signal.h"

#include <asm/unistd.h>

#include "cgroup/cgroup.h"
#include "lib/string.h"
#include "syscall/trace.h"
#include "task/coredump.h"
#include "task/ptrace.h"
#include "task/rseq.h"

bool signal_join_stop_locked(struct task *t)
{
	struct group *g = t->group;
	bool counted = t->stop_counted;

	t->stop_pending = t->stop_counted = false;
	if (!counted || !g->stop_count || --g->stop_count || g->group_exit)
		return false;
	g->state = GROUP_STOPPED;
	g->stop_report = CLD_STOPPED;
	return true;
}

static void signal_stop_locked(struct task *t)
{
	if (signal_join_stop_locked(t))
		t->group->stop_notify = CLD_STOPPED;
	t->stopped = true;
}

int signal_leave_stop_locked(struct task *t)
{
	return t->stop_pending && signal_join_stop_locked(t) ? CLD_STOPPED : 0;
}

/* Ask every thread to stop for sig, unless a SIGCONT or the end of the process came since `seq`. */
static void signal_begin_stop(struct task *t, int sig, u32 seq)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	struct task *pos;

	if (g->cont_seq != seq || g->group_exit || g->exec_task) {
		sig_unlock(g, flags);
		return;
	}
	if (!g->stop_count && g->state != GROUP_STOPPED)
		g->stop_sig = (u32)sig;
	list_for_each_entry (pos, &g->tasks, group_link) {
		if (pos->exiting || pos->stopped || pos->stop_pending)
			continue;
		pos->stop_pending = pos->stop_counted = true;
		g->stop_count++;
		if (pos != t && pos->trace.seized)
			ptrace_notify_locked(pos);
		else if (pos != t)
			signal_wake_locked(pos, false);
	}
	sig_unlock(g, flags);
}

static bool signal_orphaned(const struct group *g)
{
	u64 flags = tree_lock();
	bool ret = pgrp_orphaned_locked(g->pgrp, g->session, NULL);

	tree_unlock(flags);
	return ret;
}

/* Work that is no signal: the end of the process, stops, news for the parent. True when there was some; the lock was released. */
static bool signal_other_work(struct task *t, u64 flags)
{
	struct group *g = t->group;

	if ((t->pending.set & SIGMASK(SIGKILL)) || g->group_exit) {
		bool alone = g->exec_task && !g->group_exit;

		sig_unlock(g, flags);
		if (alone)
			task_exit(SIGKILL);
		task_exit_group(SIGKILL);
	}
	if (t->cg_freeze) {
		sig_unlock(g, flags);
		cgroup_freeze_wait(t);
		return true;
	}
	if (g->stop_notify) {
		int why = (int)g->stop_notify;

		g->stop_notify = 0;
		sig_unlock(g, flags);
		group_notify_stop(g, why);
		return true;
	}
	if (t->stop_pending && ptrace_traced(t))
		t->trace.trap_stop = true;
	if (t->trace.trap_stop || t->trace.trap_notify) {
		sig_unlock(g, flags);
		ptrace_trap(t);
		return true;
	}
	if (t->stop_pending) {
		int why;

		signal_stop_locked(t);
		why = (int)g->stop_notify;
		g->stop_notify = 0;
		sig_unlock(g, flags);
		if (why)
			group_notify_stop(g, why);
		wait_event_killable(t, &g->stop_wq, !READ_ONCE(t->stopped));
		return true;
	}
	return false;
}

/* The default action of sig, which was taken when cont_seq was seq. */
static void signal_default(struct task *t, int sig, const siginfo_t *info, u32 seq)
{
	struct group *g = t->group;

	if (g->unkillable && !sig_kernel_only(sig))
		return;
	switch (sig_default_action(sig)) {
	case SIG_ACT_IGNORE:
	case SIG_ACT_CONT:
		return;
	case SIG_ACT_STOP:
		if (sig == SIGSTOP || !signal_orphaned(g))
			signal_begin_stop(t, sig, seq);
		return;
	case SIG_ACT_TERM:
		task_exit_group(sig);
	case SIG_ACT_CORE:
		task_exit_group(coredump(t, sig, info));
	}
}

/* The next signal with a handler; false when nothing is left. Does not return when the task ends. */
static bool signal_next(struct task *t, struct sig_frame_args *f)
{
	struct group *g = t->group;

	for (;;) {
		u64 flags = sig_lock(g);
		struct sigaction_k *act;
		u32 seq = g->cont_seq;

		if (signal_other_work(t, flags))
			continue;
		f->sig = signal_dequeue_locked(t, t->blocked, &f->info);
		if (!f->sig) {
			signal_recalc_locked(t);
			sig_unlock(g, flags);
			return false;
		}
		if (unlikely(ptrace_traced(t)) && f->sig != SIGKILL) {
			sig_unlock(g, flags);
			f->sig = ptrace_signal(t, f->sig, &f->info);
			if (!f->sig)
				continue;
			flags = sig_lock(g);
		}
		act = &g->sighand->action[f->sig - 1];
		spin_lock(&g->sighand->lock);
		f->action = *act;
		if (f->action.handler > (u64)SIG_IGN && (f->action.flags & SA_ONESHOT))
			act->handler = (u64)SIG_DFL;
		spin_unlock(&g->sighand->lock);
		sig_unlock(g, flags);
		if (trace_calls_on())
			trace_signal(
				t, f->sig, f->info.si_code, (u64)f->info.si_addr, f->info.si_pid);
		if (f->action.handler == (u64)SIG_DFL)
			signal_default(t, f->sig, &f->info, seq);
		else if (f->action.handler != (u64)SIG_IGN)
			return true;
	}
}

/* act NULL: no handler runs. */
static void signal_restart(struct regs *r, const struct sigaction_k *act)
{
	s64 ret = (s64)r->rax;
	u64 nr = r->orig_rax;

	if (nr == ~0UL)
		return;
	r->orig_rax = ~0UL;
	switch (ret) {
	case -ERESTART_RESTARTBLOCK:
		if (!act)
			nr = __NR_restart_syscall;
		__attribute__((fallthrough));
	case -ERESTARTNOHAND:
		if (act) {
			r->rax = (u64)-EINTR;
			return;
		}
		break;
	case -ERESTARTSYS:
		if (act && !(act->flags & SA_RESTART)) {
			r->rax = (u64)-EINTR;
			return;
		}
		break;
	case -ERESTARTNOINTR:
		break;
	default:
		return;
	}
	r->rax = nr;
	r->rip -= 2;
}

/* Signals that arrive while the frame is written find the old mask: sigframe_push does not depend on it. */
static void signal_deliver(struct task *t, struct regs *r, struct sig_frame_args *f)
{
	u64 blocked = t->blocked | f->action.mask;
	bool stepping = t->trace.step;

	rseq_signal(t, r);
	if (stepping)
		user_step(t, false);
	f->mask = t->restore_blocked ? t->saved_blocked : t->blocked;
	t->restore_blocked = false;
	if (sigframe_push(t, r, f) < 0) {
		if (f->sig == SIGSEGV) {
			u64 flags = spin_lock_irq(&t->group->sighand->lock);

			t->group->sighand->action[SIGSEGV - 1].handler = (u64)SIG_DFL;
			spin_unlock_irq(&t->group->sighand->lock, flags);
		}
		signal_force_fault(SIGSEGV, SI_KERNEL, 0);
		return;
	}
	if (!(f->action.flags & SA_NODEFER))
		blocked |= SIGMASK(f->sig);
	signal_set_blocked(t, blocked);
	if (stepping)
		ptrace_step_handler(t);
}

void task_return_to_user(struct regs *r)
{
	struct task *t = task_current();
	struct sig_frame_args f;

	if (!t)
		return;
	if (t->spawn)
		spawn_first_exec(t);
	do {
		if (signal_next(t, &f)) {
			signal_restart(r, &f.action);
			signal_deliver(t, r, &f);
		} else {
			signal_restart(r, NULL);
			signal_mask_restore();
		}
	} while (signal_pending(t));
}

void signal_force_fault(int sig, int code, uaddr_t addr)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = code;
	info.si_addr = (void *)addr;
	signal_force(sig, &info);
}

void signal_force(int sig, const siginfo_t *info)
{
	struct task *t = task_current();
	struct group *g = t->group;
	struct sigaction_k *act;
	u64 flags = sig_lock(g);

	act = &g->sighand->action[sig - 1];
	spin_lock(&g->sighand->lock);
	if (act->handler == (u64)SIG_IGN || (t->blocked & SIGMASK(sig)))
		act->handler = (u64)SIG_DFL;
	if (act->handler == (u64)SIG_DFL && !ptrace_traced(t))
		g->unkillable = false;
	spin_unlock(&g->sighand->lock);
	t->blocked &= ~SIGMASK(sig);
	signal_generate_locked(g, t, sig, info, true);
	signal_recalc_locked(t);
	sig_unlock(g, flags);
}
