/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of attributes and extended attributes, with Linux's permission rules. */
#include "fs/internal.h"

#include <linux/fs.h>
#include <linux/inotify.h>
#include <linux/stat.h>
#include <linux/xattr.h>

#include "fs/fdtable.h"
#include "fs/lease.h"
#include "task/task.h"

#define UTIME_NOW_NSEC	0x3fffffffu
#define UTIME_OMIT_NSEC 0x3ffffffeu

static const struct cred *attr_cred(void)
{
	return task_current() ? cred_current() : NULL;
}

static int inode_setattr(struct inode *inode, const struct setattr *a)
{
	if (inode->ops && inode->ops->setattr)
		return inode->ops->setattr(inode, a);
	return inode_setattr_cached(inode, a);
}

int vfs_chmod(const struct path *p, u32 mode)
{
	struct inode *inode = dentry_inode(p->dentry);
	struct setattr a = { .valid = ATTR_MODE, .mode = mode & 07777 };
	const struct cred *c = attr_cred();
	int err = path_want_write(p);

	if (err)
		return err;
	if (S_ISLNK(inode->mode))
		return -EOPNOTSUPP;
	rwsem_write_lock(&inode->lock);
	if (!inode_owner_or_capable(inode)) {
		err = -EPERM;
	} else {
		if (c && !cred_in_group(c, inode->gid) && !cred_capable_inode(c, inode, CAP_FSETID))
			a.mode &= ~(u32)S_ISGID;
		err = inode_setattr(inode, &a);
	}
	rwsem_write_unlock(&inode->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

static int chown_allowed(const struct inode *inode, const struct setattr *a)
{
	const struct cred *c = attr_cred();
	bool owner;

	if (!c || cred_capable_inode(c, inode, CAP_CHOWN))
		return 0;
	owner = c->fsuid == inode->uid;
	if ((a->valid & ATTR_UID) && !(owner && a->uid == inode->uid))
		return -EPERM;
	if ((a->valid & ATTR_GID) && !(owner && (a->gid == inode->gid || cred_in_group(c, a->gid))))
		return -EPERM;
	return 0;
}

int vfs_chown(const struct path *p, u32 uid, u32 gid)
{
	struct inode *inode = dentry_inode(p->dentry);
	struct setattr a = { .uid = uid, .gid = gid };
	int err = path_want_write(p);

	if (err)
		return err;
	a.valid = (uid != ~0u ? ATTR_UID : 0) | (gid != ~0u ? ATTR_GID : 0);
	rwsem_write_lock(&inode->lock);
	err = chown_allowed(inode, &a);
	if (!err && !S_ISDIR(inode->mode)) {
		u32 kill = inode->mode & S_ISUID;

		if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
			kill |= S_ISGID;
		if (kill) {
			a.valid |= ATTR_MODE;
			a.mode = inode->mode & 07777 & ~kill;
		}
	}
	if (!err)
		err = inode_setattr(inode, &a);
	rwsem_write_unlock(&inode->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

/* One of the two times. True when it is set to something other than now. */
static bool utimes_one(const struct timestamp *in, u32 bit, struct timestamp *out, u32 *valid)
{
	if (in && in->nsec == UTIME_OMIT_NSEC)
		return false;
	*valid |= bit;
	if (!in || in->nsec == UTIME_NOW_NSEC) {
		*out = timestamp_now();
		return false;
	}
	*out = *in;
	return true;
}

int vfs_utimes(const struct path *p, const struct timestamp *at, const struct timestamp *mt)
{
	struct inode *inode = dentry_inode(p->dentry);
	struct setattr a = { 0 };
	bool set, both_now;
	int err = path_want_write(p);

	if (err)
		return err;
	both_now = (!at || at->nsec == UTIME_NOW_NSEC) && (!mt || mt->nsec == UTIME_NOW_NSEC);
	set = utimes_one(at, ATTR_ATIME, &a.atime, &a.valid);
	set |= utimes_one(mt, ATTR_MTIME, &a.mtime, &a.valid);
	if (!a.valid)
		return 0;
	rwsem_write_lock(&inode->lock);
	if (!inode_owner_or_capable(inode))
		err = set || !both_now ? -EPERM : inode_permission(inode, MAY_WRITE);
	if (!err)
		err = inode_setattr(inode, &a);
	rwsem_write_unlock(&inode->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

int inode_truncate(struct inode *inode, u64 size)
{
	struct setattr a = { .valid = ATTR_SIZE, .size = size };
	int err;

	rwsem_write_lock(&inode->lock);
	err = inode->swapfile && size <= inode->size ? -ETXTBSY : inode_setattr(inode, &a);
	if (!err)
		err = inode_kill_priv(inode);
	rwsem_write_unlock(&inode->lock);
	return err;
}

int vfs_truncate(const struct path *p, u64 size)
{
	struct inode *inode = dentry_inode(p->dentry);
	u64 n = 1;
	int err;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	err = path_want_write(p) ?: inode_permission(inode, MAY_WRITE);
	if (!err && size > inode->size)
		err = file_size_limit(size - 1, &n);
	if (!err && unlikely(READ_ONCE(inode->leases)))
		err = lease_break(inode, true, true);
	if (!err)
		err = inode_get_write(inode);
	if (err)
		return err;
	err = inode_truncate(inode, size);
	inode_put_write(inode);
	if (!err)
		notify_dentry(p->dentry, IN_MODIFY);
	return err;
}

int vfs_statfs(const struct path *p, struct statfs_info *out)
{
	struct super *sb = p->mnt->sb;
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->type = sb->magic;
	out->bsize = sb->blksize;
	out->namelen = NAME_MAX_LEN;
	if (sb->ops && sb->ops->statfs)
		err = sb->ops->statfs(sb, out);
	/* ST_* of statvfs(3), which the mount decides */
	out->flags = 0x20; /* ST_VALID */
	out->flags |= path_want_write(p) ? 1 : 0;
	out->flags |= p->mnt->flags & MNT_NOSUID ? 2 : 0;
	out->flags |= p->mnt->flags & MNT_NODEV ? 4 : 0;
	out->flags |= p->mnt->flags & MNT_NOEXEC ? 8 : 0;
	out->flags |= p->mnt->flags & MNT_NOATIME ? 0x400 : 0;
	out->flags |= p->mnt->flags & MNT_NODIRATIME ? 0x800 : 0;
	out->flags |= p->mnt->flags & MNT_RELATIME ? 0x1000 : 0;
	out->flags |= p->mnt->flags & MNT_NOSYMFOLLOW ? 0x2000 : 0;
	return err;
}

int vfs_access(const struct path *p, int mode, const struct cred *c)
{
	struct inode *inode = dentry_inode(p->dentry);
	int err;

	if ((mode & MAY_EXEC) && S_ISREG(inode->mode) && (p->mnt->flags & MNT_NOEXEC))
		return -EACCES;
	err = mode ? inode_permission_cred(c, inode, mode) : 0;
	if (!err && (mode & MAY_WRITE) &&
		(S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode)))
		err = path_want_write(p);
	return err;
}

/* ---- extended attributes ---- */
static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static int xattr_permission(struct inode *inode, const char *name, int mask)
{
	if (has_prefix(name, "security.") || has_prefix(name, "system."))
		return mask == MAY_WRITE && has_prefix(name, "security.") &&
				       !cred_capable(attr_cred(), CAP_SYS_ADMIN) &&
				       strcmp(name, "security.capability") != 0
			       ? -EPERM
			       : 0;
	if (has_prefix(name, "trusted.")) {
		if (cred_capable(attr_cred(), CAP_SYS_ADMIN))
			return 0;
		return mask == MAY_WRITE ? -EPERM : -ENODATA;
	}
	if (!has_prefix(name, "user."))
		return -EOPNOTSUPP;
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		return mask == MAY_WRITE ? -EPERM : -ENODATA;
	if (S_ISDIR(inode->mode) && (inode->mode & S_ISVTX) && mask == MAY_WRITE &&
		!inode_owner_or_capable(inode))
		return -EPERM;
	return inode_permission(inode, mask);
}

s64 vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size)
{
	struct inode *inode = dentry_inode(p->dentry);
	int err = xattr_permission(inode, name, MAY_READ);

	if (err)
		return err;
	if (!inode->ops || !inode->ops->getxattr)
		return -EOPNOTSUPP;
	return inode->ops->getxattr(inode, name, buf, size);
}

int vfs_setxattr(const struct path *p, const char *name, const void *val, size_t size, int flags)
{
	struct inode *inode = dentry_inode(p->dentry);
	int err = path_want_write(p) ?: xattr_permission(inode, name, MAY_WRITE);

	if (err)
		return err;
	if (!inode->ops || !inode->ops->setxattr)
		return -EOPNOTSUPP;
	if (!strcmp(name, "security.capability") &&
		!cred_capable_inode(attr_cred(), inode, CAP_SETFCAP))
		return -EPERM;
	rwsem_write_lock(&inode->lock);
	err = inode->ops->setxattr(inode, name, val, size, flags);
	rwsem_write_unlock(&inode->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

int vfs_removexattr(const struct path *p, const char *name)
{
	struct inode *inode = dentry_inode(p->dentry);
	int err = path_want_write(p) ?: xattr_permission(inode, name, MAY_WRITE);

	if (err)
		return err;
	if (!inode->ops || !inode->ops->removexattr)
		return -EOPNOTSUPP;
	rwsem_write_lock(&inode->lock);
	err = inode->ops->removexattr(inode, name);
	rwsem_write_unlock(&inode->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

s64 vfs_listxattr(const struct path *p, char *buf, size_t size)
{
	struct inode *inode = dentry_inode(p->dentry);

	if (!inode->ops || !inode->ops->listxattr)
		return 0;
	return inode->ops->listxattr(inode, buf, size);
}
