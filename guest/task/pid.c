/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving out numbers. Each namespace has a table from number to struct pid. Numbers are given out in rising order and wrap, as Linux does; one is free
 * when neither a task nor a process group nor a session has it.
 */
#include "task/internal.h"

#include <linux/capability.h>

#include "lib/string.h"
#include "mm/slab.h"
#include "task/user_ns.h"

#define PID_CHUNK    256
#define PID_RESERVED 300 /* after the first wrap, as Linux */

struct pid_chunk {
	struct pid *pid[PID_CHUNK];
};

struct spinlock task_tree_lock = { .rank = 40 };
struct pid_ns pid_ns_root = {
	.ns = { .ref = { 1 }, .kind = NS_PID, .inum = NS_INUM_PID, .owner = &user_ns_root },
	.groups = LIST_HEAD_INIT(pid_ns_root.groups),
	.empty_wq = { .waiters = LIST_HEAD_INIT(pid_ns_root.empty_wq.waiters) },
};
u64 pid_max = PID_MAX;

/* ---- namespaces ---- */

struct pid_ns *pid_ns_current(void)
{
	struct task *t = task_current();

	return t ? t->group->ns : nsproxy_current()->pid;
}

int pid_ns_create(struct pid_ns *parent, struct user_ns *owner, struct pid_ns **out)
{
	struct pid_ns *ns;

	if (parent->level >= PID_NS_LEVELS || !ns_charge(NS_PID))
		return -ENOSPC;
	ns = kzalloc(sizeof(*ns));
	if (!ns) {
		ns_uncharge(NS_PID);
		return -ENOMEM;
	}
	ns_init(&ns->ns, NS_PID, owner);
	ref_get(&parent->ns.ref);
	ns->parent = parent;
	ns->level = parent->level + 1;
	list_init(&ns->groups);
	waitq_init(&ns->empty_wq);
	*out = ns;
	return 0;
}

void pid_ns_get(struct pid_ns *ns)
{
	ref_get(&ns->ns.ref);
}

void pid_ns_put(struct pid_ns *ns)
{
	while (ns && ref_put(&ns->ns.ref)) {
		struct pid_ns *parent = ns->parent;
		u32 i;

		for (i = 0; i < ARRAY_SIZE(ns->chunks); i++)
			kfree(ns->chunks[i]);
		ns_fini(&ns->ns);
		kfree(ns);
		ns = parent;
	}
}

bool pid_ns_contains(const struct pid_ns *outer, const struct pid_ns *inner)
{
	while (inner->level > outer->level)
		inner = inner->parent;
	return inner == outer;
}

/* ---- one number ---- */

struct pid *pid_get(struct pid *p)
{
	if (p)
		ref_get(&p->ref);
	return p;
}

void pid_put(struct pid *p)
{
	struct pid_ns *ns;

	if (!p || !ref_put(&p->ref))
		return;
	ns = pid_ns_of(p);
	kfree(p);
	pid_ns_put(ns);
}

void pid_assign(struct pid **slot, struct pid *p)
{
	struct pid *old = *slot;

	*slot = pid_get(p);
	pid_put(old);
}

int pid_nr(const struct pid *p)
{
	return pid_nr_ns(p, pid_ns_current());
}

static struct pid **pid_slot(struct pid_ns *ns, int nr)
{
	struct pid_chunk *c;

	if (nr <= 0 || nr >= PID_MAX)
		return NULL;
	c = ns->chunks[nr / PID_CHUNK];
	return c ? &c->pid[nr % PID_CHUNK] : NULL;
}

struct pid *pid_find_locked(struct pid_ns *ns, int nr)
{
	struct pid **slot = pid_slot(ns, nr);

	return slot ? *slot : NULL;
}

struct pid *pid_find(struct pid_ns *ns, int nr)
{
	u64 flags = tree_lock();
	struct pid *p = pid_get(pid_find_locked(ns, nr));

	tree_unlock(flags);
	return p;
}

/* ---- giving out ---- */

/* The next free number after ns->last; -EAGAIN: none, -ENOMEM. */
static int pid_next(struct pid_ns *ns)
{
	int nr = ns->last;
	int i;

	for (i = 0; i < PID_MAX; i++) {
		struct pid_chunk **c;

		if (++nr >= (int)READ_ONCE(pid_max))
			nr = PID_RESERVED;
		c = &ns->chunks[nr / PID_CHUNK];
		if (!*c)
			*c = kzalloc(sizeof(**c));
		if (!*c)
			return -ENOMEM;
		if (!(*c)->pid[nr % PID_CHUNK])
			return nr;
	}
	return -EAGAIN;
}

/* Out of the tables of its namespaces from level `from` up. */
static void pid_release_locked(struct pid *p, u32 from)
{
	u32 i;

	for (i = from; i <= p->level; i++)
		*pid_slot(p->num[i].ns, p->num[i].nr) = NULL;
}

