/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When nothing can be reclaimed and nothing written out: kill the process with the most resident memory, and let the dying finish on the kernel's reserve. The same for the
 * limit of a cgroup, among its processes; the dying go over it.
 */
#include "cgroup/cgroup.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "mm/as_internal.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "task/task.h"
#include "task/pid.h"

#define OOM_CACHE_PART 64u /* this part of memory, at least OOM_CACHE_MIN pages, stays cached */
#define OOM_CACHE_MIN  512u
#define OOM_TRIES      200u /* rounds of 2 ms that an allocation waits for a victim to die */

#define OOM_CGROUP_CACHE_MIN 32u /* the same of a cgroup's limit */
#define OOM_CGROUP_BATCH     64u /* pages to reclaim at once for a cgroup */
#define OOM_CGROUP_TRIES     4096u

static u64 oom_count;

u64 oom_kills(void)
{
	return atomic_load(&oom_count);
}

struct oom_search {
	const struct cgroup *only; /* whose processes, with those below; NULL: all */
	u64 rss; /* pages of the largest so far, weighed with oom_score_adj */
	struct group *victim; /* reference */
	struct cgroup *cg; /* the victim's, reference */
	bool dying; /* somebody is on his way out already */
};

/* Pages, shifted by oom_score_adj thousandths of all memory as Linux does. */
static u64 oom_weight(u64 rss, s16 adj, u64 total)
{
	s64 w = (s64)rss + (s64)adj * (s64)(total / 1000);

	return w > 0 ? (u64)w : 1;
}

static bool oom_look(struct group *g, void *arg)
{
	struct oom_search *s = arg;
	struct page_stats stats;
	struct task *t;
	u64 rss = 0, flags;

	if (s->only && (!g->leader || !cgroup_contains(s->only, g->leader->cgroup)))
		return true;
	flags = spin_lock_irq(&g->sig_lock);
	list_for_each_entry (t, &g->tasks, group_link) {
		if (t->as) {
			rss = MAX(as_rss(t->as) + (u64)MAX(READ_ONCE(t->as->swapped), 0L), 1);
			break;
		}
	}
	if (rss && g->group_exit)
		s->dying = true;
	spin_unlock_irq(&g->sig_lock, flags);
	if (!rss || g->oom_score_adj == -1000)
		return true;
	page_stats(&stats);
	rss = oom_weight(rss, g->oom_score_adj, stats.total);
	if (rss > s->rss) {
		s->rss = rss;
		group_put(s->victim);
		group_get(g);
		s->victim = g;
		cgroup_put(s->cg);
		s->cg = g->leader ? cgroup_of_task(g->leader) : NULL;
	}
	return true;
}

/* Kill g, or all that its cgroup makes die with it. */
static void oom_kill_process(struct group *g, struct cgroup *cg, struct cgroup *cause)
{
	struct cgroup *all = cg ? memcg_oom_group(cg, cause) : NULL;

	signal_send_group(g, SIGKILL, NULL);
	if (cg)
		memcg_event(cg, MEMCG_OOM_KILL);
	if (all) {
		cgroup_kill(all);
		memcg_event(all, MEMCG_OOM_GROUP_KILL);
	}
	cgroup_put(all);
}

static bool oom_choose(struct cgroup *only)
{
	struct oom_search s = { .only = only };
	struct group *g;

	group_for_each_in(&pid_ns_root, oom_look, &s);
	if (s.dying) {
		group_put(s.victim);
		cgroup_put(s.cg);
		return true;
	}
	g = s.victim;
	if (!g)
		return false;
	log_warn("mm: out of memory%s: kill pid=%d rss=%lu KiB", only ? " of a cgroup" : "", g->pid,
		(unsigned long)(s.rss * (PAGE_SIZE / 1024)));
	oom_kill_process(g, s.cg, only);
	cgroup_put(s.cg);
	atomic_add(&oom_count, 1);
	group_put(g);
	return true;
}

