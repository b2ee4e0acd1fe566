/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections: listen, connect, accept, the end. */
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/tcp.h"

#define SOMAXCONN    4096u
#define RING_DEFAULT 131072u /* each side's part of a stream's room when it did not choose */

static struct kcache conn_cache = KCACHE("tcp_conn", struct tcp_conn);

/* ---- the connection object ---- */

static void conn_free(struct tcp_conn *c)
{
	for (u32 i = 0; i < 2; i++) {
		stream_fini(&c->end[i].rx);
		inet_put(&c->end[i].sock->in);
	}
	kcache_free(&conn_cache, c);
}

/* Room for what goes to `to`. */
static u32 ring_room(const struct tcp_sock *from, const struct tcp_sock *to)
{
	return (from->sndbuf ? from->sndbuf : RING_DEFAULT) +
	       (to->rcvbuf ? to->rcvbuf : RING_DEFAULT);
}

/* With references on both sockets. NULL = no memory. */
static struct tcp_conn *conn_alloc(struct tcp_sock *a, struct tcp_sock *b)
{
	struct tcp_conn *c = kcache_zalloc(&conn_cache);

	if (!c)
		return NULL;
	c->ref.count = 2;
	c->first_fin = -1;
	c->end[0].urg_gone = c->end[1].urg_gone = STREAM_NO_STOP;
	if (stream_init(&c->end[0].rx, ring_room(b, a)) ||
		stream_init(&c->end[1].rx, ring_room(a, b))) {
		stream_fini(&c->end[0].rx);
		kcache_free(&conn_cache, c);
		return NULL;
	}
	inet_get(&a->in);
	inet_get(&b->in);
	c->end[0].sock = a;
	c->end[1].sock = b;
	return c;
}

/* Both names leave the table; who closed first keeps his for a while, as after any orderly end. */
static void conn_unname(struct tcp_conn *c)
{
	struct port_entry *tw = NULL;

	if (!c->reset && c->first_fin >= 0)
		tw = kmalloc(sizeof(*tw));
	spin_lock(tcp_proto.lock);
	for (u32 i = 0; i < 2; i++) {
		struct port_entry *e = &c->end[i].sock->in.port;

		if (c->end[i].unnamed)
			continue;
		if (tw && (s8)i == c->first_fin) {
			port_timewait(tcp_proto.table, e, tw, clock_monotonic());
			tw = NULL;
		} else {
			port_remove(tcp_proto.table, e);
		}
	}
	spin_unlock(tcp_proto.lock);
	kfree(tw);
}

/* Frees what nobody will read; the peer, if it is just writing, leaves it to the end of the connection. */
static void end_purge(struct tcp_end *e)
{
	if (!mutex_trylock(&e->rx.wlock))
		return;
	stream_discard(&e->rx, stream_used(&e->rx));
	mutex_unlock(&e->rx.wlock);
}

void tcp_end_close(struct tcp_conn *c, u32 side, bool abort)
{
	struct tcp_end *own = &c->end[side], *peer = &c->end[!side];
	bool reset = abort || stream_used(&own->rx), tell, had_fin;

	spin_lock(&c->lock);
	own->closed = true;
	had_fin = own->fin;
	own->fin = true;
	if (c->first_fin < 0)
		c->first_fin = (s8)side;
	tell = !peer->closed;
	if (reset && !c->reset) {
		if (tell) {
			tcp_fail(peer->sock, had_fin && !peer->fin ? -EPIPE : -ECONNRESET);
			peer->sock->in.reset = true;
		}
		atomic_store(&c->reset, true);
	}
	spin_unlock(&c->lock);
	if (tell) {
		waitq_wake(&peer->sock->in.wq, INT_MAX,
			POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP |
				(c->reset	    ? TELL_ERR
					: peer->fin ? TELL_HUP
						    : TELL_IN));
		waitq_wake(&peer->sock->in.space, INT_MAX, POLLOUT | POLLWRNORM | POLLHUP);
		end_purge(own);
	}
	if (ref_put(&c->ref)) {
		conn_unname(c);
		conn_free(c);
	}
}

