/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the header of a swap file: what it allows lies within the file and within what a map can hold. The first 8 bytes are the file's size in pages. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "lib/swapmap.h"
#include "tests/fuzz/fuzz.h"

#define HEADER 4096u

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	static const uint32_t info[] = { 1, 255, 0 };
	uint64_t pages = 256;

	if (room < sizeof(pages) + HEADER)
		return 0;
	memset(buf, 0, sizeof(pages) + HEADER);
	memcpy(buf, &pages, sizeof(pages));
	memcpy(buf + sizeof(pages) + 1024, info, sizeof(info));
	memcpy(buf + sizeof(pages) + HEADER - 10, "SWAPSPACE2", 10);
	return sizeof(pages) + HEADER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *page = calloc(1, HEADER);
	uint64_t pages = 0;
	u32 n;

	if (!page)
		abort();
	memcpy(&pages, data, size < sizeof(pages) ? size : sizeof(pages));
	if (size > sizeof(pages))
		memcpy(page, data + sizeof(pages),
			size - sizeof(pages) < HEADER ? size - sizeof(pages) : HEADER);
	n = swap_header_pages(page, pages);
	if (n == 1 || n > pages || n > SWAP_SLOTS_MAX)
		abort();
	if (n && memcmp(page + HEADER - 10, "SWAPSPACE2", 10))
		abort();
	free(page);
	return 0;
}
