/* SPDX-License-Identifier: Apache-2.0 */
/* What descriptors hold of mounts and file systems to be: open_tree(2), fsopen(2) and their like. */
#ifndef FS_MOUNT_FD_H
#define FS_MOUNT_FD_H

#include "fs/mount.h"

/* An O_PATH file at the root of a tree that is in no namespace; consumes the tree's reference in any case. 0 or -errno. */
int mount_open_detached(struct mount *top, struct file **out);

/* A file for setting up a new instance of a type, or for changing one that is mounted. 0, -ENODEV, -EINVAL, -ENOMEM, -ENFILE. */
int fsctx_open(const char *fstype, struct file **out);
int fsctx_pick(const struct path *p, struct file **out);
/* The functions below want a file of those: -EINVAL. */
/* One option; value NULL: a flag. -EBUSY: not now. */
int fsctx_set(struct file *f, const char *key, const char *value);
/* Make it, or change it. */
int fsctx_command(struct file *f, bool create);
/* What was made, as a detached tree with these MNT_* flags. */
int fsctx_mount(struct file *f, u32 flags, struct file **out);

#endif
