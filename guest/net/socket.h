/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets: the part that every family shares. A socket is a file whose `priv` is a struct socket; a family fills in the operations.
 * New families register one struct sock_family; nothing else changes.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "fs/async.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "net/abi.h"

struct net_ns;
struct socket;
struct scm;

struct sock_addr {
	u32 len; /* 0 = none */
	union {
		u16 family;
		u8 raw[128];
	};
};

/* One send or receive, in the kernel's form. */
struct sock_msg {
	struct uio *uio;
	u32 flags; /* MSG_* of the call */
	struct sock_addr *name; /* send: destination; recv: filled with the sender; may be NULL */
	struct scm *scm; /* send: what goes along (contents taken over); recv: filled */
	u32 out_flags; /* recv: MSG_TRUNC... */
};

/* The value of an option for getsockopt. */
struct sock_optval {
	u8 buf[256] __aligned(8);
	u32 len;
};

/* The caller holds a reference on the file. NULL operation: -EOPNOTSUPP. Bytes or 0, or -errno. */
struct sock_ops {
	int (*bind)(struct socket *s, const struct sock_addr *addr);
	int (*connect)(struct socket *s, const struct sock_addr *addr);
	int (*listen)(struct socket *s, int backlog);
	int (*accept)(struct socket *s, struct socket *fresh, bool nonblock);
	int (*pair)(struct socket *a, struct socket *b);
	int (*getname)(struct socket *s, struct sock_addr *out, bool peer);
	s64 (*send)(struct socket *s, struct sock_msg *m);
	s64 (*recv)(struct socket *s, struct sock_msg *m);
	int (*shutdown)(struct socket *s, int how);
	u32 (*poll)(struct socket *s, struct file *f, struct poll_table *pt);
	s64 (*inq)(struct socket *s); /* FIONREAD */
	s64 (*outq)(struct socket *s); /* TIOCOUTQ */
	bool (*atmark)(struct socket *s); /* SIOCATMARK; NULL: -ENOTTY */
	int (*peercred)(struct socket *s, struct ucred *out); /* NULL: nobody */
	bool (*listening)(struct socket *s); /* NULL: never */
	int (*take_error)(struct socket *s); /* SO_ERROR, cleared by reading; NULL: none */
	/* Levels other than SOL_SOCKET. */
	int (*setsockopt)(struct socket *s, int level, int opt, uaddr_t val, u32 len);
	int (*getsockopt)(struct socket *s, int level, int opt, struct sock_optval *out);
	void (*options_changed)(struct socket
			*s); /* after a change of a SOL_SOCKET option; NULL: no need to know */
	void (*release)(struct socket *s); /* last use; frees impl */
};

struct socket {
	u32 family, type, protocol;
	const struct sock_ops *ops;
	struct file *file; /* not counted: the file owns the socket */
	struct net_ns *net; /* reference */
	void *impl;
	u32 sndbuf, rcvbuf; /* bytes, doubled as Linux reports them */
	u64 rcvtimeo, sndtimeo; /* ns, 0 = for ever */
	bool sndbuf_set, rcvbuf_set; /* by setsockopt */
	bool passcred, reuseaddr, reuseport, keepalive, broadcast, oobinline, dontroute, no_check;
	u32 linger_on, linger_sec, priority, rcvlowat;
};

struct sock_family {
	u32 family;
	/* Check type and protocol, set s->ops and s->impl. 0 or -errno. */
	int (*create)(struct socket *s);
};

/* A new socket and its file (one reference, O_NONBLOCK from flags). 0 or -errno. */
int socket_create(
	struct net_ns *net, u32 family, u32 type, u32 protocol, u32 flags, struct file **out);
/* The socket of a descriptor, with a reference on *file. NULL and *err = -EBADF or -ENOTSOCK. */
struct socket *socket_of_fd(int fd, struct file **file, int *err);
bool socket_nonblock(const struct socket *s, u32 msg_flags);
/*
 * Urgent data has come: SIGURG to the owner of the receiver's file, and whoever waits for it at wq. lock protects *file, which is not counted and NULL when
 * there is none yet, or it is going: then there is nobody to tell.
 */
void socket_tell_urgent(struct spinlock *lock, struct file *const *file, struct waitq *wq);
/* Absolute deadline of a wait that the option limits. */
u64 socket_deadline(u64 timeo);

int sockopt_set(struct socket *s, int level, int opt, uaddr_t val, u32 len);
int sockopt_get(struct socket *s, int level, int opt, uaddr_t val, uaddr_t len);

/* Boot. */
void net_init(void);

extern const struct sock_family unix_family, inet_family, inet6_family, netlink_family;

#endif
