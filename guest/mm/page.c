/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page allocator: per-CPU lists of single pages over a buddy allocator over a bump pointer.
 *
 * The kernel is not preemptible and interrupt handlers do not allocate, so a CPU's own list needs no lock. Freed memory is preferred
 * to never-used memory: touching the latter makes the host allocate, and keeping the used part small and low keeps the resident set compact.
 * Blocks of REPORT_ORDER and more can be given back to the host (page_report).
 *
 * Pages for applications and pages for the kernel (page tables, objects) come from different blocks of REPORT_ORDER: the kernel's live longer,
 * and one of them in each block would keep all memory of a program that ended from becoming whole again.
 */
#include "mm/page.h"

#include <casemate/guestmem.h>
#include <casemate/hypercall.h>

#include "arch.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "lib/string.h"

#define REPORT_ORDER 9u /* 2 MiB: smaller pieces would split the host's huge pages */
#define PAGE_SKIP_MIN \
	(64UL << REPORT_ORDER) /* pages of RAM from which up to one such block is left out */

enum page_use {
	USE_APP,
	USE_KERNEL,
	USES
};

/* Who uses a block of REPORT_ORDER; free ones of that order and more count as USE_APP. Lock: zone.lock. */
static u8 zone_use[CM_RAM_MAX >> (PAGE_SHIFT + REPORT_ORDER)];

static struct {
	struct spinlock lock; /* protects: everything here but the constants; rank 90 */
	struct list_head free[USES][PAGE_ORDER_MAX + 1]; /* released blocks at the end */
	u64 nfree; /* pages on the lists */
	u64 fresh; /* index of the first page that was never used */
	u64 unreported; /* pages in blocks >= REPORT_ORDER that are not PG_RELEASED */
	/* constants */
	paddr_t start;
	u64 npages;
	u64 first; /* index of the first allocatable page */
	u64 reserve; /* pages that only the kernel may use */
	u64 withheld; /* pages that nobody may use but in need: page_set_limit */
	struct page *pages;
	struct cm_range *ranges; /* argument block of page_report */
	bool reporting; /* atomic: somebody uses `ranges` */
	u32 cpu_batch, cpu_high;
	u64 (*shrink)(u64 want);
	void (*uncharge)(struct page *p);
} zone;

static struct page_cpu {
	struct page_list {
		struct list_head list;
		u32 n;
	} use[USES];
	s64 kind[PAGE_KINDS]; /* sums over all CPUs matter */
} __aligned(64) page_cpus[CM_MAX_CPUS];

paddr_t page_pa(const struct page *p)
{
	return zone.start + ((u64)(p - zone.pages) << PAGE_SHIFT);
}

void *page_va(const struct page *p)
{
	return pa_to_va(page_pa(p));
}

struct page *page_of(paddr_t pa)
{
	u64 index = (pa - zone.start) >> PAGE_SHIFT;

	if (pa < zone.start || index >= zone.npages)
		return NULL;
	return &zone.pages[index];
}

struct page *page_of_va(const void *va)
{
	return page_of(va_to_pa(va));
}

/* ---- buddy ---- */

static u8 *zone_use_of(const struct page *p)
{
	return &zone_use[(u64)(p - zone.pages) >> REPORT_ORDER];
}

static void zone_list_add(struct page *p, u32 order)
{
	bool released = p->flags & PG_RELEASED;
	struct list_head *list;

	if (order >= REPORT_ORDER)
		*zone_use_of(p) = *zone_use_of(p + (1UL << order) - 1) = USE_APP;
	list = &zone.free[*zone_use_of(p)][order];

	p->flags |= PG_BUDDY;
	p->order = (u16)order;
	if (released)
		list_add_tail(list, &p->link);
	else
		list_add(list, &p->link);
	zone.nfree += 1UL << order;
	if (order >= REPORT_ORDER && !released)
		zone.unreported += 1UL << order;
}

static void zone_list_del(struct page *p)
{
	list_del(&p->link);
	p->flags &= ~PG_BUDDY;
	zone.nfree -= 1UL << p->order;
	if (p->order >= REPORT_ORDER && !(p->flags & PG_RELEASED))
		zone.unreported -= 1UL << p->order;
}

static void zone_free(struct page *p, u32 order)
{
	u64 index = p - zone.pages;

	while (order < PAGE_ORDER_MAX) {
		u64 other = index ^ (1UL << order);
		struct page *buddy = &zone.pages[other];
		u32 keep;

		if (other < zone.first || other >= zone.fresh || !(buddy->flags & PG_BUDDY) ||
			buddy->order != order)
			break;
		zone_list_del(buddy);
		keep = p->flags & buddy->flags & (PG_RELEASED | PG_ZEROED);
		buddy->flags = 0;
		p->flags = 0;
		index &= ~(1UL << order);
		p = &zone.pages[index];
		p->flags = keep;
		order++;
	}
	zone_list_add(p, order);
}

