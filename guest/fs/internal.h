/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of fs/ share with each other and with syscall/, and nobody else needs. */
#ifndef FS_INTERNAL_H
#define FS_INTERNAL_H

#include <linux/capability.h>

#include "fs/mount.h"
#include "fs/super.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/slab.h"

#define SYMLINKS_MAX 40

/* ---- dentry.c ---- */
#define DENTRY_HASHED 1u
#define DENTRY_ON_LRU 2u
#define DENTRY_DEAD   4u

u32 dentry_hash_name(const char *name, size_t len);
/* Hashed child with a reference, or NULL. */
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len, u32 hash);
/* New unhashed negative dentry with one reference; takes a reference on the parent (NULL: a root). NULL = no memory. */
struct dentry *dentry_alloc(struct super *sb, struct dentry *parent, const char *name, size_t len);
void dcache_insert(struct dentry *d); /* dir lock of the parent held */
/* After unlink/rmdir: becomes negative when only the caller holds it, else unhashed. */
void dentry_delete(struct dentry *d);
/* After rename: d gets parent and name of target; target is unhashed. */
void dentry_move(struct dentry *d, struct dentry *target);
void dentry_swap(struct dentry *a, struct dentry *b); /* RENAME_EXCHANGE */
/* Counts both: who finds it as it was knows that no dentry that he looked at has gone elsewhere. */
u64 dentry_moves(void);
bool dentry_is_ancestor(struct dentry *anc, struct dentry *d); /* anc == d counts */
struct dentry *dentry_get_parent(struct dentry *d);
/* Copy of the name, for callers without the dcache lock. */
void dentry_copy_name(struct dentry *d, char *buf, size_t size);
/* Drops every dentry below and including root that nobody uses; root is consumed. */
void dcache_kill_tree(struct dentry *root);
/* Drops unused children, for rmdir and rename of directories served with no_dcache. */
void dcache_prune(struct dentry *d);
static inline bool dentry_unhashed(struct dentry *d)
{
	return !(READ_ONCE(d->flags) & DENTRY_HASHED);
}
static inline struct inode *dentry_inode(struct dentry *d)
{
	return atomic_load(&d->inode);
}

/* ---- inode.c ---- */
int inode_permission_cred(const struct cred *c, struct inode *inode, int mask);
/* In the first user namespace; over an inode, whose ids must be mapped in the own one. NULL cred: the kernel itself. */
bool cred_capable(const struct cred *c, int cap);
bool cred_capable_inode(const struct cred *c, const struct inode *inode, int cap);
bool inode_owner_or_capable(const struct inode *inode);
/* Write access counted for ETXTBSY. */
int inode_get_write(struct inode *inode);
void inode_put_write(struct inode *inode);
int inode_deny_write(struct inode *inode);
void inode_allow_write(struct inode *inode);
void inode_update_atime(struct inode *inode, u32 mnt_flags);
/* Refresh, then copy out. */
int inode_refresh(struct inode *inode);
/* Strip setuid and setgid after a write or chown by a task without CAP_FSETID; inode locked for writing. */
int inode_kill_priv(struct inode *inode);

/* ---- vfs_ops.c: changes of the name space with all checks; names are kernel strings ---- */
int vfs_mknod(const struct path *base, const char *name, u32 mode, u32 dev);
int vfs_mkdir(const struct path *base, const char *name, u32 mode);
int vfs_symlink(const char *target, const struct path *base, const char *name);
int vfs_link(const struct path *old, const struct path *base, const char *name);
int vfs_unlink(const struct path *base, const char *name);
int vfs_rmdir(const struct path *base, const char *name);
int vfs_rename(const struct path *obase, const char *oname, const struct path *nbase,
	const char *nname, u32 flags);
/* Create through the inode of a directory; dir->lock held for writing, permissions checked here. */
int dir_may_create(const struct path *dir);
int path_want_write(const struct path *p); /* 0 or -EROFS */
s64 inode_readlink(struct inode *inode, char *buf, size_t size);
u32 fs_umask(void); /* of the current task; 0 without one */

