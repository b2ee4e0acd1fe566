/* SPDX-License-Identifier: Apache-2.0 */
/* mount(2), umount(2), pivot_root(2) on targets that were resolved already. */
#include "fs/mount_tree.h"

#include <linux/mount.h>

#include "fs/fdtable.h"
#include "task/pid.h"
#include "task/task.h"
#include "task/user_ns.h"

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

/* A tree at what the target shows: on top of what is mounted there. */
static int mount_hang(struct mount *m, const struct path *target)
{
	struct path at = *target;
	int err;

	path_get(&at);
	path_follow_mounts(&at);
	if (S_ISDIR(dentry_inode(m->root)->mode) != S_ISDIR(dentry_inode(at.dentry)->mode))
		err = -ENOTDIR;
	else
		err = mount_graft(m, &at);
	path_put(&at);
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
			 !m->sb->partial && list_empty(&m->children) && !(m->flags & MNT_RDONLY);
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

int mount_make(
	struct fs_type *t, const char *source, u64 ms_flags, const char *data, struct mount **out)
{
	struct user_ns *user = user_ns_current();
	struct super *sb = NULL;
	int err = 0;

	if (user != &user_ns_root)
		err = mount_type_allowed(t);
	if (!err)
		err = t->mount(source, data, ms_flags, &sb);
	if (err)
		return err;
	if (user != &user_ns_root) {
		ms_flags |= MS_NODEV;
		if (!sb->owner && !atomic_load(&sb->active)) {
			user_ns_get(user);
			sb->owner = user;
		}
	}
	*out = mount_create(sb, sb->root, source, mount_flags_from_ms(ms_flags));
	if (!*out && !atomic_load(&sb->active))
		super_abort(sb);
	return *out ? 0 : -ENOMEM;
}

/* Hangs a new mount; consumes its reference. */
static int mount_place(const struct path *target, struct mount *m)
{
	int err;

	mutex_lock(&mount_tree_mutex);
	err = mount_hang(m, target);
	mutex_unlock(&mount_tree_mutex);
	if (err)
		mount_put(m);
	return err;
}

int mount_new(const struct path *target, const char *fstype, const char *source, u64 ms_flags,
	const char *data)
{
	struct fs_type *t = fs_type_find(fstype);
	struct mount *m;
	int err = t ? mount_make(t, source, ms_flags, data, &m) : -ENODEV;

	return err ? err : mount_place(target, m);
}

static int mount_as_root(struct mount_ns *ns, struct super *sb, const char *source, u64 ms_flags)
{
	struct mount *m = mount_create(sb, sb->root, source, mount_flags_from_ms(ms_flags));

	if (!m) {
		super_abort(sb);
		return -ENOMEM;
	}
	mutex_lock(&mount_tree_mutex);
	ns->root = m;
	mount_join_ns(m, ns);
	mutex_unlock(&mount_tree_mutex);
	return 0;
}

int mount_super(
	struct mount_ns *ns, struct super *sb, const char *source, const char *target, u64 ms_flags)
{
	struct path root, at;
	struct mount *m;
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
	m = mount_create(sb, sb->root, source, mount_flags_from_ms(ms_flags));
	if (!m && !atomic_load(&sb->active))
		super_abort(sb);
	err = m ? mount_place(&at, m) : -ENOMEM;
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

static int mount_bind_tree(const struct path *from, bool recursive, struct mount **out)
{
	if (from->mnt->flags & MNT_UNBINDABLE)
		return -EINVAL;
	if (!recursive && mount_covers(from))
		return -EINVAL;
	return mount_copy_tree(from->mnt, from->dentry, recursive ? 0 : COPY_TOP, out);
}

int mount_bind(const struct path *target, const struct path *from, bool recursive)
{
	struct mount *m;
	int err;

	if (!from->mnt->ns || from->mnt->ns != target->mnt->ns)
		return -EINVAL;
	mutex_lock(&mount_tree_mutex);
	err = mount_bind_tree(from, recursive, &m);
	if (!err) {
		m->flags &= ~MNT_LOCKED;
		err = mount_hang(m, target);
		if (err)
			mount_detach_tree(m);
	}
	mutex_unlock(&mount_tree_mutex);
	return err;
}

int mount_clone(const struct path *from, bool recursive, struct mount **out)
{
	int err;

	mutex_lock(&mount_tree_mutex);
	err = from->mnt->ns ? mount_bind_tree(from, recursive, out) : -EINVAL;
	if (!err)
		(*out)->flags &= ~MNT_LOCKED;
	mutex_unlock(&mount_tree_mutex);
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

static bool mount_has_unbindable(struct mount *top)
{
	struct mount *m = top;

	while (m && !(m->flags & MNT_UNBINDABLE))
		m = mount_walk(m, top);
	return m != NULL;
}

/* From one place of the namespace to another. */
static int mount_move_attached(const struct path *target, struct mount *m)
{
	struct path old;
	int err;

	if (!m->parent || m->ns != target->mnt->ns || m->parent->group)
		return -EINVAL;
	mount_unlink(m, &old);
	err = mount_hang(m, target);
	if (err)
		mount_link(m, &old);
	path_put(&old);
	return err;
}

int mount_move(const struct path *target, const struct path *from)
{
	struct mount *m = from->mnt;
	int err = -EINVAL;

	mutex_lock(&mount_tree_mutex);
	if (from->dentry != m->root || !m->ns || (m->flags & MNT_LOCKED) || !target->mnt->ns ||
		target->mnt->ns->anon)
		err = -EINVAL;
	else if (S_ISDIR(dentry_inode(m->root)->mode) !=
		 S_ISDIR(dentry_inode(target->dentry)->mode))
		err = -EINVAL;
	else if (target->mnt->group && mount_has_unbindable(m))
		err = -EINVAL;
	else if (mount_is_below(target->mnt, m))
		err = -ELOOP;
	else if (m->ns->anon)
		err = m->parent || target->mnt->ns != mount_ns_current() ? -EINVAL
									 : mount_hang(m, target);
	else
		err = mount_move_attached(target, m);
	mutex_unlock(&mount_tree_mutex);
	return err;
}

/* May the caller change what lies there? */
static bool mount_ns_mine(const struct mount_ns *ns)
{
	return ns->anon || ns_capable(ns->ns.owner, CAP_SYS_ADMIN);
}

int mount_set_group(const struct path *to, const struct path *from)
{
	struct mount *t = to->mnt, *f = from->mnt;
	int err = -EINVAL;

	mutex_lock(&mount_tree_mutex);
	if (t->ns && f->ns && !(mount_ns_mine(t->ns) && mount_ns_mine(f->ns))) {
		err = -EPERM;
	} else if (to->dentry == t->root && from->dentry == f->root && t->ns && f->ns &&
		   !t->group && !t->master && t->sb == f->sb &&
		   dentry_is_ancestor(f->root, t->root)) {
		struct path at = { f, t->root };

		err = mount_covers(&at) ? -EINVAL : 0;
		if (!err)
			mount_relate(t, f, 0);
	}
	mutex_unlock(&mount_tree_mutex);
	return err;
}

int mount_change_kind(const struct path *target, u32 type, bool recursive)
{
	struct mount *top = target->mnt;

	if (target->dentry != top->root)
		return -EINVAL;
	mutex_lock(&mount_tree_mutex);
	for (struct mount *m = top; m; m = recursive ? mount_walk(m, top) : NULL)
		mount_set_kind(m, type);
	mutex_unlock(&mount_tree_mutex);
	mount_ns_changed(top->ns);
	return 0;
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

/* Attached mounts of the own namespace, and detached ones. */
static bool mount_is_ours(const struct mount *m)
{
	return m->ns && (m->ns->anon || m->ns == mount_ns_current());
}

static u32 mount_changed(const struct mount *m, const struct mount_change *c)
{
	return (m->flags & ~c->clear) | c->set;
}

/* What cannot be read-only now because somebody writes. */
static bool mount_write_busy(const struct mount *m, u32 flags)
{
	return (flags & MNT_RDONLY) && !(m->flags & MNT_RDONLY) && atomic_load(&m->writers);
}

static int mount_may_change(const struct mount *m, u32 flags)
{
	if (!mount_unlocked(m->flags, flags))
		return -EPERM;
	return mount_write_busy(m, flags) ? -EBUSY : 0;
}

int mount_change(const struct path *target, const struct mount_change *c)
{
	struct mount *top = target->mnt, *m;
	int err = 0;

	mutex_lock(&mount_tree_mutex);
	if (target->dentry != top->root || !mount_is_ours(top))
		err = -EINVAL;
	for (m = top; m && !err; m = c->recursive ? mount_walk(m, top) : NULL)
		err = mount_may_change(m, mount_changed(m, c));
	for (m = top; m && !err; m = c->recursive ? mount_walk(m, top) : NULL) {
		spin_lock(&mount_lock);
		m->flags = mount_changed(m, c);
		spin_unlock(&mount_lock);
		if (c->kind)
			mount_set_kind(m, c->kind);
	}
	mutex_unlock(&mount_tree_mutex);
	if (!err)
		mount_ns_changed(top->ns);
	return err;
}

int mount_remount(const struct path *target, u64 ms_flags, bool bind)
{
	struct mount *m = target->mnt;
	int err;

	if (target->dentry != m->root)
		return -EINVAL;
	/* The file system itself belongs to the first user namespace, or to one that made it: only that may change it. */
	if (!bind && task_current() &&
		!ns_capable(m->sb->owner ? m->sb->owner : &user_ns_root, CAP_SYS_ADMIN))
		return -EPERM;
	err = mount_may_change(m, mount_flags_from_ms(ms_flags));
	if (err)
		return err;
	spin_lock(&mount_lock);
	m->flags = mount_flags_from_ms(ms_flags) |
		   (m->flags & (MNT_LOCKS | MNT_LOCKED | MNT_UNBINDABLE));
	if (!bind)
		m->sb->readonly = ms_flags & MS_RDONLY || m->sb->never_writable;
	spin_unlock(&mount_lock);
	mount_ns_changed(m->ns);
	return 0;
}

static bool mount_busy(struct mount *m)
{
	/* Two: the tree's reference and the caller's path. */
	return !list_empty(&m->children) || atomic_load(&m->ref.count) > 2 || mount_copies_busy(m);
}

/* MNT_EXPIRE: 0 when nobody has used the mount since the last call of this kind found it unused. */
static int mount_expire(struct mount *m, u32 flags)
{
	if (!m->parent || (flags & (UMOUNT_FORCE | UMOUNT_DETACH)))
		return -EINVAL;
	if (mount_busy(m))
		return -EBUSY;
	return atomic_xchg(&m->expiring, true) ? 0 : -EAGAIN;
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
	if (flags & UMOUNT_EXPIRE)
		err = mount_expire(m, flags);
	if (!err && !m->parent)
		err = flags & UMOUNT_DETACH ? -EINVAL : -EBUSY;
	if (!err && !(flags & UMOUNT_DETACH) && mount_busy(m))
		err = -EBUSY;
	if (!err)
		mount_remove(m);
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

/* Others would hear of one half of the exchange. */
static bool pivot_is_shared(struct mount *nm, struct mount *om, const struct path *put_old)
{
	return put_old->mnt->group || !nm->parent || nm->parent->group ||
	       (om->parent && om->parent->group);
}

static void pivot_swap(struct mount *nm, struct mount *om, const struct path *put_old)
{
	bool was_root = nm->ns->root == om;
	struct path old_at, new_at;

	mount_unlink(nm, &new_at);
	mount_unlink(om, &old_at);
	if (was_root)
		nm->ns->root = nm;
	if (old_at.mnt)
		mount_link(nm, &old_at);
	mount_link(om, put_old);
	mount_ns_changed(nm->ns);
	path_put(&new_at);
	path_put(&old_at);
}

int mount_pivot_root(const struct path *new_root, const struct path *put_old)
{
	struct mount *nm = new_root->mnt, *om;
	struct fs_context *fs = task_current()->fs;
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
	err = mount_is_below(put_old->mnt, nm) && !pivot_is_shared(nm, om, put_old) ? 0 : -EINVAL;
	if (!err)
		pivot_swap(nm, om, put_old);
	mutex_unlock(&mount_tree_mutex);
	if (!err) {
		struct pivot v = { { om, om->root }, { nm, nm->root } };

		group_for_each_in(&pid_ns_root, pivot_group, &v);
	}
	return err;
}
