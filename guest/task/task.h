/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks and thread groups. A task is one schedulable program thread; a thread group is a process. Shared parts (address space,
 * files, fs, signal handlers) have reference counts of their own.
 *
 * Lock order: task_tree_lock (spin irq, rank 40: parents, children, groups, sessions, tid table) -> group->sig_lock (spin irq, rank 50:
 * everything about the signals, stops and members of one process) -> sighand->lock (rank 52: actions) -> wait queues, run queues.
 * group->tasks changes under both task_tree_lock and sig_lock: either one is enough to walk it. Details: task/README.
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include <linux/resource.h>
#include <linux/signal.h>

#include "arch.h"
#include "fs/fdtable.h"
#include "kernel/sched.h"
#include "kernel/timer.h"
#include "kernel/waitq.h"
#include "lib/atomic.h"
#include "mm/mempolicy.h"
#include "task/cred.h"
#include "task/io_count.h"

struct as;
struct cgroup;
struct core_dump;
struct futex_wait;
struct group;
struct key;
struct mq_create;
struct nsproxy;
struct pid;
struct pid_ns;
struct sem_undo_list;
struct spawn_request;
struct trace_line;
struct vfork;

#define SIG_MAX	   64
#define SIGMASK(n) (1UL << ((n)-1))

/* One queued signal. */
struct sigqueue {
	struct list_head link;
	siginfo_t info;
	struct user_acct *user; /* charged for it; NULL: preallocated, owned by a timer */
	void (*taken)(struct sigqueue
			*q); /* of a timer: it leaves the queue, delivered or not; sig_lock held */
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
	struct spinlock lock; /* irq; protects: action; rank 52 */
	struct sigaction_k action[SIG_MAX];
};

/*
 * Tracing by ptrace(2), see ptrace.h. Locks: tracer and link under task_tree_lock and the tracee's sig_lock, either one is enough to read;
 * tracees under task_tree_lock; the rest sig_lock, or the tracer's own while the tracee is frozen.
 */
struct trace_state {
	struct task *tracer; /* borrowed; NULL = not traced */
	struct list_head tracees, link;
	u32 options; /* PTRACE_O_* */
	bool seized;
	bool capable; /* the tracer had CAP_SYS_PTRACE when it attached */
	bool trap_stop,
		trap_notify; /* it must stop for the tracer; something changed while it did */
	bool trapping; /* the tracer waits for that stop */
	bool listening; /* stopped, but PTRACE_LISTEN waits for news */
	bool stopped; /* waits for the tracer */
	bool frozen; /* the tracer works on it: not even SIGKILL lets it go on */
	bool step, forced_tf; /* PTRACE_SINGLESTEP; the trap flag is not the program's own */
	int code; /* of the stop: a signal and event << 8, 0 = collected; then what to go on with */
	u64 message; /* PTRACE_GETEVENTMSG */
	siginfo_t *info; /* of the stop, on the tracee's stack; NULL in a group stop */
	struct waitq wq; /* it waits here for the tracer, the tracer for the stop */
};
/* Bits of call_work: who wants to know of system calls. */
#define CALL_SECCOMP 1u
#define CALL_TRACE   2u /* PTRACE_SYSCALL */
#define CALL_EMULATE 4u /* PTRACE_SYSEMU */
#define CALL_STEP    8u /* PTRACE_SINGLESTEP */

