/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket options of the levels IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP and IPPROTO_UDPLITE. Most are numbers that are checked, kept and read back: on loopback,
 * where bytes arrive at once and peers do not get lost, NODELAY, keep-alive and their like have nothing to change.
 */
#include <linux/tcp.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/net_ns.h"

#define LO_MTU	   65535u /* what a header can say */
#define MSS_CLOSED 536
#define MSS_LO	   32741

#define UDPLITE_COVER_MIN 8
#define UDPLITE_COVER_MAX 65535

struct opt_def {
	s16 level, opt;
	u8 index; /* enum inet_opt_index */
	bool truth; /* any number but 0 counts as 1 */
	s32 min, max;
	s32 preset;
	s32 minus_one; /* what -1 means, -1 = refuse it unless in range */
};

/* level, option, index, truth, min, max, preset, meaning of -1 */
static const struct opt_def opts[] = {
	{ IPPROTO_IP, IP_TOS, IO_TOS, false, 0, 255, 0, -1 },
	{ IPPROTO_IP, IP_TTL, IO_TTL, false, 1, 255, 64, 64 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, IO_MTU_DISCOVER, false, 0, 5, 1, -1 },
	{ IPPROTO_IP, IP_RECVERR, IO_RECVERR, true, 0, 0, 0, -1 },
	{ IPPROTO_IP, IP_PKTINFO, IO_PKTINFO, true, 0, 0, 0, -1 },
	{ IPPROTO_IP, IP_FREEBIND, IO_FREEBIND, true, 0, 0, 0, -1 },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, IO_BIND_NO_PORT, true, 0, 0, 0, -1 },
	{ IPPROTO_IP, IP_MULTICAST_TTL, IO_MCAST_TTL, false, 0, 255, 1, 1 },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, IO_MCAST_LOOP, true, 0, 0, 1, -1 },
	{ IPPROTO_IP, IP_RECVTTL, IO_RECVTTL, true, 0, 0, 0, -1 },
	{ IPPROTO_IP, IP_RECVTOS, IO_RECVTOS, true, 0, 0, 0, -1 },
	{ IPPROTO_IPV6, IPV6_V6ONLY, IO6_V6ONLY, true, 0, 0, 0, -1 },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, IO6_HOPS, false, 0, 255, 64, 64 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, IO6_MCAST_HOPS, false, 0, 255, 1, 1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, IO6_MCAST_LOOP, true, 0, 0, 1, -1 },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, IO6_RECVPKTINFO, true, 0, 0, 0, -1 },
	{ IPPROTO_IPV6, IPV6_RECVERR, IO6_RECVERR, true, 0, 0, 0, -1 },
	{ IPPROTO_IPV6, IPV6_TCLASS, IO6_TCLASS, false, 0, 255, 0, 0 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, IO6_MTU_DISCOVER, false, 0, 5, 1, -1 },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, IO6_RECVHOPLIMIT, true, 0, 0, 0, -1 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, IO6_RECVTCLASS, true, 0, 0, 0, -1 },
	{ IPPROTO_IPV6, IPV6_FREEBIND, IO_FREEBIND, true, 0, 0, 0, -1 },
	{ IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, IU_SEND_CSCOV, false, 0, 0, 0, -1 },
	{ IPPROTO_UDPLITE, UDPLITE_RECV_CSCOV, IU_RECV_CSCOV, false, 0, 0, -1, -1 },
	{ IPPROTO_TCP, TCP_NODELAY, IT_NODELAY, true, 0, 0, 0, -1 },
	{ IPPROTO_TCP, TCP_CORK, IT_CORK, true, 0, 0, 0, -1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, IT_KEEPIDLE, false, 1, 32767, 7200, -1 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, IT_KEEPINTVL, false, 1, 32767, 75, -1 },
	{ IPPROTO_TCP, TCP_KEEPCNT, IT_KEEPCNT, false, 1, 127, 9, -1 },
	{ IPPROTO_TCP, TCP_SYNCNT, IT_SYNCNT, false, 1, 127, 6, -1 },
	{ IPPROTO_TCP, TCP_LINGER2, IT_LINGER2, false, -1, 60, 60, -1 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, IT_DEFER_ACCEPT, false, 0, INT_MAX, 0, -1 },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, IT_WINDOW_CLAMP, false, 0, INT_MAX, 0, -1 },
	{ IPPROTO_TCP, TCP_QUICKACK, IT_QUICKACK, true, 0, 0, 1, -1 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, IT_USER_TIMEOUT, false, 0, INT_MAX, 0, -1 },
	{ IPPROTO_TCP, TCP_FASTOPEN, IT_FASTOPEN, false, 0, INT_MAX, 0, -1 },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, IT_NOTSENT_LOWAT, false, INT_MIN, INT_MAX, -1, -1 },
	{ IPPROTO_TCP, TCP_MAXSEG, IT_MAXSEG, false, 88, 32767, 0, -1 },
};

