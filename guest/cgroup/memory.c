/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Charging memory. A page remembers by a number who pays for it. Each CPU holds a stock for one cgroup at a time: pages that are charged in
 * advance, and what has to be added to counters later; so the counters of all levels are touched once in MEMCG_BATCH pages.
 *
 * The lock of a CPU's stock also keeps alive what it looks at: a cgroup is freed only after every stock lock was free once since nothing led
 * to it any more (memcg_quiesce). The number of a removed cgroup stands for its parent until its last page is gone.
 */
#include "cgroup/internal.h"

#include "arch.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "lib/swapmap.h"
#include "mm/page.h"
#include "task/task.h"

#define MEMCG_BATCH 32

_Static_assert(CGROUP_MAX <= SWAP_OWNER_MAX, "a place in a swap area remembers its cgroup");

static struct memcg_id {
	struct cgroup *cg; /* who pays for pages with this number; NULL: free */
	s64 pages; /* with this number; atomic */
	bool removed; /* cg is an ancestor of the one that had it */
} memcg_ids[CGROUP_MAX + 1];

static struct memcg_stock {
	struct spinlock lock; /* leaf */
	u16 id; /* 0: empty */
	s32 room; /* pages charged in advance */
	bool filled; /* since somebody who can wait looked at memory.high */
	s32 pages; /* to be added to memcg_ids[id].pages */
	s32 stat[MEMCG_STATS];
} __aligned(64) memcg_stocks[CM_MAX_CPUS];

static struct memcg_stock *stock_lock(void)
{
	struct memcg_stock *s = &memcg_stocks[cpu_id()];

	spin_lock(&s->lock);
	return s;
}

/* ---- the counters ---- */
static void counters_sub(struct cgroup *cg, s64 n)
{
	for (; cg; cg = cg->parent)
		atomic_sub(&cg->mem_usage, n);
}

/* The cgroup in the way, or NULL. */
static struct cgroup *counters_add(struct cgroup *cg, s64 n, bool force)
{
	struct cgroup *c, *undo;

	for (c = cg; c; c = c->parent) {
		s64 now = atomic_add(&c->mem_usage, n);

		if (!force && now > READ_ONCE(c->mem_max))
			break;
		if (now > READ_ONCE(c->mem_peak))
			WRITE_ONCE(c->mem_peak, now);
	}
	if (!c)
		return NULL;
	for (undo = cg;; undo = undo->parent) {
		atomic_sub(&undo->mem_usage, n);
		if (undo == c)
			return c;
	}
}

static void counters_stat(struct cgroup *cg, const s32 *stat)
{
	for (; cg; cg = cg->parent) {
		for (u32 i = 0; i < MEMCG_STATS; i++) {
			if (stat[i])
				atomic_add(&cg->mem_stat[i], (s64)stat[i]);
		}
	}
}

static void stock_flush(struct memcg_stock *s)
{
	struct cgroup *cg = memcg_ids[s->id].cg;

	if (!s->id)
		return;
	if (s->room)
		counters_sub(cg, s->room);
	atomic_add(&memcg_ids[s->id].pages, (s64)s->pages);
	counters_stat(cg, s->stat);
	s->id = 0;
	s->room = s->pages = 0;
	for (u32 i = 0; i < MEMCG_STATS; i++)
		s->stat[i] = 0;
}

static void stock_turn_to(struct memcg_stock *s, u16 id)
{
	if (s->id == id)
		return;
	stock_flush(s);
	s->id = id;
}

/* What all CPUs hold goes to the counters. */
static void memcg_drain(void)
{
	for (u32 i = 0; i < cpu_count(); i++) {
		spin_lock(&memcg_stocks[i].lock);
		stock_flush(&memcg_stocks[i]);
		spin_unlock(&memcg_stocks[i].lock);
	}
}

void memcg_quiesce(void)
{
	for (u32 i = 0; i < cpu_count(); i++) {
		spin_lock(&memcg_stocks[i].lock);
		spin_unlock(&memcg_stocks[i].lock);
	}
}

/* ---- charging ---- */
static struct cgroup *memcg_over_high(struct cgroup *cg)
{
	for (; cg; cg = cg->parent) {
		if (READ_ONCE(cg->mem_usage) > READ_ONCE(cg->mem_high) &&
			ref_get_unless_zero(&cg->ref))
			return cg;
	}
	return NULL;
}

