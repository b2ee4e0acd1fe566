/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces: making, capabilities, translating ids. The maps' texts: user_map.c. */
#include "task/user_ns.h"

#include <linux/capability.h>
#include <linux/securebits.h>

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"

struct id_extent user_ns_identity = { 0, 0, ~0u };
struct user_ns user_ns_root = {
	.ns = { .ref = { 1 }, .kind = NS_USER, .inum = NS_INUM_USER },
	.parent_setfcap = true,
	.uid = USER_NS_IDENTITY,
	.gid = USER_NS_IDENTITY,
};

void user_ns_get(struct user_ns *ns)
{
	ref_get(&ns->ns.ref);
}

void user_ns_put(struct user_ns *ns)
{
	while (ns && ref_put(&ns->ns.ref)) {
		struct user_ns *parent = ns->parent;

		kfree(ns->uid.extents);
		kfree(ns->gid.extents);
		kfree(ns);
		ns_uncharge(NS_USER);
		ns = parent;
	}
}

struct user_ns *user_ns_current(void)
{
	return cred_current()->user_ns;
}

bool user_ns_contains(const struct user_ns *outer, const struct user_ns *inner)
{
	while (inner->level > outer->level)
		inner = inner->parent;
	return inner == outer;
}

void user_ns_enter(struct cred *c, struct user_ns *ns)
{
	struct user_ns *old = c->user_ns;

	c->user_ns = ns;
	c->securebits = 0;
	c->cap_inheritable = 0;
	c->cap_permitted = c->cap_effective = c->cap_bounding = CAP_ALL;
	c->cap_ambient = 0;
	user_ns_put(old);
}

int user_ns_create(struct cred *c)
{
	struct user_ns *parent = c->user_ns;
	struct user_ns *ns;

	if (parent->level >= USER_NS_LEVELS)
		return -ENOSPC;
	if (id_from_kernel(&parent->uid, c->euid) == ID_NONE ||
		id_from_kernel(&parent->gid, c->egid) == ID_NONE)
		return -EPERM;
	if (!ns_charge(NS_USER))
		return -ENOSPC;
	ns = kzalloc(sizeof(*ns));
	if (!ns) {
		ns_uncharge(NS_USER);
		return -ENOMEM;
	}
	ns_init(&ns->ns, NS_USER, NULL);
	user_ns_get(parent);
	ns->parent = parent;
	ns->level = parent->level + 1;
	ns->owner = c->euid;
	ns->group = c->egid;
	ns->parent_setfcap = cred_ns_capable(c, parent, CAP_SETFCAP);
	ns->setgroups_denied = parent->setgroups_denied;
	user_ns_enter(c, ns);
	return 0;
}

static bool user_ns_map(struct id_map *m, const struct id_extent *v, u32 n)
{
	m->extents = kmalloc(n * sizeof(*v));
	if (!m->extents)
		return false;
	memcpy(m->extents, v, n * sizeof(*v));
	m->n = n;
	return true;
}

struct user_ns *user_ns_make(
	const struct id_extent *uid, u32 nuid, const struct id_extent *gid, u32 ngid)
{
	struct user_ns *ns;

	if (!ns_charge(NS_USER))
		return NULL;
	ns = kzalloc(sizeof(*ns));
	if (!ns) {
		ns_uncharge(NS_USER);
		return NULL;
	}
	ns_init(&ns->ns, NS_USER, NULL);
	user_ns_get(&user_ns_root);
	ns->parent = &user_ns_root;
	ns->level = 1;
	ns->parent_setfcap = true;
	if (user_ns_map(&ns->uid, uid, nuid) && user_ns_map(&ns->gid, gid, ngid))
		return ns;
	user_ns_put(ns);
	return NULL;
}

/* ---- ids ---- */

u32 id_to_kernel(const struct id_map *m, u32 id)
{
	u32 i, n = atomic_load(&m->n);

	for (i = 0; i < n; i++) {
		const struct id_extent *e = &m->extents[i];

		if (id >= e->first && id - e->first < e->count)
			return e->lower + (id - e->first);
	}
	return ID_NONE;
}

u32 id_from_kernel(const struct id_map *m, u32 id)
{
	u32 i, n = atomic_load(&m->n);

	for (i = 0; i < n; i++) {
		const struct id_extent *e = &m->extents[i];

		if (id >= e->lower && id - e->lower < e->count)
			return e->first + (id - e->lower);
	}
	return ID_NONE;
}

u32 uid_to_kernel(u32 uid)
{
	return id_to_kernel(&user_ns_current()->uid, uid);
}

u32 gid_to_kernel(u32 gid)
{
	return id_to_kernel(&user_ns_current()->gid, gid);
}

u32 uid_shown(u32 uid)
{
	u32 id = id_from_kernel(&user_ns_current()->uid, uid);

	return id == ID_NONE ? ID_OVERFLOW : id;
}

u32 gid_shown(u32 gid)
{
	u32 id = id_from_kernel(&user_ns_current()->gid, gid);

	return id == ID_NONE ? ID_OVERFLOW : id;
}

/* ---- capabilities ---- */

bool user_ns_owns(const struct cred *c, const struct user_ns *ns)
{
	return ns->parent == c->user_ns && ns->owner == c->euid;
}

u32 cred_root(const struct cred *c)
{
	return c->user_ns == &user_ns_root ? 0 : id_to_kernel(&c->user_ns->uid, 0);
}

bool cred_ns_capable(const struct cred *c, const struct user_ns *ns, int cap)
{
	for (;;) {
		if (ns == c->user_ns)
			return cred_has_cap(c, cap);
		if (ns->level <= c->user_ns->level)
			return false;
		if (user_ns_owns(c, ns))
			return true;
		ns = ns->parent;
	}
}

bool ns_capable(const struct user_ns *ns, int cap)
{
	return cred_ns_capable(cred_current(), ns, cap);
}

bool file_ns_capable(const struct file *f, const struct user_ns *ns, int cap)
{
	return cred_ns_capable(f->cred, ns, cap);
}

bool capable_over(const struct cred *c, u32 uid, u32 gid, int cap)
{
	return cred_has_cap(c, cap) &&
	       (c->user_ns == &user_ns_root ||
		       (id_from_kernel(&c->user_ns->uid, uid) != ID_NONE &&
			       id_from_kernel(&c->user_ns->gid, gid) != ID_NONE));
}

bool user_ns_may_setgroups(const struct user_ns *ns)
{
	return atomic_load(&ns->gid.n) && !READ_ONCE(ns->setgroups_denied);
}
