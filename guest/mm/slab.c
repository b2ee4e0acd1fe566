/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel objects. A cache serves one size from slabs: naturally aligned blocks of pages without a header. What a slab needs to know stands in the
 * struct page of its first page: mapping = its cache, index = address of the first free object (the rest chained through the objects),
 * mapcount = objects handed out, link = the cache's list of slabs with free objects. Every page of a slab has PG_SLAB and its cache, so
 * that kfree finds both from the address alone.
 *
 * In front of each cache stand small per-CPU stacks of free objects. The kernel is not preemptible and interrupt handlers do not allocate:
 * a CPU's own stack needs no lock.
 */
#include "mm/slab.h"

#include "arch.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "mm/page.h"

#define SLAB_CPU_MAX 16u
#define SLAB_CACHES  64u
#define SLAB_BIG     8192u /* larger objects are whole pages */
#define SLAB_POISON  0xdead5ab0dead5ab0UL /* second word of a free object, --enable-devel */

struct slab_cpu {
	u32 n;
	void *obj[SLAB_CPU_MAX];
};

struct slab_cache {
	struct spinlock lock; /* protects: partial, empty, and the slabs' struct page; rank 80 */
	struct list_head partial; /* slabs with a free object; set up by slab_cache_init */
	u32 size; /* bytes an object */
	u32 order, per_slab;
	u32 cpu_max;
	u32 empty; /* slabs without any object handed out */
	struct slab_cpu cpu[CM_MAX_CPUS];
};

static const u16 slab_sizes[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536,
	2048, 4096, SLAB_BIG };
static struct slab_cache slab_general[ARRAY_SIZE(slab_sizes)];
static struct slab_cache slab_typed[SLAB_CACHES];
static u32 slab_ntyped;
static struct spinlock slab_setup_lock; /* protects: set-up of caches */
static bool slab_ready;

static void slab_cache_init(struct slab_cache *c, u32 size)
{
	list_init(&c->partial);
	c->lock.rank = 80;
	c->size = size;
	while (c->order < 3 && (PAGE_SIZE << c->order) / size < 8)
		c->order++;
	c->per_slab = (u32)((PAGE_SIZE << c->order) / size);
	c->cpu_max = size <= 1024 ? SLAB_CPU_MAX : 4;
}

static void slab_setup(void)
{
	spin_lock(&slab_setup_lock);
	if (!slab_ready) {
		for (u32 i = 0; i < ARRAY_SIZE(slab_sizes); i++)
			slab_cache_init(&slab_general[i], slab_sizes[i]);
		atomic_store(&slab_ready, true);
	}
	spin_unlock(&slab_setup_lock);
}

/* ---- devel: double frees and writes after free ---- */

#ifdef CM_DEVEL
static void slab_mark_free(struct slab_cache *c, void *obj)
{
	u64 *w = obj;

	if (c->size >= 16) {
		panic_if(w[1] == SLAB_POISON);
		w[1] = SLAB_POISON;
	}
}

static void slab_mark_used(struct slab_cache *c, void *obj)
{
	u64 *w = obj;

	if (c->size >= 16) {
		panic_if(w[1] != SLAB_POISON);
		w[1] = 0;
	}
}
#else
static void slab_mark_free(struct slab_cache *c, void *obj)
{
	(void)c;
	(void)obj;
}

static void slab_mark_used(struct slab_cache *c, void *obj)
{
	(void)c;
	(void)obj;
}
#endif

/* ---- slabs ---- */

static struct slab_cache *slab_cache_of(struct page *p)
{
	return (struct slab_cache *)p->mapping;
}

static struct page *slab_head(struct slab_cache *c, struct page *p)
{
	return page_of(page_pa(p) & ~((PAGE_SIZE << c->order) - 1));
}

/* A new slab with all objects free, not on the list yet. No lock: an allocation may come back here to free what reclaim drops. */
static struct page *slab_grow(struct slab_cache *c)
{
	struct page *p = page_alloc(c->order, 0);
	u64 base;

	if (!p)
		return NULL;
	base = (u64)page_va(p);
	for (u32 i = 0; i < 1U << c->order; i++) {
		p[i].flags = PG_SLAB;
		p[i].mapping = (struct mapping *)c;
	}
	for (u32 i = 0; i < c->per_slab; i++) {
		u64 *obj = (u64 *)(base + (u64)i * c->size);

		obj[0] = i + 1 < c->per_slab ? (u64)obj + c->size : 0;
		if (c->size >= 16)
			obj[1] = SLAB_POISON;
	}
	p->index = base;
	p->mapcount = 0;
	page_account(PAGE_SLAB, 1L << c->order);
	return p;
}

static void slab_shrink(struct slab_cache *c, struct page *p)
{
	list_del(&p->link);
	c->empty--;
	for (u32 i = 0; i < 1U << c->order; i++) {
		p[i].flags = 0;
		p[i].mapping = NULL;
	}
	page_account(PAGE_SLAB, -(1L << c->order));
	page_free(p, c->order);
}

