/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks and thread groups. A task is one schedulable program thread; a thread group is a process. Shared parts (address space, files, fs, signal
 * handlers) have their own reference counts.
 * Lock order: task_tree_lock (rw spin, rank 40: parents, children, groups, sessions, pid table) -> group->sig.lock (spin irq, rank 50: handlers, pending, masks) -> run queue.
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/resource.h>

#include "arch.h"
#include "fs/fdtable.h"
#include "kernel/sched.h"
#include "kernel/timer.h"
#include "kernel/waitq.h"
#include "lib/atomic.h"

struct as;
struct group;
struct pid_ns;

/* Credentials: immutable once published, replaced as a whole. */
#define CRED_NGROUPS_MAX 65536
struct cred {
	struct ref ref;
	u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	bool no_new_privs;
	u32 ngroups;
	u32 *groups; /* sorted, owned */
};
struct cred *cred_create(void); /* root with all capabilities; NULL = no memory */
struct cred *cred_dup(const struct cred *c);
void cred_get(struct cred *c);
void cred_put(struct cred *c);
bool cred_in_group(const struct cred *c, u32 gid);
const struct cred *cred_current(void); /* borrowed, valid until the task changes it itself */
bool capable(int cap); /* CAP_* in the effective set of the current task */

/* One queued signal. */
struct sigqueue {
	struct list_head link;
	siginfo_t info;
};
struct sigpending {
	struct list_head queue;
	u64 set; /* bit n-1 */
};
struct sigaction_k {
	u64 handler, flags, restorer, mask;
};
struct sighand { /* shared by CLONE_SIGHAND */
	struct ref ref;
	struct spinlock
		lock; /* irq; protects: action, and pending/blocked of all tasks of the group; rank 50 */
	struct sigaction_k action[64];
};

struct task {
	struct ref ref; /* pid table, parent, waiters */
	struct thread *thread;
	struct group *group;
	struct list_head group_link; /* group->tasks */
	int tid; /* in the innermost pid namespace */
	struct as *as; /* NULL after exit */
	struct fdtable *files;
	struct fs_context *fs;
	struct mount_ns *mnt_ns;
	struct cred *cred; /* changed by the task itself only; others take task_cred() */
	struct sighand *sighand;
	struct sigpending pending; /* lock: sighand */
	u64 blocked, saved_blocked; /* signal masks; lock: sighand */
	bool restore_blocked; /* sigsuspend, ppoll: put saved_blocked back after delivery */
	struct {
		u64 sp, size;
		u32 flags;
	} altstack;
	uaddr_t clear_child_tid, set_child_tid, robust_list;
	uaddr_t rseq;
	u32 rseq_len, rseq_sig;
	struct waitq *vfork_done;
	int exit_code; /* wait status */
	u32 exit_signal; /* of the leader */
	u32 pdeath_signal;
	bool exiting, dead;
	u64 start_time; /* CLOCK_MONOTONIC ns */
	u64 min_flt, maj_flt;
	s32 nice, policy, rt_priority;
	struct {
		s64 (*fn)(struct task *t);
		u64 arg[4];
	} restart; /* restart_syscall */
	char comm[16];
};

/* A process: thread group. */
struct group {
	struct ref ref;
	struct task *leader; /* reference */
	struct list_head tasks; /* lock: task_tree_lock */
	u32 ntasks;
	int pid; /* tgid */
	struct group *parent; /* lock: task_tree_lock */
	struct list_head children, sibling;
	int pgid, sid;
	struct list_head pgrp_link;
	struct waitq wait_children; /* wait4 of this process sleeps here */
	struct sigpending pending; /* shared; lock: sighand */
	u32 state; /* running, stopped, exiting, zombie: task/group.h */
	int exit_code; /* wait status of group exit */
	bool group_exit, subreaper, no_new_children;
	struct rlimit64 rlim[RLIM_NLIMITS];
	struct ktimer itimer_real;
	u64 itimer_real_interval;
	void *tty; /* controlling terminal, fs/tty */
	s16 oom_score_adj;
	u64 child_utime, child_stime, child_minflt, child_majflt; /* reaped children */
	u64 dead_utime, dead_stime; /* exited threads */
	struct list_head posix_timers;
	void *container; /* agent's record; inherited */
};

void task_get(struct task *t);
void task_put(struct task *t);
struct task *task_find(int tid); /* with a reference, or NULL */
struct group *group_find(int pid);
/* Run fn over every process; task_tree_lock is held, fn must not sleep. */
void group_for_each(bool (*fn)(struct group *g, void *arg), void *arg);

/* ---- signals, callable by every room ---- */
bool signal_pending(const struct task *t); /* unblocked signal, or exit, waits */
/* Send as the kernel (SI_KERNEL) or with info. 0 or -errno. Any context but interrupts holding sighand locks. */
int signal_send_task(struct task *t, int sig, const siginfo_t *info); /* NULL info = SI_KERNEL */
int signal_send_group(struct group *g, int sig, const siginfo_t *info);
int signal_send_pgrp(int pgid, int sig, const siginfo_t *info);
/* A synchronous fault of the current task: cannot be blocked or ignored. */
void signal_force_fault(int sig, int code, uaddr_t addr);

/* ---- first process of a container (agent) ---- */
struct spawn {
	char *const *argv, *const *envp; /* kernel strings, NULL-terminated; borrowed */
	const char *cwd;
	u32 uid, gid, umask;
	const u32 *groups;
	u32 ngroups;
	struct cred *cred; /* consumed when not NULL: overrides uid, gid, groups */
	struct mount_ns *mnt_ns; /* its root directory is the new root */
	struct file *stdio[3]; /* consumed */
	const struct rlimit64 *rlim; /* RLIM_NLIMITS entries or NULL for defaults */
	/* Called in task context when the process became a zombie and nobody else reaps it. status = wait status. */
	void (*on_exit)(void *arg, int pid, int status);
	void *arg;
};
/* Makes a process without parent that execs argv[0] (searched in PATH of envp when without slash). pid, or -errno of the exec
 * (-ENOENT: not found, -EACCES: not executable, -ENOEXEC...). consumes what is marked, also on failure. */
int task_spawn(const struct spawn *s);

#endif
