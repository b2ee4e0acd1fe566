/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Semaphore sets: semget and semop. An operation list that cannot be done at once queues on its set; whoever changes the set walks the queue and
 * completes what has become possible, in order of arrival, so the counts that semctl reports are exact and a wake-up means "done".
 */
#include "ipc/internal.h"

void sem_free(struct ipc_obj *o)
{
	struct sem_set *s = list_entry(o, struct sem_set, obj);
	u32 i;

	for (i = 0; i < s->n; i++)
		pid_put(s->sem[i].pid);
	kfree(s);
}

struct sem_set *sem_find(int id, enum ipc_by by, s64 *err)
{
	struct ipc_obj *o = ipc_find_by(sem_ids(), id, by, err);

	return o ? list_entry(o, struct sem_set, obj) : NULL;
}

static s64 sem_create(s32 key, s32 n, int flags)
{
	struct sem_set *s;
	s64 id;

	if (n <= 0)
		return -EINVAL;
	if (ipc_ns_current()->sems + (u64)n > ipc_limits()->semmns)
		return -ENOSPC;
	s = kzalloc(sizeof(*s) + (u64)n * sizeof(s->sem[0]));
	if (!s)
		return -ENOMEM;
	s->obj.key = key;
	s->n = (u32)n;
	s->ctime = ipc_now();
	list_init(&s->waiters);
	list_init(&s->undos);
	id = ipc_add(sem_ids(), &s->obj, flags, ipc_limits()->semmni);
	if (id < 0)
		kfree(s);
	else
		ipc_ns_current()->sems += (u64)n;
	return id;
}

