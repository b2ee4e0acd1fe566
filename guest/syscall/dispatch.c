/* SPDX-License-Identifier: Apache-2.0 */
/* From a system call number to its handler. The table is the union of all table_AREA.def; what it does not name is ENOSYS. */
#include "syscall/syscall.h"

#include <asm/unistd.h>

#include "arch.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "syscall/handlers.h"
#include "syscall/trace.h"
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

void syscall_dispatch(struct regs *r)
{
	struct task *t = task_current();
	struct sysargs a = { { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 } };
	u64 nr = r->orig_rax;
	syscall_fn fn = nr < ARRAY_SIZE(dispatch_table) ? dispatch_table[nr] : NULL;
	bool traced = trace_calls_on();
	s64 ret;

	if (traced)
		trace_enter(t, nr, &a);
	if (likely(!READ_ONCE(t->seccomp_mode)) || seccomp_check(t, r, &ret))
		ret = likely(fn) ? fn(t, &a) : dispatch_unknown(t, nr);
	if (traced)
		trace_leave(t, nr, &a, ret);
	r->rax = (u64)ret;
	/* Only the signal code turns these into something that a program may see. */
	if (unlikely(ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK))
		t->thread->interrupted = true;
}
