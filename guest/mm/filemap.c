/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page cache: lookup, reading and writing.
 *
 * A page enters the tree in one of two ways: up to date, or PG_LOCKED while its first reader fills it. Who finds a locked page
 * waits for the flag; when the read failed the page has left the tree, and the waiter tries for itself. No page is locked while user
 * memory is copied, so a fault in the middle of a copy may come back to the same page.
 */
#include "mm/filemap.h"

#include "cgroup/cgroup.h"
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"
#include "mm/usercopy.h"

#define READAHEAD_DEFAULT 32u
#define READAHEAD_RANDOM  8u
#define PAGE_WAITQS	  32u

static const char filemap_zeroes[PAGE_SIZE] __aligned(64);
static struct waitq page_waitqs[PAGE_WAITQS];
static bool page_waitqs_ready;
static struct waitq mapping_wait; /* pins and nwriteback went down */

void mapping_init(struct mapping *m, struct inode *inode, const struct mapping_ops *ops)
{
	memset(m, 0, sizeof(*m));
	m->lock.rank = 60;
	m->inode = inode;
	m->ops = ops;
	list_init(&m->vmas);
	list_init(&m->dirty_link);
	if (!atomic_xchg(&page_waitqs_ready, true)) {
		waitq_init(&mapping_wait);
		for (u32 i = 0; i < PAGE_WAITQS; i++)
			waitq_init(&page_waitqs[i]);
		page_set_reclaim(lru_shrink);
	}
}

u64 mapping_size(const struct mapping *m)
{
	return m->inode ? READ_ONCE(m->inode->size) : READ_ONCE(m->fixed_size);
}

/* ---- waiting ---- */

static struct waitq *page_waitq(const struct page *p)
{
	return &page_waitqs[((u64)p / sizeof(*p)) % PAGE_WAITQS];
}

void page_wait_clear(struct page *p, u32 flag)
{
	wait_event(page_waitq(p), !(atomic_load(&p->flags) & flag));
}

void page_clear_wake(struct page *p, u32 flags)
{
	atomic_and(&p->flags, ~flags);
	waitq_wake_all(page_waitq(p));
}

void mapping_pin(struct mapping *m)
{
	m->pins++;
}

void mapping_unpin(struct mapping *m)
{
	bool last;

	spin_lock(&m->lock);
	last = --m->pins == 0;
	spin_unlock(&m->lock);
	if (last)
		waitq_wake_all(&mapping_wait);
}

static bool mapping_unpinned(struct mapping *m)
{
	bool free;

	spin_lock(&m->lock);
	free = !m->pins;
	spin_unlock(&m->lock);
	return free;
}

/* ---- the tree ---- */

static void mapping_account(const struct mapping *m, const struct page *p, s64 n)
{
	page_account(PAGE_CACHED, n);
	memcg_account(p, MEMCG_FILE, n);
	if (mapping_is_memory(m))
		memcg_account(p, MEMCG_SHMEM, n);
}

/* Insert an unattached page (one reference, which the tree takes over on success; the caller gets a second one). */
static int mapping_insert(struct mapping *m, struct page *p, u64 index)
{
	int ret = m->ops->charge ? m->ops->charge(m, 1) : 0;

	if (ret)
		return ret;
	page_get(p);
	spin_lock(&m->lock);
	ret = radix_insert(&m->tree, index, p);
	if (!ret) {
		p->index = index;
		p->mapping = m;
		if (mapping_is_memory(m))
			atomic_or(&p->flags, PG_SHMEM);
		m->npages++;
	}
	spin_unlock(&m->lock);
	if (ret) {
		ref_put(&p->ref);
		if (m->ops->charge)
			m->ops->charge(m, -1);
		return ret;
	}
	mapping_account(m, p, 1);
	if (!mapping_is_memory(m))
		lru_add(p);
	return 0;
}

void mapping_remove_page(struct mapping *m, struct page *p)
{
	writeback_page_removed(m, p);
	radix_remove(&m->tree, p->index);
	m->npages--;
	lru_del(p);
	atomic_store(&p->mapping, NULL);
	mapping_account(m, p, -1);
	if (m->ops->charge)
		m->ops->charge(m, -1);
}

static struct page *mapping_find(struct mapping *m, u64 index)
{
	struct page *p;

	spin_lock(&m->lock);
	p = radix_get(&m->tree, index);
	if (p)
		page_get(p);
	spin_unlock(&m->lock);
	return p;
}

bool mapping_has_page(struct mapping *m, u64 index)
{
	bool has;

	spin_lock(&m->lock);
	has = radix_get(&m->tree, index) != NULL;
	spin_unlock(&m->lock);
	return has;
}

