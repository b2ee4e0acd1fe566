/* SPDX-License-Identifier: Apache-2.0 */
/* System V message queues. A sleeper waits for the queue's next change and tries again. */
#include "ipc/internal.h"

#include <linux/capability.h>

#include "fs/proc/proc.h"
#include "task/user_ns.h"

struct msg_queue {
	struct ipc_obj obj;
	struct list_head msgs;
	u64 nmsgs, nbytes, max_bytes;
	s64 stime, rtime, ctime;
	struct pid *sender, *receiver; /* the last: references, or NULL */
	u32 changes; /* atomic: counts sends, receives, changes of the limit, removal */
	struct waitq wq;
};

void msg_queue_free(struct ipc_obj *o)
{
	struct msg_queue *q = list_entry(o, struct msg_queue, obj);

	while (!list_empty(&q->msgs)) {
		struct msg *m = list_first_entry(&q->msgs, struct msg, link);

		list_del(&m->link);
		msg_free(m);
	}
	pid_put(q->sender);
	pid_put(q->receiver);
	kfree(q);
}

struct msg *msg_alloc(s64 type, u64 size)
{
	struct msg *m = kmalloc(sizeof(*m) + size);

	if (m) {
		m->type = type;
		m->size = size;
	}
	return m;
}

void msg_free(struct msg *m)
{
	kfree(m);
}

static struct ipc_ids *msg_ids(void)
{
	return &ipc_ns_current()->ids[IPC_MSG];
}

static struct msg_queue *msg_find(int id, enum ipc_by by, s64 *err)
{
	struct ipc_obj *o = ipc_find_by(msg_ids(), id, by, err);

	return o ? list_entry(o, struct msg_queue, obj) : NULL;
}

static s64 msg_create(s32 key, int flags)
{
	struct msg_queue *q = kzalloc(sizeof(*q));
	s64 id;

	if (!q)
		return -ENOMEM;
	q->obj.key = key;
	q->max_bytes = ipc_limits()->msgmnb;
	q->ctime = ipc_now();
	list_init(&q->msgs);
	waitq_init(&q->wq);
	id = ipc_add(msg_ids(), &q->obj, flags, ipc_limits()->msgmni);
	if (id < 0)
		kfree(q);
	return id;
}

s64 msg_get(s32 key, int flags)
{
	struct ipc_obj *o;
	s64 ret;

	mutex_lock(&msg_ids()->lock);
	o = ipc_get_existing(msg_ids(), key, flags, &ret);
	if (o)
		ret = ipc_access(o, (u32)flags & 0777) ?: o->id;
	else if (!ret)
		ret = msg_create(key, flags);
	mutex_unlock(&msg_ids()->lock);
	return ret;
}

static void msg_changed(struct msg_queue *q)
{
	atomic_add(&q->changes, 1);
	waitq_wake_all(&q->wq);
}

/* Until the queue changes; the lock is given up meanwhile. 0, -EIDRM or a restart code. */
static s64 msg_sleep(struct msg_queue *q)
{
	u32 seen = q->changes;
	s64 err;

	q->obj.refs++;
	mutex_unlock(&msg_ids()->lock);
	err = wait_event_intr(&q->wq, atomic_load(&q->changes) != seen);
	mutex_lock(&msg_ids()->lock);
	if (q->obj.dead)
		err = -EIDRM;
	else if (err)
		err = -ERESTARTNOHAND;
	ipc_put(msg_ids(), &q->obj);
	return err;
}

s64 msg_send(int id, struct msg *m, int flags)
{
	struct msg_queue *q;
	s64 ret = 0;

	mutex_lock(&msg_ids()->lock);
	q = msg_find(id, IPC_BY_ID, &ret);
	while (q && !ret) {
		ret = ipc_access(&q->obj, 0222);
		if (ret)
			break;
		if (m->size + q->nbytes <= q->max_bytes && q->nmsgs + 1 <= q->max_bytes) {
			list_add_tail(&q->msgs, &m->link);
			q->nmsgs++;
			q->nbytes += m->size;
			q->stime = ipc_now();
			pid_assign(&q->sender, ipc_pid());
			msg_changed(q);
			break;
		}
		ret = flags & IPC_NOWAIT ? -EAGAIN : msg_sleep(q);
	}
	mutex_unlock(&msg_ids()->lock);
	return ret;
}

/* The message that msgrcv(2) chooses, or NULL. */
static struct msg *msg_choose(struct msg_queue *q, s64 type, int flags)
{
	struct msg *m, *best = NULL;
	s64 n = type;

	list_for_each_entry (m, &q->msgs, link) {
		if (flags & MSG_COPY) {
			if (n-- == 0)
				return m;
		} else if (type < 0) {
			/* -type without overflow: the lowest type that is not above it */
			if (m->type <= (type == INT64_MIN ? INT64_MAX : -type) &&
				(!best || m->type < best->type))
				best = m;
		} else if (type == 0 || (m->type == type) == !(flags & MSG_EXCEPT)) {
			return m;
		}
	}
	return best;
}

static struct msg *msg_copy(const struct msg *m)
{
	struct msg *c = msg_alloc(m->type, m->size);

	if (c)
		memcpy(c->text, m->text, m->size);
	return c;
}

