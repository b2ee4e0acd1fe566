/* SPDX-License-Identifier: Apache-2.0 */
/* VMAs: the tree of an address space, splitting, merging, free addresses, counters. */
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/shm.h"
#include "mm/slab.h"

static struct kcache vma_cache = KCACHE("vma", struct vma);

static struct vma *vma_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct vma, node) : NULL;
}

struct vma *vma_next(struct vma *v)
{
	return vma_of(rb_next(&v->node));
}

struct vma *vma_prev(struct vma *v)
{
	return vma_of(rb_prev(&v->node));
}

struct vma *as_find_vma(struct as *as, uaddr_t addr)
{
	struct vma *best = atomic_load(&as->cached);
	struct rb_node *n = as->vmas.node;

	if (best && best->start <= addr && addr < best->end)
		return best;
	best = NULL;
	while (n) {
		struct vma *v = vma_of(n);

		if (v->end <= addr) {
			n = n->right;
			continue;
		}
		best = v;
		if (v->start <= addr)
			break;
		n = n->left;
	}
	if (best)
		atomic_store(&as->cached, best);
	return best;
}

struct vma *vma_find_exact(struct as *as, uaddr_t addr)
{
	struct vma *v = as_find_vma(as, addr);

	return v && v->start <= addr ? v : NULL;
}

bool vma_range_free(struct as *as, uaddr_t start, uaddr_t end)
{
	struct vma *v = as_find_vma(as, start);

	return !v || v->start >= end;
}

/* Lowest address that a new mapping below v may reach up to: a stack keeps its guard gap. */
static uaddr_t vma_floor(const struct vma *v)
{
	if (!(v->flags & VMA_GROWSDOWN))
		return v->start;
	return v->start > STACK_GAP ? v->start - STACK_GAP : 0;
}

bool vma_room_free(struct as *as, uaddr_t start, uaddr_t end)
{
	struct vma *v = as_find_vma(as, start);

	return !v || end <= vma_floor(v);
}

/* ---- counters ---- */

static bool vma_is_data(u32 flags)
{
	return (flags & (VMA_WRITE | VMA_SHARED | VMA_GROWSDOWN)) == VMA_WRITE;
}

static void vma_count(struct as *as, u32 flags, s64 pages)
{
	as->total_vm += (u64)pages;
	if (vma_is_data(flags))
		as->data_vm += (u64)pages;
	if (flags & VMA_GROWSDOWN)
		as->stack_vm += (u64)pages;
	if ((flags & (VMA_EXEC | VMA_WRITE | VMA_GROWSDOWN)) == VMA_EXEC)
		as->exec_vm += (u64)pages;
	if (flags & VMA_LOCKED)
		as->locked_vm += (u64)pages;
	as->hiwater_vm = MAX(as->hiwater_vm, as->total_vm);
}

static s64 vma_pages(const struct vma *v)
{
	return (s64)((v->end - v->start) >> PAGE_SHIFT);
}

bool as_may_expand(struct as *as, u64 pages, u32 vma_flags)
{
	if (pages > (as->limit_as >> PAGE_SHIFT) ||
		as->total_vm + pages > as->limit_as >> PAGE_SHIFT)
		return false;
	return !vma_is_data(vma_flags) || as->data_vm + pages <= as->limit_data >> PAGE_SHIFT;
}

/* ---- life ---- */

struct vma *vma_create(struct as *as, uaddr_t start, uaddr_t end, u32 flags)
{
	struct vma *v = kcache_zalloc(&vma_cache);

	if (!v)
		return NULL;
	v->as = as;
	v->start = start;
	v->end = end;
	v->flags = flags;
	list_init(&v->map_link);
	return v;
}

void vma_share_object(struct vma *v, const struct vma *from)
{
	v->file = from->file;
	v->shm = from->shm;
	v->mapping = from->mapping;
	v->policy = from->policy;
	if (v->file)
		file_get(v->file);
	if (v->shm)
		shm_get(v->shm);
}

static void vma_tree_insert(struct vma *v)
{
	struct rb_node **link = &v->as->vmas.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = v->start < vma_of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert(&v->as->vmas, &v->node, parent, link);
	v->as->nvmas++;
}

void vma_insert(struct vma *v)
{
	vma_tree_insert(v);
	vma_count(v->as, v->flags, vma_pages(v));
	if (v->mapping) {
		spin_lock(&v->mapping->lock);
		list_add_tail(&v->mapping->vmas, &v->map_link);
		spin_unlock(&v->mapping->lock);
	}
}

void vma_unlink(struct vma *v)
{
	struct as *as = v->as;

	rb_erase(&as->vmas, &v->node);
	as->nvmas--;
	if (as->cached == v)
		as->cached = NULL;
	vma_count(as, v->flags, -vma_pages(v));
	if (v->mapping) {
		spin_lock(&v->mapping->lock);
		list_del(&v->map_link);
		spin_unlock(&v->mapping->lock);
	}
}

void vma_free(struct vma *v)
{
	if (v->file)
		file_put(v->file);
	if (v->shm)
		shm_put(v->shm);
	kcache_free(&vma_cache, v);
}

/* Dead VMAs are chained by map_link, which nothing else uses any more. */
void vma_free_list(struct list_head *dead)
{
	struct vma *v, *next;

	list_for_each_entry_safe (v, next, dead, map_link) {
		list_del(&v->map_link);
		vma_free(v);
	}
}

/* ---- changing ---- */

