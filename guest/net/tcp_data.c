/* SPDX-License-Identifier: Apache-2.0 */
/* TCP: bytes in and out. */
#include "kernel/errno.h"
#include "mm/reclaim.h"
#include "net/tcp.h"
#include "task/task.h"

#define SEND_TRIES    16u /* other CPUs may take what was freed */
#define RECLAIM_PAGES 32u

/* ---- sending ---- */

/* May bytes go out? 0, or the pending error, or -EPIPE. */
static int send_check(struct tcp_sock *t)
{
	int err = READ_ONCE(t->in.err);

	if (err)
		return -atomic_xchg(&t->in.err, 0);
	return READ_ONCE(tcp_own(t)->fin) || READ_ONCE(t->conn->reset) ? -EPIPE : 0;
}

/* Nobody is there to read: what fits is taken, and answered with a reset. */
static s64 send_into_void(struct tcp_sock *t, struct uio *u)
{
	u64 taken = MIN((u64)u->left, (u64)tcp_peer(t)->rx.cap);
	struct tcp_conn *c = t->conn;
	bool first;

	spin_lock(&c->lock);
	first = !c->reset;
	c->reset = true;
	t->in.reset = true;
	spin_unlock(&c->lock);
	if (first)
		tcp_fail(t, -EPIPE);
	uio_advance(u, taken);
	waitq_wake(&t->in.wq, INT_MAX, POLLIN | POLLHUP | POLLERR | TELL_ERR);
	return (s64)taken;
}

static s64 send_some(struct tcp_sock *t, struct uio *u, u32 flags)
{
	struct tcp_end *to = tcp_peer(t);
	bool urgent = flags & MSG_OOB, news;
	s64 n = send_check(t);
	u32 tries = 0;

	if (n)
		return n;
	if (READ_ONCE(to->closed))
		return send_into_void(t, u);
	mutex_lock(&to->rx.wlock);
	do
		n = urgent ? tcp_urg_write(t, u) : stream_write(&to->rx, u);
	while (n == -ENOBUFS && tries++ < SEND_TRIES && mm_reclaim(RECLAIM_PAGES));
	news = n > 0 && tcp_cork_written(t, flags & MSG_MORE, u->left);
	mutex_unlock(&to->rx.wlock);
	urgent = urgent && n > 0 && !u->left;
	if (urgent)
		tcp_urg_tell(t);
	if (news || urgent)
		waitq_wake(&to->sock->in.wq, 1,
			POLLIN | POLLRDNORM | (urgent ? POLLPRI : 0) | TELL_IN);
	return n;
}

static bool send_ready(struct tcp_sock *t)
{
	struct tcp_end *to = tcp_peer(t);

	return stream_writable(&to->rx) || READ_ONCE(to->closed) || READ_ONCE(tcp_own(t)->fin) ||
	       READ_ONCE(t->conn->reset) || READ_ONCE(t->in.err);
}

/* An unconnected socket: waits for a connection that is being made. */
static int send_wait_connect(struct socket *s, u32 flags)
{
	struct tcp_sock *t = tcp_of(s);
	int r;

	if (READ_ONCE(t->state) == TCP_SYN_SENT) {
		if (socket_nonblock(s, flags))
			return -EAGAIN;
		r = wait_event_intr_deadline(&t->in.wq, atomic_load(&t->state) != TCP_SYN_SENT,
			socket_deadline(s->sndtimeo));
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : r;
	}
	if (tcp_connected(t))
		return 0;
	r = inet_take_error(s);
	return r ? -r : -EPIPE;
}

static s64 send_loop(struct socket *s, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(s);
	u64 deadline = socket_deadline(s->sndtimeo);
	s64 done = 0, n;

	for (;;) {
		/* What was taken is said first, an error to the next call. */
		if (done && (READ_ONCE(t->conn->reset) || READ_ONCE(t->in.err)))
			return done;
		n = send_some(t, m->uio, m->flags);
		if (n < 0)
			return done ? done : n;
		done += n;
		if (!m->uio->left)
			return done;
		file_async_full(s->file);
		if (socket_nonblock(s, m->flags))
			return done ? done : -EAGAIN;
		n = wait_event_intr_deadline(&t->in.space, send_ready(t), deadline);
		if (n)
			return done ? done : n == -ETIMEDOUT ? -EAGAIN : n;
	}
}

s64 tcp_send(struct socket *s, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(s);
	s64 r = 0;

	if ((m->flags & MSG_FASTOPEN) && m->name && m->name->len && !tcp_connected(t)) {
		r = tcp_connect(s, m->name);
		if (r)
			return r;
	}
	if (!tcp_pin(t)) {
		r = send_wait_connect(s, m->flags);
		if (!r && !tcp_pin(t))
			r = -EPIPE;
	}
	if (!r) {
		r = send_loop(s, m);
		tcp_unpin(t);
	}
	if (r == -EPIPE && !(m->flags & MSG_NOSIGNAL))
		signal_send_task(task_current(), SIGPIPE, NULL);
	return r;
}

/* ---- receiving ---- */

