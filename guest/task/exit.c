/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of tasks and processes. A thread gives back what it shares, then leaves the tree: at once when it is not the leader, as a
 * zombie when it is. The process becomes a zombie with its last thread and its parent learns of it; when the parent does not want
 * to know, the reaper thread frees it.
 */
#include "task/signal.h"

#include "cgroup/cgroup.h"
#include "ipc/ipc.h"
#include "keys/keys.h"
#include "mm/as.h"
#include "net/taskstats.h"
#include "syscall/trace.h"
#include "task/coredump.h"
#include "task/ptrace.h"

void (*task_session_exit)(struct group *leader);

/* Mark the calling thread as ending; true for the last one of its process. */
static bool exit_begin(struct task *t, int status)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);
	int why = signal_leave_stop_locked(t);
	u64 left = g->pending.set & ~t->blocked;
	struct task *pos;
	bool last;

	t->exiting = true;
	g->had_threads |= g->ntasks > 1;
	/* What this thread was woken for goes to another. */
	list_for_each_entry (pos, &g->tasks, group_link) {
		if (left && !pos->exiting && (left & ~pos->blocked)) {
			sched_interrupt(pos->thread);
			sched_kick(pos->thread);
			left &= pos->blocked;
		}
	}
	last = --g->nlive == 0;
	if (t == g->leader && !g->group_exit)
		g->exit_code = status;
	t->exit_code = status;
	signal_recalc_locked(t);
	sig_unlock(g, flags);
	if (why)
		group_notify_stop(g, why);
	return last;
}

static void exit_memory(struct task *t, bool last)
{
	struct group *g = t->group;
	struct as *as = t->as;
	u64 flags;

	futex_exit(t);
	if (as) {
		flags = sig_lock(g);
		if (last)
			g->maxrss = MAX(g->maxrss, as->hiwater_rss * (PAGE_SIZE / 1024));
		t->as = NULL;
		sig_unlock(g, flags);
		sched_set_as(NULL);
		as_put(as);
	}
	vfork_complete(t);
}

static void exit_files(struct task *t)
{
	struct fdtable *files = t->files;
	struct fs_context *fs = t->fs;
	u64 flags = sig_lock(t->group);

	t->files = NULL;
	t->fs = NULL;
	sig_unlock(t->group, flags);
	if (files)
		fdtable_put(files);
	if (fs)
		fs_context_put(fs);
	task_set_ns(t, NULL);
}

static bool exit_namespace_empty(struct group *g)
{
	return READ_ONCE(g->ns->ngroups) <= 1;
}

/* The first process of a pid namespace ends: nothing in it may go on. Children that end meanwhile free themselves, as SIGCHLD is ignored. */
static void exit_end_namespace(struct group *g)
{
	struct pid_ns *ns = g->ns;
	u64 flags = tree_lock();
	struct group *pos;

	if (ns->init != g) {
		tree_unlock(flags);
		return;
	}
	ns->dying = true;
	spin_lock(&g->sighand->lock);
	g->sighand->action[SIGCHLD - 1].handler = (u64)SIG_IGN;
	spin_unlock(&g->sighand->lock);
	list_for_each_entry (pos, &pid_ns_root.groups, ns_link) {
		if (pos != g && pid_nr_ns(pos->id, ns))
			signal_send_group(pos, SIGKILL, NULL);
	}
	group_release_zombies_locked(g);
	tree_unlock(flags);
	wait_event(&ns->empty_wq, exit_namespace_empty(g));
	flags = tree_lock();
	ns->init = NULL;
	tree_unlock(flags);
}

static void exit_account(struct task *t)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);

	g->dead_utime += t->thread->utime_ns;
	g->dead_stime += t->thread->stime_ns;
	g->dead_minflt += t->min_flt;
	g->dead_majflt += t->maj_flt;
	io_count_add(&g->dead_io, &t->io);
	t->dead = true;
	sig_unlock(g, flags);
}

struct task *group_end_locked(struct group *g)
{
	struct task *leader = g->leader;

	if (g->ntasks != 1 || !leader || !leader->dead || !group_notify_exit_locked(g))
		return NULL;
	task_unlink_locked(leader);
	return leader;
}

void group_end_later(struct task *leader)
{
	leader->tell_end = true;
	task_free_later(leader);
}

/* Leave the tree. Afterwards the parent may free the leader: only thread_exit may follow. */
static void exit_notify(struct task *t, bool last)
{
	struct group *g = t->group;
	void (*on_exit)(void *, int, int) = NULL;
	struct task *ended = NULL;
	void *arg = g->on_exit_arg;
	int pid = g->pid;
	int status = g->exit_code;
	u64 flags = tree_lock();
	bool self;

	if (last)
		group_reparent_children_locked(g);
	exit_account(t);
	cgroup_exit_locked(t);
	ptrace_release_all_locked(t);
	if (t != g->leader && ptrace_traced(t))
		ptrace_tell_exit_locked(t);
	else if (t != g->leader)
		task_unlink_locked(t);
	waitq_wake_all(&g->exec_wq);
	ended = group_end_locked(g);
	if (ended)
		on_exit = g->on_exit;
	self = list_empty(&t->group_link) && t != ended;
	tree_unlock(flags);
	if (on_exit)
		on_exit(arg, pid, status);
	if (ended)
		task_free_later(ended);
	if (self)
		task_free_later(t);
}

void task_exit(int status)
{
	struct task *t = task_current();
	struct group *g = t->group;
	bool last;

	coredump_park(t);
	if (t->parked)
		status = g->exit_code;
	ptrace_exit(t, status);
	last = exit_begin(t, status);
	if (trace_calls_on())
		trace_exit_status(t, status);
	if (last) {
		itimers_exit(g);
		timers_exit(g);
		if (g->sid == g->pid && task_session_exit)
			task_session_exit(g);
	}
	taskstats_exit(t, last);
	exit_memory(t, last);
	sem_undo_exit(t);
	keys_exit(t, last);
	exit_files(t);
	if (last)
		exit_end_namespace(g);
	exit_notify(t, last);
	thread_exit();
}

void task_exit_group(int status)
{
	struct task *t = task_current();
	struct group *g = t->group;
	u64 flags = sig_lock(g);

	if (g->group_exit)
		status = g->exit_code;
	else
		signal_group_exit_locked(g, status);
	sig_unlock(g, flags);
	task_exit(status);
}