struct task {
	struct ref ref; /* tree, borrowers */
	struct thread *thread;
	struct group *group;
	struct list_head group_link; /* group->tasks */
	struct list_head reap_link; /* ended: waits for the reaper */
	int tid; /* id's number in its own namespace */
	struct pid *id; /* reference */
	struct as *as; /* NULL after exit */
	struct fdtable *files;
	struct fs_context *fs;
	struct nsproxy *ns; /* replaced by the task itself only, under sig_lock; NULL after exit */
	struct cred *
		cred; /* replaced by the task itself only, under cred_lock; others take task_cred() */
	struct sigpending pending; /* lock: sig_lock */
	u64 blocked,
		saved_blocked; /* signal masks; lock: sig_lock for writing, and for reading by others */
	u64 waiting; /* sigtimedwait: these wake it although blocked; lock: sig_lock */
	bool restore_blocked; /* sigsuspend, ppoll: put saved_blocked back after delivery; own */
	bool stop_pending, stopped; /* job control; lock: sig_lock */
	bool stop_counted; /* stop_pending is part of group->stop_count */
	bool parked; /* sleeps until the core of its process is written; lock: sig_lock */
	bool exiting; /* no signal is delivered any more; lock: sig_lock */
	bool dead; /* a zombie, or about to be freed; lock: task_tree_lock */
	bool tell_end; /* the reaper calls on_exit of its process first; lock: task_tree_lock */
	struct {
		u64 sp, size;
		u32 flags;
	} altstack;
	struct {
		u64 trapno, error, cr2;
	} fault; /* last exception, for signal frames */
	uaddr_t clear_child_tid, robust_list;
	uaddr_t rseq; /* registered area, 0 = none */
	u32 rseq_sig;
	struct waitq
		*kill_wq; /* woken by a fatal signal: stop, vfork and exec waits; lock: sig_lock */
	struct vfork *vfork; /* our parent waits for exec or exit */
	struct spawn_request *spawn; /* the first thing to do on the way to user mode */
	int exit_code; /* wait status */
	u32 pdeath_signal;
	u64 start_time; /* CLOCK_MONOTONIC ns */
	u64 min_flt, maj_flt;
	struct io_count io;
	s32 nice;
	u32 policy, rt_priority;
	u16 ioprio; /* IOPRIO_PRIO_VALUE; 0 = none */
	struct mempolicy mempolicy; /* own; others read it as it is */
	struct {
		s64 (*fn)(struct task *t);
		u64 arg[5];
	} restart; /* restart_syscall */
	u64 timer_slack, timer_slack_default; /* ns; default: what the creator had */
	u32 personality;
	struct sem_undo_list *sem_undo; /* reference; NULL = nothing to undo at the end */
	const struct mq_create *mq_create; /* what the mq_open that runs asks for; own */
	u32 call_work; /* atomic: CALL_* bits, tested once a system call */
	bool compat_call; /* the system call that runs was made by int $0x80; own, others when it stopped in it */
	u32 seccomp_mode; /* SECCOMP_MODE_*; atomic, written under sig_lock */
	struct seccomp_filter *seccomp; /* newest filter, reference; as seccomp_mode */
	struct {
		struct key *thread, *session; /* references, NULL = none yet; own */
		u32 reqkey_dest; /* KEY_REQKEY_DEFL_*; own */
	} keys;
	bool no_new_privs; /* exec gives no privileges; as seccomp_mode */
	struct trace_state trace;
	struct trace_line *trace_line; /* of the call that runs, while traced; own */
	int trace_arg;
	struct cgroup
		*cgroup; /* reference; what it counts for; locks: task_tree_lock and cgroup_lock */
	struct list_head cgroup_link; /* cgroup->tasks while it lives; lock: cgroup_lock */
	bool cg_freeze, cg_frozen; /* is to stand still, does; lock: cgroup_lock */
	char comm[16]; /* written by the task itself or a sibling; readers may see a mixture */
};

enum group_state {
	GROUP_RUNNING,
	GROUP_STOPPED, /* every thread is stopped by job control */
	GROUP_ZOMBIE /* every thread ended; waits for its parent */
};

