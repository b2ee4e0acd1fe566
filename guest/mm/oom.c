/* SPDX-License-Identifier: Apache-2.0 */
/* When nothing can be reclaimed: kill the process with the most resident memory, and let the dying finish on the kernel's reserve. */
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "mm/as_internal.h"
#include "mm/filemap_internal.h"
#include "mm/reclaim.h"
#include "task/task.h"
#include "task/pid.h"

#define OOM_CACHE_PART 64u /* this part of memory, at least OOM_CACHE_MIN pages, stays cached */
#define OOM_CACHE_MIN  512u
#define OOM_TRIES      200u /* rounds of 2 ms that an allocation waits for a victim to die */

static u64 oom_count;

u64 oom_kills(void)
{
	return atomic_load(&oom_count);
}

struct oom_search {
	u64 rss; /* pages of the largest so far, weighed with oom_score_adj */
	struct group *victim; /* reference */
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

	flags = spin_lock_irq(&g->sig_lock);
	list_for_each_entry (t, &g->tasks, group_link) {
		if (t->as) {
			rss = MAX(as_rss(t->as), 1);
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
	}
	return true;
}

static bool oom_choose(void)
{
	struct oom_search s = { .rss = 0 };
	struct group *g;

	group_for_each_in(&pid_ns_root, oom_look, &s);
	if (s.dying) {
		group_put(s.victim);
		return true;
	}
	g = s.victim;
	if (!g)
		return false;
	log_warn("mm: out of memory: kill pid=%d rss=%lu KiB", g->pid,
		(unsigned long)(s.rss * (PAGE_SIZE / 1024)));
	signal_send_group(g, SIGKILL, NULL);
	atomic_add(&oom_count, 1);
	group_put(g);
	return true;
}

bool oom_kill(void)
{
	static bool busy;
	bool victim;

	/* several CPUs run out at once: one victim is enough */
	if (atomic_xchg(&busy, true))
		return true;
	victim = oom_choose();
	atomic_store(&busy, false);
	return victim;
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

struct page *mm_alloc_page(u32 gfp)
{
	struct page *p = page_alloc(0, gfp | GFP_USER);

	for (u32 tries = 0; !p && tries < OOM_TRIES; tries++) {
		if (oom_self_dying())
			return page_alloc(0, gfp);
		if (oom_thrashing() || !mm_reclaim(64)) {
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
