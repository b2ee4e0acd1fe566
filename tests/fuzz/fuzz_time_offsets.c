/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the parser of /proc/PID/timens_offsets: one or two offsets of known clocks, and no more bytes taken than there were. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "task/time_ns.h"
#include "tests/fuzz/fuzz.h"

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const char seed[] = "monotonic 10 5\n7 -3\t999999999\nboottime 1 1\n";

	if (room < sizeof(seed) - 1)
		return 0;
	memcpy(buf, seed, sizeof(seed) - 1);
	return sizeof(seed) - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct time_offset v[TIME_OFFSETS_MAX];
	char *text = malloc(size + 1);
	size_t used;
	int n;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	n = time_offsets_parse(text, v, &used);
	if (!n || n > (int)TIME_OFFSETS_MAX)
		abort();
	if (n > 0 && used > size)
		abort();
	for (int i = 0; i < n; i++) {
		if ((v[i].clock != 1 && v[i].clock != 7) || v[i].nsec >= 1000000000)
			abort();
	}
	free(text);
	return 0;
}
