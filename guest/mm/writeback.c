/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty pages and their way back to the file.
 *
 * A page is cleaned in this order: take the dirty mark, write-protect its user mappings (and flush), write. A store before the flush is
 * part of what is written, a store after it faults and marks the page dirty again. PG_WRITEBACK keeps a second write of the same page
 * from overtaking the first. A failed write leaves the page clean, as Linux does, and its error for the next fsync.
 */
#include "fs/vfs.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/sched.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"
#include "mm/rmap.h"
#include "task/io_count.h"

static struct {
	struct spinlock lock; /* protects: mappings; rank 70 */
	struct list_head mappings; /* with dirty pages */
	u64 pages; /* atomic: dirty pages of all mappings */
} dirty = { .lock = { .rank = 70 }, .mappings = LIST_HEAD_INIT(dirty.mappings) };

u64 writeback_dirty_pages(void)
{
	return atomic_load(&dirty.pages);
}

void writeback_forget(struct mapping *m)
{
	spin_lock(&m->lock);
	spin_lock(&dirty.lock);
	list_del(&m->dirty_link);
	spin_unlock(&dirty.lock);
	spin_unlock(&m->lock);
}

void mapping_set_dirty(struct mapping *m, struct page *p)
{
	bool first = false, fresh = false;

	if (mapping_is_memory(m) || (atomic_load(&p->flags) & PG_DIRTY))
		return;
	spin_lock(&m->lock);
	if (p->mapping == m && !(atomic_or(&p->flags, PG_DIRTY) & PG_DIRTY)) {
		fresh = true;
		radix_tag(&m->tree, p->index, true);
		atomic_add(&dirty.pages, 1);
		if (!m->ndirty++) {
			spin_lock(&dirty.lock);
			first = list_empty(&dirty.mappings);
			if (list_empty(&m->dirty_link))
				list_add_tail(&dirty.mappings, &m->dirty_link);
			spin_unlock(&dirty.lock);
		}
	}
	spin_unlock(&m->lock);
	if (fresh)
		io_count_dirtied(PAGE_SIZE);
	if (first) {
		filemap_start_flusher();
		mm_thread_kick();
	}
}

/* Take the dirty mark off a page that is about to be written or dropped. m->lock held. */
static void dirty_take(struct mapping *m, struct page *p)
{
	atomic_and(&p->flags, ~PG_DIRTY);
	radix_tag(&m->tree, p->index, false);
	atomic_sub(&dirty.pages, 1);
	m->ndirty--;
}

void writeback_page_removed(struct mapping *m, struct page *p)
{
	if (!(atomic_load(&p->flags) & PG_DIRTY))
		return;
	dirty_take(m, p);
	io_count_cancelled(PAGE_SIZE);
}

/* Collect a run of consecutive dirty pages at or after *at; they get PG_WRITEBACK and a reference. *busy: one that is being written
 * already, with a reference. */
static u32 writeback_collect(
	struct mapping *m, u64 *at, u64 end, struct page **pages, struct page **busy)
{
	struct page *p;
	u32 n = 0;

	*busy = NULL;
	spin_lock(&m->lock);
	while (n < MAPPING_READAHEAD_MAX && *at < end) {
		u64 next = *at;

		p = radix_next(&m->tree, &next, true);
		if (!p || next >= end || (n && next != *at))
			break;
		*at = next;
		if (atomic_load(&p->flags) & PG_WRITEBACK) {
			if (!n) {
				*busy = p;
				page_get(p);
			}
			break;
		}
		atomic_or(&p->flags, PG_WRITEBACK);
		dirty_take(m, p);
		m->nwriteback++;
		page_get(p);
		pages[n++] = p;
		++*at;
	}
	spin_unlock(&m->lock);
	return n;
}

