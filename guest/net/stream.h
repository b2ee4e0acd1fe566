/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream in memory, from one writer to one reader: a ring of pages that are allocated when bytes come and freed when they were read.
 * The writer owns `head`, the reader `tail`; neither waits for the other, so both may copy from and to user memory at the same time.
 * Many writers (readers) take wlock (rlock) around their calls. All rings together hold at most stream_pages_max pages: beyond that a ring
 * takes bytes only while it is empty, so that every stream still moves.
 *
 * One byte may be marked (stream_mark): the reader stops before it until the mark is taken away.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "kernel/lock.h"
#include "mm/usercopy.h"

struct stream {
	u64 head; /* bytes ever written; atomic */
	u64 shown; /* of these, what the reader may have: stream_show; atomic, only grows */
	u64 tail; /* bytes ever read; atomic */
	u64 stop; /* the marked byte, STREAM_NO_STOP = none; atomic */
	u32 cap; /* most bytes inside */
	u32 nslots;
	void **slots; /* page of byte n: slots[n / PAGE_SIZE % nslots]; NULL while unused */
	void *spare; /* a page that was read; atomic */
	struct mutex wlock, rlock;
};

#define STREAM_NO_STOP (~0UL)

extern u64 stream_pages_max; /* set once at boot */

/* 0 or -ENOMEM. */
int stream_init(struct stream *r, u32 cap);
/* Nobody uses it any more. A zeroed ring is fine. */
void stream_fini(struct stream *r);

/* Bytes for the reader. */
static inline u64 stream_used(const struct stream *r)
{
	return __atomic_load_n(&r->shown, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
}

/* Bytes that were written and not shown yet. */
static inline u64 stream_held(const struct stream *r)
{
	u64 shown = __atomic_load_n(&r->shown, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) - shown;
}

/* The reader may have all up to byte `end`. Any context. True: some were new to it. */
bool stream_show(struct stream *r, u64 end);

/* Would a poll for writing succeed: a third of the room is free (and the memory of all rings is not used up). */
bool stream_writable(const struct stream *r);

/* Appends what fits, not shown yet. Bytes; 0: full; -EFAULT or -ENOBUFS when nothing was taken. wlock held. */
s64 stream_write(struct stream *r, struct uio *u);
/* Room for one byte more: 1, 0 = full, -ENOBUFS. wlock held. */
int stream_reserve(struct stream *r);
/* Appends a byte, for which there is room, as the marked one, and shows all; an older mark is forgotten. Does not sleep. wlock held. */
void stream_put_marked(struct stream *r, u8 byte);
/* Gives what is there, up to the mark, without removing it. `skip`: how many bytes to pass over. Bytes; 0: none there; -EFAULT. rlock held. */
s64 stream_peek(struct stream *r, struct uio *u, u64 skip);
/* As stream_peek, and removes it. */
s64 stream_read(struct stream *r, struct uio *u);
/* Removes up to n bytes unseen; how many. rlock held. */
u64 stream_discard(struct stream *r, u64 n);

#endif
