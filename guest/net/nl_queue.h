/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams from the kernel that wait for the reader of a netlink socket. As on Linux a queue takes what comes while it holds no more than the socket's
 * SO_RCVBUF; the first that is lost is told once, as ENOBUFS, and until everything has been read all others are lost too.
 */
#ifndef NET_NL_QUEUE_H
#define NET_NL_QUEUE_H

#include "kernel/waitq.h"
#include "lib/list.h"

struct nl_msg {
	struct list_head link;
	u32 len;
	u8 data[];
};

struct nl_queue {
	struct spinlock lock; /* protects: msgs, bytes, congested, error */
	struct list_head msgs;
	u64 bytes; /* with what each costs beside its own */
	bool congested;
	s32 error; /* to be told, 0 = none */
	struct mutex read_lock; /* one reader at a time takes from the queue */
	struct waitq wq;
};

void nl_queue_init(struct nl_queue *q);
void nl_queue_free(struct nl_queue *q); /* what waits in it */

/* A message of len bytes, to be filled in. NULL: no memory, which nl_queue_put knows. */
struct nl_msg *nl_msg_new(u32 len);
/* Takes the message over. limit: SO_RCVBUF; quiet: a loss is not told. */
void nl_queue_put(struct nl_queue *q, struct nl_msg *msg, u32 limit, bool quiet);
void nl_queue_copy(struct nl_queue *q, const void *data, u32 len, u32 limit, bool quiet);

/* read_lock held: the first message, or NULL; it stays in the queue until nl_queue_drop. */
struct nl_msg *nl_queue_first(struct nl_queue *q);
void nl_queue_drop(struct nl_queue *q, struct nl_msg *msg);
/* The error that waits, -errno or 0, which is told now. */
int nl_queue_error(struct nl_queue *q);
bool nl_queue_ready(struct nl_queue *q); /* there is a message or an error */
u32 nl_queue_poll(struct nl_queue *q); /* POLL* */

#endif
