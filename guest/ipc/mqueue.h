/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues. Files of the mqueue file system; mq_* system calls find the queue through the descriptor's file. */
#ifndef IPC_MQUEUE_H
#define IPC_MQUEUE_H

#include <linux/mqueue.h>

#include "fs/vfs.h"

struct group;
struct mqueue;

/* fs.mqueue.*: limits for those without CAP_SYS_RESOURCE, and defaults. */
struct mq_limits {
	u64 queues_max, msg_max, msgsize_max, msg_default, msgsize_default;
};
struct mq_limits *mq_limits(void); /* of the current namespace */

struct mq_create {
	bool given;
	struct mq_attr attr; /* mq_maxmsg, mq_msgsize */
};

struct mq_msg {
	struct list_head link;
	u32 prio;
	u64 size;
	u8 text[];
};

/* Who wants to know of the next message. */
struct mq_notify {
	int how; /* SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD */
	int signo;
	u64 value;
	/* SIGEV_THREAD: a netlink socket (reference) gets the cookie, whose last byte says what happened. */
	struct file *netlink;
	u8 cookie[NOTIFY_COOKIE_LEN];
};

/* ---- mqueue.c: the queue itself ---- */
int mqueue_create(
	const struct mq_create *c, struct mqueue **out); /* 0, -EINVAL, -EMFILE, -ENOMEM */
void mqueue_destroy(struct mqueue *q);
/* deadline: CLOCK_MONOTONIC, WAIT_FOREVER, or 0: do not wait (-EAGAIN). Send consumes m on success. */
s64 mqueue_send(struct mqueue *q, struct mq_msg *m, u64 deadline);
s64 mqueue_receive(struct mqueue *q, u64 deadline, struct mq_msg **out);
/* NULL ends the caller's registration. 0 or -EBUSY. Consumes n->netlink. */
int mqueue_notify(struct mqueue *q, struct mq_notify *n);
void mqueue_forget(struct mqueue *q, const struct group *g); /* g closed a descriptor */
void mqueue_attr(struct mqueue *q, struct mq_attr *out); /* without mq_flags */
u64 mqueue_message_size(const struct mqueue *q);
u32 mqueue_poll(struct file *f, struct mqueue *q, struct poll_table *pt);
int mqueue_show(struct mqueue *q, char *buf, size_t size); /* the text of its file */

/* ---- mq_fs.c: names ---- */
int mq_open_file(
	const char *name, u32 flags, u32 mode, const struct mq_create *c, struct file **out);
int mq_unlink_name(const char *name);
struct mqueue *mqueue_of(const struct file *f); /* NULL: not a queue */
void mqueue_init(void); /* boot: registers the file system */

#endif
