/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the address space share. as->lock is held for writing by every caller unless said otherwise. */
#ifndef MM_AS_INTERNAL_H
#define MM_AS_INTERNAL_H

#include "mm/as.h"
#include "mm/filemap.h"
#include "mm/pte.h"

#define VMA_PROT_MASK (VMA_READ | VMA_WRITE | VMA_EXEC)
#define STACK_GAP     (256 * PAGE_SIZE) /* kept free below a stack that may grow */
#define MMAP_MIN_ADDR 0x10000UL

/* ---- vma.c ---- */
struct vma *vma_create(struct as *as, uaddr_t start, uaddr_t end, u32 flags);
/* A new one shows the object of another, with its policy; the offset is the caller's to set. */
void vma_share_object(struct vma *v, const struct vma *from);
/* Puts it into the tree, the mapping's list and the counters; file and shm references are the vma's already. */
void vma_insert(struct vma *v);
/* Takes it out of all three; not freed. */
void vma_unlink(struct vma *v);
/* Drops references and memory. as->lock NOT held: closing a file may sleep and lock. */
void vma_free(struct vma *v);
/* Move the edges, keeping the counters right. Neighbours must not overlap. */
void vma_resize(struct vma *v, uaddr_t start, uaddr_t end);
int vma_split(struct vma *v, uaddr_t at); /* v keeps the lower part. 0 or -ENOMEM */
/* Join v with equal neighbours; the result (v or the one that swallowed it). What is swallowed goes onto *dead. */
struct vma *vma_merge(struct vma *v, struct list_head *dead);
struct vma *vma_prev(struct vma *v);
struct vma *vma_find_exact(struct as *as, uaddr_t addr); /* that contains addr, or NULL */
/* Split so that [start, end) begins and ends at VMA edges. 0 or -ENOMEM. */
int vma_isolate(struct as *as, uaddr_t start, uaddr_t end);
bool vma_range_free(struct as *as, uaddr_t start, uaddr_t end);
/* The same, and not in the guard gap of a stack above. */
bool vma_room_free(struct as *as, uaddr_t start, uaddr_t end);
/* Set and clear flags on the whole of [start, end), page tables not touched. -ENOMEM when parts are not mapped (the others are done). */
int vma_change_flags(
	struct as *as, uaddr_t start, uaddr_t end, u32 set, u32 clear, struct list_head *dead);
void vma_free_list(struct list_head *dead); /* as->lock not held */
/* Lowest-level search. An address with len free bytes, top down, or -ENOMEM. */
s64 vma_find_hole(struct as *as, u64 len, uaddr_t low, uaddr_t high);

/* ---- limits ---- */
bool as_may_expand(struct as *as, u64 pages, u32 vma_flags);

/* ---- unmap.c ---- */
/* Take [start, end) out of the tree and the page table; the VMAs go onto *dead for vma_free_list. 0 or -ENOMEM. */
int as_unmap_locked(struct as *as, uaddr_t start, uaddr_t end, struct list_head *dead);
/* Remove page-table entries of the range, pages freed after the flush. as->lock held, for reading at least. */
void as_zap(struct as *as, uaddr_t start, uaddr_t end);
/* All pages of a dead address space; no flush, entries left as they are for pgt_destroy. */
void as_zap_dead(struct as *as);

/* ---- fault.c ---- */
u32 vma_pte_prot(const struct vma *v);
struct page *zero_page(void); /* reserved, all zero */

/* ---- mmap.c ---- */
u32 vma_flags_from_prot(u32 prot);
u64 page_align_len(u64 len); /* rounded up, 0 when it overflows */

/* ---- brk.c / stack ---- */
int vma_grow_stack(struct vma *v, uaddr_t addr); /* 0, -ENOMEM or -EFAULT */

#endif
