/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anonymous memory in pieces of 2 MiB. A page costs a fault's share and, where the host shadows page tables, an exit's of every eighth; a piece costs one of
 * each, and one entry of a TLB. It is taken where most of it will be used: ahead of who has come to its first page from the page before, and where MADV_HUGEPAGE
 * says so. Its pages are ordinary ones in a row, and the leaf entries exist beside the piece (pgt_map_large), so it ends as soon as one of them is to be changed.
 */
#include "cgroup/cgroup.h"
#include "kernel/errno.h"
#include "mm/fault.h"
#include "mm/reclaim.h"

#define LARGE_ORDER 9u
#define LARGE_PAGES (1u << LARGE_ORDER)

/* Does memory of v have pieces, and is the one that addr is in all of it? */
static bool large_fits(const struct vma *v, uaddr_t start)
{
	const u32 not = VMA_NOHUGE | VMA_GROWSDOWN | VMA_STACK | VMA_SPECIAL | VMA_SHARED;

	return (v->flags & VMA_WRITE) && !(v->flags & not ) && !v->file && !v->shm &&
	       start >= v->start && start + PTE_TABLE_SPAN <= v->end;
}

static bool large_untouched(struct as *as, uaddr_t start)
{
	const pte_t *slot = pgt_look(&as->pt, start);

	for (u32 i = 0; slot && i < LARGE_PAGES; i++) {
		if (atomic_load(&slot[i]))
			return false;
	}
	return true;
}

/* The page before is there, so this is no first touch of somewhere. */
static bool large_comes_next(struct fault *f, uaddr_t start)
{
	const pte_t *slot;

	if (f->addr != start || start == f->vma->start)
		return false;
	slot = pgt_look(&f->as->pt, start - PAGE_SIZE);
	return slot && atomic_load(slot);
}

bool fault_wants_large(struct fault *f)
{
	uaddr_t start = ALIGN_DOWN(f->addr, PTE_TABLE_SPAN);

	if (!large_fits(f->vma, start) || READ_ONCE(f->as->exact) || READ_ONCE(f->as->no_huge))
		return false;
	if (!(f->vma->flags & VMA_HUGE) && !large_comes_next(f, start))
		return false;
	return mm_ample() && large_untouched(f->as, start);
}

static void large_free(struct page *p)
{
	for (u32 i = 0; i < LARGE_PAGES; i++)
		page_put(p + i);
}

/* Zeroed and charged single pages in a row, as long as nothing has to go for them. */
static struct page *large_alloc(void)
{
	struct page *p = page_alloc(LARGE_ORDER, GFP_ZERO | GFP_USER | GFP_FREE);

	if (!p)
		return NULL;
	page_make_single(p, LARGE_ORDER);
	for (u32 i = 0; i < LARGE_PAGES; i++) {
		if (!memcg_try_charge(p + i)) {
			large_free(p);
			return NULL;
		}
	}
	return p;
}

/* as->lock is held for writing. */
static bool large_map(struct fault *f, struct page *p)
{
	uaddr_t start = ALIGN_DOWN(f->addr, PTE_TABLE_SPAN);
	int ret;

	spin_lock(&f->as->pt_lock);
	ret = pgt_map_large(&f->as->pt, start, fault_pte(f->vma, page_pa(p), true));
	for (u32 i = 0; !ret && i < LARGE_PAGES; i++) {
		fault_own_page(p + i);
		pte_account(f->as, p + i, 1);
	}
	spin_unlock(&f->as->pt_lock);
	return !ret;
}

bool fault_large(struct as *as, uaddr_t addr)
{
	struct fault f = { .as = as, .addr = addr, .access = FAULT_WRITE };
	struct page *p = large_alloc();
	bool done;

	if (!p)
		return false;
	rwsem_write_lock(&as->lock);
	f.vma = vma_find_exact(as, addr);
	done = f.vma && fault_wants_large(&f) && large_map(&f, p);
	rwsem_write_unlock(&as->lock);
	if (!done)
		large_free(p);
	return done;
}