static s64 msg_take(struct msg_queue *q, struct msg *m, u64 size, int flags, struct msg **out)
{
	if (m->size > size && !(flags & MSG_NOERROR))
		return -E2BIG;
	if (flags & MSG_COPY) {
		*out = msg_copy(m);
		return *out ? 0 : -ENOMEM;
	}
	list_del(&m->link);
	q->nmsgs--;
	q->nbytes -= m->size;
	q->rtime = ipc_now();
	pid_assign(&q->receiver, ipc_pid());
	msg_changed(q);
	*out = m;
	return 0;
}

s64 msg_receive(int id, u64 size, s64 type, int flags, struct msg **out)
{
	struct msg_queue *q;
	s64 ret = 0;

	if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	mutex_lock(&msg_ids()->lock);
	q = msg_find(id, IPC_BY_ID, &ret);
	while (q && !ret) {
		struct msg *m;

		ret = ipc_access(&q->obj, 0444);
		if (ret)
			break;
		m = msg_choose(q, type, flags);
		if (m) {
			ret = msg_take(q, m, size, flags, out);
			break;
		}
		ret = flags & IPC_NOWAIT ? -ENOMSG : msg_sleep(q);
	}
	mutex_unlock(&msg_ids()->lock);
	return ret;
}

/* ---- msgctl ---- */

s64 msg_stat(int id, enum ipc_by by, struct msqid64_ds *out)
{
	struct msg_queue *q;
	s64 ret = 0;

	memset(out, 0, sizeof(*out));
	mutex_lock(&msg_ids()->lock);
	q = msg_find(id, by, &ret);
	if (q && by != IPC_BY_INDEX_ANY)
		ret = ipc_access(&q->obj, 0444);
	if (q && !ret) {
		ipc_fill_perm(&out->msg_perm, &q->obj);
		out->msg_stime = q->stime;
		out->msg_rtime = q->rtime;
		out->msg_ctime = q->ctime;
		out->msg_cbytes = q->nbytes;
		out->msg_qnum = q->nmsgs;
		out->msg_qbytes = q->max_bytes;
		out->msg_lspid = pid_nr(q->sender);
		out->msg_lrpid = pid_nr(q->receiver);
		ret = by == IPC_BY_ID ? 0 : q->obj.id;
	}
	mutex_unlock(&msg_ids()->lock);
	return ret;
}

s64 msg_info(bool used, struct msginfo *out)
{
	u64 bytes = 0, msgs = 0;
	s64 highest;
	int i;

	memset(out, 0, sizeof(*out));
	out->msgmax = (int)ipc_limits()->msgmax;
	out->msgmnb = (int)ipc_limits()->msgmnb;
	out->msgmni = (int)ipc_limits()->msgmni;
	out->msgpool = MSGPOOL;
	out->msgmap = MSGMAP;
	out->msgssz = MSGSSZ;
	out->msgtql = MSGTQL;
	out->msgseg = MSGSEG;
	mutex_lock(&msg_ids()->lock);
	for (i = 0; i <= msg_ids()->highest; i++) {
		struct ipc_obj *o = msg_ids()->slot[i];

		bytes += o ? list_entry(o, struct msg_queue, obj)->nbytes : 0;
		msgs += o ? list_entry(o, struct msg_queue, obj)->nmsgs : 0;
	}
	if (used) {
		out->msgpool = (int)msg_ids()->used;
		out->msgmap = (int)msgs;
		out->msgtql = (int)bytes;
	}
	highest = msg_ids()->highest;
	mutex_unlock(&msg_ids()->lock);
	return MAX(highest, 0);
}

s64 msg_set(int id, const struct ipc_change *c)
{
	struct msg_queue *q;
	s64 ret = 0;

	mutex_lock(&msg_ids()->lock);
	q = msg_find(id, IPC_BY_ID, &ret);
	if (q)
		ret = ipc_owner(&q->obj);
	if (q && !ret && c->qbytes > ipc_limits()->msgmnb && !capable(CAP_SYS_RESOURCE))
		ret = -EPERM;
	if (q && !ret) {
		ipc_set_perm(&q->obj, c);
		q->max_bytes = c->qbytes;
		q->ctime = ipc_now();
		msg_changed(q);
	}
	mutex_unlock(&msg_ids()->lock);
	return ret;
}

s64 msg_remove(int id)
{
	struct msg_queue *q;
	s64 ret = 0;

	mutex_lock(&msg_ids()->lock);
	q = msg_find(id, IPC_BY_ID, &ret);
	if (q)
		ret = ipc_owner(&q->obj);
	if (q && !ret) {
		ipc_unlink(msg_ids(), &q->obj);
		msg_changed(q);
		ipc_put(msg_ids(), &q->obj);
	}
	mutex_unlock(&msg_ids()->lock);
	return ret;
}

int proc_sysvipc_msg(struct proc_buf *b)
{
	int i;

	proc_printf(b, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid"
		       "  cuid  cgid      stime      rtime      ctime\n");
	mutex_lock(&msg_ids()->lock);
	for (i = 0; i <= msg_ids()->highest; i++) {
		struct ipc_obj *o = msg_ids()->slot[i];
		struct msg_queue *q = o ? list_entry(o, struct msg_queue, obj) : NULL;

		if (q)
			proc_printf(b,
				"%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10ld %10ld"
				" %10ld\n",
				o->key, o->id, o->mode, q->nbytes, q->nmsgs, (u32)pid_nr(q->sender),
				(u32)pid_nr(q->receiver), uid_shown(o->uid), gid_shown(o->gid),
				uid_shown(o->cuid), gid_shown(o->cgid), q->stime, q->rtime,
				q->ctime);
	}
	mutex_unlock(&msg_ids()->lock);
	return 0;
}