/* rlock held. */
static s64 recv_bytes(struct socket *s, struct sock_msg *m, bool first, u64 *skip)
{
	struct tcp_end *own = tcp_own(tcp_of(s));
	struct stream *rx = &own->rx;
	s64 n = 0, marked = 0;

	if (unlikely(tcp_urg_any(own)))
		marked = tcp_urg_pass(s, m, first, skip);
	if (marked < 0)
		return marked;
	if (m->flags & MSG_PEEK) {
		n = stream_peek(rx, m->uio, *skip);
		*skip += n > 0 ? (u64)n : 0;
	} else if (m->flags & MSG_TRUNC) {
		n = (s64)stream_discard(rx, m->uio->left);
		uio_advance(m->uio, (size_t)n);
	} else {
		n = stream_read(rx, m->uio);
	}
	return marked && n < 0 ? marked : marked + n;
}

/* Bytes that are there, up to what is asked. first: none was read yet. Peeks begin after *skip bytes, which moves. */
static s64 recv_some(struct socket *s, struct sock_msg *m, bool first, u64 *skip)
{
	struct tcp_sock *t = tcp_of(s);
	struct stream *rx = &tcp_own(t)->rx;
	s64 n;

	if (!stream_used(rx))
		return 0;
	mutex_lock(&rx->rlock);
	n = recv_bytes(s, m, first, skip);
	mutex_unlock(&rx->rlock);
	if (n > 0 && !(m->flags & MSG_PEEK)) {
		struct waitq *space = &tcp_peer(t)->sock->in.space;

		if (waitq_active(space) && stream_writable(rx))
			waitq_wake(space, 1, POLLOUT | POLLWRNORM | TELL_SPACE);
	}
	return n;
}

static bool recv_ready(struct tcp_sock *t, u64 more_than)
{
	struct tcp_end *own = tcp_own(t);

	return stream_used(&own->rx) > more_than || READ_ONCE(tcp_peer(t)->fin) ||
	       READ_ONCE(own->rcv_shut) || READ_ONCE(t->conn->reset) || READ_ONCE(t->in.err);
}

/* No bytes were there, and `ended` was read before that: what recv says, 1 = wait. */
static int recv_idle(struct tcp_sock *t, bool ended)
{
	int err = READ_ONCE(t->in.err);

	if (err == EPIPE && ended)
		return 0; /* told to writers only */
	if (err)
		return -atomic_xchg(&t->in.err, 0);
	return ended ? 0 : 1;
}

static s64 recv_loop(struct socket *s, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(s);
	struct tcp_end *own = tcp_own(t);
	u64 deadline = socket_deadline(s->rcvtimeo), want = m->uio->left, done = 0, target;
	u64 skip = 0;
	bool peek = m->flags & MSG_PEEK;

	target = m->flags & MSG_WAITALL ? want : MIN(MAX((u64)t->rcvlowat, 1UL), want);
	target = MIN(target, (u64)(m->flags & MSG_WAITALL && !peek ? want : own->rx.cap));
	for (;;) {
		bool ended = atomic_load(&tcp_peer(t)->fin) || READ_ONCE(own->rcv_shut) ||
			     READ_ONCE(t->conn->reset);
		s64 n = recv_some(s, m, !done, &skip);

		if (n < 0)
			return done ? (s64)done : n;
		done += (u64)n;
		/* Who asks for no bytes waits for some all the same. */
		if ((done && done >= target) || (!want && stream_used(&own->rx)))
			return (s64)done;
		if (done && tcp_urg_at(own, own->rx.tail + skip))
			return (s64)done;
		if (ended && n)
			continue;
		n = done ? (ended || READ_ONCE(t->in.err) ? 0 : 1) : recv_idle(t, ended);
		if (n <= 0)
			return done ? (s64)done : n;
		if (socket_nonblock(s, m->flags))
			return done ? (s64)done : -EAGAIN;
		n = wait_event_intr_deadline(&t->in.wq, recv_ready(t, skip), deadline);
		if (n)
			return done ? (s64)done : n == -ETIMEDOUT ? -EAGAIN : n;
	}
}

/* MSG_OOB without a connection. */
static s64 recv_oob_idle(struct tcp_sock *t)
{
	return READ_ONCE(t->state) == TCP_LISTEN ? -ENOTCONN : -EINVAL;
}

static s64 recv_connected(struct socket *s, struct sock_msg *m)
{
	s64 n = m->flags & MSG_OOB ? tcp_urg_recv(s, m) : recv_loop(s, m);

	tcp_unpin(tcp_of(s));
	return n;
}

s64 tcp_recv(struct socket *s, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(s);
	int r;

	if (m->name)
		m->name->len = 0;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (tcp_pin(t))
		return recv_connected(s, m);
	if (m->flags & MSG_OOB)
		return recv_oob_idle(t);
	if (READ_ONCE(t->state) == TCP_SYN_SENT) {
		if (socket_nonblock(s, m->flags))
			return -EAGAIN;
		r = wait_event_intr_deadline(&t->in.wq, atomic_load(&t->state) != TCP_SYN_SENT,
			socket_deadline(s->rcvtimeo));
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : r;
		if (tcp_pin(t))
			return recv_connected(s, m);
	}
	r = inet_take_error(s);
	return r ? -r : -ENOTCONN;
}
