/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay: a read-only lower tree and what was changed, in memory. The upper side is a private tmpfs instance of nameless inodes: a map from
 * lower inodes to their copies, and for each changed directory a tmpfs directory that holds only its new names and its whiteouts. So a
 * copy-up never touches parents, and hard links of the lower tree stay links.
 *
 * An inode of the overlay stands for a "real" one: the copy when there is one, else the lower one. Everything that an overlay inode knows beyond
 * its real inode can be found again from the map, so it may be evicted at any time.
 */
#ifndef FS_OVERLAY_H
#define FS_OVERLAY_H

#include "fs/super.h"

#define OVL_BUCKETS 1024u

struct ovl_node {
	struct ovl_node *next; /* live table; lock: ovl->lock */
	const void *key; /* upper inode, or lower inode while there is no copy */
	struct inode *inode; /* back pointer */
	struct path lower; /* references; empty: made in the overlay */
	struct inode *upper; /* reference; set once, atomic */
};

/* A lower inode that has a copy. Lives as long as the overlay. */
struct ovl_copy {
	struct ovl_copy *next;
	struct inode *lower, *upper; /* references */
	struct path from; /* the name of the lower one by which it was found; references */
};

struct ovl {
	struct mutex lock; /* protects: live, copies */
	struct ovl_node *live[OVL_BUCKETS];
	struct ovl_copy *copies[OVL_BUCKETS];
	struct super *upper_sb;
	struct mount *upper_mnt; /* internal */
	struct inode *whiteout; /* what an upper name holds to hide a lower one */
	char *options;
};

static inline struct ovl *ovl_of(const struct super *sb)
{
	return sb->priv;
}
static inline struct ovl_node *ovl_node(const struct inode *inode)
{
	return inode->priv;
}
struct inode *ovl_real(const struct inode *inode);

/* The overlay's inode of a real object, with a reference; path references are copied. 0 or -ENOMEM. */
int ovl_inode(struct super *sb, const struct path *lower, struct inode *upper, struct inode **out);
/* Give an inode a copy (data: of regular files too). inode->lock held for writing, or nobody else knows the inode. 0 or -errno. */
/* A name of a directory, lower or merged: *out with references. 0, -ENOENT, -errno. May sleep. */
int ovl_child(const struct path *dir, const char *name, size_t len, struct path *out);
int ovl_copy_up(struct inode *inode, bool data);
void ovl_forget_copy(struct super *sb, struct inode *upper); /* its last name went */
void ovl_mirror(struct inode *inode); /* attributes of the real inode, but not nlink */

extern const struct inode_ops ovl_dir_inode_ops, ovl_inode_ops;
extern const struct file_ops ovl_dir_ops, ovl_file_ops;
int ovl_setattr(struct inode *inode, const struct setattr *a);
int ovl_getattr(struct inode *inode);
s64 ovl_getxattr(struct inode *inode, const char *name, void *buf, size_t size);
int ovl_setxattr(struct inode *inode, const char *name, const void *val, size_t size, int flags);
int ovl_removexattr(struct inode *inode, const char *name);
s64 ovl_listxattr(struct inode *inode, char *buf, size_t size);
int ovl_open(struct inode *inode, struct file *f);

/* An overlay of `lower` (a directory; its mount stays referenced) with a fresh upper side limited by tmpfs options. Mounted as the root of ns,
 * or at target below its root. For the agent. 0 or -errno. */
int overlay_mount_at(struct mount_ns *ns, const struct path *lower, const char *target,
	const char *tmpfs_options);
void overlay_init(void);

/* ---- ovl_changes.c ---- */
struct name_list {
	char **v; /* n strings */
	u32 n, room;
	bool failed; /* no memory */
};
void name_list_add(struct name_list *l, const char *name, size_t len);
void name_list_free(struct name_list *l);

bool overlay_is(const struct super *sb);
/* Paths below the root, without slash in front, of what of the lower tree was changed, and of all directories above each; in no order, some more than
 * once. 0 or -errno. */
int overlay_copies(struct super *sb, struct name_list *out);
/* Names in a directory of an overlay that are not the lower directory's: new ones, and those that hide one. */
int overlay_upper_names(struct inode *dir, struct name_list *out);
/* Does nothing of a lower directory show through? */
bool overlay_is_opaque(const struct inode *dir);
enum overlay_side {
	OVERLAY_LOWER,
	OVERLAY_UPPER, /* a name of its own */
	OVERLAY_WHITEOUT, /* one that hides another: *out stays as it is */
};
/* A name in a directory of an overlay, whatever is mounted there: *out with references. 0 or -errno. */
int overlay_child(const struct path *dir, const char *name, size_t len, enum overlay_side *side,
	struct path *out);
extern const struct super_ops ovl_super_ops;

#endif
