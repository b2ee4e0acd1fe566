/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical pages. One struct page for each 4 KiB of RAM, in an array of its own (metadata outside the pages); a zero-filled entry is
 * a page that was never used, so the array costs nothing until a page is handed out. Buddy allocator over what was freed, bump pointer over
 * what was never used (never-used pages are known to be zero). Low addresses first, so that the resident set stays compact.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/types.h"

struct mapping;

enum page_flags {
	PG_DIRTY = 1u, /* page cache: newer than its backing */
	PG_UPTODATE = 2u, /* page cache: content valid */
	PG_LOCKED = 4u, /* page cache: I/O in progress */
	PG_WRITEBACK = 8u,
	PG_REFERENCED = 16u,
	PG_ANON = 32u,
	PG_RESERVED = 64u, /* never freed: image, boot pages, zero page, DAX */
	PG_BUDDY = 128u, /* head of a block on a free list */
	PG_SLAB = 256u,
	PG_RELEASED = 512u, /* free block that the host does not back */
	PG_ZEROED = 1024u, /* free page that is known to be zero */
	PG_CPU_FREE = 2048u, /* on a per-CPU free list */
	PG_LRU = 4096u, /* page cache: on the reclaim list */
	PG_SHMEM =
		8192u, /* page cache: belongs to memory without backing (tmpfs, shared anonymous) */
	PG_UNWRITTEN = 16384u /* page cache: zeroes that fallocate made and nobody has asked for */
};

#define PAGE_ORDER_MAX 10u

struct page {
	u32 flags; /* atomic_or/atomic_and */
	struct ref ref;
	s32 mapcount; /* user page-table entries that point here; atomic */
	u16 order; /* of a free or allocated block's first page */
	u16 memcg; /* who pays for it, cgroup/memory.c; 0: nobody */
	struct mapping *mapping; /* page cache owner, NULL for anonymous; slab: its cache */
	u64 index; /* page offset within mapping; slab: private */
	struct list_head link; /* LRU, free list, slab list */
};

#define GFP_ZERO 1u /* zero-filled */
#define GFP_USER 2u /* for applications: fails before the kernel's reserve is touched */
#define GFP_FREE 4u /* of what is free: nothing is dropped for it */

/* 2^order contiguous pages (order <= PAGE_ORDER_MAX), ref = 1, or NULL. Drops clean page cache when memory is short, but never sleeps:
 * any context except interrupt handlers. A caller that may sleep goes on to mm_reclaim() (mm/reclaim.h). */
struct page *page_alloc(u32 order, u32 gfp);
/* A block of an allocation becomes single pages, each with a reference of its own. */
void page_make_single(struct page *p, u32 order);
/* Up to n single pages for applications into out[]; how many (0 = none). Cheaper than n calls. */
u32 page_alloc_bulk(struct page **out, u32 n, u32 gfp);
void page_free(struct page *p, u32 order); /* whatever the ref */
void page_get(struct page *p);
void page_put(struct page *p); /* frees an order-0 page at the last reference */
paddr_t page_pa(const struct page *p);
void *page_va(const struct page *p);
struct page *page_of(paddr_t pa); /* NULL when pa is not RAM */
struct page *page_of_va(const void *va);
/* Convenience for kernel users: direct-map address or NULL. */
void *page_alloc_va(u32 order, u32 gfp);
void page_free_va(void *va, u32 order);

struct page_stats {
	u64 total, free, cached, anon, slab; /* pages */
};
void page_stats(struct page_stats *s);
/* Users of pages report what they hold, for page_stats; freeing a PG_ANON page takes it off by itself. */
enum page_kind {
	PAGE_CACHED,
	PAGE_ANON,
	PAGE_SLAB,
	PAGE_KINDS
};
void page_account(enum page_kind kind, s64 pages);
u64 page_free_count(void); /* pages free or never used */
/* Applications may use no more than so many pages of all there are, the kernel's included, from now on. */
void page_set_limit(u64 npages);
u64 page_low_water(void); /* below this many free pages the reclaimer works */
/* Called when an allocation fails: drop up to `want` pages without sleeping, say how many. */
void page_set_reclaim(u64 (*shrink)(u64 want));
/* Called with a page that is freed while somebody pays for it. */
void page_set_uncharge(void (*uncharge)(struct page *p));
/* Free pages that the host may still back, in blocks large enough to give back. */
u64 page_unreported(void);
/* Give free blocks back to the host, all but `keep` pages of them. Pages given back. Sleepless, but costs an exit. */
u64 page_report(u64 keep);
/* Boot: RAM [start, end), first free address after the image. */
void page_init(paddr_t start, paddr_t end, paddr_t first_free);

#endif
