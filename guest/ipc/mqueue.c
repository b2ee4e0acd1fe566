/* SPDX-License-Identifier: Apache-2.0 */
/* One POSIX message queue: messages by priority, sleepers, notification, what its creator is charged for. */
#include "ipc/mqueue.h"

#include <linux/capability.h>
#include <linux/signal.h>

#include "fs/poll.h"
#include "kernel/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/netlink.h"
#include "task/internal.h"
#include "task/user_ns.h"

#define MQ_HARD_MSGMAX	65536
#define MQ_HARD_MSGSIZE (16L << 20)
#define MQ_MSG_COST	48 /* bytes charged for each message beside its text */

struct mqueue {
	struct spinlock lock; /* protects: what changes below */
	struct list_head msgs; /* highest priority first, then oldest */
	s64 nmsgs, nbytes;
	s64 maxmsg, msgsize;
	u32 receivers; /* asleep */
	struct waitq rd, wr;
	struct group *notify_group; /* reference; NULL = nobody */
	struct mq_notify notify;
	struct user_acct *user; /* reference: charged for `cost` */
	s64 cost;
};

/* ---- life ---- */

static int mqueue_check(const struct mq_create *c, struct mqueue *q)
{
	const struct mq_limits *limits = mq_limits();
	bool big = capable(CAP_SYS_RESOURCE);

	q->maxmsg = (s64)MIN(limits->msg_max, limits->msg_default);
	q->msgsize = (s64)MIN(limits->msgsize_max, limits->msgsize_default);
	if (c->given) {
		q->maxmsg = c->attr.mq_maxmsg;
		q->msgsize = c->attr.mq_msgsize;
	}
	if (q->maxmsg <= 0 || q->msgsize <= 0 ||
		q->maxmsg > (big ? MQ_HARD_MSGMAX : (s64)limits->msg_max) ||
		q->msgsize > (big ? MQ_HARD_MSGSIZE : (s64)limits->msgsize_max))
		return -EINVAL;
	q->cost = q->maxmsg * (q->msgsize + MQ_MSG_COST);
	return 0;
}

int mqueue_create(const struct mq_create *c, struct mqueue **out)
{
	struct mqueue *q = kzalloc(sizeof(*q));
	u64 limit = rlimit_soft(task_current()->group, RLIMIT_MSGQUEUE);
	struct user_acct *user = cred_current()->user;
	int err;

	if (!q)
		return -ENOMEM;
	err = mqueue_check(c, q);
	if (!err && (u64)atomic_add(&user->mq_bytes, q->cost) > limit) {
		atomic_sub(&user->mq_bytes, q->cost);
		err = -EMFILE;
	}
	if (err) {
		kfree(q);
		return err;
	}
	user_ref(user);
	q->user = user;
	list_init(&q->msgs);
	waitq_init(&q->rd);
	waitq_init(&q->wr);
	*out = q;
	return 0;
}

/* The registration is over and off the queue; what: 0 = nobody is told. */
static void notify_end(struct mq_notify *n, struct group *g, u8 what)
{
	if (n->netlink && what) {
		n->cookie[NOTIFY_COOKIE_LEN - 1] = what;
		netlink_tell(n->netlink, n->cookie, sizeof(n->cookie));
	}
	if (n->netlink)
		file_put(n->netlink);
	group_put(g);
}

void mqueue_destroy(struct mqueue *q)
{
	while (!list_empty(&q->msgs)) {
		struct mq_msg *m = list_first_entry(&q->msgs, struct mq_msg, link);

		list_del(&m->link);
		kfree(m);
	}
	if (q->notify_group)
		notify_end(&q->notify, q->notify_group, 0);
	atomic_sub(&q->user->mq_bytes, q->cost);
	user_put(q->user);
	kfree(q);
}

/* ---- messages ---- */

static bool mq_put(struct mqueue *q, struct mq_msg *m, bool *notify)
{
	struct mq_msg *pos;
	bool room;

	spin_lock(&q->lock);
	room = q->nmsgs < q->maxmsg;
	if (room) {
		*notify = q->nmsgs == 0 && !q->receivers;
		list_for_each_entry (pos, &q->msgs, link) {
			if (pos->prio < m->prio)
				break;
		}
		list_add_tail(&pos->link, &m->link); /* before pos, or at the end */
		q->nmsgs++;
		q->nbytes += (s64)m->size;
	}
	spin_unlock(&q->lock);
	return room;
}

