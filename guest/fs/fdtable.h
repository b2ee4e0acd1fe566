/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor tables and the working-directory context, both shared by CLONE_FILES and CLONE_FS. */
#ifndef FS_FDTABLE_H
#define FS_FDTABLE_H

#include "fs/vfs.h"

struct fdtable;

extern u64 fd_nr_open; /* descriptors of a process, at most: /proc/sys/fs/nr_open */
struct fdtable *fdtable_create(void); /* NULL = no memory */
struct fdtable *fdtable_dup(struct fdtable *src, int *err); /* fork without CLONE_FILES */
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* last: closes everything */
void fdtable_close_on_exec(struct fdtable *t); /* exec; the table is unshared by then */

/* File of a descriptor of the current task, with a reference; NULL = EBADF. fd_get refuses O_PATH files, fd_get_any does not. */
struct file *fd_get(int fd);
struct file *fd_get_any(int fd);
/* Lowest free descriptor >= from below the limit of RLIMIT_NOFILE; consumes the reference on success. fd or -EMFILE/-ENOMEM. */
int fd_install(struct file *f, u32 o_cloexec, int from);
/* Into a given table at a given number (spawn). consumes the reference. */
int fdtable_set(struct fdtable *t, int fd, struct file *f, bool cloexec);

/* dup2: consumes the reference on success; what was open there is closed. 0, -EBADF, -ENOMEM. */
int fd_replace(int fd, struct file *f, u32 o_cloexec);
int fd_close(int fd); /* 0, -EBADF, or the error of flush */
int fd_cloexec_get(int fd); /* 0, 1 or -EBADF */
int fd_cloexec_set(int fd, bool on);
void fd_close_range(u32 first, u32 last, bool cloexec_only);
/* For /proc and others' tables: the file with a reference, or NULL; the first open descriptor >= from, or -1. */
struct file *fdtable_file(struct fdtable *t, int fd, bool *cloexec);
int fdtable_next(struct fdtable *t, int from);
u32 fdtable_size(struct fdtable *t);
bool fdtable_shared(struct fdtable *t);
/* One descriptor of table t let go of f: flush, POSIX locks, reference. */
int file_close(struct fdtable *t, struct file *f);

struct fs_context {
	struct ref ref;
	struct spinlock lock; /* protects: root, cwd, umask */
	struct path root, cwd;
	u32 umask;
};

struct fs_context *fs_context_create(const struct path *root, const struct path *cwd, u32 umask);
struct fs_context *fs_context_dup(struct fs_context *src);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);

#endif
