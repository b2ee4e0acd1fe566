/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual file system's objects and who keeps whom alive:
 *
 *   fdtable -> file -> path { mount, dentry } -> inode -> super
 *   mount -> super, root dentry, parent mount + mountpoint dentry
 *   dentry -> parent dentry, inode (NULL = negative)
 *
 * Each arrow is a reference; drop from the left. Three vtables: file_ops, inode_ops, super_ops; a NULL operation means the default error that
 * its comment names. Locks: see fs/README.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#include <asm/fcntl.h>
#include <asm/poll.h>

#include "fs/mode.h"
#include "kernel/lock.h"
#include "kernel/waitq.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "mm/filemap.h"
#include "mm/usercopy.h"

#define NAME_MAX_LEN 255
#define PATH_MAX_LEN 4096

struct cred;
struct dentry;
struct file;
struct inode;
struct mount;
struct pid;
struct super;
struct swap_io;
struct user_ns;
struct vma;

struct timestamp {
	s64 sec;
	u32 nsec;
};

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};

/* ---- super block: one instance of a file system ---- */
struct statfs_info {
	u64 type, bsize, blocks, bfree, bavail, files, ffree, namelen, flags;
};

struct super_ops {
	int (*statfs)(struct super *sb, struct statfs_info *out); /* NULL: zeroes with sb->magic */
	int (*sync)(struct super *sb); /* NULL: nothing to do */
	void (*evict_inode)(struct inode
			*inode); /* last reference gone (nlink may be 0); NULL: nothing to do */
	void (*destroy)(struct super *sb);
	int (*show_options)(
		struct super *sb, char *buf, size_t size); /* for /proc/mounts; NULL: none */
	/* Where in its file system a directory of it is, for mountinfo, as the current task sees it; NULL: its path from sb->root. */
	void (*show_root)(const struct dentry *d, char *buf, size_t size);
};

struct super {
	struct ref ref; /* inodes and mounts */
	s32 active; /* mounts; the last one drops the dentries */
	const struct super_ops *ops;
	const char *fstype; /* "tmpfs", "proc", ... */
	u32 magic;
	u32 dev; /* st_dev, minor numbers of major 0 */
	bool readonly;
	bool never_writable; /* and no remount changes that, as on Linux */
	bool partial; /* shows less than others of its type: see fs_type.visible */
	bool no_dcache; /* dentries are not kept after last use (proc/PID) */
	u32 blksize;
	struct user_ns *owner; /* user namespace that mounted it: reference; NULL = the first */
	struct dentry *root; /* reference */
	char *root_name; /* what mountinfo calls the root of a part of another tree, owned; NULL: "/" */
	void *priv;
};

#define DEV_MINOR_MAX 0xfffffu
/* st_dev: major 0, and the minor number as stat(2) has it. */
static inline u32 super_st_dev(const struct super *sb)
{
	return (sb->dev & 0xff) | (sb->dev & ~0xffu) << 12;
}

/* ---- inode ---- */
struct setattr {
	u32 valid; /* ATTR_* */
	u32 mode, uid, gid;
	u64 size;
	struct timestamp atime, mtime;
};
#define ATTR_MODE  1u
#define ATTR_UID   2u
#define ATTR_GID   4u
#define ATTR_SIZE  8u
#define ATTR_ATIME 16u
#define ATTR_MTIME 32u
#define ATTR_CTIME 64u

