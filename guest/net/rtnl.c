/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of NETLINK_ROUTE. All that can be changed from inside is whether the
 * loopback interface is up: what else is not a question is refused.
 */
#include "net/rtnl.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "net/abi.h"
#include "net/netdev.h"

#define OPERSTATE_UNKNOWN 0
#define OPERSTATE_DOWN	  2
#define FOREVER		  ~0u

/* An answer being put together. */
struct writer {
	struct nl_writer w;
	const struct nlmsghdr *req;
	const struct netdev *devs;
	u32 mtu; /* of the loopback interface */
};

/* ---- interfaces ---- */

static void put_link(struct writer *w, const struct netdev *d)
{
	static const u8 no_address[6];
	struct rtnl_link_stats stats = { 0 };
	struct ifinfomsg *m = nl_begin(&w->w, RTM_NEWLINK, sizeof(*m));
	u8 state = d->flags & NETDEV_UP ? OPERSTATE_UNKNOWN : OPERSTATE_DOWN, mode = 0;

	if (!m)
		return;
	m->ifi_type = d->type;
	m->ifi_index = d->index;
	m->ifi_flags = d->flags & NETDEV_UP ? d->flags | NETDEV_LOWER_UP : d->flags;
	nl_put_string(&w->w, IFLA_IFNAME, d->name);
	nl_put_u32(&w->w, IFLA_TXQLEN, d->txqlen);
	nl_put(&w->w, IFLA_OPERSTATE, &state, 1);
	nl_put(&w->w, IFLA_LINKMODE, &mode, 1);
	nl_put_u32(&w->w, IFLA_MTU, w->mtu);
	nl_put_u32(&w->w, IFLA_GROUP, 0);
	nl_put_u32(&w->w, IFLA_PROMISCUITY, 0);
	nl_put_u32(&w->w, IFLA_NUM_TX_QUEUES, 1);
	nl_put_u32(&w->w, IFLA_NUM_RX_QUEUES, 1);
	nl_put_string(&w->w, IFLA_QDISC, "noqueue");
	nl_put(&w->w, IFLA_ADDRESS, no_address, sizeof(no_address));
	nl_put(&w->w, IFLA_BROADCAST, no_address, sizeof(no_address));
	nl_put(&w->w, IFLA_STATS, &stats, sizeof(stats));
	nl_end(&w->w);
}

/* The first attribute of this type, NULL when it is not there; *len = its payload. `at`: where the attributes begin. */
static const u8 *find_attr(const struct nlmsghdr *h, u32 at, u16 type, u32 *len)
{
	struct nl_attr a;

	nl_attrs(&a, h, at);
	while (nl_attr_next(&a)) {
		if (a.type == type) {
			*len = a.len;
			return a.data;
		}
	}
	return NULL;
}

/* The interface that a request names by its number or its name. 0, -EINVAL (by neither), -ENODEV. */
static s32 named_link(const struct writer *w, struct ifinfomsg *m, const struct netdev **out)
{
	u32 len = 0, fixed = NLMSG_HDRLEN + sizeof(*m);
	const u8 *name;

	if (w->req->nlmsg_len < fixed)
		return -EINVAL;
	memcpy(m, (const u8 *)w->req + NLMSG_HDRLEN, sizeof(*m));
	name = find_attr(w->req, fixed, IFLA_IFNAME, &len);
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		const struct netdev *d = &w->devs[i];
		bool same = name && len >= strlen(d->name) &&
			    !strncmp((const char *)name, d->name, len);

		if (m->ifi_index ? m->ifi_index == d->index : same) {
			*out = d;
			return 0;
		}
	}
	return m->ifi_index || name ? -ENODEV : -EINVAL;
}

static s32 get_link(struct writer *w, bool dump)
{
	const struct netdev *d;
	struct ifinfomsg m;
	s32 r;

	if (!dump) {
		r = named_link(w, &m, &d);
		if (!r)
			put_link(w, d);
		return r;
	}
	for (u32 i = 0; i < NETDEVS_COUNT; i++)
		put_link(w, &w->devs[i]);
	return 0;
}

