/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts: their life, the tree, its namespaces, the registry of file system types. Locking: see mount.h, mount_tree.h. */
#include "fs/mount_tree.h"

#include "fs/fdtable.h"
#include "task/task.h"
#include "task/user_ns.h"
#include "task/pid.h"

#define MOUNT_BUCKETS 256u

struct spinlock mount_lock = { .rank = 36 };
static u64 mount_moves; /* lock: mount_lock, to change it */
struct mutex mount_tree_mutex; /* serialises changes of the tree (they sleep) */
static struct mount *mount_hash[MOUNT_BUCKETS];
static struct list_head fs_types = LIST_HEAD_INIT(fs_types);
static struct spinlock fs_types_lock;
static u32 mount_next_id = 20;

/* Chains of the hash by mountpoint. */
struct mount_node {
	struct mount m;
	struct mount *hash_next;
};

static struct mount **hash_next(struct mount *m)
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
struct mount *mount_create(struct super *sb, struct dentry *root, const char *source, u32 flags)
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
	super_activate(sb);
	n->m.root = root;
	dentry_get(root);
	n->m.flags = flags;
	n->m.id = atomic_add(&mount_next_id, 1);
	list_init(&n->m.siblings);
	list_init(&n->m.children);
	list_init(&n->m.ns_link);
	list_init(&n->m.peers);
	list_init(&n->m.slaves);
	list_init(&n->m.slave_link);
	list_init(&n->m.heard);
	list_init(&n->m.todo);
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

void super_activate(struct super *sb)
{
	super_get(sb);
	atomic_add(&sb->active, 1);
}

void super_deactivate(struct super *sb)
{
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
}

void mount_put_unused(struct mount *m)
{
	if (!ref_put(&m->ref))
		return;
	dentry_put(m->root);
	super_deactivate(m->sb);
	kfree(m->source);
	kfree(container_of(m, struct mount_node, m));
}

void mount_put(struct mount *m)
{
	if (!m)
		return;
	if (unlikely(READ_ONCE(m->expiring)))
		atomic_store(&m->expiring, false);
	mount_put_unused(m);
}

