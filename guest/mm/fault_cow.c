/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write faults on entries that are there but not writable: copy-on-write after fork, clean pages of shared files, the zero page.
 *
 * An anonymous page with one reference belongs to this entry alone and is made writable in place; so are its neighbours, because after a fork whose
 * child is gone the parent comes back to all of them. Where a copy needs a TLB flush anyway, a few neighbours are copied under the same flush.
 */
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/fault.h"
#include "mm/reclaim.h"

#define COW_REUSE 16u /* entries looked at around one that can be made writable in place */

static bool cow_is_own(pte_t e)
{
	struct page *p = page_of(pte_pa(e));

	return p && (p->flags & PG_ANON) && atomic_load(&p->ref.count) == 1;
}

/* Make the entries around f->addr writable whose pages nobody shares. True when the one asked for is among them. */
static bool cow_reuse(struct fault *f)
{
	u32 n;
	uaddr_t start = fault_block(f, COW_REUSE, &n);
	pte_t *slot = pgt_walk(&f->as->pt, start, false);
	bool done = false;

	if (!slot)
		return false;
	spin_lock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		if (!pte_present(slot[i]) || !cow_is_own(slot[i]))
			continue;
		slot[i] = fault_pte(f->vma, pte_pa(slot[i]), true);
		done |= start + i * PAGE_SIZE == f->addr;
	}
	spin_unlock(&f->as->pt_lock);
	return done;
}

struct cow {
	pte_t old[FAULT_COW_BLOCK];
	struct page *from[FAULT_COW_BLOCK]; /* references */
	struct page *to[FAULT_COW_BLOCK];
};

/* Which entries of the block to copy: the one asked for, and shared anonymous neighbours. */
static void cow_pick(struct fault *f, pte_t *slot, uaddr_t start, u32 n, struct cow *c)
{
	spin_lock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		bool asked = start + i * PAGE_SIZE == f->addr;
		struct page *p = slot[i] ? page_of(pte_pa(slot[i])) : NULL;

		c->old[i] = slot[i];
		if (!p || (pte_present(slot[i]) && pte_writable(slot[i])))
			continue;
		if (!asked && (!pte_present(slot[i]) || !(p->flags & PG_ANON)))
			continue;
		page_get(p);
		c->from[i] = p;
	}
	spin_unlock(&f->as->pt_lock);
}

static int cow_fill(struct fault *f, uaddr_t start, u32 n, struct cow *c)
{
	for (u32 i = 0; i < n; i++) {
		bool asked = start + i * PAGE_SIZE == f->addr;

		if (!c->from[i])
			continue;
		c->to[i] = asked ? mm_alloc_page(0) : mm_try_page(0);
		if (c->to[i])
			memcpy(page_va(c->to[i]), page_va(c->from[i]), PAGE_SIZE);
		else if (asked)
			return -ENOMEM;
	}
	return 0;
}

/* Exchange the entries that did not change meanwhile; the old page is in c->to afterwards. */
static bool cow_install(struct fault *f, pte_t *slot, u32 n, struct cow *c)
{
	bool changed = false;

	spin_lock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		if (!c->to[i] || slot[i] != c->old[i])
			continue;
		fault_own_page(c->to[i]);
		pte_account(f->as, c->from[i], -1);
		pte_account(f->as, c->to[i], 1);
		slot[i] = fault_pte(f->vma, page_pa(c->to[i]), true);
		c->to[i] = c->from[i];
		changed = true;
	}
	spin_unlock(&f->as->pt_lock);
	return changed;
}

static int cow_copy(struct fault *f)
{
	struct cow c = { .from = { NULL }, .to = { NULL } };
	u32 n;
	uaddr_t start = fault_block(f, mm_plenty() ? FAULT_COW_BLOCK : 1, &n);
	pte_t *slot = pgt_walk(&f->as->pt, start, false);
	int ret;

	if (!slot)
		return 0;
	cow_pick(f, slot, start, n, &c);
	ret = cow_fill(f, start, n, &c);
	if (!ret && cow_install(f, slot, n, &c))
		tlb_flush(&f->as->pt, ~0UL, start, start + n * PAGE_SIZE);
	for (u32 i = 0; i < n; i++) {
		if (c.to[i])
			page_put(c.to[i]);
		if (c.from[i])
			page_put(c.from[i]);
	}
	return ret;
}

/* A clean page of a shared file: allow the write, then tell the page cache (see fault_file.c for the order). */
static int cow_shared(struct fault *f, pte_t e)
{
	struct page *p = page_of(pte_pa(e));
	pte_t *slot = pgt_walk(&f->as->pt, f->addr, false);
	bool same;

	if (!slot || !p)
		return p ? 0 : -EACCES;
	spin_lock(&f->as->pt_lock);
	same = *slot == e;
	if (same) {
		*slot = fault_pte(f->vma, page_pa(p), true);
		page_get(p);
	}
	spin_unlock(&f->as->pt_lock);
	if (same) {
		if (f->vma->mapping)
			mapping_set_dirty(f->vma->mapping, p);
		page_put(p);
	}
	return 0;
}

int fault_write_protected(struct fault *f, pte_t e)
{
	if (f->vma->flags & VMA_SHARED)
		return cow_shared(f, e);
	if (f->vma->flags & VMA_SPECIAL)
		return -EACCES;
	if (pte_present(e) && cow_reuse(f))
		return 0;
	return cow_is_own(e) ? 0 : cow_copy(f);
}