static int writeback_run(struct mapping *m, struct page **pages, u32 n)
{
	int ret;

	rmap_wrprotect(m, pages[0]->index, n);
	ret = m->ops->write_pages(m, pages, n);
	spin_lock(&m->lock);
	if (ret && !m->wb_error)
		m->wb_error = ret;
	m->nwriteback -= n;
	spin_unlock(&m->lock);
	for (u32 i = 0; i < n; i++) {
		page_clear_wake(pages[i], PG_WRITEBACK);
		page_put(pages[i]);
	}
	return ret;
}

/* sync: also wait for what others are writing. */
static void writeback_range(struct mapping *m, u64 first, u64 end, bool sync)
{
	struct page *pages[MAPPING_READAHEAD_MAX], *busy;
	u64 at = first;
	u32 n;

	do {
		n = writeback_collect(m, &at, end, pages, &busy);
		if (n)
			writeback_run(m, pages, n);
		if (busy) {
			if (sync)
				page_wait_clear(busy, PG_WRITEBACK);
			else
				at++;
			page_put(busy);
		}
	} while (n || busy);
}

static bool mapping_no_writeback(struct mapping *m)
{
	bool none;

	spin_lock(&m->lock);
	none = !m->nwriteback;
	spin_unlock(&m->lock);
	return none;
}

/* Write [first, end) and wait, also for pages that others had made clean but that are still on their way. */
static void writeback_wait(struct mapping *m, u64 first, u64 end)
{
	writeback_range(m, first, end, true);
	while (!mapping_no_writeback(m))
		sched_sleep_until(clock_monotonic() + NSEC_PER_MSEC / 4, false);
}

int mapping_writeback(struct mapping *m, u64 from, u64 to)
{
	u64 end = to > ~0UL - PAGE_SIZE ? ~0UL : (to + PAGE_SIZE - 1) >> PAGE_SHIFT;
	int ret;

	if (mapping_is_memory(m))
		return 0;
	writeback_wait(m, from >> PAGE_SHIFT, end);
	spin_lock(&m->lock);
	ret = m->wb_error;
	m->wb_error = 0;
	spin_unlock(&m->lock);
	return ret;
}

/* ---- all mappings ---- */

/* The next dirty mapping in turn, pinned, or NULL; clean ones leave the list. */
static struct mapping *dirty_first(void)
{
	struct mapping *m = NULL, *it;

	spin_lock(&dirty.lock);
	list_for_each_entry (it, &dirty.mappings, dirty_link) {
		/* lock order is mapping before list: a busy one is met again in the next round */
		if (!spin_trylock(&it->lock))
			continue;
		list_del(&it->dirty_link);
		if (it->ndirty) {
			list_add_tail(&dirty.mappings, &it->dirty_link);
			mapping_pin(it);
			m = it;
		}
		spin_unlock(&it->lock);
		break;
	}
	spin_unlock(&dirty.lock);
	return m;
}

static u32 dirty_count(void)
{
	struct mapping *it;
	u32 n = 0;

	spin_lock(&dirty.lock);
	list_for_each_entry (it, &dirty.mappings, dirty_link)
		n++;
	spin_unlock(&dirty.lock);
	return n;
}

bool writeback_round(void)
{
	for (u32 n = dirty_count(); n; n--) {
		struct mapping *m = dirty_first();

		if (!m)
			continue;
		writeback_range(m, 0, ~0UL, false);
		mapping_unpin(m);
	}
	return dirty_count() != 0;
}

int filemap_sync_all(void)
{
	int ret = 0;

	for (u32 n = dirty_count(); n; n--) {
		struct mapping *m = dirty_first();

		if (!m)
			continue;
		writeback_wait(m, 0, ~0UL);
		ret = ret ? ret : READ_ONCE(m->wb_error); /* stays for fsync */
		mapping_unpin(m);
	}
	return ret;
}

/* Writers are held up by doing some of the work themselves when a quarter of memory is dirty. */
void writeback_balance(struct mapping *m)
{
	struct page_stats s;

	if (mapping_is_memory(m) || READ_ONCE(m->ndirty) < 256)
		return;
	page_stats(&s);
	if (writeback_dirty_pages() > s.total / 4 || s.free < page_low_water() * 2)
		writeback_range(m, 0, ~0UL, false);
}
