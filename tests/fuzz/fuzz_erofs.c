/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the sentry's reader of EROFS images. The seed has no checksum, so that a changed superblock is read, too. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/erofs_build.h"
#include "tests/lib/erofs_walk.h"

#define SEED_INODES 9 /* of the sample */

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct eb b;
	size_t len;

	eb_start(&b, EROFS_BLOCK_BITS_MIN);
	eb_sample(&b);
	b.sb->compat = 0;
	len = b.len;
	if (erofs_walk(b.buf, len) != SEED_INODES)
		abort();
	if (len > room)
		len = 0;
	memcpy(buf, b.buf, len);
	eb_free(&b);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	erofs_walk(data, size);
	return 0;
}
