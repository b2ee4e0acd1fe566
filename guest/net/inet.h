/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_INET and AF_INET6: what TCP and UDP share. The sandbox has the loopback interface alone: 127.0.0.0/8 and ::1 are its addresses, everything else
 * is unreachable. Nothing is put into packets; inet_route is where another interface would come in.
 *
 * An inet_sock lives as long as its socket's file, a connection or a backlog refers to it. Locks: the port table's spinlock is
 * outermost, then a socket's (a connection's); two sockets are never locked at once. User copies happen outside of them.
 */
#ifndef NET_INET_H
#define NET_INET_H

#include <linux/in.h>
#include <linux/in6.h>

#include "net/ports.h"
#include "net/socket.h"

/* Options of the levels IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP and IPPROTO_UDPLITE: plain numbers, set and read back. */
enum inet_opt_index {
	IO_TOS,
	IO_TTL,
	IO_MTU_DISCOVER,
	IO_RECVERR,
	IO_PKTINFO,
	IO_FREEBIND,
	IO_BIND_NO_PORT,
	IO_MCAST_TTL,
	IO_MCAST_LOOP,
	IO_RECVTTL,
	IO_RECVTOS,
	IO6_V6ONLY,
	IO6_HOPS,
	IO6_MCAST_HOPS,
	IO6_MCAST_LOOP,
	IO6_RECVPKTINFO,
	IO6_RECVERR,
	IO6_TCLASS,
	IO6_MTU_DISCOVER,
	IO6_RECVHOPLIMIT,
	IO6_RECVTCLASS,
	IU_SEND_CSCOV,
	IU_RECV_CSCOV, /* -1 = was not set: whatever comes */
	IT_NODELAY,
	IT_CORK,
	IT_KEEPIDLE,
	IT_KEEPINTVL,
	IT_KEEPCNT,
	IT_SYNCNT,
	IT_LINGER2,
	IT_DEFER_ACCEPT,
	IT_WINDOW_CLAMP,
	IT_QUICKACK,
	IT_USER_TIMEOUT,
	IT_FASTOPEN,
	IT_NOTSENT_LOWAT,
	IT_MAXSEG,
	INET_OPTS
};

struct inet_proto; /* TCP or UDP */

struct inet_sock {
	struct ref ref;
	struct spinlock lock; /* protects: state of the protocol */
	const struct inet_proto *proto;
	u32 family;
	struct port_entry port; /* lock: the protocol's table */
	bool bound_addr, bound_port; /* chosen by bind */
	bool reset; /* TCP: the connection ended with a reset */
	s32 err; /* SO_ERROR; atomic */
	u64 ino; /* of the socket's file, 0 = none yet */
	struct file *file; /* TCP: not counted; NULL = none yet, or it is going; lock: lock */
	s32 opt[INET_OPTS];
	char congestion[16];
	struct waitq wq; /* readers, accepters, connectors and pollers */
	struct waitq space; /* writers and pollers */
};

/* What /proc/net tells about a socket. */
struct inet_info {
	struct inet_addr local, remote;
	u16 lport, rport;
	u32 state; /* enum tcp_state */
	u32 uid;
	u64 ino; /* 0 = no file */
	u64 rx, tx; /* bytes that wait; listening: connections that wait, and how many may */
};

struct inet_proto {
	u32 number; /* IPPROTO_* */
	struct spinlock *lock; /* of the table */
	struct port_table *table;
	void (*free)(struct inet_sock *i); /* the last reference is gone */
	void (*info)(struct inet_sock *i, struct inet_info *out); /* fills state, rx, tx */
};

static inline struct inet_sock *inet_of(struct socket *s)
{
	return s->impl;
}

void inet_init(struct inet_sock *i, const struct inet_proto *proto, u32 family, u32 net);
void inet_get(struct inet_sock *i);
void inet_put(struct inet_sock *i);
void inet_set_file(struct inet_sock *i, struct file *f);

/* ---- inet_addr.c ---- */
extern const struct inet_addr inet_any4, inet_any6, inet_loop4, inet_loop6;
/* A sockaddr of the family. 0, -EINVAL (too short), -EAFNOSUPPORT. */
int inet_parse(u32 family, const struct sock_addr *sa, struct inet_addr *addr, u16 *port);
void inet_format(u32 family, const struct inet_addr *addr, u16 port, struct sock_addr *out);
/* Is the address one of the namespace's? */
bool inet_local(const struct net_ns *net, const struct inet_addr *a);
/* May a socket be bound to it? As in Linux also to addresses of an IPv4 loopback interface that is down. */
bool inet_bindable(const struct net_ns *net, const struct inet_addr *a);
/* Where a packet to *dst goes: a wildcard becomes loopback; *src, if a wildcard, the address that it comes from. 0, -ENETUNREACH, -EACCES (broadcast),
 * -EINVAL (source and destination of different versions). */
int inet_route(const struct net_ns *net, struct inet_addr *dst, struct inet_addr *src);
/* May a socket of i's options talk to this address? 0 or -ENETUNREACH. */
int inet_family_check(const struct inet_sock *i, const struct inet_addr *dst);

/* ---- inet.c ---- */
u32 inet_seed(void);
int inet_bind(struct socket *s, const struct sock_addr *addr);
/* Give an unbound socket a port (listen, first datagram). 0 or -EAGAIN. */
int inet_autobind(struct socket *s);
int inet_getname(struct socket *s, struct sock_addr *out, bool peer);
int inet_take_error(struct socket *s);
void inet_options_changed(struct socket *s);

/* Calls fn for each socket with a port in the namespace of that number, and each name in TIME_WAIT, under the table's lock. */
void inet_each(const struct inet_proto *p, u32 net, bool v6,
	void (*fn)(const struct inet_info *i, void *arg), void *arg);

/* ---- inet_opt.c ---- */
void inet_opt_init(struct inet_sock *i);
int inet_setsockopt(struct socket *s, int level, int opt, uaddr_t val, u32 len);
int inet_getsockopt(struct socket *s, int level, int opt, struct sock_optval *out);

/* ---- inet_cmsg.c ---- */
/* What the header of one datagram says beside addresses. */
struct inet_ctl {
	u8 hops, class; /* TTL and TOS in IPv4 */
};
struct scm;
/* Fills *ctl from the socket's options and the control data of a datagram to f->dst; IP_PKTINFO and its like change f->src. 0, -EINVAL, -ENETUNREACH. */
int inet_send_ctl(
	const struct socket *s, const struct scm *scm, struct port_flow *f, struct inet_ctl *ctl);
/* The control data that i's options ask for. */
void inet_recv_ctl(const struct inet_sock *i, const struct port_flow *f, const struct inet_ctl *ctl,
	struct scm *scm);

/* ---- protocols ---- */
extern const struct inet_proto tcp_proto, udp_proto, udplite_proto;
int tcp_create(struct socket *s);
int raw_create(struct socket *s);
int ping_create(struct socket *s); /* -EACCES: no group of the caller may */
int udp_create(struct socket *s); /* UDP or UDP-Lite, by s->protocol */
/* TCP_INFO. */
struct tcp_info;
void tcp_fill_info(struct socket *s, struct tcp_info *info);

#endif
