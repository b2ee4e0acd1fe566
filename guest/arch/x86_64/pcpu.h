/* SPDX-License-Identifier: Apache-2.0 */
/* What the architecture keeps for each vCPU, and what of it user page tables must show on pvm. */
#ifndef ARCH_X86_64_PCPU_H
#define ARCH_X86_64_PCPU_H

#include "arch.h"
#include "arch/x86_64/asm.h"
#include "arch/x86_64/cpu.h"

/* Found by address: pcpus[cpu]. The system call stubs use the first two words. */
struct pcpu {
	u64 user_rsp; /* scratch of the system call entry */
	u64 kstack; /* top of the running thread's kernel stack */
	paddr_t root; /* page table that CR3 holds, or is about to */
	paddr_t leaves; /* the one that it holds until then; 0: it holds root */
	u64 tlb_request; /* atomic: serial number of the last flush asked of this CPU */
	u64 tlb_done; /* atomic: serial number of the last flush done */
	u32 lazy; /* atomic: what runs needs no user half; flushes can wait */
	u32 watches; /* atomic: looks for requests by itself, again and again (tlb_watch) */
	u64 tsc_deadline; /* what the timer is programmed to, 0 = off */
	struct thread
		*fpu_owner; /* whose state the FPU registers hold; may be gone, only compared */
	u64 fsbase, gsbase; /* what is loaded, as long as programs cannot change it themselves */
	bool no_tsc; /* what CR4.TSD says */
	bool debug_loaded; /* the debug registers are on */
	u32 irq_depth; /* interrupt handlers on this CPU's stacks */
	u32 apic_id;
} __aligned(1 << PCPU_SHIFT);

/* Frame of the trampoline's IRETQ. */
struct iret_frame {
	u64 rcx, r11, rip, cs, rflags, rsp, ss;
} __aligned(64);

/* pvm: the page at TRAMP_VA, which user mode sees without the right to write. The halves are apart because processors flush what they prefetched of
 * code when something near it is written. */
struct tramp_area {
	u8 code[2048];
	struct iret_frame frame[CM_MAX_CPUS];
} __aligned(4096);

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap;
} __packed;

/* Pages that the processor needs to deliver an event. On pvm they are supervisor pages in the user page tables. */
struct entry_area {
	u64 gdt[GDT_SLOTS];
	struct tss tss __aligned(16);
	u64 entry_stack[512] __aligned(4096); /* [0] = top of the kernel stack to go on with */
	u64 df_stack[512] __aligned(4096);
	u64 nmi_stack[512] __aligned(4096); /* [0] as above */
	u64 db_stack[512] __aligned(4096); /* [0] as above */
};

/* pvm: first bytes of the page that the hypervisor shares with a vCPU. */
struct pvm_page {
	u8 irq_enabled;
	u8 irq_pending;
	u8 reserved[6];
	u64 fault_addr;
	u8 pad[4096 - 16];
};

extern struct pcpu pcpus[CM_MAX_CPUS];
extern struct entry_area entry_areas[CM_MAX_CPUS];
extern struct tramp_area tramp_area;
extern struct pvm_page pvm_pages[CM_MAX_CPUS];
extern struct cpuid_regs arch_cpuid1; /* leaf 1 of the boot CPU: asking traps */
extern u64 arch_trap_cycles; /* TSC cycles of a trap (CPUID), as the boot CPU saw it */
extern bool arch_pvm; /* platform: set by the entry code, never changed */
extern u64 pvm_options; /* what a starting vCPU asks of pvm */
extern bool pvm_fast_return; /* user mode is entered by PVM_INT_RETURN */
extern u64 boot_stacks[CM_MAX_CPUS]; /* stack pointer of a starting vCPU */

static inline struct pcpu *pcpu_this(void)
{
	return &pcpus[cpu_id()];
}

/* gpa of an object in the image */
static inline paddr_t image_pa(const volatile void *p)
{
	return (u64)p + IMAGE_TO_GPA;
}

/* 0 or -EIO when the MSR does not exist. */
int msr_read_safe(u32 msr, u64 *v);
int msr_write_safe(u32 msr, u64 v);
int fsgsbase_probe(void);
/* Load a selector of the user's. -EIO: there is no such segment; the register is 0 then. */
int seg_load_ds(u32 sel);
int seg_load_es(u32 sel);
int seg_load_fs(u32 sel);
int seg_load_gs(u32 sel);

/* ---- parts of the architecture, in boot order ---- */
void desc_init_cpu(u32 cpu); /* GDT, IDT, TSS of this CPU */
void desc_set_kstack(u32 cpu, u64 top); /* where entries from user mode go on */
void platform_init(void); /* boot CPU: check of the pvm handshake */
void pgt_init_kernel(void); /* boot CPU */
void tlb_init(void); /* boot CPU */
/* Serve flushes that were asked of this CPU. While the last call said `on` no interrupt comes with them: call often. */
void tlb_watch(bool on);
void syscall_init_cpu(u32 cpu);
void lapic_init_cpu(u32 cpu);
void fpu_init(void); /* boot CPU */
void fpu_init_cpu(void);
void fpu_switch(struct thread *prev, struct thread *next);
void fpu_init_area(void *area);
/* Switch the debug registers to next's; only needed when it has some, or debug_loaded. */
void debug_regs_load(const struct thread *next);
/* A #DB from user mode: note DR6. True: a watchpoint or breakpoint, and not a single step. */
bool debug_regs_hit(struct regs *r);

/* Arrange for a timer interrupt at this TSC value (0 = none). */
void lapic_set_deadline(u64 tsc);
void lapic_send_ipi(u32 cpu, u32 vector);
void lapic_eoi(void);

#define VECTOR_TIMER	0xec
#define VECTOR_RESCHED	0xed
#define VECTOR_TLB	0xee
#define VECTOR_SPURIOUS 0xff

#endif
