/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes and supers: life, default attributes, permission checks. */
#include "fs/internal.h"

#include <linux/fs.h>
#include <linux/magic.h>

#include "kernel/clock.h"
#include "task/task.h"
#include "task/user_ns.h"

static struct kcache inode_cache = KCACHE("inode", struct inode);
static u32 super_next_dev = 20;

struct timestamp timestamp_now(void)
{
	u64 now = clock_realtime();

	return (struct timestamp){ (s64)(now / NSEC_PER_SEC), (u32)(now % NSEC_PER_SEC) };
}

/* ---- supers ---- */
struct super *super_create(const struct super_ops *ops, const char *fstype, u32 magic, void *priv)
{
	struct super *sb = kzalloc(sizeof(*sb));

	if (!sb)
		return NULL;
	ref_init(&sb->ref);
	sb->ops = ops;
	sb->fstype = fstype;
	sb->magic = magic;
	sb->priv = priv;
	sb->blksize = PAGE_SIZE;
	sb->dev = atomic_add(&super_next_dev, 1) & DEV_MINOR_MAX;
	if (!sb->dev)
		sb->dev = atomic_add(&super_next_dev, 1) & DEV_MINOR_MAX;
	return sb;
}

void super_get(struct super *sb)
{
	ref_get(&sb->ref);
}

void super_put(struct super *sb)
{
	if (!ref_put(&sb->ref))
		return;
	if (sb->ops && sb->ops->destroy)
		sb->ops->destroy(sb);
	user_ns_put(sb->owner);
	kfree(sb->root_name);
	kfree(sb);
}

int super_set_root(struct super *sb, struct inode *root)
{
	sb->root = dentry_alloc(sb, NULL, "/", 1);
	if (!sb->root) {
		inode_put(root);
		return -ENOMEM;
	}
	sb->root->inode = root;
	return 0;
}

void super_abort(struct super *sb)
{
	struct dentry *root = sb->root;

	/* A super that is mounted elsewhere keeps its tree. */
	if (root && atomic_load(&sb->active) == 0) {
		sb->root = NULL;
		dcache_kill_tree(root);
	}
	super_put(sb);
}

/* ---- life of an inode ---- */
struct inode *inode_create(struct super *sb, u64 ino, u32 mode)
{
	struct inode *inode = kcache_zalloc(&inode_cache);

	if (!inode)
		return NULL;
	ref_init(&inode->ref);
	super_get(sb);
	inode->sb = sb;
	inode->ino = ino;
	inode->mode = mode;
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	inode->atime = timestamp_now();
	inode->mtime = inode->ctime = inode->btime = inode->atime;
	list_init(&inode->locks);
	if (S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode))
		inode_init_special(inode, 0);
	return inode;
}

void inode_init_special(struct inode *inode, u32 rdev)
{
	inode->rdev = rdev;
	if (S_ISCHR(inode->mode))
		inode->fops = &chrdev_ops;
	else if (S_ISBLK(inode->mode))
		inode->fops = &blkdev_ops;
	else if (S_ISFIFO(inode->mode))
		inode->fops = &fifo_ops;
	else if (S_ISSOCK(inode->mode))
		inode->fops = &sock_inode_ops;
}

void inode_get(struct inode *inode)
{
	ref_get(&inode->ref);
}

void inode_put(struct inode *inode)
{
	struct super *sb = inode->sb;

	if (!ref_put(&inode->ref))
		return;
	if (sb->ops && sb->ops->evict_inode)
		sb->ops->evict_inode(inode);
	kcache_free(&inode_cache, inode);
	super_put(sb);
}

void inode_touch(struct inode *inode, u32 which)
{
	struct timestamp now = timestamp_now();

	if (which & ATTR_ATIME)
		inode->atime = now;
	if (which & ATTR_MTIME)
		inode->mtime = now;
	if (which & ATTR_CTIME)
		inode->ctime = now;
}