void tcp_fail(struct tcp_sock *t, int err)
{
	atomic_store(&t->in.err, -err);
}

/* ---- listen ---- */

static int listen_start(struct socket *s, int backlog)
{
	struct tcp_sock *t = tcp_of(s);
	u32 state = READ_ONCE(t->state);
	int r;

	if (state != TCP_CLOSE && state != TCP_LISTEN)
		return -EINVAL;
	r = inet_autobind(s);
	if (r)
		return -EADDRINUSE;
	if (state == TCP_CLOSE) {
		spin_lock(tcp_proto.lock);
		if (t->in.port.state != PORT_BOUND)
			r = -EINVAL;
		else
			r = port_listen(tcp_proto.table, &t->in.port);
		spin_unlock(tcp_proto.lock);
	}
	if (r)
		return r;
	spin_lock(&t->in.lock);
	t->backlog = MIN((u32)backlog, SOMAXCONN);
	atomic_store(&t->state, (u32)TCP_LISTEN);
	spin_unlock(&t->in.lock);
	return 0;
}

int tcp_listen(struct socket *s, int backlog)
{
	struct tcp_sock *t = tcp_of(s);
	int r;

	mutex_lock(&t->setup);
	r = listen_start(s, backlog);
	mutex_unlock(&t->setup);
	return r;
}

/* A connection attempt ended without success. Only while it waits: somebody else may have ended it. */
static void attempt_fail(struct tcp_sock *t, int err)
{
	bool mine;

	spin_lock(&t->in.lock);
	mine = t->state == TCP_SYN_SENT;
	if (mine) {
		tcp_fail(t, err);
		atomic_store(&t->state, (u32)TCP_CLOSE);
	}
	spin_unlock(&t->in.lock);
	if (!mine)
		return;
	waitq_wake_all(&t->in.wq);
	waitq_wake_all(&t->in.space);
}

static void listener_stop(struct tcp_sock *l)
{
	struct list_head pending = LIST_HEAD_INIT(pending), waiting = LIST_HEAD_INIT(waiting);
	struct tcp_sock *t;

	spin_lock(tcp_proto.lock);
	if (l->in.port.state == PORT_LISTEN)
		l->in.port.state = PORT_BOUND;
	spin_unlock(tcp_proto.lock);
	spin_lock(&l->in.lock);
	atomic_store(&l->state, (u32)TCP_CLOSE);
	list_splice_tail(&pending, &l->pending);
	list_splice_tail(&waiting, &l->waiting);
	l->npending = 0;
	spin_unlock(&l->in.lock);
	waitq_wake_all(&l->in.wq);
	while (!list_empty(&pending)) {
		t = list_first_entry(&pending, struct tcp_sock, link);
		list_del(&t->link);
		tcp_end_close(t->conn, t->side, true);
		inet_put(&t->in);
	}
	/* Who waits may leave by himself at the same time: the list is his as well as ours. */
	for (;;) {
		spin_lock(&l->in.lock);
		t = list_empty(&waiting) ? NULL : list_first_entry(&waiting, struct tcp_sock, link);
		if (t)
			list_del(&t->link);
		spin_unlock(&l->in.lock);
		if (!t)
			break;
		attempt_fail(t, -ECONNREFUSED);
		inet_put(&t->in);
	}
}

void tcp_attempt_leave(struct tcp_sock *t)
{
	struct tcp_sock *l = atomic_xchg(&t->listener, NULL);
	bool was;

	if (!l)
		return;
	spin_lock(&l->in.lock);
	was = !list_empty(&t->link);
	list_del(&t->link);
	spin_unlock(&l->in.lock);
	if (was)
		inet_put(&t->in);
	inet_put(&l->in);
}

void tcp_stop(struct tcp_sock *t)
{
	if (READ_ONCE(t->state) == TCP_LISTEN) {
		listener_stop(t);
		return;
	}
	attempt_fail(t, 0);
	tcp_attempt_leave(t);
}