/* Names are NUL-terminated, checked, at most NAME_MAX_LEN. Directory operations run with dir->lock held for writing (lookup: for reading). */
struct inode_ops {
	/* Find name: fill the (negative) dentry's inode with dentry_set_inode, or leave it negative. 0 or -errno (never -ENOENT).
	 * The VFS holds dir->lock for writing here too: one lookup of a name at a time. */
	int (*lookup)(struct inode *dir, struct dentry *dentry);
	/* All of these make the negative dentry positive. NULL: -EPERM (mknod, link, symlink: -EPERM; others -EROFS). */
	int (*create)(struct inode *dir, struct dentry *dentry, u32 mode, u32 uid, u32 gid);
	int (*mkdir)(struct inode *dir, struct dentry *dentry, u32 mode, u32 uid, u32 gid);
	int (*mknod)(struct inode *dir, struct dentry *dentry, u32 mode, u32 dev, u32 uid, u32 gid);
	int (*symlink)(
		struct inode *dir, struct dentry *dentry, const char *target, u32 uid, u32 gid);
	int (*link)(struct inode *inode, struct inode *dir, struct dentry *dentry);
	int (*unlink)(struct inode *dir, struct dentry *dentry);
	int (*rmdir)(struct inode *dir, struct dentry *dentry);
	/* flags: RENAME_NOREPLACE and RENAME_EXCHANGE are already checked by the VFS where it can; others: -EINVAL. */
	int (*rename)(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
		u32 flags);
	int (*tmpfile)(struct inode *dir, u32 mode, u32 uid, u32 gid,
		struct inode **out); /* NULL: -EOPNOTSUPP */
	/* Target of a symbolic link into buf; its length. NULL: -EINVAL. */
	s64 (*readlink)(struct inode *inode, char *buf, size_t size);
	/* A magic link (proc/PID/fd/N, exe, cwd): the object itself, with references. NULL: ordinary link. */
	int (*follow)(struct inode *inode, struct path *out);
	/* Refresh attributes from a server when they may be stale. NULL: cached ones are right. */
	int (*getattr)(struct inode *inode);
	int (*setattr)(struct inode *inode,
		const struct setattr *a); /* NULL: inode_setattr_cached; size changes included */
	s64 (*getxattr)(struct inode *inode, const char *name, void *buf,
		size_t size); /* NULL: -EOPNOTSUPP; size 0 asks the length */
	int (*setxattr)(
		struct inode *inode, const char *name, const void *val, size_t size, int flags);
	int (*removexattr)(struct inode *inode, const char *name);
	s64 (*listxattr)(struct inode *inode, char *buf, size_t size);
	/* Prepare file (ops, priv). NULL: file->ops = inode->fops. */
	int (*open)(struct inode *inode, struct file *file);
	/* Is the cached dentry still right? NULL: yes. */
	bool (*revalidate)(struct dentry *dentry);
};

struct inode {
	struct ref ref;
	struct rwsem
		lock; /* protects: attributes below, directory content, size changes; rank 30 */
	struct super *sb;
	u64 ino;
	u32 mode, nlink, uid, gid, rdev;
	u64 size, blocks; /* blocks of 512 bytes; size also readable without the lock */
	struct timestamp atime, mtime, ctime, btime;
	const struct inode_ops *ops;
	const struct file_ops *fops;
	struct mapping *mapping; /* regular files with a page cache, else NULL */
	struct list_head locks; /* POSIX, OFD and flock locks: fs/lockf.c */
	s32 writers; /* open for write (ETXTBSY), < 0: denied */
	s32 readers; /* regular files: open for reading only; atomic */
	bool swapfile; /* swap space (mm/swap.h): nobody else writes, cuts, maps or unlinks it. Changes under lock */
	u32 leases; /* atomic */
	void *pipe; /* fifo: struct pipe while open */
	void *sock; /* bound AF_UNIX socket */
	void *watches; /* inotify */
	void *priv;
};

/* ---- open files ---- */
struct poll_table; /* fs/poll.h: poll_wait(file, wq, table) registers; NULL table = just ask */

struct dir_emit {
	/* Give one entry to the reader; `off` is the position after it. False = the buffer is full: stop, this entry was not taken. */
	bool (*emit)(struct dir_emit *d, const char *name, size_t len, u64 ino, u32 type, u64 off);
	u64 pos; /* in: where to go on (0 = start); the file system sets it as it emits */
};

