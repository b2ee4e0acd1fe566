/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2) and its older form in prctl(2). */
#include <linux/capability.h>
#include <linux/ptrace.h>

#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/seccomp.h"
#include "task/seccomp.h"
#include "task/task.h"

#define SECCOMP_FLAGS \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
		SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER | \
		SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

static bool seccomp_flags_fit(u64 flags)
{
	u64 both = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER;

	if (flags & ~(u64)SECCOMP_FLAGS)
		return false;
	/* What would a positive number mean? */
	if ((flags & both) == both && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return false;
	return !(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) ||
	       (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static s64 seccomp_from_user(struct task *t, uaddr_t prog, u64 flags)
{
	struct sock_fprog p;
	struct sock_filter *insn;
	s64 ret;

	if (!seccomp_flags_fit(flags))
		return -EINVAL;
	if (copy_from_user(&p, prog, sizeof(p)))
		return -EFAULT;
	if (!p.len || p.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!t->no_new_privs && !capable_here(CAP_SYS_ADMIN))
		return -EACCES;
	insn = kmalloc(p.len * sizeof(*insn));
	if (!insn)
		return -ENOMEM;
	if (copy_from_user(insn, (uaddr_t)p.filter, p.len * sizeof(*insn)))
		ret = -EFAULT;
	else
		ret = seccomp_set_filter(t, insn, p.len, (u32)flags);
	kfree(insn);
	return ret;
}

static s64 seccomp_action_avail(u64 flags, uaddr_t arg)
{
	u32 action;

	if (flags)
		return -EINVAL;
	if (copy_from_user(&action, arg, sizeof(action)))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static s64 seccomp_notif_sizes(u64 flags, uaddr_t arg)
{
	const struct seccomp_notif_sizes sizes = {
		.seccomp_notif = sizeof(struct seccomp_notif),
		.seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
		.seccomp_data = sizeof(struct seccomp_data),
	};

	return flags ? -EINVAL : copy_to_user(arg, &sizes, sizeof(sizes));
}

s64 sys_seccomp(struct task *t, const struct sysargs *a)
{
	switch ((u32)a->a[0]) {
	case SECCOMP_SET_MODE_STRICT:
		return (u32)a->a[1] || a->a[2] ? -EINVAL : seccomp_set_strict(t);
	case SECCOMP_SET_MODE_FILTER:
		return seccomp_from_user(t, a->a[2], (u32)a->a[1]);
	case SECCOMP_GET_ACTION_AVAIL:
		return seccomp_action_avail((u32)a->a[1], a->a[2]);
	case SECCOMP_GET_NOTIF_SIZES:
		return seccomp_notif_sizes((u32)a->a[1], a->a[2]);
	default:
		return -EINVAL;
	}
}

s64 prctl_set_seccomp(struct task *t, u64 mode, uaddr_t prog)
{
	switch (mode) {
	case SECCOMP_MODE_STRICT:
		return seccomp_set_strict(t);
	case SECCOMP_MODE_FILTER:
		return seccomp_from_user(t, prog, 0);
	default:
		return -EINVAL;
	}
}

/* ---- a tracer looks at a tracee's filters ---- */

static s64 traced_filter(struct task *t, u64 n, struct seccomp_filter **out)
{
	if (!capable(CAP_SYS_ADMIN) || task_current()->seccomp_mode)
		return -EACCES;
	return seccomp_filter_of(t, n, out);
}

s64 ptrace_seccomp_filter(struct task *t, u64 n, uaddr_t to)
{
	struct seccomp_filter *f;
	s64 ret = traced_filter(t, n, &f);

	if (ret < 0)
		return ret;
	ret = f->n;
	if (to && copy_to_user(to, f->insn, f->n * sizeof(f->insn[0])) < 0)
		ret = -EFAULT;
	seccomp_filter_put(f);
	return ret;
}

s64 ptrace_seccomp_metadata(struct task *t, u64 size, uaddr_t at)
{
	struct seccomp_metadata md = { 0 };
	struct seccomp_filter *f;
	s64 ret;

	size = MIN(size, sizeof(md));
	if (!capable(CAP_SYS_ADMIN) || task_current()->seccomp_mode)
		return -EACCES;
	if (size < sizeof(md.filter_off))
		return -EINVAL;
	if (get_user(md.filter_off, at) < 0)
		return -EFAULT;
	ret = traced_filter(t, md.filter_off, &f);
	if (ret < 0)
		return ret;
	md.flags = f->log ? SECCOMP_FILTER_FLAG_LOG : 0;
	seccomp_filter_put(f);
	return copy_to_user(at, &md, size) < 0 ? -EFAULT : (s64)size;
}
