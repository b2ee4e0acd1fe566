/* SPDX-License-Identifier: Apache-2.0 */
/* mremap: growing, shrinking and moving a mapping with its pages; duplicating one of a shared object. */
#include <linux/capability.h>
#include <linux/mman.h>

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/shm.h"
#include "task/task.h"

struct remap {
	struct as *as;
	uaddr_t old, target; /* target: where to (MREMAP_FIXED) */
	u64 old_len, new_len; /* page-aligned */
	u32 flags; /* MREMAP_* */
};

/* Move the entries of one page table's worth. Both VMAs are linked: who walks the mapping's list holds its lock, and so sees each page
 * in one of the two places. */
static int remap_chunk(struct vma *v, uaddr_t from, uaddr_t to, uaddr_t end)
{
	pte_t *src = pgt_walk(&v->as->pt, from, false);
	pte_t *dst = src ? pgt_walk(&v->as->pt, to, true) : NULL;
	u64 n = (end - from) >> PAGE_SHIFT;

	if (!src)
		return 0;
	if (!dst)
		return -ENOMEM;
	if (v->mapping)
		spin_lock(&v->mapping->lock);
	spin_lock(&v->as->pt_lock);
	for (u64 i = 0; i < n; i++) {
		dst[i] = src[i];
		src[i] = 0;
	}
	spin_unlock(&v->as->pt_lock);
	if (v->mapping)
		spin_unlock(&v->mapping->lock);
	return 0;
}

/* Pages that could not be moved for want of page tables are lost to the new place only when nothing was there: so fail before. */
static int remap_tables(struct as *as, uaddr_t from, uaddr_t to, u64 len)
{
	uaddr_t va = from, end = from + len;

	while (pgt_walk_next(&as->pt, &va, end)) {
		uaddr_t stop = MIN(end, pte_table_end(va));

		if (!pgt_walk(&as->pt, to + (va - from), true) ||
			!pgt_walk(&as->pt, to + (stop - from) - PAGE_SIZE, true))
			return -ENOMEM;
		va = stop;
	}
	return 0;
}

static void remap_entries(struct vma *v, uaddr_t to, u64 len)
{
	uaddr_t va = v->start, end = v->start + len;

	while (pgt_walk_next(&v->as->pt, &va, end)) {
		uaddr_t stop = MIN(end, pte_table_end(va)), there = to + (va - v->start);

		/* the tables are there, so this cannot fail */
		stop = MIN(stop, va + (pte_table_end(there) - there));
		(void)remap_chunk(v, va, there, stop);
		va = stop;
	}
	tlb_flush(&v->as->pt, ~0UL, v->start, end);
}

/* v spans exactly the old range. Address or -errno. */
static s64 remap_move(struct remap *r, struct vma *v, struct list_head *dead)
{
	struct as *as = r->as;
	s64 to = r->flags & MREMAP_FIXED
			 ? (s64)r->target
			 : vma_find_hole(as, r->new_len, MMAP_MIN_ADDR, as->mmap_base);
	u64 keep = MIN(r->old_len, r->new_len);
	struct vma *moved;
	int ret;

	if (to < 0)
		return to;
	if (as->nvmas >= READ_ONCE(as_max_vmas))
		return -ENOMEM;
	ret = remap_tables(as, v->start, (uaddr_t)to, keep);
	if (ret)
		return ret;
	moved = vma_create(as, (uaddr_t)to, (uaddr_t)to + r->new_len, v->flags);
	if (!moved)
		return -ENOMEM;
	moved->pgoff = v->pgoff;
	vma_share_object(moved, v);
	vma_insert(moved);
	remap_entries(v, (uaddr_t)to, keep);
	if (!(r->flags & MREMAP_DONTUNMAP))
		ret = as_unmap_locked(
			as, v->start, v->end, dead); /* whole VMA: nothing to allocate */
	vma_merge(moved, dead);
	if (r->flags & MREMAP_DONTUNMAP)
		ret = vma_change_flags(as, r->old, r->old + r->old_len, 0, VMA_LOCKED, dead);
	return ret ? ret : to;
}

/* Length 0: the same pages of a shared object once more, from `old` on. v is what is mapped there. */
static s64 remap_duplicate(struct remap *r, struct vma *v, struct list_head *dead)
{
	u64 skip = (r->old - v->start) >> PAGE_SHIFT;
	s64 to = r->flags & MREMAP_FIXED
			 ? (s64)r->target
			 : vma_find_hole(r->as, r->new_len, MMAP_MIN_ADDR, r->as->mmap_base);
	struct vma *copy;

	if (to < 0)
		return to;
	if (r->as->nvmas >= READ_ONCE(as_max_vmas))
		return -ENOMEM;
	copy = vma_create(r->as, (uaddr_t)to, (uaddr_t)to + r->new_len, v->flags);
	if (!copy)
		return -ENOMEM;
	copy->pgoff = v->pgoff + skip;
	vma_share_object(copy, v);
	vma_insert(copy);
	vma_merge(copy, dead);
	return to;
}

