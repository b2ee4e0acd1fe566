/* SPDX-License-Identifier: Apache-2.0 */
/* Page faults, as their files share them. as->lock is held for reading. */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "mm/as_internal.h"

#define FAULT_FORCE \
	8u /* access by a debugger: protection counts only as far as it could be changed */
#define FAULT_AROUND	64u /* pages of a file mapped around a fault */
#define FAULT_READ	32u /* pages of a file read around a fault, unless it is text */
#define FAULT_MAX	64u /* anonymous pages mapped by one fault, at most */
#define FAULT_COW_BLOCK 4u /* pages copied together */

struct fault {
	struct as *as;
	struct vma *vma;
	uaddr_t addr; /* page-aligned */
	u32 access; /* FAULT_* */
};

/* The entry for page pa in v; writable only when v is and `write` is set. */
pte_t fault_pte(const struct vma *v, paddr_t pa, bool write);
/* May a debugger's write go straight to the page of this entry? */
bool fault_may_write(pte_t e);
/* A new page becomes an anonymous user page. */
void fault_own_page(struct page *p);
/* A span of at most n pages around f->addr, aligned to n, inside the VMA and one page table: its start, length in *count. */
uaddr_t fault_block(const struct fault *f, u32 n, u32 *count);
/* How many pages to map at once, from the VMA's history; *start is where. */
u32 fault_window(struct fault *f, uaddr_t *start);

/* Is 2 MiB in one piece the answer to a fault of an entry that is missing? */
bool fault_wants_large(struct fault *f);
/* Make it so. as->lock is not held. False: it is not to be had, or was not wanted any more. */
bool fault_large(struct as *as, uaddr_t addr);

/* All: 0, or what mm_fault returns. */
int fault_anon(struct fault *f);
int fault_file(struct fault *f);
int fault_write_protected(struct fault *f, pte_t e);

#endif
