/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control data of the levels IPPROTO_IP and IPPROTO_IPV6, out and in. What a datagram takes from a message depends on its own version, not on the
 * socket's: an IPv6 socket that sends to an IPv4 address heeds IP_TTL, and its receiver sees IP_TTL. See ip(7), ipv6(7).
 */
#include "kernel/errno.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/scm.h"

#define LO_INDEX 1

/* A source that a message asks for must be one of ours; a wildcard asks for none. */
static int source_check(const struct socket *s, const struct inet_addr *src)
{
	if (inet_addr_any(src) || inet_local(s->net, src))
		return 0;
	return s->family == AF_INET ? -ENETUNREACH : -EINVAL;
}

static int pktinfo4(const struct socket *s, const struct sock_cmsg *c, struct port_flow *f)
{
	if (c->len != sizeof(struct in_pktinfo))
		return -EINVAL;
	f->src = inet_any4;
	memcpy(f->src.b + 12, c->data + offsetof(struct in_pktinfo, ipi_spec_dst), 4);
	return source_check(s, &f->src);
}

static int pktinfo6(const struct socket *s, const struct sock_cmsg *c, struct port_flow *f)
{
	if (c->len < 20)
		return -EINVAL;
	memcpy(f->src.b, c->data, sizeof(f->src.b));
	return source_check(s, &f->src);
}

/* A number of four bytes between min and 255. */
static int number(const struct sock_cmsg *c, s32 min, s32 *out)
{
	if (c->len != sizeof(*out))
		return -EINVAL;
	memcpy(out, c->data, sizeof(*out));
	return *out < min || *out > 255 ? -EINVAL : 0;
}

static int send_ip(const struct socket *s, const struct sock_cmsg *c, struct port_flow *f,
	struct inet_ctl *ctl)
{
	s32 v = c->data[0];
	int r = 0;

	switch (c->type) {
	case IP_PKTINFO:
		return pktinfo4(s, c, f);
	case IP_TTL:
		r = number(c, 1, &v);
		if (!r)
			ctl->hops = (u8)v;
		return r;
	case IP_TOS:
		if (c->len != 1)
			r = number(c, 0, &v);
		if (!r)
			ctl->class = (u8)v;
		return r;
	default:
		return -EINVAL;
	}
}

/* -1 leaves the socket's own. */
static int send_ipv6(const struct socket *s, const struct sock_cmsg *c, struct port_flow *f,
	struct inet_ctl *ctl)
{
	s32 v;
	int r;

	switch (c->type) {
	case IPV6_PKTINFO:
		return pktinfo6(s, c, f);
	case IPV6_HOPLIMIT:
		r = number(c, -1, &v);
		if (!r && v >= 0)
			ctl->hops = (u8)v;
		return r;
	case IPV6_TCLASS:
		r = number(c, -1, &v);
		if (!r && v >= 0)
			ctl->class = (u8)v;
		return r;
	default:
		return -EINVAL;
	}
}

int inet_send_ctl(
	const struct socket *s, const struct scm *scm, struct port_flow *f, struct inet_ctl *ctl)
{
	const struct inet_sock *i = s->impl;
	bool v4 = inet_addr_v4(&f->dst);
	int r = 0;

	ctl->hops = (u8)i->opt[v4 ? IO_TTL : IO6_HOPS];
	ctl->class = (u8)i->opt[v4 ? IO_TOS : IO6_TCLASS];
	for (u32 n = 0; !r && scm->extra && n < scm->extra->n; n++) {
		const struct sock_cmsg *c = &scm->extra->c[n];

		if (v4 && c->level == IPPROTO_IP)
			r = send_ip(s, c, f, ctl);
		else if (c->level == IPPROTO_IPV6 && i->family == AF_INET6 &&
			 (!v4 || c->type == IPV6_PKTINFO))
			r = send_ipv6(s, c, f, ctl);
	}
	return r;
}

static void recv_ip(const struct inet_sock *i, const struct port_flow *f,
	const struct inet_ctl *ctl, struct scm *scm)
{
	struct in_pktinfo info = { .ipi_ifindex = LO_INDEX };
	s32 hops = ctl->hops;

	memcpy(&info.ipi_addr, f->dst.b + 12, 4);
	memcpy(&info.ipi_spec_dst, f->dst.b + 12, 4);
	if (i->opt[IO_PKTINFO])
		scm_add(scm, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (i->opt[IO_RECVTTL])
		scm_add(scm, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
	if (i->opt[IO_RECVTOS])
		scm_add(scm, IPPROTO_IP, IP_TOS, &ctl->class, sizeof(ctl->class));
}

void inet_recv_ctl(const struct inet_sock *i, const struct port_flow *f, const struct inet_ctl *ctl,
	struct scm *scm)
{
	s32 hops = ctl->hops, class = ctl->class;
	struct {
		u8 addr[16];
		s32 index;
	} info = { .index = LO_INDEX };

	memcpy(info.addr, f->dst.b, sizeof(info.addr));
	if (i->family == AF_INET6 && i->opt[IO6_RECVPKTINFO])
		scm_add(scm, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	if (inet_addr_v4(&f->dst)) {
		recv_ip(i, f, ctl, scm);
		return;
	}
	if (i->opt[IO6_RECVHOPLIMIT])
		scm_add(scm, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (i->opt[IO6_RECVTCLASS])
		scm_add(scm, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
}
