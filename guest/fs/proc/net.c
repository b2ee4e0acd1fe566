/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/net and /sys/class/net: sockets, interfaces, routes. See proc_pid_net(5). */
#include "fs/proc/proc.h"
#include "lib/string.h"
#include "net/inet.h"
#include "net/net_ns.h"
#include "net/netdev.h"
#include "net/tcp.h"
#include "net/unix.h"

/* The namespace of the process whose directory this is; how its loopback interface is. False: the process has ended. */
static bool net_of(const struct proc_ctx *c, u32 *net, bool *lo_up)
{
	struct ns *n = task_get_one_ns(c->task, NS_NET, false);

	if (!n)
		return false;
	*net = n->inum;
	*lo_up = READ_ONCE(container_of(n, struct net_ns, ns)->lo_up);
	ns_put(n);
	return true;
}

/* ---- tcp, udp ---- */
struct inet_list {
	struct proc_buf *b;
	bool v6, udp;
	u32 n;
};

/* An address as Linux prints it: words of memory in the processor's order. */
static void put_address(struct inet_list *l, const struct inet_addr *a, u16 port)
{
	for (u32 i = l->v6 ? 0 : 12; i < 16; i += 4) {
		u32 word;

		memcpy(&word, a->b + i, sizeof(word));
		proc_printf(l->b, "%08X", word);
	}
	proc_printf(l->b, ":%04X ", port);
}

static void put_socket(const struct inet_info *i, void *arg)
{
	struct inet_list *l = arg;
	size_t start = l->b->len;

	proc_printf(l->b, l->udp ? "%5u: " : "%4u: ", l->n++);
	put_address(l, &i->local, i->lport);
	put_address(l, &i->remote, i->rport);
	proc_printf(l->b,
		"%02X %08lX:%08lX 00:00000000 00000000 %5u        0 %lu %u 0000000000000000",
		i->state, i->tx, i->rx, i->uid, i->ino, i->state == TCP_TIME_WAIT ? 3u : 1u);
	if (l->udp)
		proc_printf(l->b, " 0");
	else if (i->state != TCP_TIME_WAIT)
		proc_printf(l->b, " 100 0 0 10 0");
	proc_pad(l->b, start, l->v6 ? 0 : l->udp ? 127 : 149);
	proc_printf(l->b, "\n");
}

static int show_inet(
	struct proc_buf *b, const struct proc_ctx *c, bool v6, const struct inet_proto *proto)
{
	bool udp = proto != &tcp_proto;
	u32 net;
	bool up;
	struct inet_list l = { .b = b, .v6 = v6, .udp = udp };
	size_t start = b->len;

	proc_printf(b,
		"  %ssl  %s st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode%s",
		udp && !v6 ? " " : "",
		v6 ? "local_address                         remote_address                       "
		   : "local_address rem_address  ",
		udp ? " ref pointer drops" : "");
	proc_pad(b, start, v6 ? 0 : udp ? 127 : 149);
	proc_printf(b, "\n");
	if (net_of(c, &net, &up))
		inet_each(proto, net, v6, put_socket, &l);
	return 0;
}

static int show_tcp(struct proc_buf *b, struct proc_ctx *c)
{
	return show_inet(b, c, false, &tcp_proto);
}

static int show_tcp6(struct proc_buf *b, struct proc_ctx *c)
{
	return show_inet(b, c, true, &tcp_proto);
}

static int show_udp(struct proc_buf *b, struct proc_ctx *c)
{
	return show_inet(b, c, false, &udp_proto);
}

static int show_udp6(struct proc_buf *b, struct proc_ctx *c)
{
	return show_inet(b, c, true, &udp_proto);
}

static int show_udplite(struct proc_buf *b, struct proc_ctx *c)
{
	return show_inet(b, c, false, &udplite_proto);
}

static int show_udplite6(struct proc_buf *b, struct proc_ctx *c)
{
	return show_inet(b, c, true, &udplite_proto);
}

static int show_raw(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b,
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
	return 0;
}

struct inet_count {
	u32 in_use, timewait, closed;
};

static void count_socket(const struct inet_info *i, void *arg)
{
	struct inet_count *n = arg;

	if (i->state == TCP_TIME_WAIT)
		n->timewait++;
	else if (i->ino)
		n->in_use++;
	else
		n->closed++;
}

