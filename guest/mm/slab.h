/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel objects. Any context except interrupt handlers; never sleeps while a spinlock is held (it does not reclaim then). */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "lib/types.h"

void *kmalloc(
	size_t size); /* 16-byte aligned; NULL = no memory; sizes above 8 KiB come as whole pages, at most 4 MiB */
void *kzalloc(size_t size);
void *krealloc(void *p, size_t old_size, size_t new_size);
void kfree(void *p); /* NULL is fine */
char *kstrdup(const char *s);

/* A cache for one hot type; objects come uninitialised. */
struct kcache {
	const char *name;
	size_t size;
	void *impl;
};
#define KCACHE(name_, type) \
	{ \
		.name = name_, .size = sizeof(type) \
	}
void *kcache_alloc(struct kcache *c);
void *kcache_zalloc(struct kcache *c);
void kcache_free(struct kcache *c, void *obj);

#endif
