/* SPDX-License-Identifier: Apache-2.0 */
/* The pure part of the sentry's EROFS reader, with images of every block size that are put together here, right ones and wrong ones. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/erofs/image.h"
#include "tests/lib/erofs_build.h"
#include "tests/lib/erofs_walk.h"

#define DIR 0040000u
#define REG 0100000u
#define LNK 0120000u

static struct eb b;
static struct erofs_image im;

static int image_read(void *ctx, u64 off, void *buf, size_t len)
{
	const struct eb *e = ctx;

	ck_assert_uint_le(off + len, e->len);
	memcpy(buf, e->buf + off, len);
	return 0;
}

static int open_image(void)
{
	struct erofs_source src = { .read = image_read, .ctx = &b, .size = b.len };

	return erofs_open(&im, &src);
}

/* Block size by the loop's index: 512 to 4096. */
static void sample(int i)
{
	eb_start(&b, EROFS_BLOCK_BITS_MIN + (u32)i);
	eb_sample(&b);
	ck_assert_int_eq(open_image(), 0);
}

static void teardown(void)
{
	eb_free(&b);
}

/* The inode at a path of one name below the root, or below dir. */
static int find(const char *dir, const char *name, struct erofs_inode *out)
{
	static u8 buf[EROFS_BLOCK_MAX];
	struct erofs_names n = { .buf = buf };
	struct erofs_dirent e;
	struct erofs_inode in;
	int err = erofs_inode_read(&im, im.root, &in);

	ck_assert_int_eq(err, 0);
	if (dir) {
		ck_assert_int_eq(erofs_dir_find(&im, &in, dir, (u32)strlen(dir), &n, &e), 0);
		ck_assert_int_eq(erofs_inode_read(&im, e.nid, &in), 0);
	}
	err = erofs_dir_find(&im, &in, name, (u32)strlen(name), &n, &e);
	return err ? err : erofs_inode_read(&im, e.nid, out);
}

static struct erofs_inode must_find(const char *name)
{
	struct erofs_inode in;

	ck_assert_int_eq(find(NULL, name, &in), 0);
	return in;
}

/* ---- superblock */

START_TEST(test_super)
{
	sample(_i);
	ck_assert_uint_eq(im.block_bits, EROFS_BLOCK_BITS_MIN + (u32)_i);
	ck_assert_uint_eq(im.blocks << im.block_bits, b.len);
	b.sb->magic++;
	ck_assert_int_eq(open_image(), -EINVAL);
	b.sb->magic--;
	b.sb->uuid[3]++;
	ck_assert_int_eq(open_image(), -EBADMSG);
	b.sb->compat = 0;
	ck_assert_int_eq(open_image(), 0);
	b.len--;
	ck_assert_int_eq(open_image(), -EUCLEAN);
	b.len = EROFS_SUPER_OFFSET + 127;
	ck_assert_int_eq(open_image(), -EINVAL);
	b.len = 0;
	ck_assert_int_eq(open_image(), -EINVAL);
}
END_TEST

START_TEST(test_super_features)
{
	static const u32 named[] = { 0x1, 0x2, 0x8, 0x10, 0x20, 0x40, 0x80, 0x100 };

	sample(0);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		b.sb->incompat = EROFS_INCOMPAT_CHUNKED_FILE | named[i];
		eb_finish(&b, im.root);
		ck_assert_int_eq(open_image(), -EOPNOTSUPP);
	}
	b.sb->incompat = 0x200;
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), -EINVAL);
	b.sb->incompat = EROFS_INCOMPAT_CHUNKED_FILE;
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), 0);
	b.sb->compression = 1;
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), -EOPNOTSUPP);
	b.sb->compression = 0;
	b.sb->dir_block_bits = 1;
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), -EINVAL);
	b.sb->dir_block_bits = 0;
	for (u32 bits = 0; bits < 256; bits++) {
		b.sb->compat = 0;
		b.sb->block_bits = (u8)bits;
		b.sb->blocks = 0;
		ck_assert_int_eq(open_image(), bits < 9 || bits > 12 ? -EINVAL : 0);
	}
}
END_TEST