static void count_all(
	const struct proc_ctx *c, const struct inet_proto *p, bool v6, struct inet_count *n)
{
	u32 net;
	bool up;

	*n = (struct inet_count){ 0 };
	if (net_of(c, &net, &up))
		inet_each(p, net, v6, count_socket, n);
}

static int show_sockstat(struct proc_buf *b, struct proc_ctx *c)
{
	struct inet_count t, u, l;

	count_all(c, &tcp_proto, false, &t);
	count_all(c, &udp_proto, false, &u);
	count_all(c, &udplite_proto, false, &l);
	proc_printf(b,
		"sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem 0\nUDP: inuse %u mem 0\n"
		"UDPLITE: inuse %u\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
		t.in_use + u.in_use + l.in_use, t.in_use, t.closed, t.timewait, t.in_use + t.closed,
		u.in_use, l.in_use);
	return 0;
}

static int show_sockstat6(struct proc_buf *b, struct proc_ctx *c)
{
	struct inet_count t, u, l;

	count_all(c, &tcp_proto, true, &t);
	count_all(c, &udp_proto, true, &u);
	count_all(c, &udplite_proto, true, &l);
	proc_printf(b,
		"TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
		t.in_use, u.in_use, l.in_use);
	return 0;
}

/* ---- unix ---- */
static void put_unix(const struct unix_info *i, void *arg)
{
	const size_t at = offsetof(struct sockaddr_un, sun_path);
	struct proc_buf *b = arg;

	proc_printf(b, "0000000000000000: %08X 00000000 %08X %04X %02X %5lu", i->refs,
		i->listening ? 0x10000u : 0u, i->type, i->connected ? 3u : 1u, i->ino);
	if (i->addr.len > at)
		proc_printf(b, " ");
	for (size_t n = at; n < i->addr.len; n++) {
		char ch = (char)i->addr.raw[n];

		/* The leading zero of an abstract name is an @; a path ends at its zero. */
		if (!ch && i->addr.raw[at])
			break;
		proc_printf(b, "%c", ch ? ch : '@');
	}
	proc_printf(b, "\n");
}

