/* SPDX-License-Identifier: Apache-2.0 */
#include "task/io_count.h"

#include "task/signal.h"

void io_count_fetched(u64 bytes)
{
	struct task *t = task_current();

	if (t)
		t->io.read_bytes += bytes;
}

void io_count_dirtied(u64 bytes)
{
	struct task *t = task_current();

	if (t)
		t->io.write_bytes += bytes;
}

void io_count_cancelled(u64 bytes)
{
	struct task *t = task_current();

	if (t)
		t->io.cancelled += bytes;
}

void io_count_add(struct io_count *to, const struct io_count *from)
{
	to->rchar += from->rchar;
	to->wchar += from->wchar;
	to->syscr += from->syscr;
	to->syscw += from->syscw;
	to->read_bytes += from->read_bytes;
	to->write_bytes += from->write_bytes;
	to->cancelled += from->cancelled;
}

struct io_count io_count_of_group(struct group *g)
{
	u64 flags = sig_lock(g);
	struct io_count sum = g->dead_io;
	struct task *t;

	list_for_each_entry (t, &g->tasks, group_link) {
		if (!t->dead)
			io_count_add(&sum, &t->io);
	}
	sig_unlock(g, flags);
	return sum;
}
