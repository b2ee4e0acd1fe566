/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC for the system calls and for /proc. Buffers are kernel memory; results are >= 0 or -errno. Calls that sleep end with
 * -EINTR or a restart code when a signal comes, with -EIDRM when the object is removed meanwhile.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <linux/ipc.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <asm/shmbuf.h>

#include "lib/list.h"
#include "lib/types.h"

/* <linux/shm.h> wants libc. */
#define SHM_DEST      01000
#define SHM_LOCKED    02000
#define SHM_HUGETLB   04000
#define SHM_RDONLY    010000
#define SHM_NORESERVE 010000
#define SHM_RND	      020000
#define SHM_REMAP     040000
#define SHM_EXEC      0100000
#define SHM_LOCK      11
#define SHM_UNLOCK    12
#define SHM_STAT      13
#define SHM_INFO      14
#define SHM_STAT_ANY  15
struct shm_info {
	s32 used_ids;
	u64 shm_tot, shm_rss, shm_swp; /* pages */
	u64 swap_attempts, swap_successes;
};

struct proc_buf;
struct sem_undo_list;
struct task;

/* Sysctls of the namespace; readers take a snapshot of one number. */
struct ipc_limits {
	u64 shmmax, shmall, shmmni;
	u64 msgmax, msgmnb, msgmni;
	u64 semmsl, semmns, semopm, semmni;
	s32 next_id[3]; /* {sem,msg,shm}_next_id: the next object's id, -1 = any */
};
enum ipc_kind {
	IPC_SEM,
	IPC_MSG,
	IPC_SHM,
	IPC_KINDS
};
struct ipc_ns;
struct user_ns;
extern struct ipc_ns ipc_ns_root;
/* An empty one with the limits of a new system. 0, -ENOSPC, -ENOMEM. */
int ipc_ns_create(struct user_ns *owner, struct ipc_ns **out);
void ipc_ns_get(struct ipc_ns *ns);
void ipc_ns_put(struct ipc_ns *ns); /* the last removes every object; may sleep */
struct ipc_limits *ipc_limits(void); /* of the current namespace */
#define IPC_ID_MAX 32768 /* objects of a kind, at most */

/* How an object is named by *ctl: by identifier, or by place in the table (SEM_STAT and the like), without permission (STAT_ANY). */
enum ipc_by {
	IPC_BY_ID,
	IPC_BY_INDEX,
	IPC_BY_INDEX_ANY
};

/* IPC_SET: what may be changed. */
struct ipc_change {
	u32 uid, gid, mode;
	u64 qbytes; /* message queues */
};

/* ---- semaphores ---- */
s64 sem_get(s32 key, s32 n, int flags);
/* ops is written to; deadline CLOCK_MONOTONIC or WAIT_FOREVER. */
s64 sem_op(int id, struct sembuf *ops, u32 n, u64 deadline);
s64 sem_stat(int id, enum ipc_by by, struct semid64_ds *out); /* the id for IPC_BY_INDEX* */
s64 sem_info(bool used, struct seminfo *out); /* highest index in use */
s64 sem_set(int id, const struct ipc_change *c);
s64 sem_remove(int id);
s64 sem_count(int id, u64 *nsems); /* how many values GETALL and SETALL move */
s64 sem_get_all(int id, u16 *val, u64 n);
s64 sem_set_all(int id, const u16 *val, u64 n);
s64 sem_get_one(int id, int num, int cmd); /* GETVAL, GETPID, GETNCNT, GETZCNT */
s64 sem_set_one(int id, int num, s32 val);
/* Undo lists: a clone with CLONE_SYSVSEM shares, the end of the last task applies. */
int sem_undo_clone(struct task *t, struct task *parent, bool share);
void sem_undo_exit(struct task *t);
int proc_sysvipc_sem(struct proc_buf *b);

/* ---- message queues ---- */
struct msg {
	struct list_head link;
	s64 type;
	u64 size;
	u8 text[];
};
struct msg *msg_alloc(s64 type, u64 size); /* NULL = no memory */
void msg_free(struct msg *m);
s64 msg_get(s32 key, int flags);
s64 msg_send(int id, struct msg *m, int flags); /* consumes m on success */
/* *out: the message, which the caller owns. */
s64 msg_receive(int id, u64 size, s64 type, int flags, struct msg **out);
s64 msg_stat(int id, enum ipc_by by, struct msqid64_ds *out);
s64 msg_info(bool used, struct msginfo *out);
s64 msg_set(int id, const struct ipc_change *c);
s64 msg_remove(int id);
int proc_sysvipc_msg(struct proc_buf *b);

/* ---- shared memory ---- */
s64 shm_get_segment(s32 key, u64 size, int flags);
s64 shm_attach(int id, u64 addr, int flags); /* the address */
s64 shm_detach(u64 addr);
s64 shm_stat(int id, enum ipc_by by, struct shmid64_ds *out);
s64 shm_limits(struct shminfo64 *out); /* IPC_INFO */
s64 shm_usage(struct shm_info *out); /* SHM_INFO */
s64 shm_set(int id, const struct ipc_change *c);
s64 shm_remove(int id);
s64 shm_lock(int id, bool on);
int proc_sysvipc_shm(struct proc_buf *b);

#endif
