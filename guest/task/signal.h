/* SPDX-License-Identifier: Apache-2.0 */
/* Signal state of processes, for the files of task/ and the signal system calls. sig_lock = group->sig_lock. */
#ifndef TASK_SIGNAL_H
#define TASK_SIGNAL_H

#include "task/internal.h"

static inline u64 sig_lock(struct group *g)
{
	return spin_lock_irq(&g->sig_lock);
}
static inline void sig_unlock(struct group *g, u64 flags)
{
	spin_unlock_irq(&g->sig_lock, flags);
}

/* Generate sig for task t of group g (t == NULL: for the process). info NULL = SI_KERNEL. force: from outside the container.
 * 0, or -EAGAIN when a queued signal exceeds RLIMIT_SIGPENDING. */
int signal_generate_locked(
	struct group *g, struct task *t, int sig, const siginfo_t *info, bool force);
/* Queue a preallocated entry (timers; any context). False when it was already queued or is ignored. */
bool signal_queue_entry_locked(struct group *g, struct task *t, struct sigqueue *q);
/* Take the next signal of the current task that is not in `mask`. 0 = none. */
int signal_dequeue_locked(struct task *t, u64 mask, siginfo_t *info);
/* Set or clear the thread's "interrupted" mark of the current task after a change of masks or queues. */
void signal_recalc_locked(struct task *t);
void signal_recalc(struct task *t);
/* The current task's mask; never blocks SIGKILL and SIGSTOP. */
void signal_set_blocked(struct task *t, u64 set);
/* Every thread of g must end with this wait status. No effect when that is under way. */
void signal_group_exit_locked(struct group *g, int status);
void signal_flush_locked(struct sigpending *p, u64 mask);
/* Make t look at its signals soon; fatal: also out of sleeps that only SIGKILL ends. */
void signal_wake_locked(struct task *t, bool fatal);
/* kill(2)'s rule. */
bool signal_may_send(const struct cred *c, struct task *target, int sig);
/* exec: caught signals go back to the default. */
void sighand_reset(struct sighand *h);
struct sighand *sighand_create(void);
void sighand_put(struct sighand *h);
/* t begins its part of a stop of the process. True: it was the last. */
bool signal_join_stop_locked(struct task *t);
/* A member that ends no longer counts for a stop. CLD_STOPPED when the process is stopped by that, else 0. */
int signal_leave_stop_locked(struct task *t);
siginfo_t signal_info(int sig, int code, int pid, u32 uid);

/* ---- arch/x86_64/signal_frame.c ---- */
struct sig_frame_args {
	int sig;
	struct sigaction_k action;
	siginfo_t info;
	u64 mask; /* to come back to */
};
/* Build the frame on the user stack and point the registers to the handler. 0 or -EFAULT (then SIGSEGV). */
int sigframe_push(struct task *t, struct regs *r, const struct sig_frame_args *f);
/* rt_sigreturn: registers, FPU, mask and alternate stack from the frame at the stack pointer. 0 or -EFAULT, in which
 * case *mask is to be set all the same; it is left alone where there is no frame. */
int sigframe_pop(struct task *t, struct regs *r, u64 *mask);
size_t sigframe_min_stack(void); /* AT_MINSIGSTKSZ */
/* sigaltstack's rule for new settings. 0, -EINVAL, -ENOMEM, -EPERM. */
int sigaltstack_set(struct task *t, const stack_t *ss, u64 sp);
bool sigaltstack_active(const struct task *t, u64 sp);

#endif
