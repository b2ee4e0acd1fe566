/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of task/ share among themselves and with the system calls on tasks. */
#ifndef TASK_INTERNAL_H
#define TASK_INTERNAL_H

#include <linux/sched.h>

#include "kernel/account.h"
#include "task/pid.h"
#include "task/sigset.h"
#include "task/task.h"

#define NPROC_MAX    16384 /* default RLIMIT_NPROC and RLIMIT_SIGPENDING */
#define W_EXIT(code) (((code)&0xff) << 8)

/* ---- the tree ---- */
extern struct spinlock task_tree_lock;
static inline u64 tree_lock(void)
{
	return spin_lock_irq(&task_tree_lock);
}
static inline void tree_unlock(u64 flags)
{
	spin_unlock_irq(&task_tree_lock, flags);
}

/* ---- accounts ---- */
struct user_acct *user_get(u32 uid); /* NULL = no memory */
void user_ref(struct user_acct *u);
void user_put(struct user_acct *u);

/* ---- life (task.c, clone.c, exit.c) ---- */
struct task *task_create(void); /* nothing but a reference; NULL = no memory */
struct group *group_create(void);
/* Enter a new process with its first task. tree lock held. */
void group_link_locked(
	struct group *g, struct group *parent, struct pid *pgrp, struct pid *session);
void group_unlink_locked(struct group *g);
void group_set_pgrp_locked(struct group *g, struct pid *pgrp);
void group_set_session_locked(struct group *g, struct pid *session);
/* The process whose leader has the number. tree lock held; borrowed; NULL */
struct group *group_leader_of(struct pid_ns *ns, int pid);
struct group *group_of_pid(const struct pid *p);
/* Take a task that ended out of its group and the tid table; with the last one the process leaves the tree. tree lock held. */
void task_unlink_locked(struct task *t);
/* Free an unlinked task once its thread left its stack. May sleep a little. */
void task_free(struct task *t);
/* The same by the reaper thread: for the task itself, and where locks are held. */
void task_free_later(struct task *t);
void task_reaper_start(void);
/* Of one that lives, ns. */
static inline u64 task_cpu_time(const struct task *t)
{
	return cpu_time_sum(thread_cpu_time(t->thread));
}
/* CPU time of all threads, dead and alive, ns. sig_lock held. */
void group_times_locked(struct group *g, u64 *utime, u64 *stime);
void group_times(struct group *g, u64 *utime, u64 *stime);
static inline bool group_dies(const struct group *g)
{
	return READ_ONCE(g->group_exit);
}

struct vfork {
	struct ref ref;
	struct waitq wq;
	bool done;
};
void vfork_complete(struct task *t); /* exec or exit of the child */
/* Sleeps until cond or a fatal signal; cond must not sleep. */
#define wait_event_killable(t, wq, cond) \
	do { \
		task_set_kill_wq(t, wq); \
		wait_event(wq, (cond) || task_killed(t)); \
		task_set_kill_wq(t, NULL); \
	} while (0)
void task_set_kill_wq(struct task *t, struct waitq *wq);
bool task_killed(const struct task *t);

/* ---- exec ---- */
struct exec_strings;
/* Replace the program of the current task; path and strings are kernel memory. 0 or -errno; on success regs are set. */
int exec_program(struct file *file, const char *path, struct exec_strings *s);
int exec_kill_other_threads(struct task *t); /* 0 or -EAGAIN; the caller is the leader afterwards */
void spawn_first_exec(struct task *t); /* in the new task's context */

/* ---- parents and children ---- */
/* Every thread ended: make it a zombie, tell the parent. tree lock held; true: nobody will wait, the caller releases the leader. */
bool group_notify_exit_locked(struct group *g);
/* Tell the parent about a stop or continue. Takes the locks. */
void group_notify_stop(struct group *g, int why);
/* SIGCHLD and a wake-up to `to`, about task t: a stop or continue (why: CLD_*), or its end (sig 0: no signal). tree lock held. */
void family_tell_stop_locked(struct task *t, struct group *to, int why, int status);
void family_tell_end_locked(struct task *t, struct group *to, int sig);
/* If g has no thread left but its dead leader, it is a zombie now. Its leader, unlinked, when nobody will wait. tree lock held. */
struct task *group_end_locked(struct group *g);
/* Free such a leader, after telling the process's maker. */
void group_end_later(struct task *leader);
/* Children of a process that ends get a new parent. */
void group_reparent_children_locked(struct group *g);
/* Free every zombie among the children. */
void group_release_zombies_locked(struct group *g);
bool pgrp_orphaned_locked(
	const struct pid *pgrp, const struct pid *session, const struct group *ignored);
/* SIGHUP and SIGCONT to a process group that became orphaned with stopped members. tree lock held. */
void pgrp_check_orphan_locked(struct group *g, struct group *parent);
void rusage_fill(struct rusage *ru, u64 utime, u64 stime, u64 minflt, u64 majflt, u64 maxrss_kb);

/* ---- time ---- */
void timers_exit(struct group *g); /* the last thread ended, or exec: POSIX timers go */
void itimers_exit(struct group *g);
void itimers_init(struct group *g);
void cpu_tick_start(struct group *g);

/* ---- futex ---- */
void futex_exit(struct task *t); /* robust list, clear_child_tid */

#endif