u32 mapping_find_pages(struct mapping *m, u64 index, u32 n, struct page **out)
{
	u32 found = 0;
	u64 at = index;
	struct page *p;

	memset(out, 0, n * sizeof(*out));
	spin_lock(&m->lock);
	for (; (p = radix_next(&m->tree, &at, false)) && at < index + n; at++) {
		if ((atomic_load(&p->flags) & (PG_UPTODATE | PG_UNWRITTEN)) != PG_UPTODATE)
			continue;
		page_get(p);
		out[at - index] = p;
		found++;
	}
	spin_unlock(&m->lock);
	return found;
}

/* ---- reading from backing store ---- */

/* How many pages to read at a miss. */
static u32 readahead_window(struct mapping *m, u64 index)
{
	u32 max = MIN(m->readahead ? m->readahead : READAHEAD_DEFAULT, MAPPING_READAHEAD_MAX);
	u64 pages = (mapping_size(m) + PAGE_SIZE - 1) >> PAGE_SHIFT;
	u32 n = index == READ_ONCE(m->ra_next) ? max : MIN(max, READAHEAD_RANDOM);

	if (index >= pages)
		return 1;
	return (u32)MIN(n, pages - index);
}

/* Add locked, empty pages from index on, up to the first one that exists. How many, or -errno when not even one. */
static int readahead_insert(struct mapping *m, u64 index, u32 want, struct page **pages)
{
	u32 n;
	int ret = 0;

	for (n = 0; n < want; n++) {
		struct page *p;

		if (n && mapping_has_page(m, index + n))
			break;
		p = n ? mm_try_page(0) : mm_alloc_page(0);
		if (!p) {
			ret = -ENOMEM;
			break;
		}
		p->flags = PG_LOCKED;
		ret = mapping_insert(m, p, index + n);
		if (ret) {
			page_put(p);
			break;
		}
		pages[n] = p;
	}
	return n ? (int)n : ret;
}

static void readahead_failed(struct mapping *m, struct page *p)
{
	bool ours;

	spin_lock(&m->lock);
	ours = p->mapping == m;
	if (ours)
		mapping_remove_page(m, p);
	spin_unlock(&m->lock);
	page_clear_wake(p, PG_LOCKED);
	if (ours)
		page_put(p);
}

/* Read the missing page at index and up to want - 1 behind it. -EEXIST = somebody else was faster. */
static int mapping_read_missing(struct mapping *m, u64 index, u32 want, struct page **out)
{
	struct page *pages[MAPPING_READAHEAD_MAX];
	int n = readahead_insert(m, index, want, pages);
	int ret;

	if (n < 0)
		return n;
	WRITE_ONCE(m->ra_next, index + (u32)n);
	ret = m->ops->read_pages(m, pages, (u32)n);
	for (int i = 0; i < n; i++) {
		if (ret) {
			readahead_failed(m, pages[i]);
		} else {
			atomic_or(&pages[i]->flags, PG_UPTODATE);
			page_clear_wake(pages[i], PG_LOCKED);
		}
		if (ret || i)
			page_put(pages[i]);
	}
	if (!ret)
		*out = pages[0];
	return ret;
}

int mapping_add_zero(struct mapping *m, u64 index, u32 flags, struct page **out)
{
	struct page *p = mm_alloc_page(GFP_ZERO);
	int ret;

	if (!p)
		return -ENOMEM;
	p->flags = PG_UPTODATE | flags;
	ret = mapping_insert(m, p, index);
	if (ret)
		page_put(p);
	else
		*out = p;
	return ret;
}

static int mapping_get(struct mapping *m, u64 index, bool no_read, struct page **out)
{
	for (;;) {
		struct page *p = mapping_find(m, index);
		int ret;

		if (p) {
			page_wait_clear(p, PG_LOCKED);
			if (atomic_load(&p->flags) & PG_UNWRITTEN)
				atomic_and(&p->flags, ~(u32)PG_UNWRITTEN);
			if (atomic_load(&p->flags) & PG_UPTODATE) {
				*out = p;
				return 0;
			}
			page_put(p);
			continue;
		}
		if (no_read || !m->ops->read_pages)
			ret = mapping_add_zero(m, index, 0, out);
		else
			ret = mapping_read_missing(m, index, readahead_window(m, index), out);
		if (ret != -EEXIST)
			return ret;
	}
}

int mapping_get_page(struct mapping *m, u64 index, struct page **out)
{
	return mapping_get(m, index, false, out);
}