/* Split a block taken off its list down to `order`; the upper halves go back. */
static void zone_split(struct page *p, u32 have, u32 order)
{
	u32 keep = p->flags & (PG_RELEASED | PG_ZEROED);

	while (have > order) {
		struct page *half;

		have--;
		half = p + (1UL << have);
		half->flags = keep;
		zone_list_add(half, have);
	}
}

/* Never-used pages, n of them aligned to n (a power of two), or NULL. Known to be zero. */
static struct page *zone_fresh(u64 n)
{
	u64 at = ALIGN_UP(zone.fresh, n);

	if (at + n > zone.npages)
		return NULL;
	while (zone.fresh < at) {
		u32 order = (u32)__builtin_ctzl(zone.fresh);
		struct page *p = &zone.pages[zone.fresh];

		p->flags = PG_ZEROED | PG_RELEASED;
		zone.fresh += 1UL << order;
		zone_free(p, order);
	}
	zone.fresh = at + n;
	zone.pages[at].flags = PG_ZEROED;
	return &zone.pages[at];
}

/* From the lists of one use, blocks of order `order` to `last`. */
static struct page *zone_take_from(enum page_use use, u32 order, u32 last)
{
	for (u32 o = order; o <= last; o++) {
		struct page *p;

		if (list_empty(&zone.free[use][o]))
			continue;
		p = list_first_entry(&zone.free[use][o], struct page, link);
		zone_list_del(p);
		zone_split(p, o, order);
		return p;
	}
	return NULL;
}

/* A whole block for the kernel, of which the first part is wanted. */
static struct page *zone_take_kernel_block(u32 order)
{
	struct page *p = zone_take_from(USE_APP, REPORT_ORDER, PAGE_ORDER_MAX);

	if (!p)
		p = zone_fresh(1UL << REPORT_ORDER);
	if (p) {
		*zone_use_of(p) = USE_KERNEL;
		zone_split(p, REPORT_ORDER, order);
	}
	return p;
}

static struct page *zone_take(u32 order, enum page_use use)
{
	struct page *p;

	if (order >= REPORT_ORDER) {
		p = zone_take_from(USE_APP, order, PAGE_ORDER_MAX);
		return p ? p : zone_fresh(1UL << order);
	}
	if (use == USE_KERNEL) {
		p = zone_take_from(USE_KERNEL, order, REPORT_ORDER - 1);
		if (!p)
			p = zone_take_kernel_block(order);
	} else {
		p = zone_take_from(USE_APP, order, PAGE_ORDER_MAX);
	}
	if (!p)
		p = zone_fresh(1UL << order);
	/* better a mixed block than none */
	return p ? p : zone_take_from(use == USE_APP ? USE_KERNEL : USE_APP, order, PAGE_ORDER_MAX);
}

u64 page_free_count(void)
{
	return READ_ONCE(zone.nfree) + zone.npages - READ_ONCE(zone.fresh);
}

u64 page_low_water(void)
{
	return READ_ONCE(zone.withheld) + zone.reserve * 2;
}

static bool zone_allows(u64 n, u32 gfp)
{
	return !(gfp & GFP_USER) ||
	       page_free_count() >= READ_ONCE(zone.withheld) + zone.reserve + n;
}

/* ---- per-CPU lists ---- */

static enum page_use page_use_for(u32 gfp)
{
	return gfp & GFP_USER ? USE_APP : USE_KERNEL;
}

static void page_cpu_fill(struct page_list *c, u32 gfp)
{
	spin_lock(&zone.lock);
	for (u32 i = 0; i < zone.cpu_batch && zone_allows(1, gfp); i++) {
		struct page *p = zone_take(0, page_use_for(gfp));

		if (!p)
			break;
		p->flags = (p->flags & PG_ZEROED) | PG_CPU_FREE;
		list_add_tail(&c->list, &p->link);
		c->n++;
	}
	spin_unlock(&zone.lock);
}

static void page_cpu_drain(struct page_list *c, u32 n)
{
	spin_lock(&zone.lock);
	while (n-- && c->n) {
		struct page *p = list_last_entry(&c->list, struct page, link);

		list_del(&p->link);
		c->n--;
		p->flags &= PG_ZEROED;
		zone_free(p, 0);
	}
	spin_unlock(&zone.lock);
}

