/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): decoding of requests and the ones that copy something. What attaches, stops and resumes is in task/ptrace.c. */
#include <linux/audit.h>
#include <linux/elf.h>
#include <linux/rseq.h>

#include "arch.h"
#include "lib/string.h"
#include "mm/as.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/seccomp.h"
#include "task/ptrace.h"
#include "task/signal.h"

/* Of the x86-64 ABI. */
#define PTRACE_GETREGS	   12
#define PTRACE_SETREGS	   13
#define PTRACE_GETFPREGS   14
#define PTRACE_SETFPREGS   15
#define PTRACE_SYSEMU	   31
#define PTRACE_SYSEMU_STEP 32

#define REGS_BYTES (USER_REGS * sizeof(u64))

/* ---- memory ---- */

static s64 peek_data(struct task *t, uaddr_t addr, uaddr_t to)
{
	struct as *as = task_get_as(t);
	size_t n = 0;
	u64 word;

	if (as) {
		n = as_copy_from(as, &word, addr, sizeof(word));
		as_put(as);
	}
	if (n != sizeof(word))
		return -EIO;
	return put_user(word, to);
}

static s64 poke_data(struct task *t, uaddr_t addr, u64 word)
{
	struct as *as = task_get_as(t);
	size_t n = 0;

	if (as) {
		n = as_copy_to(as, addr, &word, sizeof(word));
		as_put(as);
	}
	return n == sizeof(word) ? 0 : -EIO;
}

/* ---- registers ---- */

static s64 regs_get(struct task *t, uaddr_t to, size_t n)
{
	u64 regs[USER_REGS];

	user_regs_get(t, regs);
	return copy_to_user(to, regs, n);
}

