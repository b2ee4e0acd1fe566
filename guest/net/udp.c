/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP over loopback: a datagram goes from the sender straight into the queue of the socket that hears it, and is dropped when that is full. A datagram
 * that nobody hears comes back as ECONNREFUSED, as an ICMP message would make it. See udp(7). UDP-Lite is the same with ports of its own and a say in
 * how much of a datagram is checked, udplite(7).
 */
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/inet.h"
#include "net/net_ns.h"
#include "net/stream.h"
#include "net/scm.h"
#include "net/tcp.h"

#define UDP_MAX4     65507u
#define UDP_MAX6     65527u
#define UDP_HEADER   8u
#define UDP_OVERHEAD 512u /* what a queued datagram counts beside its bytes */
#define UDP_ERRS_MAX 16u

struct udp_msg {
	struct list_head link;
	struct port_flow flow;
	u32 len;
	u32 covered; /* by the checksum, with the header */
	s32 err; /* on the error queue */
	struct inet_ctl ctl;
	u8 data[];
};

struct udp_sock {
	struct inet_sock in;
	/* lock: in.lock */
	struct list_head queue, errors; /* struct udp_msg */
	u64 queued; /* bytes with overhead */
	u32 nerrors;
	u32 rcvbuf;
	bool read_shut, write_shut;
	struct mutex more_lock; /* protects: more */
	struct udp_msg *more; /* a datagram that grows (MSG_MORE) */
	struct mutex read_lock; /* one reader at a time consumes the queue */
};

static struct kcache udp_cache = KCACHE("udp_sock", struct udp_sock);
static struct spinlock udp_table_lock, udplite_table_lock;
static struct port_table udp_table, udplite_table;
static u64 udp_bytes; /* in all queues; atomic */

static struct udp_sock *udp_of(struct socket *s)
{
	return s->impl;
}

static void udp_free(struct inet_sock *i)
{
	struct udp_sock *u = container_of(i, struct udp_sock, in);

	kcache_free(&udp_cache, u);
}

static void udp_info_fill(struct inet_sock *i, struct inet_info *out)
{
	out->state = i->port.rport ? TCP_ESTABLISHED : TCP_CLOSE;
	out->rx = READ_ONCE(container_of(i, struct udp_sock, in)->queued);
}

const struct inet_proto udp_proto = {
	.number = IPPROTO_UDP,
	.lock = &udp_table_lock,
	.table = &udp_table,
	.free = udp_free,
	.info = udp_info_fill,
};

const struct inet_proto udplite_proto = {
	.number = IPPROTO_UDPLITE,
	.lock = &udplite_table_lock,
	.table = &udplite_table,
	.free = udp_free,
	.info = udp_info_fill,
};

/* ---- names ---- */

static void udp_disconnect(struct inet_sock *i)
{
	u16 num;

	spin_lock(i->proto->lock);
	num = i->port.lport;
	i->port.remote = i->family == AF_INET ? inet_any4 : inet_any6;
	i->port.rport = 0;
	if (!i->bound_addr)
		i->port.local = i->port.remote;
	if (!i->bound_port && num) {
		port_remove(i->proto->table, &i->port);
		i->port.lport = 0;
	}
	spin_unlock(i->proto->lock);
}

/* Destination of a datagram or connect. An AF_UNSPEC name of IPv6 is none (*port = 0). */
static int dest_parse(
	struct inet_sock *i, const struct sock_addr *sa, struct inet_addr *dst, u16 *port)
{
	struct sock_addr in = *sa;
	u32 family = i->family;
	int r;

	*port = 0;
	if (family == AF_INET6 && sa->len >= sizeof(sa->family) && sa->family != AF_INET6) {
		if (sa->family == AF_UNSPEC)
			return 0;
		if (sa->family != AF_INET)
			return -EINVAL;
		family = AF_INET;
	}
	if (family == AF_INET && in.family == AF_UNSPEC)
		in.family = AF_INET;
	r = inet_parse(family, &in, dst, port);
	if (r)
		return r;
	return *port ? inet_family_check(i, dst) : -EINVAL;
}

