/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file system implementation calls: making supers, inodes and root dentries, and the default operations of regular files.
 * Life: mount -> super_create, inode_create(root), super_set_root; an inode dies at its last inode_put (super_ops.evict_inode runs
 * first); the super dies after its last mount and its last inode (super_ops.destroy).
 */
#ifndef FS_SUPER_H
#define FS_SUPER_H

#include "fs/vfs.h"

/* One reference, a fresh st_dev, blksize 4096. NULL = no memory (priv stays the caller's). */
struct super *super_create(const struct super_ops *ops, const char *fstype, u32 magic, void *priv);
void super_get(struct super *sb);
/* One user of the tree of names more, with a reference; the last one to go drops the names. */
void super_activate(struct super *sb);
void super_deactivate(struct super *sb);
void super_put(struct super *sb);
/* Makes sb->root of an inode; consumes the inode reference, also on failure. 0 or -ENOMEM. */
int super_set_root(struct super *sb, struct inode *root);
/* A failed mount: drops the root and the creator's reference. */
void super_abort(struct super *sb);

/* One reference, all times now, nlink 1 (2 for a directory), owner root, no ops. Special files (fifo, device, socket) get their fops.
 * NULL = no memory. */
struct inode *inode_create(struct super *sb, u64 ino, u32 mode);
void inode_init_special(struct inode *inode, u32 rdev); /* after mode was set */
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);
/* False when the inode is dying: for inode tables of a file system. */
static inline bool inode_get_live(struct inode *inode)
{
	return ref_get_unless_zero(&inode->ref);
}

struct timestamp timestamp_now(void);
/* Sets the named times (ATTR_ATIME | ATTR_MTIME | ATTR_CTIME) to now. */
void inode_touch(struct inode *inode, u32 which);
/* Applies a checked setattr to the cached attributes (size: truncates the page cache). Always 0. */
int inode_setattr_cached(struct inode *inode, const struct setattr *a);
/* Default owner and mode of a new child of dir: setgid directories hand their group down. */
void inode_inherit(const struct inode *dir, u32 *mode, u32 *gid);

/* Regular files with inode->mapping: page-cache read, write, mmap, fsync, seek. */
extern const struct file_ops file_regular_ops;
s64 file_regular_read(struct file *f, struct uio *u, u64 *pos);
s64 file_regular_write(struct file *f, struct uio *u, u64 *pos);
s64 file_llseek_generic(struct file *f, s64 off, int whence, u64 end);

/* Dentries: a child by name if it is cached, with a reference, or NULL. */
struct dentry *dentry_cached(struct dentry *parent, const char *name, size_t len);
/*
 * A positive child that was found by other means (readdirplus): hashes it unless the name is cached already. Consumes inode. dir->lock held. priv: what
 * its file system keeps with the name, also where it was cached with this inode.
 */
void dentry_prime(
	struct dentry *parent, const char *name, size_t len, struct inode *inode, void *priv);
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* Forget a name (invalidated by a server): later walks look it up again. */
void dentry_drop(struct dentry *d);
/* Drop up to n unreferenced dentries, oldest first (memory pressure). How many went. */
size_t dcache_shrink(size_t n);

/* Mount option strings "a=1,b": next option (NUL-terminated in place), its value or NULL; false at the end. */
bool mount_option_next(char **cursor, char **name, char **value);
/* Decimal (base 10), octal (8) with optional size suffix k, m, g (base 10 only). 0 or -EINVAL. */
int mount_option_number(const char *value, u32 base, u64 *out);

#endif
