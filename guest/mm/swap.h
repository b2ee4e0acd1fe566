/* SPDX-License-Identifier: Apache-2.0 */
/* Swap space: files that private anonymous pages go to when memory is short. How an entry of such a page lives, and who may wait for whom: mm/README. */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include "arch.h"

struct as;
struct cgroup;
struct file;
struct inode;
struct page;
struct vma;

#define SWAP_BATCH 64u /* pages in one request, at most */

/* Flags of swapon(2). Discarding is a matter of block devices: taken and without effect, as Linux does for what has none. */
#define SWAP_PRIO_MASK	   0x7fffu
#define SWAP_PREFER	   0x8000u /* the priority is given */
#define SWAP_DISCARD	   0x10000u
#define SWAP_DISCARD_ONCE  0x20000u
#define SWAP_DISCARD_PAGES 0x40000u
#define SWAP_FLAGS \
	(SWAP_PRIO_MASK | SWAP_PREFER | SWAP_DISCARD | SWAP_DISCARD_ONCE | SWAP_DISCARD_PAGES)

/* What a file must be able to do for it, past its page cache. Pages of the file from `index` on, at most SWAP_BATCH. 0 or -errno. May sleep, but neither for memory
 * nor for locks of inodes and address spaces. */
struct swap_io {
	int (*read)(struct inode *inode, u64 index, struct page **pages, u32 n);
	int (*write)(struct inode *inode, u64 index, struct page **pages, u32 n);
	/* Has it place for so many pages, without holes? inode->lock is held for writing. -EINVAL: no. */
	int (*check)(struct inode *inode, u64 pages);
};

/* ---- areas ---- */
/* swapon(2), with its flags checked, and swapoff(2). Takes a reference of its own. */
int swap_on(struct file *f, u32 flags);
int swap_off(struct file *f);

struct swap_stats {
	u64 total, free; /* pages */
	u64 in, out; /* pages moved since boot */
};
void swap_stats(struct swap_stats *s);

#define SWAP_AREAS 8u
struct swap_info {
	struct file *file; /* reference */
	u64 pages, used;
	s32 prio;
};
bool swap_info(u32 area, struct swap_info *out); /* false: there is no such area */

/* ---- entries (pte_is_away); as->pt_lock held ---- */
/* One more of the kind. False: there are too many already. */
bool swap_get(pte_t e);
void swap_put(pte_t e);
/* For /proc: which area, and where there. */
static inline u32 swap_area_of(pte_t e)
{
	return pte_where(e) >> 24;
}
static inline u32 swap_slot_of(pte_t e)
{
	return pte_where(e) & 0xffffff;
}

/* ---- moving pages ---- */
/* Somebody touches the page of entry e. as->lock is held for reading. 0, -EIO or -ENOMEM. */
int swap_fault(struct vma *v, uaddr_t addr, pte_t e);
/* Write pages out until some memory is free: anybody's, or that of a cgroup and those below. May sleep. False: nothing could go. */
bool swap_make_room(struct cgroup *only);
/* MADV_PAGEOUT for v's part of [start, end). as->lock is held for reading. */
void swap_out_range(struct vma *v, uaddr_t start, uaddr_t end);

#endif
