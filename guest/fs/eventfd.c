/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd(2): a 64-bit counter behind a descriptor. */
#include "fs/anon.h"

#include "fs/internal.h"
#include "fs/poll.h"
#include "lib/printf.h"

#define EFD_SEMAPHORE 1u

struct eventfd {
	struct spinlock lock; /* protects: count */
	struct waitq rd, wr;
	u64 count;
	bool semaphore;
};

static bool eventfd_take(struct eventfd *e, u64 *val)
{
	bool ok;

	spin_lock(&e->lock);
	ok = e->count != 0;
	if (ok) {
		*val = e->semaphore ? 1 : e->count;
		e->count -= *val;
	}
	spin_unlock(&e->lock);
	return ok;
}

static bool eventfd_add(struct eventfd *e, u64 val)
{
	bool ok;

	spin_lock(&e->lock);
	ok = ~0UL - 1 - e->count >= val;
	if (ok)
		e->count += val;
	spin_unlock(&e->lock);
	return ok;
}

static s64 eventfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 val = 0;
	int err;

	(void)pos;
	if (u->left < sizeof(val))
		return -EINVAL;
	if (!eventfd_take(e, &val)) {
		if (file_nonblock(f, u))
			return -EAGAIN;
		err = wait_event_intr(&e->rd, eventfd_take(e, &val));
		if (err)
			return err;
	}
	waitq_wake(&e->wr, 1, POLLOUT | POLLWRNORM);
	return uio_write(u, &val, sizeof(val)) == sizeof(val) ? (s64)sizeof(val) : -EFAULT;
}

static s64 eventfd_write(struct file *f, struct uio *u, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 val;
	int err;

	(void)pos;
	if (u->left < sizeof(val))
		return -EINVAL;
	if (uio_read(u, &val, sizeof(val)) != sizeof(val))
		return -EFAULT;
	if (val == ~0UL)
		return -EINVAL;
	if (!eventfd_add(e, val)) {
		if (file_nonblock(f, u))
			return -EAGAIN;
		err = wait_event_intr(&e->wr, eventfd_add(e, val));
		if (err)
			return err;
	}
	waitq_wake(&e->rd, 1, POLLIN | POLLRDNORM);
	return sizeof(val);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u64 count;
	u32 mask = 0;

	poll_wait(f, &e->rd, pt);
	poll_wait(f, &e->wr, pt);
	count = READ_ONCE(e->count);
	if (count > 0)
		mask |= POLLIN | POLLRDNORM;
	if (count == ~0UL)
		mask |= POLLERR;
	if (count < ~0UL - 1)
		mask |= POLLOUT | POLLWRNORM;
	return mask;
}

static int eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->priv;

	return str_format(buf, size, "eventfd-count: %16llx\n", (unsigned long long)e->count);
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.nowait = MAY_READ | MAY_WRITE,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.show_fdinfo = eventfd_fdinfo,
};

bool file_is_eventfd(const struct file *f)
{
	return f->ops == &eventfd_ops;
}

void eventfd_signal(struct file *f)
{
	struct eventfd *e = f->priv;

	/* Unlike write(2) it may reach the overflow mark, which poll reports as an error. */
	spin_lock(&e->lock);
	e->count += e->count < ~0UL;
	spin_unlock(&e->lock);
	waitq_wake(&e->rd, 1, POLLIN | POLLRDNORM);
}

int eventfd_create(u32 count, u32 flags, struct file **out)
{
	struct eventfd *e;

	if (flags & ~(u32)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	waitq_init(&e->rd);
	waitq_init(&e->wr);
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	*out = file_create_anon(
		&eventfd_ops, e, O_RDWR | (flags & O_NONBLOCK), "anon_inode:[eventfd]");
	if (*out)
		return 0;
	kfree(e);
	return -ENFILE;
}
