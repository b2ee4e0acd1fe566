/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restartable sequences, rseq(2): a program keeps the CPU's number in memory of its own and marks short critical sections; when the
 * thread was switched out, or a signal comes, inside of one, it goes on at the section's abort handler instead. Linux 6.1 semantics: the area has 32
 * bytes, the inhibit flags are refused.
 */
#include "task/rseq.h"

#include <linux/rseq.h>

#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "task/task.h"

#define RSEQ_SIZE sizeof(struct rseq)

static int rseq_store_cpu(struct task *t, u32 start, u32 cpu)
{
	u32 ids[2] = { start, cpu };

	return copy_to_user(t->rseq, ids, sizeof(ids));
}

/* The descriptor at p is what the program says it is: sane addresses, and its own signature before the abort handler. */
static int rseq_check(struct task *t, uaddr_t p, struct rseq_cs *cs)
{
	u64 end;
	u32 sig;

	if (p >= USER_TOP || copy_from_user(cs, p, sizeof(*cs)))
		return -EFAULT;
	if (cs->version || cs->flags ||
		__builtin_add_overflow(cs->start_ip, cs->post_commit_offset, &end) ||
		end >= USER_TOP || cs->abort_ip >= USER_TOP || cs->abort_ip < sizeof(sig))
		return -EINVAL;
	if (cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return -EINVAL;
	if (get_user(sig, cs->abort_ip - sizeof(sig)))
		return -EFAULT;
	return sig == t->rseq_sig ? 0 : -EINVAL;
}

/* Leave the critical section that r stands in, if any. 0 or -errno. */
static int rseq_leave(struct task *t, struct regs *r)
{
	struct rseq_cs cs;
	u64 p;
	u32 flags;
	int ret;

	if (get_user(p, t->rseq + offsetof(struct rseq, rseq_cs)))
		return -EFAULT;
	if (likely(!p))
		return 0;
	ret = rseq_check(t, p, &cs);
	if (ret)
		return ret;
	if (r->rip - cs.start_ip < cs.post_commit_offset) {
		if (get_user(flags, t->rseq + offsetof(struct rseq, flags)))
			return -EFAULT;
		if (flags)
			return -EINVAL;
		r->rip = cs.abort_ip;
	}
	return put_user(0UL, t->rseq + offsetof(struct rseq, rseq_cs));
}

void rseq_signal(struct task *t, struct regs *r)
{
	if (t->rseq && rseq_leave(t, r))
		signal_force_fault(SIGSEGV, SI_KERNEL, 0);
}

void task_resumed(struct regs *r)
{
	struct task *t = task_current();
	u32 cpu = cpu_id();

	/* Cleared first: another switch from here on asks for another look. */
	WRITE_ONCE(t->thread->resumed, false);
	if (!t->rseq)
		return;
	if (rseq_leave(t, r) || rseq_store_cpu(t, cpu, cpu))
		signal_force_fault(SIGSEGV, SI_KERNEL, 0);
}

void rseq_forget(struct task *t)
{
	t->rseq = 0;
	t->thread->rseq = false;
}

void rseq_inherit(struct task *t, const struct task *parent)
{
	t->rseq = parent->rseq;
	t->rseq_sig = parent->rseq_sig;
	t->thread->rseq = t->rseq != 0;
	t->thread->resumed = t->thread->rseq;
}

static s64 rseq_unregister(struct task *t, uaddr_t area, u64 len, u32 sig)
{
	if (!t->rseq || t->rseq != area || len != RSEQ_SIZE)
		return -EINVAL;
	if (sig != t->rseq_sig)
		return -EPERM;
	if (rseq_store_cpu(t, 0, (u32)RSEQ_CPU_ID_UNINITIALIZED))
		return -EFAULT;
	rseq_forget(t);
	return 0;
}

s64 sys_rseq(struct task *t, const struct sysargs *a)
{
	uaddr_t area = a->a[0];
	u64 len = (u32)a->a[1];
	u32 flags = (u32)a->a[2], sig = (u32)a->a[3];

	if (flags & RSEQ_FLAG_UNREGISTER)
		return flags == RSEQ_FLAG_UNREGISTER ? rseq_unregister(t, area, len, sig) : -EINVAL;
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != area || len != RSEQ_SIZE)
			return -EINVAL;
		return sig == t->rseq_sig ? -EBUSY : -EPERM;
	}
	if (area % RSEQ_SIZE || len != RSEQ_SIZE)
		return -EINVAL;
	if (area >= USER_TOP - RSEQ_SIZE)
		return -EFAULT;
	t->rseq = area;
	t->rseq_sig = sig;
	t->thread->rseq = true;
	/* The numbers are stored on the way back. */
	WRITE_ONCE(t->thread->resumed, true);
	return 0;
}
