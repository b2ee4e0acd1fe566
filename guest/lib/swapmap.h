/* SPDX-License-Identifier: Apache-2.0 */
/* Swap space as pure data: the header of a file, and which of its pages are in use by how many. The caller locks and gives the memory. */
#ifndef LIB_SWAPMAP_H
#define LIB_SWAPMAP_H

#include "lib/types.h"

#define SWAP_SLOTS_MAX	 (1u << 24) /* of one area: 64 GiB */
#define SWAP_CHUNK_SLOTS 1024u
#define SWAP_USERS_MAX	 ((1u << 20) - 1)
#define SWAP_OWNER_MAX	 ((1u << 12) - 1)

/*
 * How many pages of a file are swap space by its first page, that one included; so at least 2. 0: it is no header, or one that a file of file_pages pages cannot have. What
 * is more than SWAP_SLOTS_MAX stays unused.
 */
u32 swap_header_pages(const void *page, u64 file_pages);

/* Of each slot the number of its users, below, and of an owner, above. */
struct swap_chunk {
	u32 *slot; /* SWAP_CHUNK_SLOTS zeroes */
	u32 used; /* slots with users */
};

struct swap_map {
	u32 nslots; /* slot 0, the header, is not given */
	u32 used;
	u32 hand; /* where the search begins */
	struct swap_chunk *chunk;
};

static inline u32 swap_map_chunks(u32 nslots)
{
	return (nslots + SWAP_CHUNK_SLOTS - 1) / SWAP_CHUNK_SLOTS;
}

/* chunk: swap_map_chunks(nslots), with their memory. */
void swap_map_init(struct swap_map *m, u32 nslots, struct swap_chunk *chunk);
/* Up to `want` free slots in a row, from *first on, each with one user now and no owner. How many: 0 = none is free. */
u32 swap_map_take(struct swap_map *m, u32 want, u32 *first);
/* Is it a slot with users? */
bool swap_map_has(const struct swap_map *m, u32 slot);
/* One user more of a slot that has some. False: there are too many. */
bool swap_map_get(struct swap_map *m, u32 slot);
/* One less. True: that was the last. */
bool swap_map_put(struct swap_map *m, u32 slot);
void swap_map_set_owner(struct swap_map *m, u32 slot, u32 owner);
u32 swap_map_owner(const struct swap_map *m, u32 slot);
static inline u32 swap_map_free(const struct swap_map *m)
{
	return m->nslots ? m->nslots - 1 - m->used : 0;
}

#endif
