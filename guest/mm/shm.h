/* SPDX-License-Identifier: Apache-2.0 */
/* Memory shared without a file: MAP_SHARED|MAP_ANONYMOUS, and whoever needs pages that several address spaces map. */
#ifndef MM_SHM_H
#define MM_SHM_H

#include "lib/atomic.h"
#include "mm/filemap.h"

struct shm {
	struct ref ref;
	struct mapping mapping;
	/* Of System V segments: drops a reference in place of shm_put, which counts attachments. */
	void (*put)(struct shm *s);
	/* Of those that go with their last attachment, since they were removed: how many attachments there are; 0 for others. NULL: not of System V. */
	u64 (*leaving)(struct shm *s);
	void *owner;
	char name[24]; /* in /proc/PID/maps, when not empty */
};

struct shm *shm_create(u64 bytes); /* zero-filled on demand; NULL = no memory */
void shm_get(struct shm *s);
void shm_put(struct shm *s); /* may sleep */

void shm_free(struct shm *s); /* nobody refers to it any more; for `put` */

struct as;
/* Map all of it, like as_mmap (flags MAP_*; always shared). What prot lacks PROT_WRITE for never becomes writable. Takes a
 * reference of its own. Address or -errno. */
s64 as_map_shm(struct as *as, uaddr_t hint, u32 prot, u32 flags, struct shm *s);
/* shmdt(2): unmap what is left of the segment that was mapped at addr. 0, or -EINVAL: nothing is. */
int as_unmap_shm(struct as *as, uaddr_t addr);

#endif
