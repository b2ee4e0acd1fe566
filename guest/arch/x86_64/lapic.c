/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local APIC in x2APIC mode: end of interrupt, timer, IPIs. Each access traps (6-8 us on pvm), so the timer is not programmed
 * again while it already fires early enough.
 */
#include "arch/x86_64/pcpu.h"
#include "kernel/clock.h"
#include "kernel/log.h"

#define X2APIC(reg)	 (MSR_X2APIC + (reg))
#define APIC_EOI	 0x0b
#define APIC_SVR	 0x0f
#define APIC_ICR	 0x30
#define APIC_LVT_TIMER	 0x32
#define APIC_TIMER_COUNT 0x38
#define APIC_TIMER_DIV	 0x3e

#define APIC_BASE_X2APIC  (1UL << 10)
#define APIC_BASE_ENABLED (1UL << 11)
#define SVR_ENABLED	  0x100u
#define LVT_TSC_DEADLINE  (2u << 17)
#define TIMER_DIV_1	  0xb

/* Without TSC deadline the timer counts down APIC bus cycles, 1 ns each under KVM. */
static bool lapic_tsc_deadline;

void lapic_eoi(void)
{
	cpu_wrmsr(X2APIC(APIC_EOI), 0);
}

void lapic_init_cpu(u32 cpu)
{
	u64 base = cpu_rdmsr(MSR_APIC_BASE);

	if ((base & APIC_BASE_X2APIC) == 0)
		cpu_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLED | APIC_BASE_X2APIC);
	cpu_wrmsr(X2APIC(APIC_SVR), SVR_ENABLED | VECTOR_SPURIOUS);
	pcpus[cpu].apic_id = cpu; /* KVM's rule: the identity that the VMM gave the vCPU */
	if (cpu == 0)
		lapic_tsc_deadline = arch_cpuid1.ecx & CPUID1_ECX_TSC_DEADLINE;
	if (lapic_tsc_deadline) {
		cpu_wrmsr(X2APIC(APIC_LVT_TIMER), LVT_TSC_DEADLINE | VECTOR_TIMER);
	} else {
		cpu_wrmsr(X2APIC(APIC_TIMER_DIV), TIMER_DIV_1);
		cpu_wrmsr(X2APIC(APIC_LVT_TIMER), VECTOR_TIMER);
	}
}

void lapic_set_deadline(u64 tsc)
{
	u64 now, ns;

	if (lapic_tsc_deadline) {
		cpu_wrmsr(MSR_TSC_DEADLINE, tsc);
		return;
	}
	now = cpu_rdtsc();
	ns = tsc > now ? clock_tsc_to_ns(tsc - now) : 1;
	cpu_wrmsr(X2APIC(APIC_TIMER_COUNT), tsc ? MIN(ns + 1, 0xffffffffUL) : 0);
}

void lapic_send_ipi(u32 cpu, u32 vector)
{
	cpu_wrmsr(X2APIC(APIC_ICR), (u64)pcpus[cpu].apic_id << 32 | vector);
}
