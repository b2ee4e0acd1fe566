/* SPDX-License-Identifier: Apache-2.0 */
/* open(2): flag rules, the last component (existing, new, link), permission, truncation. */
#include "fs/path.h"

#include <linux/inotify.h>

#include "fs/fdtable.h"
#include "fs/lease.h"
#include "lib/printf.h"
#include "task/task.h"

#define O_TMPFILE_BIT 020000000u /* without the O_DIRECTORY that O_TMPFILE includes */

struct open_how_k {
	u32 flags; /* O_* */
	u32 mode; /* of a new file, with its type */
	int acc; /* MAY_* that the caller needs on an existing file */
	bool created;
};

static int open_check_flags(struct open_how_k *h)
{
	static const u8 acc_modes[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
		MAY_READ | MAY_WRITE };

	if (h->flags & O_PATH) {
		h->flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
		h->acc = 0;
		return 0;
	}
	h->acc = acc_modes[h->flags & O_ACCMODE];
	if (h->flags & O_TMPFILE_BIT) {
		if (!(h->flags & O_DIRECTORY) || (h->flags & O_CREAT))
			return -EINVAL;
		if (!(h->acc & MAY_WRITE))
			return -EINVAL;
	} else if ((h->flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY)) {
		return -EINVAL;
	}
	if (h->flags & O_TRUNC)
		h->acc |= MAY_WRITE;
	return 0;
}

/* May the existing object be opened so? */
static int open_check_object(const struct path *p, struct open_how_k *h)
{
	struct inode *inode = dentry_inode(p->dentry);
	int err;

	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (S_ISDIR(inode->mode) && (h->acc & MAY_WRITE))
		return -EISDIR;
	if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) && (p->mnt->flags & MNT_NODEV))
		return -EACCES;
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		h->flags &= ~(u32)O_TRUNC;
	err = inode_permission(inode, h->acc);
	if (err)
		return err;
	if ((h->flags & O_NOATIME) && !inode_owner_or_capable(inode))
		return -EPERM;
	if ((h->acc & MAY_WRITE) && S_ISREG(inode->mode))
		return path_want_write(p);
	return 0;
}

static int open_inode(struct inode *inode, struct file *f)
{
	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (S_ISCHR(inode->mode))
		return chrdev_open(inode, f);
	/* A stream of the host looks like a fifo but opens in its own way. */
	if (S_ISFIFO(inode->mode) && inode->fops == &fifo_ops)
		return fifo_open(inode, f);
	if (S_ISBLK(inode->mode) || S_ISSOCK(inode->mode))
		return -ENXIO;
	if (inode->ops && inode->ops->open)
		return inode->ops->open(inode, f);
	if (!inode->fops)
		return -ENXIO;
	f->ops = inode->fops;
	return 0;
}

/* Make the file of an object whose permissions were checked; consumes the references of p on success only. */
static int open_finish(struct path *p, struct open_how_k *h, struct file **out)
{
	struct inode *inode = dentry_inode(p->dentry);
	struct file *f = file_alloc();
	int err = 0;

	if (!f)
		return -ENFILE;
	/* terminals look at O_NOCTTY; F_GETFL does not show it */
	f->flags = h->flags & ~(u32)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
	if (!(h->flags & O_PATH))
		f->flags |= O_LARGEFILE;
	f->path = *p;
	path_get(p);
	f->inode = inode;
	inode_get(inode);
	if (h->flags & O_PATH) {
		f->mode = FMODE_PATH;
	} else {
		if ((h->flags & O_ACCMODE) != O_WRONLY && (h->flags & O_ACCMODE) != O_ACCMODE)
			f->mode |= FMODE_READ;
		if ((h->flags & O_ACCMODE) == O_WRONLY || (h->flags & O_ACCMODE) == O_RDWR)
			f->mode |= FMODE_WRITE;
		if (h->flags & O_NOATIME)
			f->mode |= FMODE_NOATIME;
		if ((f->mode & FMODE_WRITE) && S_ISREG(inode->mode)) {
			err = inode_get_write(inode);
			if (!err)
				f->mode |= FMODE_WRITER;
			if (!err)
				atomic_add(&f->path.mnt->writers, 1);
		} else if ((f->mode & FMODE_READ) && S_ISREG(inode->mode)) {
			atomic_add(&inode->readers, 1);
			f->mode |= FMODE_READER;
		}
		if (!err)
			err = open_inode(inode, f);
		f->flags &= ~(u32)O_NOCTTY;
		if (!err && (h->flags & O_TRUNC) && !h->created)
			err = inode_truncate(inode, 0);
	}
	if (err) {
		file_put(f);
		return err;
	}
	path_put(p);
	file_notify(f, IN_OPEN);
	*out = f;
	return 0;
}

