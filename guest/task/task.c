/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing tasks and thread groups, the process tree's links, and the thread that frees what ended. */
#include "task/coredump.h"
#include "task/ptrace.h"
#include "task/seccomp.h"
#include "task/signal.h"

#include <linux/sched.h>

#include "cgroup/cgroup.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/slab.h"

static struct kcache task_cache = KCACHE("task", struct task);
static struct kcache group_cache = KCACHE("group", struct group);

#define NICE_OF_IDLE 26 /* a weight of 3 of 1024, which is SCHED_IDLE's in Linux */

/* Tasks whose thread still has to leave its stack. */
static struct spinlock reap_lock; /* irq; protects: reap_list */
static struct list_head reap_list = LIST_HEAD_INIT(reap_list);
static struct waitq reap_wq;

struct task *task_create(void)
{
	struct task *t = kcache_zalloc(&task_cache);

	if (!t)
		return NULL;
	ref_init(&t->ref);
	list_init(&t->group_link);
	list_init(&t->cgroup_link);
	sigpending_init(&t->pending);
	list_init(&t->trace.tracees);
	list_init(&t->trace.link);
	waitq_init(&t->trace.wq);
	t->altstack.flags = SS_DISABLE;
	t->start_time = clock_monotonic();
	t->timer_slack = 50 * NSEC_PER_USEC;
	return t;
}

void task_get(struct task *t)
{
	ref_get(&t->ref);
}

void task_put(struct task *t)
{
	if (!t || !ref_put(&t->ref))
		return;
	signal_flush_locked(&t->pending, ~0UL);
	cred_put(t->cred);
	pid_put(t->id);
	seccomp_filter_put(t->seccomp);
	kfree(t->trace_line);
	cgroup_release(t);
	if (t->group)
		group_put(t->group);
	kcache_free(&task_cache, t);
}

struct group *group_create(void)
{
	struct group *g = kcache_zalloc(&group_cache);

	if (!g)
		return NULL;
	ref_init(&g->ref);
	g->sig_lock.rank = 50;
	list_init(&g->tasks);
	list_init(&g->ns_link);
	list_init(&g->children);
	list_init(&g->sibling);
	list_init(&g->posix_timers);
	waitq_init(&g->wait_children);
	waitq_init(&g->signalfd_wq);
	waitq_init(&g->exec_wq);
	waitq_init(&g->stop_wq);
	waitq_init(&g->exit_wq);
	waitq_init(&g->core_wq);
	sigpending_init(&g->pending);
	g->dumpable = true;
	g->dump_filter = CORE_FILTER;
	g->exit_signal = SIGCHLD;
	itimers_init(g);
	return g;
}

void group_get(struct group *g)
{
	ref_get(&g->ref);
}

void group_put(struct group *g)
{
	if (!g || !ref_put(&g->ref))
		return;
	signal_flush_locked(&g->pending, ~0UL);
	sighand_put(g->sighand);
	pid_put(g->id);
	kcache_free(&group_cache, g);
}

static void group_set_pid_locked(struct pid **slot, struct pid *p, enum pid_use use)
{
	struct pid *old = *slot;

	if (p)
		pid_use(pid_get(p), use, 1);
	*slot = p;
	if (old) {
		pid_use(old, use, -1);
		pid_put(old);
	}
}

void group_set_pgrp_locked(struct group *g, struct pid *pgrp)
{
	group_set_pid_locked(&g->pgrp, pgrp, PID_GROUP);
	g->pgid = pid_nr_ns(pgrp, g->ns);
}

void group_set_session_locked(struct group *g, struct pid *session)
{
	group_set_pid_locked(&g->session, session, PID_SESSION);
	g->sid = pid_nr_ns(session, g->ns);
}

/* The process counts in its own pid namespace and in those above. */
static void group_count_locked(struct group *g, u32 delta)
{
	struct pid_ns *ns;

	for (ns = g->ns; ns; ns = ns->parent) {
		ns->ngroups += delta;
		waitq_wake_all(&ns->empty_wq);
	}
}