/* ---- establishing ---- */

/* A place in the backlog: 0 = reserved, -EAGAIN = t now waits in line (when `wait`), -ECONNREFUSED. */
static int backlog_reserve(struct tcp_sock *l, struct tcp_sock *t, bool wait)
{
	int r = 0;

	spin_lock(&l->in.lock);
	if (l->state != TCP_LISTEN)
		r = -ECONNREFUSED;
	else if (l->npending > l->backlog)
		r = -EAGAIN;
	else
		l->npending++;
	if (r == -EAGAIN && wait) {
		inet_get(&t->in);
		inet_get(&l->in);
		t->listener = l;
		list_add_tail(&l->waiting, &t->link);
	}
	spin_unlock(&l->in.lock);
	return r;
}

static struct tcp_sock *server_end(struct tcp_sock *l, struct tcp_sock *t)
{
	struct tcp_sock *srv = tcp_alloc(l->in.family, l->in.port.net);
	int r;

	if (!srv)
		return NULL;
	memcpy(srv->in.opt, l->in.opt, sizeof(srv->in.opt));
	memcpy(srv->in.congestion, l->in.congestion, sizeof(srv->in.congestion));
	srv->sndbuf = l->sndbuf;
	srv->rcvbuf = l->rcvbuf;
	srv->rcvlowat = l->rcvlowat;
	srv->in_line = l->in_line;
	srv->side = 1;
	spin_lock(tcp_proto.lock);
	srv->in.port.local = t->in.port.remote;
	srv->in.port.lport = t->in.port.rport;
	srv->in.port.remote = t->in.port.local;
	srv->in.port.rport = t->in.port.lport;
	srv->in.port.reuse = l->in.port.reuse;
	srv->in.port.reuseport = l->in.port.reuseport;
	srv->in.port.v6only = l->in.port.v6only;
	srv->in.port.uid = l->in.port.uid;
	r = port_accept(tcp_proto.table, &srv->in.port);
	spin_unlock(tcp_proto.lock);
	if (!r)
		return srv;
	inet_put(&srv->in);
	return NULL;
}

/* The server's end goes to the listener, whose place is reserved; the client learns that it is connected. */
static int establish_commit(struct tcp_sock *l, struct tcp_sock *t, struct tcp_conn *c)
{
	struct tcp_sock *srv = c->end[1].sock;
	bool alive, open;

	srv->conn = c;
	srv->state = TCP_ESTABLISHED;
	spin_lock(&t->in.lock);
	alive = t->state == TCP_SYN_SENT;
	if (alive) {
		t->conn = c;
		atomic_store(&t->state, (u32)TCP_ESTABLISHED);
	}
	spin_unlock(&t->in.lock);
	if (!alive)
		tcp_end_close(c, 0, true);
	spin_lock(&l->in.lock);
	open = l->state == TCP_LISTEN;
	if (open)
		list_add_tail(&l->pending, &srv->link);
	spin_unlock(&l->in.lock);
	if (!open) {
		tcp_end_close(c, 1, true);
		inet_put(&srv->in);
		return 0;
	}
	if (alive)
		waitq_wake(&t->in.wq, 0, POLLOUT | TELL_OUT);
	waitq_wake(&l->in.wq, 1, POLLIN | POLLRDNORM | TELL_IN);
	return 0;
}

/* Connects t, whose names are in the table, to the listener with a reserved place. 0 or -ENOBUFS. */
static int establish(struct tcp_sock *l, struct tcp_sock *t)
{
	struct tcp_sock *srv = server_end(l, t);
	struct tcp_conn *c = srv ? conn_alloc(t, srv) : NULL;

	if (c)
		return establish_commit(l, t, c);
	if (srv) {
		spin_lock(tcp_proto.lock);
		port_remove(tcp_proto.table, &srv->in.port);
		spin_unlock(tcp_proto.lock);
		inet_put(&srv->in);
	}
	spin_lock(&l->in.lock);
	if (l->npending)
		l->npending--;
	spin_unlock(&l->in.lock);
	return -ENOBUFS;
}

