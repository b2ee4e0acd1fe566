/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of ipc/ share. */
#ifndef IPC_INTERNAL_H
#define IPC_INTERNAL_H

#include "ipc/ipc.h"
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
};

struct ipc_ids {
	enum ipc_kind kind;
	struct mutex lock;
	struct ipc_obj **slot;
	u32 size, used;
	int highest; /* index in use, -1 = none */
	u32 seq;
	void (*free)(struct ipc_obj *o);
};

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
int ipc_pid(void); /* of the calling process */

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
	int pid; /* who changed it last */
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
	int pid;
	struct sem_undo *undo;
	u32 at; /* the operation that blocks */
	s64 status; /* 1 while it waits */
};
extern struct ipc_ids sem_ids;
struct sem_set *sem_find(int id, enum ipc_by by, s64 *err);
void sem_update(struct sem_set *s); /* complete the waiters that can go on now */
/* The caller's undo record for a set; NULL with *err. lock held. */
struct sem_undo *sem_undo_get(struct task *t, struct sem_set *s, s64 *err);
void sem_undo_forget(
	struct sem_set *s, u32 first, u32 n); /* SETVAL, SETALL: adjustments of these are void */
void sem_undo_detach(struct sem_set *s); /* the set is removed */

#endif
