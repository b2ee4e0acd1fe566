/* SPDX-License-Identifier: Apache-2.0 */
/* Search in bit arrays, a word at a time. */
#include "lib/bitmap.h"

static size_t bitmap_next(const u64 *map, size_t bits, size_t from, u64 invert)
{
	size_t word = from / 64;
	u64 v;

	if (from >= bits)
		return bits;
	v = (map[word] ^ invert) & (~0UL << (from % 64));
	while (!v) {
		word++;
		if (word * 64 >= bits)
			return bits;
		v = map[word] ^ invert;
	}
	return MIN(word * 64 + (size_t)__builtin_ctzl(v), bits);
}

size_t bitmap_next_zero(const u64 *map, size_t bits, size_t from)
{
	return bitmap_next(map, bits, from, ~0UL);
}

size_t bitmap_next_set(const u64 *map, size_t bits, size_t from)
{
	return bitmap_next(map, bits, from, 0);
}