/* The source for datagrams to *dst, which becomes an address. */
static int udp_route(struct socket *s, struct inet_addr *dst, struct inet_addr *src)
{
	int r;

	if (inet_addr_any(src))
		*src = inet_addr_v4(dst) ? inet_any4 : inet_any6;
	r = inet_route(s->net, dst, src);
	return r == -EACCES && s->broadcast ? -ENETUNREACH : r;
}

static int udp_connect(struct socket *s, const struct sock_addr *addr)
{
	struct inet_sock *i = inet_of(s);
	struct inet_addr dst, src = i->bound_addr ? i->port.local : inet_any4;
	u16 port;
	int r;

	if (addr->len < sizeof(addr->family))
		return -EINVAL;
	if (addr->family == AF_UNSPEC) {
		udp_disconnect(i);
		return 0;
	}
	r = inet_parse(i->family, addr, &dst, &port);
	if (!r)
		r = inet_family_check(i, &dst);
	if (!r)
		r = udp_route(s, &dst, &src);
	if (!r)
		r = inet_autobind(s);
	if (r)
		return r;
	spin_lock(i->proto->lock);
	i->port.local = src;
	i->port.remote = dst;
	i->port.rport = port;
	spin_unlock(i->proto->lock);
	return 0;
}

/* ---- sending ---- */

static struct udp_msg *msg_read(struct sock_msg *m, int *err)
{
	u32 len = (u32)m->uio->left;
	struct udp_msg *msg = kmalloc(sizeof(*msg) + len);

	*err = -ENOBUFS;
	if (!msg)
		return NULL;
	list_init(&msg->link);
	msg->len = len;
	msg->err = 0;
	*err = uio_read(m->uio, msg->data, len) < len ? -EFAULT : 0;
	if (*err)
		kfree(msg);
	return *err ? NULL : msg;
}

/* Where the datagram goes, from where, and with what in its header. */
static int send_flow(
	struct socket *s, struct sock_msg *m, struct port_flow *f, struct inet_ctl *ctl)
{
	struct inet_sock *i = inet_of(s);
	int r = 0;

	f->dport = 0;
	if (m->name && m->name->len)
		r = dest_parse(i, m->name, &f->dst, &f->dport);
	if (!r)
		r = inet_autobind(s);
	if (r)
		return r;
	spin_lock(i->proto->lock);
	f->src = i->port.local;
	f->sport = i->port.lport;
	f->net = i->port.net;
	if (!f->dport) {
		f->dst = i->port.remote;
		f->dport = i->port.rport;
	} else if (!i->bound_addr) {
		f->src = inet_any4;
	}
	spin_unlock(i->proto->lock);
	if (!f->dport)
		return -EDESTADDRREQ;
	r = inet_send_ctl(s, m->scm, f, ctl);
	return r ? r : udp_route(s, &f->dst, &f->src);
}

static struct udp_sock *find_receiver(const struct inet_proto *p, const struct port_flow *f)
{
	struct port_entry *e;
	struct udp_sock *u = NULL;

	spin_lock(p->lock);
	e = port_find(p->table, f, false);
	if (e)
		u = container_of(e, struct udp_sock, in.port);
	if (u && !ref_get_unless_zero(&u->in.ref))
		u = NULL;
	spin_unlock(p->lock);
	return u;
}

/*
 * UDP-Lite: how much of a datagram and its header of eight bytes its checksum covers. Nothing gets damaged here, but receivers say how much they want
 * covered, and do not hear the others; as Linux's udplite_sender_cscov and udp_queue_rcv_skb have it.
 */
static u32 lite_covered(const struct inet_sock *i, u32 len)
{
	u32 chosen = (u32)i->opt[IU_SEND_CSCOV];

	return chosen && chosen < len + UDP_HEADER ? chosen : len + UDP_HEADER;
}

static bool lite_wanted(const struct inet_sock *to, const struct udp_msg *msg)
{
	s32 least = READ_ONCE(to->opt[IU_RECV_CSCOV]);

	if (least < 0 || msg->covered == msg->len + UDP_HEADER)
		return true;
	return least && msg->covered >= (u32)least;
}

