/* SPDX-License-Identifier: Apache-2.0 */
/* wait4 and waitid: which child has news, and taking them. */
#include "task/family.h"

#include <linux/wait.h>

#include "lib/string.h"
#include "mm/as.h"
#include "task/ptrace.h"
#include "task/signal.h"
#include "task/user_ns.h"

#define WAIT_AGAIN 1

static bool wait_selects_id(
	const struct wait_request *w, const struct pid *id, const struct pid *pgrp)
{
	if (w->who == WAIT_PID && id != w->id)
		return false;
	return w->who != WAIT_PGRP || pgrp == w->id;
}

/* Would this child be waited for? */
static bool wait_selects(const struct wait_request *w, const struct group *child)
{
	bool clone = child->exit_signal != SIGCHLD;

	if (!wait_selects_id(w, child->id, child->pgrp))
		return false;
	return (w->options & __WALL) || clone == !!(w->options & __WCLONE);
}

void rusage_fill(struct rusage *ru, u64 utime, u64 stime, u64 minflt, u64 majflt, u64 maxrss_kb)
{
	memset(ru, 0, sizeof(*ru));
	ru->ru_utime.tv_sec = (s64)(utime / 1000000000UL);
	ru->ru_utime.tv_usec = (s64)(utime % 1000000000UL / 1000);
	ru->ru_stime.tv_sec = (s64)(stime / 1000000000UL);
	ru->ru_stime.tv_usec = (s64)(stime % 1000000000UL / 1000);
	ru->ru_maxrss = (s64)maxrss_kb;
	ru->ru_minflt = (s64)minflt;
	ru->ru_majflt = (s64)majflt;
}

static void wait_describe(struct wait_request *w, struct task *t)
{
	struct group *child = t->group;
	struct cred *c = task_cred(t);
	u64 utime, stime;

	w->pid = pid_nr(t->id);
	w->uid = uid_shown(c->uid);
	cred_put(c);
	group_times(child, &utime, &stime);
	rusage_fill(&w->usage, utime + child->child_utime, stime + child->child_stime,
		child->dead_minflt + child->child_minflt, child->dead_majflt + child->child_majflt,
		MAX(child->maxrss, child->child_maxrss));
}

static void wait_inherit_usage(struct group *g, struct group *child)
{
	struct io_count io = io_count_of_group(child);
	u64 utime, stime;
	u64 flags;

	group_times(child, &utime, &stime);
	flags = sig_lock(g);
	g->child_utime += utime + child->child_utime;
	g->child_stime += stime + child->child_stime;
	g->child_minflt += child->dead_minflt + child->child_minflt;
	g->child_majflt += child->dead_majflt + child->child_majflt;
	io_count_add(&g->dead_io, &io);
	g->child_maxrss = MAX(g->child_maxrss, MAX(child->maxrss, child->child_maxrss));
	sig_unlock(g, flags);
}

