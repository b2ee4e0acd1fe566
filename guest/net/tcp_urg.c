/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP's urgent data, tcp(7): the last byte that is sent with MSG_OOB is marked in the stream. Ordinary reads stop before the mark and, unless
 * SO_OOBINLINE says otherwise, pass over the byte, which recv with MSG_OOB gives. There is one mark a direction: an urgent byte that comes before the
 * last one was passed makes that an ordinary byte, or drops it when the reader stands right before it. As Linux does it.
 */
#include <asm/signal.h>

#include "kernel/errno.h"
#include "net/tcp.h"

/* ---- the sender ---- */

/* The mark goes to the end of the stream, for which there is room. */
static void urg_put(struct tcp_conn *c, struct tcp_end *to, u8 byte)
{
	struct stream *rx = &to->rx;

	spin_lock(&c->lock);
	if (to->urg && to->urg_pos == atomic_load(&rx->tail) && !READ_ONCE(to->sock->in_line))
		to->urg_gone = to->urg_pos;
	to->urg_pos = rx->head;
	atomic_store(&to->urg, TCP_URG_VALID | byte);
	stream_put_marked(rx, byte);
	spin_unlock(&c->lock);
}

s64 tcp_urg_write(struct tcp_sock *t, struct uio *u)
{
	struct tcp_end *to = tcp_peer(t);
	s64 n = 0;
	u8 byte;
	int r;

	if (u->left > 1) {
		u->left--;
		n = stream_write(&to->rx, u);
		u->left++;
		if (n < 0 || u->left > 1)
			return n;
	}
	r = stream_reserve(&to->rx);
	if (r <= 0)
		return n ? n : r;
	if (!uio_read(u, &byte, 1))
		return n ? n : -EFAULT;
	urg_put(t->conn, to, byte);
	return n + 1;
}

void tcp_urg_tell(struct tcp_sock *t)
{
	struct inet_sock *peer = &tcp_peer(t)->sock->in;

	socket_tell_urgent(&peer->lock, &peer->file, &peer->wq);
}

/* ---- the receiver ---- */

/* The byte itself. -EINVAL: there is none, or it was read. */
static int urg_take(struct tcp_sock *t, bool peek)
{
	struct tcp_end *own = tcp_own(t);
	int byte = -EINVAL;

	spin_lock(&t->conn->lock);
	if (own->urg & TCP_URG_VALID) {
		byte = (u8)own->urg;
		if (!peek)
			own->urg = TCP_URG_READ;
	}
	spin_unlock(&t->conn->lock);
	return byte;
}

s64 tcp_urg_recv(struct socket *s, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(s);
	int r = s->oobinline ? -EINVAL : urg_take(t, m->flags & MSG_PEEK);
	u8 byte = (u8)r;

	if (r < 0)
		return r;
	m->out_flags |= MSG_OOB;
	if (!m->uio->left) {
		m->out_flags |= MSG_TRUNC;
		return 0;
	}
	if (!(m->flags & MSG_TRUNC) && uio_write(m->uio, &byte, 1) != 1)
		return -EFAULT;
	return 1;
}

bool tcp_urg_at(const struct tcp_end *own, u64 pos)
{
	return atomic_load(&own->urg) && READ_ONCE(own->urg_pos) == pos;
}

/* What tcp_urg_pass found: bytes of the stream to drop, and one to give. */
struct urg_step {
	bool gone, drop, give;
	u8 byte;
};

/* Connection's lock held. */
static void urg_step_mark(
	struct tcp_end *own, bool in_line, bool peek, u64 pos, struct urg_step *step)
{
	if (!own->urg || own->urg_pos != pos)
		return;
	step->give = in_line && peek;
	step->drop = !in_line;
	step->byte = (u8)own->urg;
	if (peek)
		return;
	own->urg = 0;
	atomic_store(&own->rx.stop, STREAM_NO_STOP);
}

s64 tcp_urg_pass(struct socket *s, struct sock_msg *m, bool first, u64 *skip)
{
	struct tcp_sock *t = tcp_of(s);
	struct tcp_end *own = tcp_own(t);
	struct urg_step step = { .gone = false };
	bool peek = m->flags & MSG_PEEK;

	spin_lock(&t->conn->lock);
	step.gone = own->urg_gone == own->rx.tail + *skip;
	if (step.gone && !peek)
		own->urg_gone = STREAM_NO_STOP;
	if (first)
		urg_step_mark(own, s->oobinline, peek, own->rx.tail + *skip + step.gone, &step);
	spin_unlock(&t->conn->lock);
	if (!peek) {
		stream_discard(&own->rx, (u64)step.gone + step.drop);
		return 0;
	}
	*skip += (u64)step.gone + step.drop + step.give;
	if (!step.give || !m->uio->left)
		return 0;
	return uio_write(m->uio, &step.byte, 1) == 1 ? 1 : -EFAULT;
}

/* ---- questions ---- */

/* Bytes in the stream without one that is gone, and where they begin. Connection's lock held. */
static u64 urg_begin(struct tcp_end *own)
{
	u64 tail = atomic_load(&own->rx.tail);

	return tail + (own->urg_gone == tail);
}

u64 tcp_urg_readable(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	struct tcp_end *own = tcp_own(t);
	u64 begin, n;

	if (likely(!tcp_urg_any(own)))
		return stream_used(&own->rx);
	spin_lock(&t->conn->lock);
	begin = urg_begin(own);
	n = atomic_load(&own->rx.shown) - begin;
	if (own->urg && own->urg_pos == begin && !s->oobinline)
		n--;
	spin_unlock(&t->conn->lock);
	return n;
}

u64 tcp_urg_inq(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	struct tcp_end *own = tcp_own(t);
	u64 begin, end;

	spin_lock(&t->conn->lock);
	begin = urg_begin(own);
	end = atomic_load(&own->rx.shown);
	if (own->urg && !s->oobinline)
		end = own->urg_pos;
	spin_unlock(&t->conn->lock);
	return end - begin;
}

bool tcp_urg_at_mark(struct tcp_sock *t)
{
	struct tcp_end *own = tcp_own(t);
	bool at;

	spin_lock(&t->conn->lock);
	at = own->urg && own->urg_pos == urg_begin(own);
	spin_unlock(&t->conn->lock);
	return at;
}
