/* SPDX-License-Identifier: Apache-2.0 */
/* Page cache: dropping pages, for truncation, holes and invalidation. */
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/filemap_internal.h"
#include "mm/rmap.h"

/*
 * Zero bytes [from, to) of one cached page; what is not cached is the file system's to zero. A write of the page that began before goes first: it
 * reaches as far as the file did then, and behind the file system's own truncation it would bring the tail back.
 */
static void truncate_partial(struct mapping *m, u64 from, u64 to)
{
	struct page *p;

	if (from >= to || !mapping_find_pages(m, from >> PAGE_SHIFT, 1, &p))
		return;
	/* The new size, set by the caller, before the look at the flag: a writer sets the flag and then looks at the size. */
	atomic_fence();
	page_wait_clear(p, PG_WRITEBACK);
	memset((char *)page_va(p) + (from & (PAGE_SIZE - 1)), 0, to - from);
	page_put(p);
}

/* Take one page out. True when user mappings of it are left (a fault raced with the first unmapping). */
static bool truncate_page(struct mapping *m, struct page *p)
{
	bool ours;

	page_wait_clear(p, PG_LOCKED);
	page_wait_clear(p, PG_WRITEBACK);
	spin_lock(&m->lock);
	ours = p->mapping == m;
	if (ours)
		mapping_remove_page(m, p);
	spin_unlock(&m->lock);
	if (ours)
		page_put(p);
	/* pairs with pte_map_file: it counts first and then looks at p->mapping */
	atomic_fence();
	return ours && READ_ONCE(p->mapcount) > 0;
}

static bool truncate_pages(struct mapping *m, u64 first, u64 end)
{
	bool mapped = false;

	for (u64 at = first; at < end; at++) {
		struct page *p;

		spin_lock(&m->lock);
		p = radix_next(&m->tree, &at, false);
		if (p && at < end)
			page_get(p);
		spin_unlock(&m->lock);
		if (!p || at >= end)
			break;
		mapped |= truncate_page(m, p);
		page_put(p);
	}
	return mapped;
}

void mapping_truncate(struct mapping *m, u64 from, u64 to)
{
	bool hole = to != ~0UL;
	u64 first = from >> PAGE_SHIFT, end = to >> PAGE_SHIFT;

	if (from >= to)
		return;
	if (from & (PAGE_SIZE - 1)) {
		truncate_partial(m, from,
			hole ? MIN(to, (first + 1) << PAGE_SHIFT) : (first + 1) << PAGE_SHIFT);
		first++;
	}
	if (hole && first <= end)
		truncate_partial(m, end << PAGE_SHIFT, to);
	if (!hole)
		end = ~0UL;
	if (first >= end)
		return;
	rmap_unmap(m, first, end, !hole);
	if (truncate_pages(m, first, end))
		rmap_unmap(m, first, end, !hole);
}

void mapping_invalidate(struct mapping *m, u64 from, u64 to)
{
	u64 end = to > ~0UL - PAGE_SIZE ? ~0UL : (to + PAGE_SIZE - 1) >> PAGE_SHIFT;
	const u32 busy = PG_LOCKED | PG_DIRTY | PG_WRITEBACK;

	if (mapping_is_memory(m))
		return;
	for (u64 at = from >> PAGE_SHIFT; at < end; at++) {
		struct page *p;
		bool drop;

		spin_lock(&m->lock);
		p = radix_next(&m->tree, &at, false);
		drop = p && at < end && !(atomic_load(&p->flags) & busy) &&
		       atomic_load(&p->ref.count) == 1;
		if (drop)
			mapping_remove_page(m, p);
		spin_unlock(&m->lock);
		if (!p || at >= end)
			break;
		if (drop)
			page_put(p);
	}
}
