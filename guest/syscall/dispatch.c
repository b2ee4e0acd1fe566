/* SPDX-License-Identifier: Apache-2.0 */
/* From a system call number to its handler. The table is the union of all table_AREA.def; what it does not name is ENOSYS. */
#include "syscall/syscall.h"

#include <asm/unistd.h>

#include "arch.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "syscall/compat.h"
#include "syscall/handlers.h"
#include "syscall/trace.h"
#include "task/ptrace.h"
#include "task/seccomp.h"
#include "task/task.h"

#define SYSCALL_COUNT 451 /* Linux 6.1 */

static const syscall_fn dispatch_table[] = {
#define SYS(name, handler, args, level, note) [__NR_##name] = handler,
#include "syscall/table.def"
#undef SYS
};
_Static_assert(
	ARRAY_SIZE(dispatch_table) <= SYSCALL_COUNT, "a number that Linux 6.1 does not have");

/* At most one line in a hundred milliseconds: a program can cause it at will. */
static s64 dispatch_unknown(const struct task *t, u64 nr)
{
	static u64 next; /* atomic */
	u64 now = clock_monotonic();
	u64 due = atomic_load(&next);

	if (now >= due && atomic_cas(&next, &due, now + 100 * NSEC_PER_MSEC))
		log_debug("syscall: number %lu of %s[%d] is not implemented", nr, t->comm, t->tid);
	return -ENOSYS;
}

s64 sys_denied(struct task *t, const struct sysargs *a)
{
	return -EPERM;
}

static inline struct sysargs dispatch_args(const struct regs *r, bool compat)
{
	struct sysargs a;

	regs_call_args(r, compat, a.a);
	return a;
}

/* The upper half of RAX is nobody's, as in Linux. */
static inline u32 dispatch_number(const struct regs *r, bool compat)
{
	return compat ? compat_number((u32)r->orig_rax) : (u32)r->orig_rax;
}

static inline s64 dispatch_run(struct task *t, u32 nr, const struct sysargs *a)
{
	syscall_fn fn = nr < ARRAY_SIZE(dispatch_table) ? dispatch_table[nr] : NULL;

	return likely(fn) ? fn(t, a) : dispatch_unknown(t, nr);
}

/* A tracer or a filter looks at the call first, and may change it or leave it out: then its result is what they put into RAX. */
static s64 dispatch_watched(struct task *t, struct regs *r, u32 work, bool compat)
{
	struct sysargs a;
	s64 ret;

	if ((work & (CALL_TRACE | CALL_EMULATE)) &&
		(!ptrace_call_enter(t) || (work & CALL_EMULATE)))
		return (s64)r->rax;
	if ((work & CALL_SECCOMP) && !seccomp_check(t, r, &ret))
		return ret;
	if ((int)r->orig_rax == -1)
		return (s64)r->rax;
	a = dispatch_args(r, compat);
	return dispatch_run(t, dispatch_number(r, compat), &a);
}

/* Inlined: stacks show the entry that it belongs to. */
__attribute__((always_inline)) static inline void dispatch(struct regs *r, bool compat)
{
	struct task *t = task_current();
	struct sysargs a = dispatch_args(r, compat);
	u32 nr = dispatch_number(r, compat);
	u32 work = READ_ONCE(t->call_work);
	bool traced = trace_calls_on();
	s64 ret;

	if (traced)
		trace_enter(t, nr, &a);
	ret = likely(!work) ? dispatch_run(t, nr, &a) : dispatch_watched(t, r, work, compat);
	if (traced)
		trace_leave(t, nr, &a, ret);
	r->rax = (u64)ret;
	if (unlikely(READ_ONCE(t->call_work) & ~CALL_SECCOMP)) {
		ptrace_call_leave(t, r);
		ret = (s64)r->rax;
	}
	/* Only the signal code turns these into something that a program may see. */
	if (unlikely(ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK))
		t->thread->interrupted = true;
}

void syscall_dispatch(struct regs *r)
{
	dispatch(r, false);
}

void syscall_dispatch_compat(struct regs *r)
{
	struct task *t = task_current();

	t->compat_call = true;
	dispatch(r, true);
	t->compat_call = false;
}
