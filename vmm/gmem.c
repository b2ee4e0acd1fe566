/* SPDX-License-Identifier: Apache-2.0 */
/* Guest-physical memory: a short table of regions, searched linearly. */
#include <config.h>

#include "vmm/gmem.h"

#include <errno.h>
#include <string.h>

static bool gmem_overlaps(const struct gmem_region *r, uint64_t gpa, uint64_t end)
{
	return gpa < r->gpa + r->len && r->gpa < end;
}

int gmem_add(struct gmem *mem, uint64_t gpa, uint64_t len, void *host, bool writable)
{
	uint64_t end;

	if (len == 0 || !host || __builtin_add_overflow(gpa, len, &end))
		return -EINVAL;
	if (mem->count == GMEM_REGIONS_MAX)
		return -ENOSPC;
	for (unsigned int i = 0; i < mem->count; i++)
		if (gmem_overlaps(&mem->region[i], gpa, end))
			return -EEXIST;
	mem->region[mem->count++] = (struct gmem_region){
		.gpa = gpa,
		.len = len,
		.host = host,
		.writable = writable,
	};
	return 0;
}

void *gmem_ptr(const struct gmem *mem, uint64_t gpa, uint64_t len, bool write)
{
	for (unsigned int i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->region[i];

		if (gpa < r->gpa || gpa - r->gpa >= r->len)
			continue;
		if (len == 0 || len > r->len - (gpa - r->gpa) || (write && !r->writable))
			return NULL;
		return r->host + (gpa - r->gpa);
	}
	return NULL;
}

int gmem_read(const struct gmem *mem, uint64_t gpa, void *buf, size_t len)
{
	const void *p = gmem_ptr(mem, gpa, len, false);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

int gmem_write(const struct gmem *mem, uint64_t gpa, const void *buf, size_t len)
{
	void *p = gmem_ptr(mem, gpa, len, true);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, len);
	return 0;
}
