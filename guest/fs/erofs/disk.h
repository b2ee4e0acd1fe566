/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EROFS as it lies in an image (Linux: Documentation/filesystems/erofs.rst). Numbers are little-endian. An image is a row of blocks of 512 to 4096
 * bytes; the superblock lies at byte 1024. Inodes are found by number: each number stands for 32 bytes from the block of the metadata on. Behind
 * an inode lie its extended attributes, then the end of its data (FLAT_INLINE), or the map of its chunks (CHUNK_BASED).
 */
#ifndef FS_EROFS_DISK_H
#define FS_EROFS_DISK_H

#include "lib/types.h"

#define EROFS_SUPER_OFFSET   1024u
#define EROFS_SUPER_MAGIC_V1 0xe0f5e1e2u
#define EROFS_SLOT_BITS	     5 /* 32 bytes a number */
#define EROFS_BLOCK_BITS_MIN 9
#define EROFS_BLOCK_BITS_MAX 12

/* compat */
#define EROFS_COMPAT_SB_CHKSUM 0x1u

/* incompat: the one that is served, and all that Linux has */
#define EROFS_INCOMPAT_CHUNKED_FILE 0x4u
#define EROFS_INCOMPAT_NAMED	    0x1ffu

struct erofs_disk_super {
	u32 magic;
	u32 checksum; /* CRC32C of the superblock's block, from it on, with 0 here */
	u32 compat;
	u8 block_bits;
	u8 extra_slots; /* the superblock has 128 + 16 * this bytes */
	u16 root; /* number of the root directory's inode */
	u64 inodes;
	s64 epoch; /* seconds that compact inodes count from */
	u32 nsec; /* of compact inodes */
	u32 blocks;
	u32 meta_block;
	u32 xattr_block; /* of shared attributes */
	u8 uuid[16];
	u8 volume[16];
	u32 incompat;
	u16 compression; /* not 0: files are compressed */
	u16 extra_devices;
	u16 device_slot;
	u8 dir_block_bits; /* 0 */
	u8 prefixes;
	u32 prefix_start;
	u64 packed;
	u8 reserved[24];
};
_Static_assert(sizeof(struct erofs_disk_super) == 128, "superblock layout");

/* format: bit 0: extended, bits 1 to 3: layout of the data */
#define EROFS_FORMAT_EXTENDED	  0x1u
#define EROFS_FORMAT_KNOWN	  0xfu
#define EROFS_FORMAT_LAYOUT_SHIFT 1

enum erofs_layout {
	EROFS_FLAT_PLAIN = 0, /* blocks one after the other */
	EROFS_COMPRESSED_FULL = 1,
	EROFS_FLAT_INLINE = 2, /* the last block's part lies behind the inode */
	EROFS_COMPRESSED_COMPACT = 3,
	EROFS_CHUNK_BASED = 4,
};

#define EROFS_CHUNK_BITS    0x1fu /* a chunk has 1 << this blocks */
#define EROFS_CHUNK_INDEXES 0x20u /* map of struct erofs_disk_chunk, else of block numbers */
#define EROFS_CHUNK_KNOWN   0x3fu
#define EROFS_NO_BLOCK	    0xffffffffu /* a hole */

/* `where`: the first block, the numbers of a device, or the format of the chunks */
struct erofs_disk_compact {
	u16 format;
	u16 xattr_count;
	u16 mode;
	u16 nlink;
	u32 size;
	u32 mtime; /* since the epoch; 0 in older images */
	u32 where;
	u32 ino;
	u16 uid;
	u16 gid;
	u32 reserved;
};
_Static_assert(sizeof(struct erofs_disk_compact) == 32, "compact inode layout");

struct erofs_disk_extended {
	u16 format;
	u16 xattr_count;
	u16 mode;
	u16 reserved;
	u64 size;
	u32 where;
	u32 ino;
	u32 uid;
	u32 gid;
	s64 mtime;
	u32 mtime_nsec;
	u32 nlink;
	u8 reserved2[16];
};
_Static_assert(sizeof(struct erofs_disk_extended) == 64, "extended inode layout");

struct erofs_disk_chunk {
	u16 block_high;
	u16 device;
	u32 block;
};
_Static_assert(sizeof(struct erofs_disk_chunk) == 8, "chunk index layout");

/*
 * Extended attributes of an inode with count n != 0: this header, ids of shared attributes (where one lies, in units of 4 bytes from the block of shared
 * attributes on), then attributes, each at a multiple of 4 bytes: together 12 + 4 * (n - 1) bytes.
 */
struct erofs_disk_xattrs {
	u32 filter;
	u8 shared;
	u8 reserved[7];
};
_Static_assert(sizeof(struct erofs_disk_xattrs) == 12, "header of attributes");

/* Then the name without its prefix, and the value. */
struct erofs_disk_xattr {
	u8 name_len;
	u8 prefix; /* enum erofs_prefix */
	u16 value_size;
};
_Static_assert(sizeof(struct erofs_disk_xattr) == 4, "attribute layout");

enum erofs_prefix {
	EROFS_PREFIX_USER = 1,
	EROFS_PREFIX_ACL_ACCESS = 2,
	EROFS_PREFIX_ACL_DEFAULT = 3,
	EROFS_PREFIX_TRUSTED = 4,
	EROFS_PREFIX_SECURITY = 6,
};

/*
 * A directory is a file. Each of its blocks begins with entries; the names follow in the same order, without gaps, the first where the first entry says:
 * which also tells how many there are. Names are sorted by their bytes, over all blocks.
 */
struct erofs_disk_dirent {
	u64 nid;
	u16 name;
	u8 type; /* enum erofs_type */
	u8 reserved;
} __packed;
_Static_assert(sizeof(struct erofs_disk_dirent) == 12, "directory entry layout");

enum erofs_type {
	EROFS_TYPE_UNKNOWN,
	EROFS_TYPE_REG,
	EROFS_TYPE_DIR,
	EROFS_TYPE_CHR,
	EROFS_TYPE_BLK,
	EROFS_TYPE_FIFO,
	EROFS_TYPE_SOCK,
	EROFS_TYPE_LNK,
	EROFS_TYPES
};

#endif
