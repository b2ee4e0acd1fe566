/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups, version 2: the tree, who is in it, and the controllers cpu, memory and pids. What the other rooms call; README has the
 * locks. A cgroup counts what its tasks and those below it use whether or not a controller is enabled for it: enabling shows files and makes
 * limits possible.
 */
#ifndef CGROUP_CGROUP_H
#define CGROUP_CGROUP_H

#include "lib/types.h"

struct cgroup;
struct file;
struct group;
struct page;
struct task;
struct thread;

/* ---- the tree, for the agent ---- */
/* The cgroup at a path below the root ("/" or "a/b"; without ".."), with a reference. create: what is missing on the way is made, and
 * all controllers are enabled for it. 0 or -errno. May sleep. */
int cgroup_open(const char *path, bool create, struct cgroup **out);
/* Take an empty one out of the tree. 0, -EBUSY. The caller's reference stays. May sleep. */
int cgroup_remove(struct cgroup *cg);
void cgroup_get(struct cgroup *cg);
void cgroup_put(struct cgroup *cg);
/* Read a control file as a program would: the text, terminated, and its length; -ENOENT: there is no such file, -EOPNOTSUPP. May sleep. */
s64 cgroup_read_file(struct cgroup *cg, const char *file, char *buf, size_t size);
/* Write one, with the kernel's rights. 0 or -errno. May sleep. */
int cgroup_write_file(struct cgroup *cg, const char *file, const char *text);
/* Processes of this cgroup and those below that were killed for want of memory. */
u64 cgroup_oom_kills(struct cgroup *cg);
/* Is a thread in it, or below? */
bool cgroup_populated(struct cgroup *cg);
u32 cgroup_count(void); /* cgroups that there are, the root included */

/* ---- tasks ---- */
/* A new task t of parent joins `into`, or with NULL the parent's cgroup, and counts there. 0, -EAGAIN (pids.max), -ENODEV (removed),
 * -EBUSY (into has controllers enabled for its children). */
int cgroup_fork(struct task *t, struct task *parent, struct cgroup *into);
/* The cgroup of an open directory of a cgroup2 mount into which the current task may put a process, with a reference. */
int cgroup_from_file(struct file *f, struct cgroup **out);
/* t enters the tree of tasks; task_tree_lock held. follow: where its parent is now. */
void cgroup_publish_locked(struct task *t, struct task *parent, bool follow);
/* A task that the agent starts: as cgroup_fork (NULL: the root). */
int cgroup_spawn(struct task *t, struct cgroup *cg);
void cgroup_exit_locked(struct task *t); /* t is dead; task_tree_lock held */
void cgroup_release(struct task *t); /* t is no member of anything any more, or never became one */
/* Is it to stand still (cgroup.freeze), and does every thread in it and below? */
bool cgroup_is_frozen(const struct cgroup *cg);
/* Sleep while t's cgroup is frozen. */
void cgroup_freeze_wait(struct task *t);
/* Path of t's cgroup as the current task sees it, terminated; its length. */
size_t cgroup_path_of(struct task *t, char *buf, size_t size);
/* With a reference; NULL: a kernel thread. */
struct cgroup *cgroup_of_task(struct task *t);
bool cgroup_contains(const struct cgroup *outer, const struct cgroup *inner); /* equal counts */

/* ---- memory ---- */
enum memcg_stat {
	MEMCG_ANON,
	MEMCG_FILE, /* page cache, with tmpfs and shared memory */
	MEMCG_SHMEM,
	MEMCG_SWAP, /* places in swap areas: the page's cgroup pays for its place */
	MEMCG_STATS
};
/* Charge p to the current task's cgroup (nobody's for kernel threads). NULL: done; else the cgroup, with a reference, whose limit is in the
 * way. force: over the limit. *high: NULL, or a cgroup, with a reference, that is above memory.high. No sleep. */
struct cgroup *memcg_charge(struct page *p, bool force, struct cgroup **high);
/* The same for pages that are mapped ahead of use: true when there was room. */
bool memcg_try_charge(struct page *p);
/* What p is used for, n = 1 or -1. */
void memcg_account(const struct page *p, enum memcg_stat what, s64 n);
/* May the cgroup of p have one place more? Counted as an event of those that are in the way. */
bool memcg_may_swap(const struct page *p);
/* n places more for the cgroup that paid for pages with this number (page->memcg), or less. */
void memcg_swap(u16 id, s64 n);
/* Is p charged to cg or below? */
bool memcg_owns(const struct cgroup *cg, const struct page *p);
/* Shall reclaim spare p: memory.min, and with low memory.low too? */
bool memcg_protects(const struct page *p, bool low);
/* Pages of backed files in cg and below; pages that it may have. */
u64 memcg_cache(const struct cgroup *cg);
u64 memcg_limit(const struct cgroup *cg);
u64 memcg_usage(const struct cgroup *cg);
u64 memcg_pages(const struct cgroup *cg, enum memcg_stat what); /* as of the last memcg_usage */
enum memcg_event {
	MEMCG_LOW,
	MEMCG_HIGH,
	MEMCG_MAX,
	MEMCG_OOM,
	MEMCG_OOM_KILL,
	MEMCG_OOM_GROUP_KILL,
	MEMCG_EVENTS
};
void memcg_event(struct cgroup *cg, enum memcg_event e);
u64 memcg_high_delay(const struct cgroup *cg); /* ns that an allocation above memory.high waits */
/* The cgroup whose processes die together when one of `victim` is killed for `cause` (NULL: all memory), with a reference, or NULL. */
struct cgroup *memcg_oom_group(struct cgroup *victim, struct cgroup *cause);
void cgroup_kill(
	struct cgroup *cg); /* SIGKILL to everything in it and below; takes task_tree_lock */

/* ---- cpu, for the scheduler; interrupts are off, t is on this CPU ---- */
/* t ran: charge it what was not yet. True: it is over its limit and has to leave user mode. */
extern u32
	cpucg_limits; /* cgroups that have a limit: 0 = nothing of the below but cpucg_charge is needed */
bool cpucg_charge(struct thread *t, u64 now);
/* ns that t may go on without being looked at, ~0: any. */
u64 cpucg_slice(const struct thread *t);
/* The cgroup of t is throttled: sleep until its next period (on the way to user mode, interrupts on). */
void cpucg_throttle(struct thread *t);

/* Mount data of the agent: this and the path of the cgroup that the mount shows as its root. */
#define CGROUPFS_ROOT "casemate="
void cgroup_init(void);

#endif