/* ---- inodes */

START_TEST(test_inodes)
{
	struct erofs_inode in;

	sample(_i);
	in = must_find("plain");
	ck_assert_uint_eq(in.mode, REG | 04755);
	ck_assert_uint_eq(in.nlink, 2);
	ck_assert_uint_eq(in.uid, 70000);
	ck_assert_uint_eq(in.gid, 80000);
	ck_assert_uint_eq(in.size, EB_PLAIN);
	ck_assert_int_eq(in.mtime, 1234567890);
	ck_assert_uint_eq(in.mtime_nsec, 123456789);
	ck_assert_uint_eq(must_find("hard").nid, in.nid);
	in = must_find("inline");
	ck_assert_uint_eq(in.uid, 1000);
	ck_assert_uint_eq(in.gid, 1001);
	ck_assert_int_eq(in.mtime, 1700000000);
	ck_assert_uint_eq(in.mtime_nsec, 5);
	in = must_find("null");
	ck_assert_uint_eq(in.rdev, 0x103);
	ck_assert_uint_eq(in.size, 0);
	ck_assert_uint_eq(must_find("fifo").rdev, 0);
	ck_assert_int_eq(find("dir", "n299", &in), 0);
	ck_assert_uint_eq(in.nlink, EB_NAMES + 1);
}
END_TEST

START_TEST(test_inodes_bad)
{
	struct erofs_inode in = { .nid = 0 };
	struct erofs_disk_extended *d;
	u64 nid;

	sample(0);
	nid = must_find("plain").nid;
	d = eb_at(&b, nid);
	d->size = (u64)INT64_MAX + 1;
	ck_assert_int_eq(erofs_inode_read(&im, nid, &in), -EUCLEAN);
	d->size = 1;
	d->format |= 0x10;
	ck_assert_int_eq(erofs_inode_read(&im, nid, &in), -EOPNOTSUPP);
	for (u16 layout = 0; layout < 8; layout++) {
		bool served = layout == 0 || layout == 2 || layout == 4;

		d->format = (u16)(1 | layout << 1);
		d->where = 0;
		ck_assert_int_eq(erofs_inode_read(&im, nid, &in), served ? 0 : -EOPNOTSUPP);
	}
	d->format = 1 | EROFS_CHUNK_BASED << 1;
	d->where = 0x40;
	ck_assert_int_eq(erofs_inode_read(&im, nid, &in), -EOPNOTSUPP);
	d->format = 1;
	for (u32 type = 0; type < 16; type++) {
		static const u16 known =
			1 << 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 12;

		d->mode = (u16)(type << 12);
		ck_assert_int_eq(erofs_inode_read(&im, nid, &in), known >> type & 1 ? 0 : -EUCLEAN);
	}
	d->mode = LNK;
	d->size = EROFS_LINK_MAX + 1;
	ck_assert_int_eq(erofs_inode_read(&im, nid, &in), -EUCLEAN);
	d->size = 0;
	ck_assert_int_eq(erofs_inode_read(&im, nid, &in), -EUCLEAN);
	d->mtime_nsec = ~0u;
	d->size = 1;
	ck_assert_int_eq(erofs_inode_read(&im, nid, &in), 0);
	ck_assert_uint_lt(in.mtime_nsec, 1000000000);
}
END_TEST

START_TEST(test_inodes_outside)
{
	static const u64 nids[] = { 1u << 20, 1ul << 40, 1ul << 59, 1ul << 63, ~0ul, ~0ul >> 5 };
	struct erofs_inode in;

	sample(_i);
	for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]); i++)
		ck_assert_int_eq(erofs_inode_read(&im, nids[i], &in), -EIO);
	b.sb->meta_block = ~0u;
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), 0);
	ck_assert_int_eq(erofs_inode_read(&im, im.root, &in), -EIO);
}
END_TEST

