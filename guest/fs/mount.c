/* SPDX-License-Identifier: Apache-2.0 */
/* The mount tree, its namespaces and the registry of file system types. Locking: see mount.h. */
#include "fs/internal.h"

#include <linux/mount.h>

#include "fs/fdtable.h"
#include "task/task.h"
#include "task/user_ns.h"
#include "task/pid.h"

#define MOUNT_BUCKETS 256u
#define MOUNTS_MAX    4096u

static struct spinlock mount_lock = { .rank = 36 };
static struct mutex mount_tree_mutex; /* serialises changes of the tree (they sleep) */
static struct mount *mount_hash[MOUNT_BUCKETS];
static struct list_head fs_types = LIST_HEAD_INIT(fs_types);
static struct spinlock fs_types_lock;
static u32 mount_next_id = 20;

/* Chains of the hash by mountpoint. */
struct mount_node {
	struct mount m;
	struct mount *hash_next;
};

static struct mount **mount_next(struct mount *m)
{
	return &container_of(m, struct mount_node, m)->hash_next;
}

static struct mount **mount_bucket(struct mount *parent, struct dentry *d)
{
	u64 h = ((u64)parent >> 6) * 31 + ((u64)d >> 6);

	return &mount_hash[(h ^ h >> 9) % MOUNT_BUCKETS];
}

/* ---- types ---- */
void fs_register(struct fs_type *t)
{
	spin_lock(&fs_types_lock);
	list_add_tail(&fs_types, &t->link);
	spin_unlock(&fs_types_lock);
}

struct fs_type *fs_type_find(const char *name)
{
	struct fs_type *t, *found = NULL;

	spin_lock(&fs_types_lock);
	list_for_each_entry (t, &fs_types, link) {
		if (!strcmp(t->name, name)) {
			found = t;
			break;
		}
	}
	spin_unlock(&fs_types_lock);
	return found;
}

void fs_type_for_each(void (*fn)(struct fs_type *t, void *arg), void *arg)
{
	struct fs_type *t;

	/* Types are never removed and only added at boot. */
	list_for_each_entry (t, &fs_types, link)
		fn(t, arg);
}

/* ---- life of a mount ---- */
/* consumes one active count of sb, which the caller took */
static struct mount *mount_create(
	struct super *sb, struct dentry *root, const char *source, u32 flags)
{
	struct mount_node *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	n->m.source = kstrdup(source ? source : "none");
	if (!n->m.source) {
		kfree(n);
		return NULL;
	}
	ref_init(&n->m.ref);
	n->m.sb = sb;
	super_get(sb);
	atomic_add(&sb->active, 1);
	n->m.root = root;
	dentry_get(root);
	n->m.flags = flags;
	n->m.id = atomic_add(&mount_next_id, 1);
	list_init(&n->m.siblings);
	list_init(&n->m.children);
	list_init(&n->m.ns_link);
	return &n->m;
}

struct mount *mount_create_internal(struct super *sb)
{
	return mount_create(sb, sb->root, sb->fstype, MNT_RELATIME);
}

void mount_get(struct mount *m)
{
	ref_get(&m->ref);
}

void mount_put(struct mount *m)
{
	struct super *sb;

	if (!m || !ref_put(&m->ref))
		return;
	sb = m->sb;
	dentry_put(m->root);
	if (atomic_sub(&sb->active, 1) == 0) {
		struct dentry *root = sb->root;

		sb->root = NULL;
		if (sb->ops && sb->ops->sync)
			sb->ops->sync(sb);
		if (root)
			dcache_kill_tree(root);
		super_put(sb); /* the one of super_create */
	}
	super_put(sb);
	kfree(m->source);
	kfree(container_of(m, struct mount_node, m));
}

void path_get(const struct path *p)
{
	if (p->mnt)
		mount_get(p->mnt);
	if (p->dentry)
		dentry_get(p->dentry);
}