/* A number that was asked for: it must be free, and the first process of a namespace is its init. */
static int pid_choose(struct pid_ns *ns, int nr)
{
	struct pid_chunk **c;

	if (nr < 1 || nr >= (int)READ_ONCE(pid_max) || (nr != 1 && !ns->init))
		return -EINVAL;
	if (!ns_capable(ns->ns.owner, CAP_CHECKPOINT_RESTORE) &&
		!ns_capable(ns->ns.owner, CAP_SYS_ADMIN))
		return -EPERM;
	c = &ns->chunks[nr / PID_CHUNK];
	if (!*c)
		*c = kzalloc(sizeof(**c));
	if (!*c)
		return -ENOMEM;
	return (*c)->pid[nr % PID_CHUNK] ? -EEXIST : nr;
}

static bool pid_chosen(const struct pid *p, const struct pid_choice *chosen, u32 level)
{
	return chosen && p->level - level < chosen->n;
}

static int pid_enter_locked(struct pid *p, struct pid_ns *ns, const struct pid_choice *chosen)
{
	for (; ns; ns = ns->parent) {
		int nr = pid_chosen(p, chosen, ns->level)
				 ? pid_choose(ns, chosen->nr[p->level - ns->level])
				 : pid_next(ns);

		if (nr < 0) {
			pid_release_locked(p, ns->level + 1);
			return nr;
		}
		p->num[ns->level] = (struct pid_number){ nr, ns };
		*pid_slot(ns, nr) = p;
	}
	for (u32 i = 0; i <= p->level; i++) {
		if (!pid_chosen(p, chosen, i))
			p->num[i].ns->last = p->num[i].nr;
	}
	return 0;
}

int pid_alloc(struct pid_ns *ns, struct task *t, const struct pid_choice *chosen, struct pid **out)
{
	struct pid *p = kzalloc(sizeof(*p) + (ns->level + 1) * sizeof(p->num[0]));
	u64 flags;
	int ret;

	if (!p)
		return -ENOMEM;
	if (chosen && chosen->n > ns->level + 1) {
		kfree(p);
		return -EINVAL;
	}
	ref_init(&p->ref);
	p->level = ns->level;
	flags = tree_lock();
	ret = READ_ONCE(ns->dying) ? -ENOMEM : pid_enter_locked(p, ns, chosen);
	if (ret == 0)
		pid_set_task(p, t);
	tree_unlock(flags);
	if (ret < 0) {
		kfree(p);
		return ret;
	}
	pid_ns_get(ns);
	*out = p;
	return 0;
}

static void pid_release_unused_locked(struct pid *p)
{
	if (!p->task && !p->users[PID_GROUP] && !p->users[PID_SESSION])
		pid_release_locked(p, 0);
}

void pid_set_task(struct pid *p, struct task *t)
{
	u32 i;

	if (!p->task != !t) {
		for (i = 0; i <= p->level; i++)
			p->num[i].ns->ntasks += t ? 1u : ~0u;
	}
	p->task = t;
	if (!t)
		pid_release_unused_locked(p);
}

void pid_use(struct pid *p, enum pid_use use, int delta)
{
	p->users[use] += (u32)delta;
	if (delta < 0)
		pid_release_unused_locked(p);
}

void pid_cancel(struct pid *p)
{
	struct pid_ns *ns = pid_ns_of(p);
	u64 flags = tree_lock();

	pid_set_task(p, NULL);
	/* The first process of a namespace has number 1, also when the first attempt fails. */
	if (ns->level && !ns->init && ns->last == 1)
		ns->last = 0;
	tree_unlock(flags);
	pid_put(p);
}

u32 pid_count(void)
{
	return READ_ONCE(pid_ns_root.ntasks);
}

/* ---- finding ---- */

struct task *pid_task(struct pid_ns *ns, int nr)
{
	struct pid *p = pid_find_locked(ns, nr);

	return p ? p->task : NULL;
}

struct task *task_find_in(struct pid_ns *ns, int tid)
{
	u64 flags = tree_lock();
	struct task *t = pid_task(ns, tid);

	/* A task that is not yet in its group is still being made. */
	if (t && (!t->group || list_empty(&t->group_link)))
		t = NULL;
	if (t)
		task_get(t);
	tree_unlock(flags);
	return t;
}

struct task *task_find(int tid)
{
	return task_find_in(pid_ns_current(), tid);
}

struct group *group_of_pid(const struct pid *p)
{
	struct task *t = p ? p->task : NULL;

	if (!t || !t->group || list_empty(&t->group_link) || t->group->id != p)
		return NULL;
	return t->group;
}

struct group *group_leader_of(struct pid_ns *ns, int pid)
{
	return group_of_pid(pid_find_locked(ns, pid));
}

struct group *group_find(int pid)
{
	struct pid_ns *ns = pid_ns_current();
	u64 flags = tree_lock();
	struct group *g = group_leader_of(ns, pid);

	if (g)
		group_get(g);
	tree_unlock(flags);
	return g;
}

void group_for_each_in(struct pid_ns *ns, bool (*fn)(struct group *g, void *arg), void *arg)
{
	u64 flags = tree_lock();
	struct group *g;

	list_for_each_entry (g, &pid_ns_root.groups, ns_link) {
		if (pid_nr_ns(g->id, ns) && !fn(g, arg))
			break;
	}
	tree_unlock(flags);
}

void group_for_each(bool (*fn)(struct group *g, void *arg), void *arg)
{
	group_for_each_in(pid_ns_current(), fn, arg);
}
