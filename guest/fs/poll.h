/* SPDX-License-Identifier: Apache-2.0 */
/* How file_ops.poll tells a poller (poll, select, epoll) where to wait. */
#ifndef FS_POLL_H
#define FS_POLL_H

#include "fs/vfs.h"

struct poll_table {
	/* Queue on wq for the lifetime of the poll; may fail silently with pt->error = -ENOMEM. */
	void (*queue)(struct poll_table *pt, struct file *f, struct waitq *wq);
	int error;
};

static inline void poll_wait(struct file *f, struct waitq *wq, struct poll_table *pt)
{
	if (pt && pt->queue)
		pt->queue(pt, f, wq);
}

#endif