void path_put(struct path *p)
{
	struct dentry *d = p->dentry;
	struct mount *m = p->mnt;

	p->dentry = NULL;
	p->mnt = NULL;
	if (d)
		dentry_put(d);
	if (m)
		mount_put(m);
}

/* ---- lookup ---- */
static struct mount *mount_find_locked(struct mount *parent, struct dentry *d)
{
	struct mount *m = *mount_bucket(parent, d);

	while (m && (m->parent != parent || m->mountpoint != d))
		m = *mount_next(m);
	return m;
}

struct mount *mount_lookup(struct mount *mnt, struct dentry *d)
{
	struct mount *m;

	if (!atomic_load(&d->mounts))
		return NULL;
	spin_lock(&mount_lock);
	m = mount_find_locked(mnt, d);
	if (m)
		mount_get(m);
	spin_unlock(&mount_lock);
	return m;
}

bool path_follow_mounts(struct path *p)
{
	bool moved = false;
	struct mount *m;

	while ((m = mount_lookup(p->mnt, p->dentry)) != NULL) {
		path_put(p);
		p->mnt = m;
		p->dentry = m->root;
		dentry_get(p->dentry);
		moved = true;
	}
	return moved;
}

bool path_follow_up(struct path *p)
{
	struct path up = { NULL, NULL };

	spin_lock(&mount_lock);
	if (p->mnt->parent) {
		up.mnt = p->mnt->parent;
		up.dentry = p->mnt->mountpoint;
		path_get(&up);
	}
	spin_unlock(&mount_lock);
	if (!up.mnt)
		return false;
	path_put(p);
	*p = up;
	return true;
}

/* ---- attaching and detaching; mount_tree_mutex held, mount_lock not ---- */
static void ns_changed(struct mount_ns *ns)
{
	if (ns) {
		ns->event++;
		waitq_wake_all(&ns->poll);
	}
}

/* Takes over the caller's reference of m as the tree's. */
static int mount_attach(struct mount *m, const struct path *at)
{
	struct mount_ns *ns = at->mnt->ns;
	struct mount **b;

	if (!ns)
		return -EINVAL;
	path_get(at);
	spin_lock(&mount_lock);
	if (!m->ns && ns->nmounts >= MOUNTS_MAX) {
		struct path drop = *at;

		spin_unlock(&mount_lock);
		path_put(&drop);
		return -ENOSPC;
	}
	m->parent = at->mnt;
	m->mountpoint = at->dentry;
	atomic_add(&at->dentry->mounts, 1);
	list_add_tail(&at->mnt->children, &m->siblings);
	b = mount_bucket(at->mnt, at->dentry);
	*mount_next(m) = *b;
	*b = m;
	if (!m->ns) {
		m->ns = ns;
		ns->nmounts++;
		list_add_tail(&ns->mounts, &m->ns_link);
	}
	spin_unlock(&mount_lock);
	ns_changed(ns);
	return 0;
}

/* Removes m from its parent; the path that it sat on, with references, goes to *old. */
static void mount_unhang_locked(struct mount *m, struct path *old)
{
	struct mount **b;

	old->mnt = m->parent;
	old->dentry = m->mountpoint;
	if (!m->parent)
		return;
	for (b = mount_bucket(m->parent, m->mountpoint); *b != m; b = mount_next(*b))
		;
	*b = *mount_next(m);
	*mount_next(m) = NULL;
	atomic_sub(&m->mountpoint->mounts, 1);
	list_del(&m->siblings);
	m->parent = NULL;
	m->mountpoint = NULL;
}

/* Takes m out of tree and namespace and drops the tree's reference. m has no children. */
static void mount_detach(struct mount *m)
{
	struct mount_ns *ns = m->ns;
	struct path old;

	spin_lock(&mount_lock);
	mount_unhang_locked(m, &old);
	if (ns) {
		list_del(&m->ns_link);
		ns->nmounts--;
		m->ns = NULL;
		if (ns->root == m)
			ns->root = NULL;
	}
	spin_unlock(&mount_lock);
	ns_changed(ns);
	path_put(&old);
	mount_put(m);
}

