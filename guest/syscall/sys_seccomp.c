/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2) and its older form in prctl(2). */
#include <linux/capability.h>

#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/seccomp.h"
#include "task/seccomp.h"
#include "task/task.h"

#define SECCOMP_FLAGS \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
		SECCOMP_FILTER_FLAG_TSYNC_ESRCH)

static s64 seccomp_from_user(struct task *t, uaddr_t prog, u64 flags)
{
	struct sock_fprog p;
	struct sock_filter *insn;
	s64 ret;

	if (flags & ~(u64)SECCOMP_FLAGS)
		return -EINVAL;
	if (copy_from_user(&p, prog, sizeof(p)))
		return -EFAULT;
	if (!p.len || p.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!t->cred->no_new_privs && !capable_here(CAP_SYS_ADMIN))
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
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
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