static void deliver(struct udp_sock *to, struct udp_msg *msg)
{
	u64 cost = msg->len + UDP_OVERHEAD;
	bool room;

	spin_lock(&to->in.lock);
	room = to->queued + cost <= MAX(to->rcvbuf, cost) && !to->read_shut &&
	       atomic_load(&udp_bytes) / PAGE_SIZE < stream_pages_max && lite_wanted(&to->in, msg);
	if (room) {
		list_add_tail(&to->queue, &msg->link);
		to->queued += cost;
		atomic_add(&udp_bytes, cost);
	}
	spin_unlock(&to->in.lock);
	if (room)
		waitq_wake(&to->in.wq, 1, POLLIN | POLLRDNORM | TELL_IN);
	else
		kfree(msg);
}

/* Nobody hears it: what an ICMP port unreachable would do to the sender. Consumes msg. */
static void unreachable(struct udp_sock *u, struct udp_msg *msg)
{
	bool keep = u->in.opt[u->in.family == AF_INET ? IO_RECVERR : IO6_RECVERR];

	if (!u->in.port.rport && !keep) {
		kfree(msg);
		return;
	}
	spin_lock(&u->in.lock);
	keep = keep && u->nerrors < UDP_ERRS_MAX;
	if (keep) {
		msg->err = ECONNREFUSED;
		list_add_tail(&u->errors, &msg->link);
		u->nerrors++;
	}
	spin_unlock(&u->in.lock);
	atomic_store(&u->in.err, ECONNREFUSED);
	if (!keep)
		kfree(msg);
	waitq_wake(&u->in.wq, INT_MAX, POLLERR | POLLIN | POLLOUT | TELL_ERR);
}

static void send_out(struct udp_sock *u, struct udp_msg *msg)
{
	struct udp_sock *to = find_receiver(u->in.proto, &msg->flow);

	msg->covered = lite_covered(&u->in, msg->len);
	if (!to) {
		unreachable(u, msg);
		return;
	}
	deliver(to, msg);
	inet_put(&to->in);
}

static u32 len_max(const struct udp_sock *u)
{
	return u->in.family == AF_INET ? UDP_MAX4 : UDP_MAX6;
}

/* Appends to the datagram that MSG_MORE began, whose address holds for all of it, or begins one; without MSG_MORE it goes out. */
static s64 send_more(struct udp_sock *u, struct udp_msg *msg, bool more)
{
	struct udp_msg *old, *both;
	s64 len = msg->len;

	mutex_lock(&u->more_lock);
	old = u->more;
	if (old) {
		u32 total = old->len + msg->len;

		both = total > len_max(u)
			       ? NULL
			       : krealloc(old, sizeof(*old) + old->len, sizeof(*old) + total);
		if (both) {
			memcpy(both->data + both->len, msg->data, msg->len);
			both->len = total;
			list_init(&both->link);
		} else {
			len = total > len_max(u) ? -EMSGSIZE : -ENOBUFS;
			kfree(old);
		}
		kfree(msg);
		msg = both;
	}
	u->more = more ? msg : NULL;
	mutex_unlock(&u->more_lock);
	if (msg && !more)
		send_out(u, msg);
	return len;
}

static s64 udp_send(struct socket *s, struct sock_msg *m)
{
	struct udp_sock *u = udp_of(s);
	struct port_flow flow;
	struct inet_ctl ctl;
	struct udp_msg *msg;
	u64 len = m->uio->left;
	int r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len > len_max(u))
		return -EMSGSIZE;
	r = send_flow(s, m, &flow, &ctl);
	if (!r && READ_ONCE(u->in.err))
		r = -inet_take_error(s);
	if (!r && u->write_shut)
		r = -EPIPE;
	msg = r ? NULL : msg_read(m, &r);
	if (!msg)
		return r;
	msg->flow = flow;
	msg->ctl = ctl;
	if ((m->flags & MSG_MORE) || READ_ONCE(u->more))
		return send_more(u, msg, m->flags & MSG_MORE);
	send_out(u, msg);
	return (s64)len;
}

/* ---- receiving ---- */

