/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tasks read and write, counted as Linux does: calls of read(2), write(2) and their kin with their bytes, and what goes to and from where files really
 * are. A task's counts are changed by itself only; others read them as they are.
 */
#ifndef TASK_IO_COUNT_H
#define TASK_IO_COUNT_H

#include "lib/types.h"

struct group;
struct task;

struct io_count {
	u64 rchar, wchar; /* bytes of calls */
	u64 syscr, syscw; /* calls */
	u64 read_bytes, write_bytes; /* fetched from the host; made dirty of files there */
	u64 cancelled; /* bytes made dirty that were dropped by whom this counts for */
};

/* A call with result n (bytes or -errno) of the current task t. */
static inline void io_count_read(struct io_count *io, s64 n)
{
	io->rchar += n > 0 ? (u64)n : 0;
	io->syscr++;
}
static inline void io_count_write(struct io_count *io, s64 n)
{
	io->wchar += n > 0 ? (u64)n : 0;
	io->syscw++;
}

/* The current task's, if it is one. */
void io_count_fetched(u64 bytes);
void io_count_dirtied(u64 bytes);
void io_count_cancelled(u64 bytes);

void io_count_add(struct io_count *to, const struct io_count *from);
/* Of all threads, dead and alive, and of the children that were collected. */
struct io_count io_count_of_group(struct group *g);

#endif
