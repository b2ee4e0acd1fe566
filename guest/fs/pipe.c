/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and fifos. The mutex covers the ring and the user copies, which makes writes of up to PIPE_BUF bytes atomic; wake-ups happen after it
 * was dropped, so that the woken side does not run into it.
 */
#include "fs/pipe.h"

#include <asm/ioctls.h>

#include "fs/async.h"
#include "fs/internal.h"
#include "fs/poll.h"
#include "mm/reclaim.h"
#include "task/internal.h"

u64 pipe_max_size = 1UL << 20;
u64 pipe_user_soft = PIPE_DEFAULT_SLOTS * 1024, pipe_user_hard;

static struct mutex pipe_table_lock; /* protects: inode->pipe, pipe->users */
static const struct file_ops pipe_ops;

/* ---- how many pages of pipes one user may have: pipe(7), /proc/sys/fs/pipe-user-pages-* ---- */
static bool pipe_privileged(void)
{
	return fs_capable(CAP_SYS_RESOURCE) || fs_capable(CAP_SYS_ADMIN);
}

static bool pipe_over(u64 limit, s64 pages)
{
	return limit && pages > (s64)limit;
}

/* n pages more, or less. The user's new sum. */
static s64 pipe_charge(struct pipe *p, s64 n)
{
	return p->user ? atomic_add(&p->user->pipe_pages, n) : 0;
}

/* How large a new pipe is, charged to the user. 0 = he may not have it. */
static u32 pipe_first_size(struct pipe *p)
{
	u32 n = PIPE_DEFAULT_SLOTS;
	s64 pages;

	while (n > 1 && n * PAGE_SIZE > READ_ONCE(pipe_max_size) && !fs_capable(CAP_SYS_RESOURCE))
		n /= 2;
	pages = pipe_charge(p, n);
	if (pipe_over(READ_ONCE(pipe_user_soft), pages) && !pipe_privileged()) {
		pages = pipe_charge(p, PIPE_LEAST_SLOTS - (s64)n);
		n = PIPE_LEAST_SLOTS;
	}
	if (pipe_over(READ_ONCE(pipe_user_hard), pages) && !pipe_privileged()) {
		pipe_charge(p, -(s64)n);
		return 0;
	}
	return n;
}

static void pipe_uncharge(struct pipe *p)
{
	pipe_charge(p, -(s64)p->nslots);
	if (p->user)
		user_put(p->user);
}

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	if (task_current() && cred_current()->user) {
		p->user = cred_current()->user;
		user_ref(p->user);
	}
	p->nslots = pipe_first_size(p);
	if (p->nslots)
		p->slots = kzalloc(p->nslots * sizeof(*p->slots));
	if (!p->slots) {
		pipe_uncharge(p);
		kfree(p);
		return NULL;
	}
	waitq_init(&p->rd);
	waitq_init(&p->wr);
	return p;
}

static void pipe_free(struct pipe *p)
{
	for (; p->tail != p->head; p->tail++)
		page_put(pipe_slot(p, p->tail)->page);
	if (p->spare)
		page_put(p->spare);
	pipe_uncharge(p);
	kfree(p->slots);
	kfree(p);
}

/* The pipe of a fifo inode with one more user; made when it is missing. */
static struct pipe *pipe_get(struct inode *inode)
{
	struct pipe *p;

	mutex_lock(&pipe_table_lock);
	p = inode->pipe;
	if (!p)
		p = inode->pipe = pipe_alloc();
	if (p)
		p->users++;
	mutex_unlock(&pipe_table_lock);
	return p;
}

static void pipe_put(struct inode *inode, struct pipe *p)
{
	bool last;

	mutex_lock(&pipe_table_lock);
	last = --p->users == 0;
	if (last)
		inode->pipe = NULL;
	mutex_unlock(&pipe_table_lock);
	if (last)
		pipe_free(p);
}

struct pipe *pipe_of(struct file *f)
{
	return f->ops == &pipe_ops ? f->priv : NULL;
}

void pipe_wake_reader(struct pipe *p)
{
	waitq_wake(&p->rd, 1, POLLIN | POLLRDNORM | TELL_IN);
}

void pipe_wake_writer(struct pipe *p)
{
	waitq_wake(&p->wr, 1, POLLOUT | POLLWRNORM | TELL_OUT);
}

