/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials and the accounts of real users. A struct cred never changes once a task carries it: a change makes a copy. The capability
 * rules are those of capabilities(7).
 */
#include "task/cred.h"

#include <linux/capability.h>
#include <linux/securebits.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"
#include "task/user_ns.h"

#define MODE_SETUID	04000u
#define MODE_SETGID	02000u
#define MODE_GROUP_EXEC 00010u
#define CAP_BIT(c)	(1UL << (c))
/* What a change of the file-system user id gives and takes. */
#define CAP_FS_SET \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
		CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) | \
		CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_MAC_OVERRIDE))

static struct spinlock user_lock; /* protects: user_list */
static struct list_head user_list = LIST_HEAD_INIT(user_list);
static struct spinlock cred_lock; /* protects: the cred pointer of every task */

struct user_acct *user_get(u32 uid)
{
	struct user_acct *fresh = kzalloc(sizeof(*fresh));
	struct user_acct *u;
	u64 flags = spin_lock_irq(&user_lock);

	list_for_each_entry (u, &user_list, link) {
		if (u->uid == uid) {
			ref_get(&u->ref);
			spin_unlock_irq(&user_lock, flags);
			kfree(fresh);
			return u;
		}
	}
	if (fresh) {
		ref_init(&fresh->ref);
		fresh->uid = uid;
		list_add(&user_list, &fresh->link);
	}
	spin_unlock_irq(&user_lock, flags);
	return fresh;
}

void user_ref(struct user_acct *u)
{
	ref_get(&u->ref);
}

void user_put(struct user_acct *u)
{
	u64 flags;

	if (!u)
		return;
	flags = spin_lock_irq(&user_lock);
	if (!ref_put(&u->ref)) {
		spin_unlock_irq(&user_lock, flags);
		return;
	}
	list_del(&u->link);
	spin_unlock_irq(&user_lock, flags);
	kfree(u);
}

struct cred *cred_create(void)
{
	struct cred *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->ref);
	c->cap_permitted = CAP_ALL;
	c->cap_effective = CAP_ALL;
	c->cap_bounding = CAP_ALL;
	c->user = user_get(0);
	if (!c->user) {
		kfree(c);
		return NULL;
	}
	user_ns_get(&user_ns_root);
	c->user_ns = &user_ns_root;
	return c;
}

struct cred *cred_dup(const struct cred *old)
{
	struct cred *c = kmalloc(sizeof(*c));

	if (!c)
		return NULL;
	*c = *old;
	ref_init(&c->ref);
	c->groups = NULL;
	c->ngroups = 0;
	if (cred_set_groups(c, old->groups, old->ngroups) < 0) {
		kfree(c);
		return NULL;
	}
	user_ref(c->user);
	user_ns_get(c->user_ns);
	return c;
}

void cred_get(struct cred *c)
{
	ref_get(&c->ref);
}

void cred_put(struct cred *c)
{
	if (!c || !ref_put(&c->ref))
		return;
	user_put(c->user);
	user_ns_put(c->user_ns);
	kfree(c->groups);
	kfree(c);
}

/* Heap sort: no recursion, no bad case, whatever order the program gives. */
static void cred_sift(u32 *v, u32 root, u32 n)
{
	for (;;) {
		u32 child = 2 * root + 1;
		u32 tmp;

		if (child >= n)
			return;
		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (v[root] >= v[child])
			return;
		tmp = v[root];
		v[root] = v[child];
		v[child] = tmp;
		root = child;
	}
}

static void cred_sort(u32 *v, u32 n)
{
	u32 i;

	for (i = n / 2; i-- > 0;)
		cred_sift(v, i, n);
	for (i = n; i-- > 1;) {
		u32 tmp = v[0];

		v[0] = v[i];
		v[i] = tmp;
		cred_sift(v, 0, i);
	}
}

int cred_set_groups(struct cred *c, const u32 *groups, u32 n)
{
	u32 *copy = NULL;

	if (n) {
		copy = kmalloc(n * sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, groups, n * sizeof(*copy));
		cred_sort(copy, n);
	}
	kfree(c->groups);
	c->groups = copy;
	c->ngroups = n;
	return 0;
}

int cred_set_user(struct cred *c, u32 uid)
{
	struct user_acct *u = user_get(uid);

	if (!u)
		return -ENOMEM;
	user_put(c->user);
	c->user = u;
	c->uid = uid;
	return 0;
}

