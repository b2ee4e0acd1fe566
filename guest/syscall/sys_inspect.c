/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that look into another process: its memory, its descriptors, what it shares. */
#include <linux/kcmp.h>

#include "kernel/random.h"
#include "mm/as.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/access.h"
#include "task/internal.h"
#include "task/pidfd.h"

#define VM_CHUNK 512u

/* The process of a pid that the caller may look into, with a reference; NULL with *err. */
static struct task *inspect_task(int pid, s64 *err)
{
	struct task *t = pid > 0 ? task_find(pid) : NULL;

	*err = t ? 0 : -ESRCH;
	if (t && !task_may_access(t)) {
		*err = -EPERM;
		task_put(t);
		t = NULL;
	}
	return t;
}

/* ---- memory ---- */

/* Moves up to n bytes between the local cursor and `at` in the other address space. Bytes moved. */
static u64 vm_move(struct as *as, struct uio *local, uaddr_t at, u64 n, bool write)
{
	u8 buf[VM_CHUNK];
	u64 done = 0;

	while (done < n && local->left) {
		u64 part = MIN(MIN(n - done, local->left), (u64)sizeof(buf));
		u64 got;

		if (write) {
			part = uio_read(local, buf, part);
			got = as_copy_checked(as, at + done, buf, part, true);
		} else {
			part = as_copy_checked(as, at + done, buf, part, false);
			got = uio_write(local, buf, part);
		}
		done += got;
		if (!got || got < part)
			break;
	}
	return done;
}

static s64 vm_transfer(const struct sysargs *a, struct as *as, bool write)
{
	struct uvec local, remote;
	u64 done = 0;
	u32 i;
	s64 ret = uvec_get(&local, a->a[1], a->a[2]);

	if (ret)
		return ret;
	ret = uvec_get(&remote, a->a[3], a->a[4]);
	if (ret) {
		uvec_put(&local);
		return ret;
	}
	for (i = 0; i < remote.uio.niov; i++) {
		const struct iov *v = &remote.uio.iov[i];
		u64 want = MIN(v->len, local.uio.left);
		u64 n = vm_move(as, &local.uio, v->base, want, write);

		done += n;
		if (n < want)
			break;
	}
	if (!done && i < remote.uio.niov)
		ret = -EFAULT;
	uvec_put(&remote);
	uvec_put(&local);
	return ret ? ret : (s64)done;
}

static s64 vm_readwrite(const struct sysargs *a, bool write)
{
	struct task *other;
	struct as *as;
	s64 ret;

	if (a->a[5])
		return -EINVAL;
	other = inspect_task((int)a->a[0], &ret);
	if (!other)
		return ret;
	as = task_get_as(other);
	ret = as ? vm_transfer(a, as, write) : -ESRCH;
	if (as)
		as_put(as);
	task_put(other);
	return ret;
}

s64 sys_process_vm_readv(struct task *t, const struct sysargs *a)
{
	return vm_readwrite(a, false);
}

s64 sys_process_vm_writev(struct task *t, const struct sysargs *a)
{
	return vm_readwrite(a, true);
}

/* ---- descriptors ---- */

/* A descriptor of another process, with a reference; NULL with *err. */
static struct file *inspect_file(struct task *other, int fd, s64 *err)
{
	struct fdtable *files = task_get_files(other);
	struct file *f;
	bool cloexec;

	*err = -EBADF;
	if (!files) {
		*err = -ESRCH;
		return NULL;
	}
	f = fdtable_file(files, fd, &cloexec);
	fdtable_put(files);
	return f;
}

s64 sys_pidfd_getfd(struct task *t, const struct sysargs *a)
{
	struct group *g;
	struct task *other;
	struct file *f;
	s64 ret;

	if (a->a[2])
		return -EINVAL;
	g = pidfd_group((int)a->a[0]);
	if (!g)
		return -EBADF;
	other = inspect_task(g->pid, &ret);
	group_put(g);
	if (!other)
		return ret;
	f = inspect_file(other, (int)a->a[1], &ret);
	task_put(other);
	if (!f)
		return ret;
	ret = fd_install(f, O_CLOEXEC, 0);
	if (ret < 0)
		file_put(f);
	return ret;
}

/* ---- comparing ---- */

/* The order of two objects, without telling their addresses. */
static s64 kcmp_order(const void *p, const void *q)
{
	static u64 key[2];
	static u8 ready;
	u64 a, b;

	if (!atomic_xchg(&ready, 1))
		random_bytes(key, sizeof(key));
	a = ((u64)p ^ key[0]) * (key[1] | 1);
	b = ((u64)q ^ key[0]) * (key[1] | 1);
	return a == b ? 0 : a < b ? 1 : 2;
}

static s64 kcmp_files(struct task *one, struct task *two, const struct sysargs *a)
{
	s64 ret;
	struct file *f = inspect_file(one, (int)a->a[3], &ret);
	struct file *g = f ? inspect_file(two, (int)a->a[4], &ret) : NULL;

	if (g)
		ret = kcmp_order(f, g);
	file_put(f);
	file_put(g);
	return ret;
}

static s64 kcmp_pair(struct task *one, struct task *two, const struct sysargs *a)
{
	switch (a->a[2]) {
	case KCMP_FILE:
		return kcmp_files(one, two, a);
	case KCMP_VM:
		return kcmp_order(one->as, two->as);
	case KCMP_FILES:
		return kcmp_order(one->files, two->files);
	case KCMP_FS:
		return kcmp_order(one->fs, two->fs);
	case KCMP_SIGHAND:
		return kcmp_order(one->group->sighand, two->group->sighand);
	case KCMP_IO: /* nobody has an I/O context of its own */
		return 0;
	case KCMP_SYSVSEM:
		return kcmp_order(one->sem_undo, two->sem_undo);
	case KCMP_EPOLL_TFD:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

s64 sys_kcmp(struct task *t, const struct sysargs *a)
{
	struct task *one, *two = NULL;
	s64 ret;

	one = inspect_task((int)a->a[0], &ret);
	if (one)
		two = inspect_task((int)a->a[1], &ret);
	if (two)
		ret = kcmp_pair(one, two, a);
	task_put(two);
	task_put(one);
	return ret;
}
