/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP over loopback, what its files share. A connection is an object with two ends; each end has the ring of bytes that go to it. There are no
 * packets: what one end sends is at once in the other's ring, a FIN or a reset is a flag. See tcp(7).
 *
 * A tcp_sock is referenced by its socket's file (or the listener's backlog) and by its connection. A connection goes when both ends are closed,
 * so an end that is not closed may use its peer without further ado. `conn` is set before the state says TCP_ESTABLISHED, and is taken away by a
 * connect to nothing (AF_UNSPEC) alone: calls of the socket hold it with tcp_pin.
 */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "kernel/timer.h"
#include "net/inet.h"
#include "net/stream.h"

/* Linux's numbers: /proc/net/tcp and TCP_INFO show them. A tcp_sock's own state is one of the four marked with *; the others follow from the
 * connection's flags (tcp_state). */
enum tcp_state {
	TCP_ESTABLISHED = 1, /* * there is, or was, a connection */
	TCP_SYN_SENT = 2, /* * waits for room in a listener's backlog */
	TCP_FIN_WAIT2 = 5,
	TCP_TIME_WAIT = 6,
	TCP_CLOSE = 7, /* * */
	TCP_CLOSE_WAIT = 8,
	TCP_LISTEN = 10 /* * */
};

struct tcp_end {
	struct tcp_sock *sock; /* reference */
	struct stream rx; /* marked: the urgent byte */
	u32 urg; /* TCP_URG_*, and the byte itself; 0 = the mark was passed; lock: the connection's */
	u64 urg_pos; /* place of the mark; same lock */
	u64 urg_gone; /* place of an urgent byte that is no part of the stream any more, STREAM_NO_STOP = none; same lock */
	bool fin; /* it sends no more */
	bool rcv_shut; /* it reads no more (SHUT_RD) */
	bool closed; /* its file is gone, or has nothing to do with the connection any more */
	bool unnamed; /* its socket's name in the table is not the connection's any more; lock: the table's */
};

struct tcp_conn {
	struct ref ref; /* one for each end that is not closed */
	struct spinlock lock; /* protects: flags of the ends, reset, first_fin */
	struct tcp_end end[2]; /* the one that connected, the one that was accepted */
	bool reset;
	s8 first_fin; /* whose FIN was first, -1 = none yet */
};

struct tcp_sock {
	struct inet_sock in;
	u32 state; /* lock: in.lock */
	u32 side; /* which end of conn */
	u32 pins; /* calls that use conn; atomic */
	struct mutex
		setup; /* held while a connection is begun, reported or left, or listening begins */
	struct tcp_conn *conn;
	bool connecting; /* a connect that was in progress is not yet reported; lock: in.lock */
	u32 sndbuf, rcvbuf; /* asked for with setsockopt, 0 = default */
	u32 rcvlowat;
	bool in_line; /* SO_OOBINLINE */
	struct ktimer cork; /* shows what is held back, in the end */
	/* listening; lock: in.lock */
	u32 backlog, npending;
	struct list_head pending; /* ends to accept */
	struct list_head waiting; /* sockets that found no room, references */
	/* on the list of a listener; lock: the listener's */
	struct list_head link;
	struct tcp_sock *listener; /* that it waits for, reference */
};

static inline struct tcp_sock *tcp_of(struct socket *s)
{
	return s->impl;
}

static inline struct tcp_end *tcp_own(struct tcp_sock *t)
{
	return &t->conn->end[t->side];
}

static inline struct tcp_end *tcp_peer(struct tcp_sock *t)
{
	return &t->conn->end[!t->side];
}

static inline bool tcp_connected(const struct tcp_sock *t)
{
	return atomic_load(&t->state) == TCP_ESTABLISHED;
}

/* Is there a connection? If so, it stays until tcp_unpin. */
static inline bool tcp_pin(struct tcp_sock *t)
{
	atomic_add(&t->pins, 1u);
	if (likely(tcp_connected(t)))
		return true;
	atomic_sub(&t->pins, 1u);
	return false;
}

static inline void tcp_unpin(struct tcp_sock *t)
{
	atomic_sub(&t->pins, 1u);
}

/* Urgent data, Linux's tcp(7): bits beside the byte in tcp_end.urg. */
#define TCP_URG_VALID 0x100u /* not read with MSG_OOB yet */
#define TCP_URG_READ  0x400u

/* As Linux would name it. */
u32 tcp_state(struct tcp_sock *t);

/* tcp.c */
struct tcp_sock *tcp_alloc(u32 family, u32 net);

/* tcp_conn.c: the life of connections */
int tcp_listen(struct socket *s, int backlog);
int tcp_connect(struct socket *s, const struct sock_addr *addr);
int tcp_accept(struct socket *s, struct socket *fresh, bool nonblock);
/* The end will not be used any more; consumes the socket's share of conn. abort: as a reset. */
void tcp_end_close(struct tcp_conn *c, u32 side, bool abort);
/* t does not wait for a listener any more. */
void tcp_attempt_leave(struct tcp_sock *t);
/* A listening or connecting socket becomes a plain one. */
void tcp_stop(struct tcp_sock *t);

/* tcp_urg.c: one urgent byte a direction */
/* Sends what fits, as stream_write does; the last byte of all becomes the urgent one. The peer's wlock held. */
s64 tcp_urg_write(struct tcp_sock *t, struct uio *u);
/* The peer of t got an urgent byte: SIGURG to the owner of its file. */
void tcp_urg_tell(struct tcp_sock *t);
/* recv with MSG_OOB. Bytes or -errno. */
s64 tcp_urg_recv(struct socket *s, struct sock_msg *m);
/* Is there anything for tcp_urg_pass to do? */
static inline bool tcp_urg_any(const struct tcp_end *own)
{
	return atomic_load(&own->urg) || READ_ONCE(own->urg_gone) != STREAM_NO_STOP;
}
/* Before bytes are read that lie *skip bytes ahead (peeks; else 0): passes over an urgent byte that is not in line, and takes the mark away unless it
 * is a peek. first: nothing was read yet, so the reader may pass the mark. A peek in line gives the marked byte: 1, else 0; -EFAULT. rlock held. */
s64 tcp_urg_pass(struct socket *s, struct sock_msg *m, bool first, u64 *skip);
/* Does the reader, at pos, stand at the mark? */
bool tcp_urg_at(const struct tcp_end *own, u64 pos);
/* Bytes for a read that waits for a number of them, and those up to the mark (FIONREAD). Connected. */
u64 tcp_urg_readable(struct socket *s);
u64 tcp_urg_inq(struct socket *s);
bool tcp_urg_at_mark(struct tcp_sock *t); /* SIOCATMARK; connected */

/* tcp_cork.c: bytes that are held back (TCP_CORK, MSG_MORE) until there are enough for a segment, somebody asks, or some time has passed */
void tcp_cork_init(struct tcp_sock *t);
/* Bytes were written to the peer's ring; more: others follow; full: there was no room for all. True: the reader has new ones. The peer's wlock held. */
bool tcp_cork_written(struct tcp_sock *t, bool more, bool full);
/* All that is held goes out. Connected. */
void tcp_uncork(struct tcp_sock *t);

/* tcp_data.c */
s64 tcp_send(struct socket *s, struct sock_msg *m);
s64 tcp_recv(struct socket *s, struct sock_msg *m);
/* The connection is broken for this end: err is what SO_ERROR and the next call tell. */
void tcp_fail(struct tcp_sock *t, int err);

#endif
