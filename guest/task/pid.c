/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of tasks, process groups and sessions. One slot a number says which task has it and how many processes use it as group or session
 * id: a number is free when all three are none. Numbers are given out in rising order and wrap, as Linux does.
 */
#include "task/internal.h"

#include "lib/string.h"
#include "mm/slab.h"

#define PID_CHUNK    256
#define PID_RESERVED 300 /* after the first wrap, as Linux */

struct pid_slot {
	struct task *task;
	u32 users[2]; /* by enum pid_use */
};
struct pid_chunk {
	struct pid_slot slot[PID_CHUNK];
};

struct spinlock task_tree_lock = { .rank = 40 };
struct pid_ns pid_ns_root;

struct pid_ns *pid_ns_current(void)
{
	struct task *t = task_current();

	return t ? t->group->ns : &pid_ns_root;
}

static struct pid_slot *pid_slot(struct pid_ns *ns, int id)
{
	struct pid_chunk *c;

	if (id <= 0 || id >= PID_MAX)
		return NULL;
	c = ns->chunks[id / PID_CHUNK];
	return c ? &c->slot[id % PID_CHUNK] : NULL;
}

static bool pid_slot_free(const struct pid_slot *s)
{
	return !s->task && !s->users[PID_GROUP] && !s->users[PID_SESSION];
}

u64 pid_max = PID_MAX;

/* The next free number after ns->last; -EAGAIN: none, -ENOMEM. */
static int pid_next(struct pid_ns *ns)
{
	int id = ns->last;
	int i;

	for (i = 0; i < PID_MAX; i++) {
		struct pid_chunk **c;

		if (++id >= (int)READ_ONCE(pid_max))
			id = PID_RESERVED;
		c = &ns->chunks[id / PID_CHUNK];
		if (!*c)
			*c = kzalloc(sizeof(**c));
		if (!*c)
			return -ENOMEM;
		if (pid_slot_free(&(*c)->slot[id % PID_CHUNK]))
			return id;
	}
	return -EAGAIN;
}

int pid_alloc(struct pid_ns *ns, struct task *t)
{
	u64 flags = tree_lock();
	int id = -EAGAIN;

	if (!ns->max_tasks || ns->ntasks < ns->max_tasks)
		id = pid_next(ns);
	if (id > 0) {
		ns->last = id;
		pid_set(ns, id, t);
	}
	tree_unlock(flags);
	return id;
}

void task_set_limit(u32 max)
{
	u64 flags = tree_lock();

	pid_ns_root.max_tasks = max;
	tree_unlock(flags);
}

void pid_set(struct pid_ns *ns, int tid, struct task *t)
{
	struct pid_slot *s = pid_slot(ns, tid);

	if (!s)
		return;
	if (t && !s->task)
		ns->ntasks++;
	else if (!t && s->task)
		ns->ntasks--;
	s->task = t;
}

struct task *pid_task(struct pid_ns *ns, int tid)
{
	struct pid_slot *s = pid_slot(ns, tid);

	return s ? s->task : NULL;
}

void pid_use(struct pid_ns *ns, int id, enum pid_use use, int delta)
{
	struct pid_slot *s = pid_slot(ns, id);

	if (s)
		s->users[use] += (u32)delta;
}

u32 pid_users(struct pid_ns *ns, int id, enum pid_use use)
{
	struct pid_slot *s = pid_slot(ns, id);

	return s ? s->users[use] : 0;
}

u32 pid_count(void)
{
	return READ_ONCE(pid_ns_root.ntasks);
}

struct task *task_find(int tid)
{
	struct pid_ns *ns = pid_ns_current();
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

struct group *group_leader_of(struct pid_ns *ns, int pid)
{
	struct task *t = pid_task(ns, pid);

	if (!t || !t->group || list_empty(&t->group_link) || t->group->pid != pid)
		return NULL;
	return t->group;
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

void group_for_each(bool (*fn)(struct group *g, void *arg), void *arg)
{
	struct pid_ns *ns = pid_ns_current();
	u64 flags = tree_lock();
	struct group *g;

	list_for_each_entry (g, &ns->groups, ns_link) {
		if (!fn(g, arg))
			break;
	}
	tree_unlock(flags);
}
