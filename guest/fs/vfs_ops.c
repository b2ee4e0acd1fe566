/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the name space: mknod, mkdir, symlink, link, unlink, rmdir, rename, with the checks that Linux makes and in its order.
 * Locks: the directory for writing, then the victim; two directories under rename_mutex, ancestor first.
 */
#include "fs/path.h"

#include <linux/fs.h>
#include <linux/inotify.h>

#include "fs/fdtable.h"
#include "fs/lease.h"
#include "task/task.h"

static struct mutex rename_mutex; /* no directory changes its parent while it is held */
static u32 rename_cookie;

u32 fs_umask(void)
{
	struct task *t = task_current();

	return t && t->fs ? t->fs->umask : 0;
}

int path_want_write(const struct path *p)
{
	return (p->mnt->flags & MNT_RDONLY) || p->mnt->sb->readonly ? -EROFS : 0;
}

static u32 caller_fsuid(void)
{
	return task_current() ? cred_current()->fsuid : 0;
}

static u32 caller_fsgid(void)
{
	return task_current() ? cred_current()->fsgid : 0;
}

static bool caller_capable(int cap)
{
	return !task_current() || capable(cap);
}

int dir_may_create(const struct path *dir)
{
	struct inode *inode = dentry_inode(dir->dentry);
	int err = path_want_write(dir);

	if (!err && !inode->nlink)
		err = -ENOENT;
	return err ? err : inode_permission(inode, MAY_WRITE | MAY_EXEC);
}

/* One name less: a file's link count changed; with the last one it goes. */
static void unlink_notify(struct inode *inode)
{
	if (!S_ISDIR(inode->mode))
		inotify_event(NULL, inode, IN_ATTRIB, NULL, 0);
	if (!inode->nlink)
		inotify_event(NULL, inode, IN_DELETE_SELF, NULL, 0);
}

/* ---- creating ---- */
/* Walk to the parent and get the negative dentry of the last component. On success the parent's inode is locked for writing. */
static struct dentry *create_begin(
	struct walk *w, const struct path *base, const char *name, bool dir, int *err)
{
	struct dentry *d;

	*err = walk_begin(w, base, name, 0);
	if (*err)
		return NULL;
	*err = walk_parent(w);
	if (!*err && w->last_type != LAST_NORM)
		*err = -EEXIST;
	if (!*err && w->last_len > NAME_MAX_LEN)
		*err = -ENAMETOOLONG;
	if (*err)
		goto out;
	rwsem_write_lock(&dentry_inode(w->cur.dentry)->lock);
	d = walk_lookup_locked(w, err);
	if (d && dentry_inode(d))
		*err = -EEXIST;
	else if (d && w->trailing && !dir)
		*err = -ENOENT;
	if (!*err)
		*err = dir_may_create(&w->cur);
	if (!*err)
		return d;
	rwsem_write_unlock(&dentry_inode(w->cur.dentry)->lock);
	if (d)
		dentry_put(d);
out:
	walk_end(w);
	return NULL;
}

static void create_end(struct walk *w, struct dentry *d, int err, u32 event)
{
	struct inode *dir = dentry_inode(w->cur.dentry);

	rwsem_write_unlock(&dir->lock);
	if (!err)
		inotify_event(dir, NULL, event, d->name, 0);
	dentry_put(d);
	walk_end(w);
}

int vfs_mknod(const struct path *base, const char *name, u32 mode, u32 dev)
{
	struct walk w;
	struct inode *dir;
	u32 gid = caller_fsgid();
	int err;
	struct dentry *d;

	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !caller_capable(CAP_MKNOD))
		return -EPERM;
	d = create_begin(&w, base, name, false, &err);
	if (!d)
		return err;
	dir = dentry_inode(w.cur.dentry);
	mode &= ~fs_umask();
	inode_inherit(dir, &mode, &gid);
	if (S_ISREG(mode))
		err = dir->ops->create ? dir->ops->create(dir, d, mode, caller_fsuid(), gid)
				       : -EACCES;
	else
		err = dir->ops->mknod ? dir->ops->mknod(dir, d, mode, dev, caller_fsuid(), gid)
				      : -EPERM;
	create_end(&w, d, err, IN_CREATE);
	return err;
}

