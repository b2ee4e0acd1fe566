/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How file_ops.poll tells a poller (poll, select, epoll) where to wait, and the poller of poll and select. A file queues on the same wait
 * queues for as long as it lives; the queues live at least as long as the file.
 */
#ifndef FS_POLL_H
#define FS_POLL_H

#include "fs/vfs.h"

#define POLL_DEFAULT_MASK (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

struct poll_table {
	/* Queue on wq for the lifetime of the poll; may fail silently with pt->error = -ENOMEM. */
	void (*queue)(struct poll_table *pt, struct file *f, struct waitq *wq);
	int error;
	bool own; /* not on queues that belong to no one file: O_ASYNC */
	u32 key; /* events that the poller wants (plus POLLERR, POLLHUP); 0 = unknown */
};

static inline void poll_wait(struct file *f, struct waitq *wq, struct poll_table *pt)
{
	if (pt && pt->queue)
		pt->queue(pt, f, wq);
}

static inline u32 file_poll(struct file *f, struct poll_table *pt)
{
	return f->ops && f->ops->poll ? f->ops->poll(f, pt) : POLL_DEFAULT_MASK;
}

/* One poll(2) or select(2): files are asked with &set->table until poll_set_seal, later with NULL. */
struct poll_set_entry {
	struct waiter waiter;
	struct waitq *wq;
	struct poll_set *set;
};

#define POLL_SET_INLINE 9u

struct poll_set {
	struct poll_table table;
	struct waitq wq; /* the poller sleeps here */
	bool triggered;
	u32 n;
	struct poll_set_chunk *chunks;
	struct poll_set_entry entries[POLL_SET_INLINE];
};

void poll_set_init(struct poll_set *s);
/* Sleep until some queue woke since the last call. 0, -ERESTARTSYS, -ETIMEDOUT. */
int poll_set_sleep(struct poll_set *s, u64 deadline);
void poll_set_done(struct poll_set *s); /* the files must still be referenced */

#endif
