/* SPDX-License-Identifier: Apache-2.0 */
/* Walks an EROFS image. */
#include <config.h>
#include "tests/lib/erofs_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/erofs/image.h"

#define WALK_INODES 300u
#define WALK_BLOCKS 16u /* of a directory */
#define WALK_DATA   20000u

struct walk {
	const uint8_t *data;
	struct erofs_image im;
	uint64_t todo[WALK_INODES];
	unsigned int ntodo, done;
};

static void walk_must(int yes)
{
	if (!yes)
		abort();
}

/* Exactly what was asked for is copied, so that a sanitizer sees each byte too many. */
static int walk_read(void *ctx, u64 off, void *buf, size_t len)
{
	const struct walk *w = ctx;

	walk_must(off <= w->im.src.size && len <= w->im.src.size - off);
	memcpy(buf, w->data + off, len);
	return 0;
}

static void walk_add(struct walk *w, uint64_t nid)
{
	for (unsigned int i = 0; i < w->ntodo; i++) {
		if (w->todo[i] == nid)
			return;
	}
	if (w->ntodo < WALK_INODES)
		w->todo[w->ntodo++] = nid;
}

static void walk_find(struct walk *w, const struct erofs_inode *dir, const struct erofs_dirent *e)
{
	char *name = malloc(e->len);
	struct erofs_names n = { .buf = malloc(EROFS_BLOCK_MAX) };
	struct erofs_dirent found;
	int err;

	memcpy(name, e->name, e->len);
	err = erofs_dir_find(&w->im, dir, name, e->len, &n, &found);
	if (!err)
		walk_must(found.len == e->len && memcmp(found.name, name, e->len) == 0);
	free(n.buf);
	free(name);
}

static void walk_dir(struct walk *w, const struct erofs_inode *dir)
{
	struct erofs_names n = { .buf = malloc(EROFS_BLOCK_MAX) };
	u64 blocks = erofs_dir_blocks(&w->im, dir);

	for (u64 b = 0; b < blocks && b < WALK_BLOCKS; b++) {
		if (erofs_dir_block(&w->im, dir, b, &n))
			break;
		walk_must(n.count > 0 && n.len <= EROFS_BLOCK_MAX);
		for (u32 i = 0; i < n.count; i++) {
			struct erofs_dirent e;

			erofs_dir_entry(&n, i, &e);
			walk_must(e.len > 0 && e.len <= EROFS_NAME_MAX && e.type < EROFS_TYPES);
			walk_must(!memchr(e.name, '/', e.len) && !memchr(e.name, 0, e.len));
			walk_add(w, e.nid);
			if (i % 32 == 0)
				walk_find(w, dir, &e);
		}
	}
	free(n.buf);
}

static void walk_file(struct walk *w, const struct erofs_inode *in)
{
	uint8_t *buf = malloc(WALK_DATA);
	u64 len = in->size < WALK_DATA ? in->size : WALK_DATA, pos = in->size - len;
	struct erofs_extent x;

	if (len) {
		(void)erofs_read(&w->im, in, 0, buf, len);
		(void)erofs_read(&w->im, in, pos, buf, len);
	}
	if (len && erofs_map(&w->im, in, pos, len, &x) == 0)
		walk_must(x.len > 0 && x.len <= len &&
			  (x.hole || (x.off < w->im.src.size && x.len <= w->im.src.size - x.off)));
	free(buf);
}

static void walk_xattrs(struct walk *w, const struct erofs_inode *in)
{
	s64 len = erofs_xattr_list(&w->im, in, NULL, 0, true), got;
	char *names;

	if (len <= 0)
		return;
	names = malloc((size_t)len);
	got = erofs_xattr_list(&w->im, in, names, (size_t)len, true);
	walk_must(got == len && names[len - 1] == 0);
	for (char *s = names; s < names + len; s += strlen(s) + 1) {
		s64 n = erofs_xattr_get(&w->im, in, s, NULL, 0);
		char *value = n > 0 ? malloc((size_t)n) : NULL;

		walk_must(n >= 0);
		/* The value itself may lie outside. */
		if (value)
			(void)erofs_xattr_get(&w->im, in, s, value, (size_t)n);
		free(value);
	}
	free(names);
}

static void walk_inode(struct walk *w, uint64_t nid)
{
	char target[EROFS_LINK_MAX];
	struct erofs_inode in;

	if (erofs_inode_read(&w->im, nid, &in))
		return;
	w->done++;
	walk_must(in.size <= INT64_MAX && in.mtime_nsec < 1000000000);
	walk_xattrs(w, &in);
	if ((in.mode & 0170000) == 0040000)
		walk_dir(w, &in);
	else if ((in.mode & 0170000) == 0120000)
		walk_must(erofs_readlink(&w->im, &in, target, sizeof(target)) <= EROFS_LINK_MAX);
	if (in.size)
		walk_file(w, &in);
}

unsigned int erofs_walk(const uint8_t *data, size_t size)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct erofs_source src = { .read = walk_read, .ctx = w, .size = size };
	unsigned int done;

	w->data = data;
	w->im.src = src;
	if (erofs_open(&w->im, &src) == 0)
		walk_add(w, w->im.root);
	for (unsigned int i = 0; i < w->ntodo; i++)
		walk_inode(w, w->todo[i]);
	done = w->done;
	free(w);
	return done;
}
