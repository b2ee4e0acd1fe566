/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes and fifos: a ring of pages between writers and readers. */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include "fs/vfs.h"
#include "mm/page.h"

#define PIPE_DEFAULT_SLOTS 16u /* 64 KiB */
#define PIPE_LEAST_SLOTS   2u /* of a user who has many */
extern u64 pipe_max_size; /* bytes without CAP_SYS_RESOURCE: /proc/sys/fs/pipe-max-size */
extern u64 pipe_user_soft,
	pipe_user_hard; /* pages of one user: /proc/sys/fs/pipe-user-pages-*; 0 = no limit */
#define PIPE_HARD_MAX (1UL << 31)
#define PIPE_ATOMIC   4096u /* PIPE_BUF */

struct pipe_slot {
	struct page *page; /* reference */
	u32 off, len;
	bool packet; /* a read takes no more than this slot and drops its rest */
	bool shared; /* the page has other owners (tee, splice): never append to it */
};

struct pipe {
	struct mutex lock; /* protects: everything but the queues */
	struct waitq rd, wr; /* readers wait for data, writers for room; poll waits on both */
	struct pipe_slot *slots; /* ring of nslots, a power of two */
	u32 nslots;
	u32 head, tail; /* written at head, read at tail; free running */
	u32 readers, writers; /* open ends; atomic reads outside the lock */
	u32 r_counter, w_counter; /* opens so far, for fifo open */
	u32 users; /* files and fifo openers that keep it alive; lock: pipe_table_lock */
	struct page *spare; /* last emptied page, to save the allocator */
	struct user_acct *user; /* charged for nslots: reference; NULL = the kernel */
};

struct pipe *pipe_of(struct file *f); /* NULL when f is no pipe */
int pipe_create(u32 flags, struct file **rd, struct file **wr);
s64 pipe_set_size(struct file *f, u64 bytes); /* F_SETPIPE_SZ: the new size or -errno */
/* vmsplice(2): waits for room for the first byte (unless nonblock), then takes what fits. f is open for writing. */
s64 pipe_write_some(struct file *f, struct uio *u, bool nonblock);
s64 pipe_get_size(struct file *f);
static inline bool pipe_empty(const struct pipe *p)
{
	return READ_ONCE(p->head) == READ_ONCE(p->tail);
}
static inline bool pipe_full(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail) >= READ_ONCE(p->nslots);
}
static inline struct pipe_slot *pipe_slot(struct pipe *p, u32 i)
{
	return &p->slots[i & (p->nslots - 1)];
}
/* Lock held. Drop the first n bytes of the tail slot, the slot too when it is empty. */
void pipe_consume(struct pipe *p, u32 n);
/* Lock held on entry and exit, slept on in between. 0 when there is data/room (or the other side is gone), -EAGAIN, -ERESTARTSYS. */
int pipe_wait_readable(struct pipe *p, bool nonblock);
int pipe_wait_writable(struct pipe *p, bool nonblock);
/* After bytes were written (read): the other side goes on. Lock not held, unless it is about to be slept for. */
void pipe_wake_reader(struct pipe *p);
void pipe_wake_writer(struct pipe *p);
int pipe_broken(void); /* SIGPIPE; -EPIPE */

#endif