static void vma_set_range(struct vma *v, uaddr_t start, uaddr_t end, u64 pgoff)
{
	if (v->mapping)
		spin_lock(&v->mapping->lock);
	v->start = start;
	v->end = end;
	v->pgoff = pgoff;
	if (v->mapping)
		spin_unlock(&v->mapping->lock);
}

static bool vma_has_offset(const struct vma *v)
{
	return v->file || v->shm;
}

void vma_resize(struct vma *v, uaddr_t start, uaddr_t end)
{
	s64 before = vma_pages(v);
	u64 pgoff = v->pgoff;

	/* a start that moves down (stack growth) may take the offset below zero: it means nothing there */
	if (vma_has_offset(v))
		pgoff += (start - v->start) >> PAGE_SHIFT;
	vma_set_range(v, start, end, pgoff);
	vma_count(v->as, v->flags, vma_pages(v) - before);
}

int vma_split(struct vma *v, uaddr_t at)
{
	struct vma *hi;

	if (v->as->nvmas >= READ_ONCE(as_max_vmas))
		return -ENOMEM;
	hi = vma_create(v->as, at, v->end, v->flags);
	if (!hi)
		return -ENOMEM;
	vma_share_object(hi, v);
	if (vma_has_offset(v))
		hi->pgoff = v->pgoff + ((at - v->start) >> PAGE_SHIFT);
	vma_resize(v, v->start, at);
	vma_insert(hi);
	return 0;
}

static bool vma_mergeable(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->flags != b->flags || a->file != b->file || a->shm != b->shm)
		return false;
	if ((a->flags & (VMA_SPECIAL | VMA_GROWSDOWN)) || !mempolicy_equal(&a->policy, &b->policy))
		return false;
	return !vma_has_offset(a) || a->pgoff + (u64)vma_pages(a) == b->pgoff;
}

/* a swallows b. */
static void vma_join(struct vma *a, struct vma *b, struct list_head *dead)
{
	uaddr_t end = b->end;

	vma_unlink(b);
	list_add_tail(dead, &b->map_link);
	vma_resize(a, a->start, end);
}

struct vma *vma_merge(struct vma *v, struct list_head *dead)
{
	struct vma *prev = vma_prev(v), *next = vma_next(v);

	if (next && vma_mergeable(v, next))
		vma_join(v, next, dead);
	if (prev && vma_mergeable(prev, v)) {
		vma_join(prev, v, dead);
		v = prev;
	}
	return v;
}

int vma_isolate(struct as *as, uaddr_t start, uaddr_t end)
{
	struct vma *v = vma_find_exact(as, start);
	int ret = 0;

	if (v && v->start < start)
		ret = vma_split(v, start);
	if (ret)
		return ret;
	v = vma_find_exact(as, end - 1);
	if (v && v->end > end)
		ret = vma_split(v, end);
	return ret;
}

int vma_change_flags(
	struct as *as, uaddr_t start, uaddr_t end, u32 set, u32 clear, struct list_head *dead)
{
	uaddr_t at = start;
	struct vma *v;
	int ret = vma_isolate(as, start, end);

	if (ret)
		return ret;
	for (v = as_find_vma(as, start); v && v->start < end; v = vma_next(v)) {
		u32 flags = (v->flags & ~clear) | set;

		if (v->start > at)
			ret = -ENOMEM;
		vma_count(as, v->flags, -vma_pages(v));
		v->flags = flags;
		vma_count(as, v->flags, vma_pages(v));
		v = vma_merge(v, dead); /* also what vma_isolate cut for nothing */
		at = v->end;
	}
	v = vma_find_exact(as, end);
	if (v)
		vma_merge(v, dead);
	return at < end ? -ENOMEM : ret;
}

/* ---- free addresses ---- */

/* The highest hole of len bytes in [low, high). *skipped = largest hole that was too small. */
static s64 vma_search_down(struct as *as, u64 len, uaddr_t low, uaddr_t high, u64 *skipped)
{
	struct vma *above = as_find_vma(as, high), *v;
	uaddr_t top = above ? MIN(high, vma_floor(above)) : high;

	v = above ? vma_prev(above) : vma_of(rb_last(&as->vmas));
	for (;;) {
		uaddr_t bottom = v ? MAX(v->end, low) : low;

		if (top > bottom && top - bottom >= len)
			return (s64)(top - len);
		if (top > bottom)
			*skipped = MAX(*skipped, top - bottom);
		if (!v || v->end <= low)
			return -ENOMEM;
		top = vma_floor(v);
		v = vma_prev(v);
	}
}

/*
 * The search starts below the last hit as long as no hole that was skipped above it is large enough: programs that map many small pieces would
 * else walk over all of them each time.
 */
s64 vma_find_hole(struct as *as, u64 len, uaddr_t low, uaddr_t high)
{
	u64 skipped = 0;
	s64 at;

	if (len > high || high - len < low)
		return -ENOMEM;
	if (high != as->mmap_base)
		return vma_search_down(as, len, low, high, &skipped);
	if (as->hole_hint && as->hole_hint < high && len > as->hole_max) {
		skipped = as->hole_max;
		at = vma_search_down(as, len, low, as->hole_hint, &skipped);
		if (at >= 0)
			goto found;
		skipped = 0;
	}
	at = vma_search_down(as, len, low, high, &skipped);
	if (at < 0)
		return at;
found:
	as->hole_hint = (uaddr_t)at;
	as->hole_max = skipped;
	return at;
}
