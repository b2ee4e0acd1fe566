/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes, extended attributes and symbolic links of hostfs. */
#include "fs/hostfs/hostfs.h"

#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/xattr.h>

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

int hostfs_getattr(struct inode *inode)
{
	if (clock_monotonic() - READ_ONCE(hostfs_node(inode)->fetched) < HOSTFS_VALID_NS)
		return 0;
	return hostfs_refresh(inode, false);
}

static void setattr_times(const struct setattr *a, struct fuse_setattr_in *in)
{
	if (a->valid & ATTR_ATIME) {
		in->valid |= FATTR_ATIME;
		in->atime = (u64)a->atime.sec;
		in->atimensec = a->atime.nsec;
	}
	if (a->valid & ATTR_MTIME) {
		in->valid |= FATTR_MTIME;
		in->mtime = (u64)a->mtime.sec;
		in->mtimensec = a->mtime.nsec;
	}
}

/* Growing needs no order; for shrinking the pages must be gone before the server's file is, or a late write would bring them back. */
static void setattr_size(struct inode *inode, u64 size, struct fuse_setattr_in *in)
{
	struct hostfs_super *hs = hostfs_super(inode->sb);
	u64 old = inode->size;

	WRITE_ONCE(inode->size, size);
	if (size < old)
		mapping_truncate(inode->mapping, size, ~0UL);
	if (hs->exclusive && size == old && size == READ_ONCE(hostfs_node(inode)->server_size))
		return; /* O_TRUNC of an empty file */
	in->valid |= FATTR_SIZE;
	in->size = size;
}

#define ATTR_WAIT  (ATTR_MODE | ATTR_ATIME | ATTR_MTIME)
#define FATTR_WAIT (FATTR_MODE | FATTR_ATIME | FATTR_MTIME)

/* Put what was kept back into a request that is sent anyway, unless that has newer values. */
static void setattr_add_late(struct inode *inode, struct fuse_setattr_in *in)
{
	u32 late = atomic_xchg(&hostfs_node(inode)->late, 0u) & ~in->valid;

	if (late & FATTR_MODE)
		in->mode = inode->mode & 07777;
	if (late & FATTR_ATIME) {
		in->atime = (u64)inode->atime.sec;
		in->atimensec = inode->atime.nsec;
	}
	if (late & FATTR_MTIME) {
		in->mtime = (u64)inode->mtime.sec;
		in->mtimensec = inode->mtime.nsec;
	}
	in->valid |= late;
}

/*
 * While a file of an exclusive mount has dirty pages, its mode and times wait for them: one SETATTR behind the last WRITE brings them all, and
 * a write cannot take setuid bits away any more. First the values, then the mark, then a look at the pages: hostfs_write_pages
 * looks the other way round.
 */
static void setattr_keep_back(
	struct inode *inode, const struct setattr *a, struct fuse_setattr_in *in)
{
	struct setattr values = *a;

	if (!inode->mapping || !hostfs_super(inode->sb)->exclusive)
		return;
	if (!(in->valid & FATTR_SIZE) && (in->valid & FATTR_WAIT) &&
		READ_ONCE(inode->mapping->ndirty)) {
		values.valid &= ATTR_WAIT;
		(void)inode_setattr_cached(inode, &values);
		atomic_or(&hostfs_node(inode)->late, in->valid & FATTR_WAIT);
		atomic_fence();
		if (READ_ONCE(inode->mapping->ndirty)) {
			in->valid &= ~FATTR_WAIT;
			return;
		}
	}
	/* The last dirty page is gone, or may go with this truncation. */
	setattr_add_late(inode, in);
}

static void setattr_owner_and_mode(const struct setattr *a, struct fuse_setattr_in *in)
{
	if (a->valid & ATTR_MODE) {
		in->valid |= FATTR_MODE;
		in->mode = a->mode & 07777;
	}
	if (a->valid & ATTR_UID) {
		in->valid |= FATTR_UID;
		in->uid = a->uid;
	}
	if (a->valid & ATTR_GID) {
		in->valid |= FATTR_GID;
		in->gid = a->gid;
	}
}

static int setattr_send(struct inode *inode, struct fuse_setattr_in *in)
{
	struct fuse_attr out;
	int err = hostfs_send_setattr(inode, in, &out);

	if (err)
		return err;
	if (in->valid & FATTR_SIZE)
		WRITE_ONCE(hostfs_node(inode)->server_size, out.size);
	inode->blocks = out.blocks;
	return 0;
}

/* inode->lock is held for writing. The cached attributes change only when the server has agreed, or will hear of it. */
int hostfs_setattr(struct inode *inode, const struct setattr *a)
{
	struct setattr local = *a;
	struct fuse_setattr_in in = { 0 };
	int err;

	setattr_owner_and_mode(a, &in);
	setattr_times(a, &in);
	if (a->valid & ATTR_SIZE) {
		if (!inode->mapping)
			return -EINVAL;
		setattr_size(inode, a->size, &in);
		local.valid &= ~ATTR_SIZE;
	}
	setattr_keep_back(inode, a, &in);
	if ((in.valid & FATTR_MODE) && (in.mode & (S_ISUID | S_ISGID)) && inode->mapping)
		(void)mapping_writeback(inode->mapping, 0, ~0UL);
	err = in.valid ? setattr_send(inode, &in) : 0;
	if (err) {
		/* Part of it may be done, here or there. */
		(void)hostfs_refresh(inode, true);
		return err;
	}
	if (a->valid & ATTR_SIZE)
		inode_touch(inode, ATTR_MTIME | ATTR_CTIME);
	return inode_setattr_cached(inode, &local);
}