static bool remap_may_grow(struct remap *r, struct vma *v)
{
	u64 more = r->new_len > r->old_len ? r->new_len - r->old_len : 0;

	if (r->flags & MREMAP_DONTUNMAP)
		more = r->new_len;

	if ((v->flags & VMA_LOCKED) && !capable(CAP_IPC_LOCK) &&
		(r->as->locked_vm << PAGE_SHIFT) + more > r->as->limit_memlock)
		return false;
	return as_may_expand(r->as, more >> PAGE_SHIFT, v->flags);
}

/* as->lock held for writing. */
static s64 remap_locked(struct remap *r, struct list_head *dead)
{
	struct as *as = r->as;
	struct vma *v = vma_find_exact(as, r->old);
	uaddr_t old_end = r->old + r->old_len;
	int ret;

	if (!v)
		return -EFAULT;
	if (r->flags & MREMAP_FIXED) {
		ret = as_unmap_locked(as, r->target, r->target + r->new_len, dead);
		if (ret)
			return ret;
		v = vma_find_exact(as, r->old); /* it may have been one with the target */
	}
	if (r->old_len > r->new_len) {
		ret = as_unmap_locked(as, r->old + r->new_len, old_end, dead);
		if (ret)
			return ret;
		r->old_len = r->new_len;
		old_end = r->old + r->old_len;
		v = vma_find_exact(as, r->old);
	}
	if (r->old_len == r->new_len && !(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return (s64)r->old;
	if (!v || v->end < old_end)
		return -EFAULT;
	if (!r->old_len && !(v->flags & VMA_SHARED))
		return -EINVAL;
	/* The vDSO moves as a whole. */
	if ((v->flags & VMA_SPECIAL) && (r->new_len != r->old_len || v->start != r->old ||
						v->end != old_end || (r->flags & MREMAP_DONTUNMAP)))
		return -EINVAL;
	if (!remap_may_grow(r, v))
		return (v->flags & VMA_LOCKED) ? -EAGAIN : -ENOMEM;
	if (!r->old_len)
		return r->flags & MREMAP_MAYMOVE ? remap_duplicate(r, v, dead) : -ENOMEM;
	if (!(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && v->end == old_end &&
		r->old <= USER_TOP - r->new_len &&
		vma_room_free(as, old_end, r->old + r->new_len)) {
		vma_resize(v, v->start, r->old + r->new_len);
		vma_merge(v, dead);
		return (s64)r->old;
	}
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	ret = vma_isolate(as, r->old, old_end);
	v = ret ? NULL : vma_find_exact(as, r->old);
	return ret ? ret : remap_move(r, v, dead);
}

s64 as_mremap(struct as *as, uaddr_t old, u64 old_len, u64 new_len, u32 flags, uaddr_t new_addr)
{
	struct remap r = { .as = as, .old = old, .target = new_addr, .flags = flags };
	struct list_head dead;
	bool locked = false;
	s64 ret;

	r.old_len = page_align_len(old_len);
	r.new_len = page_align_len(new_len);
	if ((flags & MREMAP_DONTUNMAP) && (!(flags & MREMAP_MAYMOVE) || r.old_len != r.new_len))
		return -EINVAL;
	if ((flags & ~(u32)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
		(old & (PAGE_SIZE - 1)) || (old_len && !r.old_len) || !r.new_len ||
		r.new_len > USER_TOP || r.old_len > USER_TOP)
		return -EINVAL;
	if (old > USER_TOP - r.old_len)
		return -EFAULT;
	if (flags & MREMAP_FIXED) {
		if (!(flags & MREMAP_MAYMOVE) || (new_addr & (PAGE_SIZE - 1)) ||
			new_addr > USER_TOP - r.new_len)
			return -EINVAL;
		if (new_addr < MMAP_MIN_ADDR)
			return -EPERM;
		if (old < new_addr + r.new_len && new_addr < old + r.old_len)
			return -EINVAL;
	}
	list_init(&dead);
	rwsem_write_lock(&as->lock);
	ret = remap_locked(&r, &dead);
	if (ret >= 0) {
		struct vma *v = vma_find_exact(as, (uaddr_t)ret);

		locked = v && (v->flags & VMA_LOCKED);
	}
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	if (locked && r.new_len > r.old_len)
		(void)as_populate(as, (uaddr_t)ret + r.old_len, r.new_len - r.old_len, true);
	return ret;
}
