/* SPDX-License-Identifier: Apache-2.0 */
/* io_submit and its kin: an operation is done when it is submitted; its result waits in the context. */
#include "fs/aio.h"
#include "fs/anon.h"
#include "kernel/waitq.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "syscall/rw.h"
#include "syscall/time_user.h"
#include "task/signal.h"

#define AIO_BATCH 16u /* results copied at a time */

s64 sys_io_setup(struct task *t, const struct sysargs *a)
{
	u64 name;
	s64 ret;

	if (get_user(name, a->a[1]) < 0)
		return -EFAULT;
	if (name)
		return -EINVAL;
	ret = aio_setup(t->as, (u32)a->a[0]);
	if (ret < 0)
		return ret;
	name = (u64)ret;
	if (put_user(name, a->a[1]) == 0)
		return 0;
	aio_destroy(t->as, name);
	return -EFAULT;
}

s64 sys_io_destroy(struct task *t, const struct sysargs *a)
{
	return aio_destroy(t->as, a->a[0]);
}

/* ---- submitting ---- */

static s64 iocb_transfer(struct file *f, const struct iocb *io)
{
	bool write =
		io->aio_lio_opcode == IOCB_CMD_PWRITE || io->aio_lio_opcode == IOCB_CMD_PWRITEV;
	s64 off = f->mode & FMODE_STREAM ? -1 : io->aio_offset; /* streams do not look at it */
	struct uvec v;
	s64 ret;

	if (!(f->mode & FMODE_STREAM) && off < 0)
		return -EINVAL;
	if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (io->aio_lio_opcode == IOCB_CMD_PREADV || io->aio_lio_opcode == IOCB_CMD_PWRITEV) {
		ret = uvec_get(&v, io->aio_buf, io->aio_nbytes);
		if (ret)
			return ret;
		ret = rw_file(f, &v.uio, off, (u32)io->aio_rw_flags, write);
		uvec_put(&v);
		return ret;
	}
	if (io->aio_buf + io->aio_nbytes > USER_TOP || io->aio_buf + io->aio_nbytes < io->aio_buf)
		return -EFAULT;
	uio_init_user(&v.uio, v.small, io->aio_buf, MIN(io->aio_nbytes, RW_MAX));
	return rw_file(f, &v.uio, off, (u32)io->aio_rw_flags, write);
}

/* -errno of the submission, or 0 with the operation's own result in *res. */
static s64 iocb_run(struct file *f, const struct iocb *io, s64 *res)
{
	switch (io->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PREADV:
	case IOCB_CMD_PWRITEV:
		*res = iocb_transfer(f, io);
		if (*res == -EBADF || *res == -EFAULT || *res == -EINVAL || *res == -EOPNOTSUPP)
			return *res;
		if (*res == -ERESTARTSYS)
			*res = -EINTR;
		return 0;
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		if (!f->ops->fsync)
			return -EINVAL;
		*res = f->ops->fsync(f, 0, ~0UL, io->aio_lio_opcode == IOCB_CMD_FDSYNC);
		return 0;
	default:
		return -EINVAL;
	}
}

static s64 iocb_signal(const struct iocb *io, struct file **out)
{
	*out = NULL;
	if (!(io->aio_flags & IOCB_FLAG_RESFD))
		return 0;
	*out = fd_get((int)io->aio_resfd);
	if (!*out)
		return -EBADF;
	if (file_is_eventfd(*out))
		return 0;
	file_put(*out);
	return -EINVAL;
}

static s64 iocb_checked(struct aio_ctx *c, uaddr_t at, const struct iocb *io)
{
	struct io_event ev = { .data = io->aio_data, .obj = at };
	struct file *f, *tell;
	s64 ret, res = 0;

	if (io->aio_reserved2 || (s64)io->aio_nbytes < 0)
		return -EINVAL;
	f = fd_get((int)io->aio_fildes);
	if (!f)
		return -EBADF;
	ret = iocb_signal(io, &tell);
	if (!ret)
		ret = iocb_run(f, io, &res);
	if (!ret) {
		ev.res = res;
		aio_complete(c, &ev);
		if (tell)
			eventfd_signal(tell);
	}
	if (tell)
		file_put(tell);
	file_put(f);
	return ret;
}

