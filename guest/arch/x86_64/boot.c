/* SPDX-License-Identifier: Apache-2.0 */
/* From the first C instruction of a vCPU to generic code; machine services that need no file of their own. */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/pgtable.h"
#include "arch/x86_64/trap.h"
#include "casemate/guestmem.h"
#include "casemate/hypercall.h"
#include "kernel/account.h"
#include "kernel/clock.h"
#include "kernel/cpus.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "kernel/main.h"

_Static_assert(CM_MAX_CPUS == CM_CPUS_MAX, "known to the host");
_Static_assert(CM_GPA_RAM - CM_KERNEL_BASE == IMAGE_TO_GPA, "known to assembly");

static struct cm_hypercall boot_calls[CM_MAX_CPUS] __aligned(4096);
#define BOOT_CHECK_NS (20 * NSEC_PER_MSEC)

static struct {
	u64 asked,
		started; /* TSC: before it was asked for, when it ran; started is atomic, 0 = not yet */
} boot_tsc[CM_MAX_CPUS];
static struct ktimer boot_checks;
static u64 boot_unchecked; /* atomic: CPUs whose TSC was not compared yet */

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
	account_start();
}

/* All clocks here are TSCs: another one must have shown a time between our before and after. */
static void boot_check_tsc(u32 cpu, u64 tsc, u64 after)
{
	u64 before = boot_tsc[cpu].asked;

	if (tsc < before || tsc > after)
		log_warn("boot: the TSC of vCPU %u is off by about %ld ns: clocks will jump", cpu,
			tsc < before ? -(s64)clock_tsc_to_ns(before - tsc)
				     : (s64)clock_tsc_to_ns(tsc - after));
}

static void boot_check(struct ktimer *t)
{
	u64 left = atomic_load(&boot_unchecked), done = 0;

	for (; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzl(left);
		u64 tsc = atomic_load(&boot_tsc[cpu].started);

		if (!tsc)
			continue;
		boot_check_tsc(cpu, tsc, cpu_rdtsc());
		done |= 1UL << cpu;
	}
	/* Who adds to none arms it: never both. */
	if (atomic_and(&boot_unchecked, ~done) & ~done)
		ktimer_arm(t, clock_monotonic() + BOOT_CHECK_NS);
}

int arch_start_cpu(u32 cpu)
{
	int ret;

	pcpus[cpu].apic_id = cpu; /* others may call it before it says so itself */
	boot_tsc[cpu].asked = cpu_rdtsc();
	ret = hypercall(CM_HC_CPU_START, cpu, 0);
	if (ret < 0)
		return ret;
	if (!boot_checks.fn)
		ktimer_init(&boot_checks, boot_check);
	if (!atomic_or(&boot_unchecked, 1UL << cpu))
		ktimer_arm(&boot_checks, clock_monotonic() + BOOT_CHECK_NS);
	return 0;
}

static __noreturn void boot_secondary(u32 cpu)
{
	desc_init_cpu(cpu);
	fpu_init_cpu();
	boot_init_cpu(cpu);
	atomic_store(&boot_tsc[cpu].started, cpu_rdtsc());
	cpus_arrived();
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
	kmain();
}
