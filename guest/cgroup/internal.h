/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of cgroup/ share. Locks: README. */
#ifndef CGROUP_INTERNAL_H
#define CGROUP_INTERNAL_H

#include "cgroup/cgroup.h"
#include "fs/proc/proc.h"
#include "kernel/lock.h"
#include "kernel/timer.h"
#include "kernel/waitq.h"
#include "lib/atomic.h"
#include "lib/list.h"

#define CGROUP_MAX	 4095u /* at a time, with removed ones whose pages are still charged */
#define CGROUP_UNLIMITED (~0UL >> 1)
#define CGROUP_NAME_MAX	 255u

/* Controllers, as bits. */
#define CG_CPU	  1u
#define CG_MEMORY 2u
#define CG_PIDS	  4u
#define CG_ALL	  (CG_CPU | CG_MEMORY | CG_PIDS)

/* Files that announce changes to poll and inotify. */
enum cg_note {
	CG_NOTE_NONE,
	CG_NOTE_EVENTS,
	CG_NOTE_MEMORY,
	CG_NOTE_MEMORY_LOCAL,
	CG_NOTE_PIDS,
	CG_NOTE_PIDS_LOCAL,
	CG_NOTES
};

#define CG_FILES_MAX 48u

struct cg_attr { /* of the directory and the files; lock: cgroup_mutex */
	u32 uid, gid;
	u16 mode; /* 0: that of the table */
};

struct cg_cpu { /* ns, by the CPU that they were spent on; written by that CPU only */
	u64 utime, stime;
};

struct cg_quota {
	struct spinlock lock; /* irq, leaf; protects: the rest of this structure */
	u64 quota; /* ns in a period; 0: no limit */
	u64 period, burst; /* ns */
	s64 used; /* ns of this period's quota; negative: saved from earlier ones */
	bool active; /* the timer runs */
	bool throttled;
	u64 since; /* of the throttling */
	u64 nr_periods, nr_throttled, throttled_ns;
	struct ktimer timer;
	struct waitq wq; /* throttled threads */
};

struct cgroup {
	struct ref ref; /* the tree, tasks, open files, inodes */
	struct cgroup *parent; /* reference; NULL: the root */
	struct list_head children, sibling; /* locks: cgroup_mutex and cgroup_lock */
	char *name;
	u64 ino;
	u32 level;
	bool dead; /* removed; locks: as children */
	u32 subtree; /* controllers enabled for the children; lock: cgroup_mutex */
	u64 max_descendants, max_depth; /* lock: cgroup_mutex */
	struct cg_attr attr[CG_FILES_MAX]; /* 0: the directory; then by index into cg_files */

	/* members; lock: cgroup_lock */
	struct list_head tasks; /* threads that live, by task->cgroup_link */
	u32 live, frozen; /* threads here and below; those of them that stand still */
	bool freeze; /* was asked for here */
	u32 freezers; /* cgroups up to here that ask for it */

	/* announcements */
	u64 note_seq[CG_NOTES]; /* atomic */
	u32 note_pending; /* atomic, bits: inotify has yet to be told */
	struct waitq note_wq;
	struct list_head inodes; /* of its files and directory; lock: cgroup_mutex */

	/* pids: here and below, with zombies; atomic */
	u64 pids, pids_max, pids_peak, pids_hits, pids_hits_local;

	/* memory: pages, here and below; atomic */
	u16 mem_id;
	s64 mem_usage, mem_max, mem_high, mem_min, mem_low, mem_peak, mem_swap_max;
	s64 mem_stat[MEMCG_STATS];
	u64 mem_swap_full; /* atomic: how often its swap limit was in the way */
	u64 mem_event[MEMCG_EVENTS], mem_event_local[MEMCG_EVENTS];
	bool mem_oom_group;

	/* cpu */
	struct cg_cpu *cpu; /* by CPU, this cgroup alone */
	struct cg_cpu cpu_gone; /* of removed children; lock: cgroup_mutex */
	u32 weight;
	u32 pool_active, share; /* see cpu.c; lock: cgroup_lock */
	bool pool_busy;
	u32 scale; /* of the threads' weights, 1024 = 1 */
	u32 quotas; /* cgroups up to here that have a quota; lock for writing: cgroup_mutex */
	struct cg_quota bw;
};

extern struct cgroup cgroup_root;
extern struct mutex cgroup_mutex;
extern struct spinlock cgroup_lock;

/* Controllers that cg may use: its parent has them enabled. */
static inline u32 cgroup_controllers(const struct cgroup *cg)
{
	return cg->parent ? cg->parent->subtree : CG_ALL;
}

