/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot page tables, GDT and registers.
 *
 * The tables use 2 MiB pages: [0, CM_GPA_RAM + size) at CM_DIRECT_MAP, the first GiB of RAM at CM_KERNEL_BASE. One page directory
 * serves one GiB; with CM_RAM_MAX that makes 68 directories, one PDPT for the direct map and one PDPT for the image, which fits between
 * CM_BOOT_TABLES and CM_BOOT_FDT.
 */
#include <config.h>
#include "vmm/boot.h"

#include <string.h>

#include <casemate/guestmem.h>

#define PT_ENTRIES  512u
#define PT_FLAGS    0x27u /* present, writable, user, accessed */
#define PT_PAGE_2M  (PT_FLAGS | 0xc0u) /* dirty, large */
#define PAGE_BYTES  0x1000u
#define GIB	    (1ULL << 30)
#define LARGE_BYTES (2ULL << 20)

#define TABLE_PDPT_DIRECT CM_BOOT_TABLES
#define TABLE_PDPT_IMAGE  (CM_BOOT_TABLES + PAGE_BYTES)
#define TABLE_PD_DIRECT	  (CM_BOOT_TABLES + 2 * PAGE_BYTES)

_Static_assert(TABLE_PD_DIRECT + (CM_GPA_RAM + CM_RAM_MAX) / GIB * PAGE_BYTES <= CM_BOOT_FDT,
	"page tables of the largest guest fit below the device tree");
_Static_assert(CM_BOOT_FDT + CM_BOOT_FDT_MAX <= CM_IMAGE_OFFSET, "device tree below the image");
_Static_assert(CM_GPA_RAM % GIB == 0, "the image's view of RAM starts at a page directory");

static uint64_t *boot_table(void *ram, uint64_t offset)
{
	return (uint64_t *)((char *)ram + offset);
}

static unsigned pt_index(uint64_t va, unsigned shift)
{
	return (unsigned)(va >> shift) & (PT_ENTRIES - 1);
}

static void boot_write_gdt(uint64_t *gdt)
{
	/* null, code32, code64, data, user code32, user data, user code64: the selectors of STAR on both platforms. */
	static const uint64_t entries[] = {
		0,
		0x00cf9b000000ffff,
		0x00af9b000000ffff,
		0x00cf93000000ffff,
		0x00cffb000000ffff,
		0x00cff3000000ffff,
		0x00affb000000ffff,
	};

	memcpy(gdt, entries, sizeof(entries));
}

void boot_write_tables(void *ram, uint64_t size)
{
	uint64_t *pml4 = boot_table(ram, CM_BOOT_PML4);
	uint64_t *direct = boot_table(ram, TABLE_PDPT_DIRECT);
	uint64_t *image = boot_table(ram, TABLE_PDPT_IMAGE);
	uint64_t end = CM_GPA_RAM + size;
	unsigned base = pt_index(CM_DIRECT_MAP, 30);
	uint64_t gpa;
	unsigned gib;

	pml4[pt_index(CM_DIRECT_MAP, 39)] = (CM_GPA_RAM + TABLE_PDPT_DIRECT) | PT_FLAGS;
	pml4[pt_index(CM_KERNEL_BASE, 39)] = (CM_GPA_RAM + TABLE_PDPT_IMAGE) | PT_FLAGS;
	for (gib = 0; gib * GIB < end; gib++) {
		uint64_t pd_offset = TABLE_PD_DIRECT + (uint64_t)gib * PAGE_BYTES;
		uint64_t *pd = boot_table(ram, pd_offset);

		direct[base + gib] = (CM_GPA_RAM + pd_offset) | PT_FLAGS;
		for (gpa = gib * GIB; gpa < end && gpa < (gib + 1) * GIB; gpa += LARGE_BYTES)
			pd[pt_index(gpa, 21)] = gpa | PT_PAGE_2M;
	}
	/* The directory of the first GiB of RAM serves both views. */
	image[pt_index(CM_KERNEL_BASE, 30)] = direct[base + CM_GPA_RAM / GIB];
	boot_write_gdt(boot_table(ram, CM_BOOT_GDT));
}

static struct kvm_segment boot_segment(uint16_t selector, uint8_t type, uint8_t is_code)
{
	return (struct kvm_segment){
		.limit = ~0u,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.l = is_code,
		.db = !is_code,
		.g = 1,
	};
}

void boot_sregs(struct kvm_sregs *s)
{
	s->cs = boot_segment(0x10, 11, 1);
	s->ss = boot_segment(0x18, 3, 0);
	s->ds = s->es = s->fs = s->gs = s->ss;
	s->gdt.base = CM_DIRECT_MAP + CM_GPA_RAM + CM_BOOT_GDT;
	s->gdt.limit = 7 * 8 - 1;
	s->cr3 = CM_GPA_RAM + CM_BOOT_PML4;
	s->cr4 = 0x620; /* PAE, OSFXSR, OSXMMEXCPT */
	s->cr0 = 0x80050033; /* PG, AM, WP, NE, ET, MP, PE */
	s->efer = 0xd01; /* NXE, LMA, LME, SCE */
}

void boot_regs(struct kvm_regs *r, uint64_t entry, uint64_t fdt_gpa, unsigned cpu)
{
	memset(r, 0, sizeof(*r));
	r->rip = entry;
	r->rdi = fdt_gpa;
	r->rsi = cpu;
	r->rflags = 2;
}
