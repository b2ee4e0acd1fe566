/* SPDX-License-Identifier: Apache-2.0 */
/* chmod, chown, utimes, truncate. */
#include <linux/inotify.h>

#include "kernel/clock.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"
#include "task/user_ns.h"

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

/* ---- mode ---- */
static s64 chmod_at(int dfd, uaddr_t name, u32 mode)
{
	struct path p;
	s64 ret = at_lookup(dfd, name, 0, 0, &p);

	if (ret)
		return ret;
	ret = vfs_chmod(&p, mode);
	path_put(&p);
	return ret;
}

s64 sys_chmod(struct task *t, const struct sysargs *a)
{
	(void)t;
	return chmod_at(AT_FDCWD, a->a[0], (u32)a->a[1]);
}

s64 sys_fchmodat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return chmod_at((int)a->a[0], a->a[1], (u32)a->a[2]);
}

/* The object of a descriptor that is not O_PATH. */
static s64 real_fd_path(int fd, struct path *p)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = file_path(f, p);
	file_put(f);
	return err;
}

s64 sys_fchmod(struct task *t, const struct sysargs *a)
{
	struct path p;
	s64 ret = real_fd_path((int)a->a[0], &p);

	(void)t;
	if (ret)
		return ret;
	ret = vfs_chmod(&p, (u32)a->a[1]);
	path_put(&p);
	return ret;
}

/* ---- owner ---- */
/* The ids of a chown: ~0 keeps, others must be mapped. False: one is not. */
static bool chown_ids(u32 *uid, u32 *gid)
{
	u32 u = *uid, g = *gid;

	*uid = u == ID_NONE ? ID_NONE : uid_to_kernel(u);
	*gid = g == ID_NONE ? ID_NONE : gid_to_kernel(g);
	return (u == ID_NONE || *uid != ID_NONE) && (g == ID_NONE || *gid != ID_NONE);
}

static s64 chown_at(int dfd, uaddr_t name, u32 uid, u32 gid, u32 flags)
{
	struct path p;
	s64 ret;

	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	ret = at_lookup(dfd, name, flags, 0, &p);
	if (ret)
		return ret;
	ret = chown_ids(&uid, &gid) ? vfs_chown(&p, uid, gid) : -EINVAL;
	path_put(&p);
	return ret;
}

s64 sys_chown(struct task *t, const struct sysargs *a)
{
	(void)t;
	return chown_at(AT_FDCWD, a->a[0], (u32)a->a[1], (u32)a->a[2], 0);
}

s64 sys_lchown(struct task *t, const struct sysargs *a)
{
	(void)t;
	return chown_at(AT_FDCWD, a->a[0], (u32)a->a[1], (u32)a->a[2], AT_SYMLINK_NOFOLLOW);
}

s64 sys_fchownat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return chown_at((int)a->a[0], a->a[1], (u32)a->a[2], (u32)a->a[3], (u32)a->a[4]);
}

s64 sys_fchown(struct task *t, const struct sysargs *a)
{
	u32 uid = (u32)a->a[1], gid = (u32)a->a[2];
	struct path p;
	s64 ret = real_fd_path((int)a->a[0], &p);

	(void)t;
	if (ret)
		return ret;
	ret = chown_ids(&uid, &gid) ? vfs_chown(&p, uid, gid) : -EINVAL;
	path_put(&p);
	return ret;
}

/* ---- times ---- */
static s64 utimes_path(
	int dfd, uaddr_t name, u32 flags, const struct timestamp *at, const struct timestamp *mt)
{
	struct path p;
	s64 ret;

	if (!name) {
		if (dfd == AT_FDCWD)
			return -EFAULT;
		if (flags)
			return -EINVAL;
		ret = real_fd_path(dfd, &p);
	} else {
		ret = at_lookup(dfd, name, flags, 0, &p);
	}
	if (ret)
		return ret;
	ret = vfs_utimes(&p, at, mt);
	path_put(&p);
	return ret;
}

