/* SPDX-License-Identifier: Apache-2.0 */
/* Pages on their way back: when somebody touches them, and all of them when their area is switched off. */
#include "cgroup/cgroup.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/sched.h"
#include "mm/fault.h"
#include "mm/reclaim.h"
#include "mm/swap_internal.h"
#include "task/task.h"

#define IN_TRIES 64u /* of making room for one page */
#define IN_TURN	 32u /* pages brought back in one hold of as->lock */

/* A user of the place for ourselves, while it is read: 1. 0: the page is there, or gone. -ENOMEM: it has too many. */
static int in_begin(struct as *as, uaddr_t va, pte_t e)
{
	const pte_t *slot;
	int ret = 0;

	spin_lock(&as->pt_lock);
	slot = pgt_look(&as->pt, va);
	if (slot && *slot == e)
		ret = swap_get(e) ? 1 : -ENOMEM;
	spin_unlock(&as->pt_lock);
	return ret;
}

/* Enter p, if that is still wanted; true: its reference is used up. */
static bool in_end(struct vma *v, uaddr_t va, pte_t e, struct page *p)
{
	struct as *as = v->as;
	pte_t *slot;
	bool ok;

	spin_lock(&as->pt_lock);
	slot = pgt_walk(&as->pt, va, false);
	ok = p && slot && *slot == e;
	if (ok) {
		fault_own_page(p);
		pte_account(as, p, 1);
		*slot = fault_pte(v, page_pa(p), true);
		atomic_sub(&as->swapped, 1);
		swap_put(e);
	}
	swap_put(e);
	spin_unlock(&as->pt_lock);
	return ok;
}

/* p: a new page, or NULL. as->lock is held for reading, and in_begin was 1. */
static int in_page(struct vma *v, uaddr_t va, pte_t e, struct page *p)
{
	int ret = p ? swap_read(pte_where(e), p) : -ENOMEM;

	if (!in_end(v, va, e, ret ? NULL : p) && p)
		page_put(p);
	return ret;
}

int swap_fault(struct vma *v, uaddr_t addr, pte_t e)
{
	struct task *t = task_current();
	int ret = in_begin(v->as, addr, e);

	if (ret <= 0)
		return ret;
	if (t && t->as == v->as) {
		t->min_flt--;
		t->maj_flt++;
	}
	return in_page(v, addr, e, mm_alloc_page(0));
}

/* ---- all of an area ---- */

/* A page without anybody being killed for it. */
static struct page *in_quiet_page(void)
{
	struct page *p = mm_try_page(0);

	for (u32 i = 0; !p && i < IN_TRIES && mm_reclaim(IN_TURN); i++)
		p = mm_try_page(0);
	return p;
}

/* The next entry of the area at or after *va and below end. */
static pte_t in_next(struct as *as, uaddr_t *va, uaddr_t end, u32 area)
{
	const pte_t *slot;
	pte_t found = 0;

	spin_lock(&as->pt_lock);
	while (!found && (slot = pgt_look_next(&as->pt, va, end))) {
		uaddr_t stop = MIN(end, pte_table_end(*va));

		for (; *va < stop && !found; slot++) {
			if (pte_is_away(*slot) && swap_area_of(*slot) == area)
				found = *slot;
			else
				*va += PAGE_SIZE;
		}
	}
	spin_unlock(&as->pt_lock);
	return found;
}

/* Up to IN_TURN pages from *va on, which moves. 0, or -errno; *va is the end of everything when nothing is left. as->lock is held for reading. */
static int in_turn(struct as *as, uaddr_t *va, u32 area)
{
	struct vma *v = as_find_vma(as, *va);

	for (u32 n = 0; v && n < IN_TURN; n++) {
		uaddr_t at = MAX(*va, v->start);
		pte_t e = in_next(as, &at, v->end, area);
		int ret = e ? in_begin(as, at, e) : 0;

		if (ret > 0)
			ret = in_page(v, at, e, in_quiet_page());
		if (ret)
			return ret;
		*va = e ? at + PAGE_SIZE : v->end;
		if (*va >= v->end)
			v = vma_next(v);
	}
	if (!v)
		*va = USER_TOP;
	return 0;
}

static bool in_interrupted(void)
{
	struct task *t = task_current();

	return t && signal_pending(t);
}

static int in_space(struct as *as, u32 area)
{
	uaddr_t va = 0;
	int ret = 0;

	while (va < USER_TOP && !ret && READ_ONCE(as->swapped) > 0) {
		if (in_interrupted())
			return -EINTR;
		rwsem_read_lock(&as->lock);
		/* what is ending gives its places back by itself */
		if (atomic_load(&as->ref.count) > 0)
			ret = in_turn(as, &va, area);
		else
			va = USER_TOP;
		rwsem_read_unlock(&as->lock);
	}
	return ret;
}

int swap_empty(u32 area)
{
	int ret = 0;

	while (!ret && swap_used(area)) {
		struct as *as = as_next(NULL);

		for (; as; as = as_next(as)) {
			if (!ret)
				ret = in_space(as, area);
		}
		if (!ret && in_interrupted())
			ret = -EINTR;
		if (!ret && swap_used(area))
			sched_sleep_until(clock_monotonic() + NSEC_PER_MSEC, false);
	}
	return ret;
}
