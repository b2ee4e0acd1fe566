/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw sockets over loopback, raw(7): what one sends is heard by all raw sockets of its protocol in the namespace, and an ICMP or ICMPv6 echo request is answered.
 * There are no other packets: what TCP, UDP and UDP-Lite sockets send is not seen here, and a raw packet of those protocols reaches no such socket.
 *
 * Locks: raw_lock (spin): the list, names; then a socket's in.lock (queue). Outside of both: read_lock (mutex), user copies.
 */
#include <linux/capability.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "net/raw.h"
#include "net/scm.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "task/user_ns.h"

#define SOL_RAW	     255
#define RAW_OVERHEAD 512u /* what a queued packet counts beside its bytes */

struct raw_msg {
	struct list_head link;
	struct port_flow flow;
	struct inet_ctl ctl;
	u32 len;
	u8 data[]; /* IPv4: with its header */
};

static struct kcache raw_cache = KCACHE("raw_sock", struct raw_sock);
struct spinlock raw_lock;
struct list_head raw_socks = LIST_HEAD_INIT(raw_socks);
static u64 raw_bytes; /* in all queues; atomic */

static void raw_free(struct inet_sock *i)
{
	kcache_free(&raw_cache, container_of(i, struct raw_sock, in));
}

/* Without a port table. */
static const struct inet_proto raw_proto = {
	.number = IPPROTO_RAW,
	.lock = &raw_lock,
	.free = raw_free,
};

/* ---- delivery ---- */

/* A type that the socket's filter names? */
static bool raw_filtered(const struct raw_sock *r, const struct raw_packet *p)
{
	u8 type = p->body_len ? p->body[0] : 0;

	if (p->protocol == IPPROTO_ICMP && p->v4)
		return type < 32 && (r->filter[0] >> type & 1);
	return p->protocol == IPPROTO_ICMPV6 && !p->v4 && (r->filter[type / 32] >> type % 32 & 1);
}

static bool raw_hears(const struct raw_sock *r, const struct raw_packet *p, u32 net)
{
	const struct port_entry *e = &r->in.port;

	return e->net == net && !r->ping && (r->in.family == AF_INET) == p->v4 &&
	       r->protocol == p->protocol &&
	       (inet_addr_any(&e->local) || inet_addr_equal(&e->local, &p->dst)) &&
	       (inet_addr_any(&e->remote) || inet_addr_equal(&e->remote, &p->src)) &&
	       !raw_filtered(r, p);
}

/* An answer to an echo request of this number? Who is connected hears others, too. */
static bool raw_awaits(const struct raw_sock *r, const struct raw_packet *p, u32 net, u16 number)
{
	const struct port_entry *e = &r->in.port;

	return e->net == net && r->ping && (r->in.family == AF_INET) == p->v4 &&
	       e->lport == number &&
	       (inet_addr_any(&e->local) || inet_addr_equal(&e->local, &p->dst));
}

static void raw_queue(struct raw_sock *r, const struct raw_packet *p)
{
	const u8 *data = r->ping ? p->body : p->data;
	u32 len = r->ping ? p->body_len : p->len;
	u64 cost = len + RAW_OVERHEAD;
	struct raw_msg *msg = kmalloc(sizeof(*msg) + len);
	bool room;

	if (!msg)
		return;
	list_init(&msg->link);
	msg->flow = (struct port_flow){ .src = p->src, .dst = p->dst };
	msg->ctl = (struct inet_ctl){ p->hops, p->class };
	msg->len = len;
	memcpy(msg->data, data, len);
	spin_lock(&r->in.lock);
	room = r->queued + cost <= MAX(r->rcvbuf, cost) && !r->read_shut &&
	       atomic_load(&raw_bytes) / PAGE_SIZE < stream_pages_max;
	if (room) {
		list_add_tail(&r->queue, &msg->link);
		r->queued += cost;
		atomic_add(&raw_bytes, cost);
	}
	spin_unlock(&r->in.lock);
	if (room)
		waitq_wake(&r->in.wq, 1, POLLIN | POLLRDNORM | TELL_IN);
	else
		kfree(msg);
}

static void raw_deliver(const struct raw_packet *p, u32 net)
{
	struct raw_sock *r;
	u16 number = 0;
	bool answer = raw_packet_answer(p, &number);

	spin_lock(&raw_lock);
	list_for_each_entry (r, &raw_socks, link) {
		if (raw_hears(r, p, net)) {
			raw_queue(r, p);
		} else if (answer && raw_awaits(r, p, net, number)) {
			raw_queue(r, p);
			answer = false; /* one of those with the number */
		}
	}
	spin_unlock(&raw_lock);
}