s64 sys_utimensat(struct task *t, const struct sysargs *a)
{
	struct {
		s64 sec, nsec;
	} ts[2];
	struct timestamp st[2];
	u32 flags = (u32)a->a[3];

	(void)t;
	if (a->a[2]) {
		if (copy_from_user(ts, a->a[2], sizeof(ts)))
			return -EFAULT;
		if (ts[0].nsec == UTIME_OMIT && ts[1].nsec == UTIME_OMIT)
			return 0;
		for (int i = 0; i < 2; i++) {
			if (ts[i].nsec != UTIME_NOW && ts[i].nsec != UTIME_OMIT &&
				(u64)ts[i].nsec >= NSEC_PER_SEC)
				return -EINVAL;
			st[i] = (struct timestamp){ ts[i].sec, (u32)ts[i].nsec };
		}
	}
	if (flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return utimes_path(
		(int)a->a[0], a->a[1], flags, a->a[2] ? &st[0] : NULL, a->a[2] ? &st[1] : NULL);
}

static s64 utimes_timeval(int dfd, uaddr_t name, uaddr_t tv)
{
	s64 v[4];
	struct timestamp st[2];

	if (!tv)
		return utimes_path(dfd, name, 0, NULL, NULL);
	if (copy_from_user(v, tv, sizeof(v)))
		return -EFAULT;
	if ((u64)v[1] >= 1000000 || (u64)v[3] >= 1000000)
		return -EINVAL;
	st[0] = (struct timestamp){ v[0], (u32)v[1] * 1000 };
	st[1] = (struct timestamp){ v[2], (u32)v[3] * 1000 };
	return utimes_path(dfd, name, 0, &st[0], &st[1]);
}

s64 sys_utimes(struct task *t, const struct sysargs *a)
{
	(void)t;
	return utimes_timeval(AT_FDCWD, a->a[0], a->a[1]);
}

s64 sys_futimesat(struct task *t, const struct sysargs *a)
{
	(void)t;
	return utimes_timeval((int)a->a[0], a->a[1], a->a[2]);
}

s64 sys_utime(struct task *t, const struct sysargs *a)
{
	s64 v[2];
	struct timestamp st[2];

	(void)t;
	if (!a->a[1])
		return utimes_path(AT_FDCWD, a->a[0], 0, NULL, NULL);
	if (copy_from_user(v, a->a[1], sizeof(v)))
		return -EFAULT;
	st[0] = (struct timestamp){ v[0], 0 };
	st[1] = (struct timestamp){ v[1], 0 };
	return utimes_path(AT_FDCWD, a->a[0], 0, &st[0], &st[1]);
}

/* ---- size ---- */
s64 sys_truncate(struct task *t, const struct sysargs *a)
{
	struct path p;
	s64 ret;

	(void)t;
	if ((s64)a->a[1] < 0)
		return -EINVAL;
	ret = at_lookup(AT_FDCWD, a->a[0], 0, 0, &p);
	if (ret)
		return ret;
	ret = vfs_truncate(&p, a->a[1]);
	path_put(&p);
	return ret;
}

s64 sys_ftruncate(struct task *t, const struct sysargs *a)
{
	struct file *f;
	u64 n = 1;
	s64 ret = 0;

	(void)t;
	if ((s64)a->a[1] < 0)
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	if (!S_ISREG(f->inode->mode) || !(f->mode & FMODE_WRITE))
		ret = -EINVAL;
	else if (a->a[1] > f->inode->size)
		ret = file_size_limit(a->a[1] - 1, &n);
	if (!ret)
		ret = inode_truncate(f->inode, a->a[1]);
	if (!ret)
		file_notify(f, IN_MODIFY);
	file_put(f);
	return ret;
}

s64 sys_umask(struct task *t, const struct sysargs *a)
{
	struct fs_context *fs = t->fs;
	u32 old;

	spin_lock(&fs->lock);
	old = fs->umask;
	fs->umask = (u32)a->a[0] & 0777;
	spin_unlock(&fs->lock);
	return old;
}
