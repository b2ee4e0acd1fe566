/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freezing: the threads of a cgroup stand still on their way to user mode, as they do for a stop signal, until they are thawed or killed.
 * Sleeps that a signal would end are ended and begun again.
 */
#include "cgroup/internal.h"
#include "task/internal.h"
#include "task/signal.h"

static struct waitq freeze_wq; /* of all cgroups: a thread may be moved while it sleeps here */

void cgroup_freeze_init(void)
{
	waitq_init(&freeze_wq);
}

bool cgroup_is_frozen(const struct cgroup *cg)
{
	return cg->freezers && cg->frozen == cg->live;
}

void cgroup_count_locked(struct cgroup *cg, s32 live, s32 frozen)
{
	for (; cg; cg = cg->parent) {
		bool populated = cg->live, still = cgroup_is_frozen(cg);

		cg->live += (u32)live;
		cg->frozen += (u32)frozen;
		if (populated != (cg->live != 0) || still != cgroup_is_frozen(cg))
			cgroup_note(cg, CG_NOTE_EVENTS);
	}
}

void cgroup_freeze_moved_locked(struct task *t)
{
	bool freeze = t->cgroup->freezers;

	if (freeze == t->cg_freeze)
		return;
	WRITE_ONCE(t->cg_freeze, freeze);
	if (freeze) {
		sched_interrupt(t->thread);
		sched_kick(t->thread);
	} else {
		waitq_wake_all(&freeze_wq);
	}
}

void cgroup_set_freeze(struct cgroup *cg, bool on)
{
	u64 flags = tree_lock();
	struct task *t;

	spin_lock(&cgroup_lock);
	for (struct cgroup *c = cg->freeze != on ? cg : NULL; c; c = cgroup_next(c, cg)) {
		bool was = cgroup_is_frozen(c);

		c->freezers += on ? 1u : ~0u;
		list_for_each_entry (t, &c->tasks, cgroup_link)
			cgroup_freeze_moved_locked(t);
		if (was != cgroup_is_frozen(c))
			cgroup_note(c, CG_NOTE_EVENTS);
	}
	cg->freeze = on;
	spin_unlock(&cgroup_lock);
	tree_unlock(flags);
}

/* t stands still, or goes on. */
static void freeze_mark(struct task *t, bool frozen)
{
	u64 flags = spin_lock_irq(&cgroup_lock);

	t->cg_frozen = frozen;
	cgroup_count_locked(t->cgroup, 0, frozen ? 1 : -1);
	spin_unlock_irq(&cgroup_lock, flags);
}

void cgroup_freeze_wait(struct task *t)
{
	freeze_mark(t, true);
	wait_event_killable(t, &freeze_wq, !READ_ONCE(t->cg_freeze));
	freeze_mark(t, false);
}