static struct page_list *page_cpu_list(enum page_use use)
{
	struct page_list *c = &page_cpus[cpu_id()].use[use];

	if (!c->list.next)
		list_init(&c->list);
	return c;
}

static struct page *page_take_single(u32 gfp)
{
	struct page_list *c = page_cpu_list(page_use_for(gfp));
	struct page *p;

	if (!c->n)
		page_cpu_fill(c, gfp);
	if (!c->n)
		c = page_cpu_list(gfp & GFP_USER ? USE_KERNEL : USE_APP);
	if (!c->n || !zone_allows(0, gfp))
		return NULL;
	p = list_first_entry(&c->list, struct page, link);
	list_del(&p->link);
	c->n--;
	return p;
}

static struct page *page_take(u32 order, u32 gfp)
{
	struct page *p;

	if (!order)
		return page_take_single(gfp);
	if (!zone_allows(1UL << order, gfp))
		return NULL;
	spin_lock(&zone.lock);
	p = zone_take(order, page_use_for(gfp));
	spin_unlock(&zone.lock);
	return p;
}

static void page_prepare(struct page *p, u32 order, u32 gfp)
{
	bool zeroed = p->flags & PG_ZEROED;

	p->flags = 0;
	ref_init(&p->ref);
	p->mapcount = 0;
	p->order = (u16)order;
	p->memcg = 0;
	p->mapping = NULL;
	p->index = 0;
	list_init(&p->link);
	if ((gfp & GFP_ZERO) && !zeroed)
		memset(page_va(p), 0, PAGE_SIZE << order);
}

struct page *page_alloc(u32 order, u32 gfp)
{
	struct page *p;

	if (order > PAGE_ORDER_MAX)
		return NULL;
	p = page_take(order, gfp);
	for (int tries = gfp & GFP_FREE ? 4 : 0; !p && zone.shrink && tries < 4; tries++) {
		if (!zone.shrink(64UL << order))
			break;
		for (u32 use = 0; use < USES; use++)
			page_cpu_drain(page_cpu_list(use), zone.cpu_high);
		p = page_take(order, gfp);
	}
	if (p)
		page_prepare(p, order, gfp);
	return p;
}

void page_make_single(struct page *p, u32 order)
{
	for (u32 i = 0; i < 1U << order; i++)
		page_prepare(p + i, 0, 0);
}

u32 page_alloc_bulk(struct page **out, u32 n, u32 gfp)
{
	u32 done;

	for (done = 0; done < n; done++) {
		out[done] = page_alloc(0, gfp);
		if (!out[done])
			break;
	}
	return done;
}

void page_free(struct page *p, u32 order)
{
	struct page_list *c;

	panic_if(p->flags & (PG_BUDDY | PG_CPU_FREE | PG_RESERVED));
	if (order) {
		p->flags = 0;
		spin_lock(&zone.lock);
		zone_free(p, order);
		spin_unlock(&zone.lock);
		return;
	}
	c = page_cpu_list(READ_ONCE(*zone_use_of(p)));
	if (p->flags & PG_ANON)
		page_account(PAGE_ANON, -1);
	if (p->memcg)
		zone.uncharge(p);
	p->flags = PG_CPU_FREE;
	p->mapping = NULL;
	list_add(&c->list, &p->link);
	if (++c->n > zone.cpu_high)
		page_cpu_drain(c, zone.cpu_batch);
}

void page_get(struct page *p)
{
	if (!(p->flags & PG_RESERVED))
		ref_get(&p->ref);
}

void page_put(struct page *p)
{
	if (!(p->flags & PG_RESERVED) && ref_put(&p->ref))
		page_free(p, 0);
}

void *page_alloc_va(u32 order, u32 gfp)
{
	struct page *p = page_alloc(order, gfp);

	return p ? page_va(p) : NULL;
}

void page_free_va(void *va, u32 order)
{
	page_free(page_of_va(va), order);
}

/* ---- accounting ---- */

void page_account(enum page_kind kind, s64 pages)
{
	page_cpus[cpu_id()].kind[kind] += pages;
}

static u64 page_kind_sum(enum page_kind kind)
{
	s64 sum = 0;

	for (u32 i = 0; i < CM_MAX_CPUS; i++)
		sum += READ_ONCE(page_cpus[i].kind[kind]);
	return sum > 0 ? (u64)sum : 0;
}

