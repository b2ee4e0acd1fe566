/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the sentry (ELF64, x86-64, ET_EXEC) into guest RAM. The image is trusted when it is the embedded one, but the parser bounds every
 * field: a developer may name any file, and test kernels come from elsewhere.
 */
#ifndef CM_VMM_LOADER_H
#define CM_VMM_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define LOADER_SEGMENTS_MAX 16

/* One loadable segment, all fields validated against the image and the RAM. */
struct loader_segment {
	uint64_t offset; /* bytes into the image */
	uint64_t filesz; /* bytes copied */
	uint64_t ram_offset; /* bytes from the start of RAM */
	uint64_t memsz; /* bytes occupied; >= filesz; the rest stays zero */
};

struct loader_plan {
	uint64_t entry; /* virtual address */
	uint64_t end; /* first byte of RAM after the image, as offset */
	unsigned nsegments;
	struct loader_segment segment[LOADER_SEGMENTS_MAX];
};

/*
 * Parse `image` and fill `plan`; nothing is copied. Segments must lie in [CM_GPA_RAM + CM_IMAGE_OFFSET, CM_GPA_RAM + ram) and be
 * sorted and disjoint, the entry must lie in one of them at its link address. Returns 0 or -errno with err filled.
 */
int loader_parse(
	const void *image, size_t size, uint64_t ram, struct loader_plan *plan, struct cm_err *err);

/* Copy the segments into `ram`, freshly mapped (zero) memory of at least plan->end bytes. */
void loader_copy(const void *image, const struct loader_plan *plan, void *ram);

#endif
