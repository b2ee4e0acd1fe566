/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own mapping by the book: text is executable and read-only, constants are read-only, data is never executable. The VMM's boot
 * tables allow everything: tables of our own replace theirs for the image, and nothing of the direct map can be executed.
 */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/pgtable.h"
#include "casemate/guestmem.h"
#include "kernel/log.h"

#define IMAGE_P	     1UL
#define IMAGE_W	     2UL
#define IMAGE_NX     (1UL << 63)
#define IMAGE_LARGE  0x80UL
#define IMAGE_RIGHTS (IMAGE_W | IMAGE_NX)
#define IMAGE_2M     0x200000UL
#define IMAGE_TABLES 4u /* each maps 2 MiB */
#define IMAGE_SLOTS  512u

extern const char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __image_end[];

static u64 image_pdpt[IMAGE_SLOTS] __aligned(4096);
static u64 image_pd[IMAGE_SLOTS] __aligned(4096);
static u64 image_tables[IMAGE_TABLES][IMAGE_SLOTS] __aligned(4096);

/* pvm needs the user bit in kernel mappings; std has it taken away at the top level. 0x60: accessed and dirty. */
static u64 image_entry(u64 va)
{
	u64 e = image_pa((void *)va) | IMAGE_P | 0x64;

	if (va >= (u64)__text_start && va < (u64)__text_end)
		return e;
	if (va >= (u64)__rodata_start && va < (u64)__rodata_end)
		return e | IMAGE_NX;
	return e | IMAGE_W | IMAGE_NX;
}

/* One kind of bytes only in these 2 MiB: an entry of that size will do. */
static bool image_uniform(u64 va)
{
	return va + IMAGE_2M <= (u64)__image_end &&
	       (image_entry(va) & IMAGE_RIGHTS) ==
		       (image_entry(va + IMAGE_2M - PAGE_SIZE) & IMAGE_RIGHTS);
}

void image_map_protect(u64 *top)
{
	u32 used = 0;

	for (u64 va = CM_KERNEL_IMAGE; va < (u64)__image_end; va += IMAGE_2M) {
		u64 *pd = &image_pd[va >> 21 & (IMAGE_SLOTS - 1)];

		if (image_uniform(va)) {
			*pd = image_entry(va) | IMAGE_LARGE;
			continue;
		}
		panic_if(used == IMAGE_TABLES);
		for (u32 i = 0; i < IMAGE_SLOTS && va + i * PAGE_SIZE < (u64)__image_end; i++)
			image_tables[used][i] = image_entry(va + i * PAGE_SIZE);
		*pd = image_pa(image_tables[used++]) | 0x67;
	}
	image_pdpt[CM_KERNEL_BASE >> 30 & (IMAGE_SLOTS - 1)] = image_pa(image_pd) | 0x67;
	top[CM_KERNEL_BASE >> 39 & (IMAGE_SLOTS - 1)] = image_pa(image_pdpt) | 0x67;
	top[CM_DIRECT_MAP >> 39 & (IMAGE_SLOTS - 1)] |= IMAGE_NX;
}
