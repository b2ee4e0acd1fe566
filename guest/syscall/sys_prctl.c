/* SPDX-License-Identifier: Apache-2.0 */
/* prctl, arch_prctl and personality: one short function an option group. */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "lib/string.h"
#include "mm/as.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/seccomp.h"
#include "task/signal.h"

#define SECURE_BITS_KNOWN 0xffu

static s64 prctl_set_name(struct task *t, uaddr_t src)
{
	char name[sizeof(t->comm)];
	s64 n;

	memset(name, 0, sizeof(name));
	n = strncpy_from_user(name, src, sizeof(name));
	if (n == -ENAMETOOLONG && copy_from_user(name, src, sizeof(name) - 1) == 0)
		n = sizeof(name) - 1;
	if (n < 0)
		return n;
	name[sizeof(name) - 1] = '\0';
	memcpy(t->comm, name, sizeof(t->comm));
	str_copy(t->thread->name, t->comm, sizeof(t->thread->name));
	return 0;
}

static s64 prctl_bounding_drop(struct task *t, u64 cap)
{
	struct cred *c;

	if (!capable_here(CAP_SETPCAP))
		return -EPERM;
	if (cap >= CAP_COUNT)
		return -EINVAL;
	c = cred_dup(t->cred);
	if (!c)
		return -ENOMEM;
	c->cap_bounding &= ~(1UL << cap);
	cred_install(c);
	return 0;
}

static s64 prctl_ambient(struct task *t, const struct sysargs *a)
{
	u64 op = a->a[1];
	u64 cap = a->a[2];
	u64 bit;
	struct cred *c;

	if (a->a[3] || a->a[4] || (op == PR_CAP_AMBIENT_CLEAR_ALL && cap))
		return -EINVAL;
	if (op != PR_CAP_AMBIENT_CLEAR_ALL && cap >= CAP_COUNT)
		return -EINVAL;
	bit = op == PR_CAP_AMBIENT_CLEAR_ALL ? 0 : 1UL << cap;
	if (op == PR_CAP_AMBIENT_IS_SET)
		return (t->cred->cap_ambient & bit) != 0;
	if (op == PR_CAP_AMBIENT_RAISE &&
		(!(t->cred->cap_permitted & t->cred->cap_inheritable & bit) ||
			(t->cred->securebits & (1u << SECURE_NO_CAP_AMBIENT_RAISE))))
		return -EPERM;
	c = cred_dup(t->cred);
	if (!c)
		return -ENOMEM;
	switch (op) {
	case PR_CAP_AMBIENT_RAISE:
		c->cap_ambient |= bit;
		break;
	case PR_CAP_AMBIENT_LOWER:
		c->cap_ambient &= ~bit;
		break;
	case PR_CAP_AMBIENT_CLEAR_ALL:
		c->cap_ambient = 0;
		break;
	default:
		cred_put(c);
		return -EINVAL;
	}
	cred_install(c);
	return 0;
}

static s64 prctl_securebits(struct task *t, u32 bits)
{
	u32 old = t->cred->securebits;
	u32 locked = (old & SECURE_ALL_LOCKS) >> 1;
	struct cred *c;

	if ((bits & ~SECURE_BITS_KNOWN) || ((old ^ bits) & locked) ||
		(old & SECURE_ALL_LOCKS & ~bits) || !capable_here(CAP_SETPCAP))
		return -EPERM;
	c = cred_dup(t->cred);
	if (!c)
		return -ENOMEM;
	c->securebits = bits;
	cred_install(c);
	return 0;
}

