/* SPDX-License-Identifier: Apache-2.0 */
/* SEM_UNDO: what the end of a process takes back. A list belongs to the tasks that share it by CLONE_SYSVSEM (threads do). */
#include "ipc/internal.h"

static struct sem_undo_list *undo_list(struct task *t)
{
	struct sem_undo_list *l = t->sem_undo;

	if (l)
		return l;
	l = kzalloc(sizeof(*l));
	if (!l)
		return NULL;
	ref_init(&l->ref);
	list_init(&l->undos);
	t->sem_undo = l;
	return l;
}

int sem_undo_clone(struct task *t, struct task *parent, bool share)
{
	struct sem_undo_list *l;

	if (!share)
		return 0;
	l = undo_list(parent);
	if (!l)
		return -ENOMEM;
	ref_get(&l->ref);
	t->sem_undo = l;
	return 0;
}

struct sem_undo *sem_undo_get(struct task *t, struct sem_set *s, s64 *err)
{
	struct sem_undo_list *l = undo_list(t);
	struct sem_undo *u;

	if (l) {
		list_for_each_entry (u, &l->undos, list_link) {
			if (u->set == s)
				return u;
		}
	}
	u = l ? kzalloc(sizeof(*u) + s->n * sizeof(u->adj[0])) : NULL;
	if (!u) {
		*err = -ENOMEM;
		return NULL;
	}
	u->set = s;
	list_add_tail(&l->undos, &u->list_link);
	list_add_tail(&s->undos, &u->set_link);
	return u;
}

void sem_undo_forget(struct sem_set *s, u32 first, u32 n)
{
	struct sem_undo *u;

	list_for_each_entry (u, &s->undos, set_link)
		memset(&u->adj[first], 0, n * sizeof(u->adj[0]));
}

void sem_undo_detach(struct sem_set *s)
{
	while (!list_empty(&s->undos)) {
		struct sem_undo *u = list_first_entry(&s->undos, struct sem_undo, set_link);

		/* Sleepers of this set hold it, too, but will not look at it any more. */
		list_del(&u->set_link);
		list_del(&u->list_link);
		kfree(u);
	}
}

static void undo_apply(struct sem_undo *u, struct pid *pid)
{
	struct sem_set *s = u->set;
	u32 i;

	for (i = 0; i < s->n; i++) {
		s32 val = (s32)s->sem[i].val + u->adj[i];

		if (!u->adj[i])
			continue;
		s->sem[i].val = (u32)MIN(MAX(val, 0), SEMVMX);
		pid_assign(&s->sem[i].pid, pid);
	}
	sem_update(s);
	s->otime = ipc_now();
}

void sem_undo_exit(struct task *t)
{
	struct sem_undo_list *l = t->sem_undo;
	struct ipc_ids *ids;

	if (!l)
		return;
	t->sem_undo = NULL;
	if (!ref_put(&l->ref))
		return;
	ids = &t->ns->ipc->ids[IPC_SEM];
	mutex_lock(&ids->lock);
	while (!list_empty(&l->undos)) {
		struct sem_undo *u = list_first_entry(&l->undos, struct sem_undo, list_link);

		undo_apply(u, t->group->id);
		list_del(&u->set_link);
		list_del(&u->list_link);
		kfree(u);
	}
	mutex_unlock(&ids->lock);
	kfree(l);
}