/* ---- attr.c ---- */
int vfs_chmod(const struct path *p, u32 mode);
int vfs_chown(const struct path *p, u32 uid, u32 gid); /* -1 = keep */
/* NULL = now; tv_nsec UTIME_NOW and UTIME_OMIT as utimensat(2). */
int vfs_utimes(const struct path *p, const struct timestamp *at, const struct timestamp *mt);
int vfs_truncate(const struct path *p, u64 size);
int inode_truncate(struct inode *inode, u64 size); /* checked already; takes the lock */
int vfs_statfs(const struct path *p, struct statfs_info *out);
int vfs_access(const struct path *p, int mode, const struct cred *c);
s64 vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size);
int vfs_setxattr(const struct path *p, const char *name, const void *val, size_t size, int flags);
int vfs_removexattr(const struct path *p, const char *name);
s64 vfs_listxattr(const struct path *p, char *buf, size_t size);

/* As path_to_string, relative to an explicit root (NULL: the top). */
char *path_to_string_root(const struct path *p, const struct path *root, char *buf, size_t size);

/* The same inside one file system: from the root of its tree. */
char *dentry_to_string(struct dentry *d, char *buf, size_t size);
bool path_deleted(const struct path *p); /* no name leads there any more */

/* Open without any permission check, for the kernel's own use. */
int file_open_unchecked(const struct path *p, u32 flags, struct file **out);

/* ---- file.c ---- */
struct file *file_alloc(void);
s64 vfs_read(struct file *f, struct uio *u, u64 *pos);
s64 vfs_write(struct file *f, struct uio *u, u64 *pos);
void anon_init(void);
extern u64 files_open;
/* Where the file is, with references; a file without a name gets a dentry for the occasion. 0 or -ENOMEM. */
int file_path(struct file *f, struct path *out);
/* A read-write file of an inode that has no name in mnt; consumes the inode reference on success. NULL = no memory. */
struct file *file_create_in(struct mount *mnt, struct inode *inode, const char *name, u32 flags);
/* Inode-private default of RLIMIT_FSIZE: clamps n at pos; 0 or -EFBIG (SIGXFSZ sent). */
int file_size_limit(u64 pos, u64 *n);

int file_fsync_none(struct file *f, u64 from, u64 to, bool data_only); /* nothing to write: 0 */
/* "." and ".." at positions 0 and 1. False: the buffer is full. */
bool dir_emit_dots(struct file *f, struct dir_emit *d);
bool fs_capable(int cap); /* of the current task; the kernel itself may everything */

/* ---- devices ---- */
struct chrdev {
	u32 major, minor_first, minor_count;
	int (*open)(struct inode *inode, struct file *f);
	struct chrdev *next;
};
void chrdev_register(struct chrdev *d);
extern const struct file_ops chrdev_ops, blkdev_ops, fifo_ops, sock_inode_ops;
int chrdev_open(struct inode *inode, struct file *f);
int fifo_open(struct inode *inode, struct file *f);

static inline u32 dev_make(u32 major, u32 minor)
{
	return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffu) << 12;
}
static inline u32 dev_major(u32 dev)
{
	return dev >> 8 & 0xfff;
}
static inline u32 dev_minor(u32 dev)
{
	return (dev & 0xff) | (dev >> 12 & 0xfff00);
}

/* ---- notifications ---- */
extern struct inotify_limits { /* /proc/sys/fs/inotify */
	u64 queued, instances, watches;
} inotify_limits;
extern u32 inotify_active; /* watches in all; 0: nobody listens */
/* dir (may be NULL) hears `mask` with the name; inode (may be NULL) hears it alone when dir is NULL. */
void inotify_event(struct inode *dir, struct inode *inode, u32 mask, const char *name, u32 cookie);
void notify_dentry(struct dentry *d, u32 mask); /* the object and its directory hear it */
void file_notify(struct file *f, u32 mask);

/* ---- lockf.c ---- */
struct fdtable;
struct flock;
/* F_SETLK, F_SETLKW (wait) and their OFD forms; l_whence is resolved. 0, -EAGAIN, -EDEADLK, -EINVAL, -EBADF, -ENOLCK, -ERESTARTSYS. */
int lockf_set(struct file *f, const struct flock *fl, bool ofd, bool wait);
int lockf_get(struct file *f, struct flock *fl, bool ofd);
int lockf_flock(struct file *f, int op); /* LOCK_SH, LOCK_EX, LOCK_UN, | LOCK_NB */
void lockf_release_posix(struct inode *inode, struct fdtable *owner);
void lockf_release_file(struct file *f);

/* ---- epoll.c ---- */
void epoll_file_gone(struct file *f);

#endif
