/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets, what their files share.
 *
 * A unix_sock lives as long as its socket's file or a peer, a backlog or a name refers to it. Connected ends refer to each other;
 * closing an end drops its reference to the peer and marks the peer, which keeps ours until it is closed itself.
 * Locks: each unix_sock has one spinlock; two are never held at once. Names have a lock of their own (unix_name.c) that
 * nests outside. Queues are filled and emptied under the receiver's lock; user copies happen outside of it.
 * Descriptors that travel in a cycle of sockets that nobody holds any more are not collected before the sandbox ends.
 */
#ifndef NET_UNIX_H
#define NET_UNIX_H

#include "net/scm.h"
#include "net/socket.h"

enum unix_state {
	UNIX_FREE, /* neither connected nor listening */
	UNIX_LISTENING,
	UNIX_CONNECTED, /* stream and seqpacket: peer was set once */
	UNIX_CLOSED
};

struct unix_name {
	struct ref ref;
	struct list_head link; /* abstract names; lock: names */
	struct unix_sock *owner; /* not counted, NULL once closed; lock: names */
	struct path path; /* of a path name, references */
	struct sock_addr addr;
	u32 net; /* number of the network namespace that an abstract one is of */
};

struct unix_msg {
	struct list_head link;
	struct scm scm;
	struct unix_name *from; /* datagrams: sender's name, reference or NULL */
	u32 len, off; /* bytes of data, bytes already read */
	u8 data[];
};

struct unix_sock {
	struct ref ref;
	struct spinlock lock; /* protects: all below unless noted */
	u32 type, net; /* constant; number of the network namespace */
	struct list_head all; /* every socket; lock: unix_all_lock */
	u64 ino; /* of the socket's file, 0 = none yet */
	struct file *file; /* not counted; NULL = none yet, or it is going */
	u32 state; /* enum unix_state */
	struct unix_sock *peer; /* reference */
	struct unix_name *name; /* reference */
	struct list_head queue; /* struct unix_msg */
	struct unix_msg *oob; /* on it: the urgent byte; NULL = none, or it was read */
	u64 queued; /* bytes on it */
	u32 nqueued;
	bool read_shut, write_shut;
	bool peer_gone, peer_reset; /* the other end closed; with our data unread */
	u32 backlog; /* listening: most pending connections */
	u32 npending;
	struct list_head pending; /* listening: connected ends to accept */
	struct list_head pending_link;
	struct scm_cred cred, peercred;
	struct mutex read_lock; /* one reader at a time consumes the queue */
	struct waitq wq; /* readers, accepters and pollers of this socket */
	struct waitq space; /* writers to this socket's queue, connectors */
};

struct unix_sock *unix_alloc(u32 type, u32 net);
void unix_get(struct unix_sock *u);
void unix_put(struct unix_sock *u);
/* The peer with a reference, or NULL. */
struct unix_sock *unix_peer(struct unix_sock *u);
static inline struct unix_sock *unix_of(struct socket *s)
{
	return s->impl;
}

/* What /proc/net/unix tells. */
struct unix_info {
	u32 refs, type;
	bool listening, connected;
	u64 ino;
	struct sock_addr addr; /* len 0 = no name */
};
void unix_each(u32 net, void (*fn)(const struct unix_info *i, void *arg), void *arg);

/* unix_name.c */
int unix_bind(struct socket *s, const struct sock_addr *addr);
/* The socket that addr names (abstract: in the namespace of that number), with a reference, when the caller may write to it. 0, -ECONNREFUSED, -ENOENT, -EACCES... */
int unix_lookup(u32 net, const struct sock_addr *addr, u32 type, struct unix_sock **out);
void unix_unbind(struct unix_sock *u);
void unix_name_get(struct unix_name *n);
void unix_name_put(struct unix_name *n);

/* unix_msg.c */
s64 unix_send(struct socket *s, struct sock_msg *m);
s64 unix_recv(struct socket *s, struct sock_msg *m);

/* unix_oob.c */
/* The message that a read of a stream goes on with, which has `copied` something. NULL: none, or not before another call. read_lock held. */
struct unix_msg *unix_stream_head(struct socket *s, bool copied, bool peek);
/* The message that a peek goes on with behind msg, or NULL. read_lock held. */
struct unix_msg *unix_stream_peek(struct socket *s, struct unix_msg *msg);
/* Is there anything for a read that begins? What it would drop is nothing. */
bool unix_stream_more(struct socket *s);
/* recv with MSG_OOB: 1 or -errno. */
s64 unix_oob_recv(struct socket *s, struct sock_msg *m);
bool unix_atmark(struct socket *s); /* SIOCATMARK */

/* unix_msg.c */
/* A reset by the peer, told once: ECONNRESET or 0. */
int unix_take_error(struct socket *s);
/* Would poll say POLLOUT for s, whose messages go to `to`? */
bool unix_writable(struct unix_sock *to, const struct socket *s);
/* Pollers for room in any datagram queue; set up by net_init. */
extern struct waitq unix_dgram_space;
/* Frees every message of the list. Never recurses however sockets lie in each other's queues. */
void unix_purge(struct list_head *msgs);

#endif
