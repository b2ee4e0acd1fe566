/* SPDX-License-Identifier: Apache-2.0 */
/* Directories. */
#include "fs/erofs/image.h"
#include "kernel/errno.h"
#include "lib/string.h"

u64 erofs_dir_blocks(const struct erofs_image *im, const struct erofs_inode *dir)
{
	return (dir->size >> im->block_bits) + ((dir->size & ((1u << im->block_bits) - 1)) != 0);
}

static u32 names_offset(const struct erofs_names *n, u32 i)
{
	struct erofs_disk_dirent d;

	memcpy(&d, n->buf + i * sizeof(d), sizeof(d));
	return d.name;
}

/* Where the name of entry i ends: at the next one, or for the last one at a NUL or with the block. */
static u32 names_end(const struct erofs_names *n, u32 i)
{
	u32 at = names_offset(n, i);
	const u8 *nul;

	if (i + 1 < n->count)
		return names_offset(n, i + 1);
	nul = memchr(n->buf + at, 0, n->len - at);
	return nul ? (u32)(nul - n->buf) : n->len;
}

/* Is entry i one whose name lies behind the entries and is a name? */
static bool names_entry_ok(const struct erofs_names *n, u32 i)
{
	u32 at = names_offset(n, i), end;

	if (at < n->count * sizeof(struct erofs_disk_dirent) || at >= n->len)
		return false;
	end = names_end(n, i);
	if (end <= at || end > n->len || end - at > EROFS_NAME_MAX)
		return false;
	return !memchr(n->buf + at, '/', end - at) && !memchr(n->buf + at, 0, end - at);
}

int erofs_dir_block(const struct erofs_image *im, const struct erofs_inode *dir, u64 block,
	struct erofs_names *n)
{
	u64 at = block << im->block_bits;
	int err;

	n->len = (u32)MIN(dir->size - at, 1ul << im->block_bits);
	if (n->len < sizeof(struct erofs_disk_dirent))
		return -EUCLEAN;
	err = erofs_read(im, dir, at, n->buf, n->len);
	if (err)
		return err;
	n->count = names_offset(n, 0) / (u32)sizeof(struct erofs_disk_dirent);
	if (n->count == 0 || n->count * sizeof(struct erofs_disk_dirent) > n->len)
		return -EUCLEAN;
	for (u32 i = 0; i < n->count; i++) {
		if (!names_entry_ok(n, i))
			return -EUCLEAN;
	}
	return 0;
}

void erofs_dir_entry(const struct erofs_names *n, u32 i, struct erofs_dirent *out)
{
	struct erofs_disk_dirent d;

	memcpy(&d, n->buf + i * sizeof(d), sizeof(d));
	out->nid = d.nid;
	out->type = d.type < EROFS_TYPES ? d.type : EROFS_TYPE_UNKNOWN;
	out->name = (const char *)n->buf + d.name;
	out->len = names_end(n, i) - d.name;
}

/* Order of a name and that of entry i. */
static int names_compare(const struct erofs_names *n, u32 i, const char *name, u32 len)
{
	struct erofs_dirent e;
	int order;

	erofs_dir_entry(n, i, &e);
	order = memcmp(name, e.name, MIN(len, e.len));
	if (order)
		return order;
	return len < e.len ? -1 : len > e.len;
}

/* The last block whose first name is not behind `name`; n has it, or none that could: -ENOENT. */
static int names_find_block(const struct erofs_image *im, const struct erofs_inode *dir,
	const char *name, u32 len, struct erofs_names *n)
{
	u64 low = 0, high = erofs_dir_blocks(im, dir), last = 0;
	int err;

	while (low < high) {
		u64 mid = low + (high - low) / 2;

		err = erofs_dir_block(im, dir, mid, n);
		if (err)
			return err;
		last = mid;
		if (names_compare(n, 0, name, len) < 0)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == 0)
		return -ENOENT;
	return last == low - 1 ? 0 : erofs_dir_block(im, dir, low - 1, n);
}

int erofs_dir_find(const struct erofs_image *im, const struct erofs_inode *dir, const char *name,
	u32 len, struct erofs_names *n, struct erofs_dirent *out)
{
	int err = names_find_block(im, dir, name, len, n);
	u32 low = 0, high = n->count;

	if (err)
		return err;
	while (low < high) {
		u32 mid = low + (high - low) / 2;
		int order = names_compare(n, mid, name, len);

		if (order == 0) {
			erofs_dir_entry(n, mid, out);
			return 0;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return -ENOENT;
}
