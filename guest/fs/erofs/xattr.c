/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes: those behind an inode, and shared ones. */
#include "fs/erofs/image.h"
#include "kernel/errno.h"
#include "lib/string.h"

static const char *const xattr_prefixes[] = {
	[EROFS_PREFIX_USER] = "user.",
	[EROFS_PREFIX_ACL_ACCESS] = "system.posix_acl_access",
	[EROFS_PREFIX_ACL_DEFAULT] = "system.posix_acl_default",
	[EROFS_PREFIX_TRUSTED] = "trusted.",
	[EROFS_PREFIX_SECURITY] = "security.",
};

/* One attribute. */
struct xattr {
	const char *prefix; /* NULL: one that has no name here */
	char name[EROFS_NAME_MAX + 1]; /* the rest of it, terminated */
	u32 len; /* bytes of that */
	u64 value; /* where it lies in the image */
	u32 size; /* bytes of it */
	u32 whole; /* bytes of all */
};

/* 0: go on; else the end, and the result. */
typedef s64 (*xattr_fn)(const struct erofs_image *im, const struct xattr *x, void *ctx);

/* The attribute at a place of which `room` bytes belong to attributes. */
static int xattr_at(const struct erofs_image *im, u64 at, u64 room, struct xattr *x)
{
	struct erofs_disk_xattr d;
	int err = room < sizeof(d) ? -EUCLEAN : erofs_get(im, at, &d, sizeof(d));

	if (err)
		return err;
	x->len = d.name_len;
	x->size = d.value_size;
	x->value = at + sizeof(d) + d.name_len;
	x->whole = ALIGN_UP((u32)sizeof(d) + x->len + x->size, 4u);
	if (sizeof(d) + x->len + x->size > room)
		return -EUCLEAN;
	x->prefix = d.prefix < ARRAY_SIZE(xattr_prefixes) ? xattr_prefixes[d.prefix] : NULL;
	err = erofs_get(im, at + sizeof(d), x->name, x->len);
	x->name[x->len] = '\0';
	if (!err && memchr(x->name, 0, x->len))
		err = -EUCLEAN;
	return err;
}

static s64 xattr_each_shared(
	const struct erofs_image *im, const struct erofs_inode *in, u32 n, xattr_fn fn, void *ctx)
{
	struct xattr x;
	s64 r = 0;

	for (u32 i = 0; i < n && !r; i++) {
		u32 id;

		r = erofs_get(im, in->xattrs + sizeof(struct erofs_disk_xattrs) + i * sizeof(id),
			&id, sizeof(id));
		if (!r)
			r = xattr_at(im, im->shared + (u64)id * 4, UINT32_MAX, &x);
		if (!r)
			r = fn(im, &x, ctx);
	}
	return r;
}

/* Call fn with each attribute until it returns something else than 0. */
static s64 xattr_each(
	const struct erofs_image *im, const struct erofs_inode *in, xattr_fn fn, void *ctx)
{
	struct erofs_disk_xattrs h;
	u32 at;
	s64 r;

	if (!in->xattr_size)
		return 0;
	r = erofs_get(im, in->xattrs, &h, sizeof(h));
	if (r)
		return r;
	at = (u32)sizeof(h) + 4u * h.shared;
	if (at > in->xattr_size)
		return -EUCLEAN;
	while (!r && at < in->xattr_size) {
		struct xattr x;

		r = xattr_at(im, in->xattrs + at, in->xattr_size - at, &x);
		if (r)
			return r;
		at += x.whole;
		r = fn(im, &x, ctx);
	}
	return r ? r : xattr_each_shared(im, in, h.shared, fn, ctx);
}

struct xattr_query {
	const char *name;
	void *buf;
	size_t size;
	bool found;
};

static s64 query_visit(const struct erofs_image *im, const struct xattr *x, void *ctx)
{
	struct xattr_query *q = ctx;
	size_t n = x->prefix ? strlen(x->prefix) : 0;
	s64 err = 0;

	if (!x->prefix || strncmp(q->name, x->prefix, n) != 0 || strcmp(q->name + n, x->name) != 0)
		return 0;
	q->found = true;
	if (q->size && x->size > q->size)
		return -ERANGE;
	if (q->size)
		err = erofs_get(im, x->value, q->buf, x->size);
	return err ? err : (s64)x->size;
}

s64 erofs_xattr_get(const struct erofs_image *im, const struct erofs_inode *in, const char *name,
	void *buf, size_t size)
{
	struct xattr_query q = { .name = name, .buf = buf, .size = size };
	s64 r = xattr_each(im, in, query_visit, &q);

	/* An empty value looks like none to xattr_each, and does not end it. */
	return r || q.found ? r : -ENODATA;
}

struct xattr_names {
	char *buf;
	size_t size, len;
	bool trusted;
};

static s64 names_visit(const struct erofs_image *im, const struct xattr *x, void *ctx)
{
	struct xattr_names *l = ctx;
	size_t n;

	(void)im;
	if (!x->prefix || (x->prefix == xattr_prefixes[EROFS_PREFIX_TRUSTED] && !l->trusted))
		return 0;
	n = strlen(x->prefix);
	if (l->size) {
		if (n + x->len + 1 > l->size - l->len)
			return -ERANGE;
		memcpy(l->buf + l->len, x->prefix, n);
		memcpy(l->buf + l->len + n, x->name, x->len + 1);
	}
	l->len += n + x->len + 1;
	return 0;
}

s64 erofs_xattr_list(const struct erofs_image *im, const struct erofs_inode *in, char *buf,
	size_t size, bool trusted)
{
	struct xattr_names l = { .buf = buf, .size = size, .trusted = trusted };
	s64 r = xattr_each(im, in, names_visit, &l);

	return r ? r : (s64)l.len;
}
