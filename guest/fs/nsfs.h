/* SPDX-License-Identifier: Apache-2.0 */
/* Files that stand for namespaces: /proc/PID/ns. */
#ifndef FS_NSFS_H
#define FS_NSFS_H

#include "fs/vfs.h"
#include "task/ns.h"

#define NSFS_MAGIC_ 0x6e736673

/* A path that opens as the namespace; consumes the reference. 0 or -ENOMEM. */
int nsfs_path(struct ns *n, struct path *out);
/* What an open file stands for, borrowed; NULL: it is no file of nsfs. */
struct ns *nsfs_of_file(const struct file *f);
/* "kind:[number]". */
int nsfs_name(const struct ns *n, char *buf, size_t size);
bool nsfs_is(const struct super *sb);
void nsfs_init(void); /* boot */

#endif
