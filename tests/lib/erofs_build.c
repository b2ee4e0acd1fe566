/* SPDX-License-Identifier: Apache-2.0 */
/* EROFS images for tests. */
#include <config.h>
#include "tests/lib/erofs_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIR 0040000u
#define REG 0100000u
#define LNK 0120000u
#define CHR 0020000u
#define FIF 0010000u

static u32 eb_up(u32 x, u32 to)
{
	return (x + to - 1) / to * to;
}

void eb_start(struct eb *b, u32 block_bits)
{
	u32 block = 1u << block_bits;

	memset(b, 0, sizeof(*b));
	b->buf = calloc(1, EB_MAX);
	if (!b->buf)
		abort();
	b->bits = block_bits;
	b->meta = eb_up(EROFS_SUPER_OFFSET + 128, block);
	b->shared = b->meta + EB_META;
	b->len = b->shared + EB_SHARED;
	b->sb = (void *)(b->buf + EROFS_SUPER_OFFSET);
	*b->sb = (struct erofs_disk_super){
		.magic = EROFS_SUPER_MAGIC_V1,
		.compat = EROFS_COMPAT_SB_CHKSUM,
		.block_bits = (u8)block_bits,
		.epoch = 1700000000,
		.nsec = 5,
		.meta_block = b->meta >> block_bits,
		.xattr_block = b->shared >> block_bits,
	};
}

void eb_free(struct eb *b)
{
	free(b->buf);
	b->buf = NULL;
}

void *eb_at(struct eb *b, u64 nid)
{
	return b->buf + b->meta + nid * 32;
}

/* Room in the metadata; it stays in one block when it can. */
static u32 eb_meta(struct eb *b, u32 len)
{
	u32 block = 1u << b->bits, at = eb_up(b->meta_used, 32);

	if (len <= block && at / block != (at + len - 1) / block)
		at = eb_up(at, block);
	if (at + len > EB_META)
		abort();
	b->meta_used = at + len;
	return at;
}

u64 eb_inode(struct eb *b, const struct eb_inode *in)
{
	u32 head = in->extended ? 64 : 32, align = in->tail_align ? in->tail_align : 1;
	u32 len = eb_up(head + in->xattr_len, align) + in->tail_len;
	u32 at = eb_meta(b, len);
	u8 *to = b->buf + b->meta + at;
	u16 format = (u16)(in->extended | in->layout << EROFS_FORMAT_LAYOUT_SHIFT);
	u16 count = (u16)(in->xattr_len ? 1 + (in->xattr_len - 12) / 4 : 0);

	if (in->extended) {
		struct erofs_disk_extended d = { .format = format,
			.xattr_count = count,
			.mode = (u16)in->mode,
			.size = in->size,
			.where = in->where,
			.uid = in->uid,
			.gid = in->gid,
			.mtime = in->mtime,
			.mtime_nsec = in->nsec,
			.nlink = in->nlink };

		memcpy(to, &d, sizeof(d));
	} else {
		struct erofs_disk_compact d = { .format = format,
			.xattr_count = count,
			.mode = (u16)in->mode,
			.nlink = (u16)in->nlink,
			.size = (u32)in->size,
			.where = in->where,
			.uid = (u16)in->uid,
			.gid = (u16)in->gid };

		memcpy(to, &d, sizeof(d));
	}
	if (in->xattr_len)
		memcpy(to + head, in->xattrs, in->xattr_len);
	if (in->tail_len)
		memcpy(to + len - in->tail_len, in->tail, in->tail_len);
	return at / 32;
}

u32 eb_data(struct eb *b, const void *data, u32 len)
{
	u32 at = b->len;

	b->len = eb_up(at + len, 1u << b->bits);
	if (b->len > EB_MAX)
		abort();
	memcpy(b->buf + at, data, len);
	return at >> b->bits;
}

/* How many of n names go into one block. */
static u32 dir_fits(const struct eb_name *names, u32 n, u32 block)
{
	u32 used = 0, k = 0;

	while (k < n && used + 12 + strlen(names[k].name) <= block)
		used += 12 + (u32)strlen(names[k++].name);
	return k;
}