/* Fill a CPU's stack half-way. */
static void slab_refill(struct slab_cache *c, struct slab_cpu *cpu)
{
	spin_lock(&c->lock);
	while (cpu->n < c->cpu_max / 2) {
		struct page *p;
		u64 *obj;

		if (list_empty(&c->partial)) {
			spin_unlock(&c->lock);
			p = slab_grow(c);
			spin_lock(&c->lock);
			if (!p)
				break;
			list_add(&c->partial, &p->link);
			c->empty++;
		}
		p = list_first_entry(&c->partial, struct page, link);
		obj = (u64 *)p->index;
		p->index = obj[0];
		if (!p->mapcount++)
			c->empty--;
		if (!p->index)
			list_del(&p->link);
		cpu->obj[cpu->n++] = obj;
	}
	spin_unlock(&c->lock);
}

/* Give the oldest half of a full stack back to the slabs. */
static void slab_flush(struct slab_cache *c, struct slab_cpu *cpu)
{
	u32 n = c->cpu_max / 2;

	spin_lock(&c->lock);
	for (u32 i = 0; i < n; i++) {
		u64 *obj = cpu->obj[i];
		struct page *p = slab_head(c, page_of_va(obj));

		if (!p->index)
			list_add(&c->partial, &p->link);
		obj[0] = p->index;
		p->index = (u64)obj;
		if (!--p->mapcount && ++c->empty > 1)
			slab_shrink(c, p);
	}
	spin_unlock(&c->lock);
	cpu->n -= n;
	memmove(cpu->obj, cpu->obj + n, cpu->n * sizeof(cpu->obj[0]));
}

static void *slab_alloc(struct slab_cache *c)
{
	struct slab_cpu *cpu = &c->cpu[cpu_id()];
	void *obj;

	if (unlikely(!cpu->n)) {
		slab_refill(c, cpu);
		if (!cpu->n)
			return NULL;
	}
	obj = cpu->obj[--cpu->n];
	slab_mark_used(c, obj);
	return obj;
}

static void slab_free(struct slab_cache *c, void *obj)
{
	struct slab_cpu *cpu = &c->cpu[cpu_id()];

	slab_mark_free(c, obj);
	if (unlikely(cpu->n == c->cpu_max))
		slab_flush(c, cpu);
	cpu->obj[cpu->n++] = obj;
}

/* ---- general objects ---- */

static struct slab_cache *slab_for_size(size_t size)
{
	u32 lo = 0, hi = ARRAY_SIZE(slab_sizes) - 1;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (slab_sizes[mid] >= size)
			hi = mid;
		else
			lo = mid + 1;
	}
	return &slab_general[lo];
}

static u32 slab_order(size_t size)
{
	u64 pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return pages <= 1 ? 0 : 64 - (u32)__builtin_clzl(pages - 1);
}

static void *slab_alloc_big(size_t size)
{
	u32 order = slab_order(size);
	struct page *p = page_alloc(order, 0);

	if (!p)
		return NULL;
	page_account(PAGE_SLAB, 1L << order);
	return page_va(p);
}

void *kmalloc(size_t size)
{
	if (unlikely(!atomic_load(&slab_ready)))
		slab_setup();
	if (size > SLAB_BIG)
		return size <= PAGE_SIZE << PAGE_ORDER_MAX ? slab_alloc_big(size) : NULL;
	return slab_alloc(slab_for_size(size));
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

void *krealloc(void *p, size_t old_size, size_t new_size)
{
	void *q = kmalloc(new_size);

	if (q && p) {
		memcpy(q, p, MIN(old_size, new_size));
		kfree(p);
	}
	return q;
}

void kfree(void *obj)
{
	struct page *p;

	if (!obj)
		return;
	p = page_of_va(obj);
	panic_if(!p);
	if (p->flags & PG_SLAB) {
		slab_free(slab_cache_of(p), obj);
		return;
	}
	panic_if((u64)obj & (PAGE_SIZE - 1));
	page_account(PAGE_SLAB, -(1L << p->order));
	page_free(p, p->order);
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = kmalloc(n);

	if (copy)
		memcpy(copy, s, n);
	return copy;
}

/* ---- typed caches ---- */

static struct slab_cache *kcache_setup(struct kcache *c)
{
	struct slab_cache *s = NULL;

	spin_lock(&slab_setup_lock);
	if (c->impl) {
		s = c->impl;
	} else if (slab_ntyped < SLAB_CACHES) {
		s = &slab_typed[slab_ntyped++];
		slab_cache_init(s, (u32)ALIGN_UP(MAX(c->size, 16UL), 16));
		atomic_store(&c->impl, s);
	}
	spin_unlock(&slab_setup_lock);
	panic_if(!s);
	return s;
}

void *kcache_alloc(struct kcache *c)
{
	struct slab_cache *s = atomic_load(&c->impl);

	return slab_alloc(s ? s : kcache_setup(c));
}

void *kcache_zalloc(struct kcache *c)
{
	void *obj = kcache_alloc(c);

	if (obj)
		memset(obj, 0, c->size);
	return obj;
}

void kcache_free(struct kcache *c, void *obj)
{
	(void)c;
	kfree(obj);
}
