/* SPDX-License-Identifier: Apache-2.0 */
/* What raw.c and ping.c share: the objects of raw sockets, of which ping sockets are a kind. */
#ifndef NET_RAW_H
#define NET_RAW_H

#include "net/inet.h"
#include "net/raw_packet.h"

struct raw_sock {
	struct inet_sock in;
	struct list_head link; /* raw_socks; lock: raw_lock */
	u8 protocol;
	bool ping; /* hears answers with its number (in.port.lport) alone, without their header: ping.c */
	bool header; /* IP_HDRINCL */
	s32 sum_at; /* IPV6_CHECKSUM: where it goes, -1 = nowhere */
	u32 filter[8]; /* types of ICMP, ICMPv6 that are not heard: bits */
	struct mutex read_lock; /* one reader at a time consumes the queue */
	/* lock: in.lock */
	struct list_head queue;
	u64 queued; /* bytes with overhead */
	u32 rcvbuf;
	bool read_shut, write_shut;
};

static inline struct raw_sock *raw_of(struct socket *s)
{
	return s->impl;
}

extern struct spinlock raw_lock;
extern struct list_head raw_socks; /* lock: raw_lock */

/* A new object for s, which is its impl and on the list from now on. NULL = no memory. */
struct raw_sock *raw_attach(struct socket *s, bool ping);
/* Where a message goes, and from where. 0 or -errno. */
int raw_dest(struct socket *s, struct sock_msg *m, struct port_flow *f);
/* The packet arrives; an echo request is turned into its answer in place. */
void raw_arrive(struct raw_packet *p, const struct net_ns *net);
/* Operations of both kinds. */
s64 raw_recv(struct socket *s, struct sock_msg *m);
int raw_connect(struct socket *s, const struct sock_addr *addr);
int raw_shutdown(struct socket *s, int how);
u32 raw_poll(struct socket *s, struct file *f, struct poll_table *pt);
s64 raw_outq(struct socket *s);
void raw_options_changed(struct socket *s);
void raw_release(struct socket *s);

#endif
