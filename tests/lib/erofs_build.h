/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EROFS images for tests, put together by hand: any block size, and whatever nonsense a test wants. The image has its superblock, EB_META bytes of inodes with
 * what follows them, EB_SHARED bytes of shared attributes, and data.
 */
#ifndef TESTS_EROFS_BUILD_H
#define TESTS_EROFS_BUILD_H

#include "fs/erofs/disk.h"

#define EB_MAX	  (1u << 20) /* bytes of an image */
#define EB_META	  16384u
#define EB_SHARED 4096u

struct eb {
	u8 *buf; /* EB_MAX bytes; eb_free */
	u32 bits, len;
	u32 meta, shared, meta_used, shared_used; /* bytes */
	struct erofs_disk_super *sb; /* in buf */
};

/* An inode to be made. */
struct eb_inode {
	bool extended;
	u32 mode, nlink, uid, gid;
	u64 size;
	s64 mtime; /* extended */
	u32 nsec;
	u32 layout, where;
	const void *xattrs; /* header, ids and attributes: xattr_len bytes, 12 + 4n */
	u32 xattr_len;
	const void *tail; /* inline data or the map of the chunks */
	u32 tail_len, tail_align;
};

/* One name of a directory. */
struct eb_name {
	const char *name;
	u64 nid;
	u8 type;
};

void eb_start(struct eb *b, u32 block_bits);
void eb_free(struct eb *b);
/* Number of the inode; it does not cross a block unless it is longer than one. */
u64 eb_inode(struct eb *b, const struct eb_inode *in);
/* Where an inode lies. */
void *eb_at(struct eb *b, u64 nid);
/* Put data into blocks of its own: the first one. */
u32 eb_data(struct eb *b, const void *data, u32 len);
/* Blocks of a directory with n sorted names: the first one, and their size. */
u32 eb_dir(struct eb *b, const struct eb_name *names, u32 n, u32 *size);
/* The number of a directory without names. */
u64 eb_dir_inode(struct eb *b, u32 nlink);
/* Its names, sorted; "." and ".." are names as others. */
void eb_dir_fill(struct eb *b, u64 nid, const struct eb_name *names, u32 n);
/* Append an attribute to out; its length. */
u32 eb_xattr(u8 *out, u8 prefix, const char *name, const void *value, u16 size);
/* Put attributes among the shared ones: the id of the first. */
u32 eb_share(struct eb *b, const void *xattr, u32 len);
/* Sizes and checksum: call it again after a change of the superblock. */
void eb_finish(struct eb *b, u64 root);

/* A small tree with everything in it; b is started. root/{.,..,chunks,dir/{.,..,n000..n299},empty,fifo,hard,inline,link,null,plain}. */
void eb_sample(struct eb *b);
/* Byte i of the file "plain", and of "chunks" where that is no hole. */
u8 eb_byte(u64 i);
#define EB_PLAIN  10000u
#define EB_INLINE 300u
#define EB_NAMES  300u /* names in dir */

#endif