int pipe_broken(void)
{
	if (task_current())
		signal_send_task(task_current(), SIGPIPE, NULL);
	return -EPIPE;
}

void pipe_consume(struct pipe *p, u32 n)
{
	struct pipe_slot *s = pipe_slot(p, p->tail);

	s->off += n;
	s->len -= n;
	if (s->len)
		return;
	if (!p->spare && !s->shared)
		p->spare = s->page;
	else
		page_put(s->page);
	s->page = NULL;
	WRITE_ONCE(p->tail, p->tail + 1);
}

int pipe_wait_readable(struct pipe *p, bool nonblock)
{
	while (pipe_empty(p) && p->writers) {
		int err;

		if (nonblock)
			return -EAGAIN;
		mutex_unlock(&p->lock);
		err = wait_event_intr(&p->rd, !pipe_empty(p) || !READ_ONCE(p->writers));
		mutex_lock(&p->lock);
		if (err)
			return err;
	}
	return 0;
}

int pipe_wait_writable(struct pipe *p, bool nonblock)
{
	while (pipe_full(p) && p->readers) {
		int err;

		if (nonblock)
			return -EAGAIN;
		mutex_unlock(&p->lock);
		err = wait_event_intr(&p->wr, !pipe_full(p) || !READ_ONCE(p->readers));
		mutex_lock(&p->lock);
		if (err)
			return err;
	}
	return 0;
}

/* Copies what is there. Bytes (0: nothing there) or -EFAULT. */
static s64 pipe_take(struct pipe *p, struct uio *u)
{
	s64 done = 0;

	while (u->left && !pipe_empty(p)) {
		struct pipe_slot *s = pipe_slot(p, p->tail);
		u32 n = (u32)MIN((u64)s->len, u->left);
		bool packet = s->packet;
		size_t got = uio_write(u, (u8 *)page_va(s->page) + s->off, n);

		done += (s64)got;
		if (got < n) {
			pipe_consume(p, (u32)got);
			return done ? done : -EFAULT;
		}
		pipe_consume(p, packet ? s->len : n);
		if (packet)
			break;
	}
	return done;
}

static s64 pipe_read(struct file *f, struct uio *u, u64 *pos)
{
	struct pipe *p = f->priv;
	s64 n;

	(void)pos;
	if (!u->left)
		return 0;
	mutex_lock(&p->lock);
	n = pipe_wait_readable(p, file_nonblock(f, u));
	if (!n)
		n = pipe_take(p, u);
	mutex_unlock(&p->lock);
	if (n > 0)
		pipe_wake_writer(p);
	return n;
}

/* Appends to the last slot when the whole of `n` fits there. Bytes or -EFAULT; 0: no room there. */
static s64 pipe_append(struct pipe *p, struct uio *u, u32 n)
{
	struct pipe_slot *s;
	size_t got;

	if (pipe_empty(p) || !n)
		return 0;
	s = pipe_slot(p, p->head - 1);
	if (s->packet || s->shared || s->off + s->len + n > PAGE_SIZE)
		return 0;
	got = uio_read(u, (u8 *)page_va(s->page) + s->off + s->len, n);
	s->len += (u32)got;
	return got ? (s64)got : -EFAULT;
}

/* Fills one new slot; there is room for it. Bytes, -EFAULT or -ENOMEM. */
static s64 pipe_fill(struct pipe *p, struct uio *u, bool packet)
{
	u32 n = (u32)MIN(u->left, PAGE_SIZE);
	struct page *page = p->spare;
	struct pipe_slot *s;
	size_t got;

	p->spare = NULL;
	if (!page)
		page = mm_buffer_page();
	if (!page)
		return -ENOMEM;
	got = uio_read(u, page_va(page), n);
	if (!got) {
		p->spare = page;
		return -EFAULT;
	}
	s = pipe_slot(p, p->head);
	*s = (struct pipe_slot){ .page = page, .len = (u32)got, .packet = packet };
	WRITE_ONCE(p->head, p->head + 1);
	return (s64)got;
}

