/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces. A task sees the world through one struct nsproxy, shared by all tasks that have the same set; it is immutable once a task has it: a
 * change makes another one. The pid namespace in it is the one that children are born into; where a task itself lives does not
 * change (task/pid.h), nor does the user namespace live here (task/cred.h).
 *
 * Every namespace begins with struct ns: a counted reference, a kind, and the number that /proc/PID/ns shows.
 *
 * Kernel threads act in the first namespaces unless ns_act() said otherwise: what the agent mounts, names, finds and kills is then that of the
 * container it acts for.
 */
#ifndef TASK_NS_H
#define TASK_NS_H

#include "lib/atomic.h"
#include "lib/types.h"

struct cgroup_ns;
struct ipc_ns;
struct mount_ns;
struct net_ns;
struct pid_ns;
struct fs_context;
struct task;
struct time_ns;
struct user_ns;
struct uts_ns;

enum ns_kind {
	NS_CGROUP,
	NS_IPC,
	NS_MNT,
	NS_NET,
	NS_PID,
	NS_TIME,
	NS_USER,
	NS_UTS,
	NS_KINDS
};

/* The numbers of the first ones, as in Linux (linux/proc_ns.h, linux/nsfs.h); others come after them. */
#define NS_INUM_IPC    0xefffffffu
#define NS_INUM_CGROUP 0xeffffffbu
#define NS_INUM_TIME   0xeffffffau
#define NS_INUM_NET    0xeffffff9u
#define NS_INUM_MNT    0xeffffff8u
#define NS_INUM_UTS    0xeffffffeu
#define NS_INUM_USER   0xeffffffdu
#define NS_INUM_PID    0xeffffffcu
#define NS_INUM_FIRST  0xf0000000u

struct ns {
	struct ref ref;
	u32 kind; /* enum ns_kind */
	u32 inum;
	struct user_ns *
		owner; /* reference: capabilities over the namespace are held there. User namespaces: NULL, see parent there */
};

struct nsproxy {
	struct ref ref;
	struct cgroup_ns *cgroup;
	struct ipc_ns *ipc;
	struct mount_ns *mnt; /* NULL until there is one */
	struct net_ns *net;
	struct pid_ns *pid; /* of children */
	struct time_ns *time, *time_children; /* the second: of children and after exec */
	struct uts_ns *uts;
};

extern struct nsproxy nsproxy_root; /* the first ones; without mounts */

/* ---- sets ---- */
/* A private copy of `from` in which the kinds named by CLONE_NEW* flags are new, owned by `owner` (NULL: the first user namespace): pid below from's; ipc
 * and net empty; uts, time_children and
 * mnt copies; cgroup with the current task's as its root. fs (may be NULL) is moved over to the copied mounts. 0, -ENOSPC (too many), -ENOMEM. May sleep. */
int nsproxy_create(const struct nsproxy *from, u64 clone_flags, struct user_ns *owner,
	struct fs_context *fs, struct nsproxy **out);
void nsproxy_get(struct nsproxy *p);
void nsproxy_put(struct nsproxy *p); /* may sleep with the last one; NULL is allowed */
/* Of a set that no task has yet: replace one kind by another set's (NS_TIME: that of children), or the mounts. They take references of their own. */
void nsproxy_replace(struct nsproxy *p, struct ns *n);
void nsproxy_join(struct nsproxy *p, enum ns_kind kind, const struct nsproxy *from);
void nsproxy_set_mnt(struct nsproxy *p, struct mount_ns *mnt);
/* Its task is one of the children that time_children was for. May sleep. */
void nsproxy_enter_time(struct nsproxy *p);

/* ---- who has which ---- */
/* The current task's, or what the kernel thread acts in. Borrowed: valid until the task changes it itself. */
struct nsproxy *nsproxy_current(void);
/* A task's, with a reference; NULL when it gave it up. */
struct nsproxy *task_get_ns(struct task *t);
/* The current task gets another set; consumes the reference. NULL: it ends. */
void task_set_ns(struct task *t, struct nsproxy *p);
/* The current kernel thread acts in p (borrowed until changed; NULL: the first). The previous one. */
struct nsproxy *ns_act(struct nsproxy *p);

/* ---- any kind ---- */
struct ns_info {
	const char *name; /* in /proc/PID/ns */
	u64 clone_flag;
};
const struct ns_info *ns_info(enum ns_kind kind);
void ns_get(struct ns *n);
void ns_put(struct ns *n); /* may sleep; NULL is allowed */
/* A task's namespace of a kind, with a reference; NULL when it has none any more. children: the one that its children are born into. */
struct ns *task_get_one_ns(struct task *t, enum ns_kind kind, bool children);

/* ---- for the kinds ---- */
/* A fresh number and one reference; takes one of owner. */
void ns_init(struct ns *n, enum ns_kind kind, struct user_ns *owner);
void ns_fini(struct ns *n); /* the last reference is gone: gives owner and charge back */
/* One more namespace of a kind; false: there are too many. */
bool ns_charge(enum ns_kind kind);
void ns_uncharge(enum ns_kind kind);

#endif
