/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page cache: a mapping holds the pages of one inode by index. Regular files of every file system (tmpfs, hostfs) use it for
 * read, write and mmap; private and shared mappings of a file see the same pages.
 *
 * Life: embedded in the inode, mapping_init at inode creation, mapping_destroy (after write-back) at its end. mapping_destroy waits
 * for the flusher and for reclaim to let go, so operations may still be called until it returns: destroy the mapping before what they need.
 *
 * Truncation: first set inode->size, then call mapping_truncate; faults and reads that race with it look at the size again.
 */
#ifndef MM_FILEMAP_H
#define MM_FILEMAP_H

#include "kernel/lock.h"
#include "kernel/waitq.h"
#include "lib/types.h"
#include "mm/page.h"
#include "mm/radix.h"

struct inode;
struct uio;

#define MAPPING_READAHEAD_MAX 64u /* pages in one read_pages or write_pages call, at most */

struct mapping_ops {
	/* Fill n locked pages pages[0..n) of consecutive index from backing store (beyond its end: zeroes). 0 or -errno. NULL op: zero-fill. */
	int (*read_pages)(struct mapping *m, struct page **pages, u32 n);
	/* Write n dirty pages of consecutive index back; the mapping clamps nothing: the op cuts at i_size. 0 or -errno. NULL op: memory only (tmpfs). */
	int (*write_pages)(struct mapping *m, struct page **pages, u32 n);
	/* Charge or refuse new pages (tmpfs size limit); negative: given back, always allowed. No sleep. NULL = always allowed. */
	int (*charge)(struct mapping *m, s64 pages);
};

struct mapping {
	struct spinlock lock; /* protects: tree, counters, vmas, pins; rank 60 */
	struct radix tree; /* struct page by index, tag = dirty */
	u64 npages, ndirty;
	u32 nwriteback; /* pages with PG_WRITEBACK */
	u32 pins; /* flusher or reclaim use it: not to be destroyed */
	const struct mapping_ops *ops;
	struct inode *inode; /* NULL: shared anonymous memory of `fixed_size` bytes */
	u64 fixed_size;
	struct list_head vmas; /* shared and private file mappings, for truncation */
	struct list_head dirty_link; /* on the list of mappings with dirty pages */
	s32 wb_error; /* first write-back error, reported once by fsync */
	u32 readahead; /* pages to read at once on a sequential miss (0 = 32) */
	u64 ra_next; /* index that a sequential reader misses next */
};

void mapping_init(struct mapping *m, struct inode *inode, const struct mapping_ops *ops);
void mapping_destroy(struct mapping *m); /* drops every page, dirty or not; may sleep */
u64 mapping_size(const struct mapping *m); /* bytes */
/* The page at index, up to date, with a reference; reads it (and read-ahead) when missing. 0 or -errno. Says nothing about the
 * size: the page may lie beyond it. May sleep. */
int mapping_get_page(struct mapping *m, u64 index, struct page **out);
/* The same for writing: not read from backing when it lies outside [0, i_size) or when the caller will overwrite the `whole` page. */
int mapping_get_page_write(struct mapping *m, u64 index, bool whole, struct page **out);
/* Read what is missing of n pages from index on, in as few requests as can be; stops silently at an error. May sleep. */
void mapping_read_ahead(struct mapping *m, u64 index, u64 n);
/* Only what is cached, up to date and not merely allocated in [index, index + n), NULL where nothing is; how many were found. References. No sleep. */
u32 mapping_find_pages(struct mapping *m, u64 index, u32 n, struct page **out);
void mapping_set_dirty(struct mapping *m, struct page *p);
/* Drop pages of bytes [from, to) (partial pages zeroed) and unmap them from every address space: truncate (to = ~0) or hole punch. */
void mapping_truncate(struct mapping *m, u64 from, u64 to);
/* Write dirty pages of [from, to) back and wait. 0 or the first error. */
int mapping_writeback(struct mapping *m, u64 from, u64 to);
/* Drop clean, unmapped pages (reclaim, posix_fadvise DONTNEED, O_DIRECT coherence). */
void mapping_invalidate(struct mapping *m, u64 from, u64 to);
/* Is a page cached at index? */
bool mapping_has_page(struct mapping *m, u64 index);

/*
 * Memory without backing: pages that are allocated before anybody wants their content. They count as missing for mapping_has_data, mapping_seek and
 * mapping_find_pages until mapping_get_page finds them, or they are allocated once more.
 */
/* Allocate pages [first, end). On failure those that were not there before are gone again. 0 or -errno. May sleep. */
int mapping_allocate(struct mapping *m, u64 first, u64 end);
/* Is there content at index (mincore)? */
bool mapping_has_data(struct mapping *m, u64 index);
/* The first of [index, end) that has content (`data`) or that has not; end where there is none. May be old by now. */
u64 mapping_seek(struct mapping *m, u64 index, u64 end, bool data);

/* read(2)/write(2) through the cache at *pos, which moves. Bytes or -errno. The caller holds the inode's lock for writes. write grows
 * inode->size but does no permission, O_APPEND or limit work. */
s64 filemap_read(struct mapping *m, u64 *pos, struct uio *u);
s64 filemap_write(struct mapping *m, u64 *pos, struct uio *u);

/* Write back everything dirty (sync, shutdown). */
int filemap_sync_all(void);
/* Start the thread that writes pages back after ~1 s, reclaims and returns memory to the host. Called by the first need; idempotent. */
void filemap_start_flusher(void);

#endif
