/* SPDX-License-Identifier: Apache-2.0 */
/* User and group ids, supplementary groups, capabilities. Each change copies the credentials, checks, and publishes the copy. */
#include <linux/capability.h>

#include "lib/string.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "task/signal.h"
#include "task/user_ns.h"

#define ID_KEEP 0xffffffffu

s64 sys_getuid(struct task *t, const struct sysargs *a)
{
	return uid_shown(t->cred->uid);
}

s64 sys_geteuid(struct task *t, const struct sysargs *a)
{
	return uid_shown(t->cred->euid);
}

s64 sys_getgid(struct task *t, const struct sysargs *a)
{
	return gid_shown(t->cred->gid);
}

s64 sys_getegid(struct task *t, const struct sysargs *a)
{
	return gid_shown(t->cred->egid);
}

static s64 cred_put_three(const struct sysargs *a, u32 x, u32 y, u32 z)
{
	if (put_user(x, a->a[0]) < 0 || put_user(y, a->a[1]) < 0 || put_user(z, a->a[2]) < 0)
		return -EFAULT;
	return 0;
}

s64 sys_getresuid(struct task *t, const struct sysargs *a)
{
	return cred_put_three(
		a, uid_shown(t->cred->uid), uid_shown(t->cred->euid), uid_shown(t->cred->suid));
}

s64 sys_getresgid(struct task *t, const struct sysargs *a)
{
	return cred_put_three(
		a, gid_shown(t->cred->gid), gid_shown(t->cred->egid), gid_shown(t->cred->sgid));
}

/* Publish c; a process whose ids changed is not dumpable any more. */
static s64 cred_commit(struct task *t, struct cred *c, s64 ret)
{
	const struct cred *old = t->cred;

	if (ret < 0) {
		cred_put(c);
		return ret;
	}
	if (c->euid != old->euid || c->egid != old->egid || c->fsuid != old->fsuid ||
		c->fsgid != old->fsgid) {
		t->group->dumpable = false;
		t->pdeath_signal = 0;
	}
	cred_install(c);
	return 0;
}

/* An argument of the set calls: ID_KEEP is the old id. False: not mapped. */
static bool cred_arg_uid(u64 arg, u32 keep, u32 *out)
{
	*out = (u32)arg == ID_KEEP ? keep : uid_to_kernel((u32)arg);
	return *out != ID_NONE;
}

static bool cred_arg_gid(u64 arg, u32 keep, u32 *out)
{
	*out = (u32)arg == ID_KEEP ? keep : gid_to_kernel((u32)arg);
	return *out != ID_NONE;
}

static bool cred_is_uid(const struct cred *c, u32 uid)
{
	return uid == c->uid || uid == c->euid || uid == c->suid;
}

static bool cred_is_gid(const struct cred *c, u32 gid)
{
	return gid == c->gid || gid == c->egid || gid == c->sgid;
}

/* The new real user has its own account; over its limit, exec will tell (as Linux), here it is only counted. */
static s64 cred_apply_uids(struct task *t, struct cred *c, u32 uid, u32 euid, u32 suid)
{
	const struct cred *old = t->cred;

	if (uid != old->uid && cred_set_user(c, uid) < 0)
		return -ENOMEM;
	c->euid = euid;
	c->fsuid = euid;
	c->suid = suid;
	cred_fix_caps(c, old);
	return 0;
}

s64 sys_setuid(struct task *t, const struct sysargs *a)
{
	u32 uid = uid_to_kernel((u32)a->a[0]);
	const struct cred *old = t->cred;
	struct cred *c;
	s64 ret;

	if (uid == ID_NONE)
		return -EINVAL;
	if (!capable_here(CAP_SETUID) && uid != old->uid && uid != old->suid)
		return -EPERM;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	if (capable_here(CAP_SETUID))
		ret = cred_apply_uids(t, c, uid, uid, uid);
	else
		ret = cred_apply_uids(t, c, old->uid, uid, old->suid);
	return cred_commit(t, c, ret);
}

s64 sys_setreuid(struct task *t, const struct sysargs *a)
{
	const struct cred *old = t->cred;
	u32 suid = old->suid;
	u32 ruid, euid;
	struct cred *c;

	if (!cred_arg_uid(a->a[0], old->uid, &ruid) || !cred_arg_uid(a->a[1], old->euid, &euid))
		return -EINVAL;
	if (!capable_here(CAP_SETUID) &&
		((ruid != old->uid && ruid != old->euid) || !cred_is_uid(old, euid)))
		return -EPERM;
	if ((u32)a->a[0] != ID_KEEP || ((u32)a->a[1] != ID_KEEP && euid != old->uid))
		suid = euid;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	return cred_commit(t, c, cred_apply_uids(t, c, ruid, euid, suid));
}

