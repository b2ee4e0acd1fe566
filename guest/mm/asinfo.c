/* SPDX-License-Identifier: Apache-2.0 */
/* What others want to know about an address space: futex keys and /proc. */
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/shm.h"
#include "mm/fault.h"
#include "mm/swap.h"

int as_futex_key(struct as *as, uaddr_t addr, bool shared, struct futex_key *key)
{
	struct vma *v;
	int ret = 0;

	if ((addr & 3) || addr >= USER_TOP)
		return addr & 3 ? -EINVAL : -EFAULT;
	key->object = as;
	key->offset = addr;
	if (!shared)
		return 0;
	rwsem_read_lock(&as->lock);
	v = vma_find_exact(as, addr);
	if (!v || !(v->flags & VMA_PROT_MASK)) {
		ret = -EFAULT;
	} else if ((v->flags & VMA_SHARED) && v->mapping) {
		key->object = v->mapping;
		key->offset = (v->pgoff << PAGE_SHIFT) + (addr - v->start);
		if (key->offset >= ALIGN_UP(mapping_size(v->mapping), PAGE_SIZE))
			ret = -EFAULT; /* beyond the end of the file */
	}
	rwsem_read_unlock(&as->lock);
	return ret;
}

static void vma_stats_entry(const struct vma *v, pte_t e, struct vma_stats *s)
{
	struct page *p = page_of(pte_pa(e));
	bool many;

	s->swap += pte_is_away(e);
	if (!p || (p->flags & PG_RESERVED))
		return;
	many = READ_ONCE(p->mapcount) > 1;
	s->mapmax = MAX(s->mapmax, (u32)READ_ONCE(p->mapcount));
	s->rss++;
	s->referenced += pte_accessed(e);
	s->anon += !!(p->flags & PG_ANON);
	if ((p->flags & (PG_ANON | PG_DIRTY | PG_SHMEM)) || (v->flags & VMA_WRITE && pte_dirty(e)))
		*(many ? &s->shared_dirty : &s->private_dirty) += 1;
	else
		*(many ? &s->shared_clean : &s->private_clean) += 1;
}

void vma_stats(struct vma *v, struct vma_stats *s)
{
	uaddr_t va = v->start;
	const pte_t *slot;

	*s = (struct vma_stats){ .rss = 0 };
	spin_lock(&v->as->pt_lock);
	while ((slot = pgt_look_next(&v->as->pt, &va, v->end))) {
		uaddr_t stop = MIN(v->end, pte_table_end(va));

		if (pgt_is_large(&v->as->pt, va))
			s->huge += (stop - va) >> PAGE_SHIFT;
		for (; va < stop; va += PAGE_SIZE, slot++) {
			if (*slot)
				vma_stats_entry(v, *slot, s);
		}
	}
	spin_unlock(&v->as->pt_lock);
	s->locked = v->flags & VMA_LOCKED ? s->rss : 0;
}

void as_page_place(struct as *as, uaddr_t addr, struct page_place *out)
{
	const pte_t *slot;

	*out = (struct page_place){ .there = false };
	spin_lock(&as->pt_lock);
	slot = pgt_look(&as->pt, addr);
	if (slot && pte_is_away(*slot)) {
		out->out = true;
		out->area = swap_area_of(*slot);
		out->slot = swap_slot_of(*slot);
	} else if (slot && *slot) {
		struct page *p = page_of(pte_pa(*slot));
		bool counted = p && !(p->flags & PG_RESERVED);

		out->there = true;
		out->pa = pte_pa(*slot);
		out->file = counted && !(p->flags & PG_ANON);
		out->alone = counted && READ_ONCE(p->mapcount) == 1;
	}
	spin_unlock(&as->pt_lock);
}

static void vma_clear_accessed(struct vma *v)
{
	uaddr_t va = v->start;
	pte_t *slot;

	spin_lock(&v->as->pt_lock);
	while ((slot = pgt_walk_next(&v->as->pt, &va, v->end))) {
		uaddr_t stop = MIN(v->end, pte_table_end(va));

		for (; va < stop; va += PAGE_SIZE, slot++)
			pte_forget_access(slot);
	}
	spin_unlock(&v->as->pt_lock);
}

void as_clear_accessed(struct as *as, bool anon, bool object)
{
	rwsem_write_lock(&as->lock);
	for (struct vma *v = as_find_vma(as, 0); v; v = vma_next(v)) {
		if (v->file || v->shm ? object : anon)
			vma_clear_accessed(v);
	}
	tlb_flush(&as->pt, ~0UL, 0, USER_TOP);
	rwsem_write_unlock(&as->lock);
}

void as_reset_peak(struct as *as)
{
	WRITE_ONCE(as->hiwater_rss, as_rss(as));
}

const char *vma_name(const struct vma *v)
{
	if (v->shm)
		return v->shm->name[0] ? v->shm->name : "/dev/zero (deleted)";
	if (v->file)
		return NULL;
	if (v->flags & VMA_VDSO)
		return "[vdso]";
	if (v->flags & VMA_VVAR)
		return "[vvar]";
	if (v->flags & VMA_STACK)
		return "[stack]";
	return v->flags & VMA_HEAP ? "[heap]" : NULL;
}
