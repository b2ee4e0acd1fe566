/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo sockets, icmp(7): SOCK_DGRAM of IPPROTO_ICMP or IPPROTO_ICMPV6, for groups in net.ipv4.ping_group_range. They send echo requests with their number,
 * which bind chooses as others do ports, and hear the answers. As in Linux several may have one number; one of them hears.
 */
#include <linux/in.h>

#include "kernel/errno.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "net/raw.h"
#include "net/scm.h"
#include "task/cred.h"

#define PING_TRIES 256u /* numbers looked at before one is taken that others have */

static bool ping_group(const struct net_ns *net, u32 gid)
{
	return gid >= READ_ONCE(net->ping_first) && gid <= READ_ONCE(net->ping_last);
}

static bool ping_allowed(const struct net_ns *net)
{
	const struct cred *c = cred_current();

	if (ping_group(net, c->egid))
		return true;
	for (u32 i = 0; i < c->ngroups; i++) {
		if (ping_group(net, c->groups[i]))
			return true;
	}
	return false;
}

/* raw_lock held. */
static bool ping_taken(u32 net, u16 number)
{
	const struct raw_sock *r;

	list_for_each_entry (r, &raw_socks, link) {
		if (r->ping && r->in.port.net == net && r->in.port.lport == number)
			return true;
	}
	return false;
}

/* raw_lock held. */
static void ping_number(struct raw_sock *r)
{
	static u16 last;

	for (u32 tries = 0; !r->in.port.lport && tries <= PING_TRIES; tries++) {
		last = last == UINT16_MAX ? 1 : (u16)(last + 1);
		if (tries == PING_TRIES || !ping_taken(r->in.port.net, last))
			r->in.port.lport = last;
	}
}

static int ping_bind(struct socket *s, const struct sock_addr *addr)
{
	struct raw_sock *r = raw_of(s);
	struct inet_addr a;
	u16 number;
	int err = inet_parse(r->in.family, addr, &a, &number);

	if (err)
		return err;
	if (!inet_bindable(s->net, &a) || (r->in.family == AF_INET6 && inet_addr_v4(&a)))
		return -EADDRNOTAVAIL;
	spin_lock(&raw_lock);
	if (r->in.port.lport) {
		err = -EINVAL;
	} else {
		r->in.port.lport = number;
		r->in.port.local = a;
		r->in.bound_addr = !inet_addr_any(&a);
		ping_number(r);
	}
	spin_unlock(&raw_lock);
	return err;
}

static u16 ping_autobind(struct raw_sock *r)
{
	u16 number;

	spin_lock(&raw_lock);
	ping_number(r);
	number = r->in.port.lport;
	spin_unlock(&raw_lock);
	return number;
}

static int ping_connect(struct socket *s, const struct sock_addr *addr)
{
	ping_autobind(raw_of(s));
	return raw_connect(s, addr);
}

/* The request in p->data, behind the room for a header of IPv4. Addresses are looked at after it. */
static int ping_build(struct socket *s, struct sock_msg *m, struct raw_packet *p)
{
	struct port_flow flow = { .net = 0 };
	struct inet_ctl ctl;
	u32 len = p->body_len;
	int err;

	if (uio_read(m->uio, p->body, len) < len)
		return -EFAULT;
	if (p->body[0] != (p->v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST) || p->body[1])
		return -EINVAL;
	err = raw_of(s)->write_shut ? -EPIPE : raw_dest(s, m, &flow);
	if (!err)
		err = inet_send_ctl(s, m->scm, &flow, &ctl);
	if (err)
		return err;
	p->src = flow.src;
	p->dst = flow.dst;
	p->hops = ctl.hops;
	p->class = ctl.class;
	return raw_packet_ask(p, ping_autobind(raw_of(s))) ? 0 : -EINVAL;
}

static s64 ping_send(struct socket *s, struct sock_msg *m)
{
	struct raw_packet p = { .v4 = s->family == AF_INET, .protocol = (u8)s->protocol };
	u32 room = p.v4 ? RAW_HEADER : 0;
	u64 len = m->uio->left;
	int err;

	if (len + room > RAW_PACKET_MAX)
		return -EMSGSIZE;
	if (len < ECHO_HEADER)
		return -EINVAL;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	p.len = room + (u32)len;
	p.data = kmalloc(p.len);
	if (!p.data)
		return -ENOBUFS;
	p.body = p.data + room;
	p.body_len = (u32)len;
	err = ping_build(s, m, &p);
	if (!err)
		raw_arrive(&p, s->net);
	kfree(p.data);
	return err ? err : (s64)len;
}

static s64 ping_inq(struct socket *s)
{
	(void)s;
	return -ENOTTY;
}

static const struct sock_ops ping_ops = {
	.bind = ping_bind,
	.connect = ping_connect,
	.getname = inet_getname,
	.send = ping_send,
	.recv = raw_recv,
	.shutdown = raw_shutdown,
	.poll = raw_poll,
	.inq = ping_inq,
	.outq = ping_inq,
	.take_error = inet_take_error,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.options_changed = raw_options_changed,
	.release = raw_release,
};

int ping_create(struct socket *s)
{
	if (!ping_allowed(s->net))
		return -EACCES;
	s->ops = &ping_ops;
	return raw_attach(s, true) ? 0 : -ENOBUFS;
}
