/* SPDX-License-Identifier: Apache-2.0 */
/* stat, statx, access, statfs. */
#include <asm/stat.h>
#include <asm/statfs.h>

#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"
#include "task/user_ns.h"

static s64 put_stat(struct inode *inode, uaddr_t to)
{
	struct stat st;
	int err = inode_refresh(inode);

	if (err)
		return err;
	memset(&st, 0, sizeof(st));
	st.st_dev = super_st_dev(inode->sb);
	st.st_ino = inode->ino;
	st.st_nlink = inode->nlink;
	st.st_mode = inode->mode;
	st.st_uid = uid_shown(inode->uid);
	st.st_gid = gid_shown(inode->gid);
	st.st_rdev = inode->rdev;
	st.st_size = (long)inode->size;
	st.st_blksize = inode->sb->blksize;
	st.st_blocks = (long)inode->blocks;
	st.st_atime = (u64)inode->atime.sec;
	st.st_atime_nsec = inode->atime.nsec;
	st.st_mtime = (u64)inode->mtime.sec;
	st.st_mtime_nsec = inode->mtime.nsec;
	st.st_ctime = (u64)inode->ctime.sec;
	st.st_ctime_nsec = inode->ctime.nsec;
	return copy_to_user(to, &st, sizeof(st));
}

static s64 stat_at(int dfd, uaddr_t name, u32 at_flags, uaddr_t to)
{
	struct path p;
	s64 ret = at_lookup(dfd, name, at_flags, 0, &p);

	if (ret)
		return ret;
	ret = put_stat(dentry_inode(p.dentry), to);
	path_put(&p);
	return ret;
}

s64 sys_stat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return stat_at(AT_FDCWD, a->a[0], 0, a->a[1]);
}

s64 sys_lstat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return stat_at(AT_FDCWD, a->a[0], AT_SYMLINK_NOFOLLOW, a->a[1]);
}

static s64 stat_fd(int fd, uaddr_t to)
{
	struct file *f = fd_get_any(fd);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = put_stat(f->inode, to);
	file_put(f);
	return ret;
}

s64 sys_fstat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return stat_fd((int)a->a[0], a->a[1]);
}

/* AT_EMPTY_PATH with an empty name and a descriptor: no walk at all. */
static bool is_fd_only(int dfd, u32 flags, uaddr_t name)
{
	char c;

	return (flags & AT_EMPTY_PATH) && dfd >= 0 && !get_user(c, name) && !c;
}

s64 sys_newfstatat(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[3];

	(void)t;
	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	if (is_fd_only((int)a->a[0], flags, a->a[1]))
		return stat_fd((int)a->a[0], a->a[2]);
	return stat_at((int)a->a[0], a->a[1], flags, a->a[2]);
}

static struct statx_timestamp statx_time(const struct timestamp *t)
{
	return (struct statx_timestamp){ .tv_sec = t->sec, .tv_nsec = t->nsec };
}

static s64 put_statx(const struct path *p, struct inode *inode, uaddr_t to)
{
	struct statx x;
	int err = inode_refresh(inode);

	if (err)
		return err;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS | STATX_BTIME;
	x.stx_blksize = inode->sb->blksize;
	x.stx_nlink = inode->nlink;
	x.stx_uid = uid_shown(inode->uid);
	x.stx_gid = gid_shown(inode->gid);
	x.stx_mode = (u16)inode->mode;
	x.stx_ino = inode->ino;
	x.stx_size = inode->size;
	x.stx_blocks = inode->blocks;
	x.stx_atime = statx_time(&inode->atime);
	x.stx_btime = statx_time(&inode->btime);
	x.stx_ctime = statx_time(&inode->ctime);
	x.stx_mtime = statx_time(&inode->mtime);
	x.stx_rdev_major = dev_major(inode->rdev);
	x.stx_rdev_minor = dev_minor(inode->rdev);
	x.stx_dev_minor = inode->sb->dev;
	x.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
	if (p->mnt) {
		x.stx_mask |= STATX_MNT_ID;
		x.stx_mnt_id = p->mnt->id;
		if (p->mnt->root == p->dentry)
			x.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	}
	return copy_to_user(to, &x, sizeof(x));
}