static s64 iocb_submit(struct aio_ctx *c, uaddr_t at)
{
	struct iocb io;
	s64 ret;

	if (copy_from_user(&io, at, sizeof(io)) < 0)
		return -EFAULT;
	if (!aio_reserve(c))
		return -EAGAIN;
	ret = iocb_checked(c, at, &io);
	if (ret < 0)
		aio_unreserve(c);
	return ret;
}

s64 sys_io_submit(struct task *t, const struct sysargs *a)
{
	s64 n = (s64)a->a[1], i, ret = 0;
	struct aio_ctx *c;

	if (n < 0)
		return -EINVAL;
	c = aio_get(t->as, a->a[0]);
	if (!c)
		return -EINVAL;
	for (i = 0; i < n; i++) {
		uaddr_t at;

		ret = get_user(at, a->a[2] + (u64)i * sizeof(at));
		if (!ret)
			ret = iocb_submit(c, at);
		if (ret < 0)
			break;
	}
	aio_put(c);
	return i ? i : ret;
}

/* Nothing is under way once io_submit has returned. */
s64 sys_io_cancel(struct task *t, const struct sysargs *a)
{
	struct aio_ctx *c;
	u32 key;

	if (get_user(key, a->a[1] + offsetof(struct iocb, aio_key)) < 0)
		return -EFAULT;
	c = aio_get(t->as, a->a[0]);
	if (c)
		aio_put(c);
	return -EINVAL;
}

/* ---- collecting ---- */

static s64 aio_read_events(struct task *t, const struct sysargs *a, u64 deadline)
{
	s64 min = (s64)a->a[1], max = (s64)a->a[2], done = 0, n = 0;
	struct io_event ev[AIO_BATCH];
	struct aio_ctx *c = aio_get(t->as, a->a[0]);

	if (!c)
		return -EINVAL;
	if (min < 0 || max < min)
		n = -EINVAL;
	while (n >= 0 && done < max) {
		u32 want = (u32)MIN(max - done, (s64)AIO_BATCH);

		n = aio_collect(c, (u32)MIN(MAX(min - done, 0), (s64)want), want, deadline, ev);
		if (n <= 0)
			break;
		if (copy_to_user(a->a[3] + (u64)done * sizeof(ev[0]), ev, (u64)n * sizeof(ev[0])) <
			0)
			n = -EFAULT;
		else
			done += n;
	}
	aio_put(c);
	return done ? done : n;
}

s64 sys_io_getevents(struct task *t, const struct sysargs *a)
{
	u64 deadline;
	s64 ret = get_deadline(a->a[4], false, &deadline);

	if (!ret)
		ret = aio_read_events(t, a, deadline);
	return ret == -ERESTARTSYS ? -EINTR : ret;
}

s64 sys_io_pgetevents(struct task *t, const struct sysargs *a)
{
	struct {
		u64 set, size;
	} mask = { 0, 0 };
	u64 deadline, set;
	s64 ret = get_deadline(a->a[4], false, &deadline);

	if (ret)
		return ret;
	if (a->a[5] && copy_from_user(&mask, a->a[5], sizeof(mask)) < 0)
		return -EFAULT;
	if (mask.set) {
		if (mask.size != sizeof(set))
			return -EINVAL;
		if (get_user(set, mask.set) < 0)
			return -EFAULT;
		signal_mask_temporary(set);
	}
	ret = aio_read_events(t, a, deadline);
	if (ret == -ERESTARTSYS)
		return mask.set ? -ERESTARTNOHAND : -EINTR;
	if (mask.set)
		signal_mask_restore();
	return ret;
}