void inet_opt_init(struct inet_sock *i)
{
	for (size_t n = 0; n < ARRAY_SIZE(opts); n++)
		i->opt[opts[n].index] = opts[n].preset;
	memcpy(i->congestion, "cubic", sizeof("cubic"));
}

/* Has the socket options of this level at all? */
static bool level_valid(const struct inet_sock *i, int level)
{
	switch (level) {
	case IPPROTO_IP:
		return true;
	case IPPROTO_IPV6:
		return i->family == AF_INET6;
	default:
		return (level == IPPROTO_TCP && i->proto->number == IPPROTO_TCP) ||
		       (level == IPPROTO_UDPLITE && i->proto->number != IPPROTO_TCP);
	}
}

static const struct opt_def *opt_find(const struct inet_sock *i, int level, int opt)
{
	if (!level_valid(i, level))
		return NULL;
	for (size_t n = 0; n < ARRAY_SIZE(opts); n++) {
		if (opts[n].level == level && opts[n].opt == opt)
			return &opts[n];
	}
	return NULL;
}

/* A number of four bytes, or of one where Linux takes that too. */
static int opt_number(int level, uaddr_t val, u32 len, s32 *out)
{
	u8 byte;

	if (len < sizeof(*out)) {
		if (level != IPPROTO_IP || !len)
			return -EINVAL;
		if (get_user(byte, val))
			return -EFAULT;
		*out = byte;
		return 0;
	}
	return get_user(*out, val) ? -EFAULT : 0;
}

static int set_congestion(struct inet_sock *i, uaddr_t val, u32 len)
{
	char name[16] = "";

	if (!len)
		return -EINVAL;
	if (copy_from_user(name, val, MIN(len, (u32)sizeof(name) - 1)))
		return -EFAULT;
	if (strcmp(name, "cubic") != 0 && strcmp(name, "reno") != 0)
		return -ENOENT;
	memcpy(i->congestion, name, sizeof(name));
	return 0;
}

/* IPV6_ADDRFORM: a socket of IPv6 that is connected to a mapped address becomes one of IPv4. */
static int set_addrform(struct socket *s, uaddr_t val, u32 len)
{
	struct inet_sock *i = inet_of(s);
	s32 v;
	int r = 0;

	if (len < sizeof(v))
		return -EINVAL;
	if (get_user(v, val))
		return -EFAULT;
	if (v != AF_INET)
		return -EINVAL;
	spin_lock(i->proto->lock);
	if (!i->port.rport || i->reset) {
		r = -ENOTCONN;
	} else if (i->port.v6only || i->opt[IO6_V6ONLY] || !inet_addr_v4(&i->port.remote)) {
		r = -EADDRNOTAVAIL;
	} else {
		i->port.v6 = false;
		i->family = s->family = AF_INET;
	}
	spin_unlock(i->proto->lock);
	return r;
}

/* Options that are no plain number. -ENOPROTOOPT: unknown. */
static int set_special(struct socket *s, int level, int opt, uaddr_t val, u32 len)
{
	struct inet_sock *i = inet_of(s);

	if (level == IPPROTO_IPV6 && opt == IPV6_ADDRFORM && level_valid(i, level))
		return i->proto->number == IPPROTO_RAW ? -ENOPROTOOPT : set_addrform(s, val, len);
	if (level == IPPROTO_TCP && opt == TCP_CONGESTION && level_valid(i, level))
		return set_congestion(i, val, len);
	if (level == IPPROTO_TCP && opt == TCP_ULP && level_valid(i, level))
		return -ENOENT; /* no such protocol, as without its module */
	if (level == IPPROTO_IP && (opt == IP_ADD_MEMBERSHIP || opt == IP_DROP_MEMBERSHIP))
		return -ENODEV; /* the one interface has no multicast */
	if (level == IPPROTO_IPV6 && level_valid(i, level) &&
		(opt == IPV6_ADD_MEMBERSHIP || opt == IPV6_DROP_MEMBERSHIP))
		return -ENODEV;
	if ((level == IPPROTO_IP || level == IPPROTO_IPV6) && opt == MCAST_JOIN_GROUP)
		return -ENODEV;
	return -ENOPROTOOPT;
}

