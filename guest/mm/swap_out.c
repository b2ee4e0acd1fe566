/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages on their way out, by batches of one address space: read-only, flush, write, exchange the entries that nobody needed meanwhile, flush, free. mm/README says
 * why that is sound.
 *
 * The hand goes round all address spaces, and through each of them from where it stopped. An entry that was used since it came by loses its mark and stays. To take a mark
 * and to set it again is a trap each where the host shadows page tables: when so many were taken in vain that it costs more than the wrong page would, any page goes.
 */
#include "cgroup/cgroup.h"
#include "kernel/errno.h"
#include "kernel/sched.h"
#include "kernel/waitq.h"
#include "lib/string.h"
#include "mm/as_internal.h"
#include "mm/swap_internal.h"
#include "task/task.h"

#define OUT_WANT   256u /* pages that are to become free for one who waits */
#define OUT_SCAN   4096u /* entries looked at in one hold of pt_lock */
#define OUT_MARKS  512u /* marks taken at most for one who waits */
#define OUT_ROUNDS 3u /* the first may only take marks away, the last takes all */

/* Whose pages may go. */
struct out_scope {
	struct cgroup
		*only; /* those of a cgroup that has to give; NULL: all that are not protected */
	u32 marks; /* so many that were just used are spared */
};

struct out_page {
	uaddr_t va;
	pte_t e; /* what was left in the entry */
	struct page *p; /* reference */
	u32 where;
	bool safe; /* it is at its place */
	bool gone; /* nothing points at it any more */
};

static struct {
	struct mutex lock; /* protects: ready, n, pages, copy */
	bool ready;
	u32 n;
	struct out_page pages[SWAP_BATCH];
	struct page *copy[SWAP_BATCH]; /* what is written: nobody else has these */
	struct spinlock req_lock; /* protects: requests. Leaf */
	struct list_head requests;
	struct waitq work, done;
	struct thread *thread;
} out;

struct out_request {
	struct list_head link;
	struct cgroup *only;
	u64 freed;
	bool done; /* atomic */
};

/* ---- one batch ---- */

static bool out_vma(const struct vma *v)
{
	return !(v->flags & (VMA_LOCKED | VMA_SPECIAL | VMA_SHARED)) && !v->file && !v->shm;
}

static bool out_wanted(const struct page *p, const struct out_scope *s)
{
	if (s->only && !memcg_owns(s->only, p))
		return false;
	return s->only || !p->memcg || !memcg_protects(p, false);
}

/* One entry. pt_lock held. */
static void out_look(uaddr_t va, pte_t *slot, struct out_scope *s)
{
	pte_t e = *slot;
	struct page *p = pte_present(e) ? page_of(pte_pa(e)) : NULL;

	if (!p || (p->flags & (PG_ANON | PG_RESERVED)) != PG_ANON ||
		atomic_load(&p->ref.count) != 1 || READ_ONCE(p->mapcount) != 1)
		return;
	if (!out_wanted(p, s))
		return;
	if (pte_accessed(e) && s->marks) {
		s->marks--;
		pte_forget_access(slot);
		return;
	}
	if (!swap_may_charge(p))
		return;
	e = pte_untouched(pte_wrprotect(e));
	*slot = e;
	page_get(p);
	out.pages[out.n++] = (struct out_page){ .va = va, .e = e, .p = p };
}

/* Fill the batch from *va on; *va moves to where it stopped. */
static void out_collect(struct as *as, uaddr_t *va, uaddr_t end, struct out_scope *s)
{
	u32 looks = 0;
	pte_t *slot;

	spin_lock(&as->pt_lock);
	while (looks < OUT_SCAN && out.n < SWAP_BATCH && (slot = pgt_walk_next(&as->pt, va, end))) {
		uaddr_t stop = MIN(end, pte_table_end(*va));

		for (; *va < stop && out.n < SWAP_BATCH; *va += PAGE_SIZE, slot++, looks++)
			out_look(*va, slot, s);
	}
	spin_unlock(&as->pt_lock);
	if (looks < OUT_SCAN && out.n < SWAP_BATCH)
		*va = end;
}

