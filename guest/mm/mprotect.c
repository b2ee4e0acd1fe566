/* SPDX-License-Identifier: Apache-2.0 */
/* mprotect and mlock: changing what VMAs allow. */
#include <linux/capability.h>
#include <linux/mman.h>

#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/fault.h"
#include "mm/filemap_internal.h"
#include "task/task.h"

/* May an existing entry become writable without a fault? */
static bool protect_may_write(const struct vma *v, pte_t e)
{
	struct page *p = page_of(pte_pa(e));

	if (!(v->flags & VMA_WRITE) || !p)
		return false;
	if (v->flags & VMA_SHARED)
		return (pte_present(e) && pte_writable(e)) ||
		       (v->mapping && mapping_is_memory(v->mapping));
	return (p->flags & PG_ANON) && atomic_load(&p->ref.count) == 1;
}

/* Bring the entries of [start, end) inside v in line with its flags. True when a TLB may hold more rights than are left. */
static bool protect_entries(struct vma *v, uaddr_t start, uaddr_t end)
{
	struct as *as = v->as;
	bool flush = false;
	pte_t *slot;

	spin_lock(&as->pt_lock);
	while ((slot = pgt_walk_next(&as->pt, &start, end))) {
		uaddr_t stop = MIN(end, pte_table_end(start));

		for (; start < stop; start += PAGE_SIZE, slot++) {
			pte_t old = *slot, e;

			if (!old || pte_is_away(old))
				continue;
			e = fault_pte(v, pte_pa(old), protect_may_write(v, old));
			if (e == old)
				continue;
			*slot = e;
			if (pte_present(old) && old != fault_pte(v, pte_pa(old), false))
				flush = true;
		}
	}
	spin_unlock(&as->pt_lock);
	return flush;
}

/* How far [start, end) may be given new rights: the end, *ret = 0; or where it stops and why. */
static uaddr_t protect_scan(struct as *as, uaddr_t start, uaddr_t end, u32 rights, int *ret)
{
	uaddr_t at = start;

	*ret = 0;
	for (struct vma *v = as_find_vma(as, start); v && v->start < end; v = vma_next(v)) {
		u32 may = (v->flags / VMA_MAYREAD) & VMA_PROT_MASK;
		u64 pages = (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;

		if (v->start > at)
			break;
		if ((rights & ~may) || ((v->flags & VMA_SPECIAL) && (rights & VMA_WRITE)))
			*ret = -EACCES;
		else if ((rights & VMA_WRITE) && !(v->flags & (VMA_WRITE | VMA_SHARED)) &&
			 as->data_vm + pages > as->limit_data >> PAGE_SHIFT)
			*ret = -ENOMEM;
		if (*ret)
			return at;
		at = v->end;
	}
	if (at < end)
		*ret = -ENOMEM;
	return MIN(at, end);
}

/* as->lock held for writing. */
static int protect_locked(
	struct as *as, uaddr_t start, uaddr_t end, u32 rights, struct list_head *dead)
{
	bool flush = false;
	int ret, err;

	end = protect_scan(as, start, end, rights, &ret);
	if (end <= start)
		return ret;
	err = vma_change_flags(as, start, end, rights, VMA_PROT_MASK & ~rights, dead);
	if (err)
		return err;
	for (struct vma *v = as_find_vma(as, start); v && v->start < end; v = vma_next(v))
		flush |= protect_entries(v, MAX(v->start, start), MIN(v->end, end));
	if (flush)
		tlb_flush(&as->pt, ~0UL, start, end);
	return ret;
}

int as_mprotect(struct as *as, uaddr_t start, u64 len, u32 prot)
{
	struct list_head dead;
	struct vma *v;
	uaddr_t end;
	int ret;

	len = len ? page_align_len(len) : 0;
	if (start & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!len)
		return 0;
	if (__builtin_add_overflow(start, len, &end) || end > USER_TOP)
		return -ENOMEM;
	if (prot & ~(u32)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN))
		return -EINVAL;
	list_init(&dead);
	rwsem_write_lock(&as->lock);
	if (prot & PROT_GROWSDOWN) {
		v = vma_find_exact(as, start);
		if (v && (v->flags & VMA_GROWSDOWN))
			start = v->start;
		else
			v = NULL;
		ret = v ? 0 : -EINVAL;
	} else {
		ret = 0;
	}
	if (!ret)
		ret = protect_locked(as, start, end, vma_flags_from_prot(prot), &dead);
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	return ret;
}

/* ---- locking: present now, not written out, and an account ---- */

static u64 lock_new_pages(struct as *as, uaddr_t start, uaddr_t end)
{
	u64 pages = 0;

	for (struct vma *v = as_find_vma(as, start); v && v->start < end; v = vma_next(v)) {
		if (!(v->flags & VMA_LOCKED))
			pages += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	}
	return pages;
}

/* Present for the kinds of access that the VMA allows; what cannot be had is left out, as Linux does. */
static void lock_populate(struct as *as, uaddr_t start, uaddr_t end)
{
	while (start < end) {
		uaddr_t stop;
		bool write, any;
		struct vma *v;

		rwsem_read_lock(&as->lock);
		v = as_find_vma(as, start);
		if (!v || v->start >= end) {
			rwsem_read_unlock(&as->lock);
			return;
		}
		start = MAX(start, v->start);
		stop = MIN(end, v->end);
		write = (v->flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE;
		any = v->flags & VMA_PROT_MASK;
		rwsem_read_unlock(&as->lock);
		if (any)
			(void)as_populate(as, start, stop - start, write);
		start = stop;
	}
}

int as_mlock(struct as *as, uaddr_t start, u64 len, enum as_lock how)
{
	bool on = how != AS_UNLOCK;
	struct list_head dead;
	uaddr_t end;
	int ret = 0;

	if (__builtin_add_overflow(start, len, &end) || end > USER_TOP)
		return -ENOMEM;
	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	if (start == end)
		return 0;
	list_init(&dead);
	rwsem_write_lock(&as->lock);
	if (on) {
		u64 pages = as->locked_vm + lock_new_pages(as, start, end);

		if (pages > as->limit_memlock >> PAGE_SHIFT && !capable(CAP_IPC_LOCK))
			ret = as->limit_memlock ? -ENOMEM : -EPERM;
	}
	if (!ret)
		ret = vma_change_flags(
			as, start, end, on ? VMA_LOCKED : 0, on ? 0 : VMA_LOCKED, &dead);
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	if (!ret && how == AS_LOCK)
		lock_populate(as, start, end);
	return ret;
}

int as_mlockall(struct as *as, bool current, bool future, enum as_lock how)
{
	bool on = how != AS_UNLOCK;
	struct list_head dead;
	int ret = 0;

	list_init(&dead);
	rwsem_write_lock(&as->lock);
	if (on && current && as->total_vm > as->limit_memlock >> PAGE_SHIFT &&
		!capable(CAP_IPC_LOCK))
		ret = as->limit_memlock ? -ENOMEM : -EPERM;
	if (!ret) {
		as->def_flags = on && future ? VMA_LOCKED : 0;
		/* holes are no error here */
		if (!on || current)
			(void)vma_change_flags(as, MMAP_MIN_ADDR, USER_TOP, on ? VMA_LOCKED : 0,
				on ? 0 : VMA_LOCKED, &dead);
	}
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	if (!ret && how == AS_LOCK && current)
		lock_populate(as, MMAP_MIN_ADDR, USER_TOP);
	return ret;
}