s64 sys_setresuid(struct task *t, const struct sysargs *a)
{
	const struct cred *old = t->cred;
	u32 ruid, euid, suid;
	struct cred *c;

	if (!cred_arg_uid(a->a[0], old->uid, &ruid) || !cred_arg_uid(a->a[1], old->euid, &euid) ||
		!cred_arg_uid(a->a[2], old->suid, &suid))
		return -EINVAL;
	if (!capable_here(CAP_SETUID) &&
		(!cred_is_uid(old, ruid) || !cred_is_uid(old, euid) || !cred_is_uid(old, suid)))
		return -EPERM;
	c = cred_dup(old);
	if (!c)
		return -ENOMEM;
	return cred_commit(t, c, cred_apply_uids(t, c, ruid, euid, suid));
}

static s64 cred_apply_gids(struct task *t, u32 gid, u32 egid, u32 sgid)
{
	struct cred *c = cred_dup(t->cred);

	if (!c)
		return -ENOMEM;
	c->gid = gid;
	c->egid = egid;
	c->fsgid = egid;
	c->sgid = sgid;
	return cred_commit(t, c, 0);
}

s64 sys_setgid(struct task *t, const struct sysargs *a)
{
	u32 gid = gid_to_kernel((u32)a->a[0]);
	const struct cred *old = t->cred;

	if (gid == ID_NONE)
		return -EINVAL;
	if (capable_here(CAP_SETGID))
		return cred_apply_gids(t, gid, gid, gid);
	if (gid != old->gid && gid != old->sgid)
		return -EPERM;
	return cred_apply_gids(t, old->gid, gid, old->sgid);
}

s64 sys_setregid(struct task *t, const struct sysargs *a)
{
	const struct cred *old = t->cred;
	u32 sgid = old->sgid;
	u32 rgid, egid;

	if (!cred_arg_gid(a->a[0], old->gid, &rgid) || !cred_arg_gid(a->a[1], old->egid, &egid))
		return -EINVAL;
	if (!capable_here(CAP_SETGID) &&
		((rgid != old->gid && rgid != old->egid) || !cred_is_gid(old, egid)))
		return -EPERM;
	if ((u32)a->a[0] != ID_KEEP || ((u32)a->a[1] != ID_KEEP && egid != old->gid))
		sgid = egid;
	return cred_apply_gids(t, rgid, egid, sgid);
}

s64 sys_setresgid(struct task *t, const struct sysargs *a)
{
	const struct cred *old = t->cred;
	u32 rgid, egid, sgid;

	if (!cred_arg_gid(a->a[0], old->gid, &rgid) || !cred_arg_gid(a->a[1], old->egid, &egid) ||
		!cred_arg_gid(a->a[2], old->sgid, &sgid))
		return -EINVAL;
	if (!capable_here(CAP_SETGID) &&
		(!cred_is_gid(old, rgid) || !cred_is_gid(old, egid) || !cred_is_gid(old, sgid)))
		return -EPERM;
	return cred_apply_gids(t, rgid, egid, sgid);
}

/* Both return the old id, also when nothing changed. */
s64 sys_setfsuid(struct task *t, const struct sysargs *a)
{
	u32 uid = uid_to_kernel((u32)a->a[0]);
	u32 old = t->cred->fsuid;
	struct cred *c;

	if (uid == ID_NONE || uid == old ||
		(!cred_is_uid(t->cred, uid) && !capable_here(CAP_SETUID)))
		return uid_shown(old);
	c = cred_dup(t->cred);
	if (!c)
		return uid_shown(old);
	c->fsuid = uid;
	cred_fix_fs_caps(c, old);
	(void)cred_commit(t, c, 0);
	return uid_shown(old);
}

s64 sys_setfsgid(struct task *t, const struct sysargs *a)
{
	u32 gid = gid_to_kernel((u32)a->a[0]);
	u32 old = t->cred->fsgid;
	struct cred *c;

	if (gid == ID_NONE || gid == old ||
		(!cred_is_gid(t->cred, gid) && !capable_here(CAP_SETGID)))
		return gid_shown(old);
	c = cred_dup(t->cred);
	if (!c)
		return gid_shown(old);
	c->fsgid = gid;
	(void)cred_commit(t, c, 0);
	return gid_shown(old);
}