void page_stats(struct page_stats *s)
{
	s->total = zone.npages - zone.first - zone.withheld;
	s->free = page_free_count();
	for (u32 i = 0; i < CM_MAX_CPUS; i++)
		s->free += READ_ONCE(page_cpus[i].use[USE_APP].n) +
			   READ_ONCE(page_cpus[i].use[USE_KERNEL].n);
	s->free -= MIN(s->free, zone.withheld);
	s->cached = page_kind_sum(PAGE_CACHED);
	s->anon = page_kind_sum(PAGE_ANON);
	s->slab = page_kind_sum(PAGE_SLAB);
}

void page_set_limit(u64 npages)
{
	u64 total = zone.npages - zone.first;

	WRITE_ONCE(zone.withheld, npages < total ? total - npages : 0);
}

void page_set_reclaim(u64 (*shrink)(u64 want))
{
	zone.shrink = shrink;
}

void page_set_uncharge(void (*uncharge)(struct page *p))
{
	zone.uncharge = uncharge;
}

/* ---- memory back to the host ---- */

u64 page_unreported(void)
{
	return READ_ONCE(zone.unreported);
}

/* Take blocks that the host backs off the free lists, at most what fits one call. How many. */
static u32 page_report_isolate(u64 keep, struct list_head *blocks)
{
	u32 n = 0;

	spin_lock(&zone.lock);
	for (u32 o = PAGE_ORDER_MAX; o >= REPORT_ORDER; o--) {
		struct page *p, *next;

		list_for_each_entry_safe (p, next, &zone.free[USE_APP][o], link) {
			if ((p->flags & PG_RELEASED) || n == CM_RANGES_MAX)
				break;
			if (zone.unreported < keep + (1UL << o))
				break;
			zone_list_del(p);
			list_add_tail(blocks, &p->link);
			zone.ranges[n].gpa = page_pa(p);
			zone.ranges[n].len = PAGE_SIZE << o;
			n++;
		}
	}
	spin_unlock(&zone.lock);
	return n;
}

/* Put the isolated blocks back; `gone` = the host took their memory. Pages given. */
static u64 page_report_finish(struct list_head *blocks, bool gone)
{
	struct page *p, *next;
	u64 given = 0;

	spin_lock(&zone.lock);
	list_for_each_entry_safe (p, next, blocks, link) {
		u32 order = p->order;

		list_del(&p->link);
		p->flags = 0;
		if (gone) {
			p->flags = PG_RELEASED; /* "may vanish" is no promise of zeroes */
			given += 1UL << order;
		}
		zone_free(p, order);
	}
	spin_unlock(&zone.lock);
	return given;
}

u64 page_report(u64 keep)
{
	struct list_head blocks;
	u64 given = 0;
	u32 n;

	if (atomic_xchg(&zone.reporting, true))
		return 0;
	if (!zone.ranges)
		zone.ranges = page_alloc_va(1, 0);
	list_init(&blocks);
	n = zone.ranges ? page_report_isolate(keep, &blocks) : 0;
	if (n)
		given = page_report_finish(
			&blocks, !hypercall(CM_HC_MEM_RELEASE, va_to_pa(zone.ranges), n));
	atomic_store(&zone.reporting, false);
	return given;
}

/* ---- boot ---- */

void page_init(paddr_t start, paddr_t end, paddr_t first_free)
{
	u64 bytes;

	zone.start = start;
	zone.npages = MIN((end - start) >> PAGE_SHIFT, CM_RAM_MAX >> PAGE_SHIFT);
	zone.pages = pa_to_va(ALIGN_UP(first_free, PAGE_SIZE));
	bytes = ALIGN_UP(zone.npages * sizeof(struct page), PAGE_SIZE);
	zone.first = (ALIGN_UP(first_free, PAGE_SIZE) + bytes - start) >> PAGE_SHIFT;
	/*
	 * The rest of a huge page of the host's, whose other part is the array's end, which nobody touches: it would cost one for itself. Small
	 * machines cannot do without.
	 */
	if (zone.npages >= PAGE_SKIP_MIN)
		zone.first = ALIGN_UP(zone.first, 1UL << REPORT_ORDER);
	panic_if(zone.first >= zone.npages);
	zone.fresh = zone.first;
	zone.nfree = 0;
	zone.unreported = 0;
	zone.ranges = NULL;
	zone.reserve = MIN(MAX(zone.npages / 64, 128), 4096);
	zone.cpu_batch = zone.npages < 32768 ? 8 : 32;
	zone.cpu_high = zone.cpu_batch * 3;
	zone.lock.rank = 90;
	for (u32 o = 0; o <= PAGE_ORDER_MAX; o++) {
		list_init(&zone.free[USE_APP][o]);
		list_init(&zone.free[USE_KERNEL][o]);
	}
}
