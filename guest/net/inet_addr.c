/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the inet families and where they lead. */
#include "kernel/errno.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/net_ns.h"

#define SIN6_LEN_MIN 24u /* without sin6_scope_id, RFC 2133 */

const struct inet_addr inet_any4 = { { [10] = 0xff, [11] = 0xff } };
const struct inet_addr inet_any6;
const struct inet_addr inet_loop4 = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
const struct inet_addr inet_loop6 = { { [15] = 1 } };

static u16 swap16(u16 v)
{
	return __builtin_bswap16(v);
}

static int parse4(const struct sock_addr *sa, struct inet_addr *addr, u16 *port)
{
	struct sockaddr_in sin;

	if (sa->len < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, sa->raw, sizeof(sin));
	*addr = inet_any4;
	memcpy(addr->b + 12, &sin.sin_addr, 4);
	*port = swap16(sin.sin_port);
	return 0;
}

static int parse6(const struct sock_addr *sa, struct inet_addr *addr, u16 *port)
{
	struct sockaddr_in6 sin6;

	if (sa->len < SIN6_LEN_MIN)
		return -EINVAL;
	memcpy(&sin6, sa->raw, sizeof(sin6));
	memcpy(addr->b, &sin6.sin6_addr, sizeof(addr->b));
	*port = swap16(sin6.sin6_port);
	return 0;
}

int inet_parse(u32 family, const struct sock_addr *sa, struct inet_addr *addr, u16 *port)
{
	u32 least = family == AF_INET ? sizeof(struct sockaddr_in) : SIN6_LEN_MIN;

	if (sa->len < least)
		return -EINVAL;
	if (sa->family != family)
		return -EAFNOSUPPORT;
	return family == AF_INET ? parse4(sa, addr, port) : parse6(sa, addr, port);
}

void inet_format(u32 family, const struct inet_addr *addr, u16 port, struct sock_addr *out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = swap16(port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = swap16(port) };

	if (family == AF_INET) {
		memcpy(&sin.sin_addr, addr->b + 12, 4);
		memcpy(out->raw, &sin, out->len = sizeof(sin));
	} else {
		memcpy(&sin6.sin6_addr, addr->b, sizeof(addr->b));
		memcpy(out->raw, &sin6, out->len = sizeof(sin6));
	}
}

static bool inet_loopback4(const struct inet_addr *a)
{
	return inet_addr_v4(a) && a->b[12] == 127;
}

bool inet_local(const struct net_ns *net, const struct inet_addr *a)
{
	return READ_ONCE(net->lo_up) && (inet_loopback4(a) || inet_addr_equal(a, &inet_loop6));
}

bool inet_bindable(const struct net_ns *net, const struct inet_addr *a)
{
	return inet_addr_any(a) || inet_loopback4(a) || inet_local(net, a);
}

static bool inet_broadcast(const struct inet_addr *a)
{
	static const u8 net[3] = { 255, 255, 255 };

	return inet_addr_v4(a) && (a->b[12] == 127 || a->b[12] == 255) &&
	       !memcmp(a->b + 13, net, sizeof(net));
}

int inet_route(const struct net_ns *net, struct inet_addr *dst, struct inet_addr *src)
{
	bool v4 = inet_addr_v4(dst);

	if (inet_addr_any(dst))
		*dst = v4 ? inet_loop4 : inet_loop6;
	if (inet_broadcast(dst))
		return -EACCES;
	if (!inet_local(net, dst))
		return -ENETUNREACH;
	if (inet_addr_any(src))
		*src = v4 ? inet_loop4 : inet_loop6;
	return inet_addr_v4(src) == v4 ? 0 : -EINVAL;
}

int inet_family_check(const struct inet_sock *i, const struct inet_addr *dst)
{
	if (i->family == AF_INET6 && inet_addr_v4(dst) && i->opt[IO6_V6ONLY])
		return -ENETUNREACH;
	return 0;
}
