/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reverse mapping of file pages by the mapping's list of VMAs.
 *
 * A pass runs with m->lock and, nested, one address space's pt_lock at a time, so it can neither flush TLBs nor free pages: it notes what
 * to do, up to a limit, and does it after unlocking. When the limit stopped it, another pass follows; entries that are done
 * already are skipped by their state.
 *
 * Callers have mappings pinned. A pass must not end an address space, then: with it may go the last name of a file, and the end of a mapping waits for
 * its pins, those of the caller too.
 */
#include "mm/rmap.h"

#include "mm/as.h"
#include "mm/filemap.h"
#include "mm/pte.h"

#define RMAP_SPACES 8u
#define RMAP_PAGES  64u

struct rmap_pass {
	u64 first, end; /* page range of the file */
	bool unmap, cows;
	bool again; /* the limit stopped the pass */
	u32 nspaces, npages;
	struct {
		struct as *as; /* held */
		uaddr_t lo, hi; /* changed entries lie in here */
	} space[RMAP_SPACES];
	struct page *pages[RMAP_PAGES]; /* references of removed entries */
};

/* Change one entry. False: no room left. */
static bool rmap_entry(struct rmap_pass *r, struct as *as, pte_t *slot, bool *changed)
{
	pte_t e = *slot;
	struct page *p = page_of(pte_pa(e));

	if (!r->unmap) {
		if (pte_present(e) && pte_writable(e)) {
			*slot = pte_wrprotect(e);
			*changed = true;
		}
		return true;
	}
	if (p && (p->flags & PG_ANON) && !r->cows)
		return true;
	if (r->npages == RMAP_PAGES)
		return false;
	*slot = 0;
	*changed = true;
	if (p) {
		pte_account(as, p, -1);
		r->pages[r->npages++] = p;
	}
	return true;
}

/* Returns whether something was changed; [*lo, *hi) tells where. */
static bool rmap_range(struct rmap_pass *r, struct as *as, uaddr_t *lo, uaddr_t *hi)
{
	uaddr_t va = *lo, end = *hi;
	bool any = false;
	pte_t *slot;

	spin_lock(&as->pt_lock);
	while ((slot = pgt_walk_next(&as->pt, &va, end)) && !r->again) {
		uaddr_t stop = MIN(end, pte_table_end(va));

		for (; va < stop; va += PAGE_SIZE, slot++) {
			bool changed = false;

			if (!*slot)
				continue;
			if (!rmap_entry(r, as, slot, &changed)) {
				r->again = true;
				break;
			}
			if (changed && !any)
				*lo = va;
			if (changed)
				*hi = va + PAGE_SIZE;
			any |= changed;
		}
	}
	spin_unlock(&as->pt_lock);
	return any;
}

static void rmap_vma(struct rmap_pass *r, struct vma *v)
{
	u64 pages = (v->end - v->start) >> PAGE_SHIFT;
	u64 first = MAX(r->first, v->pgoff), end = MIN(r->end, v->pgoff + pages);
	uaddr_t lo, hi;

	if (first >= end || (!r->unmap && !(v->flags & VMA_SHARED)))
		return;
	if (r->nspaces == RMAP_SPACES) {
		r->again = true;
		return;
	}
	lo = v->start + ((first - v->pgoff) << PAGE_SHIFT);
	hi = v->start + ((end - v->pgoff) << PAGE_SHIFT);
	/* an address space at its end has nobody left whose TLB could matter */
	if (rmap_range(r, v->as, &lo, &hi) && atomic_load(&v->as->ref.count) > 0) {
		as_hold(v->as);
		r->space[r->nspaces].as = v->as;
		r->space[r->nspaces].lo = lo;
		r->space[r->nspaces++].hi = hi;
	}
}

static void rmap_run(struct mapping *m, struct rmap_pass *r)
{
	do {
		struct vma *v;

		r->again = false;
		r->nspaces = r->npages = 0;
		spin_lock(&m->lock);
		list_for_each_entry (v, &m->vmas, map_link) {
			rmap_vma(r, v);
			if (r->again)
				break;
		}
		spin_unlock(&m->lock);
		for (u32 i = 0; i < r->nspaces; i++) {
			struct as *as = r->space[i].as;

			tlb_flush(&as->pt, atomic_load(&as->cpus), r->space[i].lo, r->space[i].hi);
		}
		for (u32 i = 0; i < r->npages; i++)
			page_put(r->pages[i]);
		for (u32 i = 0; i < r->nspaces; i++)
			as_drop(r->space[i].as);
	} while (r->again);
}

static bool rmap_is_mapped(struct mapping *m)
{
	bool mapped;

	spin_lock(&m->lock);
	mapped = !list_empty(&m->vmas);
	spin_unlock(&m->lock);
	return mapped;
}

void rmap_unmap(struct mapping *m, u64 first, u64 end, bool cows)
{
	struct rmap_pass r = { .first = first, .end = end, .unmap = true, .cows = cows };

	if (rmap_is_mapped(m))
		rmap_run(m, &r);
}

void rmap_wrprotect(struct mapping *m, u64 first, u64 n)
{
	struct rmap_pass r = { .first = first, .end = first + n };

	if (rmap_is_mapped(m))
		rmap_run(m, &r);
}
