/* SPDX-License-Identifier: Apache-2.0 */
/* Makers of descriptors without a name: pipe, eventfd, timerfd, signalfd, inotify, memfd. */
#include "fs/pipe.h"

#include <linux/inotify.h>
#include <linux/memfd.h>

#include "fs/anon.h"
#include "fs/tmpfs/tmpfs.h"
#include "kernel/clock.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"

/* Consumes f when it is given a number; frees it otherwise. */
static s64 install(struct file *f, u32 flags)
{
	s64 fd = fd_install(f, flags, 0);

	if (fd < 0)
		file_put(f);
	return fd;
}

static s64 do_pipe(uaddr_t to, u32 flags)
{
	struct file *rd, *wr;
	int fds[2];
	s64 ret;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	ret = pipe_create(flags, &rd, &wr);
	if (ret)
		return ret;
	fds[0] = (int)install(rd, flags);
	if (fds[0] < 0) {
		file_put(wr);
		return fds[0];
	}
	fds[1] = (int)install(wr, flags);
	if (fds[1] < 0) {
		fd_close(fds[0]);
		return fds[1];
	}
	if (copy_to_user(to, fds, sizeof(fds))) {
		fd_close(fds[0]);
		fd_close(fds[1]);
		return -EFAULT;
	}
	return 0;
}

s64 sys_pipe(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_pipe(a->a[0], 0);
}

s64 sys_pipe2(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_pipe(a->a[0], (u32)a->a[1]);
}

s64 sys_eventfd(struct task *t, const struct sysargs *a)
{
	struct file *f;
	s64 ret = eventfd_create((u32)a->a[0], 0, &f);

	(void)t;
	return ret ? ret : install(f, 0);
}

s64 sys_eventfd2(struct task *t, const struct sysargs *a)
{
	struct file *f;
	s64 ret = eventfd_create((u32)a->a[0], (u32)a->a[1], &f);

	(void)t;
	return ret ? ret : install(f, (u32)a->a[1]);
}

static s64 do_signalfd(int fd, uaddr_t mask, u64 size, u32 flags)
{
	struct file *f;
	u64 set;
	s64 ret;

	if (size != sizeof(set) || (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK)))
		return -EINVAL;
	if (get_user(set, mask))
		return -EFAULT;
	if (fd == -1) {
		ret = signalfd_create(set, flags, &f);
		return ret ? ret : install(f, flags);
	}
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	ret = signalfd_set(f, set);
	file_put(f);
	return ret ? ret : fd;
}

s64 sys_signalfd(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_signalfd((int)a->a[0], a->a[1], a->a[2], 0);
}

s64 sys_signalfd4(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_signalfd((int)a->a[0], a->a[1], a->a[2], (u32)a->a[3]);
}

/* ---- timerfd ---- */
struct itimerspec_k {
	s64 interval_sec, interval_nsec, value_sec, value_nsec;
};

static int spec_to_ns(s64 sec, s64 nsec, u64 *ns)
{
	if (sec < 0 || (u64)nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = (u64)sec >= 1UL << 33 ? WAIT_FOREVER - 1 : (u64)sec * NSEC_PER_SEC + (u64)nsec;
	return 0;
}

static s64 put_itimerspec(const struct timerfd_spec *s, uaddr_t to)
{
	struct itimerspec_k k = { (s64)(s->interval / NSEC_PER_SEC),
		(s64)(s->interval % NSEC_PER_SEC), (s64)(s->value / NSEC_PER_SEC),
		(s64)(s->value % NSEC_PER_SEC) };

	return copy_to_user(to, &k, sizeof(k));
}

s64 sys_timerfd_create(struct task *t, const struct sysargs *a)
{
	struct file *f;
	s64 ret = timerfd_create_file((int)a->a[0], (u32)a->a[1], &f);

	(void)t;
	return ret ? ret : install(f, (u32)a->a[1]);
}

s64 sys_timerfd_settime(struct task *t, const struct sysargs *a)
{
	struct timerfd_spec spec, old;
	struct itimerspec_k k;
	struct file *f;
	s64 ret;

	(void)t;
	if (copy_from_user(&k, a->a[2], sizeof(k)))
		return -EFAULT;
	if (spec_to_ns(k.interval_sec, k.interval_nsec, &spec.interval) ||
		spec_to_ns(k.value_sec, k.value_nsec, &spec.value))
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	ret = timerfd_settime_file(f, (int)a->a[1], &spec, &old);
	file_put(f);
	if (!ret && a->a[3])
		ret = put_itimerspec(&old, a->a[3]);
	return ret;
}

s64 sys_timerfd_gettime(struct task *t, const struct sysargs *a)
{
	struct timerfd_spec spec;
	struct file *f = fd_get((int)a->a[0]);
	s64 ret;

	(void)t;
	if (!f)
		return -EBADF;
	ret = timerfd_gettime_file(f, &spec);
	file_put(f);
	return ret ? ret : put_itimerspec(&spec, a->a[1]);
}

/* ---- inotify ---- */
s64 sys_inotify_init(struct task *t, const struct sysargs *a)
{
	struct file *f;
	s64 ret = inotify_create(0, &f);

	(void)t;
	(void)a;
	return ret ? ret : install(f, 0);
}

s64 sys_inotify_init1(struct task *t, const struct sysargs *a)
{
	struct file *f;
	s64 ret = inotify_create((u32)a->a[0], &f);

	(void)t;
	return ret ? ret : install(f, (u32)a->a[0]);
}

s64 sys_inotify_add_watch(struct task *t, const struct sysargs *a)
{
	u32 mask = (u32)a->a[2];
	struct path p;
	struct file *f;
	s64 ret;

	(void)t;
	if (!(mask & IN_ALL_EVENTS) ||
		(mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE))
		return -EINVAL;
	f = fd_get((int)a->a[0]);
	if (!f)
		return -EBADF;
	ret = at_lookup(AT_FDCWD, a->a[1], mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0,
		mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0, &p);
	if (!ret) {
		struct inode *inode = dentry_inode(p.dentry);

		ret = inode_permission(inode, MAY_READ) ?: inotify_add(f, inode, mask);
		path_put(&p);
	}
	file_put(f);
	return ret;
}

s64 sys_inotify_rm_watch(struct task *t, const struct sysargs *a)
{
	struct file *f = fd_get((int)a->a[0]);
	s64 ret;

	(void)t;
	if (!f)
		return -EBADF;
	ret = inotify_remove(f, (int)a->a[1]);
	file_put(f);
	return ret;
}

s64 sys_memfd_create(struct task *t, const struct sysargs *a)
{
	char name[250];
	u32 flags = (u32)a->a[1];
	struct file *f;
	s64 ret;

	(void)t;
	if (flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	ret = strncpy_from_user(name, a->a[0], sizeof(name));
	if (ret < 0)
		return ret == -ENAMETOOLONG ? -EINVAL : ret;
	ret = memfd_create_file(name, flags, &f);
	return ret ? ret : install(f, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}