/* Bytes of msg to the reader. */
static s64 msg_write(struct sock_msg *m, const struct udp_msg *msg)
{
	size_t want = MIN(m->uio->left, (u64)msg->len);

	if (uio_write(m->uio, msg->data, want) < want)
		return -EFAULT;
	if (want < msg->len)
		m->out_flags |= MSG_TRUNC;
	return m->flags & MSG_TRUNC ? msg->len : (s64)want;
}

/* struct sock_extended_err, and the sockaddr of who sent it. */
static void error_cmsg(const struct inet_sock *i, const struct udp_msg *msg, struct scm *scm)
{
	struct sock_extended_err_k e = { .err = (u32)msg->err };
	bool v4 = inet_addr_v4(&msg->flow.dst);
	struct sock_addr offender = { .len = 0 };
	u8 data[sizeof(e) + sizeof(struct sockaddr_in6)];

	e.origin = v4 ? SO_EE_ORIGIN_ICMP_K : SO_EE_ORIGIN_ICMP6_K;
	e.type = v4 ? 3 : 1; /* destination unreachable */
	e.code = v4 ? 3 : 4; /* port */
	inet_format(i->family, &msg->flow.dst, 0, &offender);
	memcpy(data, &e, sizeof(e));
	memcpy(data + sizeof(e), offender.raw, offender.len);
	scm_add(scm, i->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
		i->family == AF_INET ? IP_RECVERR : IPV6_RECVERR, data,
		(u32)(sizeof(e) + offender.len));
}

static s64 recv_error(struct udp_sock *u, struct sock_msg *m)
{
	struct udp_msg *msg = NULL;
	s64 n;

	spin_lock(&u->in.lock);
	if (!list_empty(&u->errors)) {
		msg = list_first_entry(&u->errors, struct udp_msg, link);
		list_del(&msg->link);
		u->nerrors--;
		if (!u->nerrors)
			atomic_store(&u->in.err, 0);
	}
	spin_unlock(&u->in.lock);
	if (!msg)
		return -EAGAIN;
	n = msg_write(m, msg);
	m->out_flags |= MSG_ERRQUEUE;
	if (m->name)
		inet_format(u->in.family, &msg->flow.dst, msg->flow.dport, m->name);
	error_cmsg(&u->in, msg, m->scm);
	kfree(msg);
	return n;
}

static bool recv_ready(struct udp_sock *u)
{
	bool ready;

	spin_lock(&u->in.lock);
	ready = !list_empty(&u->queue) || u->read_shut || READ_ONCE(u->in.err);
	spin_unlock(&u->in.lock);
	return ready;
}

/* The first datagram stays where it is: only the holder of read_lock removes one. */
static struct udp_msg *queue_head(struct udp_sock *u)
{
	struct udp_msg *msg = NULL;

	spin_lock(&u->in.lock);
	if (!list_empty(&u->queue))
		msg = list_first_entry(&u->queue, struct udp_msg, link);
	spin_unlock(&u->in.lock);
	return msg;
}

static void queue_remove(struct udp_sock *u, struct udp_msg *msg)
{
	u64 cost = msg->len + UDP_OVERHEAD;

	spin_lock(&u->in.lock);
	list_del(&msg->link);
	u->queued -= cost;
	spin_unlock(&u->in.lock);
	atomic_sub(&udp_bytes, cost);
	kfree(msg);
}

/* One datagram; *got = there was one. read_lock held. */
static s64 recv_one(struct udp_sock *u, struct sock_msg *m, bool *got)
{
	struct udp_msg *msg = queue_head(u);
	s64 n;

	*got = msg != NULL;
	if (!msg)
		return 0;
	n = msg_write(m, msg);
	if (m->name)
		inet_format(u->in.family, &msg->flow.src, msg->flow.sport, m->name);
	inet_recv_ctl(&u->in, &msg->flow, &msg->ctl, m->scm);
	if (!(m->flags & MSG_PEEK))
		queue_remove(u, msg);
	return n;
}