int inode_setattr_cached(struct inode *inode, const struct setattr *a)
{
	if (a->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (a->mode & 07777);
	if (a->valid & ATTR_UID)
		inode->uid = a->uid;
	if (a->valid & ATTR_GID)
		inode->gid = a->gid;
	if (a->valid & ATTR_SIZE) {
		u64 old = inode->size;

		atomic_store(&inode->size, a->size);
		if (inode->mapping && a->size < old)
			mapping_truncate(inode->mapping, a->size, ~0UL);
		inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
	}
	if (a->valid & ATTR_ATIME)
		inode->atime = a->atime;
	if (a->valid & ATTR_MTIME)
		inode->mtime = a->mtime;
	inode_touch(inode, ATTR_CTIME);
	return 0;
}

void inode_inherit(const struct inode *dir, u32 *mode, u32 *gid)
{
	if (!(dir->mode & S_ISGID))
		return;
	*gid = dir->gid;
	if (S_ISDIR(*mode))
		*mode |= S_ISGID;
}

int inode_refresh(struct inode *inode)
{
	return inode->ops && inode->ops->getattr ? inode->ops->getattr(inode) : 0;
}

/* ---- permissions ---- */
bool cred_capable(const struct cred *c, int cap)
{
	return !c || cred_ns_capable(c, &user_ns_root, cap);
}

bool cred_capable_inode(const struct cred *c, const struct inode *inode, int cap)
{
	return !c || capable_over(c, inode->uid, inode->gid, cap);
}

/* What the mode bits alone say. */
static bool inode_mode_allows(const struct cred *c, const struct inode *inode, int mask)
{
	u32 mode = inode->mode;

	if (c->fsuid == inode->uid)
		mode >>= 6;
	else if (((mode >> 3 ^ mode) & (u32)mask) && cred_in_group(c, inode->gid))
		mode >>= 3;
	return ((u32)mask & ~mode & 7) == 0;
}

int inode_permission_cred(const struct cred *c, struct inode *inode, int mask)
{
	if ((mask & MAY_WRITE) && inode->sb->readonly &&
		(S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode)))
		return -EROFS;
	if (!c || inode_mode_allows(c, inode, mask))
		return 0;
	if (S_ISDIR(inode->mode)) {
		if (!(mask & MAY_WRITE) && cred_capable_inode(c, inode, CAP_DAC_READ_SEARCH))
			return 0;
		return cred_capable_inode(c, inode, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (mask == MAY_READ && cred_capable_inode(c, inode, CAP_DAC_READ_SEARCH))
		return 0;
	if ((!(mask & MAY_EXEC) || (inode->mode & 0111)) &&
		cred_capable_inode(c, inode, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

static const struct cred *cred_of_caller(void)
{
	return task_current() ? cred_current() : NULL;
}

bool fs_capable(int cap)
{
	return cred_capable(cred_of_caller(), cap);
}

int inode_permission(struct inode *inode, int mask)
{
	return inode_permission_cred(cred_of_caller(), inode, mask);
}

bool inode_owner_or_capable(const struct inode *inode)
{
	const struct cred *c = cred_of_caller();

	return !c || c->fsuid == inode->uid || cred_capable_inode(c, inode, CAP_FOWNER);
}

/* ---- writers, for ETXTBSY ---- */
int inode_get_write(struct inode *inode)
{
	s32 n = atomic_load(&inode->writers);

	do {
		if (n < 0)
			return -ETXTBSY;
	} while (!atomic_cas(&inode->writers, &n, n + 1));
	return 0;
}

void inode_put_write(struct inode *inode)
{
	atomic_sub(&inode->writers, 1);
}

int inode_deny_write(struct inode *inode)
{
	s32 n = atomic_load(&inode->writers);

	do {
		if (n > 0)
			return -ETXTBSY;
	} while (!atomic_cas(&inode->writers, &n, n - 1));
	return 0;
}

void inode_allow_write(struct inode *inode)
{
	atomic_add(&inode->writers, 1);
}

/* ---- times and privileges ---- */
#define RELATIME_AGE (24 * 3600)

static bool timestamp_before_eq(const struct timestamp *a, const struct timestamp *b)
{
	return a->sec != b->sec ? a->sec < b->sec : a->nsec <= b->nsec;
}

void inode_update_atime(struct inode *inode, u32 mnt_flags)
{
	if (inode->sb->readonly || (mnt_flags & (MNT_NOATIME | MNT_RDONLY)))
		return;
	if ((mnt_flags & MNT_NODIRATIME) && S_ISDIR(inode->mode))
		return;
	if (timestamp_before_eq(&inode->atime, &inode->mtime) ||
		timestamp_before_eq(&inode->atime, &inode->ctime)) {
		inode_touch(inode, ATTR_ATIME);
		return;
	}
	if (mnt_flags & MNT_RELATIME) {
		s64 now = (s64)(clock_realtime() / NSEC_PER_SEC);

		if (now - inode->atime.sec < RELATIME_AGE)
			return;
	}
	inode_touch(inode, ATTR_ATIME);
}

int inode_kill_priv(struct inode *inode)
{
	struct setattr a = { .valid = ATTR_MODE };
	const struct cred *c = cred_of_caller();
	u32 kill = 0;

	if (!S_ISREG(inode->mode) || !(inode->mode & (S_ISUID | S_ISGID)))
		return 0;
	if (cred_capable_inode(c, inode, CAP_FSETID))
		return 0;
	kill |= inode->mode & S_ISUID;
	if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		kill |= S_ISGID;
	if (!kill)
		return 0;
	a.mode = inode->mode & 07777 & ~kill;
	if (inode->ops && inode->ops->setattr)
		return inode->ops->setattr(inode, &a);
	return inode_setattr_cached(inode, &a);
}

s64 inode_readlink(struct inode *inode, char *buf, size_t size)
{
	if (!S_ISLNK(inode->mode) || !inode->ops || !inode->ops->readlink)
		return -EINVAL;
	return inode->ops->readlink(inode, buf, size);
}
