/* SPDX-License-Identifier: Apache-2.0 */
/* O_ASYNC. A file with it sits on the wait queues that its poll names, as an epoll item does. */
#include "fs/async.h"

#include <asm/siginfo.h>

#include "fs/lease.h"
#include "fs/poll.h"
#include "mm/slab.h"

#define ASYNC_QUEUES 4u /* more than any file has */

struct async_wait {
	struct waiter waiter;
	struct waitq *wq;
	struct file_async *async;
};

struct file_async {
	struct file *file; /* borrowed: this goes first */
	int fd;
	u32 n;
	struct async_wait waits[ASYNC_QUEUES];
};

static struct mutex async_lock; /* protects: file->async */

static const u32 async_bands[] = {
	[POLL_IN] = POLLIN | POLLRDNORM,
	[POLL_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND,
	[POLL_ERR] = POLLERR,
	[POLL_PRI] = POLLPRI | POLLRDBAND,
	[POLL_HUP] = POLLHUP | POLLERR,
};

/* The queue's lock is held. Wakers hold no lock that signals take. */
static bool async_wake(struct waiter *w, u64 key)
{
	struct file_async *a = container_of(w, struct async_wait, waiter)->async;
	u32 code = (u32)((key & ~TELL_FULL) >> TELL_SHIFT);

	if (!code || ((key & TELL_FULL) && !atomic_xchg(&a->file->async_full, false)))
		return false;
	if (code != POLL_PRI || a->file->owner_sig)
		file_signal_owner(a->file, a->fd, code, async_bands[code]);
	return false;
}

struct async_table {
	struct poll_table table;
	struct file_async *async;
};

static void async_queue(struct poll_table *pt, struct file *f, struct waitq *wq)
{
	struct file_async *a = container_of(pt, struct async_table, table)->async;
	struct async_wait *w = &a->waits[a->n];

	(void)f;
	if (a->n == ASYNC_QUEUES) {
		pt->error = -ENOMEM;
		return;
	}
	a->n++;
	w->async = a;
	w->wq = wq;
	w->waiter = (struct waiter){ .wake = async_wake };
	waitq_add(wq, &w->waiter);
}

static void async_end(struct file *f)
{
	struct file_async *a = f->async;

	f->async = NULL;
	for (u32 i = 0; i < a->n; i++)
		waitq_remove(a->waits[i].wq, &a->waits[i].waiter);
	kfree(a);
}

static int async_begin(struct file *f, int fd)
{
	struct async_table t = { .table = { .queue = async_queue, .own = true } };
	struct file_async *a = kzalloc(sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->file = f;
	a->fd = fd;
	f->async = t.async = a;
	f->ops->async(f);
	f->ops->poll(f, &t.table);
	if (t.table.error)
		async_end(f);
	return t.table.error;
}

int file_async_set(struct file *f, int fd, bool on)
{
	int r = 0;

	mutex_lock(&async_lock);
	if (on && f->async)
		f->async->fd = fd;
	else if (on)
		r = async_begin(f, fd);
	else if (f->async)
		async_end(f);
	if (!r && on)
		atomic_or(&f->flags, FASYNC);
	else if (!r)
		atomic_and(&f->flags, ~(u32)FASYNC);
	mutex_unlock(&async_lock);
	return r;
}

void file_async_gone(struct file *f)
{
	async_end(f);
}

void file_async_full(struct file *f)
{
	if (unlikely(READ_ONCE(f->async) != NULL))
		atomic_store(&f->async_full, true);
}

void file_async_plain(struct file *f)
{
	(void)f;
}