/* Up and down is all that changes: what else a request asks for is refused as a whole. */
static s32 set_link(const struct writer *w, struct rtnl_net *net)
{
	const struct netdev *d;
	struct ifinfomsg m;
	struct nl_attr a;
	s32 r = named_link(w, &m, &d);

	if (r)
		return r == -ENODEV && (w->req->nlmsg_flags & NLM_F_CREATE) ? -EOPNOTSUPP : r;
	nl_attrs(&a, w->req, NLMSG_HDRLEN + sizeof(m));
	while (nl_attr_next(&a)) {
		if (a.type != IFLA_IFNAME && a.type != IFLA_EXT_MASK)
			return -EOPNOTSUPP;
	}
	if ((size_t)(a.end - a.next) >= sizeof(struct nlattr))
		return -EINVAL;
	if (m.ifi_change ? m.ifi_change & NETDEV_UP : m.ifi_flags)
		net->lo_up = m.ifi_flags & NETDEV_UP;
	return 0;
}

/* ---- addresses ---- */

static u32 addr_bytes(u32 family, const struct inet_addr *a, const u8 **from)
{
	*from = family == AF_INET ? a->b + 12 : a->b;
	return family == AF_INET ? 4 : 16;
}

static void put_addr(struct writer *w, const struct netdev *d, const struct netdev_addr *a)
{
	struct ifa_cacheinfo info = { .ifa_prefered = FOREVER, .ifa_valid = FOREVER };
	struct ifaddrmsg *m = nl_begin(&w->w, RTM_NEWADDR, sizeof(*m));
	const u8 *bytes;
	u32 len = addr_bytes(a->family, &a->addr, &bytes);

	if (!m)
		return;
	m->ifa_family = (u8)a->family;
	m->ifa_prefixlen = a->prefix;
	m->ifa_flags = IFA_F_PERMANENT;
	m->ifa_scope = RT_SCOPE_HOST;
	m->ifa_index = (u32)d->index;
	nl_put(&w->w, IFA_ADDRESS, bytes, len);
	if (a->family == AF_INET) {
		nl_put(&w->w, IFA_LOCAL, bytes, len);
		nl_put_string(&w->w, IFA_LABEL, d->name);
	}
	nl_put(&w->w, IFA_CACHEINFO, &info, sizeof(info));
	nl_put_u32(&w->w, IFA_FLAGS, IFA_F_PERMANENT);
	nl_end(&w->w);
}

/* The family that a request names in its first byte, 0 = all. */
static u32 request_family(const struct nlmsghdr *h)
{
	return h->nlmsg_len > NLMSG_HDRLEN ? ((const u8 *)h)[NLMSG_HDRLEN] : AF_UNSPEC;
}

static s32 get_addr(struct writer *w)
{
	u32 family = request_family(w->req);

	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		for (u32 n = 0; n < w->devs[i].naddrs; n++) {
			if (!family || family == w->devs[i].addrs[n].family)
				put_addr(w, &w->devs[i], &w->devs[i].addrs[n]);
		}
	}
	return 0;
}

/* Going up brings the one address that there can be. */
static s32 new_addr(const struct writer *w, const struct rtnl_net *net)
{
	static const u8 loopback[4] = { 127, 0, 0, 1 };
	u32 len = 0, fixed = NLMSG_HDRLEN + sizeof(struct ifaddrmsg);
	struct ifaddrmsg m;
	const u8 *addr;

	if (w->req->nlmsg_len < fixed)
		return -EINVAL;
	memcpy(&m, (const u8 *)w->req + NLMSG_HDRLEN, sizeof(m));
	addr = find_attr(w->req, fixed, IFA_LOCAL, &len);
	if (m.ifa_index != (u32)w->devs[0].index)
		return -ENODEV;
	if (m.ifa_family != AF_INET || m.ifa_prefixlen != 8 || !addr || len != sizeof(loopback) ||
		memcmp(addr, loopback, len) != 0)
		return -EOPNOTSUPP;
	return net->lo_up ? -EEXIST : 0;
}

/* ---- routes: every address is a local one ---- */

