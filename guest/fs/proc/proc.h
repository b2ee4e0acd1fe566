/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procfs: tables of entries; a file's text is generated as a whole when it is read from its start. sysfs is made of the same tables.
 * An entry is a file (show, write), a link (link, follow) or a directory (children and/or dyn).
 */
#ifndef FS_PROC_H
#define FS_PROC_H

#include "fs/super.h"

struct group;
struct pid_ns;
struct task;
struct vma;

/* Text that grows. */
struct proc_buf {
	char *text;
	size_t len, size;
	bool failed; /* no memory, or more than PROC_TEXT_MAX */
};
#define PROC_TEXT_MAX (4UL << 20)
void proc_printf(struct proc_buf *b, const char *fmt, ...) __printf(2, 3);
void proc_write(struct proc_buf *b, const void *data, size_t len);
/* What is there of b from *pos on, for read(2). */
s64 proc_buf_read(const struct proc_buf *b, struct uio *u, u64 *pos);
/* What a program writes, at most a page of it, as a terminated string for kfree in *text. Its length or -errno. */
s64 proc_copy_text(struct uio *u, char **text);
void proc_pad(struct proc_buf *b, size_t line_start, size_t column); /* blanks up to a column */

/* What an inode stands for. */
struct proc_ctx {
	struct task *task; /* reference; NULL outside of /proc/PID */
	s64 key; /* descriptor number of fd/N and the like */
	struct pid_ns *ns; /* of the instance: whose numbers it shows; held by the super */
};

struct proc_child {
	const struct proc_entry *entry;
	struct proc_ctx ctx; /* task: a reference that the receiver takes over */
	char name[40];
};

/* A directory whose entries come and go. */
struct proc_dyn {
	/* 0 with *out filled, or -ENOENT. */
	int (*lookup)(struct proc_ctx *c, const char *name, struct proc_child *out);
	/* The first entry with key >= *key (set to what was found). False at the end. */
	bool (*next)(struct proc_ctx *c, s64 *key, struct proc_child *out);
};

struct proc_entry {
	const char *name; /* NULL ends a table */
	u32 mode;
	int (*show)(struct proc_buf *b, struct proc_ctx *c); /* 0 or -errno */
	s64 (*write)(
		struct proc_ctx *c, char *text, size_t len); /* terminated; bytes taken or -errno */
	/* The same for who must know the open file, that is its opener. */
	s64 (*write_file)(struct proc_ctx *c, const struct file *f, char *text, size_t len);
	s64 (*link)(struct proc_ctx *c, char *buf, size_t size);
	int (*follow)(struct proc_ctx *c, struct path *out);
	const struct proc_entry *children;
	const struct proc_dyn *dyn;
	u32 (*poll)(struct file *f, struct poll_table *pt);
	const struct file_ops *fops; /* instead of show and write */
	const void *data; /* of PROC_TUNABLE */
};

/* A number of the sentry that root may set; show and write of an entry whose data it is. */
struct proc_tunable {
	u64 *val; /* NULL: place() says where it is, in the current namespaces */
	u64 *(*place)(const struct proc_tunable *t);
	size_t offset; /* for place() */
	u64 min, max;
};
int proc_tunable_show(struct proc_buf *b, struct proc_ctx *c);
s64 proc_tunable_write(struct proc_ctx *c, char *text, size_t len);

#define PROC_DIR(n, table) \
	{ \
		.name = n, .mode = S_IFDIR | 0555, .children = table \
	}
#define PROC_FILE(n, fn) \
	{ \
		.name = n, .mode = S_IFREG | 0444, .show = fn \
	}
#define PROC_TUNE(n, fn, wr) \
	{ \
		.name = n, .mode = S_IFREG | 0644, .show = fn, .write = wr \
	}

#define PROC_TUNABLE(n, tunable) \
	{ \
		.name = n, .mode = S_IFREG | 0644, .show = proc_tunable_show, \
		.write = proc_tunable_write, .data = tunable \
	}

