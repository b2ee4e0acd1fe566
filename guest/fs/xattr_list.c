/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes kept in memory. */
#include "fs/xattr_list.h"

#include <linux/xattr.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

struct xattr {
	struct list_head link;
	char *name;
	size_t size;
	u8 value[];
};

static struct xattr *xattr_find(struct xattr_list *l, const char *name)
{
	struct xattr *x;

	if (!l->head.next)
		return NULL;
	list_for_each_entry (x, &l->head, link) {
		if (!strcmp(x->name, name))
			return x;
	}
	return NULL;
}

s64 xattr_list_get(struct xattr_list *l, const char *name, void *buf, size_t size)
{
	struct xattr *x = xattr_find(l, name);

	if (!x)
		return -ENODATA;
	if (!size)
		return (s64)x->size;
	if (x->size > size)
		return -ERANGE;
	memcpy(buf, x->value, x->size);
	return (s64)x->size;
}

static void xattr_drop(struct xattr_list *l, struct xattr *x)
{
	l->total -= x->size + strlen(x->name) + 1;
	list_del(&x->link);
	kfree(x->name);
	kfree(x);
}

int xattr_list_set(struct xattr_list *l, const char *name, const void *val, size_t size, int flags)
{
	struct xattr *old = xattr_find(l, name), *x;
	size_t cost = size + strlen(name) + 1;

	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (l->total + cost > XATTR_TOTAL_MAX)
		return -ENOSPC;
	x = kmalloc(sizeof(*x) + size);
	if (!x)
		return -ENOMEM;
	x->name = kstrdup(name);
	if (!x->name) {
		kfree(x);
		return -ENOMEM;
	}
	x->size = size;
	memcpy(x->value, val, size);
	if (!l->head.next)
		list_init(&l->head);
	if (old)
		xattr_drop(l, old);
	list_add_tail(&l->head, &x->link);
	l->total += cost;
	return 0;
}

int xattr_list_remove(struct xattr_list *l, const char *name)
{
	struct xattr *x = xattr_find(l, name);

	if (!x)
		return -ENODATA;
	xattr_drop(l, x);
	return 0;
}

s64 xattr_list_names(struct xattr_list *l, char *buf, size_t size, bool trusted)
{
	struct xattr *x;
	size_t need = 0;

	if (!l->head.next)
		return 0;
	list_for_each_entry (x, &l->head, link) {
		size_t n = strlen(x->name) + 1;

		if (!trusted && !strncmp(x->name, "trusted.", 8))
			continue;
		if (size) {
			if (need + n > size)
				return -ERANGE;
			memcpy(buf + need, x->name, n);
		}
		need += n;
	}
	return (s64)need;
}

int xattr_list_copy(struct xattr_list *dst, struct xattr_list *src)
{
	struct xattr *x;
	int err = 0;

	if (!src->head.next)
		return 0;
	list_for_each_entry (x, &src->head, link) {
		err = xattr_list_set(dst, x->name, x->value, x->size, 0);
		if (err)
			break;
	}
	return err;
}

void xattr_list_free(struct xattr_list *l)
{
	struct xattr *x, *tmp;

	if (!l->head.next)
		return;
	list_for_each_entry_safe (x, tmp, &l->head, link)
		xattr_drop(l, x);
}
