/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of tasks, process groups and sessions, and the namespaces that they belong to. A struct pid stands for a number from the moment that it is
 * given out until nothing uses it any more: it has one number in its own namespace and one in each above it. A number is free again when no
 * task, process group or session has it; the struct may live on in whoever remembers it (owners of files, credentials of messages) and then stands for
 * nobody. Kernel code compares pointers; int is what programs see, in their own namespace.
 *
 * A process's own number (group->pid, task->tid) is cached, so getpid is one load.
 */
#ifndef TASK_PID_H
#define TASK_PID_H

#include "kernel/waitq.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "task/ns.h"

#define PID_MAX	      32768 /* table size; /proc/sys/kernel/pid_max is below */
#define PID_NS_LEVELS 32 /* how deep namespaces may be nested below the first */

struct group;
struct task;

enum pid_use {
	PID_GROUP,
	PID_SESSION
};

struct pid_number {
	int nr;
	struct pid_ns *ns; /* borrowed: the innermost one, which is held, holds those above */
};
struct pid {
	struct ref ref;
	u32 level; /* of its own namespace */
	struct task *task; /* borrowed; lock: task_tree_lock */
	u32 users[2]; /* processes that use it, by enum pid_use; lock: task_tree_lock */
	struct pid_number num[]; /* by level: level + 1 of them */
};

struct pid_ns {
	struct ns ns;
	struct pid_ns *parent; /* reference; NULL for the first one */
	u32 level;
	struct pid_chunk *chunks[PID_MAX / 256]; /* number -> struct pid; lock: task_tree_lock */
	int last;
	u32 ngroups; /* processes here and in the namespaces below; lock: task_tree_lock */
	u32 ntasks; /* as ngroups */
	struct list_head groups; /* of the first namespace: every process; lock: task_tree_lock */
	struct group
		*init; /* borrowed: it is in the tree; NULL before the first and after its end */
	bool dying; /* init ends or has ended: no new processes */
	struct waitq empty_wq; /* init waits until it is alone */
};

extern struct pid_ns pid_ns_root;
extern u64 pid_max; /* numbers stay below */

/* Where the current task lives (kernel threads: the namespace that they act in). Borrowed. */
struct pid_ns *pid_ns_current(void);
/* A new one below parent. 0, -ENOSPC (nested too deep, too many), -ENOMEM. */
int pid_ns_create(struct pid_ns *parent, struct user_ns *owner, struct pid_ns **out);
void pid_ns_get(struct pid_ns *ns);
void pid_ns_put(struct pid_ns *ns); /* any context; NULL is allowed */
/* Is `inner` below `outer`, or the same? */
bool pid_ns_contains(const struct pid_ns *outer, const struct pid_ns *inner);

/* The number in a namespace; 0: p is NULL or not visible there. */
static inline int pid_nr_ns(const struct pid *p, const struct pid_ns *ns)
{
	return p && ns->level <= p->level && p->num[ns->level].ns == ns ? p->num[ns->level].nr : 0;
}
int pid_nr(const struct pid *p); /* in the current task's namespace */
static inline int pid_nr_own(const struct pid *p) /* in its own */
{
	return p ? p->num[p->level].nr : 0;
}
static inline struct pid_ns *pid_ns_of(const struct pid *p)
{
	return p->num[p->level].ns;
}
/* Any context; NULL is allowed. */
struct pid *pid_get(struct pid *p);
void pid_put(struct pid *p);
/* Replace a remembered pid: *slot holds a reference or NULL. Not safe against itself. */
void pid_assign(struct pid **slot, struct pid *p);
/* Whoever has this number in a namespace, or NULL: with a reference; borrowed under task_tree_lock. */
struct pid *pid_find(struct pid_ns *ns, int nr);
struct pid *pid_find_locked(struct pid_ns *ns, int nr);

/* Numbers that somebody chose (clone3's set_tid), the innermost namespace's first; where they end, any will do. */
struct pid_choice {
	u32 n;
	int nr[PID_NS_LEVELS];
};
/* A free number in ns and each above, entered for t. chosen may be NULL. -EAGAIN: none, -ENOMEM (also: the namespace has no init any more); for a
 * choice also -EINVAL, -EPERM, -EEXIST. */
int pid_alloc(struct pid_ns *ns, struct task *t, const struct pid_choice *chosen, struct pid **out);
/* t was never seen: give its numbers back and drop the reference. */
void pid_cancel(struct pid *p);
/* tree lock held: another task has the number from now on; none has. */
void pid_set_task(struct pid *p, struct task *t);
/* tree lock held: count the processes of a group or session. */
void pid_use(struct pid *p, enum pid_use use, int delta);
struct task *pid_task(struct pid_ns *ns, int nr); /* tree lock held; borrowed */
u32 pid_count(void); /* tasks of all namespaces */

#endif
