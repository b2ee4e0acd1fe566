/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp: the chain of filters, what their verdict does, and who gets them. Locks: sig_lock of the group orders changes of all its tasks. */
#include "task/seccomp.h"

#include <asm/unistd.h>
#include <linux/audit.h>

#include "fs/fdtable.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/coredump.h"
#include "task/internal.h"
#include "task/ptrace.h"
#include "task/seccomp_notify.h"
#include "task/signal.h"
#include "syscall/compat.h"

#define SECCOMP_CHAIN_MAX 32768u /* instructions; each filter counts four more, as in Linux */
#define SECCOMP_COST	  4u
#define SECCOMP_ERRNO_MAX 4095u
#define SYS_SECCOMP_CODE  1 /* SYS_SECCOMP of the ABI */

/* ---- filters */

struct seccomp_filter *seccomp_filter_get(struct seccomp_filter *f)
{
	if (f)
		ref_get(&f->ref);
	return f;
}

void seccomp_filter_put(struct seccomp_filter *f)
{
	while (f && ref_put(&f->ref)) {
		struct seccomp_filter *prev = f->prev;

		seccomp_listener_orphan(f->listener);
		kfree(f);
		f = prev;
	}
}

int seccomp_filter_create(const struct sock_filter *insn, u32 n, u32 flags,
	struct seccomp_filter *prev, struct seccomp_filter **out)
{
	u32 total = (prev ? prev->total : 0) + n + SECCOMP_COST;
	struct seccomp_filter *f;
	u16 *scratch;
	int ret;

	if (!n || n > BPF_MAXINSNS)
		return -EINVAL;
	if (total > SECCOMP_CHAIN_MAX)
		return -ENOMEM;
	f = kmalloc(sizeof(*f) + n * sizeof(*insn));
	scratch = kmalloc(n * sizeof(*scratch));
	ret = f && scratch ? 0 : -ENOMEM;
	if (ret == 0) {
		memcpy(f->insn, insn, n * sizeof(*insn));
		ret = bpf_check(f->insn, n, scratch);
	}
	kfree(scratch);
	if (ret < 0) {
		kfree(f);
		return ret;
	}
	ref_init(&f->ref);
	f->prev = prev;
	f->total = total;
	f->depth = prev ? prev->depth + 1 : 1;
	f->log = flags & SECCOMP_FILTER_FLAG_LOG;
	f->listener = NULL;
	f->n = n;
	*out = f;
	return 0;
}

/* ---- verdicts */

/* *match: the filter whose verdict it is; NULL when all allow the call. */
static u32 seccomp_verdict(const struct seccomp_filter *f, const struct seccomp_data *data,
	const struct seccomp_filter **match)
{
	u32 worst = SECCOMP_RET_ALLOW;

	*match = NULL;
	for (; f; f = f->prev) {
		u32 v = bpf_run(f->insn, data);

		/* Signed: KILL_PROCESS is the lowest. Of equals the newest filter's data counts. */
		if ((s32)(v & SECCOMP_RET_ACTION_FULL) < (s32)(worst & SECCOMP_RET_ACTION_FULL)) {
			worst = v;
			*match = f;
		}
	}
	return worst;
}

static void seccomp_log(const struct task *t, u64 nr, u32 verdict)
{
	log_info("seccomp: call %lu of %s[%d]: action %x", nr, t->comm, t->tid,
		verdict & SECCOMP_RET_ACTION_FULL);
}

static u32 seccomp_arch(const struct task *t)
{
	return t->compat_call ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
}

static siginfo_t seccomp_info(const struct regs *r, u32 data)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSYS;
	info.si_code = SYS_SECCOMP_CODE;
	info.si_errno = (int)data;
	info.si_call_addr = (void *)r->rip;
	info.si_syscall = (int)r->orig_rax;
	info.si_arch = seccomp_arch(task_current());
	return info;
}

