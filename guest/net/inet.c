/* SPDX-License-Identifier: Apache-2.0 */
/* AF_INET and AF_INET6: creation, names, what TCP and UDP do alike. See ip(7), ipv6(7). */
#include "net/inet.h"

#include <linux/capability.h>

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/random.h"
#include "lib/string.h"
#include "net/net_ns.h"
#include "net/tcp.h"
#include "task/cred.h"
#include "task/user_ns.h"

void inet_init(struct inet_sock *i, const struct inet_proto *proto, u32 family, u32 net)
{
	const struct cred *c = cred_current();

	ref_init(&i->ref);
	i->proto = proto;
	i->family = family;
	i->port.local = i->port.remote = family == AF_INET ? inet_any4 : inet_any6;
	i->port.v6 = family == AF_INET6;
	i->port.net = net;
	i->port.uid = c ? c->fsuid : 0;
	waitq_init(&i->wq);
	waitq_init(&i->space);
	inet_opt_init(i);
}

void inet_get(struct inet_sock *i)
{
	ref_get(&i->ref);
}

void inet_put(struct inet_sock *i)
{
	if (ref_put(&i->ref))
		i->proto->free(i);
}

void inet_set_file(struct inet_sock *i, struct file *f)
{
	spin_lock(&i->lock);
	i->file = f;
	spin_unlock(&i->lock);
}

u32 inet_seed(void)
{
	u32 seed;

	random_bytes(&seed, sizeof(seed));
	return seed;
}

/* ---- bind ---- */

static int bind_parse(struct socket *s, const struct sock_addr *sa, struct inet_addr *a, u16 *port)
{
	const struct inet_sock *i = inet_of(s);
	struct sock_addr in = *sa;
	int r;

	/* An AF_UNSPEC wildcard counts as AF_INET, for old programs. */
	if (i->family == AF_INET && sa->len >= sizeof(struct sockaddr_in) &&
		sa->family == AF_UNSPEC) {
		in.family = AF_INET;
		r = inet_parse(AF_INET, &in, a, port);
		return r || inet_addr_any(a) ? r : -EAFNOSUPPORT;
	}
	r = inet_parse(i->family, &in, a, port);
	if (r)
		return r;
	if (i->family == AF_INET6 && inet_addr_v4(a) && i->opt[IO6_V6ONLY])
		return -EINVAL;
	if (!inet_bindable(s->net, a) && !i->opt[IO_FREEBIND])
		return -EADDRNOTAVAIL;
	return 0;
}

static void flags_to_port(struct socket *s, struct inet_sock *i)
{
	i->port.reuse = s->reuseaddr;
	i->port.reuseport = s->reuseport;
	i->port.v6only = i->family == AF_INET6 && i->opt[IO6_V6ONLY];
	i->ino = s->file ? s->file->inode->ino : 0;
}

int inet_bind(struct socket *s, const struct sock_addr *addr)
{
	struct inet_sock *i = inet_of(s);
	struct inet_addr a;
	u16 port;
	int r = bind_parse(s, addr, &a, &port);

	if (r)
		return r;
	if (port && port < READ_ONCE(s->net->privileged_ports) &&
		!ns_capable(s->net->ns.owner, CAP_NET_BIND_SERVICE))
		return -EACCES;
	spin_lock(i->proto->lock);
	if (i->port.state != PORT_NONE || i->bound_port || i->reset)
		r = -EINVAL;
	if (!r) {
		flags_to_port(s, i);
		i->port.local = a;
		if (port || !i->opt[IO_BIND_NO_PORT])
			r = port_bind(i->proto->table, &i->port, port, inet_seed());
		if (r)
			i->port.local = i->family == AF_INET ? inet_any4 : inet_any6;
		i->bound_addr = !r && !inet_addr_any(&a);
		i->bound_port = !r && port;
	}
	spin_unlock(i->proto->lock);
	return r;
}

int inet_autobind(struct socket *s)
{
	struct inet_sock *i = inet_of(s);
	int r = 0;

	if (READ_ONCE(i->port.state) != PORT_NONE)
		return 0;
	spin_lock(i->proto->lock);
	if (i->port.state == PORT_NONE) {
		flags_to_port(s, i);
		r = port_bind(i->proto->table, &i->port, 0, inet_seed());
	}
	spin_unlock(i->proto->lock);
	return r ? -EAGAIN : 0;
}

void inet_options_changed(struct socket *s)
{
	struct inet_sock *i = inet_of(s);

	spin_lock(i->proto->lock);
	i->port.reuse = s->reuseaddr;
	i->port.reuseport = s->reuseport;
	spin_unlock(i->proto->lock);
}

/* ---- questions ---- */

int inet_getname(struct socket *s, struct sock_addr *out, bool peer)
{
	struct inet_sock *i = inet_of(s);
	int r = 0;

	spin_lock(i->proto->lock);
	if (!peer)
		inet_format(i->family, &i->port.local, i->port.lport, out);
	else if (i->port.rport && !i->reset)
		inet_format(i->family, &i->port.remote, i->port.rport, out);
	else
		r = -ENOTCONN;
	spin_unlock(i->proto->lock);
	return r;
}

int inet_take_error(struct socket *s)
{
	struct inet_sock *i = inet_of(s);

	return READ_ONCE(i->err) ? atomic_xchg(&i->err, 0) : 0;
}

void inet_each(const struct inet_proto *p, u32 net, bool v6,
	void (*fn)(const struct inet_info *i, void *arg), void *arg)
{
	struct port_walk w = { .port = NULL };
	struct port_entry *e;

	spin_lock(p->lock);
	port_expire(p->table, clock_monotonic());
	while ((e = port_next(p->table, &w))) {
		struct inet_info info = {
			.local = e->local,
			.remote = e->remote,
			.lport = e->lport,
			.rport = e->rport,
			.uid = e->uid,
		};

		if (e->v6 != v6 || e->net != net)
			continue;
		if (e->state == PORT_TIMEWAIT) {
			info.state = TCP_TIME_WAIT;
		} else {
			struct inet_sock *i = container_of(e, struct inet_sock, port);

			info.ino = i->ino;
			p->info(i, &info);
		}
		fn(&info, arg);
	}
	spin_unlock(p->lock);
}

/* ---- the families ---- */

static int inet_create(struct socket *s)
{
	switch (s->type) {
	case SOCK_STREAM:
		if (s->protocol && s->protocol != IPPROTO_TCP)
			return -EPROTONOSUPPORT;
		s->protocol = IPPROTO_TCP;
		return tcp_create(s);
	case SOCK_DGRAM:
		if (s->protocol == (s->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			return ping_create(s);
		if (!s->protocol)
			s->protocol = IPPROTO_UDP;
		if (s->protocol != IPPROTO_UDP && s->protocol != IPPROTO_UDPLITE)
			return -EPROTONOSUPPORT;
		return udp_create(s);
	case SOCK_RAW:
		return raw_create(s);
	default:
		return -ESOCKTNOSUPPORT;
	}
}

const struct sock_family inet_family = { .family = AF_INET, .create = inet_create };
const struct sock_family inet6_family = { .family = AF_INET6, .create = inet_create };
