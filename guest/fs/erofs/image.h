/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading an EROFS image. Pure: bytes come through struct erofs_source, so the host's tests and the fuzzer compile it too.
 *
 * Nothing in an image is trusted. Every position is checked against the image's size, every length against what surrounds it, and no loop runs longer
 * than a bounded part of the image says: what makes no sense is -EUCLEAN, what lies outside the image -EIO, what this reader does not know
 * -EOPNOTSUPP. What only a whole walk could tell (a directory that is its own ancestor, a file shared by two) is the caller's matter.
 */
#ifndef FS_EROFS_IMAGE_H
#define FS_EROFS_IMAGE_H

#include "fs/erofs/disk.h"
#include "lib/types.h"

#define EROFS_NAME_MAX	255u
#define EROFS_BLOCK_MAX 4096u /* bytes of a block */
#define EROFS_LINK_MAX	4095u /* bytes of a symbolic link */

struct erofs_source {
	/* All of [off, off + len), which lies inside size: 0 or -errno. */
	int (*read)(void *ctx, u64 off, void *buf, size_t len);
	void *ctx;
	u64 size; /* bytes */
};

struct erofs_image {
	struct erofs_source src;
	u32 block_bits;
	u64 meta, shared; /* bytes: where inode 0 and shared attribute 0 lie */
	u64 root; /* number of the root directory */
	u64 blocks, inodes;
	s64 epoch;
	u32 nsec;
};

struct erofs_inode {
	u64 nid;
	u32 mode, nlink, uid, gid;
	u32 rdev; /* as mknod(2) takes it */
	u64 size; /* at most INT64_MAX */
	s64 mtime;
	u32 mtime_nsec;
	enum erofs_layout layout; /* of those that are served */
	u32 block; /* flat: the first */
	u32 chunk_bits; /* chunks: bytes of one, as a power of two */
	bool indexes;
	u64 xattrs, tail; /* bytes: where the attributes begin, and what follows them */
	u32 xattr_size;
};

/* A part of a file that lies in one piece. */
struct erofs_extent {
	u64 off; /* in the image */
	u64 len; /* bytes, not 0 */
	bool hole; /* zeroes, at no place */
};

/*
 * Check the superblock and take over what is needed; src is copied. -EINVAL: no such image, a block size or a feature that nobody knows; -EOPNOTSUPP: a
 * feature of Linux's that is not served (compression, several devices, prefixes of attributes, 48-bit block numbers, a metadata box); -EBADMSG: the
 * checksum; -EUCLEAN: shorter than it says.
 */
int erofs_open(struct erofs_image *im, const struct erofs_source *src);

/* The inode with this number: of a known type, with a known layout. 0, -EIO, -EUCLEAN, -EOPNOTSUPP. */
int erofs_inode_read(const struct erofs_image *im, u64 nid, struct erofs_inode *out);

/* What lies at pos, which is below the file's size: at most `want` bytes (not 0), fewer where another piece begins. 0 or -errno. */
int erofs_map(const struct erofs_image *im, const struct erofs_inode *in, u64 pos, u64 want,
	struct erofs_extent *out);

/* Bytes of a file; [pos, pos + len) lies inside its size. 0 or -errno. */
int erofs_read(
	const struct erofs_image *im, const struct erofs_inode *in, u64 pos, void *buf, size_t len);

/* Target of a symbolic link, without NUL: its length, at most size, or -errno. */
s64 erofs_readlink(
	const struct erofs_image *im, const struct erofs_inode *in, char *buf, size_t size);

/* Bytes of the image, for the files of the reader. 0, -EIO outside it, or what the source says. */
int erofs_get(const struct erofs_image *im, u64 off, void *buf, size_t len);

/* ---- names.c: directories */

struct erofs_dirent {
	u64 nid;
	const char *name; /* in the block's buffer, not terminated; no '/' or NUL in it */
	u32 len; /* 1 .. EROFS_NAME_MAX */
	u32 type; /* enum erofs_type */
};

/* A block of a directory, checked as a whole. */
struct erofs_names {
	u8 *buf; /* EROFS_BLOCK_MAX bytes, the caller's */
	u32 len; /* valid bytes in it */
	u32 count; /* entries, not 0 */
};

/* How many blocks a directory has. */
u64 erofs_dir_blocks(const struct erofs_image *im, const struct erofs_inode *dir);
/* Read and check one of them; n->buf is set. 0 or -errno. */
int erofs_dir_block(const struct erofs_image *im, const struct erofs_inode *dir, u64 block,
	struct erofs_names *n);
/* Entry i < n->count. */
void erofs_dir_entry(const struct erofs_names *n, u32 i, struct erofs_dirent *out);
/* Find a name by bisection, as Linux does: in a directory that is not sorted it may be missed. n->buf is scratch. 0, -ENOENT, or -errno. */
int erofs_dir_find(const struct erofs_image *im, const struct erofs_inode *dir, const char *name,
	u32 len, struct erofs_names *n, struct erofs_dirent *out);

/* ---- xattr.c: extended attributes */

/* Value of the attribute with this full name: its length (size 0: that alone), -ENODATA, -ERANGE, -errno. */
s64 erofs_xattr_get(const struct erofs_image *im, const struct erofs_inode *in, const char *name,
	void *buf, size_t size);
/* Full names, each with NUL: their length (size 0: that alone), -ERANGE, -errno. trusted: those of trusted.* too. */
s64 erofs_xattr_list(const struct erofs_image *im, const struct erofs_inode *in, char *buf,
	size_t size, bool trusted);

#endif