/* The deepest first descendant of m, or m. */
static struct mount *mount_leaf(struct mount *m)
{
	spin_lock(&mount_lock);
	while (!list_empty(&m->children))
		m = list_first_entry(&m->children, struct mount, siblings);
	spin_unlock(&mount_lock);
	return m;
}

/* Detaches m and all below it (UMOUNT_DETACH, end of a namespace). */
static void mount_detach_tree(struct mount *top)
{
	struct mount *m;

	mount_get(top);
	while ((m = mount_leaf(top)) != top)
		mount_detach(m);
	mount_detach(top);
	mount_put(top);
}

/* ---- namespaces ---- */
static struct mount_ns *ns_alloc(struct user_ns *owner)
{
	struct mount_ns *ns = ns_charge(NS_MNT) ? kzalloc(sizeof(*ns)) : NULL;

	if (!ns)
		return NULL;
	ns_init(&ns->ns, NS_MNT, owner);
	list_init(&ns->mounts);
	waitq_init(&ns->poll);
	return ns;
}

struct mount_ns *mount_ns_create(void)
{
	return ns_alloc(&user_ns_root);
}

void mount_ns_get(struct mount_ns *ns)
{
	ref_get(&ns->ns.ref);
}

void mount_ns_put(struct mount_ns *ns)
{
	if (!ns || !ref_put(&ns->ns.ref))
		return;
	mutex_lock(&mount_tree_mutex);
	while (ns->root)
		mount_detach_tree(ns->root);
	mutex_unlock(&mount_tree_mutex);
	ns_fini(&ns->ns);
	kfree(ns);
}

bool mount_ns_root(struct mount_ns *ns, struct path *out)
{
	bool found = false;

	spin_lock(&mount_lock);
	if (ns->root) {
		out->mnt = ns->root;
		out->dentry = ns->root->root;
		path_get(out);
		found = true;
	}
	spin_unlock(&mount_lock);
	if (found)
		path_follow_mounts(out);
	return found;
}

struct mount_ns *mount_ns_current(void)
{
	return nsproxy_current()->mnt;
}

struct mount **mount_ns_list(struct mount_ns *ns, u32 *count)
{
	u32 room = READ_ONCE(ns->nmounts) + 8, n = 0;
	struct mount **v = kmalloc(room * sizeof(*v));
	struct mount *m;

	*count = 0;
	if (!v)
		return NULL;
	spin_lock(&mount_lock);
	list_for_each_entry (m, &ns->mounts, ns_link) {
		if (n == room)
			break;
		mount_get(m);
		v[n++] = m;
	}
	spin_unlock(&mount_lock);
	*count = n;
	return v;
}

bool mount_may(void)
{
	struct mount_ns *ns = mount_ns_current();

	return !task_current() || (ns && ns_capable(ns->ns.owner, CAP_SYS_ADMIN));
}

/* What a less privileged namespace may not undo in its copy. */
static u32 mount_locks(u32 flags, bool top)
{
	u32 locks = MNT_LOCK_ATIME | (top ? 0 : MNT_LOCKED);

	locks |= flags & MNT_RDONLY ? MNT_LOCK_RDONLY : 0;
	locks |= flags & MNT_NOSUID ? MNT_LOCK_NOSUID : 0;
	locks |= flags & MNT_NODEV ? MNT_LOCK_NODEV : 0;
	locks |= flags & MNT_NOEXEC ? MNT_LOCK_NOEXEC : 0;
	return locks;
}

/* In a list made by mount_ns_list with copies beside it: the copy of m. */
static struct mount *mount_copy_of(struct mount **from, struct mount **to, u32 n, struct mount *m)
{
	for (u32 i = 0; i < n; i++) {
		if (from[i] == m)
			return to[i];
	}
	return NULL;
}

