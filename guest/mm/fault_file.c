/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults on memory with something behind it: files through the page cache, shared memory, devices.
 *
 * Entries of a shared writable file mapping become writable only by a write fault, which marks the page dirty after the entry stands: write-back
 * write-protects, and either sees the entry or meets the mark. Memory without backing is never cleaned, so it is mapped writable at once.
 */
#include "mm/fault.h"

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"

static u64 fault_index(const struct vma *v, uaddr_t addr)
{
	return v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
}

static bool fault_beyond_end(const struct mapping *m, u64 index)
{
	return index >= (mapping_size(m) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static int fault_errno(int ret)
{
	return ret == -ENOMEM ? -ENOMEM : ret ? -EIO : 0;
}

/* Enter a page of the cache. False: the slot is taken, or truncation was faster. Uses up the caller's reference when true. pt_lock held. */
static bool fault_map_cached(struct fault *f, pte_t *slot, struct page *p, bool write)
{
	if (*slot)
		return false;
	pte_account(f->as, p, 1);
	/* pairs with truncate_page: it clears p->mapping first and then looks at mapcount */
	atomic_fence();
	if (atomic_load(&p->mapping) != f->vma->mapping) {
		pte_account(f->as, p, -1);
		return false;
	}
	*slot = fault_pte(f->vma, page_pa(p), write);
	return true;
}

/* Map n pages from start on; entries of pages[] that were used become NULL, the others are put. */
static void fault_map_pages(struct fault *f, pte_t *slot, struct page **pages, u32 n, bool write)
{
	spin_lock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		if (pages[i] && fault_map_cached(f, &slot[i], pages[i], write))
			pages[i] = NULL;
	}
	spin_unlock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		if (pages[i])
			page_put(pages[i]);
	}
}

/* Memory without backing: make the pages ahead of a sequential toucher. */
static void fault_fill_ahead(struct fault *f)
{
	uaddr_t start;
	u32 n = fault_window(f, &start);

	for (u32 i = 0; i < n; i++) {
		u64 index = fault_index(f->vma, start) + i;
		struct page *p;

		if (fault_beyond_end(f->vma->mapping, index) ||
			mapping_get_page(f->vma->mapping, index, &p))
			break;
		page_put(p);
	}
}

/*
 * A missing page of a private mapping is read together with its neighbours: a request costs more than what it carries. A program goes everywhere in
 * its text, so there it is all that a fault maps; elsewhere a block as Linux reads it.
 */
static void fault_read_block(const struct fault *f)
{
	struct mapping *m = f->vma->mapping;
	bool text = f->vma->flags & VMA_EXEC;
	uaddr_t start;
	u32 n;

	if ((!text && (f->vma->flags & VMA_SHARED)) || !mm_plenty() ||
		mapping_has_page(m, fault_index(f->vma, f->addr)))
		return;
	start = fault_block(f, text ? FAULT_AROUND : FAULT_READ, &n);
	mapping_read_ahead(m, fault_index(f->vma, start), n);
}

/* Read faults, and write faults on shared mappings. */
static int fault_shared(struct fault *f)
{
	struct mapping *m = f->vma->mapping;
	bool memory = mapping_is_memory(m);
	bool write = f->vma->flags & VMA_SHARED && (memory || (f->access & FAULT_WRITE));
	struct page *pages[FAULT_AROUND], *p;
	u32 n, around = write && !memory ? 1 : FAULT_AROUND;
	uaddr_t start = fault_block(f, around, &n);
	pte_t *slot;
	int ret;

	if (memory && (f->vma->flags & VMA_SHARED) && mm_plenty())
		fault_fill_ahead(f);
	fault_read_block(f);
	ret = mapping_get_page(m, fault_index(f->vma, f->addr), &p);
	if (ret)
		return fault_errno(ret);
	slot = pgt_walk(&f->as->pt, start, true);
	if (!slot) {
		page_put(p);
		return -ENOMEM;
	}
	atomic_or(&p->flags, PG_REFERENCED);
	mapping_find_pages(m, fault_index(f->vma, start), n, pages);
	for (u32 i = 0; i < n; i++) {
		if (pages[i] && fault_beyond_end(m, fault_index(f->vma, start) + i)) {
			page_put(pages[i]);
			pages[i] = NULL;
		}
	}
	fault_map_pages(f, slot, pages, n, write);
	if (write)
		mapping_set_dirty(m, p);
	page_put(p);
	return 0;
}