/* The backlog has room: the first that waits is connected. */
static void admit(struct tcp_sock *l)
{
	struct tcp_sock *t = NULL;
	int r;

	spin_lock(&l->in.lock);
	if (!list_empty(&l->waiting) && l->npending <= l->backlog) {
		t = list_first_entry(&l->waiting, struct tcp_sock, link);
		list_del(&t->link);
		l->npending++;
	}
	spin_unlock(&l->in.lock);
	if (!t)
		return;
	r = establish(l, t);
	if (r)
		attempt_fail(t, r);
	waitq_wake(&t->in.wq, INT_MAX, POLLOUT | POLLWRNORM);
	waitq_wake(&t->in.space, INT_MAX, POLLOUT | POLLWRNORM);
	inet_put(&t->in);
}

/* ---- connect ---- */

/* Names for the attempt. 0, -EADDRNOTAVAIL, -ENOMEM. */
static int connect_name(
	struct socket *s, const struct inet_addr *dst, const struct inet_addr *src, u16 port)
{
	struct inet_sock *i = inet_of(s);
	struct inet_addr old = i->port.local;
	u64 now = clock_monotonic();
	int r;

	spin_lock(tcp_proto.lock);
	port_expire(tcp_proto.table, now);
	i->port.local = *src;
	i->port.remote = *dst;
	i->port.rport = port;
	i->port.reuse = s->reuseaddr;
	i->port.reuseport = s->reuseport;
	i->ino = s->file->inode->ino;
	r = port_connect(tcp_proto.table, &i->port, inet_seed(), now);
	if (r) {
		i->port.local = old;
		i->port.rport = 0;
	}
	spin_unlock(tcp_proto.lock);
	return r;
}

/* After a failure: bound to what bind said, or to nothing. */
static void connect_unname(struct inet_sock *i)
{
	u16 num;

	spin_lock(tcp_proto.lock);
	num = i->port.lport;
	port_remove(tcp_proto.table, &i->port);
	i->port.remote = i->family == AF_INET ? inet_any4 : inet_any6;
	i->port.rport = 0;
	if (!i->bound_addr)
		i->port.local = i->port.remote;
	if (!i->bound_port || port_bind(tcp_proto.table, &i->port, num, 0))
		i->port.lport = 0;
	spin_unlock(tcp_proto.lock);
}

static struct tcp_sock *find_listener(const struct inet_sock *i)
{
	struct port_flow flow = {
		.src = i->port.local,
		.dst = i->port.remote,
		.sport = i->port.lport,
		.dport = i->port.rport,
		.net = i->port.net,
	};
	struct port_entry *e;
	struct tcp_sock *l = NULL;

	spin_lock(tcp_proto.lock);
	e = port_find(tcp_proto.table, &flow, true);
	if (e)
		l = container_of(e, struct tcp_sock, in.port);
	if (l && !ref_get_unless_zero(&l->in.ref))
		l = NULL;
	spin_unlock(tcp_proto.lock);
	return l;
}

/* The attempt itself: leaves the socket connected, waiting or closed with an error noted. */
static void connect_attempt(struct tcp_sock *t)
{
	struct tcp_sock *l = find_listener(&t->in);
	int r = l ? backlog_reserve(l, t, true) : -ECONNREFUSED;

	if (!r)
		r = establish(l, t);
	if (r && r != -EAGAIN)
		attempt_fail(t, r);
	if (l)
		inet_put(&l->in);
}

/* Waits for the end of the attempt, unless it may not. */
static int connect_wait(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	int r;

	r = wait_event_intr_deadline(
		&t->in.wq, atomic_load(&t->state) != TCP_SYN_SENT, socket_deadline(s->sndtimeo));
	return r == -ETIMEDOUT ? -EINPROGRESS : r;
}