s64 sem_get(s32 key, s32 n, int flags)
{
	struct ipc_obj *o;
	s64 ret;

	if (n < 0 || (u64)n > ipc_limits()->semmsl)
		return -EINVAL;
	mutex_lock(&sem_ids()->lock);
	o = ipc_get_existing(sem_ids(), key, flags, &ret);
	if (o)
		ret = (u32)n > list_entry(o, struct sem_set, obj)->n
			      ? -EINVAL
			      : ipc_access(o, (u32)flags & 0777) ?: o->id;
	else if (!ret)
		ret = sem_create(key, n, flags);
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

/* ---- operations ---- */

static bool undo_in_range(const struct sem_undo *u, const struct sembuf *op)
{
	s32 adj = u->adj[op->sem_num] - op->sem_op;

	return adj >= -SEMAEM - 1 && adj <= SEMAEM;
}

/* One operation. 0, 1 when it must wait, or -ERANGE. */
static s64 sem_apply(struct sem_set *s, const struct sembuf *op, struct sem_undo *u)
{
	struct sem *sem = &s->sem[op->sem_num];
	s32 val = (s32)sem->val + op->sem_op;

	if (op->sem_op == 0)
		return sem->val ? 1 : 0;
	if (val < 0)
		return 1;
	if (val > SEMVMX || ((op->sem_flg & SEM_UNDO) && !undo_in_range(u, op)))
		return -ERANGE;
	sem->val = (u32)val;
	if (op->sem_flg & SEM_UNDO)
		u->adj[op->sem_num] = (s16)(u->adj[op->sem_num] - op->sem_op);
	return 0;
}

/* All of the operations or none. 0, 1 when they must wait (w->at: for which), or -errno. */
static s64 sem_try(struct sem_set *s, struct sem_wait *w)
{
	s64 ret = 0;
	u32 i;

	for (i = 0; i < w->n && !ret; i++)
		ret = sem_apply(s, &w->ops[i], w->undo);
	if (!ret) {
		for (i = 0; i < w->n; i++)
			pid_assign(&s->sem[w->ops[i].sem_num].pid, w->pid);
		s->otime = ipc_now();
		return 0;
	}
	w->at = i - 1;
	for (i = 0; i < w->at; i++) {
		struct sembuf *op = &w->ops[i];

		s->sem[op->sem_num].val -= (u32)(s32)op->sem_op;
		if (op->sem_flg & SEM_UNDO)
			w->undo->adj[op->sem_num] = (s16)(w->undo->adj[op->sem_num] + op->sem_op);
	}
	return ret == 1 && (w->ops[w->at].sem_flg & IPC_NOWAIT) ? -EAGAIN : ret;
}

static void sem_complete(struct sem_wait *w, s64 status)
{
	list_del(&w->link);
	atomic_store(&w->status, status);
	waitq_wake_all(&w->wq);
}

void sem_update(struct sem_set *s)
{
	struct sem_wait *w, *next;
	bool again;

	do {
		again = false;
		for (w = list_first_entry(&s->waiters, struct sem_wait, link);
			&w->link != &s->waiters; w = next) {
			s64 ret = sem_try(s, w);

			next = list_entry(w->link.next, struct sem_wait, link);
			if (ret == 1)
				continue;
			sem_complete(w, ret);
			again = ret == 0;
		}
	} while (again);
}

static s64 sem_check_ops(const struct sem_set *s, const struct sembuf *ops, u32 n)
{
	bool alter = false;
	u32 i;

	for (i = 0; i < n; i++) {
		if (ops[i].sem_num >= s->n)
			return -EFBIG;
		alter |= ops[i].sem_op != 0;
	}
	return ipc_access(&s->obj, alter ? 0222 : 0444);
}

static struct sem_undo *sem_need_undo(struct sem_set *s, const struct sem_wait *w, s64 *err)
{
	u32 i;

	for (i = 0; i < w->n; i++) {
		if ((w->ops[i].sem_flg & SEM_UNDO) && w->ops[i].sem_op)
			return sem_undo_get(task_current(), s, err);
	}
	return NULL;
}

/* The lock is given up for the sleep and taken again. */
static s64 sem_sleep(struct sem_set *s, struct sem_wait *w, u64 deadline)
{
	int err;

	list_add_tail(&s->waiters, &w->link);
	s->obj.refs++;
	mutex_unlock(&sem_ids()->lock);
	err = wait_event_intr_deadline(&w->wq, atomic_load(&w->status) != 1, deadline);
	mutex_lock(&sem_ids()->lock);
	if (w->status == 1) {
		list_del(&w->link);
		w->status = err == -ETIMEDOUT ? -EAGAIN : -EINTR;
	}
	ipc_put(sem_ids(), &s->obj);
	return w->status;
}

s64 sem_op(int id, struct sembuf *ops, u32 n, u64 deadline)
{
	struct sem_wait w = { .ops = ops, .n = n, .pid = ipc_pid(), .status = 1 };
	struct sem_set *s;
	s64 ret = 0;

	waitq_init(&w.wq);
	mutex_lock(&sem_ids()->lock);
	s = sem_find(id, IPC_BY_ID, &ret);
	if (s)
		ret = sem_check_ops(s, ops, n);
	if (s && !ret) {
		w.undo = sem_need_undo(s, &w, &ret);
		if (!ret)
			ret = sem_try(s, &w);
		if (ret == 0)
			sem_update(s);
		else if (ret == 1)
			ret = sem_sleep(s, &w, deadline);
	}
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

s64 sem_remove(int id)
{
	struct sem_set *s;
	s64 ret = 0;

	mutex_lock(&sem_ids()->lock);
	s = sem_find(id, IPC_BY_ID, &ret);
	if (s)
		ret = ipc_owner(&s->obj);
	if (s && !ret) {
		ipc_unlink(sem_ids(), &s->obj);
		ipc_ns_current()->sems -= s->n;
		sem_undo_detach(s);
		while (!list_empty(&s->waiters))
			sem_complete(list_first_entry(&s->waiters, struct sem_wait, link), -EIDRM);
		ipc_put(sem_ids(), &s->obj);
	}
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

s64 sem_info(bool used, struct seminfo *out)
{
	s64 highest;

	memset(out, 0, sizeof(*out));
	out->semmni = (int)ipc_limits()->semmni;
	out->semmns = (int)ipc_limits()->semmns;
	out->semmsl = (int)ipc_limits()->semmsl;
	out->semopm = (int)ipc_limits()->semopm;
	out->semvmx = SEMVMX;
	out->semmnu = SEMMNU;
	out->semmap = SEMMAP;
	out->semume = SEMUME;
	out->semusz = SEMUSZ;
	out->semaem = SEMAEM;
	mutex_lock(&sem_ids()->lock);
	if (used) {
		out->semusz = (int)sem_ids()->used;
		out->semaem = (int)ipc_ns_current()->sems;
	}
	highest = sem_ids()->highest;
	mutex_unlock(&sem_ids()->lock);
	return MAX(highest, 0);
}