static int open_object(struct path *p, struct open_how_k *h, struct file **out)
{
	struct inode *inode = dentry_inode(p->dentry);
	int err = 0;

	if ((h->flags & O_DIRECTORY) && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (!(h->flags & O_PATH))
		err = open_check_object(p, h);
	if (!err && unlikely(READ_ONCE(inode->leases)) && !(h->flags & O_PATH))
		err = lease_break(inode, h->acc & MAY_WRITE, !(h->flags & O_NONBLOCK));
	if (!err && (h->flags & O_TRUNC)) {
		err = inode_get_write(inode);
		if (err)
			return err;
		err = open_finish(p, h, out);
		inode_put_write(inode);
		return err;
	}
	return err ? err : open_finish(p, h, out);
}

static int open_tmpfile(struct path *dir, struct open_how_k *h, struct file **out)
{
	struct inode *d = dentry_inode(dir->dentry), *inode = NULL;
	u32 gid = task_current() ? cred_current()->fsgid : 0;
	u32 uid = task_current() ? cred_current()->fsuid : 0;
	u32 mode = S_IFREG | (h->mode & 07777 & ~fs_umask());
	char name[24]; /* for /proc, as Linux has it */
	struct path p;
	int err;

	if (!S_ISDIR(d->mode))
		return -ENOTDIR;
	err = dir_may_create(dir);
	if (err)
		return err;
	if (!d->ops || !d->ops->tmpfile)
		return -EOPNOTSUPP;
	inode_inherit(d, &mode, &gid);
	rwsem_write_lock(&d->lock);
	err = d->ops->tmpfile(d, mode, uid, gid, &inode);
	rwsem_write_unlock(&d->lock);
	if (err)
		return err;
	str_format(name, sizeof(name), "#%lu", inode->ino);
	p.dentry = dentry_alloc(dir->dentry->sb, dir->dentry, name, strlen(name));
	if (!p.dentry) {
		inode_put(inode);
		return -ENOMEM;
	}
	dentry_set_inode(p.dentry, inode);
	p.mnt = dir->mnt;
	mount_get(p.mnt);
	h->created = true;
	h->flags &= ~(u32)O_DIRECTORY;
	err = open_finish(&p, h, out);
	if (!err)
		(*out)->flags |= O_DIRECTORY; /* part of O_TMPFILE, as F_GETFL shows it */
	path_put(&p);
	return err;
}

/* Creates the last component unless somebody else just did. The dentry is positive afterwards. */
static struct dentry *open_create(struct walk *w, struct open_how_k *h, int *err)
{
	struct inode *dir = dentry_inode(w->cur.dentry);
	u32 gid = task_current() ? cred_current()->fsgid : 0;
	u32 uid = task_current() ? cred_current()->fsuid : 0;
	u32 mode = S_IFREG | (h->mode & 07777 & ~fs_umask());
	struct dentry *d;

	rwsem_write_lock(&dir->lock);
	d = walk_lookup_locked(w, err);
	if (d && !dentry_inode(d)) {
		*err = dir_may_create(&w->cur);
		inode_inherit(dir, &mode, &gid);
		if (!*err)
			*err = dir->ops->create ? dir->ops->create(dir, d, mode, uid, gid)
						: -EACCES;
		h->created = !*err;
		if (*err) {
			dentry_put(d);
			d = NULL;
		}
	}
	rwsem_write_unlock(&dir->lock);
	if (d && h->created)
		inotify_event(dir, dentry_inode(d), IN_CREATE, d->name, 0);
	return d;
}

/* O_CREAT of what somebody else put into a sticky world-writable directory: refused unless it is a plain file or a fifo
 * (fs.protected_regular and fs.protected_fifos are 0 by default). */
static int open_check_sticky(u32 dir_mode, u32 dir_uid, const struct inode *inode)
{
	u32 fsuid = task_current() ? cred_current()->fsuid : 0;

	if (S_ISREG(inode->mode) || S_ISFIFO(inode->mode) || !(dir_mode & S_ISVTX))
		return 0;
	if (inode->uid == dir_uid || inode->uid == fsuid || !(dir_mode & S_IWOTH))
		return 0;
	return -EACCES;
}

/* O_CREAT: finds or makes the last component in w->cur. 0 with w->cur on it. */
static int open_last_create(struct walk *w, struct open_how_k *h)
{
	int err = 0;

	for (;;) {
		struct inode *inode = dentry_inode(w->cur.dentry);
		u32 dir_mode = inode->mode, dir_uid = inode->uid;
		struct dentry *d;

		if (w->last_type == LAST_NORM && w->trailing)
			return -EISDIR;
		if (w->last_type != LAST_NORM) {
			err = walk_last(w, true);
			if (err)
				return err;
			return h->flags & O_EXCL ? -EEXIST : -EISDIR;
		}
		d = walk_lookup(w, &err);
		if (d && !dentry_inode(d)) {
			dentry_put(d);
			d = open_create(w, h, &err);
		}
		if (!d)
			return err;
		inode = dentry_inode(d);
		if (!h->created && (h->flags & O_EXCL)) {
			dentry_put(d);
			return -EEXIST;
		}
		if (!S_ISLNK(inode->mode) || (h->flags & O_NOFOLLOW)) {
			struct dentry *old = w->cur.dentry;

			w->cur.dentry = d;
			dentry_put(old);
			if (path_follow_mounts(&w->cur) && (w->flags & LOOKUP_NO_XDEV))
				return -EXDEV;
			if (h->created)
				return 0;
			inode = dentry_inode(w->cur.dentry);
			if (S_ISDIR(inode->mode))
				return -EISDIR;
			return open_check_sticky(dir_mode, dir_uid, inode);
		}
		err = walk_follow_last(w, d);
		dentry_put(d);
		if (err)
			return err;
		if (w->last_type == LAST_ROOT) /* a magic link led to the object itself */
			return S_ISDIR(dentry_inode(w->cur.dentry)->mode) ? -EISDIR : 0;
	}
}

int file_open(const struct path *base, const char *name, u32 flags, u32 mode, u32 lookup,
	struct file **out)
{
	struct open_how_k h = { .flags = flags, .mode = mode };
	struct walk w;
	int err = open_check_flags(&h);

	if (!err)
		err = walk_begin(&w, base, name, lookup);
	if (err)
		return err;
	err = walk_parent(&w);
	if (!err) {
		if ((h.flags & O_CREAT) && !(h.flags & O_PATH))
			err = open_last_create(&w, &h);
		else
			err = walk_last(&w, !(h.flags & O_NOFOLLOW));
	}
	if (!err) {
		if (h.flags & O_TMPFILE_BIT)
			err = open_tmpfile(&w.cur, &h, out);
		else if (h.created)
			err = open_finish(&w.cur, &h, out);
		else
			err = open_object(&w.cur, &h, out);
	}
	walk_end(&w);
	return err;
}

int file_open_path(const struct path *p, u32 flags, struct file **out)
{
	struct open_how_k h = { .flags = flags & ~(u32)O_CREAT };
	struct path copy = *p;
	int err = open_check_flags(&h);

	if (err)
		return err;
	path_get(&copy);
	err = open_object(&copy, &h, out);
	path_put(&copy);
	return err;
}

int file_open_unchecked(const struct path *p, u32 flags, struct file **out)
{
	struct open_how_k h = { .flags = flags };
	struct path copy = *p;
	int err;

	path_get(&copy);
	err = open_finish(&copy, &h, out);
	if (err)
		path_put(&copy);
	return err;
}

int file_open_exec(const struct path *base, const char *name, u32 lookup, struct file **out)
{
	struct path p;
	struct inode *inode;
	int err = path_lookup(base, name, lookup, &p);

	if (err)
		return err;
	inode = dentry_inode(p.dentry);
	if (S_ISLNK(inode->mode))
		err = -ELOOP;
	else if (!S_ISREG(inode->mode) || (p.mnt->flags & MNT_NOEXEC))
		err = -EACCES;
	if (!err)
		err = inode_permission(inode, MAY_EXEC);
	if (!err)
		err = inode_deny_write(inode);
	if (!err) {
		struct open_how_k h = { .flags = O_RDONLY };

		err = open_finish(&p, &h, out);
		if (err)
			inode_allow_write(inode);
		else
			(*out)->mode |= FMODE_EXEC;
	}
	path_put(&p);
	return err;
}