int vfs_mkdir(const struct path *base, const char *name, u32 mode)
{
	struct walk w;
	struct inode *dir;
	u32 gid = caller_fsgid();
	int err;
	struct dentry *d = create_begin(&w, base, name, true, &err);

	if (!d)
		return err;
	dir = dentry_inode(w.cur.dentry);
	mode = S_IFDIR | (mode & ~fs_umask() & 01777);
	inode_inherit(dir, &mode, &gid);
	err = dir->ops->mkdir ? dir->ops->mkdir(dir, d, mode, caller_fsuid(), gid) : -EPERM;
	create_end(&w, d, err, IN_CREATE | IN_ISDIR);
	return err;
}

int vfs_symlink(const char *target, const struct path *base, const char *name)
{
	struct walk w;
	struct inode *dir;
	u32 gid = caller_fsgid(), mode = S_IFLNK;
	int err;
	struct dentry *d = create_begin(&w, base, name, false, &err);

	if (!d)
		return err;
	dir = dentry_inode(w.cur.dentry);
	inode_inherit(dir, &mode, &gid);
	err = dir->ops->symlink ? dir->ops->symlink(dir, d, target, caller_fsuid(), gid) : -EPERM;
	create_end(&w, d, err, IN_CREATE);
	return err;
}

int vfs_link(const struct path *old, const struct path *base, const char *name)
{
	struct inode *inode = dentry_inode(old->dentry), *dir;
	struct walk w;
	int err;
	struct dentry *d = create_begin(&w, base, name, false, &err);

	if (!d)
		return err;
	dir = dentry_inode(w.cur.dentry);
	if (old->mnt != w.cur.mnt)
		err = -EXDEV;
	else if (!dir->ops->link || S_ISDIR(inode->mode))
		err = -EPERM;
	if (!err) {
		rwsem_write_lock(&inode->lock);
		err = dir->ops->link(inode, dir, d);
		rwsem_write_unlock(&inode->lock);
	}
	create_end(&w, d, err, IN_CREATE);
	return err;
}

/* ---- removing ---- */
static int may_delete(struct inode *dir, struct dentry *victim, bool isdir)
{
	struct inode *inode = dentry_inode(victim);
	u32 fsuid = caller_fsuid();
	int err;

	if (!inode)
		return -ENOENT;
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if ((dir->mode & S_ISVTX) && inode->uid != fsuid && dir->uid != fsuid &&
		!cred_capable_inode(task_current() ? cred_current() : NULL, inode, CAP_FOWNER))
		return -EPERM;
	if (inode->swapfile)
		return -EPERM;
	if (isdir)
		return S_ISDIR(inode->mode) ? 0 : -ENOTDIR;
	return S_ISDIR(inode->mode) ? -EISDIR : 0;
}

