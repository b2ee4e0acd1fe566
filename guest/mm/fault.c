/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page faults: the entry, and anonymous memory.
 *
 * On the slower backend a fault costs about 9 us plus 7.5 us for a new entry, but only 1.2 us a page when entries are written in a batch, marked
 * accessed and dirty. So every fault maps more than it was asked for, as long as memory is plentiful: a block around the address, and a
 * growing run ahead of a sequential toucher. Not in an address space that has asked mincore: it would see them.
 */
#include "mm/fault.h"

#include "cgroup/cgroup.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "task/task.h"

#define FAULT_BLOCK 4u /* anonymous pages mapped by a fault without history */
#define FAULT_RUN   16u /* longest run in a VMA of ordinary size */

u32 vma_pte_prot(const struct vma *v)
{
	return (v->flags & VMA_WRITE ? PTE_W : 0) | (v->flags & VMA_EXEC ? PTE_X : 0);
}

pte_t fault_pte(const struct vma *v, paddr_t pa, bool write)
{
	u32 prot = vma_pte_prot(v);
	pte_t e = pte_touched(pte_make(pa, write ? prot : prot & ~(u32)PTE_W));

	return v->flags & VMA_PROT_MASK ? e : pte_hide(e);
}

bool fault_may_write(pte_t e)
{
	struct page *p = page_of(pte_pa(e));

	return (pte_present(e) && pte_writable(e)) ||
	       (p && (p->flags & PG_ANON) && atomic_load(&p->ref.count) == 1);
}

void fault_own_page(struct page *p)
{
	p->flags = PG_ANON;
	page_account(PAGE_ANON, 1);
	memcg_account(p, MEMCG_ANON, 1);
}

static struct page *zero_page_ptr;

struct page *zero_page(void)
{
	struct page *p = atomic_load(&zero_page_ptr), *none = NULL;

	if (p)
		return p;
	p = page_alloc(0, GFP_ZERO);
	if (!p)
		return NULL;
	p->flags = PG_RESERVED;
	if (!atomic_cas(&zero_page_ptr, &none, p)) {
		p->flags = 0;
		page_free(p, 0);
		p = none;
	}
	return p;
}

/* ---- how much to map ---- */

uaddr_t fault_block(const struct fault *f, u32 n, u32 *count)
{
	u64 bytes = n * PAGE_SIZE;
	uaddr_t start = MAX(ALIGN_DOWN(f->addr, bytes), f->vma->start);
	uaddr_t end = MIN(ALIGN_DOWN(f->addr, bytes) + bytes, f->vma->end);

	*count = (u32)((end - start) >> PAGE_SHIFT);
	return start;
}

u32 fault_window(struct fault *f, uaddr_t *start)
{
	struct vma *v = f->vma;
	u64 left = (MIN(v->end, pte_table_end(f->addr)) - f->addr) >> PAGE_SHIFT;
	u64 longest = MIN(MAX((v->end - v->start) >> (PAGE_SHIFT + 4), FAULT_RUN), FAULT_MAX);
	u32 n;

	*start = f->addr;
	if (!mm_plenty() || READ_ONCE(f->as->exact))
		return 1;
	if (READ_ONCE(v->fault_next) == f->addr) {
		n = (u32)MIN(MIN(READ_ONCE(v->fault_pages) * 2UL, longest), left);
		n = MAX(n, 1);
	} else {
		*start = fault_block(f, FAULT_BLOCK, &n);
	}
	WRITE_ONCE(v->fault_pages, n);
	WRITE_ONCE(v->fault_next, *start + n * PAGE_SIZE);
	return n;
}

/* ---- anonymous memory ---- */

/* Nothing to write to: all read the same zeroes. */
static int fault_anon_zero(struct fault *f, uaddr_t start, u32 n)
{
	struct page *z = zero_page();
	pte_t *slot = pgt_walk(&f->as->pt, start, true);

	if (!z || !slot)
		return -ENOMEM;
	spin_lock(&f->as->pt_lock);
	for (u32 i = 0; i < n; i++) {
		if (!slot[i])
			slot[i] = fault_pte(f->vma, page_pa(z), false);
	}
	spin_unlock(&f->as->pt_lock);
	return 0;
}

/* Put fresh pages into the empty slots of a window; `first` belongs to f->addr. pt_lock held. */
static void fault_anon_fill(struct fault *f, pte_t *slot, uaddr_t start, u32 n, struct page **first)
{
	for (u32 i = 0; i < n; i++) {
		bool asked = start + i * PAGE_SIZE == f->addr;
		struct page *p;

		if (slot[i])
			continue;
		p = asked ? *first : mm_try_page(GFP_ZERO);
		if (!p)
			continue;
		if (asked)
			*first = NULL;
		fault_own_page(p);
		pte_account(f->as, p, 1);
		slot[i] = fault_pte(f->vma, page_pa(p), true);
	}
}