static bool oom_kill_one(struct cgroup *only)
{
	static bool busy;
	bool victim;

	/* several CPUs run out at once: one victim is enough */
	if (atomic_xchg(&busy, true))
		return true;
	victim = oom_choose(only);
	atomic_store(&busy, false);
	return victim;
}

bool oom_kill(void)
{
	return oom_kill_one(NULL);
}

bool oom_kill_cgroup(struct cgroup *cg)
{
	memcg_event(cg, MEMCG_OOM);
	return oom_kill_one(cg);
}

static bool oom_self_dying(void)
{
	struct task *t = task_current();

	return t && t->group->group_exit;
}

/*
 * What is left of the page cache is what programs run on: dropping it would give a page, which the program that is dropped takes back at its next
 * step, and so on for ever.
 */
static bool oom_thrashing(void)
{
	struct page_stats st;

	page_stats(&st);
	return st.cached < MAX(st.total / OOM_CACHE_PART, OOM_CACHE_MIN) &&
	       !writeback_dirty_pages();
}

static struct page *oom_alloc(u32 gfp)
{
	struct page *p = page_alloc(0, gfp | GFP_USER);

	for (u32 tries = 0; !p && tries < OOM_TRIES; tries++) {
		if (oom_self_dying())
			return page_alloc(0, gfp);
		if (!(oom_thrashing() ? swap_make_room(NULL) : mm_reclaim(64))) {
			if (!oom_kill())
				break;
			if (oom_self_dying())
				return page_alloc(0, gfp);
			sched_sleep_until(clock_monotonic() + 2 * NSEC_PER_MSEC, false);
		}
		p = page_alloc(0, gfp | GFP_USER);
	}
	return p;
}

/* The same question within a cgroup. */
static bool oom_cgroup_thrashing(struct cgroup *cg)
{
	return memcg_cache(cg) < MAX(memcg_limit(cg) / OOM_CACHE_PART, OOM_CGROUP_CACHE_MIN);
}

/* Make room below the limit of cg: false when there is none to be had. */
static bool oom_relieve(struct cgroup *cg)
{
	memcg_event(cg, MEMCG_MAX);
	if (!oom_cgroup_thrashing(cg) && mm_reclaim_cgroup(cg, OOM_CGROUP_BATCH))
		return true;
	if (swap_make_room(cg))
		return true;
	if (!oom_kill_cgroup(cg))
		return false;
	if (!oom_self_dying())
		sched_sleep_until(clock_monotonic() + 2 * NSEC_PER_MSEC, false);
	return true;
}

/* Above memory.high: give back, or go slower. */
static void oom_slow_down(struct cgroup *cg)
{
	u64 delay;

	memcg_event(cg, MEMCG_HIGH);
	if (!oom_cgroup_thrashing(cg))
		mm_reclaim_cgroup(cg, OOM_CGROUP_BATCH);
	delay = memcg_high_delay(cg);
	if (delay)
		sched_sleep_until(clock_monotonic() + delay, true);
	cgroup_put(cg);
}

static bool oom_charge(struct page *p)
{
	struct cgroup *high = NULL, *over = memcg_charge(p, oom_self_dying(), &high);
	bool room = true;

	for (u32 tries = 0; over && room && tries < OOM_CGROUP_TRIES; tries++) {
		room = oom_relieve(over);
		cgroup_put(over);
		over = memcg_charge(p, oom_self_dying(), &high);
	}
	if (high)
		oom_slow_down(high);
	cgroup_put(over);
	return !over;
}

struct page *mm_alloc_page(u32 gfp)
{
	struct page *p = oom_alloc(gfp);

	if (p && !oom_charge(p)) {
		page_put(p);
		p = NULL;
	}
	return p;
}

struct page *mm_try_page(u32 gfp)
{
	struct page *p = page_alloc(0, gfp | GFP_USER);

	if (p && !memcg_try_charge(p)) {
		page_put(p);
		p = NULL;
	}
	return p;
}
