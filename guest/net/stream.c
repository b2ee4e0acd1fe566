/* SPDX-License-Identifier: Apache-2.0 */
/* The byte ring of a stream. */
#include "net/stream.h"

#include "kernel/errno.h"
#include "lib/atomic.h"
#include "mm/page.h"
#include "mm/slab.h"

u64 stream_pages_max = ~0UL;

static u64 stream_pages; /* that hold bytes of some ring, or are spare; atomic */

static void *stream_page_alloc(void)
{
	void *page = page_alloc_va(0, GFP_USER);

	if (page)
		atomic_add(&stream_pages, 1);
	return page;
}

static void stream_page_free(void *page)
{
	if (!page)
		return;
	page_free_va(page, 0);
	atomic_sub(&stream_pages, 1);
}

/* Bytes inside, shown or not. */
static u64 stream_fill(const struct stream *r)
{
	u64 tail = atomic_load(&r->tail);

	return atomic_load(&r->head) - tail;
}

bool stream_show(struct stream *r, u64 end)
{
	u64 old = atomic_load(&r->shown);

	while (old < end) {
		if (atomic_cas(&r->shown, &old, end))
			return true;
	}
	return false;
}

static bool stream_over_limit(const struct stream *r)
{
	return atomic_load(&stream_pages) >= stream_pages_max && stream_fill(r);
}

int stream_init(struct stream *r, u32 cap)
{
	/* One slot more than the bytes need: the page that the reader is in may be a part of either end. */
	r->cap = cap;
	r->stop = STREAM_NO_STOP;
	r->nslots = (u32)((cap + PAGE_SIZE - 1) / PAGE_SIZE) + 1;
	r->slots = kzalloc(r->nslots * sizeof(*r->slots));
	return r->slots ? 0 : -ENOMEM;
}

void stream_fini(struct stream *r)
{
	for (u32 i = 0; r->slots && i < r->nslots; i++)
		stream_page_free(r->slots[i]);
	stream_page_free(r->spare);
	kfree(r->slots);
}

bool stream_writable(const struct stream *r)
{
	return (r->cap - stream_fill(r)) * 3 >= r->cap && !stream_over_limit(r);
}

static void **stream_slot(struct stream *r, u64 pos)
{
	return &r->slots[pos / PAGE_SIZE % r->nslots];
}

/* The page of the next byte to write. NULL = no memory. */
static void *stream_head_page(struct stream *r)
{
	void **slot = stream_slot(r, r->head);

	if (*slot)
		return *slot;
	if (READ_ONCE(r->spare))
		*slot = atomic_xchg(&r->spare, NULL);
	if (!*slot)
		*slot = stream_page_alloc();
	return *slot;
}

s64 stream_write(struct stream *r, struct uio *u)
{
	s64 done = 0;

	while (u->left) {
		u64 off = r->head % PAGE_SIZE, n = MIN(r->cap - stream_fill(r), PAGE_SIZE - off);
		u8 *page;
		size_t got;

		n = MIN(n, u->left);
		if (!n || (!off && stream_over_limit(r)))
			break;
		page = stream_head_page(r);
		if (!page)
			return done ? done : -ENOBUFS;
		got = uio_read(u, page + off, n);
		atomic_store(&r->head, r->head + got);
		done += (s64)got;
		if (got < n)
			return done ? done : -EFAULT;
	}
	return done;
}

int stream_reserve(struct stream *r)
{
	if (stream_fill(r) >= r->cap || (!(r->head % PAGE_SIZE) && stream_over_limit(r)))
		return 0;
	return stream_head_page(r) ? 1 : -ENOBUFS;
}

void stream_put_marked(struct stream *r, u8 byte)
{
	u8 *page = *stream_slot(r, r->head);

	page[r->head % PAGE_SIZE] = byte;
	atomic_store(&r->stop, r->head);
	atomic_store(&r->head, r->head + 1);
	stream_show(r, r->head);
}

/* Where a reader that is at pos must stop. What is shown is read first: a mark is set before it is shown. */
static u64 stream_end(const struct stream *r, u64 pos)
{
	u64 end = atomic_load(&r->shown), stop = atomic_load(&r->stop);

	return stop >= pos ? MIN(end, stop) : end;
}

s64 stream_peek(struct stream *r, struct uio *u, u64 skip)
{
	u64 pos = r->tail + skip, end = stream_end(r, pos);
	s64 done = 0;

	while (u->left && pos < end) {
		u64 off = pos % PAGE_SIZE, n = MIN(end - pos, PAGE_SIZE - off);
		size_t got;

		n = MIN(n, u->left);
		got = uio_write(u, (u8 *)*stream_slot(r, pos) + off, n);
		pos += got;
		done += (s64)got;
		if (got < n)
			return done ? done : -EFAULT;
	}
	return done;
}

/* The reader is done with a page. */
static void stream_recycle(struct stream *r, void *page)
{
	if (!READ_ONCE(r->spare))
		page = atomic_xchg(&r->spare, page);
	stream_page_free(page);
}

u64 stream_discard(struct stream *r, u64 n)
{
	u64 left;

	n = MIN(n, stream_end(r, r->tail) - r->tail);
	for (left = n; left;) {
		u64 step = MIN(left, PAGE_SIZE - r->tail % PAGE_SIZE);

		if ((r->tail + step) % PAGE_SIZE == 0) {
			void **slot = stream_slot(r, r->tail);
			void *page = *slot;

			*slot = NULL;
			stream_recycle(r, page);
		}
		atomic_store(&r->tail, r->tail + step);
		left -= step;
	}
	return n;
}

s64 stream_read(struct stream *r, struct uio *u)
{
	s64 done = 0, n;

	/* Page by page: the writer may fill what is free again at once. */
	while (u->left && stream_end(r, r->tail) != r->tail) {
		u64 left = u->left, in_page = PAGE_SIZE - r->tail % PAGE_SIZE;

		u->left = MIN(left, in_page);
		left -= u->left;
		n = stream_peek(r, u, 0);
		u->left += left;
		if (n < 0)
			return done ? done : n;
		stream_discard(r, (u64)n);
		done += n;
		if (left && (u64)n < in_page)
			break;
	}
	return done;
}