/* A process: thread group. */
struct group {
	struct ref ref; /* tree, borrowers, each task */
	struct spinlock sig_lock; /* rank 50 */
	struct task *leader; /* borrowed: it clears this when it is freed; locks: as tasks */
	struct list_head tasks; /* locks: task_tree_lock and sig_lock */
	u32 ntasks; /* on `tasks` (a dead leader counts); locks: as tasks */
	u32 nlive; /* not yet exiting; lock: sig_lock */
	int pid; /* id's number in its own namespace */
	struct pid *id; /* of the leader; reference */
	struct pid_ns *ns; /* where it lives: id's own; held by id */
	struct list_head ns_link; /* pid_ns_root.groups; lock: task_tree_lock */
	struct group *parent; /* NULL: child of the agent; lock: task_tree_lock */
	int creator; /* the thread of the parent that made it: its tracer at PTRACE_TRACEME */
	struct list_head children, sibling; /* lock: task_tree_lock */
	struct pid *pgrp, *session; /* references; lock: task_tree_lock, comparing needs none */
	int pgid,
		sid; /* their numbers in the process's namespace, 0: not visible; as pgrp, readable without a lock */
	struct waitq wait_children; /* wait4 of this process sleeps here */
	struct waitq signalfd_wq; /* woken when a signal becomes pending */
	struct sighand *sighand; /* lock: sig_lock */
	struct sigpending pending; /* shared; lock: sig_lock */
	u32 state; /* enum group_state; lock: task_tree_lock and sig_lock */
	u32 stop_count; /* threads that have yet to stop; lock: sig_lock */
	u32 stop_sig;
	u32 cont_seq; /* counts SIGCONTs: a stop that was decided before one is void */
	u32 stop_report; /* wait4: 0, or CLD_STOPPED, CLD_CONTINUED not yet collected */
	u32 stop_notify; /* CLD_* that a member must tell the parent; lock: sig_lock */
	int exit_code; /* wait status of group exit; lock: sig_lock */
	bool group_exit; /* every thread must end; lock: sig_lock */
	bool unkillable; /* init of a container: default actions from inside do not apply */
	bool subreaper, has_subreaper, did_exec, dumpable;
	bool had_threads; /* more than one when one ended; lock: sig_lock */
	u32 exit_signal; /* to the parent; 0 = none */
	struct core_dump *core; /* is being written; lock: sig_lock */
	struct waitq core_wq;
	u32 dump_filter; /* /proc/PID/coredump_filter */
	struct task *exec_task; /* wants to be the only thread; lock: sig_lock */
	struct waitq exec_wq, stop_wq;
	struct waitq exit_wq; /* woken when the process is a zombie: pidfd */
	struct rlimit64 rlim[RLIM_NLIMITS]; /* lock: sig_lock */
	struct ktimer itimer_real;
	u64 itimer_due, itimer_real_interval; /* CLOCK_MONOTONIC ns, 0 = off; lock: sig_lock */
	struct sigqueue itimer_sig;
	struct cpu_timer {
		u64 expires, interval; /* ns of CPU time, 0 = off; lock: sig_lock */
	} itimer_virt, itimer_prof;
	struct ktimer cpu_tick; /* looks at the CPU timers and RLIMIT_CPU while one is set */
	u64 cpu_warned; /* s of CPU time before which no other SIGXCPU is sent */
	void *tty; /* controlling terminal, fs/tty */
	s16 oom_score_adj;
	u64 child_utime, child_stime, child_minflt, child_majflt,
		child_maxrss; /* reaped children */
	u64 dead_utime, dead_stime, dead_minflt, dead_majflt,
		maxrss; /* exited threads; lock: sig_lock */
	struct io_count dead_io; /* exited threads, reaped children; lock: sig_lock */
	struct list_head posix_timers;
	u32 next_timer_id;
	void (*on_exit)(void *arg, int pid, int status); /* see struct spawn */
	void *on_exit_arg;
	struct key *process_keyring; /* reference, NULL = none yet; lock: key_mutex */
	void *container; /* agent's record; inherited */
};

void task_get(struct task *t);
void task_put(struct task *t);
void group_get(struct group *g);
void group_put(struct group *g);
/* By number in the caller's pid namespace (kernel threads: the one that they act in), with a reference, or NULL. Zombies are found too. */
struct task *task_find(int tid);
struct task *task_find_in(struct pid_ns *ns, int tid);
struct group *group_find(int pid);
/* Credentials of any task, with a reference. */
struct cred *task_cred(struct task *t);
/* Run fn over every process that is visible in a pid namespace (the caller's) until it returns false; task_tree_lock is held: fn must not sleep. */
void group_for_each_in(struct pid_ns *ns, bool (*fn)(struct group *g, void *arg), void *arg);
void group_for_each(bool (*fn)(struct group *g, void *arg), void *arg);
static inline u64 rlimit_soft(const struct group *g, u32 which)
{
	return READ_ONCE(g->rlim[which].rlim_cur);
}
__noreturn void task_exit(int status); /* the calling thread only; status as wait(2) */
__noreturn void task_exit_group(int status);

/* Hook of the terminal layer: the leader of a session ends (SIGHUP to the foreground, no terminal for the others). May sleep. */
extern void (*task_session_exit)(struct group *leader);
/* What a task has, with a reference; NULL when it gave it up already. For /proc of other tasks. */
struct as *task_get_as(struct task *t);
struct fdtable *task_get_files(struct task *t);
struct fs_context *task_get_fs(struct task *t);
/* Its policy or nice value is another now: so is its share of the processor. */
void task_set_weight(struct task *t);

