/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes kept in memory, for file systems without a store of their own. The caller locks (the inode's lock). */
#ifndef FS_XATTR_LIST_H
#define FS_XATTR_LIST_H

#include "lib/list.h"
#include "lib/types.h"

#define XATTR_TOTAL_MAX 131072u /* names and values of one inode */

struct xattr_list {
	struct list_head head; /* set up by the first set */
	size_t total; /* bytes of names and values */
};

s64 xattr_list_get(struct xattr_list *l, const char *name, void *buf, size_t size);
/* flags: XATTR_CREATE, XATTR_REPLACE. 0, -EEXIST, -ENODATA, -ENOSPC, -ENOMEM */
int xattr_list_set(struct xattr_list *l, const char *name, const void *val, size_t size, int flags);
int xattr_list_remove(struct xattr_list *l, const char *name);
/* trusted: show trusted.* too */
s64 xattr_list_names(struct xattr_list *l, char *buf, size_t size, bool trusted);
int xattr_list_copy(struct xattr_list *dst, struct xattr_list *src);
void xattr_list_free(struct xattr_list *l);

#endif