/* ---- extended attributes */

static s64 xattr_ask(struct inode *inode, u32 op, const char *name, void *buf, size_t size)
{
	struct fuse_getxattr_in in = { .size = (u32)MIN(size, (size_t)XATTR_SIZE_MAX) };
	struct fuse_getxattr_out len;
	struct hostfs_req r = { .op = op, .nodeid = hostfs_node(inode)->nodeid };
	int err;

	HOSTFS_ARG(&r, 0, &in, sizeof(in));
	if (name)
		HOSTFS_ARG(&r, 1, name, strlen(name) + 1);
	r.out = size ? buf : &len;
	r.out_size = size ? in.size : (u32)sizeof(len);
	err = hostfs_call(hostfs_super(inode->sb)->conn, &r);
	if (err)
		return err;
	if (size)
		return r.out_len;
	return r.out_len == sizeof(len) ? (s64)len.size : -EIO;
}

/* Where the absence of an attribute is remembered: exec and permission checks ask for these all the time. */
static bool *xattr_absent(struct inode *inode, const char *name)
{
	if (!hostfs_super(inode->sb)->exclusive)
		return NULL;
	if (!strcmp(name, XATTR_NAME_CAPS))
		return &hostfs_node(inode)->no_caps;
	if (!strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS))
		return &hostfs_node(inode)->no_acl;
	return NULL;
}

s64 hostfs_getxattr(struct inode *inode, const char *name, void *buf, size_t size)
{
	bool *absent = xattr_absent(inode, name);
	s64 n;

	if (absent && READ_ONCE(*absent))
		return -ENODATA;
	n = xattr_ask(inode, FUSE_GETXATTR, name, buf, size);
	if (absent && n == -ENODATA)
		WRITE_ONCE(*absent, true);
	return n;
}

s64 hostfs_listxattr(struct inode *inode, char *buf, size_t size)
{
	return xattr_ask(inode, FUSE_LISTXATTR, NULL, buf, size);
}

int hostfs_setxattr(struct inode *inode, const char *name, const void *val, size_t size, int flags)
{
	struct fuse_setxattr_in in = { .size = (u32)size, .flags = (u32)flags };
	struct hostfs_req r = { .op = FUSE_SETXATTR, .nodeid = hostfs_node(inode)->nodeid };
	bool *absent = xattr_absent(inode, name);
	int err;

	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	/* A later write to the server would drop file capabilities. */
	if (!strcmp(name, XATTR_NAME_CAPS) && inode->mapping)
		(void)mapping_writeback(inode->mapping, 0, ~0UL);
	HOSTFS_ARG(&r, 0, &in, FUSE_COMPAT_SETXATTR_IN_SIZE);
	HOSTFS_ARG(&r, 1, name, strlen(name) + 1);
	if (size)
		HOSTFS_ARG(&r, 2, val, size);
	err = hostfs_call(hostfs_super(inode->sb)->conn, &r);
	if (!err && absent)
		WRITE_ONCE(*absent, false);
	if (!err)
		inode_touch(inode, ATTR_CTIME);
	return err;
}

int hostfs_removexattr(struct inode *inode, const char *name)
{
	struct hostfs_req r = { .op = FUSE_REMOVEXATTR, .nodeid = hostfs_node(inode)->nodeid };
	int err;

	HOSTFS_ARG(&r, 0, name, strlen(name) + 1);
	err = hostfs_call(hostfs_super(inode->sb)->conn, &r);
	if (!err)
		inode_touch(inode, ATTR_CTIME);
	return err;
}

/* ---- symbolic links: a target never changes, so it is asked once */

void hostfs_set_target(struct hostfs_node *n, const char *target)
{
	char *copy = atomic_load(&n->target) ? NULL : kstrdup(target), *old = NULL;

	/* Without memory the next reader asks again. */
	if (copy && !atomic_cas(&n->target, &old, copy))
		kfree(copy);
}

static s64 hostfs_readlink(struct inode *inode, char *buf, size_t size)
{
	struct hostfs_node *n = hostfs_node(inode);
	char *target = atomic_load(&n->target);
	size_t len;

	if (!target) {
		struct hostfs_req r = { .op = FUSE_READLINK, .nodeid = n->nodeid };
		int err;

		target = kmalloc(PATH_MAX_LEN + 1);
		if (!target)
			return -ENOMEM;
		r.out = target;
		r.out_size = PATH_MAX_LEN;
		err = hostfs_call(hostfs_super(inode->sb)->conn, &r);
		target[err ? 0 : r.out_len] = 0;
		if (!err)
			hostfs_set_target(n, target);
		len = strlen(target);
		memcpy(buf, target, MIN(len, size));
		kfree(target);
		return err ? err : (s64)MIN(len, size);
	}
	len = strlen(target);
	memcpy(buf, target, MIN(len, size));
	return (s64)MIN(len, size);
}

const struct inode_ops hostfs_link_ops = {
	.readlink = hostfs_readlink,
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
};

const struct inode_ops hostfs_link_shared_ops = {
	.readlink = hostfs_readlink,
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
};

const struct inode_ops hostfs_other_ops = {
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
};

const struct inode_ops hostfs_other_shared_ops = {
	.getattr = hostfs_getattr,
	.setattr = hostfs_setattr,
	.getxattr = hostfs_getxattr,
	.setxattr = hostfs_setxattr,
	.removexattr = hostfs_removexattr,
	.listxattr = hostfs_listxattr,
};