u32 eb_dir(struct eb *b, const struct eb_name *names, u32 n, u32 *size)
{
	u32 block = 1u << b->bits, first = b->len >> b->bits, used = 0;

	*size = 0;
	while (n) {
		u32 k = dir_fits(names, n, block), at = k * 12;
		u8 *to = b->buf + b->len;

		for (u32 i = 0; i < k; i++) {
			struct erofs_disk_dirent d = {
				.nid = names[i].nid, .name = (u16)at, .type = names[i].type
			};
			u32 len = (u32)strlen(names[i].name);

			memcpy(to + i * 12, &d, sizeof(d));
			memcpy(to + at, names[i].name, len);
			at += len;
		}
		used = at;
		names += k;
		n -= k;
		b->len += block;
		*size += n ? block : used;
	}
	return first;
}

u64 eb_dir_inode(struct eb *b, u32 nlink)
{
	struct eb_inode in = { .mode = DIR | 0755, .nlink = nlink };

	return eb_inode(b, &in);
}

void eb_dir_fill(struct eb *b, u64 nid, const struct eb_name *names, u32 n)
{
	struct erofs_disk_compact *d = eb_at(b, nid);
	u32 size;

	d->where = eb_dir(b, names, n, &size);
	d->size = size;
}

u32 eb_xattr(u8 *out, u8 prefix, const char *name, const void *value, u16 size)
{
	struct erofs_disk_xattr d = {
		.name_len = (u8)strlen(name), .prefix = prefix, .value_size = size
	};
	u32 len = eb_up((u32)sizeof(d) + d.name_len + size, 4);

	memset(out, 0, len);
	memcpy(out, &d, sizeof(d));
	memcpy(out + sizeof(d), name, d.name_len);
	if (size)
		memcpy(out + sizeof(d) + d.name_len, value, size);
	return len;
}

u32 eb_share(struct eb *b, const void *xattr, u32 len)
{
	u32 at = b->shared_used;

	if (at + len > EB_SHARED)
		abort();
	memcpy(b->buf + b->shared + at, xattr, len);
	b->shared_used += len;
	return at / 4;
}

static u32 eb_crc(const u8 *p, u32 len)
{
	u32 crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return crc;
}

void eb_finish(struct eb *b, u64 root)
{
	u32 block = 1u << b->bits;

	b->sb->root = (u16)root;
	b->sb->blocks = b->len >> b->bits;
	b->sb->checksum = 0;
	b->sb->checksum = eb_crc((void *)b->sb, block > 1024 ? block - 1024 : block);
}

/* ---- a tree with everything in it */

u8 eb_byte(u64 i)
{
	return (u8)(i * 7 + i / 251);
}

static void sample_bytes(u8 *to, u32 len, u64 from)
{
	for (u32 i = 0; i < len; i++)
		to[i] = eb_byte(from + i);
}

/* Two chunks of data with a hole between them, and a short end. */
static u64 sample_chunks(struct eb *b)
{
	u32 block = 1u << b->bits, map[4];
	u8 data[4096];
	struct eb_inode in = { .extended = true,
		.mode = REG | 0600,
		.nlink = 1,
		.size = 3 * block + 100,
		.layout = EROFS_CHUNK_BASED,
		.tail = map,
		.tail_len = sizeof(map),
		.tail_align = 4 };

	for (u32 i = 0; i < 4; i++) {
		map[i] = EROFS_NO_BLOCK;
		sample_bytes(data, block, (u64)i * block);
		if (i != 1)
			map[i] = eb_data(b, data, block);
	}
	b->sb->incompat |= EROFS_INCOMPAT_CHUNKED_FILE;
	return eb_inode(b, &in);
}

