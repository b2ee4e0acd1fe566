/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erofs (mount type "erofs"): a read-only tree in an image. The image is a file of the host, handed to the file server for this mount alone and read through it
 * (fs/hostfs, hostfs_image): what describes the tree goes through the image's own page cache, the contents of files straight into theirs, in
 * batches. An image that becomes shorter, or whose server goes away, makes errors and nothing else.
 *
 * image.h and what belongs to it read the format and trust nothing. Here is what takes the whole tree to see: a directory has one parent, so that no
 * path leads back to where it came from.
 *
 * Locks: inode->lock as the VFS says; the super's lock (its inodes by number) inside everything.
 */
#ifndef FS_EROFS_H
#define FS_EROFS_H

#include "fs/erofs/image.h"
#include "fs/super.h"

#define EROFS_BUCKETS 512u

struct erofs_node {
	struct inode *inode;
	struct erofs_node *next; /* lock: super */
	struct erofs_inode disk;
	u64 parent; /* directories: number of the one that it was found in; lock: super */
	struct mapping mapping; /* regular files */
};

struct erofs_super {
	struct erofs_image image;
	struct super *host; /* of the image: reference */
	struct inode *file; /* the image */
	struct spinlock lock; /* protects: hash, parents; rank 62 */
	struct erofs_node *hash[EROFS_BUCKETS];
};

static inline struct erofs_node *erofs_node(const struct inode *inode)
{
	return inode->priv;
}

static inline struct erofs_super *erofs_super(const struct super *sb)
{
	return sb->priv;
}

/* ---- node.c */
/* The inode with this number, found in directory `parent` (a number), with a reference. 0; -EUCLEAN for a directory that was found elsewhere; -errno. */
int erofs_iget(struct super *sb, u64 nid, u64 parent, struct inode **out);
void erofs_evict(struct inode *inode);
s64 erofs_getxattr(struct inode *inode, const char *name, void *buf, size_t size);
s64 erofs_listxattr(struct inode *inode, char *buf, size_t size);

/* ---- dir.c */
extern const struct inode_ops erofs_dir_inode_ops;
extern const struct file_ops erofs_dir_ops;

/* ---- file.c */
extern const struct file_ops erofs_file_ops;
extern const struct mapping_ops erofs_mapping_ops;

/*
 * A super, with one reference, of the image that the host handed to the server of tag under this number, which is used up. 0, -ENOENT, what erofs_open
 * says, or -errno.
 */
int erofs_mount_image(const char *tag, u32 number, struct super **out);

/* Boot: registers the file system. */
void erofs_init(void);

#endif