static void out_flush(struct as *as)
{
	tlb_flush(&as->pt, ~0UL, out.pages[0].va, out.pages[out.n - 1].va + PAGE_SIZE);
}

/* Nobody can write to the pages any more: bring them to places of their own. */
static void out_write(void)
{
	u32 n, where = 0;

	for (u32 i = 0; i < out.n; i++)
		memcpy(page_va(out.copy[i]), page_va(out.pages[i].p), PAGE_SIZE);
	for (u32 i = 0; i < out.n; i += n) {
		bool safe;

		n = swap_take(out.n - i, &where);
		if (!n)
			return;
		safe = !swap_write(where, out.copy + i, n);
		for (u32 k = i; k < i + n; k++) {
			out.pages[k].where = where + (k - i);
			out.pages[k].safe = safe;
		}
	}
}

/* pt_lock held. */
static void out_exchange(struct as *as, struct out_page *o, bool used)
{
	pte_t *slot = pgt_walk(&as->pt, o->va, false);
	pte_t now = slot ? *slot : 0;

	if (used)
		now = pte_untouched(now);
	if (now != o->e || atomic_load(&o->p->ref.count) != 2)
		return;
	*slot = pte_away(o->where);
	swap_charge(o->where, o->p);
	pte_account(as, o->p, -1);
	atomic_add(&as->swapped, 1);
	o->gone = true;
}

/* Who is not gone gives its place back. How many are. */
static u32 out_finish(struct as *as, bool used)
{
	u32 gone = 0;

	spin_lock(&as->pt_lock);
	for (u32 i = 0; i < out.n; i++) {
		if (out.pages[i].safe)
			out_exchange(as, &out.pages[i], used);
		gone += out.pages[i].gone;
		if (out.pages[i].where && !out.pages[i].gone)
			swap_put(pte_away(out.pages[i].where));
	}
	spin_unlock(&as->pt_lock);
	if (gone)
		out_flush(as);
	for (u32 i = 0; i < out.n; i++) {
		if (out.pages[i].gone)
			page_put(out.pages[i].p);
		page_put(out.pages[i].p);
	}
	return gone;
}

/* as->lock is held for reading. Pages that became free; *va moves on. */
static u32 out_batch(struct as *as, uaddr_t *va, uaddr_t end, struct out_scope *s)
{
	u32 gone = 0;

	mutex_lock(&out.lock);
	out.n = 0;
	if (out.ready)
		out_collect(as, va, end, s);
	else
		*va = end; /* the last area has just gone */
	if (out.n) {
		out_flush(as);
		out_write();
		gone = out_finish(as, !s->marks);
	}
	mutex_unlock(&out.lock);
	return gone;
}

void swap_out_range(struct vma *v, uaddr_t start, uaddr_t end)
{
	struct out_scope s = { .marks = 0 };
	struct task *t = task_current();

	while (out_vma(v) && start < end && swap_has_room() && !(t && t->group->group_exit))
		out_batch(v->as, &start, end, &s);
}

/* ---- the hand ---- */

/* Up to `want` pages of [from, end). as->lock is held for reading. */
static u64 out_span(struct as *as, uaddr_t from, uaddr_t end, struct out_scope *s, u64 want)
{
	u64 freed = 0;

	for (struct vma *v = as_find_vma(as, from); v && v->start < end && freed < want;
		v = vma_next(v)) {
		uaddr_t at = MAX(v->start, from), stop = MIN(v->end, end);

		while (out_vma(v) && at < stop && freed < want && swap_has_room()) {
			freed += out_batch(as, &at, stop, s);
			as->swap_hand = at;
		}
	}
	return freed;
}

