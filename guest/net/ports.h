/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which port of a transport protocol: bound, listening and connected sockets, and names in TIME_WAIT. Pure bookkeeping: the caller
 * locks and keeps the entries alive. Addresses are IPv6; those of IPv4 in their mapped form (::ffff:a.b.c.d).
 * One table serves all network namespaces.
 */
#ifndef NET_PORTS_H
#define NET_PORTS_H

#include "lib/list.h"
#include "lib/types.h"

#define PORT_EPHEMERAL_MIN 32768u
#define PORT_EPHEMERAL_MAX 60999u
#define PORT_TIMEWAIT_NS   60000000000UL
#define PORT_TIMEWAIT_MAX  4096u /* names kept; more connections end without one */

struct inet_addr {
	u8 b[16];
};

enum port_state {
	PORT_NONE, /* not in the table */
	PORT_BOUND,
	PORT_LISTEN,
	PORT_CONNECTED,
	PORT_TIMEWAIT
};

struct port;

struct port_entry {
	struct list_head link; /* the port's owners or connections */
	struct list_head hash_link; /* connections by their four numbers; TIME_WAIT: see tw_link */
	struct list_head tw_link;
	struct port *port;
	struct inet_addr local, remote;
	u16 lport, rport; /* host byte order */
	u32 net; /* whose: entries of different ones never meet */
	u8 state; /* enum port_state */
	bool reuse, reuseport, v6only;
	bool v6; /* belongs to a socket of AF_INET6 */
	u32 uid;
	u64 expires; /* TIME_WAIT: CLOCK_MONOTONIC ns */
};

#define PORT_BUCKETS 1024u
#define CONN_BUCKETS 1024u

struct port_table {
	struct list_head ports[PORT_BUCKETS];
	struct list_head conns[CONN_BUCKETS];
	struct list_head timewait; /* oldest first */
	u32 ntimewait;
};

bool inet_addr_v4(const struct inet_addr *a);
bool inet_addr_any(const struct inet_addr *a); /* 0.0.0.0 or :: */
bool inet_addr_equal(const struct inet_addr *a, const struct inet_addr *b);

void port_table_init(struct port_table *t);
/* Give e (local, v6only, reuse, reuseport, uid set) the port, 0: some free one beginning at a place that seed says. 0, -EADDRINUSE, -ENOMEM. */
int port_bind(struct port_table *t, struct port_entry *e, u16 num, u32 seed);
/* A bound entry begins to listen. 0 or -EADDRINUSE. */
int port_listen(struct port_table *t, struct port_entry *e);
/* A bound or new entry (local, remote, rport set) becomes a connection; a new one gets a port. 0, -EADDRNOTAVAIL, -ENOMEM. */
int port_connect(struct port_table *t, struct port_entry *e, u32 seed, u64 now);
/* The server's end of a connection (all addresses and ports set). 0 or -ENOMEM. */
int port_accept(struct port_table *t, struct port_entry *e);
/* Takes e out; fine when it is not in. */
void port_remove(struct port_table *t, struct port_entry *e);
/* The connection e is over: tw (allocated by the caller with kmalloc, owned by the table from now on) stays in its place for a while. */
void port_timewait(struct port_table *t, struct port_entry *e, struct port_entry *tw, u64 now);
/* Drops names whose time is over. */
void port_expire(struct port_table *t, u64 now);

/* From where to where a connection or datagram goes. */
struct port_flow {
	struct inet_addr src, dst;
	u16 sport, dport;
	u32 net;
};
/* The listening socket, or the receiver of a datagram, that fits best; NULL = none. */
struct port_entry *port_find(struct port_table *t, const struct port_flow *flow, bool listening);

/* Every entry in some order: the one after *pos (bucket, place); NULL at the end. */
struct port_walk {
	u32 bucket;
	struct port *port;
	struct port_entry *entry;
	bool conns;
};
struct port_entry *port_next(struct port_table *t, struct port_walk *w);

#endif