static void path_move_to_copy(struct path *p, struct mount **from, struct mount **to, u32 n)
{
	struct mount *c = mount_copy_of(from, to, n, p->mnt);

	if (c) {
		mount_get(c);
		mount_put(p->mnt);
		p->mnt = c;
	}
}

/* Hangs copy i at the copy of its original's place. The first is the root. */
static int mount_ns_copy_one(
	struct mount_ns *ns, struct mount **from, struct mount **to, u32 i, bool lock)
{
	struct path at;

	to[i] = mount_create(from[i]->sb, from[i]->root, from[i]->source, from[i]->flags);
	if (!to[i])
		return -ENOMEM;
	if (lock)
		to[i]->flags |= mount_locks(from[i]->flags, i == 0);
	at.mnt = from[i]->parent ? mount_copy_of(from, to, i, from[i]->parent) : NULL;
	at.dentry = from[i]->mountpoint;
	if (at.mnt)
		return mount_attach(to[i], &at);
	spin_lock(&mount_lock);
	to[i]->ns = ns;
	list_add_tail(&ns->mounts, &to[i]->ns_link);
	ns->nmounts++;
	if (!ns->root)
		ns->root = to[i];
	spin_unlock(&mount_lock);
	return 0;
}

int mount_ns_copy(
	struct mount_ns *src, struct user_ns *owner, struct fs_context *fs, struct mount_ns **out)
{
	struct mount_ns *ns = ns_alloc(owner);
	struct mount **from = NULL, **to = NULL;
	u32 n = 0, i;

	if (!ns)
		return -ENOSPC;
	mutex_lock(&mount_tree_mutex);
	from = mount_ns_list(src, &n);
	to = from ? kzalloc((n + 1) * sizeof(*to)) : NULL;
	for (i = 0; to && i < n; i++) {
		if (mount_ns_copy_one(ns, from, to, i, owner != src->ns.owner) < 0)
			break;
	}
	mutex_unlock(&mount_tree_mutex);
	if (!to || i < n) {
		mount_ns_put(ns);
		ns = NULL;
	} else if (fs) {
		path_move_to_copy(&fs->root, from, to, n);
		path_move_to_copy(&fs->cwd, from, to, n);
	}
	for (i = 0; from && i < n; i++)
		mount_put(from[i]);
	kfree(from);
	kfree(to);
	*out = ns;
	return ns ? 0 : -ENOMEM;
}

/* ---- mount(2) ---- */
u32 mount_flags_from_ms(u64 ms)
{
	u32 f = 0;

	f |= ms & MS_RDONLY ? MNT_RDONLY : 0;
	f |= ms & MS_NOSUID ? MNT_NOSUID : 0;
	f |= ms & MS_NODEV ? MNT_NODEV : 0;
	f |= ms & MS_NOEXEC ? MNT_NOEXEC : 0;
	f |= ms & MS_NOATIME ? MNT_NOATIME : 0;
	f |= ms & MS_NODIRATIME ? MNT_NODIRATIME : 0;
	f |= ms & MS_NOSYMFOLLOW ? MNT_NOSYMFOLLOW : 0;
	if (!(ms & (MS_NOATIME | MS_STRICTATIME)))
		f |= MNT_RELATIME;
	return f;
}

static int mount_hang(struct mount *m, const struct path *target)
{
	struct path at = *target;
	int err;

	path_get(&at);
	path_follow_mounts(&at);
	if (S_ISDIR(dentry_inode(m->root)->mode) != S_ISDIR(dentry_inode(at.dentry)->mode))
		err = -ENOTDIR;
	else
		err = mount_attach(m, &at);
	path_put(&at);
	return err;
}

