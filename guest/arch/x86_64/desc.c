/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor tables: one IDT, and for each vCPU a GDT, a TSS and the stacks that events arrive on. */
#include "arch/x86_64/pcpu.h"

#define IST_DF	1
#define IST_NMI 2
#define IST_DB	3

struct gate {
	u16 offset0, selector;
	u8 ist, type;
	u16 offset1;
	u32 offset2, reserved;
};

struct table_ptr {
	u16 limit;
	u64 base;
} __packed;

extern const char trap_stubs[];

struct gate desc_idt[256] __aligned(4096);
const struct table_ptr desc_idtr = { sizeof(desc_idt) - 1, (u64)desc_idt };
struct entry_area entry_areas[CM_MAX_CPUS] __aligned(4096);
struct pcpu pcpus[CM_MAX_CPUS];

_Static_assert(sizeof(struct pcpu) == 1 << PCPU_SHIFT, "pcpus is indexed by shift in assembly");
_Static_assert(offsetof(struct pcpu, user_rsp) == PCPU_USER_RSP, "known to assembly");
_Static_assert(offsetof(struct pcpu, kstack) == PCPU_KSTACK, "known to assembly");
_Static_assert(sizeof(struct regs) == REGS_SIZE, "known to assembly");
_Static_assert(offsetof(struct regs, rax) == REGS_RAX, "known to assembly");
_Static_assert(offsetof(struct regs, rdi) == REGS_RDI, "known to assembly");
_Static_assert(offsetof(struct regs, orig_rax) == REGS_ORIG_RAX, "known to assembly");
_Static_assert(offsetof(struct regs, rip) == REGS_RIP, "known to assembly");
_Static_assert(offsetof(struct regs, cs) == REGS_CS, "known to assembly");
_Static_assert(ASM_MAX_CPUS == CM_MAX_CPUS, "known to assembly");
_Static_assert(ASM_KSTACK_SIZE == KSTACK_SIZE, "known to assembly");
_Static_assert(sizeof(struct tss) == 104, "architecture");
_Static_assert(sizeof(struct entry_area) == 5 * PAGE_SIZE, "whole pages");
_Static_assert(sizeof(struct pvm_page) == PAGE_SIZE, "one page a vCPU");

/* The 32-bit code segment of programs is added on std. */
#define DESC_USER_CS32 0x00cffb000000ffffUL
static const u64 desc_gdt[8] = {
	[KERNEL_CS / 8] = 0x00af9b000000ffff,
	[KERNEL_SS / 8] = 0x00cf93000000ffff,
	[USER_SS / 8] = 0x00cff3000000ffff,
	[USER_CS / 8] = 0x00affb000000ffff,
};

/* trap_entry.S says why; pvm's hypervisor has no such exceptions. */
static u8 desc_db_stack(u32 vector)
{
	return vector == TRAP_DB && !arch_pvm ? IST_DB : 0;
}

static void desc_fill_idt(void)
{
	for (u32 v = 0; v < ARRAY_SIZE(desc_idt); v++) {
		u64 at = (u64)trap_stubs + v * 16;

		desc_idt[v] = (struct gate){
			.offset0 = (u16)at,
			.selector = KERNEL_CS,
			.ist = v == TRAP_DF		       ? IST_DF
			       : v == TRAP_NMI || v == TRAP_MC ? IST_NMI
							       : desc_db_stack(v),
			/* Interrupt gates; breakpoints may be raised by user mode. */
			.type = v == TRAP_BP || v == TRAP_OF ? 0xee : 0x8e,
			.offset1 = (u16)(at >> 16),
			.offset2 = (u32)(at >> 32),
		};
	}
}

void desc_set_kstack(u32 cpu, u64 top)
{
	pcpus[cpu].kstack = top;
	entry_areas[cpu].entry_stack[0] = top;
	entry_areas[cpu].nmi_stack[0] = top;
	entry_areas[cpu].db_stack[0] = top;
}

void desc_init_cpu(u32 cpu)
{
	struct entry_area *ea = &entry_areas[cpu];
	u64 tss = (u64)&ea->tss;
	struct table_ptr gdtr = { sizeof(ea->gdt) - 1, (u64)ea->gdt };

	if (cpu == 0)
		desc_fill_idt();
	for (u32 i = 0; i < ARRAY_SIZE(desc_gdt); i++)
		ea->gdt[i] = desc_gdt[i];
	if (!arch_pvm)
		ea->gdt[USER_CS32 / 8] = DESC_USER_CS32;
	ea->gdt[TSS_SEL / 8] =
		0x0000890000000067 | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	ea->gdt[TSS_SEL / 8 + 1] = tss >> 32;
	ea->gdt[CPU_SEGMENT / 8] = 0x0040f50000000000 | cpu;
	ea->tss.rsp[0] = (u64)(ea->entry_stack + ARRAY_SIZE(ea->entry_stack));
	ea->tss.ist[IST_DF - 1] = (u64)(ea->df_stack + ARRAY_SIZE(ea->df_stack));
	ea->tss.ist[IST_NMI - 1] = (u64)(ea->nmi_stack + ARRAY_SIZE(ea->nmi_stack));
	ea->tss.ist[IST_DB - 1] = (u64)(ea->db_stack + ARRAY_SIZE(ea->db_stack));
	ea->tss.iomap = sizeof(ea->tss);
	__asm__ volatile("lgdt %0\n\t"
			 "ltr %w1\n\t"
			 "lidt %2\n\t"
			 "mov %w3, %%ds\n\t"
			 "mov %w3, %%es\n\t"
			 "mov %w3, %%fs\n\t"
			 "mov %w3, %%gs" ::"m"(gdtr),
			 "r"(TSS_SEL), "m"(desc_idtr), "r"(0)
			 : "memory");
	/* After a reset there is a local table at address 0, which is the program's. */
	if (!arch_pvm)
		__asm__ volatile("lldt %w0" ::"r"(0));
}
