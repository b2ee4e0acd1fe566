/* SPDX-License-Identifier: Apache-2.0 */
/* mmap, brk, stacks that grow, and pages that the kernel puts into a program. */
#include <linux/capability.h>
#include <linux/mman.h>

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/fault.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"
#include "mm/shm.h"
#include "mm/swap.h"
#include "task/task.h"

#define MAP_32BIT_LOW  0x40000000UL
#define MAP_32BIT_HIGH 0x80000000UL
#define STACK_STEP     (4 * PAGE_SIZE) /* a stack grows by aligned blocks of this size while it may */

struct map_request {
	struct as *as;
	uaddr_t hint;
	u64 len; /* page-aligned */
	u32 prot, flags; /* PROT_*, MAP_* */
	struct file *file; /* borrowed */
	struct shm *shm; /* borrowed */
	bool readonly; /* never to become writable */
	u64 pgoff;
};

u64 page_align_len(u64 len)
{
	u64 sum;

	return __builtin_add_overflow(len, PAGE_SIZE - 1, &sum) ? 0 : sum & PAGE_MASK;
}

u32 vma_flags_from_prot(u32 prot)
{
	return (prot & PROT_READ ? VMA_READ : 0) | (prot & PROT_WRITE ? VMA_WRITE : 0) |
	       (prot & PROT_EXEC ? VMA_EXEC : 0);
}

static bool map_is_fixed(u32 flags)
{
	return flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
}

/* ---- decisions ---- */

static s64 map_place(const struct map_request *r)
{
	struct as *as = r->as;
	uaddr_t low = MMAP_MIN_ADDR, high = as->mmap_base, at;
	s64 found;

	if (r->len > USER_TOP)
		return -ENOMEM;
	if (map_is_fixed(r->flags)) {
		if (r->hint & (PAGE_SIZE - 1))
			return -EINVAL;
		if (r->hint > USER_TOP - r->len)
			return -ENOMEM;
		return r->hint < MMAP_MIN_ADDR && !capable(CAP_SYS_RAWIO) ? -EPERM : (s64)r->hint;
	}
	at = MAX(ALIGN_DOWN(r->hint, PAGE_SIZE), MMAP_MIN_ADDR);
	if (r->hint && at <= USER_TOP - r->len && vma_room_free(as, at, at + r->len))
		return (s64)at;
	if (r->flags & MAP_32BIT) {
		low = MAP_32BIT_LOW;
		high = MAP_32BIT_HIGH;
	}
	found = vma_find_hole(as, r->len, low, high);
	if (found < 0 && !(r->flags & MAP_32BIT))
		found = vma_find_hole(as, r->len, as->mmap_base, USER_TOP);
	return found;
}

/* Rights that the file gives to the mapping: VMA_MAY* bits, or -errno. */
static s64 map_file_rights(const struct map_request *r)
{
	struct file *f = r->file;
	bool shared = r->flags & MAP_SHARED;
	s64 may = VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC;

	if (r->readonly)
		may &= ~(s64)VMA_MAYWRITE;
	if (!f)
		return may;
	if (!(f->mode & FMODE_READ))
		return -EACCES;
	if (!f->inode->mapping && !f->ops->fault && !f->ops->mmap)
		return -ENODEV;
	if (shared && !(f->mode & FMODE_WRITE)) {
		if (r->prot & PROT_WRITE)
			return -EACCES;
		may &= ~(s64)VMA_MAYWRITE;
	}
	if (shared && (r->prot & PROT_WRITE) && f->inode->swapfile)
		return -ETXTBSY;
	return may;
}

/* Refuse only what can never work, as the heuristic mode of Linux does: private memory larger than all RAM and swap, unless it reserves nothing. */
static bool map_overcommits(const struct map_request *r)
{
	struct page_stats s;
	struct swap_stats w;

	if ((r->flags & (MAP_NORESERVE | MAP_SHARED)) || !(r->prot & PROT_WRITE))
		return false;
	page_stats(&s);
	swap_stats(&w);
	return r->len >> PAGE_SHIFT > s.total + w.total;
}

static bool map_locks_too_much(const struct as *as, u64 bytes)
{
	return (as->locked_vm << PAGE_SHIFT) + bytes > as->limit_memlock && !capable(CAP_IPC_LOCK);
}

/* ---- the mapping itself ---- */

