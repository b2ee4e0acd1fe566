/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptrace(2). A tracer is one thread, a tracee another; the state is task->trace (task.h). ptrace.c links and unlinks and serves the tracer,
 * ptrace_stop.c is what the tracee does. Except for single requests that need its registers, tracer and tracee meet only under locks.
 *
 * A stop (ptrace_stop): the tracee notes what it is, tells the tracer (SIGCHLD, wait4) and sleeps until the tracer resumes it, goes away, or
 * SIGKILL comes. Before a request touches it, ptrace_freeze makes sure that it sleeps and that nothing wakes it until ptrace_thaw.
 * A tracee that is no leader stays as a zombie until its tracer collected it, as Linux does.
 */
#ifndef TASK_PTRACE_H
#define TASK_PTRACE_H

#include <linux/ptrace.h>

#include "task/task.h"

#define PTRACE_CODE(event) ((event) << 8 | SIGTRAP)

/* ---- the tracer (ptrace.c) ---- */
/* 0 or -errno as ptrace(2). */
int ptrace_traceme(struct task *t);
int ptrace_attach(struct task *t, bool seize, u32 options);
int ptrace_check_options(u64 options); /* 0, -EINVAL, -EPERM */
/* The caller traces t and, unless `running` will do, t waits for it and stays so until ptrace_thaw. False: ESRCH. */
bool ptrace_freeze(struct task *t, bool running);
void ptrace_thaw(struct task *t);
/* A frozen tracee goes on, with signal sig; work: CALL_* bits. */
void ptrace_resume(struct task *t, u32 work, int sig);
void ptrace_detach(struct task *t, int sig);
int ptrace_interrupt(struct task *t); /* 0 or -EIO */
int ptrace_listen(struct task *t); /* frozen; 0 or -EIO */

/* ---- life of tasks; tree lock held ---- */
static inline bool ptrace_traced(const struct task *t)
{
	return READ_ONCE(t->trace.tracer) != NULL;
}
/* The leader of g is traced by another process than its parent: that one learns of its end first. */
bool ptrace_elsewhere_locked(const struct group *g);
/* A new task that its creator's tracer gets too. sig_lock of t's group held. */
void ptrace_inherit_locked(struct task *t, const struct task *parent);
/* t is no tracee any more. sig_lock of t's group held. */
void ptrace_unlink_locked(struct task *t);
/* The tracer ends: its tracees are free, or killed. */
void ptrace_release_all_locked(struct task *tracer);
/* A traced thread that is no leader ended: its tracer collects it. */
void ptrace_tell_exit_locked(struct task *t);

/* ---- the tracee (ptrace_stop.c) ---- */
bool ptrace_event_on(const struct task *t, int event);
/* Stop with an event if the tracer asked for it. */
void ptrace_event(struct task *t, int event, u64 message);
void ptrace_exec(struct task *t, int old_tid);
void ptrace_exit(struct task *t, int status);
/* A signal for a tracee: the number to go on with, 0 = none; *info follows. */
int ptrace_signal(struct task *t, int sig, siginfo_t *info);
/* trap_stop or trap_notify is set. */
void ptrace_trap(struct task *t);
/* Before and after a system call. enter: false = the call is not to be made. */
bool ptrace_call_enter(struct task *t);
void ptrace_call_leave(struct task *t, struct regs *r);
/* A signal handler is entered while single-stepping. */
void ptrace_step_handler(struct task *t);
/* SIGCONT, or the start of a stop, is news for a seized tracee. sig_lock held. */
void ptrace_notify_locked(struct task *t);

/* ---- arch/x86_64/user_regs.c: registers of a task that is frozen or the current one ---- */
/* Layout of user_regs_struct, which the registers of a core dump have too. */
#define USER_REGS 27u
void user_regs_get(struct task *t, u64 *regs);
int user_reg_set(struct task *t, u32 index, u64 value); /* 0 or -EIO */
/* Word at a byte offset of struct user. 0 or -EIO. */
int user_area_get(struct task *t, u64 offset, u64 *value);
int user_area_set(struct task *t, u64 offset, u64 value);
#define USER_FPREGS_SIZE 512u
void user_fpregs_get(struct task *t, u8 *fx);
int user_fpregs_set(struct task *t, const u8 *fx); /* 0 or -EINVAL */
size_t user_xstate_size(void); /* 0: there is none */
void user_xstate_get(struct task *t, u8 *area);
int user_xstate_set(struct task *t, const u8 *area); /* 0 or -EINVAL */
void user_step(struct task *t, bool on);
/* Debug registers 0 to 7 (debug_regs.c). 0, -EIO, -EINVAL: no such watchpoint, -ENODEV: the machine has none. */
u64 user_debug_get(struct task *t, u32 n);
int user_debug_set(struct task *t, u32 n, u64 value);
void user_debug_reset(struct task *t); /* of the current task: exec */

#endif
