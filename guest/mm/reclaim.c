/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory pressure. Pages of backed files stand on one clock list: the hand comes from the old end, gives referenced pages a second round and drops
 * clean unmapped ones without sleeping (page_alloc does this by itself). What needs more (write-back, unmapping, killing) happens in
 * callers that may sleep, through mm_alloc_page (private memory to swap space, too), and in the mm thread, which also writes dirty pages back after a second and
 * returns free memory to the host. The thread sleeps without a timer while there is nothing to do.
 *
 * Lock order: mapping->lock -> lru.lock; the hand takes mapping locks the other way round with trylock.
 */
#include "mm/reclaim.h"

#include "arch.h"
#include "cgroup/cgroup.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/waitq.h"
#include "mm/filemap_internal.h"
#include "mm/rmap.h"
#include "mm/swap.h"

#define RECLAIM_BATCH 32u
#define LRU_SPINS     1000u
#define BUFFER_TRIES  16u /* other CPUs may take what was freed */

#define HUNGRY_PAGES 1u /* for memory */
#define HUNGRY_CLEAN 2u /* for dirty pages to be written back */

#define REPORT_DELAY  (500 * NSEC_PER_MSEC)
#define WRITEBACK_AGE NSEC_PER_SEC

static struct {
	struct spinlock lock; /* protects: pages, n, and link and PG_LRU of the pages on it */
	struct list_head pages; /* newest first */
	u64 n;
} lru = { .pages = LIST_HEAD_INIT(lru.pages) };

static struct {
	struct waitq wq;
	u32 started; /* atomic */
	u32 kicked; /* atomic */
	u32 hungry; /* atomic: HUNGRY_* of those who wait */
} mm_thread;

void lru_add(struct page *p)
{
	spin_lock(&lru.lock);
	/* it may have been truncated away meanwhile */
	if (p->mapping && !(atomic_or(&p->flags, PG_LRU) & PG_LRU)) {
		list_add(&lru.pages, &p->link);
		lru.n++;
	}
	spin_unlock(&lru.lock);
}

void lru_del(struct page *p)
{
	spin_lock(&lru.lock);
	if (atomic_and(&p->flags, ~PG_LRU) & PG_LRU) {
		list_del(&p->link);
		lru.n--;
	}
	spin_unlock(&lru.lock);
}

/* Next page under the hand that may be looked at; it moves to the young end. lru.lock held. */
static struct page *lru_hand(void)
{
	struct page *p;

	if (list_empty(&lru.pages))
		return NULL;
	p = list_last_entry(&lru.pages, struct page, link);
	list_del(&p->link);
	list_add(&lru.pages, &p->link);
	return p;
}

/* Whose pages may go. */
struct lru_scope {
	const struct cgroup *
		only; /* those of a cgroup that has to give; NULL: anybody's but what is protected */
	bool low; /* by memory.low too */
};

static const struct lru_scope lru_all = { NULL, true }, lru_need = { NULL, false };

static bool lru_page_wanted(const struct page *p, const struct lru_scope *s)
{
	if (s->only)
		return memcg_owns(s->only, p);
	return !p->memcg || !memcg_protects(p, s->low);
}

static bool lru_page_idle(struct page *p)
{
	if (atomic_and(&p->flags, ~PG_REFERENCED) & PG_REFERENCED)
		return false;
	return !(atomic_load(&p->flags) & (PG_LOCKED | PG_DIRTY | PG_WRITEBACK));
}

/* Drop a clean page that only the cache holds. lru.lock held on entry and return, released between. */
static bool lru_drop(struct page *p)
{
	struct mapping *m = p->mapping;
	bool drop;

	if (!spin_trylock(&m->lock))
		return false;
	spin_unlock(&lru.lock);
	drop = p->mapping == m && atomic_load(&p->ref.count) == 1 &&
	       !(atomic_load(&p->flags) & (PG_LOCKED | PG_DIRTY | PG_WRITEBACK));
	if (drop)
		mapping_remove_page(m, p);
	spin_unlock(&m->lock);
	if (drop)
		page_put(p);
	spin_lock(&lru.lock);
	return drop;
}

/* lru.lock held. */
static u64 lru_shrink_locked(u64 want, const struct lru_scope *scope)
{
	u64 freed = 0;

	/* two rounds: the first may only take the referenced marks away */
	for (u64 scan = lru.n * 2; scan && freed < want; scan--) {
		struct page *p = lru_hand();

		if (!p)
			break;
		if (lru_page_wanted(p, scope) && lru_page_idle(p) && !p->mapcount && lru_drop(p))
			freed++;
	}
	return freed;
}

static u64 lru_shrink_of(u64 want, const struct lru_scope *scope)
{
	u64 freed;

	spin_lock(&lru.lock);
	freed = lru_shrink_locked(want, scope);
	spin_unlock(&lru.lock);
	return freed;
}