struct file_ops {
	/* Positioned files: at *pos, which moves. Streams ignore pos. Bytes, 0 = end, or -errno. NULL: -EINVAL. */
	s64 (*read)(struct file *f, struct uio *u, u64 *pos);
	s64 (*write)(struct file *f, struct uio *u, u64 *pos);
	u32 nowait; /* MAY_READ, MAY_WRITE: these keep to uio.nowait; else RWF_NOWAIT is -EOPNOTSUPP */
	/* Current POLL* events; with a table, queue on the wait queues that announce changes. NULL: always POLLIN|POLLOUT|POLLRDNORM|POLLWRNORM. */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	s64 (*ioctl)(struct file *f, u32 cmd, u64 arg); /* NULL: -ENOTTY */
	s64 (*llseek)(struct file *f, s64 off,
		int whence); /* NULL: generic for regular files, -ESPIPE else */
	int (*readdir)(struct file *f, struct dir_emit *d); /* NULL: -ENOTDIR */
	/* Check and prepare a mapping (refuse, change flags). NULL: allowed when inode->mapping is there, else -ENODEV. */
	int (*mmap)(struct file *f, struct vma *vma);
	/* Devices without page cache (zero, memfd none): page for a fault. Used when inode->mapping is NULL. */
	int (*fault)(struct file *f, u64 pgoff, struct page **out);
	int (*fsync)(struct file *f, u64 from, u64 to, bool data_only); /* NULL: -EINVAL */
	int (*fallocate)(struct file *f, int mode, u64 off, u64 len); /* NULL: -EOPNOTSUPP */
	const struct swap_io *swap; /* NULL: it cannot be swap space */
	s64 (*copy_range)(struct file *in, u64 in_pos, struct file *out, u64 out_pos,
		u64 len); /* NULL: by the page cache */
	/* O_ASYNC comes: the place to choose an owner where there is none. NULL: the file sends no signals; else its wake-ups say which (fs/async.h). */
	void (*async)(struct file *f);
	int (*flush)(struct file *f); /* each close of a descriptor */
	void (*release)(struct file *f); /* last reference */
	int (*show_fdinfo)(struct file *f, char *buf, size_t size);
};

struct file {
	struct ref ref;
	const struct file_ops *ops;
	struct path path; /* references; zero for anonymous files without a dentry */
	struct inode *inode; /* reference */
	u32 flags; /* O_* as F_GETFL shows them; atomic */
	u32 mode; /* FMODE_* */
	struct mutex pos_lock; /* protects: pos */
	u64 pos;
	struct cred *cred; /* of the opener, reference */
	struct pid *owner; /* F_SETOWN: reference; NULL = nobody */
	s32 owner_sig, owner_type; /* F_SETSIG, F_OWNER_* */
	u32 owner_uid, owner_euid; /* of who chose the owner: he must be one who may signal it */
	struct file_async *async; /* while O_ASYNC is set, fs/async.c */
	bool async_full; /* a write found no room; atomic */
	void *epoll; /* list of epoll items that watch it, fs/epoll.c */
	const char *anon_name; /* what /proc/PID/fd shows for a file without a dentry */
	void *priv;
};
/* May this call not wait? Does it write at the end? */
static inline bool file_nonblock(const struct file *f, const struct uio *u)
{
	return u->nowait || (READ_ONCE(f->flags) & O_NONBLOCK);
}
static inline bool file_appends(const struct file *f, const struct uio *u)
{
	return u->append || (READ_ONCE(f->flags) & O_APPEND);
}
#define FMODE_READ    1u
#define FMODE_WRITE   2u
#define FMODE_PATH    4u /* O_PATH */
#define FMODE_STREAM  8u /* no position: pipes, sockets, ttys */
#define FMODE_EXEC    16u /* opened by execve: counted in inode->writers as a denial */
#define FMODE_WRITER  32u /* counted in inode->writers, mount->writers */
#define FMODE_NOATIME 64u
#define FMODE_READER  128u /* counted in inode->readers */

/* A file without a name: pipe, eventfd, epoll, socket. consumes nothing; name as in "anon_inode:[eventpoll]". NULL = no memory. */
struct file *file_create_anon(const struct file_ops *ops, void *priv, u32 flags, const char *name);
bool inode_is_anon(const struct inode *inode); /* of such a file */
void file_get(struct file *f);
void file_put(struct file *f);

/* ---- dentries and mounts ---- */
#define DENTRY_INLINE_NAME 40
struct dentry {
	struct ref ref;
	struct dentry *hash_next; /* dcache chain */
	struct list_head sibling, children; /* parent's tree; lock: dcache */
	struct list_head lru; /* while unreferenced */
	struct dentry *parent; /* reference; itself for a root */
	struct inode *inode; /* reference; NULL = negative */
	struct super *sb;
	u32 hash;
	u32 flags; /* DENTRY_*, lock: dcache */
	u32 mounts; /* how many mounts sit on it */
	u16 len;
	char *name; /* iname, or allocated; changes only by rename, lock: dcache */
	void *priv;
	char iname[DENTRY_INLINE_NAME];
};

/* Makes a dentry positive; consumes the inode reference. */
void dentry_set_inode(struct dentry *d, struct inode *inode);
void path_get(const struct path *p);
void path_put(struct path *p); /* and zeroes it */