/* flags: O_DIRECT, O_NONBLOCK; partial: what fits is enough, only the first byte is waited for. */
static s64 pipe_write_locked(struct pipe *p, u32 flags, bool partial, struct uio *u)
{
	bool packet = flags & O_DIRECT;
	s64 done = 0, n = 0;

	if (!p->readers)
		return pipe_broken();
	if (!packet) {
		n = pipe_append(p, u, (u32)(u->left & (PAGE_SIZE - 1)));
		if (n < 0)
			return n;
		done = n;
	}
	while (u->left) {
		if (pipe_full(p) && done) /* let readers run before sleeping */
			pipe_wake_reader(p);
		n = pipe_wait_writable(p, (flags & O_NONBLOCK) || (partial && done));
		if (!n && !p->readers)
			n = pipe_broken();
		if (!n)
			n = pipe_fill(p, u, packet);
		if (n < 0)
			break;
		done += n;
	}
	return done ? done : n;
}

static s64 pipe_write(struct file *f, struct uio *u, u64 *pos)
{
	struct pipe *p = f->priv;
	s64 n;

	(void)pos;
	if (!u->left)
		return 0;
	mutex_lock(&p->lock);
	n = pipe_write_locked(p, f->flags | (u->nowait ? O_NONBLOCK : 0), false, u);
	mutex_unlock(&p->lock);
	if (n > 0)
		pipe_wake_reader(p);
	return n;
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 mask = 0;

	if (f->mode & FMODE_READ) {
		poll_wait(f, &p->rd, pt);
		if (!pipe_empty(p))
			mask |= POLLIN | POLLRDNORM;
		if (!READ_ONCE(p->writers) && f->pos != READ_ONCE(p->w_counter))
			mask |= POLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		poll_wait(f, &p->wr, pt);
		if (!pipe_full(p))
			mask |= POLLOUT | POLLWRNORM;
		if (!READ_ONCE(p->readers))
			mask |= POLLERR;
	}
	return mask;
}

static s64 pipe_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pipe *p = f->priv;
	int bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (u32 i = p->tail; i != p->head; i++)
		bytes += (int)pipe_slot(p, i)->len;
	mutex_unlock(&p->lock);
	return put_user(bytes, arg);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;
	bool one_sided;

	mutex_lock(&p->lock);
	if (f->mode & FMODE_READ)
		p->readers--;
	if (f->mode & FMODE_WRITE)
		p->writers--;
	one_sided = !p->readers != !p->writers;
	mutex_unlock(&p->lock);
	waitq_wake(&p->rd, INT_MAX, POLLIN | POLLRDNORM | POLLHUP | (one_sided ? TELL_IN : 0));
	waitq_wake(&p->wr, INT_MAX, POLLOUT | POLLWRNORM | POLLERR | (one_sided ? TELL_OUT : 0));
	pipe_put(f->inode, p);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.nowait = MAY_READ | MAY_WRITE,
	.poll = pipe_poll,
	.async = file_async_plain,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

int pipe_create(u32 flags, struct file **rd, struct file **wr)
{
	struct pipe *p;

	flags &= O_NONBLOCK | O_DIRECT;
	*rd = file_create_anon(NULL, NULL, O_RDONLY | (flags & O_NONBLOCK), "pipe");
	if (!*rd)
		return -ENFILE;
	*wr = file_create_anon(NULL, NULL, O_WRONLY | flags, "anon_inode:pipe");
	p = *wr ? pipe_get((*rd)->inode) : NULL;
	if (!p) {
		file_put(*rd);
		file_put(*wr);
		return -ENFILE;
	}
	inode_put((*wr)->inode);
	inode_get((*rd)->inode);
	(*wr)->inode = (*rd)->inode;
	(*wr)->anon_name = (*rd)->anon_name;
	p->users = 2;
	p->readers = p->writers = p->r_counter = p->w_counter = 1;
	(*rd)->ops = (*wr)->ops = &pipe_ops;
	(*rd)->priv = (*wr)->priv = p;
	return 0;
}

s64 pipe_write_some(struct file *f, struct uio *u, bool nonblock)
{
	struct pipe *p = f->priv;
	s64 n;

	if (!u->left)
		return 0;
	mutex_lock(&p->lock);
	n = pipe_write_locked(p, nonblock ? O_NONBLOCK : 0, true, u);
	mutex_unlock(&p->lock);
	if (n > 0)
		pipe_wake_reader(p);
	return n;
}

s64 pipe_get_size(struct file *f)
{
	struct pipe *p = pipe_of(f);

	return p ? (s64)(p->nslots * PAGE_SIZE) : -EBADF;
}

