/* SPDX-License-Identifier: Apache-2.0 */
/* semctl: values, counts, owners. */
#include "ipc/internal.h"

#include "fs/proc/proc.h"
#include "task/user_ns.h"

s64 sem_stat(int id, enum ipc_by by, struct semid64_ds *out)
{
	struct sem_set *s;
	s64 ret = 0;

	memset(out, 0, sizeof(*out));
	mutex_lock(&sem_ids()->lock);
	s = sem_find(id, by, &ret);
	if (s && by != IPC_BY_INDEX_ANY)
		ret = ipc_access(&s->obj, 0444);
	if (s && !ret) {
		ipc_fill_perm(&out->sem_perm, &s->obj);
		out->sem_otime = s->otime;
		out->sem_ctime = s->ctime;
		out->sem_nsems = s->n;
		ret = by == IPC_BY_ID ? 0 : s->obj.id;
	}
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

s64 sem_set(int id, const struct ipc_change *c)
{
	struct sem_set *s;
	s64 ret = 0;

	mutex_lock(&sem_ids()->lock);
	s = sem_find(id, IPC_BY_ID, &ret);
	if (s)
		ret = ipc_owner(&s->obj);
	if (s && !ret) {
		ipc_set_perm(&s->obj, c);
		s->ctime = ipc_now();
	}
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

s64 sem_count(int id, u64 *nsems)
{
	struct sem_set *s;
	s64 ret = 0;

	mutex_lock(&sem_ids()->lock);
	s = sem_find(id, IPC_BY_ID, &ret);
	if (s)
		*nsems = s->n;
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

/* The set id of n semaphores that the caller may use so; the table's lock held. NULL with *err set. */
static struct sem_set *sem_find_all(int id, u64 n, u32 mode, s64 *err)
{
	struct sem_set *s = sem_find(id, IPC_BY_ID, err);

	if (s)
		*err = s->n == n ? ipc_access(&s->obj, mode) : -EIDRM;
	return s && !*err ? s : NULL;
}

s64 sem_get_all(int id, u16 *val, u64 n)
{
	struct sem_set *s;
	s64 ret = 0;
	u64 i;

	mutex_lock(&sem_ids()->lock);
	s = sem_find_all(id, n, 0444, &ret);
	for (i = 0; s && i < n; i++)
		val[i] = (u16)s->sem[i].val;
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

s64 sem_set_all(int id, const u16 *val, u64 n)
{
	struct sem_set *s;
	s64 ret = 0;
	u64 i;

	mutex_lock(&sem_ids()->lock);
	s = sem_find_all(id, n, 0222, &ret);
	for (i = 0; s && !ret && i < n; i++)
		ret = val[i] > SEMVMX ? -ERANGE : 0;
	if (s && !ret) {
		for (i = 0; i < n; i++) {
			s->sem[i].val = val[i];
			pid_assign(&s->sem[i].pid, ipc_pid());
		}
		sem_undo_forget(s, 0, s->n);
		s->ctime = ipc_now();
		sem_update(s);
	}
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

/* Who waits for an increase (zero: for zero) of semaphore num. */
static s64 sem_waiting(const struct sem_set *s, u32 num, bool zero)
{
	struct sem_wait *w;
	s64 n = 0;

	list_for_each_entry (w, &s->waiters, link) {
		const struct sembuf *op = &w->ops[w->at];

		n += op->sem_num == num && (op->sem_op == 0) == zero;
	}
	return n;
}

s64 sem_get_one(int id, int num, int cmd)
{
	struct sem_set *s;
	s64 ret = 0;

	mutex_lock(&sem_ids()->lock);
	s = sem_find(id, IPC_BY_ID, &ret);
	if (s)
		ret = ipc_access(&s->obj, 0444);
	if (s && !ret && (num < 0 || (u32)num >= s->n))
		ret = -EINVAL;
	if (s && !ret) {
		if (cmd == GETVAL)
			ret = s->sem[num].val;
		else if (cmd == GETPID)
			ret = pid_nr(s->sem[num].pid);
		else
			ret = sem_waiting(s, (u32)num, cmd == GETZCNT);
	}
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

s64 sem_set_one(int id, int num, s32 val)
{
	struct sem_set *s;
	s64 ret = 0;

	if (val < 0 || val > SEMVMX)
		return -ERANGE;
	mutex_lock(&sem_ids()->lock);
	s = sem_find(id, IPC_BY_ID, &ret);
	if (s && (num < 0 || (u32)num >= s->n))
		ret = -EINVAL;
	if (s && !ret)
		ret = ipc_access(&s->obj, 0222);
	if (s && !ret) {
		s->sem[num].val = (u32)val;
		pid_assign(&s->sem[num].pid, ipc_pid());
		sem_undo_forget(s, (u32)num, 1);
		s->ctime = ipc_now();
		sem_update(s);
	}
	mutex_unlock(&sem_ids()->lock);
	return ret;
}

int proc_sysvipc_sem(struct proc_buf *b)
{
	int i;

	proc_printf(b, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
		       "      ctime\n");
	mutex_lock(&sem_ids()->lock);
	for (i = 0; i <= sem_ids()->highest; i++) {
		struct ipc_obj *o = sem_ids()->slot[i];
		struct sem_set *s = o ? list_entry(o, struct sem_set, obj) : NULL;

		if (s)
			proc_printf(b, "%10d %10d  %4o %10u %5u %5u %5u %5u %10ld %10ld\n", o->key,
				o->id, o->mode, s->n, uid_shown(o->uid), gid_shown(o->gid),
				uid_shown(o->cuid), gid_shown(o->cgid), s->otime, s->ctime);
	}
	mutex_unlock(&sem_ids()->lock);
	return 0;
}