static bool mq_take(struct mqueue *q, struct mq_msg **out)
{
	struct mq_msg *m = NULL;

	spin_lock(&q->lock);
	if (q->nmsgs) {
		m = list_first_entry(&q->msgs, struct mq_msg, link);
		list_del(&m->link);
		q->nmsgs--;
		q->nbytes -= (s64)m->size;
	}
	spin_unlock(&q->lock);
	*out = m;
	return m != NULL;
}

/* A message came to an empty queue and nobody waited for it: tell who asked, once. */
static void mq_tell(struct mqueue *q)
{
	struct mq_notify n;
	struct group *g;
	siginfo_t info;

	spin_lock(&q->lock);
	g = q->notify_group;
	n = q->notify;
	q->notify_group = NULL;
	spin_unlock(&q->lock);
	if (!g)
		return;
	if (n.how == SIGEV_SIGNAL && n.signo) {
		memset(&info, 0, sizeof(info));
		info.si_signo = n.signo;
		info.si_code = SI_MESGQ;
		info.si_pid = pid_nr_ns(task_current()->group->id, g->ns);
		info.si_uid = uid_shown(cred_current()->uid);
		info.si_value.sival_ptr = (void *)n.value;
		signal_send_group(g, n.signo, &info);
	}
	notify_end(&n, g, NOTIFY_WOKENUP);
}

s64 mqueue_send(struct mqueue *q, struct mq_msg *m, u64 deadline)
{
	bool notify = false;
	s64 err = 0;

	if (!mq_put(q, m, &notify)) {
		if (!deadline)
			return -EAGAIN;
		err = wait_event_intr_deadline(&q->wr, mq_put(q, m, &notify), deadline);
		if (err)
			return err;
	}
	if (notify)
		mq_tell(q);
	waitq_wake(&q->rd, 1, POLLIN | POLLRDNORM);
	return 0;
}

s64 mqueue_receive(struct mqueue *q, u64 deadline, struct mq_msg **out)
{
	s64 err = 0;

	if (!mq_take(q, out)) {
		if (!deadline)
			return -EAGAIN;
		atomic_add(&q->receivers, 1);
		err = wait_event_intr_deadline(&q->rd, mq_take(q, out), deadline);
		atomic_sub(&q->receivers, 1);
		if (err)
			return err;
	}
	waitq_wake(&q->wr, 1, POLLOUT | POLLWRNORM);
	return 0;
}

/* ---- notification ---- */

void mqueue_forget(struct mqueue *q, const struct group *g)
{
	struct group *old = NULL;
	struct mq_notify n;

	spin_lock(&q->lock);
	if (q->notify_group == g) {
		old = q->notify_group;
		n = q->notify;
		q->notify_group = NULL;
	}
	spin_unlock(&q->lock);
	if (old)
		notify_end(&n, old, NOTIFY_REMOVED);
}

int mqueue_notify(struct mqueue *q, struct mq_notify *n)
{
	struct group *g = task_current()->group;
	int err = 0;

	if (!n) {
		mqueue_forget(q, g);
		return 0;
	}
	group_get(g);
	spin_lock(&q->lock);
	if (q->notify_group) {
		err = -EBUSY;
	} else {
		q->notify_group = g;
		q->notify = *n;
	}
	spin_unlock(&q->lock);
	if (err)
		notify_end(n, g, 0);
	return err;
}

/* ---- for the file ---- */

void mqueue_attr(struct mqueue *q, struct mq_attr *out)
{
	memset(out, 0, sizeof(*out));
	spin_lock(&q->lock);
	out->mq_maxmsg = q->maxmsg;
	out->mq_msgsize = q->msgsize;
	out->mq_curmsgs = q->nmsgs;
	spin_unlock(&q->lock);
}

u64 mqueue_message_size(const struct mqueue *q)
{
	return (u64)q->msgsize;
}

u32 mqueue_poll(struct file *f, struct mqueue *q, struct poll_table *pt)
{
	u32 mask = 0;
	s64 n;

	poll_wait(f, &q->rd, pt);
	poll_wait(f, &q->wr, pt);
	n = READ_ONCE(q->nmsgs);
	if (n)
		mask |= POLLIN | POLLRDNORM;
	if (n < q->maxmsg)
		mask |= POLLOUT | POLLWRNORM;
	return mask;
}

int mqueue_show(struct mqueue *q, char *buf, size_t size)
{
	int how = 0, signo = 0, pid = 0;
	s64 bytes;

	spin_lock(&q->lock);
	bytes = q->nbytes;
	if (q->notify_group) {
		how = q->notify.how;
		signo = how == SIGEV_SIGNAL ? q->notify.signo : 0;
		pid = pid_nr(q->notify_group->id);
	}
	spin_unlock(&q->lock);
	return str_format(buf, size, "QSIZE:%-10ld NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", bytes,
		how, signo, pid);
}
