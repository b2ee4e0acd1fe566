/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt flag, interrupt handlers, and the check of pvm's handshake.
 *
 * On pvm the flag is byte 0 of the page shared with the hypervisor; CLI, STI and POPF do not change it. An interrupt that came while
 * it was 0 shows in byte 1 and is delivered at the next exit, for which a hypercall instruction is the cheapest: that of the
 * processor's maker, the other one hangs.
 */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/trap.h"
#include "kernel/errno.h"
#include "kernel/log.h"

bool arch_pvm;
struct cpuid_regs arch_cpuid1;
u64 arch_trap_cycles;
struct pvm_page pvm_pages[CM_MAX_CPUS] __aligned(4096);
u64 pvm_options = PVM_OPTIONS;
bool pvm_fast_return;

static bool irq_vmmcall; /* AMD's hypercall instruction, not Intel's */

static struct {
	void (*fn)(void *arg);
	void *arg;
} irq_handlers[256];

bool irq_enabled(void)
{
	u64 flags;

	if (arch_pvm)
		return READ_ONCE(pvm_pages[cpu_id()].irq_enabled);
	__asm__ volatile("pushfq; pop %0" : "=r"(flags)::"memory");
	return flags & RFLAGS_IF;
}

void irq_disable(void)
{
	if (arch_pvm)
		WRITE_ONCE(pvm_pages[cpu_id()].irq_enabled, 0);
	else
		__asm__ volatile("cli");
	barrier();
}

static void irq_let_in(void)
{
	u64 rax = 0;

	if (irq_vmmcall)
		__asm__ volatile("vmmcall" : "+a"(rax)::"memory");
	else
		__asm__ volatile("vmcall" : "+a"(rax)::"memory");
}

void irq_enable(void)
{
	struct pvm_page *p;

	barrier();
	if (!arch_pvm) {
		__asm__ volatile("sti" ::: "memory");
		return;
	}
	p = &pvm_pages[cpu_id()];
	WRITE_ONCE(p->irq_enabled, 1);
	barrier();
	if (unlikely(READ_ONCE(p->irq_pending)))
		irq_let_in();
}

u64 irq_save(void)
{
	u64 flags = irq_enabled();

	irq_disable();
	return flags;
}

void irq_restore(u64 flags)
{
	if (flags)
		irq_enable();
}

bool in_interrupt(void)
{
	return pcpu_this()->irq_depth != 0;
}

int irq_register(u32 vector, void (*fn)(void *arg), void *arg)
{
	if (vector < 0x30 || vector >= VECTOR_SPURIOUS)
		return -EINVAL;
	if (irq_handlers[vector].fn)
		return -EBUSY;
	irq_handlers[vector].arg = arg;
	atomic_store(&irq_handlers[vector].fn, fn);
	return 0;
}

void irq_handle(u32 vector)
{
	struct pcpu *pc = pcpu_this();

	if (vector == VECTOR_SPURIOUS)
		return;
	pc->irq_depth++;
	if (irq_handlers[vector].fn)
		irq_handlers[vector].fn(irq_handlers[vector].arg);
	else
		log_warn("irq: no handler for vector %#x", vector);
	pc->irq_depth--;
	lapic_eoi();
}

/*
 * The way into user mode that is no exit. A hypervisor that does not know it refuses the options, or forgets them; they are asked for here and not in the
 * entry code, where a refusal would be taken for another platform.
 */
static void pvm_try_fast_return(u64 features)
{
	u64 page = image_pa(&pvm_pages[0]), want = PVM_OPTIONS | PVM_OPTIONS_RETURN, got = 0;

	if ((features & PVM_OPTIONS_RETURN) != PVM_OPTIONS_RETURN)
		return;
	pvm_fast_return = msr_write_safe(PVM_MSR_PAGE, page | want) == 0 &&
			  msr_read_safe(PVM_MSR_PAGE, &got) == 0 && got == (page | want);
	if (pvm_fast_return)
		pvm_options = want;
	else
		(void)msr_write_safe(PVM_MSR_PAGE, page | PVM_OPTIONS);
}

/* The entry code made the handshake, if any; whether it took is seen from what must have changed. */
void platform_init(void)
{
	struct cpuid_regs vendor;
	u64 features = 0;
	u64 start = cpu_rdtsc();

	arch_cpuid1 = cpu_cpuid(1, 0);
	arch_trap_cycles = cpu_rdtsc() - start;
	if (!arch_pvm)
		return;
	vendor = cpu_cpuid(0, 0);
	irq_vmmcall = vendor.ebx == CPUID_AMD || vendor.ebx == CPUID_HYGON;
	if (msr_read_safe(PVM_MSR_FEATURES, &features) < 0)
		panic("pvm: no feature MSR: this KVM's handshake differs from the known one");
	if (cpu_read_cs() != USER_CS)
		panic("pvm: ring 0 is still interpreted after the handshake (cs %#x, features %#lx)",
			cpu_read_cs(), features);
	pvm_try_fast_return(features);
	irq_enable();
	if (!irq_enabled())
		panic("pvm: the interrupt flag of the shared page does not hold (features %#lx)",
			features);
	irq_disable();
}

void arch_halt(void)
{
	__asm__ volatile("hlt" ::: "memory");
}

void arch_idle(void)
{
	if (arch_pvm)
		idle_pvm(&pvm_pages[cpu_id()]);
	else
		idle_std();
}