static void wait_describe_end(struct wait_request *w, struct task *t, int status)
{
	wait_describe(w, t);
	w->status = status;
	if ((status & 0x7f) == 0)
		w->code = CLD_EXITED;
	else
		w->code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

/* A zombie: *reap is its leader when it is to be freed. */
static void wait_take_zombie(
	struct wait_request *w, struct group *g, struct group *child, struct task **reap)
{
	wait_describe_end(w, child->leader, child->exit_code);
	if (w->options & WNOWAIT)
		return;
	wait_inherit_usage(g, child);
	*reap = child->leader;
	task_unlink_locked(child->leader);
}

/* A stop or continue that nobody asked about yet. */
static bool wait_take_stop(struct wait_request *w, struct group *child, u32 options)
{
	u64 flags = sig_lock(child);
	u32 report = child->stop_report;
	int sig = (int)child->stop_sig;
	bool take = child->leader && ((report == CLD_STOPPED && (options & WSTOPPED)) ||
					     (report == CLD_CONTINUED && (options & WCONTINUED)));

	if (take && !(w->options & WNOWAIT))
		child->stop_report = 0;
	sig_unlock(child, flags);
	if (!take)
		return false;
	wait_describe(w, child->leader);
	w->code = (int)report;
	w->status = report == CLD_STOPPED ? sig << 8 | 0x7f : 0xffff;
	return true;
}

/* 0: w is filled. -ECHILD: no child matches. WAIT_AGAIN: none has news. */
static int wait_scan_children(struct group *g, struct wait_request *w, struct task **reap)
{
	struct group *child;
	int ret = -ECHILD;

	list_for_each_entry (child, &g->children, sibling) {
		bool traced = child->leader && ptrace_traced(child->leader);
		bool elsewhere = traced && ptrace_elsewhere_locked(child);

		/* wait_scan_tracees looks at those that this process traces. */
		if ((traced && !elsewhere) || !wait_selects(w, child))
			continue;
		ret = WAIT_AGAIN;
		if (child->state == GROUP_ZOMBIE) {
			if (!(w->options & WEXITED) || elsewhere)
				continue;
			wait_take_zombie(w, g, child, reap);
			return 0;
		}
		if (wait_take_stop(w, child, w->options))
			return 0;
	}
	return ret;
}

/* A stop for the tracer, which learns of it whatever it waits for. */
static bool wait_take_trap(struct wait_request *w, struct task *t)
{
	u64 flags = sig_lock(t->group);
	int code = t->trace.stopped && !t->trace.listening ? t->trace.code : 0;

	if (code && !(w->options & WNOWAIT))
		t->trace.code = 0;
	sig_unlock(t->group, flags);
	if (!code)
		return false;
	wait_describe(w, t);
	w->code = CLD_TRAPPED;
	w->status = code << 8 | 0x7f;
	return true;
}

/* A tracee that ended. Its parent, when it is another process, learns of it after the tracer. */
static void wait_take_dead(
	struct wait_request *w, struct group *g, struct task *t, struct task **reap)
{
	struct group *child = t->group;
	bool leader = t == child->leader;
	struct task *end = NULL;
	u64 flags;

	if (leader && child->parent == g) {
		wait_take_zombie(w, g, child, reap);
		return;
	}
	wait_describe_end(w, t, leader || child->group_exit ? child->exit_code : t->exit_code);
	if (w->options & WNOWAIT)
		return;
	if (leader) {
		flags = sig_lock(child);
		ptrace_unlink_locked(t);
		sig_unlock(child, flags);
		if (!group_notify_exit_locked(child))
			return;
		task_unlink_locked(t);
		end = t;
	} else {
		task_unlink_locked(t);
		waitq_wake_all(&child->exec_wq);
		end = group_end_locked(child);
		*reap = t;
	}
	if (end)
		group_end_later(end);
}

/* As wait_scan_children, for what a thread traces. */
static int wait_scan_tracees(
	struct group *g, struct task *tracer, struct wait_request *w, struct task **reap)
{
	struct task *t;
	int ret = -ECHILD;

	list_for_each_entry (t, &tracer->trace.tracees, trace.link) {
		bool leader = t == t->group->leader;

		if (!wait_selects_id(w, t->id, t->group->pgrp))
			continue;
		ret = WAIT_AGAIN;
		if (t->dead && (!leader || t->group->state == GROUP_ZOMBIE)) {
			if (!(w->options & WEXITED))
				continue;
			wait_take_dead(w, g, t, reap);
			return 0;
		}
		if (wait_take_trap(w, t) ||
			(leader && wait_take_stop(w, t->group, w->options & WCONTINUED)))
			return 0;
	}
	return ret;
}

static int wait_scan(struct group *g, struct wait_request *w, struct task **reap)
{
	u64 flags = tree_lock();
	int ret = wait_scan_children(g, w, reap);
	struct task *t;

	list_for_each_entry (t, &g->tasks, group_link) {
		int found;

		if (ret == 0)
			break;
		if (list_empty(&t->trace.tracees) ||
			((w->options & __WNOTHREAD) && t != task_current()))
			continue;
		found = wait_scan_tracees(g, t, w, reap);
		if (found != -ECHILD)
			ret = found;
	}
	tree_unlock(flags);
	return ret;
}

static int wait_for_news(struct group *g, struct wait_request *w, struct task **reap)
{
	struct waiter waiter = { .wake = NULL };
	int sleep_ret = 0;
	int ret;

	for (;;) {
		wait_prepare(&g->wait_children, &waiter, true);
		ret = wait_scan(g, w, reap);
		if (ret != WAIT_AGAIN || sleep_ret)
			break;
		sleep_ret = wait_sleep(&waiter, true, WAIT_FOREVER);
	}
	wait_finish(&g->wait_children, &waiter);
	return ret == WAIT_AGAIN ? sleep_ret : ret;
}

int family_wait(struct task *t, struct wait_request *w)
{
	struct task *reap = NULL;
	int ret;

	w->pid = 0;
	ret = wait_scan(t->group, w, &reap);
	if (ret == WAIT_AGAIN)
		ret = w->options & WNOHANG ? 0 : wait_for_news(t->group, w, &reap);
	if (reap)
		task_free(reap);
	return ret;
}