int inet_setsockopt(struct socket *s, int level, int opt, uaddr_t val, u32 len)
{
	struct inet_sock *i = inet_of(s);
	const struct opt_def *d = opt_find(i, level, opt);
	s32 v;
	int r;

	if (!d)
		return set_special(s, level, opt, val, len);
	if (level == IPPROTO_UDPLITE && i->proto->number != IPPROTO_UDPLITE)
		return -ENOPROTOOPT; /* UDP sockets can be asked, and not told */
	r = opt_number(level, val, len, &v);
	if (r)
		return r;
	if (d->index == IO6_V6ONLY && i->port.state != PORT_NONE)
		return -EINVAL;
	if (v == -1 && d->minus_one != -1)
		v = d->minus_one;
	if (d->truth)
		v = v != 0;
	else if (d->index == IO_TOS)
		v &= 255;
	else if (d->level == IPPROTO_UDPLITE) /* no less than the header, or all */
		v = v ? MIN(MAX(v, UDPLITE_COVER_MIN), UDPLITE_COVER_MAX) : 0;
	else if (d->index == IT_LINGER2)
		v = MIN(MAX(v, -1), d->max);
	else if (v < d->min || v > d->max)
		return -EINVAL;
	i->opt[d->index] = v;
	if ((d->index == IT_CORK && !v) || (d->index == IT_NODELAY && v))
		s->ops->options_changed(s);
	return 0;
}

/* Is there a peer? */
static bool has_peer(const struct inet_sock *i)
{
	return i->port.rport && !i->reset;
}

static int get_special(struct socket *s, int level, int opt, struct sock_optval *out)
{
	struct inet_sock *i = inet_of(s);
	s32 mtu = (s32)MIN(READ_ONCE(s->net->lo_mtu), LO_MTU);

	if (!level_valid(i, level)) /* Linux has another error for this than setsockopt gives */
		return level == (int)i->proto->number || i->family == AF_INET6 ? -ENOPROTOOPT
									       : -EOPNOTSUPP;
	if (level == IPPROTO_IPV6 && opt == IPV6_ADDRFORM && i->proto->number != IPPROTO_RAW) {
		if (!has_peer(i))
			return -ENOTCONN;
		memcpy(out->buf, &s->family, out->len = sizeof(s->family));
		return 0;
	}
	if (level == IPPROTO_TCP && opt == TCP_INFO) {
		_Static_assert(sizeof(struct tcp_info) <= sizeof(out->buf), "TCP_INFO fits");
		tcp_fill_info(s, (struct tcp_info *)out->buf);
		out->len = sizeof(struct tcp_info);
		return 0;
	}
	if (level == IPPROTO_TCP && opt == TCP_CONGESTION) {
		memcpy(out->buf, i->congestion, out->len = sizeof(i->congestion));
		return 0;
	}
	if ((level == IPPROTO_IP && opt == IP_MTU) || (level == IPPROTO_IPV6 && opt == IPV6_MTU)) {
		if (!has_peer(i))
			return -ENOTCONN;
		memcpy(out->buf, &mtu, out->len = sizeof(mtu));
		return 0;
	}
	return -ENOPROTOOPT;
}

int inet_getsockopt(struct socket *s, int level, int opt, struct sock_optval *out)
{
	struct inet_sock *i = inet_of(s);
	const struct opt_def *d = opt_find(i, level, opt);
	s32 v;

	if (!d)
		return get_special(s, level, opt, out);
	v = i->opt[d->index];
	if (d->index == IU_RECV_CSCOV)
		v = MAX(v, 0);
	if (d->index == IT_MAXSEG)
		v = has_peer(i) ? MSS_LO : v ? v : MSS_CLOSED;
	memcpy(out->buf, &v, out->len = sizeof(v));
	return 0;
}