/* Consumes the super's creator reference when it fails. */
static int mount_hang_super(
	const struct path *target, struct super *sb, const char *source, u64 ms_flags)
{
	struct mount *m = mount_create(sb, sb->root, source, mount_flags_from_ms(ms_flags));
	int err;

	if (!m) {
		if (!atomic_load(&sb->active))
			super_abort(sb);
		return -ENOMEM;
	}
	mutex_lock(&mount_tree_mutex);
	err = mount_hang(m, target);
	mutex_unlock(&mount_tree_mutex);
	if (err)
		mount_put(m);
	return err;
}

/* Is there a whole instance of the type, nothing of it hidden by other mounts? Then a new one shows no more. */
static bool mount_type_visible(const struct fs_type *t)
{
	struct mount_ns *ns = mount_ns_current();
	bool found = false;
	struct mount *m;

	spin_lock(&mount_lock);
	list_for_each_entry (m, &ns->mounts, ns_link)
		found |= !strcmp(m->sb->fstype, t->name) && m->root == m->sb->root &&
			 list_empty(&m->children) && !(m->flags & MNT_RDONLY);
	spin_unlock(&mount_lock);
	return found;
}

/* For a mounter of another user namespace than the first. */
static int mount_type_allowed(const struct fs_type *t)
{
	if (!t->userns)
		return -EPERM;
	return t->visible && !mount_type_visible(t) ? -EPERM : 0;
}

int mount_new(const struct path *target, const char *fstype, const char *source, u64 ms_flags,
	const char *data)
{
	struct fs_type *t = fs_type_find(fstype);
	struct user_ns *user = user_ns_current();
	struct super *sb = NULL;
	int err = t ? 0 : -ENODEV;

	if (!err && user != &user_ns_root)
		err = mount_type_allowed(t);
	if (!err)
		err = t->mount(source, data, ms_flags, &sb);
	if (!err && user != &user_ns_root) {
		ms_flags |= MS_NODEV;
		if (!sb->owner && !atomic_load(&sb->active)) {
			user_ns_get(user);
			sb->owner = user;
		}
	}
	return err ? err : mount_hang_super(target, sb, source, ms_flags);
}

static int mount_as_root(struct mount_ns *ns, struct super *sb, const char *source, u64 ms_flags)
{
	struct mount *m = mount_create(sb, sb->root, source, mount_flags_from_ms(ms_flags));

	if (!m) {
		super_abort(sb);
		return -ENOMEM;
	}
	spin_lock(&mount_lock);
	m->ns = ns;
	ns->root = m;
	ns->nmounts++;
	list_add_tail(&ns->mounts, &m->ns_link);
	spin_unlock(&mount_lock);
	return 0;
}

int mount_super(
	struct mount_ns *ns, struct super *sb, const char *source, const char *target, u64 ms_flags)
{
	struct path root, at;
	int err;

	if (!mount_ns_root(ns, &root)) {
		if (!target || !strcmp(target, "/"))
			return mount_as_root(ns, sb, source, ms_flags);
		super_abort(sb);
		return -ENOENT;
	}
	err = path_lookup(&root, target ? target : "/", LOOKUP_FOLLOW | LOOKUP_IN_ROOT, &at);
	path_put(&root);
	if (err) {
		super_abort(sb);
		return err;
	}
	err = mount_hang_super(&at, sb, source, ms_flags);
	path_put(&at);
	return err;
}

int vfs_mount(struct mount_ns *ns, const char *fstype, const char *source, const char *target,
	u64 ms_flags, const char *data)
{
	struct fs_type *t = fs_type_find(fstype);
	struct super *sb = NULL;
	int err = t ? t->mount(source, data, ms_flags, &sb) : -ENODEV;

	return err ? err : mount_super(ns, sb, source, target, ms_flags);
}

