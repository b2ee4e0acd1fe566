/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/swapmap.h"

#include "lib/string.h"

#define HEADER_BYTES   4096u
#define HEADER_VERSION 1024u /* after the room for a boot loader */
#define HEADER_LAST    (HEADER_VERSION + 4)
#define HEADER_BAD     (HEADER_VERSION + 8)

static const char swap_magic[10] = { 'S', 'W', 'A', 'P', 'S', 'P', 'A', 'C', 'E', '2' };

static u32 header_word(const u8 *page, u32 at, bool swapped)
{
	u32 v;

	memcpy(&v, page + at, sizeof(v));
	return swapped ? __builtin_bswap32(v) : v;
}

u32 swap_header_pages(const void *page, u64 file_pages)
{
	const u8 *h = page;
	bool swapped;
	u32 last;

	if (memcmp(h + HEADER_BYTES - sizeof(swap_magic), swap_magic, sizeof(swap_magic)))
		return 0;
	/* one that a machine of the other byte order made is good, too */
	swapped = header_word(h, HEADER_VERSION, true) == 1;
	if (header_word(h, HEADER_VERSION, swapped) != 1)
		return 0;
	last = header_word(h, HEADER_LAST, swapped);
	/* a file has no bad pages, and Linux takes none that says so */
	if (!last || header_word(h, HEADER_BAD, swapped))
		return 0;
	last = MIN(last, SWAP_SLOTS_MAX - 1);
	return last < file_pages ? last + 1 : 0;
}

/* ---- slots ---- */

static u32 *map_slot(const struct swap_map *m, u32 slot)
{
	return &m->chunk[slot / SWAP_CHUNK_SLOTS].slot[slot % SWAP_CHUNK_SLOTS];
}

void swap_map_init(struct swap_map *m, u32 nslots, struct swap_chunk *chunk)
{
	m->nslots = nslots;
	m->used = 0;
	m->hand = 1;
	m->chunk = chunk;
	for (u32 i = 0; i < swap_map_chunks(nslots); i++)
		chunk[i].used = 0;
}

/* The first free slot in [from, end), or end. */
static u32 map_next_free(const struct swap_map *m, u32 from, u32 end)
{
	while (from < end) {
		if (m->chunk[from / SWAP_CHUNK_SLOTS].used == SWAP_CHUNK_SLOTS)
			from = (from / SWAP_CHUNK_SLOTS + 1) * SWAP_CHUNK_SLOTS;
		else if (*map_slot(m, from))
			from++;
		else
			return from;
	}
	return end;
}

u32 swap_map_take(struct swap_map *m, u32 want, u32 *first)
{
	u32 at, n;

	if (!swap_map_free(m))
		return 0;
	at = map_next_free(m, m->hand, m->nslots);
	if (at == m->nslots)
		at = map_next_free(m, 1, m->nslots);
	for (n = 0; n < want && at + n < m->nslots && !*map_slot(m, at + n); n++) {
		*map_slot(m, at + n) = 1;
		m->chunk[(at + n) / SWAP_CHUNK_SLOTS].used++;
	}
	m->used += n;
	m->hand = at + n < m->nslots ? at + n : 1;
	*first = at;
	return n;
}

bool swap_map_has(const struct swap_map *m, u32 slot)
{
	return slot && slot < m->nslots && (*map_slot(m, slot) & SWAP_USERS_MAX);
}

bool swap_map_get(struct swap_map *m, u32 slot)
{
	if ((*map_slot(m, slot) & SWAP_USERS_MAX) == SWAP_USERS_MAX)
		return false;
	++*map_slot(m, slot);
	return true;
}

bool swap_map_put(struct swap_map *m, u32 slot)
{
	u32 *s = map_slot(m, slot);

	if (--*s & SWAP_USERS_MAX)
		return false;
	*s = 0;
	m->chunk[slot / SWAP_CHUNK_SLOTS].used--;
	m->used--;
	return true;
}

void swap_map_set_owner(struct swap_map *m, u32 slot, u32 owner)
{
	*map_slot(m, slot) = (*map_slot(m, slot) & SWAP_USERS_MAX) | owner << 20;
}

u32 swap_map_owner(const struct swap_map *m, u32 slot)
{
	return *map_slot(m, slot) >> 20;
}
