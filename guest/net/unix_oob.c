/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Urgent data of AF_UNIX streams: the last byte that is sent with MSG_OOB is a message of its own, which its receiver remembers. Ordinary reads stop
 * before it and, unless SO_OOBINLINE says otherwise, drop it when they begin there; recv with MSG_OOB takes it out of turn, and what is left of the
 * message still divides reads. An urgent byte that comes before the last one was read makes that an ordinary byte. As Linux does it since 6.12.
 */
#include "kernel/errno.h"
#include "net/unix.h"

static bool msg_used(const struct unix_msg *msg)
{
	return msg->off == msg->len;
}

static struct unix_msg *msg_after(struct unix_sock *u, struct unix_msg *msg)
{
	if (msg->link.next == &u->queue)
		return NULL;
	return list_entry(msg->link.next, struct unix_msg, link);
}

static struct unix_msg *msg_first(struct unix_sock *u)
{
	return list_empty(&u->queue) ? NULL : list_first_entry(&u->queue, struct unix_msg, link);
}

/* The one after msg, which is passed over, or goes on the list of the dead. lock held. */
static struct unix_msg *msg_pass(struct unix_sock *u, struct unix_msg *msg, struct list_head *dead)
{
	struct unix_msg *next = msg_after(u, msg);

	if (dead) {
		u->queued -= msg->len - msg->off;
		u->nqueued--;
		list_del(&msg->link);
		list_add_tail(dead, &msg->link);
	}
	return next;
}

/* Where a read goes on that has `copied` something. dead: it is no peek, what it passes is dropped. NULL: not now. lock held. */
static struct unix_msg *oob_pick(
	struct unix_sock *u, bool copied, bool in_line, struct list_head *dead)
{
	struct unix_msg *msg = msg_first(u);

	while (msg && msg_used(msg)) {
		if (copied && !u->oob)
			return NULL;
		msg = msg_pass(u, msg, dead);
	}
	if (!msg || msg != u->oob)
		return msg;
	if (copied)
		return NULL;
	if (dead)
		u->oob = NULL;
	return in_line ? msg : msg_pass(u, msg, dead);
}

struct unix_msg *unix_stream_head(struct socket *s, bool copied, bool peek)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	struct unix_sock *u = unix_of(s);
	struct unix_msg *msg;

	spin_lock(&u->lock);
	msg = oob_pick(u, copied, s->oobinline, peek ? NULL : &dead);
	spin_unlock(&u->lock);
	if (list_empty(&dead))
		return msg;
	unix_purge(&dead);
	waitq_wake(&u->space, INT_MAX, POLLOUT | POLLWRNORM | POLLWRBAND | TELL_SPACE);
	return msg;
}

struct unix_msg *unix_stream_peek(struct socket *s, struct unix_msg *msg)
{
	struct unix_sock *u = unix_of(s);

	spin_lock(&u->lock);
	do
		msg = msg_after(u, msg);
	while (msg && msg != u->oob && msg_used(msg));
	if (msg == u->oob)
		msg = NULL;
	spin_unlock(&u->lock);
	return msg;
}

bool unix_stream_more(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	bool more;

	spin_lock(&u->lock);
	more = oob_pick(u, false, s->oobinline, NULL) != NULL;
	spin_unlock(&u->lock);
	return more;
}

s64 unix_oob_recv(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	bool got;
	u8 byte = 0;

	if (u->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	mutex_lock(&u->read_lock);
	spin_lock(&u->lock);
	got = u->oob && !s->oobinline;
	if (got) {
		struct unix_msg *msg = u->oob;

		byte = msg->data[msg->off];
		if (!(m->flags & MSG_PEEK)) {
			msg->off++;
			u->queued--;
			u->oob = NULL;
		}
	}
	spin_unlock(&u->lock);
	mutex_unlock(&u->read_lock);
	if (!got)
		return -EINVAL;
	if (uio_write(m->uio, &byte, 1) < 1)
		return -EFAULT;
	m->out_flags |= MSG_OOB;
	return 1;
}

bool unix_atmark(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	struct unix_msg *msg;
	bool at = false;

	spin_lock(&u->lock);
	msg = msg_first(u);
	if (msg && msg == u->oob)
		at = true;
	else if (msg && msg_used(msg))
		at = !u->oob || msg_after(u, msg) == u->oob;
	spin_unlock(&u->lock);
	return at;
}
