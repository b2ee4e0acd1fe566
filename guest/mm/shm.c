/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory objects: a page cache without a file behind it. */
#include "mm/shm.h"

#include "kernel/errno.h"
#include "mm/as_internal.h"
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

void shm_free(struct shm *s)
{
	mapping_destroy(&s->mapping);
	kfree(s);
}

void shm_put(struct shm *s)
{
	if (s->put)
		s->put(s);
	else if (ref_put(&s->ref))
		shm_free(s);
}

/* Does v show the part of a System V segment that an attachment at `addr` put there? */
static bool shm_attached_at(const struct vma *v, uaddr_t addr)
{
	return v->shm && v->shm->put && v->start >= addr &&
	       v->start - addr == v->pgoff << PAGE_SHIFT;
}

int as_unmap_shm(struct as *as, uaddr_t addr)
{
	struct list_head dead;
	struct shm *s = NULL;
	struct vma *v, *next;
	int ret = 0;

	list_init(&dead);
	rwsem_write_lock(&as->lock);
	for (v = as_find_vma(as, addr); v && !ret; v = next) {
		next = vma_next(v);
		if (s && v->start >= addr + s->mapping.fixed_size)
			break;
		if (!shm_attached_at(v, addr) || (s && v->shm != s))
			continue;
		s = v->shm;
		ret = as_unmap_locked(as, v->start, v->end, &dead);
	}
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	return s ? ret : -EINVAL;
}