bool cred_in_group(const struct cred *c, u32 gid)
{
	u32 lo = 0;
	u32 hi = c->ngroups;

	if (gid == c->fsgid)
		return true;
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* Kernel threads act as root. */
static struct cred cred_kernel = {
	.ref = { 1 },
	.cap_permitted = CAP_ALL,
	.cap_effective = CAP_ALL,
	.cap_bounding = CAP_ALL,
	.user_ns = &user_ns_root,
};

const struct cred *cred_current(void)
{
	struct task *t = task_current();

	return t ? t->cred : &cred_kernel;
}

struct cred *task_cred(struct task *t)
{
	u64 flags = spin_lock_irq(&cred_lock);
	struct cred *c = t->cred;

	cred_get(c);
	spin_unlock_irq(&cred_lock, flags);
	return c;
}

void cred_install(struct cred *c)
{
	struct task *t = task_current();
	struct cred *old;
	u64 flags;

	flags = spin_lock_irq(&cred_lock);
	old = t->cred;
	t->cred = c;
	spin_unlock_irq(&cred_lock, flags);
	if (old->user != c->user) {
		atomic_sub(&old->user->nproc, 1);
		atomic_add(&c->user->nproc, 1);
	}
	cred_put(old);
}

bool cred_has_cap(const struct cred *c, int cap)
{
	return cap >= 0 && cap < CAP_COUNT && (c->cap_effective >> cap & 1);
}

bool capable(int cap)
{
	return ns_capable(&user_ns_root, cap);
}

bool capable_here(int cap)
{
	return cred_has_cap(cred_current(), cap);
}

static bool cred_any_root(const struct cred *c)
{
	u32 root = cred_root(c);

	return c->uid == root || c->euid == root || c->suid == root;
}

void cred_fix_caps(struct cred *c, const struct cred *old)
{
	u32 root = cred_root(old);

	if (c->securebits & (1u << SECURE_NO_SETUID_FIXUP))
		return;
	if (cred_any_root(old) && !cred_any_root(c)) {
		if (!(c->securebits & (1u << SECURE_KEEP_CAPS))) {
			c->cap_permitted = 0;
			c->cap_effective = 0;
		}
		c->cap_ambient = 0;
	}
	if (old->euid == root && c->euid != root)
		c->cap_effective = 0;
	if (old->euid != root && c->euid == root)
		c->cap_effective = c->cap_permitted;
	cred_fix_fs_caps(c, old->fsuid);
}

void cred_fix_fs_caps(struct cred *c, u32 old_fsuid)
{
	u32 root = cred_root(c);

	if (c->securebits & (1u << SECURE_NO_SETUID_FIXUP))
		return;
	if (old_fsuid == root && c->fsuid != root)
		c->cap_effective &= ~CAP_FS_SET;
	if (old_fsuid != root && c->fsuid == root)
		c->cap_effective |= c->cap_permitted & CAP_FS_SET;
}

bool cred_exec(struct cred *c, const struct cred_exec_file *f)
{
	const u32 old_euid = c->euid;
	const u32 old_egid = c->egid;
	const u32 root_uid = cred_root(c);
	/* Ids that mean nothing where the task lives are not taken over. */
	bool may_change = !f->nosuid && !f->no_new_privs &&
			  id_from_kernel(&c->user_ns->uid, f->uid) != ID_NONE &&
			  id_from_kernel(&c->user_ns->gid, f->gid) != ID_NONE;
	bool root, changed;
	u64 old_permitted = c->cap_permitted;

	if (may_change && (f->mode & MODE_SETUID))
		c->euid = f->uid;
	if (may_change &&
		(f->mode & (MODE_SETGID | MODE_GROUP_EXEC)) == (MODE_SETGID | MODE_GROUP_EXEC))
		c->egid = f->gid;
	changed = c->euid != old_euid || c->egid != old_egid;
	root = !(c->securebits & (1u << SECURE_NOROOT)) &&
	       (c->uid == root_uid || c->euid == root_uid);
	if (changed)
		c->cap_ambient = 0;
	c->cap_permitted = c->cap_ambient;
	c->cap_effective = c->cap_ambient;
	if (root) {
		c->cap_permitted = (c->cap_inheritable | CAP_ALL) & c->cap_bounding;
		c->cap_permitted |= c->cap_inheritable;
		if (c->euid == root_uid)
			c->cap_effective = c->cap_permitted;
	}
	if (f->no_new_privs && (c->cap_permitted & ~old_permitted)) {
		c->cap_permitted &= old_permitted;
		c->cap_effective &= c->cap_permitted;
	}
	c->suid = c->euid;
	c->fsuid = c->euid;
	c->sgid = c->egid;
	c->fsgid = c->egid;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	return changed || c->uid != c->euid || c->gid != c->egid ||
	       (c->uid != root_uid && (c->cap_effective & ~c->cap_ambient) != 0);
}