/* Copies the mounts below `from` that are reachable from its directory to below `copy`. */
static int mount_copy_children(struct mount *from, struct dentry *dir, struct mount *copy)
{
	u32 n = 0, i;
	struct mount **src = mount_ns_list(from->ns, &n);
	struct mount **dst = src ? kzalloc((n + 1) * sizeof(*dst)) : NULL;
	int err = dst ? 0 : -ENOMEM;

	for (i = 0; !err && i < n; i++) {
		struct path at = { NULL, src[i]->mountpoint };

		if (src[i] == copy || !src[i]->parent)
			continue;
		if (src[i]->parent == from && dentry_is_ancestor(dir, src[i]->mountpoint))
			at.mnt = copy;
		else
			at.mnt = mount_copy_of(src, dst, i, src[i]->parent);
		if (!at.mnt)
			continue;
		dst[i] = mount_create(src[i]->sb, src[i]->root, src[i]->source, src[i]->flags);
		err = dst[i] ? mount_attach(dst[i], &at) : -ENOMEM;
		if (err)
			mount_put(dst[i]);
	}
	for (i = 0; src && i < n; i++)
		mount_put(src[i]);
	kfree(src);
	kfree(dst);
	return err;
}

/* Is something below a directory hidden by a mount that may not be removed? */
static bool mount_covers(const struct path *dir)
{
	bool covers = false;
	struct mount *m;

	spin_lock(&mount_lock);
	list_for_each_entry (m, &dir->mnt->children, siblings)
		covers |= (m->flags & MNT_LOCKED) && dentry_is_ancestor(dir->dentry, m->mountpoint);
	spin_unlock(&mount_lock);
	return covers;
}

int mount_bind(const struct path *target, const struct path *from, bool recursive)
{
	struct mount *m;
	int err;

	if (!from->mnt->ns || from->mnt->ns != target->mnt->ns)
		return -EINVAL;
	m = mount_create(
		from->mnt->sb, from->dentry, from->mnt->source, from->mnt->flags & ~MNT_LOCKED);
	if (!m)
		return -ENOMEM;
	mutex_lock(&mount_tree_mutex);
	mount_get(m);
	err = !recursive && mount_covers(from) ? -EINVAL : mount_hang(m, target);
	if (err)
		mount_put(m);
	else if (recursive)
		err = mount_copy_children(from->mnt, from->dentry, m);
	if (err && m->ns)
		mount_detach_tree(m);
	mutex_unlock(&mount_tree_mutex);
	mount_put(m);
	return err;
}

static bool mount_is_below(struct mount *m, struct mount *top)
{
	bool below;

	spin_lock(&mount_lock);
	while (m && m != top)
		m = m->parent;
	below = m != NULL;
	spin_unlock(&mount_lock);
	return below;
}

int mount_move(const struct path *target, const struct path *from)
{
	struct mount *m = from->mnt;
	struct path old;
	int err = 0;

	if (from->dentry != m->root || !m->parent || !m->ns || m->ns != target->mnt->ns ||
		(m->flags & MNT_LOCKED))
		return -EINVAL;
	mutex_lock(&mount_tree_mutex);
	if (mount_is_below(target->mnt, m)) {
		err = -ELOOP;
	} else {
		spin_lock(&mount_lock);
		mount_unhang_locked(m, &old);
		spin_unlock(&mount_lock);
		err = mount_hang(m, target);
		if (err)
			mount_attach(m, &old);
		path_put(&old);
	}
	mutex_unlock(&mount_tree_mutex);
	return err;
}

/* Are the locked flags still there? */
static bool mount_unlocked(u32 old, u32 new)
{
	return !((old & MNT_LOCK_RDONLY) && !(new &MNT_RDONLY)) &&
	       !((old & MNT_LOCK_NOSUID) && !(new &MNT_NOSUID)) &&
	       !((old & MNT_LOCK_NODEV) && !(new &MNT_NODEV)) &&
	       !((old & MNT_LOCK_NOEXEC) && !(new &MNT_NOEXEC)) &&
	       !((old & MNT_LOCK_ATIME) && ((old ^ new) & MNT_ATIMES));
}

