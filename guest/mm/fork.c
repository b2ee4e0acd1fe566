/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying an address space.
 *
 * Copy-on-write is dear where a fault is dear: 16 us and a TLB flush for a page against 0.5 us to copy it now. So small address spaces are
 * copied outright, and of large ones the pages that were touched last around the top of the stack; the parent then keeps its entries
 * and needs neither flush nor faults for those. The rest is shared write-protected, with one flush at the end.
 * Entries of file pages are copied as they are: an entry costs some 20 ns, the fault that it saves 500 times as much.
 */
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/as_internal.h"
#include "mm/fault.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"
#include "mm/shm.h"
#include "mm/slab.h"
#include "mm/swap.h"

#define FORK_EAGER_PAGES 256u /* anonymous pages copied outright */
#define FORK_STACK_PAGES \
	4u /* of a large address space: present pages at the lower end of the stack in use */

struct fork_state {
	struct as *src, *dst;
	u32 eager; /* pages that may still be copied */
	bool flush;
};

/* The child's entry for an anonymous page: its own copy, or NULL when it has to be shared. */
static struct page *fork_copy_page(struct fork_state *f, struct page *p)
{
	struct page *copy;

	if (!f->eager)
		return NULL;
	copy = mm_try_page(0);
	if (!copy)
		return NULL;
	f->eager--;
	memcpy(page_va(copy), page_va(p), PAGE_SIZE);
	fault_own_page(copy);
	return copy;
}

/* False: no memory. */
static bool fork_entry(struct fork_state *f, struct vma *v, pte_t *from, pte_t *to)
{
	pte_t e = *from;
	struct page *p = page_of(pte_pa(e)), *copy = NULL;
	bool shared = v->flags & VMA_SHARED;

	if (pte_is_away(e)) {
		if (!swap_get(e))
			return false;
		atomic_add(&f->dst->swapped, 1);
		*to = e;
		return true;
	}
	if (p && (p->flags & PG_ANON) && !shared && pte_present(e))
		copy = fork_copy_page(f, p);
	if (copy) {
		pte_account(f->dst, copy, 1);
		*to = fault_pte(v, page_pa(copy), true);
		return true;
	}
	if (!shared && pte_present(e) && pte_writable(e)) {
		e = fault_pte(v, pte_pa(e), false);
		*from = e;
		f->flush = true;
	}
	if (p) {
		page_get(p);
		pte_account(f->dst, p, 1);
	}
	*to = e;
	return true;
}

static int fork_entries(struct fork_state *f, struct vma *v)
{
	uaddr_t va = v->start;
	pte_t *from;

	while ((from = pgt_walk_next(&f->src->pt, &va, v->end))) {
		uaddr_t stop = MIN(v->end, pte_table_end(va));
		pte_t *to = NULL;

		for (; va < stop; va += PAGE_SIZE, from++, to += to ? 1 : 0) {
			if (!*from)
				continue;
			if (!to)
				to = pgt_walk(&f->dst->pt, va, true);
			if (!to || !fork_entry(f, v, from, to))
				return -ENOMEM;
		}
	}
	return 0;
}

static struct vma *fork_vma(struct as *dst, struct vma *v)
{
	struct vma *copy = vma_create(dst, v->start, v->end, v->flags & ~(u32)VMA_LOCKED);

	if (!copy)
		return NULL;
	copy->pgoff = v->pgoff;
	vma_share_object(copy, v);
	vma_insert(copy);
	return copy;
}

/* What /proc and limits know of the parent. */
static void fork_copy_fields(struct as *dst, const struct as *src)
{
	dst->mmap_base = src->mmap_base;
	dst->hole_hint = src->hole_hint;
	dst->hole_max = src->hole_max;
	dst->brk_start = src->brk_start;
	dst->brk = src->brk;
	dst->code_start = src->code_start;
	dst->code_end = src->code_end;
	dst->data_start = src->data_start;
	dst->data_end = src->data_end;
	dst->stack_start = src->stack_start;
	dst->arg_start = src->arg_start;
	dst->arg_end = src->arg_end;
	dst->env_start = src->env_start;
	dst->env_end = src->env_end;
	dst->env_secret = src->env_secret;
	dst->vdso = src->vdso;
	memcpy(dst->auxv, src->auxv, sizeof(dst->auxv));
	dst->exe = src->exe;
	if (dst->exe)
		file_get(dst->exe);
	dst->limit_as = src->limit_as;
	dst->limit_data = src->limit_data;
	dst->limit_stack = src->limit_stack;
	dst->limit_memlock = src->limit_memlock;
	dst->no_random = src->no_random;
	dst->no_huge = READ_ONCE(src->no_huge);
	dst->dumpable = src->dumpable;
}

static u32 fork_eager_budget(const struct as *src)
{
	s64 anon = READ_ONCE(src->rss_anon);

	return anon <= (s64)FORK_EAGER_PAGES && mm_plenty() ? FORK_EAGER_PAGES : 0;
}

struct as *as_fork(struct as *src, int *err)
{
	struct fork_state f = { .src = src, .dst = as_create_hidden() };
	int ret = 0;

	*err = -ENOMEM;
	if (!f.dst)
		return NULL;
	fork_copy_fields(f.dst, src);
	rwsem_write_lock(&src->lock);
	f.eager = fork_eager_budget(src);
	for (struct rb_node *n = rb_first(&src->vmas); n && !ret; n = rb_next(n)) {
		struct vma *v = rb_entry(n, struct vma, node);

		if (v->flags & VMA_DONTFORK)
			continue;
		if (!fork_vma(f.dst, v))
			ret = -ENOMEM;
		else if (!(v->flags & VMA_WIPEONFORK)) {
			if (!f.eager && (v->flags & VMA_GROWSDOWN) && mm_plenty())
				f.eager = FORK_STACK_PAGES;
			ret = fork_entries(&f, v);
		}
	}
	if (f.flush)
		tlb_flush(&src->pt, ~0UL, 0, USER_TOP);
	rwsem_write_unlock(&src->lock);
	if (ret) {
		as_put(f.dst);
		return NULL;
	}
	*err = 0;
	as_publish(f.dst);
	return f.dst;
}
