/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: dup, fcntl, ioctl, flock. */
#include <asm/ioctls.h>
#include <linux/fs.h>

#include "fs/async.h"
#include "fs/lease.h"
#include "fs/pipe.h"
#include "fs/tmpfs/tmpfs.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"
#include "task/pid.h"

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_NDELAY | O_DIRECT | O_NOATIME)

static s64 dup_from(int fd, int from, u32 cloexec)
{
	struct file *f = fd_get_any(fd);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = fd_install(f, cloexec, from);
	if (ret < 0)
		file_put(f);
	return ret;
}

s64 sys_dup(struct task *t, const struct sysargs *a)
{
	(void)t;
	return dup_from((int)a->a[0], 0, 0);
}

static s64 dup_to(int old, int new_fd, u32 cloexec)
{
	struct file *f = fd_get_any(old);
	s64 ret;

	if (!f)
		return -EBADF;
	ret = fd_replace(new_fd, f, cloexec);
	if (ret) {
		file_put(f);
		return ret;
	}
	return new_fd;
}

s64 sys_dup2(struct task *t, const struct sysargs *a)
{
	int old = (int)a->a[0], new_fd = (int)a->a[1];

	(void)t;
	if (old == new_fd) {
		struct file *f = fd_get_any(old);

		if (!f)
			return -EBADF;
		file_put(f);
		return new_fd;
	}
	return dup_to(old, new_fd, 0);
}

s64 sys_dup3(struct task *t, const struct sysargs *a)
{
	(void)t;
	if (((u32)a->a[2] & ~(u32)O_CLOEXEC) || (int)a->a[0] == (int)a->a[1])
		return -EINVAL;
	return dup_to((int)a->a[0], (int)a->a[1], (u32)a->a[2]);
}

/* ---- fcntl ---- */
/* As in Linux the flag of a file that sends no signals stays as it is. */
static int set_async(struct file *f, int fd, bool on, int unable)
{
	if (on == !!(READ_ONCE(f->flags) & FASYNC))
		return 0;
	return f->ops && f->ops->async ? file_async_set(f, fd, on) : unable;
}