/* ---- data */

static void expect_bytes(const struct erofs_inode *in, u64 pos, u32 len, u64 hole, u64 hole_end)
{
	u8 *buf = malloc(len);

	ck_assert_int_eq(erofs_read(&im, in, pos, buf, len), 0);
	for (u32 i = 0; i < len; i++) {
		u64 at = pos + i;
		u8 want = at >= hole && at < hole_end ? 0 : eb_byte(at);

		ck_assert_msg(buf[i] == want, "byte %lu is %u and not %u", (unsigned long)at,
			buf[i], want);
	}
	free(buf);
}

START_TEST(test_plain)
{
	struct erofs_inode in;
	struct erofs_extent x;

	sample(_i);
	in = must_find("plain");
	expect_bytes(&in, 0, EB_PLAIN, 0, 0);
	expect_bytes(&in, 4097, 3000, 0, 0);
	ck_assert_int_eq(erofs_map(&im, &in, 100, 1ul << 40, &x), 0);
	ck_assert_uint_eq(x.len, EB_PLAIN - 100);
	in.block = EROFS_NO_BLOCK;
	expect_bytes(&in, 0, EB_PLAIN, 0, EB_PLAIN);
	in.block = EROFS_NO_BLOCK - 1;
	ck_assert_int_eq(erofs_map(&im, &in, 0, 1, &x), -EIO);
}
END_TEST

START_TEST(test_inline)
{
	struct erofs_inode in;
	struct erofs_extent x;
	u8 data[5000], byte;
	u32 block = 512u << _i, size = block + 70;
	struct eb_inode make = { .mode = REG, .size = size, .layout = EROFS_FLAT_INLINE };

	sample(_i);
	in = must_find("inline");
	expect_bytes(&in, 0, EB_INLINE, 0, 0);
	for (u32 i = 0; i < size; i++)
		data[i] = eb_byte(i);
	make.where = eb_data(&b, data, block);
	make.tail = data + block;
	make.tail_len = 70;
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), 0);
	ck_assert_int_eq(erofs_inode_read(&im, eb_inode(&b, &make), &in), 0);
	expect_bytes(&in, 0, size, 0, 0);
	ck_assert_int_eq(erofs_map(&im, &in, 1, 1ul << 40, &x), 0);
	ck_assert_uint_eq(x.len, block - 1);
	/* A tail may not go on in the next block. */
	in.size = 2 * block;
	ck_assert_int_eq(erofs_read(&im, &in, block, &byte, 1), -EUCLEAN);
}
END_TEST

START_TEST(test_chunks)
{
	u32 block = 512u << _i;
	struct erofs_inode in;
	struct erofs_extent x;
	u32 *map;

	sample(_i);
	in = must_find("chunks");
	expect_bytes(&in, 0, 3 * block + 100, block, 2 * block);
	expect_bytes(&in, block - 3, block + 7, block, 2 * block);
	ck_assert_int_eq(erofs_map(&im, &in, block + 5, ~0ul, &x), 0);
	ck_assert(x.hole && x.len == block - 5);
	/* The last two lie one after the other. */
	ck_assert_int_eq(erofs_map(&im, &in, 2 * block, ~0ul, &x), 0);
	ck_assert(!x.hole && x.len == block + 100);
	map = (void *)(b.buf + in.tail);
	map[0] = EROFS_NO_BLOCK - 1;
	ck_assert_int_eq(erofs_map(&im, &in, 0, 1, &x), -EIO);
	in.tail = b.len - 2;
	ck_assert_int_eq(erofs_map(&im, &in, 0, 1, &x), -EIO);
	in.size = INT64_MAX;
	ck_assert_int_eq(erofs_map(&im, &in, INT64_MAX - 1, 1, &x), -EIO);
}
END_TEST

