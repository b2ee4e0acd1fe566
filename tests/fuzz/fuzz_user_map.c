/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the parser of user namespace maps: what it takes is a map, each id once on either side. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "task/user_ns.h"
#include "tests/fuzz/fuzz.h"

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const char seed[] = "0 1000 1\n1 100000 65535\n 70000\t5 3 \n";

	if (room < sizeof(seed) - 1)
		return 0;
	memcpy(buf, seed, sizeof(seed) - 1);
	return sizeof(seed) - 1;
}

static int overlap(u32 a, u32 na, u32 b, u32 nb)
{
	return (u64)a < (u64)b + nb && (u64)b < (u64)a + na;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct id_extent v[USER_NS_EXTENTS];
	char *text = malloc(size + 1);
	int n, i, j;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	n = user_map_parse(text, v);
	if (n > (int)USER_NS_EXTENTS)
		abort();
	for (i = 0; i < n; i++) {
		if (!v[i].count || (u64)v[i].first + v[i].count > 1UL << 32)
			abort();
		for (j = 0; j < i; j++) {
			if (overlap(v[i].first, v[i].count, v[j].first, v[j].count) ||
				overlap(v[i].lower, v[i].count, v[j].lower, v[j].count))
				abort();
		}
	}
	free(text);
	return 0;
}