/* ---- cgroup.c ---- */
/* Next of the tree below and including top in pre-order, NULL at the end. cgroup_mutex or cgroup_lock held. */
struct cgroup *cgroup_next(struct cgroup *pos, struct cgroup *top);
/* Make a child; cgroup_mutex held. 0 or -errno; *out borrowed. */
int cgroup_create_locked(
	struct cgroup *parent, const char *name, u32 uid, u32 gid, u32 mode, struct cgroup **out);
int cgroup_remove_locked(struct cgroup *cg);
struct cgroup *cgroup_child(struct cgroup *cg, const char *name); /* cgroup_mutex held; borrowed */
u32 cgroup_descendants(struct cgroup *cg); /* without itself; cgroup_mutex held */
/* Path from `root` down, "/../x" where it lies outside. Length. */
size_t cgroup_path(const struct cgroup *cg, const struct cgroup *root, char *buf, size_t size);
/* Something that a file shows has changed. Any context. */
void cgroup_note(struct cgroup *cg, enum cg_note which);
/* Move all threads of g to cg, which lives; cgroup_mutex held. */
void cgroup_attach(struct group *g, struct cgroup *cg);
int cgroup_enable(struct cgroup *cg, u32 set, u32 clear); /* cgroup_mutex held */
int cgroup_may_hold_tasks(const struct cgroup *cg); /* 0 or -EBUSY; cgroup_mutex held */
struct cgroup *cgroup_current_root(void); /* what the current task takes for the root; borrowed */

/* ---- freeze.c ---- */
void cgroup_freeze_init(void);
void cgroup_set_freeze(struct cgroup *cg, bool on); /* cgroup_mutex held */
void cgroup_freeze_moved_locked(struct task *t); /* t is in another cgroup; both locks held */
/* live or frozen changed by so many in cg and above; cgroup_lock held. */
void cgroup_count_locked(struct cgroup *cg, s32 live, s32 frozen);

/* ---- memory.c, pids.c, cpu.c ---- */
void memcg_init_root(struct cgroup *root);
int memcg_create(struct cgroup *cg); /* -EAGAIN: too many cgroups */
void memcg_remove(struct cgroup *cg); /* its pages are the parent's from now on */
void memcg_reset(struct cgroup *cg);
void memcg_quiesce(void); /* nobody looks at a cgroup that is unreachable now */
int pidcg_charge(struct cgroup *cg); /* one more; 0 or -EAGAIN */
void pidcg_move(struct cgroup *from, struct cgroup *to, u64 n); /* NULL: nowhere */
int cpucg_create(struct cgroup *cg);
void cpucg_remove(struct cgroup *cg);
void cpucg_free(struct cgroup *cg);
void cpucg_reset(struct cgroup *cg);
void cpucg_enabled(s32 groups); /* so many more cgroups have the controller */

/* ---- files.c ---- */
struct cg_file {
	const char *name;
	u32 mode;
	u32 controller; /* 0: always there */
	u32 where; /* CG_ON_* */
	enum cg_note note;
	int (*show)(struct proc_buf *b, struct cgroup *cg); /* cgroup_mutex held */
	/* cgroup_mutex NOT held; text is trimmed. opener: NULL = the kernel. 0 or -errno. */
	int (*write)(struct cgroup *cg, char *text, struct file *opener);
};
#define CG_ON_ROOT  1u
#define CG_ON_OTHER 2u
#define CG_ON_ALL   3u
extern const struct cg_file *cg_files[CG_FILES_MAX]; /* by attr index; NULL: none */
extern const struct cg_file cg_core_files[], cg_cpu_files[], cg_memory_files[], cg_pids_files[];
void cg_files_init(void);
/* Index of a file that cg has, or 0. cgroup_mutex held. */
u32 cg_file_find(const struct cgroup *cg, const char *name);
bool cg_file_there(const struct cgroup *cg, const struct cg_file *f);
/* "max" or a number. 0 or -EINVAL. */
int cg_parse_u64(const char *text, u64 *out);
int cg_parse_max(const char *text, u64 *out);
/* "max" or bytes with a suffix k, m, g, t; in pages. */
int cg_parse_pages(const char *text, s64 *out);
void cg_print_max(struct proc_buf *b, u64 v);
/* The next blank-separated word of *cursor, or NULL. */
char *cg_word(char **cursor);

/* ---- cgroupfs.c ---- */
void cgroupfs_init(void);
/* Tell inotify what note_pending says. May sleep. */
void cgroupfs_notify(struct cgroup *cg);
/* May the opener of f write the file number `index` of cg? The right to move processes across it. */
int cgroupfs_may_write(struct file *f, struct cgroup *cg, u32 index);

#endif
