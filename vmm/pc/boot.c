/* SPDX-License-Identifier: Apache-2.0 */
/* Entry states: real mode, or flat 32-bit protected mode without paging. */
#include <config.h>
#include "vmm/pc/boot.h"

#include <string.h>

#include <casemate/pcmachine.h>

#include "vmm/pc/firmware.h"

#define MULTIBOOT_EAX 0x2badb002u
#define CR0_PE	      1u
#define CR0_ET	      0x10u
#define BOOT_STACK    0x7000u /* real mode; protocols of protected mode promise none */

static struct kvm_segment boot_flat(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.limit = ~0u,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};
}

static void boot_real(struct kvm_segment *s, uint16_t selector)
{
	s->selector = selector;
	s->base = (uint64_t)selector << 4;
	s->limit = 0xffff;
}

static void boot_protected(struct kvm_sregs *s)
{
	s->cs = boot_flat(PC_GDT_CODE, 11);
	s->ds = boot_flat(PC_GDT_DATA, 3);
	s->es = s->fs = s->gs = s->ss = s->ds;
	s->tr = (struct kvm_segment){ .limit = 0x67, .type = 11, .present = 1 };
	s->gdt.base = PC_GDT;
	s->gdt.limit = PC_GDT_ENTRIES * 8 - 1;
	s->idt.limit = 0;
	s->cr0 = CR0_PE | CR0_ET;
}

void pc_boot_regs(const struct pc_image *image, struct kvm_sregs *s, struct kvm_regs *r)
{
	memset(r, 0, sizeof(*r));
	r->rip = image->entry;
	r->rflags = 2;
	switch (image->kind) {
	case PC_KIND_MULTIBOOT:
		r->rax = MULTIBOOT_EAX;
		r->rbx = PC_MULTIBOOT;
		boot_protected(s);
		break;
	case PC_KIND_PVH:
		r->rbx = PC_PVH;
		boot_protected(s);
		break;
	case PC_KIND_FLAT32:
		boot_protected(s);
		break;
	case PC_KIND_FLAT16:
		boot_real(&s->cs, 0);
		r->rsp = BOOT_STACK;
		break;
	}
}

void pc_boot_wake(uint32_t vector, struct kvm_sregs *s, struct kvm_regs *r)
{
	memset(r, 0, sizeof(*r));
	r->rip = vector & 0xf;
	r->rflags = 2;
	boot_real(&s->cs, (uint16_t)(vector >> 4));
}