static void put_route(
	struct writer *w, const struct netdev *d, const struct netdev_addr *a, u8 prefix)
{
	struct rtmsg *m = nl_begin(&w->w, RTM_NEWROUTE, sizeof(*m));
	struct inet_addr net = a->addr;
	const u8 *bytes, *source;
	u32 len = addr_bytes(a->family, &net, &bytes);

	if (!m)
		return;
	if (prefix == 8)
		net.b[15] = 0; /* 127.0.0.0 */
	m->rtm_family = (u8)a->family;
	m->rtm_dst_len = prefix;
	m->rtm_table = RT_TABLE_LOCAL;
	m->rtm_protocol = RTPROT_KERNEL;
	m->rtm_scope = a->family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_LOCAL;
	nl_put_u32(&w->w, RTA_TABLE, RT_TABLE_LOCAL);
	nl_put(&w->w, RTA_DST, bytes, len);
	addr_bytes(a->family, &a->addr, &source);
	if (a->family == AF_INET)
		nl_put(&w->w, RTA_PREFSRC, source, len);
	nl_put_u32(&w->w, RTA_OIF, (u32)d->index);
	nl_end(&w->w);
}

static void dump_routes(struct writer *w, u32 family)
{
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		for (u32 n = 0; n < w->devs[i].naddrs; n++) {
			const struct netdev_addr *a = &w->devs[i].addrs[n];

			if (family && family != a->family)
				continue;
			put_route(w, &w->devs[i], a, a->prefix);
			if (a->family == AF_INET)
				put_route(w, &w->devs[i], a, 32);
		}
	}
}

/* The way to one address. */
static s32 one_route(struct writer *w)
{
	u32 family = request_family(w->req), len = 0;
	const u8 *dst;

	if (w->req->nlmsg_len < NLMSG_HDRLEN + sizeof(struct rtmsg))
		return -EINVAL;
	if (family != AF_INET && family != AF_INET6)
		return -EOPNOTSUPP;
	dst = find_attr(w->req, NLMSG_HDRLEN + sizeof(struct rtmsg), RTA_DST, &len);
	if (!dst || len != (family == AF_INET ? 4u : 16u))
		return -EINVAL;
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		for (u32 n = 0; n < w->devs[i].naddrs; n++) {
			struct netdev_addr to = w->devs[i].addrs[n];
			const u8 *own;

			addr_bytes(family, &to.addr, &own);
			if (to.family != family || memcmp(own, dst, to.prefix / 8))
				continue;
			put_route(w, &w->devs[i], &to, family == AF_INET ? 32 : 128);
			return 0;
		}
	}
	return -ENETUNREACH;
}

/* ---- requests ---- */

static s32 change(const struct writer *w, struct rtnl_net *net)
{
	if (!net->admin)
		return -EPERM;
	switch (w->req->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_SETLINK:
		return set_link(w, net);
	case RTM_NEWADDR:
		return new_addr(w, net);
	default:
		return -EOPNOTSUPP;
	}
}

static s32 answer(struct writer *w, bool dump, struct rtnl_net *net)
{
	switch (w->req->nlmsg_type) {
	case RTM_GETLINK:
		return get_link(w, dump);
	case RTM_GETADDR:
		return dump ? get_addr(w) : -EOPNOTSUPP;
	case RTM_GETROUTE:
		if (!dump)
			return one_route(w);
		dump_routes(w, request_family(w->req));
		return 0;
	case RTM_GETNEIGH:
	case RTM_GETRULE:
	case RTM_GETQDISC:
		return dump ? 0 : -EOPNOTSUPP; /* there are none */
	default:
		return change(w, net);
	}
}

s32 rtnl_request(const struct nlmsghdr *h, u32 portid, struct rtnl_net *net, struct nl_answer *out)
{
	bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	struct writer w = { .w = { .out = out,
				    .seq = h->nlmsg_seq,
				    .portid = portid,
				    .flags = dump ? NLM_F_MULTI : 0 },
		.req = h,
		.devs = netdevs_of(net->lo_up),
		.mtu = net->lo_mtu };
	s32 r;

	out->len = 0;
	r = answer(&w, dump, net);
	out->done = !r && dump;
	return r;
}