void raw_arrive(struct raw_packet *p, const struct net_ns *net)
{
	if (!inet_local(net, &p->dst))
		return;
	raw_deliver(p, net->ns.inum);
	if (raw_packet_echo(p) && inet_local(net, &p->dst))
		raw_deliver(p, net->ns.inum);
}

/* ---- sending ---- */

int raw_dest(struct socket *s, struct sock_msg *m, struct port_flow *f)
{
	struct inet_sock *i = inet_of(s);
	u16 port;
	int r = 0;

	spin_lock(&raw_lock);
	f->src = i->port.local;
	f->dst = i->port.remote;
	spin_unlock(&raw_lock);
	if (m->name && m->name->len)
		r = inet_parse(i->family, m->name, &f->dst, &port);
	else if (inet_addr_any(&f->dst))
		r = -EDESTADDRREQ;
	if (!r && i->family == AF_INET6 && inet_addr_v4(&f->dst))
		r = -EINVAL;
	if (r)
		return r;
	r = inet_route(s->net, &f->dst, &f->src);
	return r == -EACCES && s->broadcast ? -ENETUNREACH : r;
}

/* Reads what the caller sends into a new packet, and completes it. */
static int raw_build(struct raw_sock *r, struct sock_msg *m, struct raw_packet *p)
{
	u32 room = p->v4 && !r->header ? RAW_HEADER : 0, len = (u32)m->uio->left;

	p->data = kmalloc(MAX(room + len, 1u));
	if (!p->data)
		return -ENOBUFS;
	p->len = room + len;
	if (uio_read(m->uio, p->data + room, len) < len)
		return -EFAULT;
	if (r->header)
		return raw_packet_take_header(p);
	p->body = p->data + room;
	p->body_len = len;
	if (p->v4)
		raw_packet_make_header(p);
	return r->sum_at >= 0 ? raw_packet_sum6(p, (u32)r->sum_at) : 0;
}

static s64 raw_send(struct socket *s, struct sock_msg *m)
{
	struct raw_sock *r = raw_of(s);
	struct port_flow flow = { .net = 0 };
	struct raw_packet p = { .v4 = s->family == AF_INET, .protocol = r->protocol };
	struct inet_ctl ctl;
	u64 len = m->uio->left;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len + (p.v4 && !r->header ? RAW_HEADER : 0) > RAW_PACKET_MAX)
		return -EMSGSIZE;
	err = r->write_shut ? -EPIPE : raw_dest(s, m, &flow);
	if (!err)
		err = inet_send_ctl(s, m->scm, &flow, &ctl);
	if (err)
		return err;
	p.src = flow.src;
	p.dst = flow.dst;
	p.hops = ctl.hops;
	p.class = ctl.class;
	err = raw_build(r, m, &p);
	if (!err)
		raw_arrive(&p, s->net);
	kfree(p.data);
	return err ? err : (s64)len;
}

/* ---- receiving ---- */

static struct raw_msg *raw_head(struct raw_sock *r)
{
	struct raw_msg *msg = NULL;

	spin_lock(&r->in.lock);
	if (!list_empty(&r->queue))
		msg = list_first_entry(&r->queue, struct raw_msg, link);
	spin_unlock(&r->in.lock);
	return msg;
}

static void raw_remove(struct raw_sock *r, struct raw_msg *msg)
{
	u64 cost = msg->len + RAW_OVERHEAD;

	spin_lock(&r->in.lock);
	list_del(&msg->link);
	r->queued -= cost;
	spin_unlock(&r->in.lock);
	atomic_sub(&raw_bytes, cost);
	kfree(msg);
}

/* One packet; *got = there was one. read_lock held. */
static s64 raw_recv_one(struct raw_sock *r, struct sock_msg *m, bool *got)
{
	struct raw_msg *msg = raw_head(r);
	size_t want;
	s64 n;

	*got = msg != NULL;
	if (!msg)
		return 0;
	want = MIN(m->uio->left, (u64)msg->len);
	n = (m->flags & MSG_TRUNC) && !r->ping ? msg->len : (s64)want;
	if (want < msg->len)
		m->out_flags |= MSG_TRUNC;
	if (uio_write(m->uio, msg->data, want) < want)
		n = -EFAULT;
	if (m->name)
		inet_format(r->in.family, &msg->flow.src, 0, m->name);
	inet_recv_ctl(&r->in, &msg->flow, &msg->ctl, m->scm);
	if (!(m->flags & MSG_PEEK))
		raw_remove(r, msg);
	return n;
}

