/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs: everything lives in the page cache and in these structures. Also the base of devtmpfs, memfd and overlay uppers. */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "fs/super.h"
#include "fs/xattr_list.h"
#include "lib/rbtree.h"

#define TMPFS_MAGIC_ 0x01021994u
#define RAMFS_MAGIC_ 0x858458f6u

struct tmpfs_sb {
	struct spinlock lock; /* protects: the counters and the graveyard */
	u64 max_pages, used_pages; /* max 0 = no limit */
	u64 max_inodes, used_inodes;
	u64 next_ino;
	u32 mode, uid, gid;
	struct list_head
		graveyard; /* entries of dying directories: freed by iteration, not recursion */
	bool burying;
};

/* One name in a directory. The dir inode's lock protects it. */
struct tmpfs_dirent {
	struct rb_node node; /* by cookie */
	struct tmpfs_dirent *hash_next;
	struct list_head grave;
	struct inode *inode; /* reference */
	u64 cookie; /* readdir position, never reused */
	u32 hash;
	u16 len;
	char name[];
};

struct tmpfs_node {
	struct mapping mapping; /* regular files */
	u32 seals; /* F_SEAL_*; lock: inode */
	char *target; /* symbolic links */
	struct xattr_list xattrs;
	/* directories */
	struct rb_root entries;
	struct tmpfs_dirent **buckets;
	u32 nbuckets, nentries;
	u64 next_cookie;
	void *special; /* what a file system made on top of this one keeps in a file */
};

static inline struct tmpfs_node *tmpfs_node(const struct inode *inode)
{
	return inode->priv;
}
static inline struct tmpfs_sb *tmpfs_sb(const struct super *sb)
{
	return sb->priv;
}

extern const struct inode_ops tmpfs_dir_inode_ops;
extern const struct file_ops tmpfs_dir_ops, tmpfs_file_ops;
extern const struct super_ops tmpfs_super_ops;

/* A new instance. data: size=, nr_blocks=, nr_inodes=, mode=, uid=, gid=. 0 or -errno. */
int tmpfs_mount(const char *source, const char *data, u64 ms_flags, struct super **out);
/* One reference. NULL = out of inodes or memory. */
struct inode *tmpfs_inode(struct super *sb, u32 mode, u32 uid, u32 gid);
/* Adds a name without any check, for trees made by the kernel; dir is not shared yet. consumes inode. */
int tmpfs_add(struct inode *dir, const char *name, struct inode *inode);
/* Links a new inode (NULL: -ENOSPC) under the dentry's name; dir->lock held for writing. Consumes inode. */
int tmpfs_instantiate(struct inode *dir, struct dentry *d, struct inode *inode);
/* Name bookkeeping for the overlay: no link counts, no times. set: adds or replaces, consumes inode on success and failure. */
int tmpfs_set(struct inode *dir, const char *name, struct inode *inode);
void tmpfs_unset(struct inode *dir, const char *name);
/* No name leads to anything but `only`. */
bool tmpfs_only_holds(struct inode *dir, const struct inode *only);
/* Emits names from d->pos on (positions >= 2), without dots. */
void tmpfs_read_names(struct inode *dir, struct dir_emit *d);
struct tmpfs_dirent *tmpfs_find(struct inode *dir, const char *name, size_t len);
void tmpfs_dir_free(struct inode *dir);
/* fcntl(2) seals; -EINVAL when the file is not a tmpfs file. */
int tmpfs_add_seals(struct file *f, u32 seals);
int tmpfs_get_seals(struct file *f);
s64 tmpfs_getxattr(struct inode *inode, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct inode *inode, const char *name, const void *val, size_t size, int flags);
int tmpfs_removexattr(struct inode *inode, const char *name);
s64 tmpfs_listxattr(struct inode *inode, char *buf, size_t size);
void tmpfs_init(void);
int memfd_create_file(const char *name, u32 flags, struct file **out);

#endif
