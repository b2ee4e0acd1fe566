/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing page-table entries and VMAs. Entries are cleared in batches under pt_lock, then one TLB flush for the batch, then the pages
 * are freed: no page is reused while some CPU may still reach it.
 */
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/reclaim.h"
#include "mm/swap.h"

#define ZAP_BATCH 128u

struct zap {
	struct as *as;
	u32 n;
	uaddr_t lo, hi; /* entries in here were cleared; hi 0 = none */
	struct page *pages[ZAP_BATCH];
};

static void zap_away(struct as *as, pte_t e)
{
	atomic_sub(&as->swapped, 1);
	swap_put(e);
}

static void zap_entry(struct zap *z, uaddr_t va, pte_t *slot)
{
	pte_t e = *slot;
	struct page *p = page_of(pte_pa(e));

	*slot = 0;
	if (pte_is_away(e)) {
		zap_away(z->as, e);
		return;
	}
	if (!z->hi)
		z->lo = va;
	z->hi = va + PAGE_SIZE;
	if (p) {
		pte_account(z->as, p, -1);
		z->pages[z->n++] = p;
	}
}

/* Clear entries from va on until the end or until the batch is full; where it stopped. */
static uaddr_t zap_some(struct zap *z, uaddr_t va, uaddr_t end)
{
	pte_t *slot;

	while ((slot = pgt_walk_next(&z->as->pt, &va, end))) {
		uaddr_t stop = MIN(end, pte_table_end(va));

		for (; va < stop; va += PAGE_SIZE, slot++) {
			if (z->n == ZAP_BATCH)
				return va;
			if (*slot)
				zap_entry(z, va, slot);
		}
	}
	return end;
}

static void zap_free(struct zap *z)
{
	for (u32 i = 0; i < z->n; i++)
		page_put(z->pages[i]);
}

static void as_note_rss(struct as *as)
{
	u64 rss = as_rss(as);

	if (rss > READ_ONCE(as->hiwater_rss))
		WRITE_ONCE(as->hiwater_rss, rss);
}

static void zap_return_memory(void)
{
	if (page_unreported() > REPORT_TRIGGER) {
		filemap_start_flusher();
		mm_thread_kick();
	}
}

void as_zap(struct as *as, uaddr_t start, uaddr_t end)
{
	struct zap z;

	as_note_rss(as);
	while (start < end) {
		z.as = as;
		z.n = 0;
		z.hi = 0;
		spin_lock(&as->pt_lock);
		start = zap_some(&z, start, end);
		spin_unlock(&as->pt_lock);
		if (z.hi)
			tlb_flush(&as->pt, ~0UL, z.lo, z.hi);
		zap_free(&z);
	}
	zap_return_memory();
}

void as_zap_dead(struct as *as)
{
	struct zap z = { .as = as };
	uaddr_t va = 0;
	pte_t *slot;

	while ((slot = pgt_walk_next(&as->pt, &va, USER_TOP))) {
		uaddr_t stop = MIN(USER_TOP, pte_table_end(va));

		for (; va < stop; va += PAGE_SIZE, slot++) {
			struct page *p = *slot ? page_of(pte_pa(*slot)) : NULL;

			if (pte_is_away(*slot))
				zap_away(as, *slot);
			if (!p)
				continue;
			pte_account(as, p, -1);
			z.pages[z.n++] = p;
			if (z.n == ZAP_BATCH) {
				zap_free(&z);
				z.n = 0;
			}
		}
	}
	zap_free(&z);
	zap_return_memory();
}

/* The hole that appears at [start, end) may serve a later mmap: see vma_find_hole. */
static void unmap_note_hole(struct as *as, uaddr_t start, uaddr_t end)
{
	struct vma *next = as_find_vma(as, start);
	struct vma *prev = next		   ? vma_prev(next)
			   : as->vmas.node ? rb_entry(rb_last(&as->vmas), struct vma, node)
					   : NULL;

	if (end <= as->hole_hint || start >= as->mmap_base)
		return;
	start = prev ? prev->end : 0;
	end = next ? next->start : as->mmap_base;
	if (end > start)
		as->hole_max = MAX(as->hole_max, end - start);
}

int as_unmap_locked(struct as *as, uaddr_t start, uaddr_t end, struct list_head *dead)
{
	struct vma *v, *next;
	bool any = false;
	int ret;

	if (vma_range_free(as, start, end))
		return 0;
	ret = vma_isolate(as, start, end);
	if (ret)
		return ret;
	for (v = as_find_vma(as, start); v && v->start < end; v = next) {
		next = vma_next(v);
		vma_unlink(v);
		list_add_tail(dead, &v->map_link);
		any = true;
	}
	if (any) {
		as_zap(as, start, end);
		unmap_note_hole(as, start, end);
	}
	return 0;
}

int as_munmap(struct as *as, uaddr_t start, u64 len)
{
	struct list_head dead;
	uaddr_t end;
	int ret;

	len = page_align_len(len);
	if ((start & (PAGE_SIZE - 1)) || !len || __builtin_add_overflow(start, len, &end) ||
		end > USER_TOP)
		return -EINVAL;
	list_init(&dead);
	rwsem_write_lock(&as->lock);
	ret = as_unmap_locked(as, start, end, &dead);
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	return ret;
}
