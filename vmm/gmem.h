/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest-physical memory: the only place that turns a guest-physical address into a host pointer.
 *
 * The table is filled before the first vCPU runs and never changes afterwards, so look-ups take no lock and a pointer stays good
 * for the life of the process. The bytes behind it belong to the guest and change under our feet: copy once, check the copy, use the
 * copy. The VMM lists RAM and the I/O arena, casemate-fsd the arena alone; the DAX window is never listed.
 */
#ifndef CM_VMM_GMEM_H
#define CM_VMM_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GMEM_REGIONS_MAX 4

struct gmem_region {
	uint64_t gpa;
	uint64_t len; /* bytes */
	uint8_t *host;
	bool writable;
};

struct gmem {
	struct gmem_region region[GMEM_REGIONS_MAX];
	unsigned int count;
};

/*
 * Add [gpa, gpa + len) backed by `host`. Start-up only. Returns 0, -EINVAL (empty or wraps), -EEXIST (overlaps a region) or -ENOSPC.
 */
int gmem_add(struct gmem *mem, uint64_t gpa, uint64_t len, void *host, bool writable);

/*
 * Host pointer to len bytes at gpa, or NULL when len is 0, the range wraps, is not inside one region, or `write` is asked of a
 * region that is not writable.
 */
void *gmem_ptr(const struct gmem *mem, uint64_t gpa, uint64_t len, bool write);

/* Copy len bytes out of or into guest memory. 0, or -EFAULT under the conditions of gmem_ptr. */
int gmem_read(const struct gmem *mem, uint64_t gpa, void *buf, size_t len);
int gmem_write(const struct gmem *mem, uint64_t gpa, const void *buf, size_t len);

#endif