int fault_anon(struct fault *f)
{
	uaddr_t start;
	u32 n = fault_window(f, &start);
	struct page *first;
	pte_t *slot;

	/* a read allocates too when there is room: a write mostly follows, and would be a second fault */
	if (!(f->access & FAULT_WRITE) && (!(f->vma->flags & VMA_WRITE) || !mm_plenty()))
		return fault_anon_zero(f, start, n);
	first = mm_alloc_page(GFP_ZERO);
	slot = pgt_walk(&f->as->pt, start, true);
	if (!first || !slot) {
		if (first)
			page_put(first);
		return -ENOMEM;
	}
	spin_lock(&f->as->pt_lock);
	fault_anon_fill(f, slot, start, n, &first);
	spin_unlock(&f->as->pt_lock);
	if (first)
		page_put(first);
	return 0;
}

/* ---- entry ---- */

static int fault_check(const struct vma *v, u32 access)
{
	u32 need = VMA_PROT_MASK;

	if (access & FAULT_FORCE) {
		if (access & FAULT_WRITE)
			return v->flags & VMA_WRITE					  ? 0
			       : (v->flags & (VMA_SHARED | VMA_MAYWRITE)) == VMA_MAYWRITE ? 0
											  : -EACCES;
		return v->flags & VMA_MAYREAD ? 0 : -EACCES;
	}
	if (access & FAULT_WRITE)
		need = VMA_WRITE;
	else if (access & FAULT_EXEC)
		need = VMA_EXEC;
	return v->flags & need ? 0 : -EACCES;
}

static int fault_resolve(struct fault *f)
{
	const pte_t *slot = pgt_look(&f->as->pt, f->addr);
	pte_t e = slot ? atomic_load(slot) : 0;

	if (pte_is_away(e))
		return swap_fault(f->vma, f->addr, e);
	if (e && (f->access & FAULT_WRITE) && !(pte_present(e) && pte_writable(e)))
		return fault_write_protected(f, e);
	if (e)
		return 0; /* somebody was faster, or the hardware remembered an older entry */
	if (f->vma->flags & VMA_SPECIAL)
		return -EIO;
	return f->vma->file || f->vma->shm ? fault_file(f) : fault_anon(f);
}

/* addr lies below a VMA: a stack grows. as->lock not held. 0 = look again. */
static int fault_grow(struct as *as, uaddr_t addr)
{
	struct vma *v;
	int ret = -EFAULT;

	rwsem_write_lock(&as->lock);
	v = as_find_vma(as, addr);
	if (v && v->start <= addr)
		ret = 0;
	else if (v && (v->flags & VMA_GROWSDOWN))
		ret = vma_grow_stack(v, addr);
	rwsem_write_unlock(&as->lock);
	return ret;
}

/* Find the VMA of f->addr and lock it (as->lock for reading). 0, or not locked. */
static int fault_lock_vma(struct fault *f)
{
	for (;;) {
		int ret;

		rwsem_read_lock(&f->as->lock);
		f->vma = as_find_vma(f->as, f->addr);
		if (f->vma && f->vma->start <= f->addr)
			return 0;
		rwsem_read_unlock(&f->as->lock);
		ret = f->vma ? fault_grow(f->as, f->addr) : -EFAULT;
		if (ret)
			return ret == -ENOMEM ? -EFAULT : ret;
	}
}

int mm_fault(struct as *as, uaddr_t addr, u32 access)
{
	struct fault f = { .as = as, .addr = ALIGN_DOWN(addr, PAGE_SIZE), .access = access };
	struct task *t = task_current();
	int ret;

	if (!as || addr >= USER_TOP)
		return -EFAULT;
	if (t && t->as == as)
		t->min_flt++;
	ret = fault_lock_vma(&f);
	if (ret)
		return ret;
	ret = fault_check(f.vma, access);
	if (!ret && fault_wants_large(&f)) {
		rwsem_read_unlock(&as->lock);
		if (fault_large(as, f.addr))
			return 0;
		ret = fault_lock_vma(&f);
		if (ret)
			return ret;
		ret = fault_check(f.vma, access);
	}
	if (!ret)
		ret = fault_resolve(&f);
	rwsem_read_unlock(&as->lock);
	return ret;
}
