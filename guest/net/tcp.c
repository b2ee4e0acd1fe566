/* SPDX-License-Identifier: Apache-2.0 */
/* TCP sockets: creation, shutdown, poll, close, questions. */
#include "net/tcp.h"

#include <linux/tcp.h>

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/net_ns.h"

#define TCP_SNDBUF_DEFAULT 16384u /* as Linux reports them; the ring is larger */
#define TCP_RCVBUF_DEFAULT 131072u
#define TCP_MSS		   32768u

static struct kcache tcp_cache = KCACHE("tcp_sock", struct tcp_sock);
static struct spinlock tcp_table_lock;
static struct port_table tcp_table;

static void tcp_free(struct inet_sock *i)
{
	struct tcp_sock *t = container_of(i, struct tcp_sock, in);

	kcache_free(&tcp_cache, t);
}

static void tcp_info_fill(struct inet_sock *i, struct inet_info *out)
{
	struct tcp_sock *t = container_of(i, struct tcp_sock, in);

	out->state = tcp_state(t);
	if (out->state == TCP_LISTEN) {
		out->rx = READ_ONCE(t->npending);
		out->tx = READ_ONCE(t->backlog);
	} else if (tcp_connected(t)) {
		out->rx = stream_used(&tcp_own(t)->rx);
		if (tcp_own(t)->closed)
			out->ino = 0;
	}
}

const struct inet_proto tcp_proto = {
	.number = IPPROTO_TCP,
	.lock = &tcp_table_lock,
	.table = &tcp_table,
	.free = tcp_free,
	.info = tcp_info_fill,
};

struct tcp_sock *tcp_alloc(u32 family, u32 net)
{
	struct tcp_sock *t = kcache_zalloc(&tcp_cache);

	if (!t)
		return NULL;
	inet_init(&t->in, &tcp_proto, family, net);
	t->state = TCP_CLOSE;
	list_init(&t->pending);
	list_init(&t->waiting);
	list_init(&t->link);
	tcp_cork_init(t);
	return t;
}

static void port_free(struct tcp_sock *t)
{
	spin_lock(&tcp_table_lock);
	port_remove(&tcp_table, &t->in.port);
	spin_unlock(&tcp_table_lock);
}

static void tcp_release(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);

	inet_set_file(&t->in, NULL);
	if (tcp_connected(t)) {
		tcp_uncork(t);
		tcp_attempt_leave(t);
		tcp_end_close(t->conn, t->side, s->linger_on && !s->linger_sec);
	} else {
		tcp_stop(t);
		port_free(t);
	}
	inet_put(&t->in);
}

/* ---- shutdown ---- */

static void shutdown_connected(struct tcp_sock *t, bool rd, bool wr)
{
	struct tcp_conn *c = t->conn;
	struct tcp_sock *peer = tcp_peer(t)->sock;

	spin_lock(&c->lock);
	if (rd)
		tcp_own(t)->rcv_shut = true;
	if (wr && !tcp_own(t)->fin) {
		tcp_own(t)->fin = true;
		if (c->first_fin < 0)
			c->first_fin = (s8)t->side;
	}
	spin_unlock(&c->lock);
	waitq_wake_all(&t->in.wq);
	waitq_wake_all(&t->in.space);
	if (wr)
		waitq_wake(&peer->in.wq, INT_MAX,
			POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP |
				(READ_ONCE(tcp_peer(t)->fin) ? TELL_HUP : TELL_IN));
}

static int tcp_shutdown(struct socket *s, int how)
{
	struct tcp_sock *t = tcp_of(s);
	bool rd = how != SHUT_WR, wr = how != SHUT_RD;

	if (tcp_pin(t)) {
		bool dead = t->conn->reset;

		if (!dead && wr)
			tcp_uncork(t);
		if (!dead)
			shutdown_connected(t, rd, wr);
		tcp_unpin(t);
		return dead ? -ENOTCONN : 0;
	}
	switch (READ_ONCE(t->state)) {
	case TCP_LISTEN:
		if (rd)
			tcp_stop(t);
		return 0;
	case TCP_SYN_SENT:
		tcp_stop(t);
		return 0;
	default:
		return -ENOTCONN;
	}
}

/* ---- poll ---- */

static u32 poll_connected(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	struct tcp_end *own = tcp_own(t), *peer = tcp_peer(t);
	bool dead = READ_ONCE(t->conn->reset);
	bool no_more = READ_ONCE(peer->fin) || READ_ONCE(own->rcv_shut) || dead;
	bool no_send = READ_ONCE(own->fin) || dead;
	u64 used = tcp_urg_readable(s);
	u32 ev = 0;

	if (used >= MAX((u64)MIN(READ_ONCE(t->rcvlowat), own->rx.cap), 1UL))
		ev |= POLLIN | POLLRDNORM;
	if (no_more)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (no_more && no_send)
		ev |= POLLHUP;
	if (no_send || READ_ONCE(peer->closed) || stream_writable(&peer->rx))
		ev |= POLLOUT | POLLWRNORM;
	if (READ_ONCE(own->urg) & TCP_URG_VALID)
		ev |= POLLPRI;
	return ev;
}