static s64 prctl_keepcaps(struct task *t, u64 on)
{
	struct cred *c;

	if (on > 1)
		return -EINVAL;
	if (t->cred->securebits & (1u << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	c = cred_dup(t->cred);
	if (!c)
		return -ENOMEM;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	c->securebits |= (u32)on << SECURE_KEEP_CAPS;
	cred_install(c);
	return 0;
}

static s64 prctl_no_new_privs(struct task *t, const struct sysargs *a)
{
	if (a->a[1] != 1 || a->a[2] || a->a[3] || a->a[4])
		return -EINVAL;
	WRITE_ONCE(t->no_new_privs, true);
	return 0;
}

static s64 prctl_subreaper(struct task *t, u64 on)
{
	u64 flags = tree_lock();
	struct group *g;

	t->group->subreaper = on != 0;
	/* Descendants made before keep looking for one: the mark only speeds up the common case. */
	list_for_each_entry (g, &pid_ns_root.groups, ns_link)
		g->has_subreaper |= on != 0;
	tree_unlock(flags);
	return 0;
}

static s64 prctl_cred(struct task *t, const struct sysargs *a)
{
	switch ((int)a->a[0]) {
	case PR_CAPBSET_READ:
		return a->a[1] < CAP_COUNT ? (s64)(t->cred->cap_bounding >> a->a[1] & 1) : -EINVAL;
	case PR_CAPBSET_DROP:
		return prctl_bounding_drop(t, a->a[1]);
	case PR_CAP_AMBIENT:
		return prctl_ambient(t, a);
	case PR_GET_SECUREBITS:
		return t->cred->securebits;
	case PR_SET_SECUREBITS:
		return prctl_securebits(t, (u32)a->a[1]);
	case PR_GET_KEEPCAPS:
		return t->cred->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return prctl_keepcaps(t, a->a[1]);
	case PR_SET_NO_NEW_PRIVS:
		return prctl_no_new_privs(t, a);
	case PR_GET_NO_NEW_PRIVS:
		return a->a[1] || a->a[2] || a->a[3] || a->a[4] ? -EINVAL : t->no_new_privs;
	default:
		return -EINVAL;
	}
}

/* As Linux where no mitigation is on: nothing of it is a program's to change. What the host does for the whole machine is not seen here. */
static s64 speculation_get(u64 which)
{
	switch (which) {
	case PR_SPEC_STORE_BYPASS:
	case PR_SPEC_INDIRECT_BRANCH:
		return PR_SPEC_ENABLE;
	case PR_SPEC_L1D_FLUSH:
		return PR_SPEC_FORCE_DISABLE;
	default:
		return -ENODEV;
	}
}

static s64 speculation_set(u64 which, u64 control)
{
	switch (which) {
	case PR_SPEC_STORE_BYPASS:
		return -ENXIO;
	case PR_SPEC_INDIRECT_BRANCH:
		if (control == PR_SPEC_ENABLE)
			return 0;
		return control == PR_SPEC_DISABLE || control == PR_SPEC_FORCE_DISABLE ? -EPERM
										      : -ERANGE;
	case PR_SPEC_L1D_FLUSH:
		return -EPERM;
	default:
		return -ENODEV;
	}
}

s64 sys_prctl(struct task *t, const struct sysargs *a)
{
	u64 arg = a->a[1];
	u32 v;

	switch ((int)a->a[0]) {
	case PR_SET_NAME:
		return prctl_set_name(t, arg);
	case PR_GET_NAME:
		return copy_to_user(arg, t->comm, sizeof(t->comm));
	case PR_SET_PDEATHSIG:
		if (arg > SIG_MAX)
			return -EINVAL;
		t->pdeath_signal = (u32)arg;
		return 0;
	case PR_GET_PDEATHSIG:
		v = t->pdeath_signal;
		return put_user(v, arg);
	case PR_SET_DUMPABLE:
		if (arg > 1)
			return -EINVAL;
		t->group->dumpable = arg;
		return 0;
	case PR_GET_DUMPABLE:
		return t->group->dumpable;
	case PR_SET_CHILD_SUBREAPER:
		return prctl_subreaper(t, arg);
	case PR_GET_CHILD_SUBREAPER:
		v = t->group->subreaper;
		return put_user(v, arg);
	case PR_SET_TIMERSLACK:
		t->timer_slack = (s64)arg > 0 ? arg : t->timer_slack_default;
		return 0;
	case PR_GET_TIMERSLACK:
		return (s64)MIN(t->timer_slack, (u64)INT64_MAX);
	case PR_GET_TSC:
		v = arch_get_tsc() ? PR_TSC_ENABLE : PR_TSC_SIGSEGV;
		return put_user(v, arg);
	case PR_SET_TSC:
		if (arg != PR_TSC_ENABLE && arg != PR_TSC_SIGSEGV)
			return -EINVAL;
		return arch_set_tsc(arg == PR_TSC_ENABLE);
	case PR_GET_SPECULATION_CTRL:
		return a->a[2] || a->a[3] || a->a[4] ? -EINVAL : speculation_get(arg);
	case PR_SET_SPECULATION_CTRL:
		return a->a[3] || a->a[4] ? -EINVAL : speculation_set(arg, a->a[2]);
	case PR_GET_THP_DISABLE:
		return a->a[1] || a->a[2] || a->a[3] || a->a[4] ? -EINVAL
								: READ_ONCE(t->as->no_huge);
	case PR_SET_THP_DISABLE:
		if (a->a[2] || a->a[3] || a->a[4])
			return -EINVAL;
		WRITE_ONCE(t->as->no_huge, arg != 0);
		return 0;
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_GET_SECCOMP:
		return t->seccomp_mode;
	case PR_SET_SECCOMP:
		return prctl_set_seccomp(t, arg, a->a[2]);
	default:
		return prctl_cred(t, a);
	}
}

s64 sys_arch_prctl(struct task *t, const struct sysargs *a)
{
	u64 v = a->a[1];

	switch ((int)a->a[0]) {
	case ARCH_SET_FS:
		if (v >= USER_TOP)
			return -EPERM;
		arch_set_fsbase(v);
		return 0;
	case ARCH_SET_GS:
		if (v >= USER_TOP)
			return -EPERM;
		arch_set_gsbase(v);
		return 0;
	case ARCH_GET_FS:
		v = arch_get_fsbase();
		return put_user(v, a->a[1]);
	case ARCH_GET_GS:
		v = arch_get_gsbase();
		return put_user(v, a->a[1]);
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	default:
		return -EINVAL;
	}
}

s64 sys_personality(struct task *t, const struct sysargs *a)
{
	u32 old = t->personality;

	if ((u32)a->a[0] != 0xffffffffu)
		t->personality = (u32)a->a[0];
	return old;
}