void mapping_read_ahead(struct mapping *m, u64 index, u64 n)
{
	u64 end = MIN(index + n, (mapping_size(m) + PAGE_SIZE - 1) >> PAGE_SHIFT);

	for (; m->ops->read_pages && index < end; index++) {
		struct page *p;
		int ret;

		if (mapping_has_page(m, index))
			continue;
		ret = mapping_read_missing(
			m, index, (u32)MIN(end - index, MAPPING_READAHEAD_MAX), &p);
		if (!ret)
			page_put(p);
		else if (ret != -EEXIST)
			return;
	}
}

int mapping_get_page_write(struct mapping *m, u64 index, bool whole, struct page **out)
{
	bool outside = index >= (mapping_size(m) + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return mapping_get(m, index, whole || outside, out);
}

/* ---- read(2) ---- */

/* The page for a read; nowait: only one that is there. 0 or -errno, -EAGAIN. */
static int filemap_read_page(struct mapping *m, u64 index, bool nowait, struct page **out)
{
	if (!nowait)
		return mapping_get_page(m, index, out);
	return mapping_find_pages(m, index, 1, out) ? 0 : -EAGAIN;
}

s64 filemap_read(struct mapping *m, u64 *pos, struct uio *u)
{
	s64 done = 0;

	while (u->left) {
		u64 size = mapping_size(m), off = *pos & (PAGE_SIZE - 1), n, got;
		struct page *p = NULL;

		if (*pos >= size)
			break;
		n = MIN(MIN(PAGE_SIZE - off, size - *pos), u->left);
		if (m->ops->read_pages) {
			int ret = filemap_read_page(m, *pos >> PAGE_SHIFT, u->nowait, &p);

			if (ret)
				return done ? done : ret;
			atomic_or(&p->flags, PG_REFERENCED);
		} else {
			p = mapping_find(
				m, *pos >> PAGE_SHIFT); /* a hole reads as zeroes without a page */
		}
		got = uio_write(u, (p ? (const char *)page_va(p) : filemap_zeroes) + off, n);
		if (p)
			page_put(p);
		*pos += got;
		done += (s64)got;
		if (got < n)
			return done ? done : -EFAULT;
	}
	return done;
}

/* ---- write(2) ---- */

/* A page that is overwritten as a whole and not cached yet: fill it before anybody can see it. Bytes, 0 = take the ordinary way, or -errno. */
static s64 filemap_write_new(struct mapping *m, u64 pos, struct uio *u)
{
	struct page *p;
	struct uio before = *u;
	int ret;

	if (mapping_has_page(m, pos >> PAGE_SHIFT))
		return 0;
	p = mm_alloc_page(0);
	if (!p)
		return -ENOMEM;
	if (uio_read(u, page_va(p), PAGE_SIZE) < PAGE_SIZE) {
		*u = before;
		page_put(p);
		return 0;
	}
	p->flags = PG_UPTODATE;
	ret = mapping_insert(m, p, pos >> PAGE_SHIFT);
	if (ret) {
		*u = before;
		page_put(p);
		return ret == -EEXIST ? 0 : ret;
	}
	if (m->inode && pos + PAGE_SIZE > m->inode->size)
		WRITE_ONCE(m->inode->size, pos + PAGE_SIZE);
	mapping_set_dirty(m, p);
	page_put(p);
	return PAGE_SIZE;
}

static s64 filemap_write_page(struct mapping *m, u64 pos, struct uio *u, u64 n)
{
	u64 off = pos & (PAGE_SIZE - 1), got;
	struct page *p;
	int ret;

	if (n == PAGE_SIZE) {
		s64 whole = filemap_write_new(m, pos, u);

		if (whole)
			return whole;
	}
	ret = mapping_get_page_write(m, pos >> PAGE_SHIFT, false, &p);
	if (ret)
		return ret;
	got = uio_read(u, (char *)page_va(p) + off, n);
	if (got) {
		/* size first: write-back cuts at it */
		if (m->inode && pos + got > m->inode->size)
			WRITE_ONCE(m->inode->size, pos + got);
		mapping_set_dirty(m, p);
	}
	page_put(p);
	return got ? (s64)got : -EFAULT;
}

s64 filemap_write(struct mapping *m, u64 *pos, struct uio *u)
{
	s64 done = 0;

	while (u->left) {
		u64 n = MIN(PAGE_SIZE - (*pos & (PAGE_SIZE - 1)), u->left);
		s64 got = filemap_write_page(m, *pos, u, n);

		if (got < 0)
			return done ? done : got;
		*pos += (u64)got;
		done += got;
		if ((u64)got < n)
			break;
		writeback_balance(m);
	}
	return done;
}

/* ---- end ---- */

void mapping_destroy(struct mapping *m)
{
	writeback_forget(m);
	wait_event(&mapping_wait, mapping_unpinned(m));
	mapping_truncate(m, 0, ~0UL);
	panic_if(m->npages || !list_empty(&m->vmas));
}