void group_link_locked(struct group *g, struct group *parent, struct pid *pgrp, struct pid *session)
{
	g->parent = parent;
	if (parent)
		list_add_tail(&parent->children, &g->sibling);
	group_get(g);
	list_add_tail(&pid_ns_root.groups, &g->ns_link);
	group_count_locked(g, 1);
	group_set_pgrp_locked(g, pgrp);
	group_set_session_locked(g, session);
	/* The first process of a namespace adopts and ends the others. */
	if (!g->ns->init && (g->pid == 1 || !g->ns->level)) {
		g->ns->init = g;
		g->unkillable = true;
	}
}

void group_unlink_locked(struct group *g)
{
	group_set_pgrp_locked(g, NULL);
	group_set_session_locked(g, NULL);
	list_del(&g->sibling);
	list_del(&g->ns_link);
	group_count_locked(g, ~0u);
	g->parent = NULL;
	group_put(g);
}

void task_unlink_locked(struct task *t)
{
	struct group *g = t->group;
	u64 flags = sig_lock(g);

	if (ptrace_traced(t))
		ptrace_unlink_locked(t);
	list_del(&t->group_link);
	g->ntasks--;
	if (g->leader == t)
		g->leader = NULL;
	sig_unlock(g, flags);
	if (t->id->task == t)
		pid_set_task(t->id, NULL);
	atomic_sub(&t->cred->user->nproc, 1);
	if (g->ntasks == 0)
		group_unlink_locked(g);
}

void task_free(struct task *t)
{
	struct thread *thread = t->thread;

	/* It became visible as a zombie a few instructions before its end. */
	while (READ_ONCE(thread->state) != THREAD_DEAD)
		sched_yield_cpu();
	t->thread = NULL;
	thread_destroy(thread);
	task_put(t);
}

void task_free_later(struct task *t)
{
	u64 flags = spin_lock_irq(&reap_lock);

	list_add_tail(&reap_list, &t->reap_link);
	spin_unlock_irq(&reap_lock, flags);
	waitq_wake_all(&reap_wq);
}

static struct task *task_reap_next(void)
{
	u64 flags = spin_lock_irq(&reap_lock);
	struct task *t = NULL;

	if (!list_empty(&reap_list)) {
		t = list_first_entry(&reap_list, struct task, reap_link);
		list_del(&t->reap_link);
	}
	spin_unlock_irq(&reap_lock, flags);
	return t;
}

static void task_reaper(void *arg)
{
	for (;;) {
		struct task *t;

		wait_event(&reap_wq, !list_empty(&reap_list));
		while ((t = task_reap_next())) {
			struct group *g = t->group;

			if (t->tell_end && g->on_exit)
				g->on_exit(g->on_exit_arg, g->pid, g->exit_code);
			task_free(t);
		}
	}
}

void task_reaper_start(void)
{
	waitq_init(&reap_wq);
	if (!kthread_run(task_reaper, NULL, "reaper"))
		panic("task: no memory for the reaper");
}

void group_times_locked(struct group *g, u64 *utime, u64 *stime)
{
	struct cpu_time ct;
	struct task *t;

	*utime = g->dead_utime;
	*stime = g->dead_stime;
	list_for_each_entry (t, &g->tasks, group_link) {
		if (t->dead || !t->thread)
			continue;
		ct = thread_cpu_time(t->thread);
		*utime += ct.user;
		*stime += ct.system;
	}
}

void group_times(struct group *g, u64 *utime, u64 *stime)
{
	u64 flags = sig_lock(g);

	group_times_locked(g, utime, stime);
	sig_unlock(g, flags);
}

struct as *task_get_as(struct task *t)
{
	u64 flags = sig_lock(t->group);
	struct as *as = t->as;

	if (as)
		as_get(as);
	sig_unlock(t->group, flags);
	return as;
}

struct fdtable *task_get_files(struct task *t)
{
	u64 flags = sig_lock(t->group);
	struct fdtable *files = t->files;

	if (files)
		fdtable_get(files);
	sig_unlock(t->group, flags);
	return files;
}

struct fs_context *task_get_fs(struct task *t)
{
	u64 flags = sig_lock(t->group);
	struct fs_context *fs = t->fs;

	if (fs)
		fs_context_get(fs);
	sig_unlock(t->group, flags);
	return fs;
}

void task_set_weight(struct task *t)
{
	if (t->thread)
		sched_set_nice(t->thread, t->policy == SCHED_IDLE ? NICE_OF_IDLE : t->nice);
}

void task_init(void)
{
	task_reaper_start();
}