static s64 regs_set(struct task *t, uaddr_t from, size_t n)
{
	u64 regs[USER_REGS];
	u32 i;
	int ret;

	if (copy_from_user(regs, from, n) < 0)
		return -EFAULT;
	for (i = 0; i < n / sizeof(u64); i++) {
		ret = user_reg_set(t, i, regs[i]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static s64 fpregs_get(struct task *t, uaddr_t to, size_t n)
{
	u8 fx[USER_FPREGS_SIZE];

	user_fpregs_get(t, fx);
	return copy_to_user(to, fx, n);
}

static s64 fpregs_set(struct task *t, uaddr_t from, size_t n)
{
	u8 fx[USER_FPREGS_SIZE];

	user_fpregs_get(t, fx);
	if (copy_from_user(fx, from, n) < 0)
		return -EFAULT;
	return user_fpregs_set(t, fx);
}

static s64 xstate_move(struct task *t, uaddr_t at, size_t n, bool set)
{
	size_t size = user_xstate_size();
	u8 *area;
	s64 ret;

	if (set && n != size)
		return -EFAULT;
	area = kmalloc(size);
	if (!area)
		return -ENOMEM;
	if (set) {
		ret = copy_from_user(area, at, size);
		if (ret == 0)
			ret = user_xstate_set(t, area);
	} else {
		user_xstate_get(t, area);
		ret = copy_to_user(at, area, n);
	}
	kfree(area);
	return ret;
}

static s64 regset_move(struct task *t, u64 type, uaddr_t at, u64 *len, bool set)
{
	size_t size = type == NT_PRSTATUS ? REGS_BYTES : USER_FPREGS_SIZE;

	if (type == NT_X86_XSTATE)
		size = user_xstate_size();
	else if (type != NT_PRSTATUS && type != NT_PRFPREG)
		return -EINVAL;
	if (*len % sizeof(u64))
		return -EINVAL;
	if (!size)
		return -ENODEV;
	*len = MIN(*len, size);
	if (type == NT_X86_XSTATE)
		return xstate_move(t, at, *len, set);
	if (type == NT_PRSTATUS)
		return set ? regs_set(t, at, *len) : regs_get(t, at, *len);
	return set ? fpregs_set(t, at, *len) : fpregs_get(t, at, *len);
}

static s64 regset_request(struct task *t, u64 type, uaddr_t uiov, bool set)
{
	struct iov iov;
	s64 ret;

	if (copy_from_user(&iov, uiov, sizeof(iov)) < 0)
		return -EFAULT;
	ret = regset_move(t, type, iov.base, &iov.len, set);
	if (ret == 0)
		ret = put_user(iov.len, uiov + offsetof(struct iov, len));
	return ret;
}

/* ---- signals ---- */

static s64 siginfo_get(struct task *t, uaddr_t to)
{
	siginfo_t info;
	u64 flags = sig_lock(t->group);
	bool any = t->trace.info != NULL;

	if (any)
		info = *t->trace.info;
	sig_unlock(t->group, flags);
	return any ? copy_to_user(to, &info, sizeof(info)) : -EINVAL;
}

static s64 siginfo_set(struct task *t, uaddr_t from)
{
	siginfo_t info;
	bool any;
	u64 flags;

	if (copy_from_user(&info, from, sizeof(info)) < 0)
		return -EFAULT;
	flags = sig_lock(t->group);
	any = t->trace.info != NULL;
	if (any)
		*t->trace.info = info;
	sig_unlock(t->group, flags);
	return any ? 0 : -EINVAL;
}

/* The entry at position n of a queue; false when it is shorter. */
static bool siginfo_at(struct group *g, struct sigpending *p, u64 n, siginfo_t *info)
{
	u64 flags = sig_lock(g);
	struct sigqueue *q;
	bool found = false;

	list_for_each_entry (q, &p->queue, link) {
		if (n--)
			continue;
		*info = q->info;
		found = true;
		break;
	}
	sig_unlock(g, flags);
	return found;
}

static s64 siginfo_peek(struct task *t, uaddr_t uargs, uaddr_t to)
{
	struct ptrace_peeksiginfo_args args;
	struct sigpending *p = &t->pending;
	siginfo_t info;
	s32 i;

	if (copy_from_user(&args, uargs, sizeof(args)) < 0)
		return -EFAULT;
	if ((args.flags & ~(u32)PTRACE_PEEKSIGINFO_SHARED) || args.nr < 0)
		return -EINVAL;
	if (args.off > UINT32_MAX)
		return 0;
	if (args.flags & PTRACE_PEEKSIGINFO_SHARED)
		p = &t->group->pending;
	for (i = 0; i < args.nr; i++) {
		if (!siginfo_at(t->group, p, args.off + (u64)i, &info))
			break;
		if (copy_to_user(to + (u64)i * sizeof(info), &info, sizeof(info)) < 0)
			return i ? i : -EFAULT;
		if (signal_pending(task_current()))
			return i + 1;
	}
	return i;
}

static s64 sigmask_get(struct task *t, u64 size, uaddr_t to)
{
	if (size != sizeof(t->blocked))
		return -EINVAL;
	return put_user(t->restore_blocked ? t->saved_blocked : t->blocked, to);
}

static s64 sigmask_set(struct task *t, u64 size, uaddr_t from)
{
	u64 set;
	u64 flags;

	if (size != sizeof(set))
		return -EINVAL;
	if (get_user(set, from) < 0)
		return -EFAULT;
	flags = sig_lock(t->group);
	t->restore_blocked = false;
	t->blocked = set & ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	sig_unlock(t->group, flags);
	return 0;
}

/* ---- the rest ---- */

static s64 set_options(struct task *t, u64 options)
{
	s64 ret = ptrace_check_options(options);
	u64 flags;

	if (ret < 0)
		return ret;
	flags = sig_lock(t->group);
	t->trace.options = (u32)options;
	sig_unlock(t->group, flags);
	return 0;
}

static size_t call_info_fill(struct task *t, struct ptrace_syscall_info *info, const u64 *regs)
{
	const siginfo_t *why = t->trace.info;
	int code = why ? why->si_code : 0;
	s64 rval = (s64)regs[10];
	const struct regs *own = (const struct regs *)regs; /* the first part */

	if (code == PTRACE_CODE(PTRACE_EVENT_SECCOMP)) {
		info->op = PTRACE_SYSCALL_INFO_SECCOMP;
		info->seccomp.nr = regs[15];
		regs_call_args(own, t->compat_call, (u64 *)info->seccomp.args);
		info->seccomp.ret_data = (u32)t->trace.message;
		return offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof(u32);
	}
	if (code == (SIGTRAP | 0x80) && t->trace.message == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
		info->op = PTRACE_SYSCALL_INFO_ENTRY;
		info->entry.nr = regs[15];
		regs_call_args(own, t->compat_call, (u64 *)info->entry.args);
		return offsetof(struct ptrace_syscall_info, entry.args) + sizeof(info->entry.args);
	}
	if (code == (SIGTRAP | 0x80) && t->trace.message == PTRACE_EVENTMSG_SYSCALL_EXIT) {
		info->op = PTRACE_SYSCALL_INFO_EXIT;
		info->exit.is_error = rval < 0 && rval >= -4095;
		info->exit.rval = rval;
		return offsetof(struct ptrace_syscall_info, exit.is_error) + sizeof(u8);
	}
	info->op = PTRACE_SYSCALL_INFO_NONE;
	return offsetof(struct ptrace_syscall_info, entry);
}

static s64 call_info(struct task *t, u64 size, uaddr_t to)
{
	struct ptrace_syscall_info info;
	u64 regs[USER_REGS];
	size_t actual;

	memset(&info, 0, sizeof(info));
	user_regs_get(t, regs);
	info.arch = t->compat_call ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
	info.instruction_pointer = regs[16];
	info.stack_pointer = regs[19];
	actual = call_info_fill(t, &info, regs);
	if (copy_to_user(to, &info, MIN(actual, size)) < 0)
		return -EFAULT;
	return (s64)actual;
}

static s64 rseq_info(struct task *t, u64 size, uaddr_t to)
{
	struct ptrace_rseq_configuration conf = {
		.rseq_abi_pointer = t->rseq,
		.rseq_abi_size = sizeof(struct rseq),
		.signature = t->rseq_sig,
	};

	if (size != sizeof(conf))
		return -EINVAL;
	if (copy_to_user(to, &conf, sizeof(conf)) < 0)
		return -EFAULT;
	return sizeof(conf);
}

/* A request that ends the stop. */
static s64 resume(struct task *t, u64 request, u64 sig)
{
	u32 work = 0;

	if (sig > SIG_MAX)
		return -EIO;
	switch (request) {
	case PTRACE_SYSCALL:
		work = CALL_TRACE;
		break;
	case PTRACE_SINGLESTEP:
		work = CALL_STEP;
		break;
	case PTRACE_SYSEMU:
		work = CALL_EMULATE;
		break;
	case PTRACE_SYSEMU_STEP:
		work = CALL_EMULATE | CALL_STEP;
		break;
	case PTRACE_DETACH:
		ptrace_detach(t, (int)sig);
		return 0;
	default:
		break;
	}
	ptrace_resume(t, work, (int)sig);
	return 0;
}

static s64 request_stopped(struct task *t, u64 request, u64 addr, u64 data)
{
	u64 word;
	s64 ret;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek_data(t, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke_data(t, addr, data);
	case PTRACE_PEEKUSR:
		ret = user_area_get(t, addr, &word);
		return ret < 0 ? ret : put_user(word, data);
	case PTRACE_POKEUSR:
		return user_area_set(t, addr, data);
	case PTRACE_GETREGS:
		return regs_get(t, data, REGS_BYTES);
	case PTRACE_SETREGS:
		return regs_set(t, data, REGS_BYTES);
	case PTRACE_GETFPREGS:
		return fpregs_get(t, data, USER_FPREGS_SIZE);
	case PTRACE_SETFPREGS:
		return fpregs_set(t, data, USER_FPREGS_SIZE);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regset_request(t, addr, data, request == PTRACE_SETREGSET);
	case PTRACE_GETSIGINFO:
		return siginfo_get(t, data);
	case PTRACE_SETSIGINFO:
		return siginfo_set(t, data);
	case PTRACE_PEEKSIGINFO:
		return siginfo_peek(t, addr, data);
	case PTRACE_GETSIGMASK:
		return sigmask_get(t, addr, data);
	case PTRACE_SETSIGMASK:
		return sigmask_set(t, addr, data);
	case PTRACE_SETOPTIONS:
	case 21: /* PTRACE_OLDSETOPTIONS */
		return set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return put_user(t->trace.message, data);
	case PTRACE_GET_SYSCALL_INFO:
		return call_info(t, addr, data);
	case PTRACE_GET_RSEQ_CONFIGURATION:
		return rseq_info(t, addr, data);
	case PTRACE_SECCOMP_GET_FILTER:
		return ptrace_seccomp_filter(t, addr, data);
	case PTRACE_SECCOMP_GET_METADATA:
		return ptrace_seccomp_metadata(t, addr, data);
	case PTRACE_LISTEN:
		return ptrace_listen(t);
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
	case PTRACE_SINGLESTEP:
	case PTRACE_SYSEMU:
	case PTRACE_SYSEMU_STEP:
	case PTRACE_DETACH:
		return resume(t, request, data);
	default:
		return -EIO;
	}
}

static s64 seize(struct task *t, u64 addr, u64 options)
{
	s64 ret;

	if (addr || (options & ~(u64)PTRACE_O_MASK))
		return -EIO;
	ret = ptrace_check_options(options);
	return ret < 0 ? ret : ptrace_attach(t, true, (u32)options);
}

static s64 request_tracee(struct task *t, const struct sysargs *a)
{
	bool running = a->a[0] == PTRACE_KILL || a->a[0] == PTRACE_INTERRUPT;
	s64 ret;

	if (!ptrace_freeze(t, running))
		return -ESRCH;
	if (a->a[0] == PTRACE_KILL) {
		signal_send_task(t, SIGKILL, NULL);
		return 0;
	}
	if (running)
		return ptrace_interrupt(t);
	ret = request_stopped(t, a->a[0], a->a[2], a->a[3]);
	ptrace_thaw(t);
	return ret;
}

s64 sys_ptrace(struct task *t, const struct sysargs *a)
{
	struct task *other;
	s64 ret;

	if (a->a[0] == PTRACE_TRACEME)
		return ptrace_traceme(t);
	other = (int)a->a[1] > 0 ? task_find((int)a->a[1]) : NULL;
	if (!other)
		return -ESRCH;
	if (a->a[0] == PTRACE_ATTACH)
		ret = ptrace_attach(other, false, 0);
	else if (a->a[0] == PTRACE_SEIZE)
		ret = seize(other, a->a[2], a->a[3]);
	else
		ret = request_tracee(other, a);
	task_put(other);
	return ret;
}