/* Chunks of two blocks, with an index of 8 bytes each. */
START_TEST(test_chunk_indexes)
{
	u32 block = 512u << _i;
	struct erofs_disk_chunk map[2] = { { .block = 0 }, { .block = EROFS_NO_BLOCK } };
	struct eb_inode make = { .mode = REG,
		.size = 4 * block,
		.layout = EROFS_CHUNK_BASED,
		.where = EROFS_CHUNK_INDEXES | 1,
		.tail = map,
		.tail_len = sizeof(map),
		.tail_align = 8 };
	struct erofs_inode in;
	u8 data[8192];

	sample(_i);
	for (u32 i = 0; i < 2 * block; i++)
		data[i] = eb_byte(i);
	map[0].block = eb_data(&b, data, 2 * block);
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), 0);
	ck_assert_int_eq(erofs_inode_read(&im, eb_inode(&b, &make), &in), 0);
	expect_bytes(&in, 0, 4 * block, 2 * block, 4 * block);
}
END_TEST

START_TEST(test_link)
{
	char target[64];
	struct erofs_inode in;

	sample(_i);
	in = must_find("link");
	ck_assert_int_eq(erofs_readlink(&im, &in, target, sizeof(target)), 8);
	ck_assert_mem_eq(target, "dir/n007", 8);
	ck_assert_int_eq(erofs_readlink(&im, &in, target, 3), 3);
	b.buf[in.tail + 2] = 0;
	ck_assert_int_eq(erofs_readlink(&im, &in, target, sizeof(target)), -EUCLEAN);
}
END_TEST

/* ---- directories */

START_TEST(test_names)
{
	struct erofs_inode in;
	char name[16];

	sample(_i);
	for (int i = 0; i < (int)EB_NAMES; i++) {
		snprintf(name, sizeof(name), "n%03d", i);
		ck_assert_int_eq(find("dir", name, &in), 0);
		snprintf(name, sizeof(name), "n%03dx", i);
		ck_assert_int_eq(find("dir", name, &in), -ENOENT);
	}
	ck_assert_int_eq(find("dir", "!", &in), -ENOENT);
	ck_assert_int_eq(find("dir", "n", &in), -ENOENT);
	ck_assert_int_eq(find("dir", "zzz", &in), -ENOENT);
	ck_assert_int_eq(find("dir", "..", &in), 0);
	ck_assert_uint_eq(in.nid, im.root);
}
END_TEST

/* Every name comes once, in order. */
START_TEST(test_names_in_order)
{
	static u8 buf[EROFS_BLOCK_MAX];
	struct erofs_names n = { .buf = buf };
	char last[EROFS_NAME_MAX + 1] = "";
	struct erofs_inode in;
	u32 seen = 0;

	sample(_i);
	in = must_find("dir");
	ck_assert_uint_gt(erofs_dir_blocks(&im, &in), _i < 3 ? 2 : 1);
	for (u64 k = 0; k < erofs_dir_blocks(&im, &in); k++) {
		ck_assert_int_eq(erofs_dir_block(&im, &in, k, &n), 0);
		for (u32 i = 0; i < n.count; i++) {
			struct erofs_dirent e;

			erofs_dir_entry(&n, i, &e);
			ck_assert_int_lt(strncmp(last, e.name, e.len), 0);
			memcpy(last, e.name, e.len);
			last[e.len] = 0;
			seen++;
		}
	}
	ck_assert_uint_eq(seen, EB_NAMES + 2);
}
END_TEST

/* A directory of one block made of these bytes: what reading it says. */
static int bad_block(const struct erofs_disk_dirent *d, u32 n, const char *names, u32 len, u32 size)
{
	static u8 buf[EROFS_BLOCK_MAX];
	struct erofs_names out = { .buf = buf };
	struct erofs_inode in;
	u8 data[512] = { 0 };
	struct eb_inode make = { .mode = DIR, .size = size };

	memcpy(data, d, n * sizeof(*d));
	memcpy(data + n * sizeof(*d), names, len);
	make.where = eb_data(&b, data, sizeof(data));
	eb_finish(&b, im.root);
	ck_assert_int_eq(open_image(), 0);
	ck_assert_int_eq(erofs_inode_read(&im, eb_inode(&b, &make), &in), 0);
	return erofs_dir_block(&im, &in, 0, &out);
}

