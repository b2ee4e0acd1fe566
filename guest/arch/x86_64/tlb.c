/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading address spaces and getting stale translations out of all CPUs.
 *
 * A CPU publishes the root that it is to load before it loads it, beside the one that it leaves, which it runs on until then. Who changed entries asks every other CPU with that root for a flush (one
 * serial number a CPU, one IPI) and waits. A CPU that runs a kernel thread or idles keeps the last root but is lazy: it is not
 * interrupted, it flushes when it goes back to a user thread. All requests are whole flushes: on pvm an INVLPG costs as much as a
 * load of CR3.
 */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/pgtable.h"
#include "kernel/log.h"

#define TLB_PAGES_STD 32u /* more pages: flush all */
#define TLB_PAGES_PVM 1u

static void tlb_load(struct pcpu *pc, paddr_t root)
{
	atomic_store(&pc->leaves, pc->root);
	atomic_xchg(&pc->root, root);
	cpu_write_cr3(root);
	atomic_store(&pc->leaves, 0UL);
}

static void tlb_serve(struct pcpu *pc)
{
	u64 request = atomic_load(&pc->tlb_request);

	if (request == pc->tlb_done)
		return;
	/* Lazy: the root may be about to die, and nobody here needs it. */
	tlb_load(pc, pc->lazy ? pgt_kernel_root : pc->root);
	atomic_store(&pc->tlb_done, request);
}

/* Serves what was asked before; what is asked while `watches` is set comes without an interrupt. */
void tlb_watch(bool on)
{
	struct pcpu *pc = pcpu_this();
	u64 flags = irq_save();

	if (pc->watches != on)
		atomic_xchg(&pc->watches, on);
	tlb_serve(pc);
	irq_restore(flags);
}

static void tlb_interrupt(void *arg)
{
	tlb_serve(pcpu_this());
}

void tlb_init(void)
{
	/* How the others start, and what they look like to shootdowns until then. */
	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		pcpus[cpu].root = pgt_kernel_root;
		pcpus[cpu].lazy = 1;
	}
	irq_register(VECTOR_TLB, tlb_interrupt, NULL);
}

void pgt_activate(struct pgtable *pt)
{
	struct pcpu *pc = pcpu_this();
	u64 flags, request;

	if (!pt) {
		atomic_store(&pc->lazy, 1);
		return;
	}
	flags = irq_save();
	if (pc->lazy)
		atomic_xchg(&pc->lazy, 0);
	request = atomic_load(&pc->tlb_request);
	if (pc->root != pt->root || pc->tlb_done != request) {
		tlb_load(pc, pt->root);
		atomic_store(&pc->tlb_done, request);
	}
	irq_restore(flags);
}

static void tlb_wait(const u64 *serial, u64 asked)
{
	for (u32 cpu = 0; asked; cpu++, asked >>= 1) {
		if (!(asked & 1))
			continue;
		while (atomic_load(&pcpus[cpu].tlb_done) < serial[cpu])
			cpu_relax();
	}
}

/* The one that it leaves is published first and so looked at last. */
static bool tlb_has(struct pcpu *pc, paddr_t root)
{
	return atomic_load(&pc->root) == root || atomic_load(&pc->leaves) == root;
}

/* Ask the CPUs of mask, but this one, that have root loaded (0: any). Lazy ones are asked, but waited for only when `all`. */
static void tlb_ask(paddr_t root, u64 mask, bool all)
{
	u64 serial[CM_MAX_CPUS], asked = 0;

	atomic_fence();
	for (u32 cpu = 0; cpu < cpu_count(); cpu++) {
		struct pcpu *pc = &pcpus[cpu];

		if (cpu == cpu_id() || !(mask >> cpu & 1) || (root && !tlb_has(pc, root)))
			continue;
		serial[cpu] = atomic_add(&pc->tlb_request, 1);
		if (atomic_load(&pc->lazy) && !all)
			continue;
		if (!atomic_load(&pc->watches))
			lapic_send_ipi(cpu, VECTOR_TLB);
		asked |= 1UL << cpu;
	}
	tlb_wait(serial, asked);
}

void tlb_flush(struct pgtable *pt, u64 cpumask, uaddr_t start, uaddr_t end)
{
	struct pcpu *pc = pcpu_this();
	u64 pages = (end - start + PAGE_SIZE - 1) >> PAGE_SHIFT;

	if (pc->root == pt->root) {
		if (pages > (arch_pvm ? TLB_PAGES_PVM : TLB_PAGES_STD))
			cpu_write_cr3(pc->root);
		else
			for (uaddr_t va = start & PAGE_MASK; va < end; va += PAGE_SIZE)
				cpu_invlpg(va);
	}
	if (cpu_count() > 1)
		tlb_ask(pt->root, cpumask, false);
}

void arch_sync_cpus(void)
{
	if (cpu_count() > 1)
		tlb_ask(0, ~0UL, false);
}

void tlb_forget(paddr_t root)
{
	struct pcpu *pc = pcpu_this();
	u64 flags = irq_save();

	if (pc->root == root)
		tlb_load(pc, pgt_kernel_root);
	irq_restore(flags);
	tlb_ask(root, ~0UL, true);
}