static s64 udp_recv(struct socket *s, struct sock_msg *m)
{
	struct udp_sock *u = udp_of(s);
	u64 deadline = socket_deadline(s->rcvtimeo);

	if (m->flags & MSG_ERRQUEUE)
		return recv_error(u, m);
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		bool got;
		s64 n = -inet_take_error(s);

		if (n)
			return n;
		mutex_lock(&u->read_lock);
		n = recv_one(u, m, &got);
		mutex_unlock(&u->read_lock);
		if (got || u->read_shut)
			return n;
		if (socket_nonblock(s, m->flags))
			return -EAGAIN;
		n = wait_event_intr_deadline(&u->in.wq, recv_ready(u), deadline);
		if (n)
			return n == -ETIMEDOUT ? -EAGAIN : n;
	}
}

/* ---- the rest ---- */

/* An unconnected socket is shut down all the same, but told that it is not connected. */
static int udp_shutdown(struct socket *s, int how)
{
	struct udp_sock *u = udp_of(s);

	spin_lock(&u->in.lock);
	u->read_shut |= how != SHUT_WR;
	u->write_shut |= how != SHUT_RD;
	spin_unlock(&u->in.lock);
	waitq_wake_all(&u->in.wq);
	return u->in.port.rport ? 0 : -ENOTCONN;
}

static u32 udp_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct udp_sock *u = udp_of(s);
	u32 ev = POLLOUT | POLLWRNORM;

	poll_wait(f, &u->in.wq, pt);
	spin_lock(&u->in.lock);
	if (!list_empty(&u->queue))
		ev |= POLLIN | POLLRDNORM;
	if (u->read_shut)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (u->read_shut && u->write_shut)
		ev |= POLLHUP;
	if (READ_ONCE(u->in.err) || u->nerrors)
		ev |= POLLERR;
	spin_unlock(&u->in.lock);
	return ev;
}

static s64 udp_inq(struct socket *s)
{
	struct udp_sock *u = udp_of(s);
	s64 n = 0;

	spin_lock(&u->in.lock);
	if (!list_empty(&u->queue))
		n = list_first_entry(&u->queue, struct udp_msg, link)->len;
	spin_unlock(&u->in.lock);
	return n;
}

static s64 udp_outq(struct socket *s)
{
	(void)s;
	return 0;
}

static void udp_release(struct socket *s)
{
	struct udp_sock *u = udp_of(s);
	struct list_head *lists[] = { &u->queue, &u->errors };

	spin_lock(u->in.proto->lock);
	port_remove(u->in.proto->table, &u->in.port);
	spin_unlock(u->in.proto->lock);
	/* Senders that found the socket before now give up. */
	spin_lock(&u->in.lock);
	u->read_shut = true;
	spin_unlock(&u->in.lock);
	atomic_sub(&udp_bytes, u->queued);
	kfree(u->more);
	for (u32 i = 0; i < ARRAY_SIZE(lists); i++) {
		while (!list_empty(lists[i])) {
			struct udp_msg *msg = list_first_entry(lists[i], struct udp_msg, link);

			list_del(&msg->link);
			kfree(msg);
		}
	}
	inet_put(&u->in);
}

static void udp_options_changed(struct socket *s)
{
	inet_options_changed(s);
	WRITE_ONCE(udp_of(s)->rcvbuf, s->rcvbuf);
}

static const struct sock_ops udp_ops = {
	.bind = inet_bind,
	.connect = udp_connect,
	.getname = inet_getname,
	.send = udp_send,
	.recv = udp_recv,
	.shutdown = udp_shutdown,
	.poll = udp_poll,
	.inq = udp_inq,
	.outq = udp_outq,
	.take_error = inet_take_error,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.options_changed = udp_options_changed,
	.release = udp_release,
};

int udp_create(struct socket *s)
{
	struct udp_sock *u = kcache_zalloc(&udp_cache);

	if (!u)
		return -ENOBUFS;
	inet_init(&u->in, s->protocol == IPPROTO_UDPLITE ? &udplite_proto : &udp_proto, s->family,
		s->net->ns.inum);
	list_init(&u->queue);
	list_init(&u->errors);
	u->rcvbuf = s->rcvbuf;
	s->ops = &udp_ops;
	s->impl = u;
	return 0;
}