/* Room for one page of cg in s. NULL, or the cgroup in the way. */
static struct cgroup *stock_fill(struct memcg_stock *s, struct cgroup *cg, bool force)
{
	struct cgroup *over;

	stock_turn_to(s, cg->mem_id);
	if (s->room)
		return NULL;
	s->filled = true;
	over = counters_add(cg, MEMCG_BATCH, false);
	if (!over) {
		s->room = MEMCG_BATCH;
		return NULL;
	}
	over = counters_add(cg, 1, force);
	if (!over)
		s->room = 1;
	return over;
}

static struct cgroup *memcg_charge_once(struct page *p, bool force, struct cgroup **high)
{
	struct task *t = task_current();
	struct memcg_stock *s = stock_lock();
	struct cgroup *cg = t ? READ_ONCE(t->cgroup) : NULL, *over = NULL;

	if (cg)
		over = stock_fill(s, cg, force);
	if (cg && !over) {
		s->room--;
		s->pages++;
		p->memcg = cg->mem_id;
		if (high && s->filled) {
			s->filled = false;
			*high = memcg_over_high(cg);
		}
	}
	if (over && !ref_get_unless_zero(&over->ref))
		over = NULL; /* cannot be: it has a member, the caller */
	spin_unlock(&s->lock);
	return over;
}

struct cgroup *memcg_charge(struct page *p, bool force, struct cgroup **high)
{
	struct cgroup *over = memcg_charge_once(p, force, high);

	if (likely(!over))
		return NULL;
	cgroup_put(over);
	memcg_drain();
	return memcg_charge_once(p, force, high);
}

bool memcg_try_charge(struct page *p)
{
	struct cgroup *over = memcg_charge_once(p, false, NULL);

	cgroup_put(over);
	return !over;
}

static void memcg_uncharge(struct page *p)
{
	struct memcg_stock *s = stock_lock();

	if (s->id == p->memcg) {
		s->pages--;
		if (++s->room > 2 * MEMCG_BATCH) {
			counters_sub(memcg_ids[s->id].cg, MEMCG_BATCH);
			s->room -= MEMCG_BATCH;
		}
	} else {
		counters_sub(memcg_ids[p->memcg].cg, 1);
		atomic_sub(&memcg_ids[p->memcg].pages, 1);
	}
	p->memcg = 0;
	spin_unlock(&s->lock);
}

void memcg_account(const struct page *p, enum memcg_stat what, s64 n)
{
	struct memcg_stock *s;
	u16 id = READ_ONCE(p->memcg);

	if (!id)
		return;
	s = stock_lock();
	if (s->id == id) {
		s->stat[what] += (s32)n;
	} else {
		s32 one[MEMCG_STATS] = { 0 };

		one[what] = (s32)n;
		counters_stat(memcg_ids[id].cg, one);
	}
	spin_unlock(&s->lock);
}

static void memcg_page_freed(struct page *p)
{
	if (p->flags & PG_ANON)
		memcg_account(p, MEMCG_ANON, -1);
	memcg_uncharge(p);
}

/* ---- swap ---- */
bool memcg_may_swap(const struct page *p)
{
	struct memcg_stock *s = stock_lock();
	struct cgroup *c = memcg_ids[READ_ONCE(p->memcg)].cg;

	for (; c; c = c->parent) {
		if (READ_ONCE(c->mem_stat[MEMCG_SWAP]) >= READ_ONCE(c->mem_swap_max))
			break;
	}
	if (c)
		atomic_add(&c->mem_swap_full, 1);
	spin_unlock(&s->lock);
	return !c;
}

/* A place keeps the number in use as a page does. */
void memcg_swap(u16 id, s64 n)
{
	struct memcg_stock *s = stock_lock();
	s32 one[MEMCG_STATS] = { [MEMCG_SWAP] = (s32)n };

	counters_stat(memcg_ids[id].cg, one);
	atomic_add(&memcg_ids[id].pages, n);
	spin_unlock(&s->lock);
}

/* ---- questions ---- */
bool memcg_owns(const struct cgroup *cg, const struct page *p)
{
	struct memcg_stock *s = stock_lock();
	u16 id = READ_ONCE(p->memcg);
	bool ret = id && cgroup_contains(cg, memcg_ids[id].cg);

	spin_unlock(&s->lock);
	return ret;
}