START_TEST(test_names_bad)
{
	struct erofs_disk_dirent d[2] = { { .name = 24 }, { .name = 27 } };
	char dots[280];

	memset(dots, 'x', sizeof(dots));
	sample(0);
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 30), 0);
	ck_assert_int_eq(bad_block(d, 2, "a/cdef", 6, 30), -EUCLEAN);
	ck_assert_int_eq(bad_block(d, 2, "abcd/f", 6, 30), -EUCLEAN);
	ck_assert_int_eq(bad_block(d, 2, "a\0cdef", 6, 30), -EUCLEAN);
	ck_assert_int_eq(bad_block(d, 2, "abc\0ef", 6, 30), -EUCLEAN); /* an empty last name */
	ck_assert_int_eq(bad_block(d, 2, "abcd\0f", 6, 30), 0); /* padding */
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 11), -EUCLEAN);
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 20), -EUCLEAN);
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 27), -EUCLEAN);
	d[1].name = 24; /* the first name is empty */
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 30), -EUCLEAN);
	d[1].name = 13; /* backwards, among the entries */
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 30), -EUCLEAN);
	d[1].name = 0xffff;
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 30), -EUCLEAN);
	d[1].name = 27;
	d[0].name = 0; /* no entry at all */
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 30), -EUCLEAN);
	d[0].name = 0xffff;
	ck_assert_int_eq(bad_block(d, 2, "abcdef", 6, 30), -EUCLEAN);
	d[0].name = 24;
	d[1].name = 24 + 256; /* one byte longer than a name */
	ck_assert_int_eq(bad_block(d, 2, dots, 260, 24 + 260), -EUCLEAN);
	d[1].name = 24 + 255;
	ck_assert_int_eq(bad_block(d, 2, dots, 260, 24 + 260), 0);
}
END_TEST

/* A directory that claims to be endless ends with an error. */
START_TEST(test_names_endless)
{
	static u8 buf[EROFS_BLOCK_MAX];
	struct erofs_names n = { .buf = buf };
	struct erofs_dirent e;
	struct erofs_inode in;

	sample(_i);
	in = must_find("dir");
	in.size = INT64_MAX;
	ck_assert_int_eq(erofs_dir_find(&im, &in, "n001", 4, &n, &e), -EIO);
	in = must_find("plain");
	in.block = EROFS_NO_BLOCK;
	in.size = INT64_MAX;
	ck_assert_int_eq(erofs_dir_find(&im, &in, "n001", 4, &n, &e), -EUCLEAN);
}
END_TEST

/* ---- attributes */

static void expect_names(const struct erofs_inode *in, bool trusted, const char *want, s64 len)
{
	char buf[128];

	ck_assert_int_eq(erofs_xattr_list(&im, in, NULL, 0, trusted), len);
	ck_assert_int_eq(erofs_xattr_list(&im, in, buf, sizeof(buf), trusted), len);
	ck_assert_mem_eq(buf, want, (size_t)len);
	ck_assert_int_eq(erofs_xattr_list(&im, in, buf, (size_t)len - 1, trusted), -ERANGE);
}

START_TEST(test_xattrs)
{
	static const char names[] = "user.one\0user.none\0trusted.t\0security.shared";
	struct erofs_inode in;
	char buf[16];

	sample(_i);
	in = must_find("inline");
	expect_names(&in, true, names, sizeof(names));
	expect_names(&in, false, "user.one\0user.none\0security.shared", 35);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.one", NULL, 0), 5);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.one", buf, sizeof(buf)), 5);
	ck_assert_mem_eq(buf, "value", 5);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.one", buf, 4), -ERANGE);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.none", buf, 4), 0);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "security.shared", buf, 6), 6);
	ck_assert_mem_eq(buf, "common", 6);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.on", buf, 6), -ENODATA);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.", buf, 6), -ENODATA);
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "", buf, 6), -ENODATA);
	in = must_find("plain");
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.one", buf, 6), -ENODATA);
	ck_assert_int_eq(erofs_xattr_list(&im, &in, buf, 6, true), 0);
}
END_TEST

