/* SPDX-License-Identifier: Apache-2.0 */
/* Memory shared without a file: MAP_SHARED|MAP_ANONYMOUS, and whoever needs pages that several address spaces map. */
#ifndef MM_SHM_H
#define MM_SHM_H

#include "lib/atomic.h"
#include "mm/filemap.h"

struct shm {
	struct ref ref;
	struct mapping mapping;
};

struct shm *shm_create(u64 bytes); /* zero-filled on demand; NULL = no memory */
void shm_get(struct shm *s);
void shm_put(struct shm *s); /* may sleep */

struct as;
/* Map it shared, like as_mmap (flags MAP_*). Takes a reference of its own. Address or -errno. */
s64 as_map_shm(struct as *as, uaddr_t hint, u64 len, u32 prot, u32 flags, struct shm *s, u64 pgoff);

#endif