static u64 sample_inline(struct eb *b)
{
	u8 data[EB_INLINE], x[256];
	struct erofs_disk_xattrs h = { .shared = 1 };
	u32 len = sizeof(h) + 4, id;
	u32 block = 1u << b->bits, tail = EB_INLINE % block;
	struct eb_inode in = { .mode = REG | 0644,
		.nlink = 1,
		.uid = 1000,
		.gid = 1001,
		.size = EB_INLINE,
		.layout = EROFS_FLAT_INLINE };

	id = eb_share(b, x, eb_xattr(x, EROFS_PREFIX_SECURITY, "shared", "common", 6));
	len += eb_xattr(x + len, EROFS_PREFIX_USER, "one", "value", 5);
	len += eb_xattr(x + len, EROFS_PREFIX_USER, "none", "", 0);
	len += eb_xattr(x + len, EROFS_PREFIX_TRUSTED, "t", "secret", 6);
	memcpy(x, &h, sizeof(h));
	memcpy(x + sizeof(h), &id, sizeof(id));
	sample_bytes(data, sizeof(data), 0);
	in.xattrs = x;
	in.xattr_len = len;
	in.tail = data + sizeof(data) - tail;
	in.tail_len = tail;
	return eb_inode(b, &in);
}

static u64 sample_plain(struct eb *b)
{
	static u8 data[EB_PLAIN];
	struct eb_inode in = { .extended = true,
		.mode = REG | 04755,
		.nlink = 2,
		.uid = 70000,
		.gid = 80000,
		.size = sizeof(data),
		.mtime = 1234567890,
		.nsec = 123456789 };

	sample_bytes(data, sizeof(data), 0);
	in.where = eb_data(b, data, sizeof(data));
	return eb_inode(b, &in);
}

static u64 sample_dir(struct eb *b, u64 parent, u64 file)
{
	static char text[EB_NAMES][8];
	u64 self = eb_dir_inode(b, 2);
	struct eb_name names[EB_NAMES + 2] = { { ".", self, EROFS_TYPE_DIR },
		{ "..", parent, EROFS_TYPE_DIR } };

	for (u32 i = 0; i < EB_NAMES; i++) {
		snprintf(text[i], sizeof(text[i]), "n%03u", i % 1000);
		names[2 + i] = (struct eb_name){ text[i], file, EROFS_TYPE_REG };
	}
	eb_dir_fill(b, self, names, EB_NAMES + 2);
	return self;
}

void eb_sample(struct eb *b)
{
	static const char target[] = "dir/n007";
	struct eb_inode small = { .mode = REG | 0444, .nlink = EB_NAMES + 1 };
	struct eb_inode link = { .mode = LNK | 0777,
		.nlink = 1,
		.size = sizeof(target) - 1,
		.layout = EROFS_FLAT_INLINE,
		.tail = target,
		.tail_len = sizeof(target) - 1 };
	struct eb_inode null = { .mode = CHR | 0666, .nlink = 1, .where = 0x103 };
	struct eb_inode fifo = { .mode = FIF | 0600, .nlink = 1 };
	u64 root = eb_dir_inode(b, 3), empty = eb_inode(b, &small);
	u64 plain = sample_plain(b), dir = sample_dir(b, root, empty);
	struct eb_name names[] = {
		{ ".", root, EROFS_TYPE_DIR },
		{ "..", root, EROFS_TYPE_DIR },
		{ "chunks", sample_chunks(b), EROFS_TYPE_REG },
		{ "dir", dir, EROFS_TYPE_DIR },
		{ "empty", empty, EROFS_TYPE_REG },
		{ "fifo", eb_inode(b, &fifo), EROFS_TYPE_FIFO },
		{ "hard", plain, EROFS_TYPE_REG },
		{ "inline", sample_inline(b), EROFS_TYPE_REG },
		{ "link", eb_inode(b, &link), EROFS_TYPE_LNK },
		{ "null", eb_inode(b, &null), EROFS_TYPE_CHR },
		{ "plain", plain, EROFS_TYPE_REG },
	};

	eb_dir_fill(b, root, names, sizeof(names) / sizeof(names[0]));
	b->sb->inodes = 9;
	eb_finish(b, root);
}
