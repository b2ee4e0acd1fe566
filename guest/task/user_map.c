/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of a user namespace: who may write them. Each is written once, in one write. The text: user_map_parse.c. */
#include "task/user_ns.h"

#include <linux/capability.h>

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/cred.h"

static struct mutex map_lock; /* protects: writing of maps and of setgroups_denied */

/* The outer ids are the parent's: the kernel's from now on. -EPERM: one of them is not mapped there. */
static int map_lower(const struct id_map *parent, struct id_extent *v, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u32 first = id_to_kernel(parent, v[i].lower);
		u32 last = id_to_kernel(parent, v[i].lower + (v[i].count - 1));

		if (first == ID_NONE || last == ID_NONE || last - first != v[i].count - 1)
			return -EPERM;
		v[i].lower = first;
	}
	return 0;
}

/* To map the parent's root lets files have capabilities there. */
static bool map_root_allowed(
	const struct user_ns *ns, const struct file *f, const struct id_extent *v, u32 n)
{
	u32 i;

	for (i = 0; i < n && v[i].lower; i++)
		;
	if (i == n)
		return true;
	if (f->cred->user_ns == ns)
		return ns->parent_setfcap;
	return f->cred->user_ns == ns->parent && file_ns_capable(f, ns->parent, CAP_SETFCAP);
}

/* One's own id may be mapped without privilege, the group only when setgroups is off; others by who may set ids in the parent. */
static bool map_allowed(
	const struct user_ns *ns, bool gid, const struct file *f, const struct id_extent *v, u32 n)
{
	int cap = gid ? CAP_SETGID : CAP_SETUID;

	if (n == 1 && v->count == 1 && ns->owner == f->cred->euid) {
		u32 lower = id_to_kernel(gid ? &ns->parent->gid : &ns->parent->uid, v->lower);

		if (!gid && lower == f->cred->euid)
			return true;
		if (gid && ns->setgroups_denied && lower == f->cred->egid)
			return true;
	}
	return ns_capable(ns->parent, cap) && file_ns_capable(f, ns->parent, cap);
}

static int map_set(struct user_ns *ns, bool gid, const struct file *f, struct id_extent *v, u32 n)
{
	struct id_map *m = gid ? &ns->gid : &ns->uid;
	struct id_extent *own;
	int ret;

	if (m->n || !file_ns_capable(f, ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (!map_allowed(ns, gid, f, v, n) || (!gid && !map_root_allowed(ns, f, v, n)))
		return -EPERM;
	ret = map_lower(gid ? &ns->parent->gid : &ns->parent->uid, v, n);
	if (ret < 0)
		return ret;
	own = kmalloc(n * sizeof(*own));
	if (!own)
		return -ENOMEM;
	memcpy(own, v, n * sizeof(*own));
	m->extents = own;
	atomic_store(&m->n, n);
	return 0;
}

s64 user_ns_write_map(struct user_ns *ns, bool gid, const struct file *f, char *text, size_t len)
{
	struct id_extent *v;
	int n;

	if (!ns->parent)
		return -EPERM;
	if (f->cred->user_ns != ns && f->cred->user_ns != ns->parent)
		return -EPERM;
	v = kmalloc(USER_NS_EXTENTS * sizeof(*v));
	if (!v)
		return -ENOMEM;
	mutex_lock(&map_lock);
	n = user_map_parse(text, v);
	if (n > 0)
		n = map_set(ns, gid, f, v, (u32)n);
	mutex_unlock(&map_lock);
	kfree(v);
	return n < 0 ? n : (s64)len;
}

s64 user_ns_write_setgroups(struct user_ns *ns, const struct file *f, char *text, size_t len)
{
	bool allow = strncmp(text, "allow", 5) == 0;
	const char *rest = text + (allow ? 5 : 4);
	s64 ret = (s64)len;

	if (!allow && strncmp(text, "deny", 4) != 0)
		return -EINVAL;
	while (*rest == ' ' || *rest == '\n' || *rest == '\t')
		rest++;
	if (*rest)
		return -EINVAL;
	if (!file_ns_capable(f, ns, CAP_SYS_ADMIN))
		return -EPERM;
	mutex_lock(&map_lock);
	if (allow && ns->setgroups_denied)
		ret = -EPERM;
	else if (!allow && ns->gid.n)
		ret = -EPERM;
	else if (!allow)
		WRITE_ONCE(ns->setgroups_denied, true);
	mutex_unlock(&map_lock);
	return ret;
}