/* Copies of cached pages for a private mapping that is written to: the one asked for and its neighbours that are at hand. */
static int fault_private_write(struct fault *f)
{
	struct mapping *m = f->vma->mapping;
	struct page *pages[FAULT_COW_BLOCK], *copies[FAULT_COW_BLOCK] = { NULL };
	struct page *p;
	u32 n, asked;
	uaddr_t start = fault_block(f, mm_plenty() ? FAULT_COW_BLOCK : 1, &n);
	pte_t *slot;
	int ret;

	fault_read_block(f);
	ret = mapping_get_page(m, fault_index(f->vma, f->addr), &p);
	if (ret)
		return fault_errno(ret);
	asked = (u32)((f->addr - start) >> PAGE_SHIFT);
	mapping_find_pages(m, fault_index(f->vma, start), n, pages);
	if (pages[asked])
		page_put(pages[asked]);
	pages[asked] = p;
	slot = pgt_walk(&f->as->pt, start, true);
	ret = slot ? 0 : -ENOMEM;
	for (u32 i = 0; i < n && !ret; i++) {
		if (!pages[i] || atomic_load(&slot[i]))
			continue;
		copies[i] = i == asked ? mm_alloc_page(0) : mm_try_page(0);
		if (copies[i])
			memcpy(page_va(copies[i]), page_va(pages[i]), PAGE_SIZE);
		else if (i == asked)
			ret = -ENOMEM;
	}
	spin_lock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		if (!copies[i] || slot[i] || fault_beyond_end(m, fault_index(f->vma, start) + i))
			continue;
		fault_own_page(copies[i]);
		pte_account(f->as, copies[i], 1);
		slot[i] = fault_pte(f->vma, page_pa(copies[i]), true);
		copies[i] = NULL;
	}
	spin_unlock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		if (copies[i])
			page_put(copies[i]);
		if (pages[i])
			page_put(pages[i]);
	}
	return ret;
}

/* A device that hands out pages of its own. */
static int fault_device(struct fault *f)
{
	struct file *file = f->vma->file;
	bool copy = (f->access & FAULT_WRITE) && !(f->vma->flags & VMA_SHARED);
	struct page *p, *mine;
	pte_t *slot;
	int ret;

	if (!file->ops->fault)
		return -EIO;
	ret = file->ops->fault(file, fault_index(f->vma, f->addr), &p);
	if (ret)
		return fault_errno(ret);
	slot = pgt_walk(&f->as->pt, f->addr, true);
	mine = copy ? mm_alloc_page(0) : p;
	if (!slot || !mine) {
		page_put(p);
		if (mine && copy)
			page_put(mine);
		return -ENOMEM;
	}
	if (copy) {
		memcpy(page_va(mine), page_va(p), PAGE_SIZE);
		fault_own_page(mine);
		page_put(p);
	}
	spin_lock(&f->as->pt_lock);
	if (!*slot) {
		pte_account(f->as, mine, 1);
		*slot = fault_pte(f->vma, page_pa(mine), copy || (f->vma->flags & VMA_SHARED));
		mine = NULL;
	}
	spin_unlock(&f->as->pt_lock);
	if (mine)
		page_put(mine);
	return 0;
}

int fault_file(struct fault *f)
{
	if (!f->vma->mapping)
		return fault_device(f);
	if (fault_beyond_end(f->vma->mapping, fault_index(f->vma, f->addr)))
		return -EIO;
	if ((f->access & FAULT_WRITE) && !(f->vma->flags & VMA_SHARED))
		return fault_private_write(f);
	return fault_shared(f);
}