s64 raw_recv(struct socket *s, struct sock_msg *m)
{
	struct raw_sock *r = raw_of(s);
	u64 deadline = socket_deadline(s->rcvtimeo);

	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		bool got;
		s64 n;

		mutex_lock(&r->read_lock);
		n = raw_recv_one(r, m, &got);
		mutex_unlock(&r->read_lock);
		if (got || r->read_shut)
			return n;
		if (socket_nonblock(s, m->flags))
			return -EAGAIN;
		n = wait_event_intr_deadline(
			&r->in.wq, raw_head(r) || READ_ONCE(r->read_shut), deadline);
		if (n)
			return n == -ETIMEDOUT ? -EAGAIN : n;
	}
}

/* ---- names ---- */

static int raw_bind(struct socket *s, const struct sock_addr *addr)
{
	struct inet_sock *i = inet_of(s);
	struct inet_addr a;
	u16 port;
	int r = inet_parse(i->family, addr, &a, &port);

	if (r)
		return r;
	if (!inet_bindable(s->net, &a))
		return -EADDRNOTAVAIL;
	spin_lock(&raw_lock);
	i->port.local = a;
	i->bound_addr = !inet_addr_any(&a);
	spin_unlock(&raw_lock);
	return 0;
}

int raw_connect(struct socket *s, const struct sock_addr *addr)
{
	struct inet_sock *i = inet_of(s);
	struct inet_addr any = i->family == AF_INET ? inet_any4 : inet_any6;
	struct inet_addr dst = any, src = i->bound_addr ? i->port.local : any;
	u16 port = 0;
	int r = 0;

	if (addr->len < sizeof(addr->family))
		return -EINVAL;
	if (addr->family != AF_UNSPEC) {
		r = inet_parse(i->family, addr, &dst, &port);
		if (!r)
			r = inet_route(s->net, &dst, &src);
	}
	if (r)
		return r;
	spin_lock(&raw_lock);
	i->port.local = src;
	i->port.remote = dst;
	i->port.rport = port;
	spin_unlock(&raw_lock);
	return 0;
}

int raw_shutdown(struct socket *s, int how)
{
	struct raw_sock *r = raw_of(s);

	spin_lock(&r->in.lock);
	r->read_shut |= how != SHUT_WR;
	r->write_shut |= how != SHUT_RD;
	spin_unlock(&r->in.lock);
	waitq_wake_all(&r->in.wq);
	return inet_addr_any(&r->in.port.remote) ? -ENOTCONN : 0;
}

u32 raw_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct raw_sock *r = raw_of(s);
	u32 ev = POLLOUT | POLLWRNORM;

	poll_wait(f, &r->in.wq, pt);
	if (raw_head(r))
		ev |= POLLIN | POLLRDNORM;
	if (r->read_shut)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP | (r->write_shut ? POLLHUP : 0);
	return ev;
}

static s64 raw_inq(struct socket *s)
{
	struct raw_sock *r = raw_of(s);
	s64 n = 0;

	spin_lock(&r->in.lock);
	if (!list_empty(&r->queue))
		n = list_first_entry(&r->queue, struct raw_msg, link)->len;
	spin_unlock(&r->in.lock);
	return n;
}

s64 raw_outq(struct socket *s)
{
	(void)s;
	return 0;
}

/* ---- options ---- */

/* Filters and IPV6_CHECKSUM, by level and number. NULL: it is none of them. */
static void *raw_option(struct raw_sock *r, int level, int opt, u32 *len)
{
	bool v6 = r->in.family == AF_INET6;

	*len = sizeof(s32);
	if (level == SOL_RAW && opt == ICMP_FILTER && !v6 && r->protocol == IPPROTO_ICMP)
		return r->filter;
	if (level == IPPROTO_ICMPV6 && opt == ICMPV6_FILTER && v6 &&
		r->protocol == IPPROTO_ICMPV6) {
		*len = sizeof(r->filter);
		return r->filter;
	}
	if ((level == SOL_RAW || level == IPPROTO_IPV6) && opt == IPV6_CHECKSUM && v6)
		return &r->sum_at;
	return NULL;
}

