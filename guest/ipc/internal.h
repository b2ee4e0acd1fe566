/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of ipc/ share. */
#ifndef IPC_INTERNAL_H
#define IPC_INTERNAL_H

#include "ipc/ipc.h"
#include "ipc/mqueue.h"
#include "kernel/errno.h"
#include "kernel/lock.h"
#include "kernel/waitq.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/internal.h"

/* The head of every System V object. lock: its table's. */
struct ipc_obj {
	u32 refs; /* the table, and who sleeps */
	bool dead; /* removed: only sleepers know it */
	int id;
	s32 key;
	u32 uid, gid, cuid, cgid, mode;
	u32 seq;
	struct ipc_ids *ids; /* its table */
};

struct ipc_ids {
	struct ipc_ns *ns;
	enum ipc_kind kind;
	struct mutex lock;
	struct ipc_obj **slot;
	u32 size, used;
	int highest; /* index in use, -1 = none */
	u32 seq;
};

struct ipc_ns {
	struct ns ns;
	struct ipc_limits limits;
	struct ipc_ids ids[IPC_KINDS]; /* by enum ipc_kind */
	u64 sems; /* in all sets; lock: the semaphores' table */
	u64 shm_pages; /* of all segments; lock: the segments' table */
	struct mq_limits mq_limits;
	struct super *mq_super; /* the POSIX queues; held by mq_mount */
	struct mount *mq_mount; /* for the system calls: outside of every mount namespace */
};
static inline struct ipc_ns *ipc_ns_current(void)
{
	return nsproxy_current()->ipc;
}
void ipc_init(void); /* boot: the first namespace */
/* mq_fs.c: the queues of a new namespace. 0 or -ENOMEM. */
int mq_ns_init(struct ipc_ns *ns);
void mq_ns_fini(struct ipc_ns *ns);

#define IPC_INDEX_BITS 15
#define IPC_INDEX(id)  ((u32)(id) & (IPC_ID_MAX - 1))

/* Enter a new object whose key is set; owner and mode are filled in. lock held. The id or -ENOSPC, -ENOMEM. */
s64 ipc_add(struct ipc_ids *ids, struct ipc_obj *o, int flags, u64 max);
/* lock held; borrowed. NULL with *err = -EINVAL. */
struct ipc_obj *ipc_find(struct ipc_ids *ids, int id, s64 *err);
struct ipc_obj *ipc_find_by(struct ipc_ids *ids, int id, enum ipc_by by, s64 *err);
struct ipc_obj *ipc_find_key(struct ipc_ids *ids, s32 key);
void ipc_unlink(struct ipc_ids *ids, struct ipc_obj *o); /* out of the table; the reference stays */
void ipc_put(struct ipc_ids *ids, struct ipc_obj *o); /* lock held */
/* May the caller do what the low three bits of any octal digit of `flags` say? 0 or -EACCES. */
int ipc_access(const struct ipc_obj *o, u32 flags);
int ipc_owner(const struct ipc_obj *o); /* IPC_SET, IPC_RMID: 0 or -EPERM */
/* The get calls: an existing object (borrowed; the caller checks access), or NULL with *err 0 when one is to be made. lock held. */
struct ipc_obj *ipc_get_existing(struct ipc_ids *ids, s32 key, int flags, s64 *err);
void ipc_set_perm(struct ipc_obj *o, const struct ipc_change *c);
void ipc_fill_perm(struct ipc64_perm *p, const struct ipc_obj *o);
s64 ipc_now(void); /* seconds of CLOCK_REALTIME */
struct pid *ipc_pid(void); /* of the calling process; borrowed */

/* ---- semaphores ---- */
struct sem_undo {
	struct list_head list_link; /* of a process */
	struct list_head set_link;
	struct sem_set *set;
	s16 adj[];
};
struct sem_undo_list {
	struct ref ref;
	struct list_head undos; /* lock: the semaphores' */
};
struct sem {
	u32 val;
	struct pid *pid; /* who changed it last: reference, or NULL */
};
struct sem_set {
	struct ipc_obj obj;
	u32 n;
	s64 otime, ctime;
	struct list_head waiters; /* struct sem_wait, in order of arrival */
	struct list_head undos;
	struct sem sem[];
};
struct sem_wait {
	struct list_head link;
	struct waitq wq;
	struct sembuf *ops;
	u32 n;
	struct pid *pid; /* of the sleeper */
	struct sem_undo *undo;
	u32 at; /* the operation that blocks */
	s64 status; /* 1 while it waits */
};
static inline struct ipc_ids *sem_ids(void)
{
	return &ipc_ns_current()->ids[IPC_SEM];
}
void sem_free(struct ipc_obj *o);
struct sem_set *sem_find(int id, enum ipc_by by, s64 *err);
void sem_update(struct sem_set *s); /* complete the waiters that can go on now */
/* The caller's undo record for a set; NULL with *err. lock held. */
struct sem_undo *sem_undo_get(struct task *t, struct sem_set *s, s64 *err);
void sem_undo_forget(
	struct sem_set *s, u32 first, u32 n); /* SETVAL, SETALL: adjustments of these are void */
void sem_undo_detach(struct sem_set *s); /* the set is removed */

/* ---- message queues, shared memory: the table gives the last reference up ---- */
void msg_queue_free(struct ipc_obj *o);
void segment_free(struct ipc_obj *o);
void shm_ns_clear(struct ipc_ids *ids); /* remove every segment; none is attached */

#endif