static int map_attach(struct vma *v, const struct map_request *r)
{
	if (r->shm) {
		shm_get(r->shm);
		v->shm = r->shm;
		v->mapping = &r->shm->mapping;
	} else if (r->file) {
		file_get(r->file);
		v->file = r->file;
		v->mapping = r->file->inode->mapping;
		if (r->file->ops->mmap)
			return r->file->ops->mmap(r->file, v);
	}
	return 0;
}

/* as->lock held for writing. Address or -errno; *dead gets what was replaced. */
static s64 map_locked(const struct map_request *r, u32 vma_flags, struct list_head *dead)
{
	struct as *as = r->as;
	s64 at = map_place(r);
	struct vma *v;
	int ret;

	if (at < 0)
		return at;
	if ((r->flags & MAP_FIXED_NOREPLACE) &&
		!vma_range_free(as, (uaddr_t)at, (uaddr_t)at + r->len))
		return -EEXIST;
	if (as->nvmas >= READ_ONCE(as_max_vmas) ||
		!as_may_expand(as, r->len >> PAGE_SHIFT, vma_flags))
		return -ENOMEM;
	v = vma_create(as, (uaddr_t)at, (uaddr_t)at + r->len, vma_flags);
	if (!v)
		return -ENOMEM;
	v->pgoff = r->file || r->shm ? r->pgoff : 0;
	ret = map_attach(v, r);
	if (!ret)
		ret = as_unmap_locked(as, v->start, v->end, dead);
	if (ret) {
		/* not linked anywhere yet: dropped with the rest after unlocking */
		list_add_tail(dead, &v->map_link);
		return ret;
	}
	vma_insert(v);
	vma_merge(v, dead);
	return at;
}

