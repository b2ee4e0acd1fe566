/* SPDX-License-Identifier: Apache-2.0 */
/* Run queues: see runq.h. Virtual runtimes may wrap around: only differences are compared. */
#include "kernel/runq.h"
#include "kernel/sched.h"

#define RUNQ_SLEEP_CREDIT 3000000UL /* ns */

static struct thread *runq_entry(struct rb_node *n)
{
	return rb_entry(n, struct thread, run_node);
}

bool runq_before(const struct thread *a, const struct thread *b, u64 margin)
{
	return (s64)(b->vruntime - a->vruntime) > (s64)margin;
}

void runq_push(struct runq *rq, struct thread *t)
{
	struct rb_node **link = &rq->tree.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = runq_before(t, runq_entry(parent), 0) ? &parent->left : &parent->right;
	}
	rb_insert(&rq->tree, &t->run_node, parent, link);
	t->queued = true;
	rq->queued++;
}

void runq_remove(struct runq *rq, struct thread *t)
{
	rb_erase(&rq->tree, &t->run_node);
	t->queued = false;
	rq->queued--;
	WRITE_ONCE(rq->relies, 0);
}

struct thread *runq_first(const struct runq *rq, u32 cpu)
{
	struct rb_node *n = rb_first(&rq->tree);

	while (n && !(runq_entry(n)->cpu_mask >> cpu & 1))
		n = rb_next(n);
	return n ? runq_entry(n) : NULL;
}

struct thread *runq_last(const struct runq *rq, u32 cpu)
{
	struct rb_node *n = rb_last(&rq->tree);

	while (n && !(runq_entry(n)->cpu_mask >> cpu & 1))
		n = rb_prev(n);
	return n ? runq_entry(n) : NULL;
}

void runq_raise_floor(struct runq *rq, u64 running)
{
	struct rb_node *n = rb_first(&rq->tree);
	u64 least = running;

	if (n && (s64)(runq_entry(n)->vruntime - least) < 0)
		least = runq_entry(n)->vruntime;
	if ((s64)(least - rq->floor) > 0)
		rq->floor = least;
}

void runq_place_woken(const struct runq *rq, struct thread *t)
{
	u64 least = rq->floor - RUNQ_SLEEP_CREDIT;

	if ((s64)(t->vruntime - least) < 0)
		t->vruntime = least;
}

void runq_rebase(const struct runq *from, const struct runq *to, struct thread *t)
{
	t->vruntime += READ_ONCE(to->floor) - READ_ONCE(from->floor);
}