__noreturn static void seccomp_kill(struct task *t, const struct regs *r, bool process)
{
	siginfo_t info = seccomp_info(r, 0);
	bool last;
	u64 flags = sig_lock(t->group);

	last = t->group->nlive <= 1;
	sig_unlock(t->group, flags);
	if (process || last)
		task_exit_group(coredump(t, SIGSYS, &info));
	task_exit(SIGSYS);
}

static void seccomp_trap(const struct regs *r, u32 data)
{
	siginfo_t info = seccomp_info(r, data);

	signal_force(SIGSYS, &info);
}

static bool seccomp_filtered(struct task *t, struct regs *r, s64 *ret, bool again);

/* The tracer decides; what it leaves is filtered once more. */
static bool seccomp_trace(struct task *t, struct regs *r, u32 data, s64 *ret)
{
	*ret = -ENOSYS;
	if (!ptrace_event_on(t, PTRACE_EVENT_SECCOMP))
		return false;
	ptrace_event(t, PTRACE_EVENT_SECCOMP, data);
	*ret = (s64)r->rax;
	if (task_killed(t) || (int)r->orig_rax < 0)
		return false;
	return seccomp_filtered(t, r, ret, true);
}

static bool seccomp_filtered(struct task *t, struct regs *r, s64 *ret, bool again)
{
	const struct seccomp_filter *f = atomic_load(&t->seccomp);
	struct seccomp_data data = {
		.nr = (int)r->orig_rax, .arch = seccomp_arch(t), .instruction_pointer = r->rip
	};
	const struct seccomp_filter *match;
	u64 args[6];
	u32 verdict;

	regs_call_args(r, t->compat_call, args);
	memcpy(data.args, args, sizeof(args));
	verdict = seccomp_verdict(f, &data, &match);
	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return true;
	case SECCOMP_RET_LOG:
		seccomp_log(t, r->orig_rax, verdict);
		return true;
	case SECCOMP_RET_ERRNO:
		if (f->log)
			seccomp_log(t, r->orig_rax, verdict);
		*ret = -(s64)MIN(verdict & SECCOMP_RET_DATA, SECCOMP_ERRNO_MAX);
		return false;
	case SECCOMP_RET_TRAP:
		if (f->log)
			seccomp_log(t, r->orig_rax, verdict);
		seccomp_trap(r, verdict & SECCOMP_RET_DATA);
		*ret = (s64)r->orig_rax; /* as if it had not been made */
		return false;
	case SECCOMP_RET_TRACE:
		return again || seccomp_trace(t, r, verdict & SECCOMP_RET_DATA, ret);
	case SECCOMP_RET_USER_NOTIF:
		return seccomp_notify(t, match->listener, r, &data, ret);
	default:
		seccomp_log(t, r->orig_rax, verdict);
		seccomp_kill(t, r, (verdict & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_KILL_THREAD);
	}
}

bool seccomp_check(struct task *t, struct regs *r, s64 *ret)
{
	if (t->trace.options & PTRACE_O_SUSPEND_SECCOMP)
		return true;
	if (t->seccomp_mode == SECCOMP_MODE_FILTER)
		return seccomp_filtered(t, r, ret, false);
	switch (t->compat_call ? compat_number((u32)r->orig_rax) : (u32)r->orig_rax) {
	case __NR_read:
	case __NR_write:
	case __NR_exit:
	case __NR_rt_sigreturn:
		return true;
	default:
		seccomp_log(t, r->orig_rax, SECCOMP_RET_KILL_THREAD);
		t->group->unkillable = false;
		task_exit_group(SIGKILL);
	}
}

/* ---- installing */

int seccomp_set_strict(struct task *t)
{
	if (t->seccomp_mode && t->seccomp_mode != SECCOMP_MODE_STRICT)
		return -EINVAL;
	t->seccomp_mode = SECCOMP_MODE_STRICT;
	atomic_or(&t->call_work, CALL_SECCOMP);
	return 0;
}

static bool seccomp_is_ancestor(const struct seccomp_filter *old, const struct seccomp_filter *f)
{
	while (f && f != old)
		f = f->prev;
	return f == old;
}