void path_put_unused(struct path *p)
{
	dentry_put(p->dentry);
	mount_put_unused(p->mnt);
	*p = (struct path){ NULL, NULL };
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
struct mount *mount_find_locked(struct mount *parent, struct dentry *d)
{
	struct mount *m = *mount_bucket(parent, d);

	while (m && (m->parent != parent || m->mountpoint != d))
		m = *hash_next(m);
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
	path_put_unused(p); /* to leave it is no use */
	*p = up;
	return true;
}

u64 mount_changes(void)
{
	return atomic_load(&mount_moves);
}

/* ---- the tree; mount_tree_mutex held ---- */
void mount_ns_changed(struct mount_ns *ns)
{
	if (ns) {
		ns->event++;
		waitq_wake_all(&ns->poll);
	}
}

struct mount *mount_walk_past(struct mount *m, struct mount *top)
{
	while (m != top) {
		if (m->siblings.next != &m->parent->children)
			return list_entry(m->siblings.next, struct mount, siblings);
		m = m->parent;
	}
	return NULL;
}

struct mount *mount_walk(struct mount *m, struct mount *top)
{
	if (!list_empty(&m->children))
		return list_first_entry(&m->children, struct mount, siblings);
	return mount_walk_past(m, top);
}

u32 mount_count(struct mount *top)
{
	u32 n = 0;

	for (struct mount *m = top; m; m = mount_walk(m, top))
		n++;
	return n;
}

void mount_link(struct mount *m, const struct path *at)
{
	struct mount **b;

	path_get(at);
	spin_lock(&mount_lock);
	atomic_add(&mount_moves, 1);
	m->parent = at->mnt;
	m->mountpoint = at->dentry;
	atomic_add(&at->dentry->mounts, 1);
	list_add_tail(&at->mnt->children, &m->siblings);
	b = mount_bucket(at->mnt, at->dentry);
	*hash_next(m) = *b;
	*b = m;
	spin_unlock(&mount_lock);
}

static void mount_unlink_locked(struct mount *m, struct path *old)
{
	struct mount **b;

	old->mnt = m->parent;
	old->dentry = m->mountpoint;
	if (!m->parent)
		return;
	atomic_add(&mount_moves, 1);
	for (b = mount_bucket(m->parent, m->mountpoint); *b != m; b = hash_next(*b))
		;
	*b = *hash_next(m);
	*hash_next(m) = NULL;
	atomic_sub(&m->mountpoint->mounts, 1);
	list_del(&m->siblings);
	m->parent = NULL;
	m->mountpoint = NULL;
}

void mount_unlink(struct mount *m, struct path *old)
{
	spin_lock(&mount_lock);
	mount_unlink_locked(m, old);
	spin_unlock(&mount_lock);
}

static void mount_join_one(struct mount *m, struct mount_ns *ns)
{
	spin_lock(&mount_lock);
	if (m->ns) {
		list_del(&m->ns_link);
		m->ns->nmounts--;
		if (m->ns->root == m)
			m->ns->root = NULL;
	}
	m->ns = ns;
	ns->nmounts++;
	list_add_tail(&ns->mounts, &m->ns_link);
	spin_unlock(&mount_lock);
}

void mount_join_ns(struct mount *top, struct mount_ns *ns)
{
	for (struct mount *m = top; m; m = mount_walk(m, top)) {
		if (m->ns != ns)
			mount_join_one(m, ns);
	}
	mount_ns_changed(ns);
}

void mount_detach(struct mount *m)
{
	struct mount_ns *ns = m->ns;
	struct path old;

	mount_unrelate(m);
	spin_lock(&mount_lock);
	mount_unlink_locked(m, &old);
	if (ns) {
		list_del(&m->ns_link);
		ns->nmounts--;
		m->ns = NULL;
		if (ns->root == m)
			ns->root = NULL;
	}
	spin_unlock(&mount_lock);
	mount_ns_changed(ns);
	path_put(&old);
	mount_put(m);
}

void mount_detach_tree(struct mount *top)
{
	struct mount *m;

	mount_get(top);
	do {
		for (m = top; !list_empty(&m->children);)
			m = list_first_entry(&m->children, struct mount, siblings);
		mount_detach(m);
	} while (m != top);
	mount_put(top);
}

/* ---- copies ---- */
static int mount_copy_one(struct mount *from, struct dentry *root, u32 how, struct mount **out)
{
	struct mount *m =
		mount_create(from->sb, root, from->source, from->flags & ~MNT_NEWLY_SHARED);

	*out = m;
	if (!m)
		return -ENOMEM;
	mount_relate(m, from, how);
	return 0;
}

/* Is m of the tree below `dir` left out of a copy? */
static bool mount_left_out(struct mount *m, struct mount *top, struct dentry *dir, u32 how)
{
	if (m->parent == top && !dentry_is_ancestor(dir, m->mountpoint))
		return true;
	return (m->flags & MNT_UNBINDABLE) && !(how & COPY_UNBINDABLE);
}

int mount_copy_tree(struct mount *from, struct dentry *dir, u32 how, struct mount **out)
{
	struct mount *m = from, *top;
	int err = mount_copy_one(from, dir, how, &top);

	from->copy = top;
	m = how & COPY_TOP ? NULL : mount_walk(m, from);
	while (!err && m) {
		struct path at = { m->parent->copy, m->mountpoint };

		if (mount_left_out(m, from, dir, how)) {
			m = mount_walk_past(m, from);
			continue;
		}
		err = mount_copy_one(m, m->root, how, &m->copy);
		if (!err)
			mount_link(m->copy, &at);
		m = mount_walk(m, from);
	}
	if (err && top)
		mount_detach_tree(top);
	*out = err ? NULL : top;
	return err;
}

/* What a less privileged namespace may not undo in its copy. */
static u32 mount_locks(u32 flags)
{
	u32 locks = MNT_LOCK_ATIME;

	locks |= flags & MNT_RDONLY ? MNT_LOCK_RDONLY : 0;
	locks |= flags & MNT_NOSUID ? MNT_LOCK_NOSUID : 0;
	locks |= flags & MNT_NODEV ? MNT_LOCK_NODEV : 0;
	locks |= flags & MNT_NOEXEC ? MNT_LOCK_NOEXEC : 0;
	return locks;
}

void mount_lock_tree(struct mount *top, bool whole)
{
	spin_lock(&mount_lock);
	for (struct mount *m = top; m; m = mount_walk(m, top))
		m->flags |= mount_locks(m->flags) | (m == top && whole ? 0 : MNT_LOCKED);
	spin_unlock(&mount_lock);
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

void mount_ns_own(struct mount_ns *ns, struct user_ns *owner)
{
	struct user_ns *old = ns->ns.owner;

	user_ns_get(owner);
	ns->ns.owner = owner;
	user_ns_put(old);
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
	if (!ns->anon)
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

struct mount_ns *mount_ns_anon(void)
{
	struct mount_ns *ns = kzalloc(sizeof(*ns));

	if (!ns)
		return NULL;
	ref_init(&ns->ns.ref);
	ns->ns.kind = NS_MNT;
	ns->anon = true;
	list_init(&ns->mounts);
	waitq_init(&ns->poll);
	return ns;
}

/* Root and working directory follow to the copy, which has the shape of the original. */
static void fs_follow_copy(struct fs_context *fs, struct mount *old, struct mount *new)
{
	struct path *p[2] = { &fs->root, &fs->cwd };
	struct mount *m = old, *c = new;

	for (; m && c; m = mount_walk(m, old), c = mount_walk(c, new)) {
		for (u32 i = 0; i < 2; i++) {
			if (p[i]->mnt != m)
				continue;
			mount_get(c);
			mount_put(m); /* never the last: the tree holds it */
			p[i]->mnt = c;
		}
	}
}

int mount_ns_copy(
	struct mount_ns *src, struct user_ns *owner, struct fs_context *fs, struct mount_ns **out)
{
	struct mount_ns *ns = ns_alloc(owner);
	bool less = owner != src->ns.owner;
	struct mount *top = NULL;
	int err = 0;

	*out = NULL;
	if (!ns)
		return -ENOSPC;
	mutex_lock(&mount_tree_mutex);
	if (src->root)
		err = mount_copy_tree(src->root, src->root->root,
			COPY_UNBINDABLE | (less ? COPY_SHARED_TO_SLAVE : 0), &top);
	if (top) {
		ns->root = top;
		mount_join_ns(top, ns);
		if (less)
			mount_lock_tree(top, true);
		if (fs)
			fs_follow_copy(fs, src->root, top);
	}
	mutex_unlock(&mount_tree_mutex);
	if (err)
		mount_ns_put(ns);
	else
		*out = ns;
	return err;
}