/* A cgroup is spared while it, and each above it, uses no more than it was promised. */
bool memcg_protects(const struct page *p, bool low)
{
	struct memcg_stock *s = stock_lock();
	u16 id = READ_ONCE(p->memcg);
	struct cgroup *c = id ? memcg_ids[id].cg : NULL;
	bool ret = c && c->parent;

	for (; ret && c->parent; c = c->parent) {
		s64 promised = READ_ONCE(c->mem_min);

		if (low)
			promised = MAX(promised, READ_ONCE(c->mem_low));
		ret = READ_ONCE(c->mem_usage) <= promised;
	}
	spin_unlock(&s->lock);
	return ret;
}

static u64 memcg_count(s64 v)
{
	return v > 0 ? (u64)v : 0;
}

u64 memcg_cache(const struct cgroup *cg)
{
	return memcg_count(
		READ_ONCE(cg->mem_stat[MEMCG_FILE]) - READ_ONCE(cg->mem_stat[MEMCG_SHMEM]));
}

u64 memcg_limit(const struct cgroup *cg)
{
	return memcg_count(READ_ONCE(cg->mem_max));
}

u64 memcg_usage(const struct cgroup *cg)
{
	memcg_drain();
	return memcg_count(READ_ONCE(cg->mem_usage));
}

u64 memcg_pages(const struct cgroup *cg, enum memcg_stat what)
{
	return (u64)MAX(READ_ONCE(cg->mem_stat[what]), 0L);
}

u64 memcg_high_delay(const struct cgroup *cg)
{
	s64 high = MAX(READ_ONCE(cg->mem_high), 1L), over = READ_ONCE(cg->mem_usage) - high;
	u64 ms = over > 0 ? 1 + (u64)over * 100 / (u64)high : 0;

	return MIN(ms, 100UL) * 1000000UL;
}

void memcg_event(struct cgroup *cg, enum memcg_event e)
{
	atomic_add(&cg->mem_event_local[e], 1);
	cgroup_note(cg, CG_NOTE_MEMORY_LOCAL);
	for (; cg; cg = cg->parent) {
		atomic_add(&cg->mem_event[e], 1);
		cgroup_note(cg, CG_NOTE_MEMORY);
	}
}

u64 cgroup_oom_kills(struct cgroup *cg)
{
	return atomic_load(&cg->mem_event[MEMCG_OOM_KILL]);
}

struct cgroup *memcg_oom_group(struct cgroup *victim, struct cgroup *cause)
{
	struct cgroup *found = NULL;

	for (; victim && victim->parent; victim = victim->parent) {
		if (READ_ONCE(victim->mem_oom_group))
			found = victim;
		if (victim == cause)
			break;
	}
	if (found)
		cgroup_get(found);
	return found;
}

/* ---- life ---- */
static void memcg_set_limits(struct cgroup *cg)
{
	cg->mem_max = cg->mem_high = cg->mem_swap_max = (s64)CGROUP_UNLIMITED;
	cg->mem_min = cg->mem_low = 0;
	cg->mem_oom_group = false;
}

void memcg_init_root(struct cgroup *root)
{
	root->mem_id = 1;
	memcg_ids[1].cg = root;
	memcg_set_limits(root);
	page_set_uncharge(memcg_page_freed);
}

int memcg_create(struct cgroup *cg)
{
	memcg_set_limits(cg);
	for (u32 tries = 0; tries < 2; tries++) {
		for (u32 i = 2; i <= CGROUP_MAX; i++) {
			struct memcg_id *m = &memcg_ids[i];

			if (m->cg && !(m->removed && atomic_load(&m->pages) == 0))
				continue;
			m->cg = cg;
			m->removed = false;
			cg->mem_id = (u16)i;
			return 0;
		}
		memcg_drain();
	}
	return -EAGAIN;
}

void memcg_remove(struct cgroup *cg)
{
	for (u32 i = 2; i <= CGROUP_MAX; i++) {
		if (memcg_ids[i].cg == cg) {
			memcg_ids[i].removed = true;
			atomic_store(&memcg_ids[i].cg, cg->parent);
		}
	}
	memcg_drain();
}

void memcg_reset(struct cgroup *cg)
{
	memcg_set_limits(cg);
}