/* What an attempt came to. Says it once. */
static int connect_result(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	int err;

	tcp_attempt_leave(t);
	spin_lock(&t->in.lock);
	t->connecting = false;
	spin_unlock(&t->in.lock);
	if (tcp_connected(t))
		return inet_take_error(s) ? -ECONNRESET : 0;
	err = inet_take_error(s);
	connect_unname(&t->in);
	return err ? -err : -ECONNABORTED;
}

static int connect_parse(
	struct inet_sock *i, const struct sock_addr *addr, struct inet_addr *dst, u16 *port)
{
	int r = inet_parse(i->family, addr, dst, port);

	return r ? r : inet_family_check(i, dst);
}

static int connect_start(struct socket *s, const struct sock_addr *addr)
{
	struct tcp_sock *t = tcp_of(s);
	struct inet_addr dst, src = t->in.port.local;
	u16 port;
	int r = connect_parse(&t->in, addr, &dst, &port);

	if (r)
		return r;
	/* A v6 wildcard that is bound, or nothing at all, becomes the address that fits. */
	if (inet_addr_any(&src))
		src = inet_addr_v4(&dst) ? inet_any4 : inet_any6;
	r = inet_route(s->net, &dst, &src);
	if (r)
		return r == -EACCES ? -ENETUNREACH : r;
	spin_lock(&t->in.lock);
	if (t->state != TCP_CLOSE || t->connecting)
		r = -EALREADY;
	else
		t->connecting = true;
	spin_unlock(&t->in.lock);
	if (r)
		return r;
	atomic_store(&t->in.err, 0); /* of a connection before */
	inet_set_file(&t->in, s->file);
	r = connect_name(s, &dst, &src, port);
	if (r) {
		t->connecting = false;
		return r;
	}
	atomic_store(&t->state, (u32)TCP_SYN_SENT);
	connect_attempt(t);
	return 0;
}

/* True: nobody uses the connection, and nobody will. setup held. */
static bool conn_take(struct tcp_sock *t)
{
	bool free;

	if (atomic_load(&t->pins))
		return false;
	/* Who comes now sees no connection; who came before is seen by us. */
	atomic_store(&t->state, (u32)TCP_CLOSE);
	atomic_fence();
	free = !atomic_load(&t->pins);
	if (!free)
		atomic_store(&t->state, (u32)TCP_ESTABLISHED);
	return free;
}

/*
 * The socket leaves its connection, the peer sees a reset unless all was over, and is as new, but for what bind said. -EBUSY while another thread waits in
 * it, as Linux 6.1 has it; calls that do not wait are over soon.
 */
#define DISCONNECT_TRIES 64

static int conn_leave(struct tcp_sock *t)
{
	struct tcp_conn *c = t->conn;
	u32 side = t->side;
	bool reset;

	for (u32 tries = 0; !conn_take(t); tries++) {
		if (tries == DISCONNECT_TRIES)
			return -EBUSY;
		sched_yield_cpu();
	}
	reset = !c->reset && !(c->end[0].fin && c->end[1].fin);
	ktimer_cancel(&t->cork);
	spin_lock(tcp_proto.lock);
	c->end[side].unnamed = true;
	spin_unlock(tcp_proto.lock);
	connect_unname(&t->in);
	t->conn = NULL;
	t->side = 0;
	t->in.reset = false;
	atomic_store(&t->in.err, reset ? ECONNRESET : 0);
	tcp_end_close(c, side, reset);
	waitq_wake_all(&t->in.wq);
	waitq_wake_all(&t->in.space);
	return 0;
}

static int connect_unspec(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	int r;

	/* An attempt that succeeds meanwhile is a connection. */
	if (!tcp_connected(t))
		tcp_stop(t);
	if (!tcp_connected(t)) {
		if (t->connecting)
			connect_result(s);
		return 0;
	}
	tcp_attempt_leave(t);
	r = conn_leave(t);
	if (!r)
		t->connecting = false;
	return r;
}