static u64 out_space(struct as *as, struct out_scope *s, u64 want)
{
	uaddr_t hand;
	u64 freed = 0;

	if (!rwsem_read_try(&as->lock))
		return 0;
	if (atomic_load(&as->ref.count) > 0 && READ_ONCE(as->rss_anon) > 0) {
		hand = as->swap_hand;
		freed = out_span(as, hand, USER_TOP, s, want);
		if (freed < want)
			freed += out_span(as, 0, hand, s, want - freed);
	}
	rwsem_read_unlock(&as->lock);
	return freed;
}

/* Once through all, from where the last one stopped; *hand is held. */
static u64 out_round(struct as **hand, struct out_scope *s, u64 want)
{
	u64 freed = 0;

	for (u32 n = as_count() + 1; n && swap_has_room(); n--) {
		if (*hand)
			freed += out_space(*hand, s, want - freed);
		if (freed >= want)
			return freed;
		*hand = as_next(*hand);
	}
	return freed;
}

static u64 out_pass(struct as **hand, struct cgroup *only)
{
	struct out_scope s = { .only = only, .marks = OUT_MARKS };
	u64 freed = 0;

	for (u32 i = 0; i < OUT_ROUNDS && freed < OUT_WANT; i++) {
		if (i == OUT_ROUNDS - 1)
			s.marks = 0;
		freed += out_round(hand, &s, OUT_WANT - freed);
	}
	return freed;
}

/* ---- who needs memory, and the thread that makes room ---- */

bool swap_make_room(struct cgroup *only)
{
	struct out_request r = { .only = only };

	if (!swap_has_room() || thread_current() == out.thread)
		return false;
	spin_lock(&out.req_lock);
	list_add_tail(&out.requests, &r.link);
	spin_unlock(&out.req_lock);
	waitq_wake_all(&out.work);
	wait_event(&out.done, atomic_load(&r.done));
	return r.freed != 0;
}

static struct out_request *out_first(void)
{
	struct out_request *r = NULL;

	spin_lock(&out.req_lock);
	if (!list_empty(&out.requests))
		r = list_first_entry(&out.requests, struct out_request, link);
	spin_unlock(&out.req_lock);
	return r;
}

/* Everybody who waits for the same has it now. */
static void out_answer(struct cgroup *only, u64 freed)
{
	struct out_request *r, *next;

	spin_lock(&out.req_lock);
	list_for_each_entry_safe (r, next, &out.requests, link) {
		if (r->only != only)
			continue;
		list_del(&r->link);
		r->freed = freed;
		atomic_store(&r->done, true);
	}
	spin_unlock(&out.req_lock);
	waitq_wake_all(&out.done);
}

static void out_main(void *arg)
{
	struct as *hand = NULL;
	struct out_request *r;

	(void)arg;
	for (;;) {
		struct cgroup *only;

		wait_event_intr_deadline(&out.work, out_first(), WAIT_FOREVER);
		r = out_first();
		if (!r)
			continue;
		only = r->only; /* he waits, so it stays */
		out_answer(only, out_pass(&hand, only));
	}
}

int swap_out_start(void)
{
	int ret = 0;

	if (!out.thread) {
		list_init(&out.requests);
		waitq_init(&out.work);
		waitq_init(&out.done);
		out.thread = kthread_run(out_main, NULL, "swap");
	}
	if (!out.thread)
		return -ENOMEM;
	mutex_lock(&out.lock);
	for (u32 i = 0; i < SWAP_BATCH && !ret; i++) {
		out.copy[i] = page_alloc(0, GFP_USER);
		ret = out.copy[i] ? 0 : -ENOMEM;
	}
	out.ready = !ret;
	mutex_unlock(&out.lock);
	if (ret)
		swap_out_stop();
	return ret;
}

void swap_out_stop(void)
{
	mutex_lock(&out.lock);
	out.ready = false;
	for (u32 i = 0; i < SWAP_BATCH; i++) {
		if (out.copy[i])
			page_put(out.copy[i]);
		out.copy[i] = NULL;
	}
	mutex_unlock(&out.lock);
}