/* ---- signals, callable by every room ---- */
bool signal_pending(const struct task *t); /* unblocked signal, or exit, waits */
/* Send as the kernel (SI_KERNEL) or with info. 0 or -errno. Any context but with locks of rank 50 and above held. */
int signal_send_task(struct task *t, int sig, const siginfo_t *info); /* NULL info = SI_KERNEL */
int signal_send_group(struct group *g, int sig, const siginfo_t *info);
/* To each process of a process group. -ESRCH: nobody there. */
int signal_send_pgrp(const struct pid *pgrp, int sig, const siginfo_t *info);
/* A synchronous fault of the current task: cannot be blocked or ignored. */
void signal_force(int sig, const siginfo_t *info); /* even where it is blocked or ignored */
void signal_force_fault(int sig, int code, uaddr_t addr);
/* Is it blocked or ignored by the current task (terminal: SIGTTIN, SIGTTOU)? */
bool signal_is_held(int sig);
/* No member of the process group has a parent in another group of its session. */
bool task_pgrp_orphaned(const struct pid *pgrp, const struct pid *session);

/* signalfd: take a pending signal of `mask` for the current task. The number, or 0 when there is none. Sleepers queue on
 * group->signalfd_wq. signal_peek: bits of mask that are pending, for poll. */
int signal_take(u64 mask, siginfo_t *info);
u64 signal_peek(u64 mask);

/* Temporary mask of ppoll, pselect, epoll_pwait (set = kernel copy): saved one comes back at return to user mode, after a handler
 * if one runs. */
void signal_mask_temporary(u64 set);
/* The wait ended without a signal: put the saved mask back now. */
void signal_mask_restore(void);

/* ---- processes of a container that the agent starts ---- */
struct spawn_fd {
	struct file *file; /* consumed */
	int fd;
};
struct spawn {
	char *const *argv, *const *envp; /* kernel strings, NULL-terminated; borrowed */
	const char *file; /* the program, NULL: argv[0]; borrowed */
	u32 nsecret; /* so many strings of envp, the last ones, are kept out of dumps */
	const char *cwd;
	u32 uid, gid, umask;
	const u32 *groups;
	u32 ngroups;
	struct cred *cred; /* consumed when not NULL: overrides uid, gid, groups */
	struct nsproxy *ns; /* born into ns->pid, the root directory is that of ns->mnt; borrowed */
	struct file *stdio[3]; /* consumed */
	struct spawn_fd *more; /* nmore further descriptors */
	u32 nmore;
	const struct rlimit64 *rlim; /* RLIM_NLIMITS entries or NULL for defaults */
	struct cgroup *cgroup; /* joined; also what the process sees as the root; borrowed */
	void *container; /* for group->container */
	s16 oom_score_adj;
	u32 policy, rt_priority, personality;
	s32 nice;
	struct seccomp_filter *seccomp; /* NULL, or what it begins with; borrowed */
	bool no_new_privs;
	bool ctty; /* stdio[0] is a terminal and becomes the controlling one */
	/* Called in task context when the process became a zombie and nobody else reaps it. status = wait status. */
	void (*on_exit)(void *arg, int pid, int status);
	void *arg;
};
/* The RLIM_NLIMITS limits of a process that is given none. */
void spawn_default_limits(struct rlimit64 *rlim);
/* Makes a process without parent that execs its program (searched in PATH of envp when without slash). The first one is the init of
 * its pid namespace: when it ends, all others are killed first. pid, or -errno of the exec (-ENOENT: not found, -EACCES: not
 * executable, -ENOEXEC...). consumes what is marked, also on failure. Kernel thread context, may sleep.
 * held not NULL: the task stops when it has found the program, before it executes it. *s must stay until task_spawn_release. */
int task_spawn(const struct spawn *s, struct spawn_request **held);
/* Let a held task go on: 0, -errno of the exec, or -EINTR: it was killed before, then on_exit is called.
 * Once for each held task. */
int task_spawn_release(struct spawn_request *held);

/* Boot: after mm, slab and the scheduler. */
void task_init(void);

#endif
