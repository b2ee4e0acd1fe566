/* SPDX-License-Identifier: Apache-2.0 */
/* The superblock, inodes, and where the bytes of a file lie. */
#include "fs/erofs/image.h"

#include "fs/mode.h"
#include "kernel/errno.h"
#include "lib/string.h"

#define NSEC_MAX 999999999u

int erofs_get(const struct erofs_image *im, u64 off, void *buf, size_t len)
{
	if (off > im->src.size || len > im->src.size - off)
		return -EIO;
	return im->src.read(im->src.ctx, off, buf, len);
}

/* ---- superblock */

/* CRC32C, bit by bit: it is needed once, over a block. */
static u32 image_crc(u32 crc, const u8 *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (u32 bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* Does the checksum fit the block from the superblock on? 0, -EBADMSG, -errno. */
static int image_check_sum(const struct erofs_image *im, const struct erofs_disk_super *sb)
{
	u32 block = 1u << im->block_bits, at = 0, crc = ~0u;
	u32 len = block > EROFS_SUPER_OFFSET ? block - EROFS_SUPER_OFFSET : block;
	u8 buf[256];

	while (at < len) {
		u32 n = MIN(len - at, (u32)sizeof(buf));
		int err = erofs_get(im, EROFS_SUPER_OFFSET + at, buf, n);

		if (err)
			return err;
		if (at == 0)
			memset(buf + offsetof(struct erofs_disk_super, checksum), 0,
				sizeof(sb->checksum));
		crc = image_crc(crc, buf, n);
		at += n;
	}
	return crc == sb->checksum ? 0 : -EBADMSG;
}

static int image_check(struct erofs_image *im, const struct erofs_disk_super *sb)
{
	u32 strange = sb->incompat & ~EROFS_INCOMPAT_CHUNKED_FILE;
	int err = 0;

	if (sb->magic != EROFS_SUPER_MAGIC_V1 || sb->block_bits < EROFS_BLOCK_BITS_MIN ||
		sb->block_bits > EROFS_BLOCK_BITS_MAX)
		return -EINVAL;
	im->block_bits = sb->block_bits;
	if (sb->compat & EROFS_COMPAT_SB_CHKSUM)
		err = image_check_sum(im, sb);
	if (err)
		return err;
	if (strange)
		return strange & ~EROFS_INCOMPAT_NAMED ? -EINVAL : -EOPNOTSUPP;
	if (sb->compression)
		return -EOPNOTSUPP;
	if (sb->dir_block_bits)
		return -EINVAL;
	return (u64)sb->blocks << sb->block_bits > im->src.size ? -EUCLEAN : 0;
}

int erofs_open(struct erofs_image *im, const struct erofs_source *src)
{
	struct erofs_disk_super sb;
	int err;

	memset(im, 0, sizeof(*im));
	im->src = *src;
	if (src->size < EROFS_SUPER_OFFSET + sizeof(sb))
		return -EINVAL;
	err = erofs_get(im, EROFS_SUPER_OFFSET, &sb, sizeof(sb));
	if (!err)
		err = image_check(im, &sb);
	if (err)
		return err;
	im->meta = (u64)sb.meta_block << im->block_bits;
	im->shared = (u64)sb.xattr_block << im->block_bits;
	im->root = sb.root;
	im->blocks = sb.blocks;
	im->inodes = sb.inodes;
	im->epoch = sb.epoch;
	im->nsec = MIN(sb.nsec, NSEC_MAX);
	return 0;
}

/* ---- inodes */

static void inode_from_compact(
	const struct erofs_image *im, const struct erofs_disk_compact *d, struct erofs_inode *in)
{
	in->nlink = d->nlink;
	in->uid = d->uid;
	in->gid = d->gid;
	in->size = d->size;
	in->mtime = (s64)((u64)im->epoch + d->mtime);
	in->mtime_nsec = im->nsec;
	in->block = d->where;
}

static void inode_from_extended(const struct erofs_disk_extended *d, struct erofs_inode *in)
{
	in->nlink = d->nlink;
	in->uid = d->uid;
	in->gid = d->gid;
	in->size = d->size;
	in->mtime = d->mtime;
	in->mtime_nsec = MIN(d->mtime_nsec, NSEC_MAX);
	in->block = d->where;
}

static int inode_layout(const struct erofs_image *im, struct erofs_inode *in, u32 layout)
{
	if (layout != EROFS_FLAT_PLAIN && layout != EROFS_FLAT_INLINE &&
		layout != EROFS_CHUNK_BASED)
		return -EOPNOTSUPP;
	in->layout = layout;
	if (layout != EROFS_CHUNK_BASED)
		return 0;
	if (in->block & 0xffff & ~EROFS_CHUNK_KNOWN)
		return -EOPNOTSUPP;
	in->chunk_bits = im->block_bits + (in->block & EROFS_CHUNK_BITS);
	in->indexes = in->block & EROFS_CHUNK_INDEXES;
	return 0;
}

/* What the type asks for. */
static int inode_type(const struct erofs_image *im, struct erofs_inode *in, u32 layout)
{
	switch (in->mode & S_IFMT) {
	case S_IFLNK:
		if (in->size == 0 || in->size > EROFS_LINK_MAX)
			return -EUCLEAN;
		return inode_layout(im, in, layout);
	case S_IFDIR:
	case S_IFREG:
		return in->size > INT64_MAX ? -EUCLEAN : inode_layout(im, in, layout);
	case S_IFCHR:
	case S_IFBLK:
		in->rdev = in->block;
		in->size = 0;
		return 0;
	case S_IFIFO:
	case S_IFSOCK:
		in->size = 0;
		return 0;
	default:
		return -EUCLEAN;
	}
}

int erofs_inode_read(const struct erofs_image *im, u64 nid, struct erofs_inode *out)
{
	struct erofs_disk_extended d;
	u64 at = im->meta + (nid << EROFS_SLOT_BITS), len = sizeof(struct erofs_disk_compact);
	int err;

	memset(out, 0, sizeof(*out));
	if (nid > im->src.size >> EROFS_SLOT_BITS)
		return -EIO;
	err = erofs_get(im, at, &d, len);
	if (err)
		return err;
	if (d.format & ~EROFS_FORMAT_KNOWN)
		return -EOPNOTSUPP;
	if (d.format & EROFS_FORMAT_EXTENDED) {
		err = erofs_get(im, at + len, (u8 *)&d + len, sizeof(d) - len);
		if (err)
			return err;
		len = sizeof(d);
	}
	out->nid = nid;
	out->mode = d.mode;
	if (d.format & EROFS_FORMAT_EXTENDED) {
		inode_from_extended(&d, out);
	} else {
		struct erofs_disk_compact c;

		memcpy(&c, &d, sizeof(c));
		inode_from_compact(im, &c, out);
	}
	out->xattrs = at + len;
	if (d.xattr_count)
		out->xattr_size = (u32)sizeof(struct erofs_disk_xattrs) + 4u * (d.xattr_count - 1u);
	out->tail = out->xattrs + out->xattr_size;
	return inode_type(im, out, d.format >> EROFS_FORMAT_LAYOUT_SHIFT);
}

/* ---- data */

static int map_flat(const struct erofs_image *im, const struct erofs_inode *in, u64 pos, u64 want,
	struct erofs_extent *out)
{
	u64 block = 1ul << im->block_bits;
	u64 inlined = in->layout == EROFS_FLAT_INLINE ? (in->size - 1) & ~(block - 1) : in->size;

	if (pos < inlined) {
		out->off = ((u64)in->block << im->block_bits) + pos;
		out->len = MIN(want, inlined - pos);
		out->hole = in->layout == EROFS_FLAT_PLAIN && in->block == EROFS_NO_BLOCK;
		return 0;
	}
	/* It lies in the inode's own block. */
	if ((in->tail & (block - 1)) + (in->size - inlined) > block)
		return -EUCLEAN;
	out->off = in->tail + (pos - inlined);
	out->len = MIN(want, in->size - pos);
	out->hole = false;
	return 0;
}

/* The first block of a chunk. */
static int chunk_block(
	const struct erofs_image *im, const struct erofs_inode *in, u64 chunk, u32 *block)
{
	struct erofs_disk_chunk c;
	u64 unit = in->indexes ? sizeof(c) : sizeof(*block);
	u64 at = ALIGN_UP(in->tail, unit) + chunk * unit;
	int err;

	if (!in->indexes)
		return erofs_get(im, at, block, sizeof(*block));
	err = erofs_get(im, at, &c, sizeof(c));
	*block = c.block;
	return err;
}

/* Chunks that follow each other in the image make one extent. */
static int map_chunks(const struct erofs_image *im, const struct erofs_inode *in, u64 pos, u64 want,
	struct erofs_extent *out)
{
	u64 end = in->size - pos < want ? in->size : pos + want, at = pos;
	u32 block;

	while (at < end) {
		u64 chunk = at >> in->chunk_bits, next = (chunk + 1) << in->chunk_bits;
		int err = chunk_block(im, in, chunk, &block);

		if (err && at == pos)
			return err;
		if (at == pos) {
			out->hole = block == EROFS_NO_BLOCK;
			out->off = ((u64)block << im->block_bits) +
				   (pos & ((1ul << in->chunk_bits) - 1));
		} else if (err || (block == EROFS_NO_BLOCK) != out->hole) {
			break;
		} else if (!out->hole && (u64)block << im->block_bits != out->off + (at - pos)) {
			break;
		}
		at = MIN(next, end);
	}
	out->len = at - pos;
	return 0;
}

int erofs_map(const struct erofs_image *im, const struct erofs_inode *in, u64 pos, u64 want,
	struct erofs_extent *out)
{
	int err = in->layout == EROFS_CHUNK_BASED ? map_chunks(im, in, pos, want, out)
						  : map_flat(im, in, pos, want, out);

	if (err || out->hole)
		return err;
	if (out->off >= im->src.size)
		return -EIO;
	out->len = MIN(out->len, im->src.size - out->off);
	return 0;
}

int erofs_read(
	const struct erofs_image *im, const struct erofs_inode *in, u64 pos, void *buf, size_t len)
{
	u8 *to = buf;

	while (len) {
		struct erofs_extent x;
		int err = erofs_map(im, in, pos, len, &x);

		if (!err && x.hole)
			memset(to, 0, x.len);
		else if (!err)
			err = erofs_get(im, x.off, to, x.len);
		if (err)
			return err;
		to += x.len;
		pos += x.len;
		len -= x.len;
	}
	return 0;
}

s64 erofs_readlink(
	const struct erofs_image *im, const struct erofs_inode *in, char *buf, size_t size)
{
	size_t len = MIN(in->size, size);
	int err = erofs_read(im, in, 0, buf, len);

	if (err)
		return err;
	return memchr(buf, 0, len) ? -EUCLEAN : (s64)len;
}