START_TEST(test_xattrs_bad)
{
	struct erofs_disk_xattrs *h;
	struct erofs_disk_xattr *x;
	struct erofs_inode in;
	u32 *id;

	sample(_i);
	in = must_find("inline");
	h = (void *)(b.buf + in.xattrs);
	id = (void *)(h + 1);
	x = (void *)(id + 1);
	h->shared = 255;
	ck_assert_int_eq(erofs_xattr_list(&im, &in, NULL, 0, true), -EUCLEAN);
	h->shared = 1;
	*id = ~0u;
	ck_assert_int_eq(erofs_xattr_list(&im, &in, NULL, 0, true), -EIO);
	*id = 0;
	x->value_size = 65535;
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.one", NULL, 0), -EUCLEAN);
	x->value_size = 5;
	x->prefix = 0x81; /* a prefix that is not known hides the attribute */
	ck_assert_int_eq(erofs_xattr_get(&im, &in, "user.one", NULL, 0), -ENODATA);
	x->prefix = EROFS_PREFIX_USER;
	*(u8 *)(x + 1) = 0; /* NUL in a name */
	ck_assert_int_eq(erofs_xattr_list(&im, &in, NULL, 0, true), -EUCLEAN);
	*(u8 *)(x + 1) = 'o';
	in.xattrs = b.len - 13;
	ck_assert_int_eq(erofs_xattr_list(&im, &in, NULL, 0, true), -EIO);
}
END_TEST

/* ---- nothing in an image does harm */

START_TEST(test_damaged)
{
	u32 whole;

	sample(_i);
	b.sb->compat = 0;
	whole = b.len;
	ck_assert_uint_eq(erofs_walk(b.buf, whole), b.sb->inodes);
	srandom((unsigned)_i + 1);
	for (int round = 0; round < 500; round++) {
		u8 *copy = malloc(whole);
		u32 n = 1 + (u32)random() % 20, len = round % 4 ? whole : (u32)random() % whole;

		memcpy(copy, b.buf, whole);
		while (n--) {
			/* Half of them where inodes and the directory's entries are. */
			u32 at = random() % 2 ? b.meta + (u32)random() % 2048
					      : (u32)random() % whole;

			copy[at] = (u8)random();
		}
		copy = realloc(copy, len ? len : 1);
		erofs_walk(copy, len);
		free(copy);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("guest_erofs_image");
	TCase *t = tcase_create("image");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, test_super, 0, 4);
	tcase_add_test(t, test_super_features);
	tcase_add_loop_test(t, test_inodes, 0, 4);
	tcase_add_test(t, test_inodes_bad);
	tcase_add_loop_test(t, test_inodes_outside, 0, 4);
	tcase_add_loop_test(t, test_plain, 0, 4);
	tcase_add_loop_test(t, test_inline, 0, 4);
	tcase_add_loop_test(t, test_chunks, 0, 4);
	tcase_add_loop_test(t, test_chunk_indexes, 0, 4);
	tcase_add_loop_test(t, test_link, 0, 4);
	tcase_add_loop_test(t, test_names, 0, 4);
	tcase_add_loop_test(t, test_names_in_order, 0, 4);
	tcase_add_test(t, test_names_bad);
	tcase_add_loop_test(t, test_names_endless, 0, 4);
	tcase_add_loop_test(t, test_xattrs, 0, 4);
	tcase_add_loop_test(t, test_xattrs_bad, 0, 4);
	tcase_add_loop_test(t, test_damaged, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