/* The pipe gets n slots: 0, or -EPERM when that is more than its user may have. */
static int pipe_recharge(struct pipe *p, u32 n)
{
	s64 change = (s64)n - p->nslots, pages = pipe_charge(p, change);

	if (change > 0 && !pipe_privileged() &&
		(pipe_over(READ_ONCE(pipe_user_hard), pages) ||
			pipe_over(READ_ONCE(pipe_user_soft), pages))) {
		pipe_charge(p, -change);
		return -EPERM;
	}
	return 0;
}

s64 pipe_set_size(struct file *f, u64 bytes)
{
	struct pipe *p = pipe_of(f);
	struct pipe_slot *slots;
	u32 n = 1, used;
	int err;

	if (!p)
		return -EBADF;
	if (bytes > PIPE_HARD_MAX)
		return -EINVAL;
	if (bytes > READ_ONCE(pipe_max_size) && bytes > p->nslots * PAGE_SIZE &&
		!fs_capable(CAP_SYS_RESOURCE))
		return -EPERM;
	while (n * PAGE_SIZE < bytes)
		n *= 2;
	slots = kzalloc(n * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	mutex_lock(&p->lock);
	used = p->head - p->tail;
	err = used > n ? -EBUSY : pipe_recharge(p, n);
	if (err) {
		mutex_unlock(&p->lock);
		kfree(slots);
		return err;
	}
	for (u32 i = 0; i < used; i++)
		slots[i] = *pipe_slot(p, p->tail + i);
	kfree(p->slots);
	p->slots = slots;
	p->nslots = n;
	p->tail = 0;
	p->head = used;
	mutex_unlock(&p->lock);
	waitq_wake(&p->wr, INT_MAX, POLLOUT | POLLWRNORM);
	return (s64)(n * PAGE_SIZE);
}

/* ---- fifos: open waits for the other side. A pipe that is opened by its name in /proc/PID/fd never does, whoever is left. ---- */
static int fifo_wait(struct pipe *p, struct waitq *wq, const u32 *counter, u32 seen)
{
	int err;

	mutex_unlock(&p->lock);
	err = wait_event_intr(wq, READ_ONCE(*counter) != seen);
	mutex_lock(&p->lock);
	return err;
}

static int fifo_open_read(struct pipe *p, struct file *f, bool named)
{
	int err = 0;

	p->readers++;
	p->r_counter++;
	waitq_wake_all(&p->wr);
	if (p->writers || !named)
		return 0;
	if (f->flags & O_NONBLOCK) {
		f->pos = p->w_counter; /* no hang-up before a first writer came */
		return 0;
	}
	err = fifo_wait(p, &p->rd, &p->w_counter, p->w_counter);
	if (err)
		p->readers--;
	return err;
}

static int fifo_open_write(struct pipe *p, struct file *f, bool named)
{
	int err = 0;

	if (named && (f->flags & O_NONBLOCK) && !p->readers)
		return -ENXIO;
	p->writers++;
	p->w_counter++;
	waitq_wake_all(&p->rd);
	if (named && !p->readers)
		err = fifo_wait(p, &p->wr, &p->r_counter, p->r_counter);
	if (err) {
		p->writers--;
		waitq_wake_all(&p->rd);
	}
	return err;
}

int fifo_open(struct inode *inode, struct file *f)
{
	struct pipe *p = pipe_get(inode);
	bool named = !inode_is_anon(inode);
	int err = 0;

	if (!p)
		return -ENOMEM;
	f->mode |= FMODE_STREAM;
	mutex_lock(&p->lock);
	if ((f->mode & (FMODE_READ | FMODE_WRITE)) == (FMODE_READ | FMODE_WRITE)) {
		p->readers++;
		p->writers++;
		p->r_counter++;
		p->w_counter++;
		waitq_wake_all(&p->rd);
		waitq_wake_all(&p->wr);
	} else if (f->mode & FMODE_READ) {
		err = fifo_open_read(p, f, named);
	} else if (f->mode & FMODE_WRITE) {
		err = fifo_open_write(p, f, named);
	} else {
		err = -EINVAL;
	}
	mutex_unlock(&p->lock);
	if (err) {
		pipe_put(inode, p);
		return err;
	}
	f->priv = p;
	f->ops = &pipe_ops;
	return 0;
}
