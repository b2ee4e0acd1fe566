/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of swap share: swap.c (areas, slots), swap_out.c, swap_in.c. */
#ifndef MM_SWAP_INTERNAL_H
#define MM_SWAP_INTERNAL_H

#include "mm/swap.h"

/* ---- swap.c ---- */
/* Up to `want` places in a row (pte_where) for pages, from *where on, each with one user: swap_put. 0: all full. */
u32 swap_take(u32 want, u32 *where);
bool swap_has_room(void);
/* What is at a place, which has a user all the time. 0 or -errno. */
int swap_read(u32 where, struct page *p);
int swap_write(u32 where, struct page **pages, u32 n);
/* The page of p goes to a place for good: its cgroup pays for that. False: it may not have more swap. */
bool swap_may_charge(const struct page *p);
void swap_charge(u32 where, const struct page *p);
u64 swap_used(u32 area); /* places with users */

/* ---- swap_in.c ---- */
/* Everything of an area comes back. 0, -EINTR, -ENOMEM or -EIO. */
int swap_empty(u32 area);

/* ---- swap_out.c ---- */
int swap_out_start(void); /* the first area comes: 0 or -ENOMEM */
void swap_out_stop(void); /* the last one has gone */

#endif