static int show_unix(struct proc_buf *b, struct proc_ctx *c)
{
	u32 net;
	bool up;

	proc_printf(b, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	if (net_of(c, &net, &up))
		unix_each(net, put_unix, b);
	return 0;
}

/* ---- interfaces and routes; the counters stay at zero, as there are no packets ---- */
static int show_dev(struct proc_buf *b, struct proc_ctx *c)
{
	const struct netdev *devs =
		netdevs_of(true); /* their names are the same when they are down */

	(void)c;
	proc_printf(b,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets errs drop fifo colls carrier compressed\n");
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		proc_printf(b,
			"%6s: %7u %7u %4u %4u %4u %5u %10u %9u %8u %7u %4u %4u %4u %5u %7u %10u\n",
			devs[i].name, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	}
	return 0;
}

static int show_if_inet6(struct proc_buf *b, struct proc_ctx *c)
{
	const struct netdev *devs;
	u32 net;
	bool up;

	if (!net_of(c, &net, &up))
		return 0;
	devs = netdevs_of(up);
	for (u32 i = 0; i < NETDEVS_COUNT; i++) {
		for (u32 n = 0; n < devs[i].naddrs; n++) {
			const struct netdev_addr *a = &devs[i].addrs[n];

			if (a->family != AF_INET6)
				continue;
			for (u32 k = 0; k < sizeof(a->addr.b); k++)
				proc_printf(b, "%02x", a->addr.b[k]);
			proc_printf(b, " %02x %02x %02x %02x %8s\n", (u32)devs[i].index, a->prefix,
				0x10u, 0x80u, devs[i].name);
		}
	}
	return 0;
}

static int show_route(struct proc_buf *b, struct proc_ctx *c)
{
	size_t start = b->len;

	(void)c;
	proc_printf(b,
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	proc_pad(b, start, 127);
	proc_printf(b, "\n");
	return 0;
}

static int show_route6(struct proc_buf *b, struct proc_ctx *c)
{
	u32 net;
	bool up;

	if (!net_of(c, &net, &up) || !up)
		return 0;
	proc_printf(b,
		"00000000000000000000000000000001 80 00000000000000000000000000000000 00 "
		"00000000000000000000000000000000 00000000 00000001 00000000 80200001       lo\n");
	return 0;
}

static int show_arp(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b,
		"IP address       HW type     Flags       HW address            Mask     Device\n");
	return 0;
}

static int show_netlink(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b,
		"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
	return 0;
}

static int show_packet(struct proc_buf *b, struct proc_ctx *c)
{
	(void)c;
	proc_printf(b, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	return 0;
}

const struct proc_entry proc_net_table[] = {
	PROC_FILE("arp", show_arp),
	PROC_FILE("dev", show_dev),
	PROC_FILE("if_inet6", show_if_inet6),
	PROC_FILE("ipv6_route", show_route6),
	PROC_FILE("netlink", show_netlink),
	PROC_FILE("packet", show_packet),
	PROC_FILE("raw", show_raw),
	PROC_FILE("raw6", show_raw),
	PROC_FILE("route", show_route),
	PROC_FILE("sockstat", show_sockstat),
	PROC_FILE("sockstat6", show_sockstat6),
	PROC_FILE("tcp", show_tcp),
	PROC_FILE("tcp6", show_tcp6),
	PROC_FILE("udp", show_udp),
	PROC_FILE("udp6", show_udp6),
	PROC_FILE("udplite", show_udplite),
	PROC_FILE("udplite6", show_udplite6),
	PROC_FILE("unix", show_unix),
	{ .name = NULL },
};

/* ---- /sys/class/net ---- */
#define SHOW_LO(fn, fmt, value) \
	static int fn(struct proc_buf *b, struct proc_ctx *c) \
	{ \
		(void)c; \
		proc_printf(b, fmt "\n", value); \
		return 0; \
	}

SHOW_LO(lo_address, "%s", "00:00:00:00:00:00")
SHOW_LO(lo_address_length, "%d", 6)
SHOW_LO(lo_one, "%d", 1)
SHOW_LO(lo_zero, "%d", 0)
SHOW_LO(lo_flags, "0x%x", netdevs_of(true)[0].flags & ~0x40u) /* without IFF_RUNNING */
SHOW_LO(lo_index, "%d", netdevs_of(true)[0].index)
SHOW_LO(lo_mtu, "%u", READ_ONCE(net_ns_current()->lo_mtu))
SHOW_LO(lo_operstate, "%s", "unknown")
SHOW_LO(lo_txqlen, "%u", netdevs_of(true)[0].txqlen)
SHOW_LO(lo_type, "%u", netdevs_of(true)[0].type)
SHOW_LO(lo_uevent, "INTERFACE=lo\nIFINDEX=%d", netdevs_of(true)[0].index)

static const struct proc_entry lo_statistics[] = {
	PROC_FILE("rx_bytes", lo_zero),
	PROC_FILE("rx_dropped", lo_zero),
	PROC_FILE("rx_errors", lo_zero),
	PROC_FILE("rx_packets", lo_zero),
	PROC_FILE("tx_bytes", lo_zero),
	PROC_FILE("tx_dropped", lo_zero),
	PROC_FILE("tx_errors", lo_zero),
	PROC_FILE("tx_packets", lo_zero),
	{ .name = NULL },
};

static const struct proc_entry lo_table[] = {
	PROC_FILE("addr_len", lo_address_length),
	PROC_FILE("address", lo_address),
	PROC_FILE("broadcast", lo_address),
	PROC_FILE("carrier", lo_one),
	PROC_FILE("flags", lo_flags),
	PROC_FILE("ifindex", lo_index),
	PROC_FILE("iflink", lo_index),
	PROC_FILE("mtu", lo_mtu),
	PROC_FILE("operstate", lo_operstate),
	PROC_DIR("statistics", lo_statistics),
	PROC_FILE("tx_queue_len", lo_txqlen),
	PROC_FILE("type", lo_type),
	PROC_FILE("uevent", lo_uevent),
	{ .name = NULL },
};

const struct proc_entry sysfs_net_table[] = {
	PROC_DIR("lo", lo_table),
	{ .name = NULL },
};
