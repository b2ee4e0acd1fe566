/* SPDX-License-Identifier: Apache-2.0 */
/* From the first C instruction of a vCPU to generic code; machine services that need no file of their own. */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/pgtable.h"
#include "arch/x86_64/trap.h"
#include "casemate/guestmem.h"
#include "casemate/hypercall.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "lib/string.h"
#include "kernel/main.h"

_Static_assert(CM_GPA_RAM - CM_KERNEL_BASE == IMAGE_TO_GPA, "known to assembly");

static struct cm_hypercall boot_calls[CM_MAX_CPUS] __aligned(4096);
static u32 boot_started; /* atomic: vCPUs that run */
static u64 boot_tsc[CM_MAX_CPUS]; /* when each one started */

_Static_assert(sizeof(struct cm_hypercall) * CM_MAX_CPUS <= PAGE_SIZE, "one page");

/* A hypercall takes a block; on pvm the string instruction exits once a byte. */
void arch_log_early(const char *text, size_t len)
{
	paddr_t pa = (u64)text >= CM_KERNEL_BASE ? image_pa(text) : va_to_pa(text);

	for (size_t n; len; len -= n, pa += n) {
		n = MIN(len, (size_t)CM_LOG_MAX);
		hypercall(CM_HC_LOG, pa, n);
	}
}

bool arch_is_pvm(void)
{
	return arch_pvm;
}

/* The block must lie at the start of a page: one static page, calls are rare. */
int hypercall(u32 op, u64 a0, u64 a1)
{
	static struct spinlock lock;
	struct cm_hypercall *hc = &boot_calls[0];
	u64 flags = spin_lock_irq(&lock);
	int ret;

	*hc = (struct cm_hypercall){ .op = op, .arg = { a0, a1 } };
	cpu_outl(CM_PORT_CALL, (u32)(image_pa(hc) >> PAGE_SHIFT));
	ret = READ_ONCE(hc->status);
	spin_unlock_irq(&lock, flags);
	return ret;
}

void arch_doorbell(u32 device, u32 queue)
{
	cpu_outl(CM_PORT_DOORBELL, device << 16 | queue);
}

void arch_power_off(u32 reason)
{
	log_flush();
	hypercall(CM_HC_POWER_OFF, reason, 0);
	irq_disable();
	for (;;)
		arch_halt();
}

u64 arch_rdtsc(void)
{
	return cpu_rdtsc();
}

void arch_random(void *buf, size_t len)
{
	u8 *p = buf;

	memset(p, 0, len);
	if (!(arch_cpuid1.ecx & CPUID1_ECX_RDRAND))
		return;
	for (; len;) {
		size_t n = MIN(len, sizeof(u64));
		u64 v = 0;

		__asm__ volatile("rdrand %0" : "+r"(v)::"cc");
		memcpy(p, &v, n);
		p += n;
		len -= n;
	}
}

static void boot_init_cpu(u32 cpu)
{
	syscall_init_cpu(cpu);
	lapic_init_cpu(cpu);
	percpu_start_clock();
}

/* All clocks here are TSCs: another one must have shown a time between our before and after. */
static void boot_check_tsc(u32 cpu, u64 before, u64 after)
{
	u64 tsc = boot_tsc[cpu];

	if (tsc < before || tsc > after)
		log_warn("boot: the TSC of vCPU %u is off by about %ld ns: clocks will jump", cpu,
			tsc < before ? -(s64)clock_tsc_to_ns(before - tsc)
				     : (s64)clock_tsc_to_ns(tsc - after));
}

void arch_start_cpus(void)
{
	u64 start = cpu_rdtsc();
	u32 running = 1;

	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		if (thread_create_idle(cpu) < 0)
			panic("boot: no memory for vCPU %u", cpu);
		pcpus[cpu].root = pgt_kernel_root;
		pcpus[cpu].lazy = 1;
		if (hypercall(CM_HC_CPU_START, cpu, 0) < 0)
			panic("boot: the VMM does not start vCPU %u", cpu);
		running++;
	}
	while (atomic_load(&boot_started) < running)
		cpu_relax();
	for (u32 cpu = 1; cpu < cpu_count(); cpu++)
		boot_check_tsc(cpu, start, cpu_rdtsc());
}

static __noreturn void boot_secondary(u32 cpu)
{
	desc_init_cpu(cpu);
	fpu_init_cpu();
	boot_init_cpu(cpu);
	boot_tsc[cpu] = cpu_rdtsc();
	atomic_add(&boot_started, 1);
	sched_idle();
}

void arch_start(paddr_t fdt, u32 cpu)
{
	if (cpu != 0)
		boot_secondary(cpu);
	thread_init_boot();
	desc_init_cpu(0);
	platform_init();
	main_read_fdt(pa_to_va(fdt));
	pgt_init_kernel();
	fpu_init();
	sched_init();
	timer_init();
	tlb_init();
	nmi_init();
	vdso_update();
	boot_init_cpu(0);
	atomic_add(&boot_started, 1);
	kmain();
}