int mount_remount(const struct path *target, u64 ms_flags, bool bind)
{
	struct mount *m = target->mnt;

	if (target->dentry != m->root)
		return -EINVAL;
	/* The file system itself belongs to the first user namespace, or to one that made it: only that may change it. */
	if (!bind && task_current() &&
		!ns_capable(m->sb->owner ? m->sb->owner : &user_ns_root, CAP_SYS_ADMIN))
		return -EPERM;
	if (!mount_unlocked(m->flags, mount_flags_from_ms(ms_flags)))
		return -EPERM;
	spin_lock(&mount_lock);
	m->flags = mount_flags_from_ms(ms_flags) | (m->flags & (MNT_LOCKS | MNT_LOCKED));
	if (!bind)
		m->sb->readonly = ms_flags & MS_RDONLY;
	spin_unlock(&mount_lock);
	ns_changed(m->ns);
	return 0;
}

int mount_umount(struct path *target, u32 flags)
{
	struct mount *m = target->mnt;
	int err = 0;

	if (target->dentry != m->root || !m->ns)
		return -EINVAL;
	if (m->flags & MNT_LOCKED)
		return -EINVAL;
	mutex_lock(&mount_tree_mutex);
	if (!m->parent) {
		err = flags & UMOUNT_DETACH ? -EINVAL : -EBUSY;
	} else if (flags & UMOUNT_DETACH) {
		mount_detach_tree(m);
	} else if (!list_empty(&m->children) || atomic_load(&m->ref.count) > 2) {
		err = -EBUSY; /* two: the tree's reference and the caller's path */
	} else {
		mount_detach(m);
	}
	mutex_unlock(&mount_tree_mutex);
	return err;
}

/* Tasks whose root or working directory is the old root move to the new one (chroot_fs_refs in Linux). */
struct pivot {
	struct path from, to;
};

static void pivot_move(struct path *p, const struct pivot *v)
{
	struct path old = *p;

	if (p->mnt != v->from.mnt || p->dentry != v->from.dentry)
		return;
	*p = v->to;
	path_get(p);
	path_put(&old); /* never the last: the mount holds its root */
}

static bool pivot_group(struct group *g, void *arg)
{
	struct task *t;

	list_for_each_entry (t, &g->tasks, group_link) {
		struct fs_context *fs = t->fs;

		if (!fs)
			continue;
		spin_lock(&fs->lock);
		pivot_move(&fs->root, arg);
		pivot_move(&fs->cwd, arg);
		spin_unlock(&fs->lock);
	}
	return true;
}

int mount_pivot_root(const struct path *new_root, const struct path *put_old)
{
	struct mount *nm = new_root->mnt, *om;
	struct fs_context *fs = task_current()->fs;
	struct path old_at, new_at;
	int err;

	om = fs->root.mnt;
	if (new_root->dentry != nm->root || !nm->parent || put_old->mnt->ns != nm->ns ||
		(nm->flags & MNT_LOCKED))
		return -EINVAL;
	if (nm == om || put_old->mnt == om)
		return -EBUSY;
	if (fs->root.dentry != om->root || om->ns != nm->ns)
		return -EINVAL;
	mutex_lock(&mount_tree_mutex);
	err = mount_is_below(put_old->mnt, nm) ? 0 : -EINVAL;
	if (!err) {
		bool was_root = nm->ns->root == om;

		spin_lock(&mount_lock);
		mount_unhang_locked(nm, &new_at);
		mount_unhang_locked(om, &old_at);
		if (was_root)
			nm->ns->root = nm;
		spin_unlock(&mount_lock);
		if (old_at.mnt)
			err = mount_attach(nm, &old_at);
		if (!err)
			err = mount_attach(om, put_old);
		path_put(&new_at);
		path_put(&old_at);
	}
	mutex_unlock(&mount_tree_mutex);
	if (!err) {
		struct pivot v = { { om, om->root }, { nm, nm->root } };

		group_for_each_in(&pid_ns_root, pivot_group, &v);
	}
	return err;
}