/* What is for ICMP sockets alone. */
static bool raw_wrong(const struct raw_sock *r, int level, int opt)
{
	return level == SOL_RAW && opt == ICMP_FILTER && r->in.family == AF_INET &&
	       r->protocol != IPPROTO_ICMP;
}

static int raw_set_sum(struct raw_sock *r, int level, uaddr_t val, u32 len)
{
	s32 v;

	if (len < sizeof(v))
		return -EINVAL;
	if (get_user(v, val))
		return -EFAULT;
	if ((r->protocol == IPPROTO_ICMPV6 && level == IPPROTO_IPV6) || (v > 0 && (v & 1)))
		return -EINVAL;
	r->sum_at = MAX(v, -1);
	return 0;
}

static int raw_setsockopt(struct socket *s, int level, int opt, uaddr_t val, u32 len)
{
	struct raw_sock *r = raw_of(s);
	u32 size;
	void *p = raw_option(r, level, opt, &size);
	s32 v;

	if (raw_wrong(r, level, opt))
		return -EOPNOTSUPP;
	if (p == &r->sum_at)
		return raw_set_sum(r, level, val, len);
	if (p)
		return copy_from_user(p, val, MIN(len, size));
	if (level != IPPROTO_IP || opt != IP_HDRINCL || r->in.family != AF_INET)
		return inet_setsockopt(s, level, opt, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user(v, val))
		return -EFAULT;
	r->header = v != 0;
	return 0;
}

static int raw_getsockopt(struct socket *s, int level, int opt, struct sock_optval *out)
{
	struct raw_sock *r = raw_of(s);
	const void *p = raw_option(r, level, opt, &out->len);
	s32 v = r->header;

	if (raw_wrong(r, level, opt))
		return -EOPNOTSUPP;
	if (p) {
		memcpy(out->buf, p, out->len);
		return 0;
	}
	if (level != IPPROTO_IP || opt != IP_HDRINCL || r->in.family != AF_INET)
		return inet_getsockopt(s, level, opt, out);
	memcpy(out->buf, &v, out->len = sizeof(v));
	return 0;
}

void raw_options_changed(struct socket *s)
{
	WRITE_ONCE(raw_of(s)->rcvbuf, s->rcvbuf);
}

/* ---- life ---- */

void raw_release(struct socket *s)
{
	struct raw_sock *r = raw_of(s);

	spin_lock(&raw_lock);
	list_del(&r->link);
	spin_unlock(&raw_lock);
	while (!list_empty(&r->queue))
		raw_remove(r, list_first_entry(&r->queue, struct raw_msg, link));
	inet_put(&r->in);
}

static const struct sock_ops raw_ops = {
	.bind = raw_bind,
	.connect = raw_connect,
	.getname = inet_getname,
	.send = raw_send,
	.recv = raw_recv,
	.shutdown = raw_shutdown,
	.poll = raw_poll,
	.inq = raw_inq,
	.outq = raw_outq,
	.take_error = inet_take_error,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.options_changed = raw_options_changed,
	.release = raw_release,
};

struct raw_sock *raw_attach(struct socket *s, bool ping)
{
	struct raw_sock *r = kcache_zalloc(&raw_cache);

	if (!r)
		return NULL;
	inet_init(&r->in, &raw_proto, s->family, s->net->ns.inum);
	list_init(&r->queue);
	r->protocol = (u8)s->protocol;
	r->ping = ping;
	r->in.port.lport = ping ? 0 : r->protocol; /* as Linux shows it */
	r->header = !ping && s->protocol == IPPROTO_RAW && s->family == AF_INET;
	r->sum_at = s->protocol == IPPROTO_ICMPV6 && s->family == AF_INET6 ? 2 : -1;
	r->rcvbuf = s->rcvbuf;
	s->impl = r;
	spin_lock(&raw_lock);
	list_add_tail(&raw_socks, &r->link);
	spin_unlock(&raw_lock);
	return r;
}

int raw_create(struct socket *s)
{
	if (s->protocol > 255)
		return -EINVAL;
	if (!s->protocol)
		return -EPROTONOSUPPORT;
	if (!ns_capable(s->net->ns.owner, CAP_NET_RAW))
		return -EPERM;
	s->ops = &raw_ops;
	return raw_attach(s, false) ? 0 : -ENOBUFS;
}
