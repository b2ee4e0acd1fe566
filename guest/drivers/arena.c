/* SPDX-License-Identifier: Apache-2.0 */
/* Page allocator of the I/O arena: one bitmap, first fit from the bottom, so that few pages of the host's memory are ever touched. */
#include "drivers/arena.h"

#include "arch.h"
#include "casemate/guestmem.h"
#include "kernel/errno.h"
#include "kernel/waitq.h"
#include "lib/bitmap.h"
#include "lib/fdt_read.h"

#define ARENA_PAGES_MAX (CM_ARENA_MAX / PAGE_SIZE)

static struct spinlock arena_lock; /* irq; protects: map, low, free */
static u64 arena_map[BITMAP_WORDS(ARENA_PAGES_MAX)]; /* bit = page in use */
static u32 arena_low; /* no free page lies below */
static u32 arena_free_count;
static u32 arena_pages;
static u8 *arena_base;
static struct waitq arena_wait;

int arena_init(const struct fdt_reader *fdt)
{
	int node = fdt_read_compatible(fdt, FDT_NONE, "casemate,arena");
	u64 base, size;

	if (node == FDT_NONE || !fdt_read_reg(fdt, node, 0, &base, &size) || base != CM_GPA_ARENA ||
		size < PAGE_SIZE || size > CM_ARENA_MAX)
		return -ENODEV;
	waitq_init(&arena_wait);
	arena_base = pa_to_va(base);
	arena_pages = (u32)(size / PAGE_SIZE);
	arena_free_count = arena_pages;
	return 0;
}

/* First page of a free run, or arena_pages. */
static u32 arena_find_locked(u32 pages)
{
	u32 at = arena_low;

	while (at < arena_pages) {
		u32 end;

		at = (u32)bitmap_next_zero(arena_map, arena_pages, at);
		if (at + pages > arena_pages)
			break;
		end = (u32)bitmap_next_set(arena_map, at + pages, at);
		if (end == at + pages)
			return at;
		at = end;
	}
	return arena_pages;
}

void *arena_alloc(u32 pages)
{
	void *p = NULL;
	u64 flags;
	u32 at;

	if (pages == 0 || pages > ARENA_RUN_MAX)
		return NULL;
	flags = spin_lock_irq(&arena_lock);
	at = arena_find_locked(pages);
	if (at < arena_pages) {
		for (u32 i = at; i < at + pages; i++)
			bitmap_set(arena_map, i);
		arena_free_count -= pages;
		if (bitmap_next_zero(arena_map, at, arena_low) == at)
			arena_low = at + pages;
		p = arena_base + (u64)at * PAGE_SIZE;
	}
	spin_unlock_irq(&arena_lock, flags);
	return p;
}

void *arena_alloc_wait(u32 pages)
{
	void *p;

	wait_event(&arena_wait, (p = arena_alloc(pages)) != NULL);
	return p;
}

void arena_free(void *p, u32 pages)
{
	u32 at = (u32)(((u8 *)p - arena_base) / PAGE_SIZE);
	u64 flags = spin_lock_irq(&arena_lock);

	for (u32 i = at; i < at + pages; i++)
		bitmap_clear(arena_map, i);
	arena_free_count += pages;
	if (at < arena_low)
		arena_low = at;
	spin_unlock_irq(&arena_lock, flags);
	waitq_wake_all(&arena_wait);
}

bool arena_contains(const void *p, size_t len)
{
	u64 off = (u64)((const u8 *)p - arena_base), size = (u64)arena_pages * PAGE_SIZE;

	return off < size && len <= size - off;
}

u32 arena_free_pages(void)
{
	return READ_ONCE(arena_free_count);
}