static s64 fcntl_setfl(struct file *f, int fd, u32 flags)
{
	u32 old = READ_ONCE(f->flags);
	int r;

	if ((flags & O_NOATIME) && !(old & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	r = set_async(f, fd, flags & FASYNC, 0);
	if (r)
		return r;
	old = READ_ONCE(f->flags);
	while (!atomic_cas(&f->flags, &old, (old & ~(u32)SETFL_MASK) | (flags & SETFL_MASK)))
		;
	return 0;
}

static s64 fcntl_lock(struct file *f, int cmd, uaddr_t arg)
{
	struct flock fl;
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	int err;

	if (copy_from_user(&fl, arg, sizeof(fl)))
		return -EFAULT;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK) {
		err = lockf_get(f, &fl, ofd);
		return err ? err : copy_to_user(arg, &fl, sizeof(fl));
	}
	return lockf_set(f, &fl, ofd, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

static s64 owner_set(struct file *f, s32 type, int nr)
{
	struct pid *p = nr ? pid_find(pid_ns_current(), nr) : NULL;

	if (nr && !p)
		return -ESRCH;
	file_change_owner(f, type, p, true);
	pid_put(p);
	return 0;
}

static void owner_read(struct file *f, struct f_owner_ex *ex)
{
	s32 type;
	struct pid *p = file_get_owner(f, &type);

	ex->type = p ? type : F_OWNER_TID;
	ex->pid = pid_nr(p);
	pid_put(p);
}

static s64 fcntl_owner(struct file *f, int cmd, u64 arg)
{
	struct f_owner_ex ex;
	int pid = (int)arg;

	switch (cmd) {
	case F_SETOWN:
		if (pid == INT_MIN)
			return -EINVAL;
		return owner_set(f, pid < 0 ? F_OWNER_PGRP : F_OWNER_PID, pid < 0 ? -pid : pid);
	case F_GETOWN:
		owner_read(f, &ex);
		return ex.type == F_OWNER_PGRP ? -ex.pid : ex.pid;
	case F_SETOWN_EX:
		if (copy_from_user(&ex, arg, sizeof(ex)))
			return -EFAULT;
		if (ex.type < F_OWNER_TID || ex.type > F_OWNER_PGRP)
			return -EINVAL;
		return owner_set(f, ex.type, ex.pid);
	default:
		owner_read(f, &ex);
		return copy_to_user(arg, &ex, sizeof(ex));
	}
}

/* Commands that O_PATH files refuse. */
static s64 fcntl_file(struct file *f, int fd, int cmd, u64 arg)
{
	switch (cmd) {
	case F_SETFL:
		return fcntl_setfl(f, fd, (u32)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return fcntl_lock(f, cmd, arg);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return fcntl_owner(f, cmd, arg);
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->owner_sig = (s32)arg;
		return 0;
	case F_GETSIG:
		return f->owner_sig;
	case F_GETLEASE:
		return lease_get(f);
	case F_SETLEASE:
		return lease_set(f, fd, (int)arg);
	case F_NOTIFY:
		return dnotify_set(f, fd, (u32)arg);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, (u32)arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_ADD_SEALS:
		return tmpfs_add_seals(f, (u32)arg);
	case F_GET_SEALS:
		return tmpfs_get_seals(f);
	default:
		return -EINVAL;
	}
}

s64 sys_fcntl(struct task *t, const struct sysargs *a)
{
	int fd = (int)a->a[0], cmd = (int)a->a[1];
	u64 arg = a->a[2];
	struct file *f;
	s64 ret;

	(void)t;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if ((int)arg < 0 || (u64)(u32)arg >= rlimit_soft(t->group, RLIMIT_NOFILE)) {
			f = fd_get_any(fd);
			file_put(f);
			return f ? -EINVAL : -EBADF;
		}
		return dup_from(fd, (int)arg, cmd == F_DUPFD_CLOEXEC ? O_CLOEXEC : 0);
	case F_GETFD:
		return fd_cloexec_get(fd);
	case F_SETFD:
		return fd_cloexec_set(fd, arg & FD_CLOEXEC);
	default:
		break;
	}
	f = fd_get_any(fd);
	if (!f)
		return -EBADF;
	if (cmd == F_GETFL)
		ret = READ_ONCE(f->flags);
	else if (f->mode & FMODE_PATH)
		ret = -EBADF;
	else
		ret = fcntl_file(f, fd, cmd, arg);
	file_put(f);
	return ret;
}

/* ---- ioctl ---- */
static s64 ioctl_flag(struct file *f, u32 flag, uaddr_t arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	if (on)
		atomic_or(&f->flags, flag);
	else
		atomic_and(&f->flags, ~flag);
	return 0;
}

static s64 ioctl_async(struct file *f, int fd, uaddr_t arg)
{
	int on;

	return get_user(on, arg) ? -EFAULT : set_async(f, fd, on, -ENOTTY);
}

static s64 ioctl_file(struct file *f, u32 cmd, u64 arg)
{
	s64 ret;

	if (cmd == FIONREAD && S_ISREG(f->inode->mode)) {
		int left = (int)(f->inode->size - f->pos);

		return put_user(left, arg);
	}
	if (!f->ops || !f->ops->ioctl)
		return -ENOTTY;
	ret = f->ops->ioctl(f, cmd, arg);
	return ret;
}

s64 sys_ioctl(struct task *t, const struct sysargs *a)
{
	int fd = (int)a->a[0];
	u32 cmd = (u32)a->a[1];
	struct file *f = fd_get(fd);
	s64 ret;

	(void)t;
	if (!f)
		return -EBADF;
	switch (cmd) {
	case FIOCLEX:
		ret = fd_cloexec_set(fd, true);
		break;
	case FIONCLEX:
		ret = fd_cloexec_set(fd, false);
		break;
	case FIONBIO:
		ret = ioctl_flag(f, O_NONBLOCK, a->a[2]);
		break;
	case FIOASYNC:
		ret = ioctl_async(f, fd, a->a[2]);
		break;
	default:
		ret = ioctl_file(f, cmd, a->a[2]);
		break;
	}
	file_put(f);
	return ret;
}

s64 sys_flock(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	s64 ret;

	(void)t;
	if (!f)
		return -EBADF;
	ret = lockf_flock(f, (int)a->a[1]);
	file_put(f);
	return ret;
}