static int unlink_locked(struct walk *w, struct inode *dir, struct dentry *d)
{
	struct inode *inode = dentry_inode(d);
	int err;

	if (!inode)
		return -ENOENT;
	if (w->trailing)
		return S_ISDIR(inode->mode) ? -EISDIR : -ENOTDIR;
	err = path_want_write(&w->cur) ?: may_delete(dir, d, false);
	if (err)
		return err;
	if (atomic_load(&d->mounts))
		return -EBUSY;
	if (!dir->ops->unlink)
		return -EPERM;
	rwsem_write_lock(&inode->lock);
	err = dir->ops->unlink(dir, d);
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int rmdir_locked(struct walk *w, struct inode *dir, struct dentry *d)
{
	struct inode *inode = dentry_inode(d);
	int err;

	if (!inode)
		return -ENOENT;
	err = path_want_write(&w->cur) ?: may_delete(dir, d, true);
	if (err)
		return err;
	if (atomic_load(&d->mounts))
		return -EBUSY;
	if (!dir->ops->rmdir)
		return -EPERM;
	rwsem_write_lock(&inode->lock);
	err = dir->ops->rmdir(dir, d);
	if (!err)
		inode->nlink = 0;
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int remove_name(const struct path *base, const char *name, bool isdir)
{
	static const s16 dir_errors[] = { 0, -EINVAL, -ENOTEMPTY, -EBUSY };
	struct inode *dir, *inode = NULL;
	struct dentry *d;
	struct walk w;
	int err = walk_begin(&w, base, name, 0);

	if (err)
		return err;
	err = walk_parent(&w);
	if (!err && w.last_type != LAST_NORM)
		err = isdir ? dir_errors[w.last_type] : -EISDIR;
	if (!err && w.last_len > NAME_MAX_LEN)
		err = -ENAMETOOLONG;
	if (err)
		goto out;
	dir = dentry_inode(w.cur.dentry);
	rwsem_write_lock(&dir->lock);
	d = walk_lookup_locked(&w, &err);
	if (d) {
		inode = dentry_inode(d);
		if (inode)
			inode_get(inode);
		err = isdir ? rmdir_locked(&w, dir, d) : unlink_locked(&w, dir, d);
		if (!err)
			dentry_delete(d);
	}
	rwsem_write_unlock(&dir->lock);
	if (!err) {
		inotify_event(dir, inode, IN_DELETE | (isdir ? IN_ISDIR : 0), d->name, 0);
		unlink_notify(inode);
	}
	if (d)
		dentry_put(d);
	if (inode)
		inode_put(inode);
out:
	walk_end(&w);
	return err;
}

int vfs_unlink(const struct path *base, const char *name)
{
	return remove_name(base, name, false);
}

int vfs_rmdir(const struct path *base, const char *name)
{
	return remove_name(base, name, true);
}

/* ---- renaming ---- */
struct rename {
	struct walk o, n;
	struct inode *odir, *ndir;
	struct dentry *od, *nd;
	u32 flags;
};

static void rename_lock_dirs(struct rename *r)
{
	struct dentry *o = r->o.cur.dentry, *n = r->n.cur.dentry;

	r->odir = dentry_inode(o);
	r->ndir = dentry_inode(n);
	if (r->odir == r->ndir) {
		rwsem_write_lock(&r->odir->lock);
		return;
	}
	mutex_lock(&rename_mutex);
	if (dentry_is_ancestor(n, o) || (!dentry_is_ancestor(o, n) && r->ndir < r->odir)) {
		rwsem_write_lock(&r->ndir->lock);
		rwsem_write_lock(&r->odir->lock);
	} else {
		rwsem_write_lock(&r->odir->lock);
		rwsem_write_lock(&r->ndir->lock);
	}
}

static void rename_unlock_dirs(struct rename *r)
{
	rwsem_write_unlock(&r->odir->lock);
	if (r->odir == r->ndir)
		return;
	rwsem_write_unlock(&r->ndir->lock);
	mutex_unlock(&rename_mutex);
}

/* Everything that does not depend on permissions: existence, kinds, slashes, loops, mounts. */
static int rename_check_names(struct rename *r)
{
	struct inode *old = dentry_inode(r->od), *new_inode = dentry_inode(r->nd);

	if (!old)
		return -ENOENT;
	if ((r->flags & RENAME_NOREPLACE) && new_inode)
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE) {
		if (!new_inode)
			return -ENOENT;
		if (!S_ISDIR(new_inode->mode) && r->n.trailing)
			return -ENOTDIR;
	}
	if (!S_ISDIR(old->mode)) {
		if (r->o.trailing || (!(r->flags & RENAME_EXCHANGE) && r->n.trailing))
			return -ENOTDIR;
	}
	if (dentry_is_ancestor(r->od, r->n.cur.dentry))
		return -EINVAL;
	if (new_inode && dentry_is_ancestor(r->nd, r->o.cur.dentry))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int rename_check_rights(struct rename *r)
{
	struct inode *old = dentry_inode(r->od), *new_inode = dentry_inode(r->nd);
	bool isdir = S_ISDIR(old->mode);
	int err = path_want_write(&r->o.cur) ?: may_delete(r->odir, r->od, isdir);

	if (err)
		return err;
	if (!new_inode) {
		err = dir_may_create(&r->n.cur);
	} else if (r->flags & RENAME_EXCHANGE) {
		err = may_delete(r->ndir, r->nd, S_ISDIR(new_inode->mode));
	} else {
		err = may_delete(r->ndir, r->nd, isdir);
	}
	if (err)
		return err;
	if (isdir && r->odir != r->ndir) /* its ".." changes */
		err = inode_permission(old, MAY_WRITE);
	if (!err && new_inode && (r->flags & RENAME_EXCHANGE) && S_ISDIR(new_inode->mode) &&
		r->odir != r->ndir)
		err = inode_permission(new_inode, MAY_WRITE);
	if (!err && (atomic_load(&r->od->mounts) || atomic_load(&r->nd->mounts)))
		err = -EBUSY;
	return err;
}

static int rename_do(struct rename *r)
{
	struct inode *target = dentry_inode(r->nd);
	int err;

	if (!r->odir->ops->rename)
		return -EPERM;
	if (target)
		rwsem_write_lock(&target->lock);
	err = r->odir->ops->rename(r->odir, r->od, r->ndir, r->nd, r->flags);
	if (!err && target && S_ISDIR(target->mode) && !(r->flags & RENAME_EXCHANGE))
		target->nlink = 0;
	if (target)
		rwsem_write_unlock(&target->lock);
	if (err)
		return err;
	if (r->flags & RENAME_EXCHANGE) {
		dentry_swap(r->od, r->nd);
	} else {
		dentry_move(r->od, r->nd);
		dcache_prune(r->nd);
	}
	return 0;
}

static void rename_notify(struct rename *r, struct inode *inode, struct inode *target,
	const char *oname, const char *nname)
{
	u32 isdir = S_ISDIR(inode->mode) ? IN_ISDIR : 0;
	u32 cookie = atomic_add(&rename_cookie, 1);

	inotify_event(r->odir, NULL, IN_MOVED_FROM | isdir, oname, cookie);
	inotify_event(r->ndir, NULL, IN_MOVED_TO | isdir, nname, cookie);
	if (r->odir == r->ndir)
		dnotify_event(r->odir, DNOTIFY_RENAME);
	inotify_event(NULL, inode, IN_MOVE_SELF, NULL, 0);
	if (target && !(r->flags & RENAME_EXCHANGE))
		unlink_notify(target);
}

static int rename_locked(struct rename *r)
{
	struct inode *target = NULL;
	int err = 0;

	r->od = walk_lookup_locked(&r->o, &err);
	if (!r->od)
		return err;
	if (!dentry_inode(r->od)) {
		dentry_put(r->od);
		return -ENOENT;
	}
	r->nd = walk_lookup_locked(&r->n, &err);
	if (r->nd) {
		err = rename_check_names(r);
		/* Two names of one file: nothing happens. */
		if (!err && r->od != r->nd && dentry_inode(r->od) != dentry_inode(r->nd)) {
			target = dentry_inode(r->nd);
			if (target)
				inode_get(target);
			err = rename_check_rights(r) ?: rename_do(r);
			if (!err && atomic_load(&inotify_active))
				rename_notify(
					r, dentry_inode(r->od), target, r->nd->name, r->od->name);
			if (target)
				inode_put(target);
		}
		dentry_put(r->nd);
	}
	dentry_put(r->od);
	return err;
}

static int rename_last_check(const struct walk *w, u32 flags)
{
	if (w->last_type != LAST_NORM)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	return 0;
}

int vfs_rename(const struct path *obase, const char *oname, const struct path *nbase,
	const char *nname, u32 flags)
{
	struct rename *r;
	int err;

	if ((flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) ||
		((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
		return -EINVAL;
	r = kmalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->flags = flags;
	err = walk_begin(&r->o, obase, oname, 0);
	if (err)
		goto out_free;
	err = walk_parent(&r->o);
	if (!err)
		err = walk_begin(&r->n, nbase, nname, 0);
	if (err)
		goto out_old;
	err = walk_parent(&r->n);
	if (!err && r->o.cur.mnt != r->n.cur.mnt)
		err = -EXDEV;
	if (!err)
		err = rename_last_check(&r->o, 0) ?: rename_last_check(&r->n, flags);
	if (!err) {
		rename_lock_dirs(r);
		err = rename_locked(r);
		rename_unlock_dirs(r);
	}
	walk_end(&r->n);
out_old:
	walk_end(&r->o);
out_free:
	kfree(r);
	return err;
}
