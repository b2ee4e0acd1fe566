/* SPDX-License-Identifier: Apache-2.0 */
/* What of an address space goes into a core dump. */
#ifndef MM_CORE_MAP_H
#define MM_CORE_MAP_H

#include "lib/types.h"

struct as;
struct file;

struct core_area {
	uaddr_t start, end;
	u32 flags; /* enum vma_flags */
	u64 pgoff;
	struct file *file; /* reference, or NULL */
	u64 dump; /* so many bytes from the start are written */
	bool sparse; /* only pages that are there */
};
struct core_map {
	struct core_area *area;
	u32 n;
};

/* Every mapping; filter: bits of /proc/PID/coredump_filter. 0 or -ENOMEM. */
int as_core_map(struct as *as, u32 filter, struct core_map *map);
void as_core_unmap(struct core_map *map);
/* The next run of pages that are there: from *from on, below end. False: no more. */
bool as_core_run(struct as *as, uaddr_t *from, uaddr_t *to, uaddr_t end);

#endif