s64 sys_statx(struct task *t, const struct sysargs *a)
{
	u32 flags = (u32)a->a[2];
	struct path p;
	s64 ret;

	(void)t;
	if ((u32)a->a[3] & STATX__RESERVED)
		return -EINVAL;
	if (flags &
		~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if (is_fd_only((int)a->a[0], flags, a->a[1]))
		ret = fd_path((int)a->a[0], &p);
	else
		ret = at_lookup((int)a->a[0], a->a[1], flags, 0, &p);
	if (ret)
		return ret;
	ret = put_statx(&p, dentry_inode(p.dentry), a->a[4]);
	path_put(&p);
	return ret;
}

/* ---- access ---- */
/* Credentials for access(2): the real ids, and the capabilities that go with them. NULL = no memory. */
static struct cred *access_cred(struct task *t)
{
	struct cred *c = cred_dup(t->cred);

	if (!c)
		return NULL;
	c->fsuid = c->uid;
	c->fsgid = c->gid;
	if (c->uid != cred_root(c))
		c->cap_effective = 0;
	else
		c->cap_effective = c->cap_permitted;
	return c;
}

static bool access_same(const struct cred *c)
{
	return c->uid == c->fsuid && c->gid == c->fsgid &&
	       c->cap_effective == (c->uid != cred_root(c) ? 0 : c->cap_permitted);
}

static s64 access_path(int dfd, uaddr_t name, int mode, u32 flags, const struct cred *c)
{
	struct upath u;
	struct at at;
	struct path p;
	u32 lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	s64 ret = upath_get(&u, name);

	if (ret)
		return ret;
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	ret = at_get(&at, dfd, u.name);
	if (!ret) {
		ret = path_lookup_cred(at.base, u.name, lookup, c, &p);
		at_put(&at);
	}
	upath_put(&u);
	if (ret)
		return ret;
	ret = inode_refresh(dentry_inode(p.dentry)) ?: vfs_access(&p, mode, c);
	path_put(&p);
	return ret;
}

static s64 do_access(struct task *t, int dfd, uaddr_t name, int mode, u32 flags)
{
	struct cred *mine = NULL;
	s64 ret;

	if (mode & ~7)
		return -EINVAL;
	if (flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & AT_EACCESS) && !access_same(t->cred)) {
		mine = access_cred(t);
		if (!mine)
			return -ENOMEM;
	}
	ret = access_path(dfd, name, mode, flags, mine ? mine : t->cred);
	if (mine)
		cred_put(mine);
	return ret;
}

s64 sys_access(struct task *t, const struct sysargs *a)
{
	return do_access(t, AT_FDCWD, a->a[0], (int)a->a[1], 0);
}

s64 sys_faccessat(struct task *t, const struct sysargs *a)
{
	return do_access(t, (int)a->a[0], a->a[1], (int)a->a[2], 0);
}

s64 sys_faccessat2(struct task *t, const struct sysargs *a)
{
	return do_access(t, (int)a->a[0], a->a[1], (int)a->a[2], (u32)a->a[3]);
}

/* ---- statfs ---- */
static s64 put_statfs(const struct path *p, uaddr_t to)
{
	struct statfs_info i;
	struct statfs s;
	int err = vfs_statfs(p, &i);

	if (err)
		return err;
	memset(&s, 0, sizeof(s));
	s.f_type = (__statfs_word)i.type;
	s.f_bsize = (__statfs_word)i.bsize;
	s.f_blocks = (__statfs_word)i.blocks;
	s.f_bfree = (__statfs_word)i.bfree;
	s.f_bavail = (__statfs_word)i.bavail;
	s.f_files = (__statfs_word)i.files;
	s.f_ffree = (__statfs_word)i.ffree;
	s.f_fsid.val[0] = (int)p->mnt->sb->dev;
	s.f_namelen = (__statfs_word)i.namelen;
	s.f_frsize = (__statfs_word)i.bsize;
	s.f_flags = (__statfs_word)i.flags;
	return copy_to_user(to, &s, sizeof(s));
}

s64 sys_statfs(struct task *t, const struct sysargs *a)
{
	struct path p;
	s64 ret = at_lookup(AT_FDCWD, a->a[0], 0, 0, &p);

	(void)t;
	if (ret)
		return ret;
	ret = put_statfs(&p, a->a[1]);
	path_put(&p);
	return ret;
}

s64 sys_fstatfs(struct task *t, const struct sysargs *a)
{
	struct path p;
	s64 ret = fd_path((int)a->a[0], &p);

	(void)t;
	if (ret)
		return ret;
	ret = put_statfs(&p, a->a[1]);
	path_put(&p);
	return ret;
}