/* ---- path walking ---- */
#define LOOKUP_FOLLOW	     1u /* follow a final symbolic link */
#define LOOKUP_DIRECTORY     2u
#define LOOKUP_EMPTY	     4u /* AT_EMPTY_PATH */
#define LOOKUP_NO_XDEV	     8u /* openat2 RESOLVE_* */
#define LOOKUP_NO_MAGICLINKS 16u
#define LOOKUP_NO_SYMLINKS   32u
#define LOOKUP_BENEATH	     64u
#define LOOKUP_IN_ROOT	     128u
#define LOOKUP_CACHED	     256u /* -EAGAIN where a file system would have to be asked */
/* Resolve a kernel string from directory `base` (NULL: the task's cwd) in the current task's root and mount namespace with its credentials. */
int path_lookup(const struct path *base, const char *name, u32 flags, struct path *out);
/* Resolve all but the last component; its name in last[NAME_MAX_LEN + 1]. */
int path_lookup_parent(
	const struct path *base, const char *name, u32 flags, struct path *parent, char *last);
/* open(2) by kernel string. 0 and a file with one reference, or -errno. */
int file_open(const struct path *base, const char *name, u32 flags, u32 mode, u32 lookup,
	struct file **out);
/* For execve: a regular file with execute (not read) permission on a mount that allows it; writers are denied (-ETXTBSY) while it is open
 * (FMODE_EXEC). lookup: LOOKUP_EMPTY, LOOKUP_FOLLOW. 0, -EACCES... */
int file_open_exec(const struct path *base, const char *name, u32 lookup, struct file **out);
int file_open_path(const struct path *p, u32 flags, struct file **out);
/* For execve: a regular file with execute permission on a mount without noexec, writers denied (-ETXTBSY) until the last file_put. */
int file_open_exec(const struct path *base, const char *name, u32 lookup, struct file **out);
/* Full path as seen from the task's root, in buf; pointer into buf or NULL (-ENAMETOOLONG). Unreachable: "(unreachable)" prefix. */
char *path_to_string(const struct path *p, char *buf, size_t size);

/* Positioned kernel access to a file (ELF loader, #! lines). Bytes or -errno. */
s64 file_read_kernel(struct file *f, void *buf, size_t len, u64 pos);
s64 file_write_kernel(struct file *f, const void *buf, size_t len, u64 pos);

/* mask: MAY_* bits. 0 or -EACCES with the current task's fsuid, groups and capabilities. */
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4
int inode_permission(struct inode *inode, int mask);

/* ---- mounts, used by the agent before the first task runs and by mount(2) ---- */
struct mount_ns;
/* Mount a new instance of fstype at a path of the namespace (NULL path: as its root). data = option string. 0 or -errno. */
int vfs_mount(struct mount_ns *ns, const char *fstype, const char *source, const char *target,
	u64 ms_flags, const char *data);
struct fs_type {
	const char *name;
	bool nodev; /* as /proc/filesystems prints */
	bool userns; /* who has CAP_SYS_ADMIN in another user namespace may mount it */
	bool visible; /* such a mount may show no more than one that is there already */
	/* A new super with root dentry. 0 or -errno. */
	int (*mount)(const char *source, const char *data, u64 ms_flags, struct super **out);
	/* Would mount take this option? value NULL: none. 0 or -EINVAL; NULL: mount itself will tell. */
	int (*check)(const char *name, const char *value);
	struct list_head link;
};
void fs_register(struct fs_type *t);
/* Root and namespace of a future first task. */
struct mount_ns *mount_ns_create(void);
/* CLONE_NEWNS: a copy of the whole tree; fs (may be NULL) is moved over to the copies of its root and cwd. 0, -ENOSPC, -ENOMEM. */
struct fs_context;
int mount_ns_copy(
	struct mount_ns *src, struct user_ns *owner, struct fs_context *fs, struct mount_ns **out);
/* Capabilities over it are held there: of one that nobody uses yet. Takes a reference. */
void mount_ns_own(struct mount_ns *ns, struct user_ns *owner);
void mount_ns_get(struct mount_ns *ns);
void mount_ns_put(struct mount_ns *ns); /* last: detaches every mount */
/* The root directory of a namespace, with references; false when nothing is mounted yet. */
bool mount_ns_root(struct mount_ns *ns, struct path *out);

/* Boot: registers every file system of the sentry itself (tmpfs, proc, sysfs, devtmpfs, devpts, overlay, mqueue...). */
void fs_init(void);

#endif