static int connect_reset(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	int r;

	mutex_lock(&t->setup);
	r = connect_unspec(s);
	mutex_unlock(&t->setup);
	return r;
}

int tcp_connect(struct socket *s, const struct sock_addr *addr)
{
	struct tcp_sock *t = tcp_of(s);
	bool fresh = false;
	int r;

	if (addr->len < sizeof(addr->family))
		return -EINVAL;
	if (addr->family == AF_UNSPEC)
		return connect_reset(s);
	if (READ_ONCE(t->state) == TCP_LISTEN)
		return -EISCONN;
	if (!READ_ONCE(t->connecting)) {
		if (tcp_connected(t))
			return -EISCONN;
		mutex_lock(&t->setup);
		r = connect_start(s, addr);
		mutex_unlock(&t->setup);
		if (r)
			return r;
		fresh = true;
	}
	/* On Linux the answer of even a local peer comes after a connect that may not wait has returned. */
	if (socket_nonblock(s, 0) && (fresh || READ_ONCE(t->state) == TCP_SYN_SENT))
		return fresh ? -EINPROGRESS : -EALREADY;
	if (READ_ONCE(t->state) == TCP_SYN_SENT) {
		r = connect_wait(s);
		if (r)
			return r;
	}
	mutex_lock(&t->setup);
	r = connect_result(s);
	mutex_unlock(&t->setup);
	return r;
}

/* ---- accept ---- */

/* First pending connection, with the list's reference; NULL when there is none. */
static struct tcp_sock *pending_take(struct tcp_sock *l, bool *closed)
{
	struct tcp_sock *end = NULL;

	spin_lock(&l->in.lock);
	*closed = l->state != TCP_LISTEN;
	if (!list_empty(&l->pending)) {
		end = list_first_entry(&l->pending, struct tcp_sock, link);
		list_del(&end->link);
		if (l->npending) /* listening may have begun anew meanwhile */
			l->npending--;
	}
	spin_unlock(&l->in.lock);
	return end;
}

static bool pending_ready(struct tcp_sock *l)
{
	bool ready;

	spin_lock(&l->in.lock);
	ready = !list_empty(&l->pending) || l->state != TCP_LISTEN;
	spin_unlock(&l->in.lock);
	return ready;
}

static int accept_wait(struct socket *s)
{
	struct tcp_sock *l = tcp_of(s);
	int r = wait_event_intr_exclusive(
		&l->in.wq, pending_ready(l), socket_deadline(s->rcvtimeo));

	/* A wake-up that was meant for this waiter goes on to the next one. */
	if (r && pending_ready(l))
		waitq_wake(&l->in.wq, 1, POLLIN | POLLRDNORM);
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

int tcp_accept(struct socket *s, struct socket *fresh, bool nonblock)
{
	struct tcp_sock *l = tcp_of(s), *end;
	bool closed;

	while (!(end = pending_take(l, &closed))) {
		int r = closed ? -EINVAL : nonblock ? -EAGAIN : accept_wait(s);

		if (r)
			return r;
	}
	admit(l);
	inet_put(fresh->impl);
	fresh->impl = end;
	fresh->sndbuf = s->sndbuf;
	fresh->rcvbuf = s->rcvbuf;
	fresh->sndbuf_set = s->sndbuf_set;
	fresh->rcvbuf_set = s->rcvbuf_set;
	fresh->rcvlowat = s->rcvlowat;
	fresh->rcvtimeo = s->rcvtimeo;
	fresh->sndtimeo = s->sndtimeo;
	fresh->reuseaddr = s->reuseaddr;
	fresh->reuseport = s->reuseport;
	fresh->keepalive = s->keepalive;
	fresh->oobinline = s->oobinline;
	fresh->linger_on = s->linger_on;
	fresh->linger_sec = s->linger_sec;
	fresh->priority = s->priority;
	end->in.ino = fresh->file->inode->ino;
	inet_set_file(&end->in, fresh->file);
	return 0;
}