static s64 map_run(struct map_request *r)
{
	struct list_head dead;
	u32 vma_flags = vma_flags_from_prot(r->prot) | r->as->def_flags;
	s64 may = map_file_rights(r), at;
	bool populate;

	if (may < 0)
		return may;
	vma_flags |= (u32)may;
	if (r->flags & MAP_SHARED)
		vma_flags |= VMA_SHARED;
	if (r->flags & MAP_NORESERVE)
		vma_flags |= VMA_NORESERVE;
	if (r->flags & MAP_LOCKED)
		vma_flags |= VMA_LOCKED;
	if ((r->flags & MAP_GROWSDOWN) && !r->file && !r->shm)
		vma_flags |= VMA_GROWSDOWN;
	if ((r->flags & MAP_STACK) && (r->flags & MAP_GROWSDOWN))
		vma_flags |= VMA_STACK;
	if ((vma_flags & VMA_LOCKED) && map_locks_too_much(r->as, r->len))
		return -EAGAIN;
	if (map_overcommits(r))
		return -ENOMEM;
	list_init(&dead);
	rwsem_write_lock(&r->as->lock);
	at = map_locked(r, vma_flags, &dead);
	rwsem_write_unlock(&r->as->lock);
	vma_free_list(&dead);
	populate = (vma_flags & VMA_LOCKED) ||
		   (r->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	if (at >= 0 && populate && (vma_flags & VMA_PROT_MASK))
		as_populate(r->as, (uaddr_t)at, r->len,
			(vma_flags & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE);
	return at;
}

static int map_check(u64 len, u64 *aligned, u32 *flags, u64 pgoff)
{
	u32 type = *flags & MAP_TYPE;
	u64 end;

	if (!len)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE)
		*flags = (*flags & ~(u32)MAP_TYPE) | MAP_SHARED;
	else if (type != MAP_SHARED && type != MAP_PRIVATE)
		return -EINVAL;
	*aligned = page_align_len(len);
	if (!*aligned)
		return -ENOMEM;
	if (__builtin_add_overflow(pgoff, *aligned >> PAGE_SHIFT, &end))
		return -EOVERFLOW;
	return 0;
}

s64 as_mmap(struct as *as, uaddr_t hint, u64 len, u32 prot, u32 flags, struct file *file, u64 pgoff)
{
	struct map_request r = {
		.as = as, .hint = hint, .prot = prot, .file = file, .pgoff = pgoff
	};
	bool anonymous = flags & MAP_ANONYMOUS;
	s64 ret = map_check(len, &r.len, &flags, pgoff);

	if (ret)
		return ret;
	if (anonymous)
		r.file = NULL;
	r.flags = flags;
	if (anonymous && (flags & MAP_SHARED)) {
		r.shm = shm_create(r.len);
		if (!r.shm)
			return -ENOMEM;
		r.pgoff = 0;
	}
	ret = map_run(&r);
	if (r.shm)
		shm_put(r.shm);
	return ret;
}

s64 as_map_shm(struct as *as, uaddr_t hint, u32 prot, u32 flags, struct shm *s)
{
	struct map_request r = { .as = as, .hint = hint, .prot = prot, .shm = s };
	s64 ret;

	r.readonly = !(prot & PROT_WRITE);
	flags = (flags & ~(u32)MAP_TYPE) | MAP_SHARED;
	ret = map_check(s->mapping.fixed_size, &r.len, &flags, 0);
	r.flags = flags;
	return ret ? ret : map_run(&r);
}

/* What is mapped shared at [start, end), with a reference of its own in r. -EINVAL: nothing, or several things. */
static int map_same_object(struct map_request *r, uaddr_t start, uaddr_t end)
{
	struct vma *v, *first;
	uaddr_t at = start;

	rwsem_read_lock(&r->as->lock);
	v = first = vma_find_exact(r->as, start);
	while (v && (v->flags & VMA_SHARED) && v->file == first->file && v->shm == first->shm &&
		v->start <= at && at < end) {
		at = v->end;
		v = vma_next(v);
	}
	if (at >= end) {
		r->prot = (first->flags & VMA_READ ? PROT_READ : 0) |
			  (first->flags & VMA_WRITE ? PROT_WRITE : 0) |
			  (first->flags & VMA_EXEC ? PROT_EXEC : 0);
		r->readonly = !(first->flags & VMA_MAYWRITE);
		r->file = first->file;
		r->shm = first->shm;
		if (r->file)
			file_get(r->file);
		if (r->shm)
			shm_get(r->shm);
	}
	rwsem_read_unlock(&r->as->lock);
	return at >= end ? 0 : -EINVAL;
}

/* A segment that was removed does not outlive its last attachment's going, not even if that is to be made again: true, and it is gone. */
static bool remap_too_late(struct map_request *r)
{
	if (!r->shm || !r->shm->leaving || !r->shm->leaving(r->shm))
		return false;
	(void)as_munmap(r->as, r->hint, r->len);
	return r->shm->leaving(r->shm) == 1; /* our own reference */
}

s64 as_remap_pages(struct as *as, uaddr_t start, u64 size, u64 pgoff)
{
	struct map_request r = { .as = as, .pgoff = pgoff };
	uaddr_t end;
	s64 ret;

	start = ALIGN_DOWN(start, PAGE_SIZE);
	r.hint = start;
	r.len = ALIGN_DOWN(size, PAGE_SIZE);
	r.flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
	if (!r.len || __builtin_add_overflow(start, r.len, &end) || end > USER_TOP ||
		pgoff + (r.len >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	ret = map_same_object(&r, start, end);
	if (ret)
		return ret;
	ret = remap_too_late(&r) ? -EINVAL : map_run(&r);
	if (r.file)
		file_put(r.file);
	if (r.shm)
		shm_put(r.shm);
	return MIN(ret, 0L);
}

/* ---- heap ---- */

/* as->lock held for writing. False: refused. */
static bool brk_grow(struct as *as, uaddr_t from, uaddr_t to, struct list_head *dead)
{
	const u32 flags = VMA_READ | VMA_WRITE | VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC |
			  VMA_HEAP | as->def_flags;
	struct vma *v = from ? vma_find_exact(as, from - 1) : NULL;
	u64 data = to - as->brk_start + (as->data_end - as->data_start);

	if (data > as->limit_data || to > USER_TOP || !vma_room_free(as, from, to + PAGE_SIZE) ||
		!as_may_expand(as, (to - from) >> PAGE_SHIFT, flags))
		return false;
	if ((flags & VMA_LOCKED) && map_locks_too_much(as, to - from))
		return false;
	if (v && v->end == from && v->flags == flags) {
		vma_resize(v, v->start, to);
		return true;
	}
	v = as->nvmas < READ_ONCE(as_max_vmas) ? vma_create(as, from, to, flags) : NULL;
	if (!v)
		return false;
	vma_insert(v);
	vma_merge(v, dead);
	return true;
}

#define BRK_AHEAD (4 * PAGE_SIZE) /* whoever grows the heap writes there next */

uaddr_t as_brk(struct as *as, uaddr_t brk)
{
	struct list_head dead;
	uaddr_t from, to, result;
	bool ok = true;

	list_init(&dead);
	rwsem_write_lock(&as->lock);
	from = ALIGN_UP(as->brk, PAGE_SIZE);
	to = ALIGN_UP(brk, PAGE_SIZE);
	if (brk < as->brk_start || brk > USER_TOP)
		ok = false;
	else if (to < from)
		ok = !as_unmap_locked(as, to, from, &dead);
	else if (to > from)
		ok = brk_grow(as, from, to, &dead);
	if (ok)
		as->brk = brk;
	result = as->brk;
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	if (ok && to > from && (as->def_flags & VMA_LOCKED))
		as_populate(as, from, to - from, true);
	else if (ok && to > from && mm_plenty())
		as_populate(as, from, MIN(to - from, BRK_AHEAD), true);
	return result;
}

/* ---- stack ---- */

static bool stack_may_start(struct vma *v, uaddr_t start)
{
	struct as *as = v->as;
	struct vma *prev = vma_prev(v);
	u64 grow = v->start - start;

	if (start < MMAP_MIN_ADDR || v->end - start > as->limit_stack)
		return false;
	if (prev && !(prev->flags & VMA_GROWSDOWN) && (prev->flags & VMA_PROT_MASK) &&
		prev->end + STACK_GAP > start)
		return false;
	if (prev && prev->end > start)
		return false;
	if ((v->flags & VMA_LOCKED) && map_locks_too_much(as, grow))
		return false;
	return as_may_expand(as, grow >> PAGE_SHIFT, v->flags);
}

int vma_grow_stack(struct vma *v, uaddr_t addr)
{
	uaddr_t start = ALIGN_DOWN(addr, STACK_STEP);

	if (!stack_may_start(v, start))
		start = ALIGN_DOWN(addr, PAGE_SIZE);
	if (!stack_may_start(v, start))
		return -EFAULT;
	vma_resize(v, start, v->end);
	return 0;
}

/* ---- kernel pages ---- */

int as_map_special(struct as *as, uaddr_t at, struct page **pages, u32 n, u32 vma_flags)
{
	u64 len = n * PAGE_SIZE;
	struct vma *v;
	int ret = -ENOMEM;

	rwsem_write_lock(&as->lock);
	if (!n || at > USER_TOP - len || !vma_range_free(as, at, at + len))
		goto out_unlock;
	v = vma_create(as, at, at + len,
		(vma_flags & ~(u32)VMA_WRITE) | VMA_READ | VMA_MAYREAD | VMA_MAYEXEC | VMA_SPECIAL);
	if (!v)
		goto out_unlock;
	vma_insert(v);
	ret = 0;
	for (u32 i = 0; i < n; i++) {
		pte_t *slot = pgt_walk(&as->pt, at + i * PAGE_SIZE, true);

		if (!slot) {
			ret = -ENOMEM; /* the VMA stays: a touch of the missing page is a SIGBUS */
			break;
		}
		pages[i]->flags |= PG_RESERVED;
		atomic_store(slot, fault_pte(v, page_pa(pages[i]), false));
	}
out_unlock:
	rwsem_write_unlock(&as->lock);
	return ret;
}

static void special_replace(struct as *as, struct vma *v, struct page *p)
{
	struct page *old = NULL;
	pte_t *slot;

	spin_lock(&as->pt_lock);
	slot = pgt_walk(&as->pt, v->start, false);
	if (slot && *slot) {
		old = page_of(pte_pa(*slot));
		page_get(p);
		*slot = fault_pte(v, page_pa(p), false);
		pte_account(as, p, 1);
		pte_account(as, old, -1);
	}
	spin_unlock(&as->pt_lock);
	if (!old)
		return;
	tlb_flush(&as->pt, ~0UL, v->start, v->start + PAGE_SIZE);
	page_put(old);
}

void as_replace_special(struct as *as, u32 vma_flag, struct page *p)
{
	rwsem_write_lock(&as->lock);
	for (struct rb_node *n = rb_first(&as->vmas); n; n = rb_next(n)) {
		struct vma *v = rb_entry(n, struct vma, node);

		if (v->flags & vma_flag)
			special_replace(as, v, p);
	}
	rwsem_write_unlock(&as->lock);
}