s64 sys_getgroups(struct task *t, const struct sysargs *a)
{
	int size = (int)a->a[0];
	const struct cred *c = t->cred;
	u32 i;

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return c->ngroups;
	if ((u32)size < c->ngroups)
		return -EINVAL;
	for (i = 0; i < c->ngroups; i++) {
		if (put_user(gid_shown(c->groups[i]), a->a[1] + i * sizeof(u32)) < 0)
			return -EFAULT;
	}
	return c->ngroups;
}

s64 sys_setgroups(struct task *t, const struct sysargs *a)
{
	u32 n = (u32)a->a[0];
	u32 *groups = NULL;
	struct cred *c;
	u32 i;
	s64 ret = 0;

	if (!capable_here(CAP_SETGID) || !user_ns_may_setgroups(t->cred->user_ns))
		return -EPERM;
	if (n > CRED_NGROUPS_MAX)
		return -EINVAL;
	if (n) {
		groups = kmalloc(n * sizeof(*groups));
		if (!groups)
			return -ENOMEM;
		if (copy_from_user(groups, a->a[1], n * sizeof(*groups)) < 0) {
			kfree(groups);
			return -EFAULT;
		}
	}
	for (i = 0; i < n && ret == 0; i++) {
		groups[i] = gid_to_kernel(groups[i]);
		ret = groups[i] == ID_NONE ? -EINVAL : 0;
	}
	if (ret < 0) {
		kfree(groups);
		return ret;
	}
	c = cred_dup(t->cred);
	ret = c ? cred_set_groups(c, groups, n) : -ENOMEM;
	kfree(groups);
	return cred_commit(t, c, ret);
}

/* 32-bit halves per set; versions 2 and 3 have two. */
static s64 cap_version(uaddr_t header, struct __user_cap_header_struct *h, u32 *words)
{
	u32 version = _LINUX_CAPABILITY_VERSION_3;

	if (copy_from_user(h, header, sizeof(*h)) < 0)
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = _LINUX_CAPABILITY_U32S_1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = _LINUX_CAPABILITY_U32S_3;
		return 0;
	default:
		if (put_user(version, header) < 0)
			return -EFAULT;
		return -EINVAL;
	}
}

s64 sys_capget(struct task *t, const struct sysargs *a)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2];
	struct task *other;
	struct cred *c;
	u32 words, i;
	s64 ret = cap_version(a->a[0], &h, &words);

	/* Asking with no data only finds the version. */
	if (ret == -EINVAL && !a->a[1])
		return 0;
	if (ret < 0)
		return ret;
	if (h.pid < 0)
		return -EINVAL;
	other = h.pid ? task_find(h.pid) : NULL;
	if (h.pid && !other)
		return -ESRCH;
	c = task_cred(other ? other : t);
	for (i = 0; i < words; i++) {
		d[i].effective = (u32)(c->cap_effective >> (32 * i));
		d[i].permitted = (u32)(c->cap_permitted >> (32 * i));
		d[i].inheritable = (u32)(c->cap_inheritable >> (32 * i));
	}
	cred_put(c);
	task_put(other);
	return a->a[1] ? copy_to_user(a->a[1], d, words * sizeof(d[0])) : 0;
}

static s64 cap_check(const struct cred *old, u64 e, u64 p, u64 i)
{
	if ((p & ~old->cap_permitted) || (e & ~p))
		return -EPERM;
	if ((i & ~(old->cap_inheritable | old->cap_permitted)) && !cred_has_cap(old, CAP_SETPCAP))
		return -EPERM;
	if (i & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	return 0;
}

s64 sys_capset(struct task *t, const struct sysargs *a)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2] = { { 0 } };
	u64 e = 0, p = 0, inh = 0;
	struct cred *c;
	u32 words, i;
	s64 ret = cap_version(a->a[0], &h, &words);

	if (ret < 0)
		return ret;
	if (h.pid && h.pid != t->tid)
		return -EPERM;
	if (copy_from_user(d, a->a[1], words * sizeof(d[0])) < 0)
		return -EFAULT;
	for (i = 0; i < words; i++) {
		e |= (u64)d[i].effective << (32 * i);
		p |= (u64)d[i].permitted << (32 * i);
		inh |= (u64)d[i].inheritable << (32 * i);
	}
	e &= CAP_ALL;
	p &= CAP_ALL;
	inh &= CAP_ALL;
	ret = cap_check(t->cred, e, p, inh);
	if (ret < 0)
		return ret;
	c = cred_dup(t->cred);
	if (!c)
		return -ENOMEM;
	c->cap_effective = e;
	c->cap_permitted = p;
	c->cap_inheritable = inh;
	c->cap_ambient &= p & inh;
	return cred_commit(t, c, 0);
}
