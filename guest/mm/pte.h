/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page-table entries of user pages and what they stand for: each entry holds a reference to its page and one count of mapcount, and is counted
 * in the address space's resident pages. Reserved pages (zero page, vDSO) are not counted. All under as->pt_lock.
 */
#ifndef MM_PTE_H
#define MM_PTE_H

#include "mm/as.h"
#include "mm/page.h"

#define PTE_TABLE_SPAN (512 * PAGE_SIZE) /* bytes that one table of leaf entries covers */

static inline uaddr_t pte_table_end(uaddr_t va)
{
	return ALIGN_DOWN(va, PTE_TABLE_SPAN) + PTE_TABLE_SPAN;
}

/* One more or one entry less (n = 1, -1) for page p. */
static inline void pte_account(struct as *as, struct page *p, s32 n)
{
	if (p->flags & PG_RESERVED)
		return;
	atomic_add(&p->mapcount, n);
	if (p->flags & PG_ANON)
		atomic_add(&as->rss_anon, (s64)n);
	else if (p->flags & PG_SHMEM)
		atomic_add(&as->rss_shmem, (s64)n);
	else
		atomic_add(&as->rss_file, (s64)n);
}

static inline u64 as_rss(const struct as *as)
{
	s64 sum = READ_ONCE(as->rss_anon) + READ_ONCE(as->rss_file) + READ_ONCE(as->rss_shmem);

	return sum > 0 ? (u64)sum : 0;
}

#endif