/* TSYNC: the tid of a thread whose filters are not among ours, 0 = there is none. sig_lock held. */
static int seccomp_stranger_locked(struct task *t)
{
	struct task *o;

	list_for_each_entry (o, &t->group->tasks, group_link) {
		if (o != t && !o->exiting &&
			(o->seccomp_mode == SECCOMP_MODE_STRICT ||
				!seccomp_is_ancestor(o->seccomp, t->seccomp)))
			return o->tid;
	}
	return 0;
}

/*
 * A thread may be running its old filters at this moment: they stay alive as part of the new chain, of which they are a tail.
 */
static void seccomp_sync_locked(struct task *t)
{
	struct task *o;

	list_for_each_entry (o, &t->group->tasks, group_link) {
		struct seccomp_filter *old = o->seccomp;

		if (o == t || o->exiting)
			continue;
		/* Who may have filters without privileges hands on the reason. */
		if (t->no_new_privs)
			WRITE_ONCE(o->no_new_privs, true);
		atomic_store(&o->seccomp, seccomp_filter_get(t->seccomp));
		atomic_store(&o->seccomp_mode, SECCOMP_MODE_FILTER);
		atomic_or(&o->call_work, CALL_SECCOMP);
		seccomp_filter_put(old);
	}
}

static bool seccomp_has_listener(const struct seccomp_filter *f)
{
	while (f && !f->listener)
		f = f->prev;
	return f != NULL;
}

/* 0, -EBUSY, -EAGAIN (another thread's TSYNC came first), or a thread that cannot follow. */
static int seccomp_install_locked(struct task *t, struct seccomp_filter *f, u32 flags)
{
	int stranger = 0;

	if (f->prev != t->seccomp)
		return -EAGAIN;
	if (f->listener && seccomp_has_listener(f->prev))
		return -EBUSY;
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		stranger = seccomp_stranger_locked(t);
	if (stranger)
		return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : stranger;
	atomic_store(&t->seccomp, f);
	atomic_store(&t->seccomp_mode, SECCOMP_MODE_FILTER);
	atomic_or(&t->call_work, CALL_SECCOMP);
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		seccomp_sync_locked(t);
	return 0;
}

s64 seccomp_set_filter(struct task *t, const struct sock_filter *insn, u32 n, u32 flags)
{
	struct seccomp_filter *f;
	int ret, fd = 0;
	u64 irq;

	if (t->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	ret = seccomp_filter_create(insn, n, flags, t->seccomp, &f);
	if (ret < 0)
		return ret;
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		ret = seccomp_listener_create(
			flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &f->listener, &fd);
	if (ret == 0) {
		irq = sig_lock(t->group);
		ret = seccomp_install_locked(t, f, flags);
		sig_unlock(t->group, irq);
	}
	if (ret == 0)
		return fd;
	if (f->listener)
		fd_close(fd);
	seccomp_listener_orphan(f->listener);
	kfree(f); /* the older ones are still the task's own */
	return ret;
}

int seccomp_filter_of(struct task *t, u64 n, struct seccomp_filter **out)
{
	u64 irq = sig_lock(t->group);
	struct seccomp_filter *f = t->seccomp;
	int ret = 0;

	if (t->seccomp_mode != SECCOMP_MODE_FILTER)
		ret = -EINVAL;
	else if (n >= f->depth)
		ret = -ENOENT;
	while (!ret && f->depth != n + 1)
		f = f->prev;
	*out = ret ? NULL : seccomp_filter_get(f);
	sig_unlock(t->group, irq);
	return ret;
}

void seccomp_inherit_locked(struct task *t, const struct task *parent)
{
	t->seccomp = seccomp_filter_get(parent->seccomp);
	t->seccomp_mode = parent->seccomp_mode;
	t->no_new_privs = parent->no_new_privs;
	t->call_work = parent->call_work & CALL_SECCOMP;
}