/* For page_alloc, whose caller may hold locks that come after lru.lock: it waits a little for another CPU that fills the cache or shrinks it. */
u64 lru_shrink(u64 want)
{
	u64 freed;

	for (u32 spins = 0; !spin_trylock(&lru.lock); spins++) {
		if (spins == LRU_SPINS)
			return 0;
		cpu_relax();
	}
	freed = lru_shrink_locked(want, &lru_all);
	spin_unlock(&lru.lock);
	return freed;
}

u64 mm_drop_clean(void)
{
	u64 n, sum = 0;

	while ((n = lru_shrink(~0UL)))
		sum += n;
	return sum;
}

/* Unmap and drop up to a batch of clean mapped pages. */
static u64 lru_unmap(const struct lru_scope *scope)
{
	struct page *pages[RECLAIM_BATCH];
	struct mapping *maps[RECLAIM_BATCH];
	u32 n = 0;

	spin_lock(&lru.lock);
	for (u64 scan = lru.n; scan && n < RECLAIM_BATCH; scan--) {
		struct page *p = lru_hand();
		struct mapping *m = p->mapping;

		if (!p->mapcount || !lru_page_wanted(p, scope) || !lru_page_idle(p) ||
			!spin_trylock(&m->lock))
			continue;
		mapping_pin(m);
		page_get(p);
		spin_unlock(&m->lock);
		maps[n] = m;
		pages[n++] = p;
	}
	spin_unlock(&lru.lock);
	for (u32 i = 0; i < n; i++) {
		rmap_unmap(maps[i], pages[i]->index, pages[i]->index + 1, false);
		page_put(pages[i]);
		mapping_unpin(maps[i]);
	}
	return n ? lru_shrink_of(n, scope) : 0;
}

bool mm_plenty(void)
{
	u64 low = page_low_water();

	return page_free_count() > low * 4;
}

bool mm_ample(void)
{
	struct page_stats s;

	page_stats(&s);
	return mm_plenty() && page_free_count() > s.total / 4;
}

static void mm_wait_writeback(u32 hunger)
{
	atomic_or(&mm_thread.hungry, hunger);
	mm_thread_kick();
	sched_sleep_until(clock_monotonic() + NSEC_PER_MSEC, false);
}

bool mm_reclaim(u64 want)
{
	u64 before = page_free_count(), dirty = writeback_dirty_pages();

	if (lru_shrink_of(want, &lru_all) || lru_unmap(&lru_all) ||
		lru_shrink_of(want, &lru_need) || lru_unmap(&lru_need))
		return true;
	if (dirty)
		mm_wait_writeback(HUNGRY_PAGES);
	return page_free_count() > before || writeback_dirty_pages() < dirty ||
	       swap_make_room(NULL);
}

struct page *mm_buffer_page(void)
{
	struct page *p = page_alloc(0, GFP_USER);

	for (u32 tries = 0; !p && tries < BUFFER_TRIES && mm_reclaim(RECLAIM_BATCH); tries++)
		p = page_alloc(0, GFP_USER);
	return p;
}

bool mm_reclaim_cgroup(struct cgroup *cg, u64 want)
{
	const struct lru_scope scope = { cg, false };
	u64 dirty = writeback_dirty_pages();

	if (lru_shrink_of(want, &scope) || lru_unmap(&scope))
		return true;
	if (dirty && memcg_cache(cg))
		mm_wait_writeback(HUNGRY_CLEAN);
	return writeback_dirty_pages() < dirty;
}

/* ---- the mm thread ---- */

static void mm_thread_wait(u64 deadline)
{
	wait_event_intr_deadline(&mm_thread.wq, atomic_load(&mm_thread.kicked), deadline);
	atomic_store(&mm_thread.kicked, 0);
}

static void mm_thread_main(void *arg)
{
	(void)arg;
	for (;;) {
		u64 deadline = WAIT_FOREVER;

		if (writeback_dirty_pages())
			deadline = clock_monotonic() + WRITEBACK_AGE;
		else if (page_unreported() > REPORT_TRIGGER)
			deadline = clock_monotonic() + REPORT_DELAY;
		mm_thread_wait(deadline);
		if (deadline == WAIT_FOREVER)
			continue; /* the kick made work: give it its time to age */
		while (!atomic_load(&mm_thread.hungry) && clock_monotonic() < deadline)
			mm_thread_wait(deadline);
		if (writeback_dirty_pages())
			writeback_round();
		if (atomic_xchg(&mm_thread.hungry, 0) & HUNGRY_PAGES)
			lru_shrink(256);
		else if (page_unreported() > REPORT_TRIGGER)
			page_report(REPORT_CUSHION);
	}
}

void filemap_start_flusher(void)
{
	if (atomic_load(&mm_thread.started) || atomic_xchg(&mm_thread.started, 1))
		return;
	waitq_init(&mm_thread.wq);
	if (!kthread_run(mm_thread_main, NULL, "mm"))
		log_error("mm: no memory for the write-back thread");
}

void mm_thread_kick(void)
{
	if (!atomic_load(&mm_thread.started))
		return;
	atomic_store(&mm_thread.kicked, 1);
	waitq_wake_all(&mm_thread.wq);
}