static u32 tcp_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct tcp_sock *t = tcp_of(s);
	u32 ev = 0;

	poll_wait(f, &t->in.wq, pt);
	poll_wait(f, &t->in.space, pt);
	if (tcp_pin(t)) {
		ev = poll_connected(s);
		tcp_unpin(t);
		return ev | (READ_ONCE(t->in.err) ? POLLERR : 0);
	}
	switch (atomic_load(&t->state)) {
	case TCP_LISTEN:
		ev = READ_ONCE(t->npending) && !list_empty(&t->pending) ? POLLIN | POLLRDNORM : 0;
		break;
	case TCP_CLOSE:
		ev = POLLHUP | POLLOUT | POLLWRNORM;
		if (t->connecting) /* an attempt failed */
			ev |= POLLIN | POLLRDNORM | POLLRDHUP;
		break;
	default:
		break;
	}
	if (READ_ONCE(t->in.err))
		ev |= POLLERR;
	return ev;
}

/* ---- questions ---- */

static s64 tcp_inq(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	s64 n = 0;

	if (READ_ONCE(t->state) == TCP_LISTEN)
		return -EINVAL;
	if (tcp_pin(t)) {
		n = (s64)tcp_urg_inq(s);
		tcp_unpin(t);
	}
	return n;
}

static bool tcp_atmark(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	bool at = false;

	if (tcp_pin(t)) {
		at = tcp_urg_at_mark(t);
		tcp_unpin(t);
	}
	return at;
}

/* What the peer may read is received, and acknowledged. */
static s64 tcp_outq(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	s64 n = 0;

	if (READ_ONCE(t->state) == TCP_LISTEN)
		return -EINVAL;
	if (tcp_pin(t)) {
		n = (s64)stream_held(&tcp_peer(t)->rx);
		tcp_unpin(t);
	}
	return n;
}

static bool tcp_listening(struct socket *s)
{
	return READ_ONCE(tcp_of(s)->state) == TCP_LISTEN;
}

u32 tcp_state(struct tcp_sock *t)
{
	bool own, peer;

	if (!tcp_connected(t))
		return t->state;
	own = READ_ONCE(tcp_own(t)->fin);
	peer = READ_ONCE(tcp_peer(t)->fin);
	if (t->conn->reset)
		return TCP_CLOSE;
	if (own && peer)
		return t->conn->first_fin == (s8)t->side ? TCP_TIME_WAIT : TCP_CLOSE;
	return own ? TCP_FIN_WAIT2 : peer ? TCP_CLOSE_WAIT : TCP_ESTABLISHED;
}

void tcp_fill_info(struct socket *s, struct tcp_info *info)
{
	struct tcp_sock *t = tcp_of(s);

	bool pinned = tcp_pin(t);

	memset(info, 0, sizeof(*info));
	info->tcpi_state = (u8)tcp_state(t);
	if (pinned)
		tcp_unpin(t);
	info->tcpi_rto = 200000;
	info->tcpi_ato = 40000;
	info->tcpi_snd_mss = info->tcpi_advmss = TCP_MSS;
	info->tcpi_rcv_mss = 536;
	info->tcpi_pmtu = 65535;
	info->tcpi_snd_ssthresh = INT_MAX;
	info->tcpi_snd_cwnd = 10;
	info->tcpi_reordering = 3;
	if (t->state == TCP_LISTEN) {
		info->tcpi_unacked = t->npending;
		info->tcpi_sacked = t->backlog;
	}
}

/* What the options of the socket mean for connections to come, and for this one. */
static void tcp_options_changed(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);

	inet_options_changed(s);
	t->sndbuf = s->sndbuf_set ? s->sndbuf : 0;
	t->rcvbuf = s->rcvbuf_set ? s->rcvbuf : 0;
	t->rcvlowat = s->rcvlowat;
	t->in_line = s->oobinline;
	if ((!t->in.opt[IT_CORK] || t->in.opt[IT_NODELAY]) && tcp_pin(t)) {
		tcp_uncork(t);
		tcp_unpin(t);
	}
}

static int tcp_getname(struct socket *s, struct sock_addr *out, bool peer)
{
	return peer && !tcp_connected(tcp_of(s)) ? -ENOTCONN : inet_getname(s, out, peer);
}

static const struct sock_ops tcp_ops = {
	.bind = inet_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.getname = tcp_getname,
	.send = tcp_send,
	.recv = tcp_recv,
	.shutdown = tcp_shutdown,
	.poll = tcp_poll,
	.inq = tcp_inq,
	.outq = tcp_outq,
	.atmark = tcp_atmark,
	.listening = tcp_listening,
	.take_error = inet_take_error,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.options_changed = tcp_options_changed,
	.release = tcp_release,
};

int tcp_create(struct socket *s)
{
	struct tcp_sock *t = tcp_alloc(s->family, s->net->ns.inum);

	if (!t)
		return -ENOBUFS;
	s->ops = &tcp_ops;
	s->impl = t;
	s->sndbuf = TCP_SNDBUF_DEFAULT;
	s->rcvbuf = TCP_RCVBUF_DEFAULT;
	return 0;
}
