/* SPDX-License-Identifier: Apache-2.0 */
/* read, write and their kin; lseek. */
#include <linux/fs.h>

#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "syscall/rw.h"
#include "task/task.h"

/* Through the file's own position. */
static s64 rw_stream(struct file *f, struct uio *u, bool write)
{
	u64 none = 0;
	s64 n;

	if (f->mode & FMODE_STREAM)
		return write ? vfs_write(f, u, &none) : vfs_read(f, u, &none);
	mutex_lock(&f->pos_lock);
	n = write ? vfs_write(f, u, &f->pos) : vfs_read(f, u, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

static s64 rw_at(struct file *f, struct uio *u, s64 off, bool write)
{
	u64 pos = (u64)off;

	if (off < 0)
		return -EINVAL;
	if (f->mode & FMODE_STREAM)
		return -ESPIPE;
	return write ? vfs_write(f, u, &pos) : vfs_read(f, u, &pos);
}

/* The result of a call, counted for /proc/PID/io but where the descriptor is a wrong one. */
static s64 rw_counted(struct task *t, s64 n, bool write)
{
	if (n == -EBADF)
		return n;
	if (write)
		io_count_write(&t->io, n);
	else
		io_count_read(&t->io, n);
	return n;
}

static s64 rw_simple(struct task *t, const struct sysargs *a, bool write)
{
	struct file *f = fd_get((int)a->a[0]);
	struct iov iov;
	struct uio u;
	s64 n;

	if (!f)
		return -EBADF;
	if ((s64)a->a[2] < 0) {
		n = -EINVAL;
	} else {
		uio_init_user(&u, &iov, a->a[1], MIN(a->a[2], RW_MAX));
		n = rw_stream(f, &u, write);
	}
	file_put(f);
	return rw_counted(t, n, write);
}

s64 sys_read(struct task *t, const struct sysargs *a)
{
	return rw_simple(t, a, false);
}

s64 sys_write(struct task *t, const struct sysargs *a)
{
	return rw_simple(t, a, true);
}

static s64 rw_positioned(struct task *t, const struct sysargs *a, bool write)
{
	struct file *f;
	struct iov iov;
	struct uio u;
	s64 n;

	if ((s64)a->a[3] < 0)
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	uio_init_user(&u, &iov, a->a[1], MIN(a->a[2], RW_MAX));
	n = rw_at(f, &u, (s64)a->a[3], write);
	file_put(f);
	return rw_counted(t, n, write);
}

s64 sys_pread64(struct task *t, const struct sysargs *a)
{
	return rw_positioned(t, a, false);
}

s64 sys_pwrite64(struct task *t, const struct sysargs *a)
{
	return rw_positioned(t, a, true);
}

s64 rw_file(struct file *f, struct uio *u, s64 off, u32 rwf, bool write)
{
	s64 n;
	int err;

	if (off < -1)
		return -EINVAL;
	if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (rwf & ~(u32)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	if ((rwf & RWF_NOWAIT) && !(f->ops && (f->ops->nowait & (write ? MAY_WRITE : MAY_READ))))
		return -EOPNOTSUPP;
	u->nowait = rwf & RWF_NOWAIT;
	u->append = rwf & RWF_APPEND;
	n = off == -1 ? rw_stream(f, u, write) : rw_at(f, u, off, write);
	if (n <= 0 || !write || !(rwf & (RWF_DSYNC | RWF_SYNC)) || !f->ops->fsync)
		return n;
	err = f->ops->fsync(f, 0, ~0UL, !(rwf & RWF_SYNC));
	return err ? err : n;
}

static s64 rw_vector(struct task *t, const struct sysargs *a, s64 off, u32 flags, bool write)
{
	struct file *f = fd_get((int)a->a[0]);
	struct uvec v;
	s64 n;

	if (!f)
		return -EBADF;
	/* before all else that may be wrong, as in Linux */
	n = off >= 0 && (f->mode & FMODE_STREAM) ? -ESPIPE : uvec_get(&v, a->a[1], a->a[2]);
	if (!n) {
		n = rw_file(f, &v.uio, off, flags, write);
		uvec_put(&v);
	}
	file_put(f);
	return rw_counted(t, n, write);
}

s64 sys_readv(struct task *t, const struct sysargs *a)
{
	return rw_vector(t, a, -1, 0, false);
}

s64 sys_writev(struct task *t, const struct sysargs *a)
{
	return rw_vector(t, a, -1, 0, true);
}

s64 sys_preadv(struct task *t, const struct sysargs *a)
{
	return (s64)a->a[3] < 0 ? -EINVAL : rw_vector(t, a, (s64)a->a[3], 0, false);
}

s64 sys_pwritev(struct task *t, const struct sysargs *a)
{
	return (s64)a->a[3] < 0 ? -EINVAL : rw_vector(t, a, (s64)a->a[3], 0, true);
}

s64 sys_preadv2(struct task *t, const struct sysargs *a)
{
	return rw_vector(t, a, (s64)a->a[3], (u32)a->a[5], false);
}

s64 sys_pwritev2(struct task *t, const struct sysargs *a)
{
	return rw_vector(t, a, (s64)a->a[3], (u32)a->a[5], true);
}

s64 sys_lseek(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	s64 n;

	(void)t;
	if (!f)
		return -EBADF;
	if ((u32)a->a[2] > SEEK_HOLE)
		n = -EINVAL;
	else if ((f->mode & FMODE_STREAM) || !f->ops || !f->ops->llseek)
		n = -ESPIPE;
	else
		n = f->ops->llseek(f, (s64)a->a[1], (int)a->a[2]);
	file_put(f);
	return n;
}
