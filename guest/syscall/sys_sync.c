/* SPDX-License-Identifier: Apache-2.0 */
/* Durability and advice: fsync, sync, fallocate, fadvise, readahead. */
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/inotify.h>

#include "syscall/fsarg.h"
#include "syscall/handlers.h"

static s64 fsync_fd(int fd, bool data_only)
{
	struct file *f = fd_get(fd);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = f->ops && f->ops->fsync ? f->ops->fsync(f, 0, ~0UL, data_only) : -EINVAL;
	file_put(f);
	return ret;
}

s64 sys_fsync(struct task *t, const struct sysargs *a)
{
	(void)t;
	return fsync_fd((int)a->a[0], false);
}

s64 sys_fdatasync(struct task *t, const struct sysargs *a)
{
	(void)t;
	return fsync_fd((int)a->a[0], true);
}

s64 sys_sync(struct task *t, const struct sysargs *a)
{
	(void)t;
	(void)a;
	filemap_sync_all();
	return 0;
}

s64 sys_syncfs(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	struct super *sb;
	s64 ret;

	(void)t;
	if (!f)
		return -EBADF;
	sb = f->inode->sb;
	ret = filemap_sync_all();
	if (!ret && sb->ops && sb->ops->sync)
		ret = sb->ops->sync(sb);
	file_put(f);
	return ret;
}

s64 sys_sync_file_range(struct task *t, const struct sysargs *a)
{
	s64 off = (s64)a->a[1], len = (s64)a->a[2], end;
	u32 flags = (u32)a->a[3];
	struct file *f;
	s64 ret = 0;

	(void)t;
	if (flags & ~(u32)(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			    SYNC_FILE_RANGE_WAIT_AFTER))
		return -EINVAL;
	if (off < 0 || len < 0 || __builtin_add_overflow(off, len, &end))
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode) && !S_ISLNK(f->inode->mode))
		ret = -ESPIPE;
	else if (f->inode->mapping)
		ret = mapping_writeback(f->inode->mapping, (u64)off, len ? (u64)end : ~0UL);
	file_put(f);
	return ret;
}

/* As vfs_fallocate of late: one mode, and with some the size may or must stay. */
static bool fallocate_mode_ok(int mode)
{
	bool keep = mode & FALLOC_FL_KEEP_SIZE;

	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_UNSHARE_RANGE:
	case FALLOC_FL_ZERO_RANGE:
		return true;
	case FALLOC_FL_PUNCH_HOLE:
		return keep;
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return !keep;
	default:
		return false;
	}
}

s64 sys_fallocate(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	int mode = (int)a->a[1];
	s64 off = (s64)a->a[2], len = (s64)a->a[3], end, ret;

	(void)t;
	if (!f)
		return -EBADF;
	if (off < 0 || len <= 0)
		ret = -EINVAL;
	else if (!fallocate_mode_ok(mode))
		ret = -EOPNOTSUPP;
	else if (!(f->mode & FMODE_WRITE))
		ret = -EBADF;
	else if (S_ISFIFO(f->inode->mode))
		ret = -ESPIPE;
	else if (S_ISDIR(f->inode->mode))
		ret = -EISDIR;
	else if (!S_ISREG(f->inode->mode))
		ret = -ENODEV;
	else if (__builtin_add_overflow(off, len, &end))
		ret = -EFBIG;
	else if (!f->ops->fallocate)
		ret = -EOPNOTSUPP;
	else
		ret = f->ops->fallocate(f, mode, (u64)off, (u64)len);
	if (!ret)
		file_notify(f, IN_MODIFY);
	file_put(f);
	return ret;
}

s64 sys_fadvise64(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	u64 off = a->a[1], len = a->a[2], end;
	s64 ret = 0;

	(void)t;
	if (!f)
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		ret = -ESPIPE;
	else if ((s64)len < 0 || (u32)a->a[3] > POSIX_FADV_NOREUSE)
		ret = -EINVAL;
	else if (a->a[3] == POSIX_FADV_DONTNEED && f->inode->mapping) {
		if (!len || __builtin_add_overflow(off, len, &end))
			end = ~0UL;
		ret = mapping_writeback(f->inode->mapping, off, end);
		mapping_invalidate(f->inode->mapping, off, end);
	}
	file_put(f);
	return ret;
}

s64 sys_readahead(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	s64 ret = 0;

	(void)t;
	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_READ))
		ret = -EBADF;
	else if (!S_ISREG(f->inode->mode))
		ret = -EINVAL;
	file_put(f);
	return ret;
}
