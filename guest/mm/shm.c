/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory objects: a page cache without a file behind it. */
#include "mm/shm.h"

#include "mm/slab.h"

static const struct mapping_ops shm_ops = { .charge = NULL };

struct shm *shm_create(u64 bytes)
{
	struct shm *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	ref_init(&s->ref);
	mapping_init(&s->mapping, NULL, &shm_ops);
	s->mapping.fixed_size = ALIGN_UP(bytes, PAGE_SIZE);
	return s;
}

void shm_get(struct shm *s)
{
	ref_get(&s->ref);
}

void shm_put(struct shm *s)
{
	if (!ref_put(&s->ref))
		return;
	mapping_destroy(&s->mapping);
	kfree(s);
}