struct proc_node {
	const struct proc_entry *entry;
	struct proc_ctx ctx;
};
static inline struct proc_node *proc_node(const struct inode *inode)
{
	return inode->priv;
}

/* A new instance with `root` as its root directory, which shows the processes of the current pid namespace. */
int proc_mount_tree(
	const char *fstype, u32 magic, const struct proc_entry *root, struct super **out);
bool proc_parse_int(
	const char *s, s64 *out); /* what a program writes: decimal, with a sign or not */
bool proc_number(const char *s, u64 *out); /* decimal without leading zeroes */

extern const struct proc_entry proc_root_table[], proc_sys_table[], proc_pid_table[];
/* "pipe:[12]", "anon_inode:[eventpoll]", or the path. Length. */
s64 proc_file_describe(struct file *f, char *buf, size_t size);
extern const struct proc_entry proc_root_entry, proc_subset_entry;
extern const struct proc_dyn proc_pids;
extern const struct file_ops proc_dir_ops;

/* pidmem.c */
int proc_pid_maps(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_smaps(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_smaps_rollup(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_cmdline(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_environ(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_auxv(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_statm(struct proc_buf *b, struct proc_ctx *c);
extern const struct file_ops proc_mem_ops;
/* pidpages.c */
int proc_pid_numa_maps(struct proc_buf *b, struct proc_ctx *c);
s64 proc_pid_clear_refs(struct proc_ctx *c, char *text, size_t len);
extern const struct file_ops proc_pagemap_ops;
/* pidstat.c */
int proc_pid_stat(struct proc_buf *b, struct proc_ctx *c);
int proc_tid_stat(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_sched(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_status(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_limits(struct proc_buf *b, struct proc_ctx *c);
/* pidfd.c */
extern const struct proc_dyn proc_fd_dyn, proc_fdinfo_dyn, proc_map_files_dyn;
/* mounts.c */
int proc_pid_mounts(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_mountinfo(struct proc_buf *b, struct proc_ctx *c);
int proc_pid_mountstats(struct proc_buf *b, struct proc_ctx *c);
u32 proc_mounts_poll(struct file *f, struct poll_table *pt);

/* ipc.c: /proc/sysvipc and the IPC tunables of /proc/sys */
extern const struct proc_entry proc_sysvipc_table[], proc_mqueue_table[];
extern const struct proc_tunable proc_tunable_msgmax, proc_tunable_msgmnb, proc_tunable_msgmni,
	proc_tunable_shmall, proc_tunable_shmmax, proc_tunable_shmmni;
int proc_sem_show(struct proc_buf *b, struct proc_ctx *c);
s64 proc_sem_write(struct proc_ctx *c, char *text, size_t len);
int proc_sem_next_id_show(struct proc_buf *b, struct proc_ctx *c);
s64 proc_sem_next_id_write(struct proc_ctx *c, char *text, size_t len);
int proc_msg_next_id_show(struct proc_buf *b, struct proc_ctx *c);
s64 proc_msg_next_id_write(struct proc_ctx *c, char *text, size_t len);
int proc_shm_next_id_show(struct proc_buf *b, struct proc_ctx *c);
s64 proc_shm_next_id_write(struct proc_ctx *c, char *text, size_t len);

/* cpuinfo.c */
int proc_cpuinfo(struct proc_buf *b, struct proc_ctx *c);

/* The process of an open /proc/PID directory, with a reference, or NULL. */
struct group *proc_pid_group(const struct file *f);
/* net.c, net_sysctl.c: below /proc/PID/net, /proc/sys/net, /sys/class/net */
extern const struct proc_entry proc_net_table[], proc_sys_net_table[], sysfs_net_table[];
/* sysctl.c: set a parameter by its dotted name, for the agent. 0, -ENOENT, -EROFS (it cannot be changed), -EINVAL. */
int sysctl_set(const char *name, const char *value);

void proc_init(void);
void sysfs_init(void);

#endif
