/* SPDX-License-Identifier: Apache-2.0 */
/* Bit arrays of u64 words. The caller locks. */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include "lib/types.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bitmap_test(const u64 *map, size_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(u64 *map, size_t bit)
{
	map[bit / 64] |= 1UL << (bit % 64);
}

static inline void bitmap_clear(u64 *map, size_t bit)
{
	map[bit / 64] &= ~(1UL << (bit % 64));
}

/* First clear (set) bit at or after `from`, or `bits` when there is none. */
size_t bitmap_next_zero(const u64 *map, size_t bits, size_t from);
size_t bitmap_next_set(const u64 *map, size_t bits, size_t from);

#endif
