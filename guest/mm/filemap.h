/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page cache: a mapping holds the pages of one inode by index. Regular files of every file system (tmpfs, hostfs) use it for
 * read, write and mmap; private and shared mappings of a file see the same pages.
 *
 * Life: embedded in the inode, mapping_init at inode creation, mapping_destroy (after write-back) at its end.
 */
#ifndef MM_FILEMAP_H
#define MM_FILEMAP_H

#include "kernel/lock.h"
#include "kernel/waitq.h"
#include "lib/types.h"
#include "mm/page.h"

struct inode;
struct uio;

struct mapping_ops {
	/* Fill n locked pages pages[0..n) of consecutive index from backing store (beyond its end: zeroes). 0 or -errno. NULL op: zero-fill. */
	int (*read_pages)(struct mapping *m, struct page **pages, u32 n);
	/* Write n dirty pages of consecutive index back; the mapping clamps nothing: the op cuts at i_size. 0 or -errno. NULL op: memory only (tmpfs). */
	int (*write_pages)(struct mapping *m, struct page **pages, u32 n);
	/* Charge or refuse a new page (tmpfs size limit). NULL = always allowed. */
	int (*charge)(struct mapping *m, s64 pages);
};

struct mapping {
	struct spinlock lock; /* protects: tree, counters, vmas */
	void *tree; /* radix tree of struct page by index, private to filemap.c */
	u64 npages, ndirty;
	const struct mapping_ops *ops;
	struct inode *inode;
	struct list_head vmas; /* shared and private file mappings, for truncation */
	struct list_head dirty_link; /* on the list of mappings with dirty pages */
	s32 wb_error; /* first write-back error, reported once by fsync */
	u32 readahead; /* pages to read at once on a sequential miss (0 = 32) */
};

void mapping_init(struct mapping *m, struct inode *inode, const struct mapping_ops *ops);
void mapping_destroy(struct mapping *m); /* drops every page, dirty or not */
/* The page at index, up to date, with a reference; reads it (and read-ahead) when missing. 0 or -errno. */
int mapping_get_page(struct mapping *m, u64 index, struct page **out);
/* The same for writing the whole page: not read from backing when it lies outside [0, i_size) or `whole`. */
int mapping_get_page_write(struct mapping *m, u64 index, bool whole, struct page **out);
void mapping_set_dirty(struct mapping *m, struct page *p);
/* Drop pages at and after byte `from` (partial page zeroed) and unmap them from every address space: truncate, hole punch. */
void mapping_truncate(struct mapping *m, u64 from, u64 to);
/* Write dirty pages of [from, to) back and wait. 0 or the first error. */
int mapping_writeback(struct mapping *m, u64 from, u64 to);
/* Drop clean, unmapped pages (reclaim, posix_fadvise DONTNEED, O_DIRECT coherence). */
void mapping_invalidate(struct mapping *m, u64 from, u64 to);

/* read(2)/write(2) through the cache at *pos, which moves. Bytes or -errno. The caller holds the inode's lock for writes. write grows i_size
 * (inode_set_size) but does no permission, O_APPEND or limit work. */
s64 filemap_read(struct mapping *m, u64 *pos, struct uio *u);
s64 filemap_write(struct mapping *m, u64 *pos, struct uio *u);

/* Write back everything dirty (sync, shutdown). */
int filemap_sync_all(void);
/* Start the flusher thread (first dirty page of a mapping with write_pages): writes pages older than ~1 s back. */
void filemap_start_flusher(void);

#endif
