/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU without work looks around for a while before it halts: it takes what waits on another CPU's queue by itself. Calling a halted one costs
 * the waker an IPI and the called one the end of the halt, the interrupt and its end, each a trap where those are dear, and it comes a quarter of a
 * millisecond later. It looks for as long as that costs at most, and only while work keeps coming in that time: a CPU whose work comes rarely
 * halts at once, so an idle sandbox uses no processor.
 *
 * Who leaves a thread on its queue because of an idle CPU arms no timer for it and says so (runq.relies). The idle CPU clears its bit, then
 * looks: if it has other work, it interrupts who relied on it.
 */
#include "kernel/idle.h"
#include "arch.h"
#include "arch/x86_64/pcpu.h"
#include "kernel/clock.h"
#include "kernel/cpus.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

#define IDLE_TRAPS \
	6 /* what a halt costs: the IPI, the halt, the interrupt, its two ends, the wake-up */
#define IDLE_MOST (300 * NSEC_PER_USEC)

static u64 idle_cpus; /* atomic: sleep, and would take work */
static u64 idle_lookers; /* atomic: look around, or are about to */
static u64 idle_most; /* ns that a CPU looks around for at most */

static u64 idle_bit(u32 cpu)
{
	return 1UL << cpu;
}

void idle_init(u64 trap)
{
	idle_most = MIN(IDLE_TRAPS * trap, IDLE_MOST);
}

bool idle_any(u64 mask)
{
	u64 idle = atomic_load(&idle_cpus) | atomic_load(&idle_lookers);

	return idle & mask & ~idle_bit(cpu_id());
}

/* A sleeping CPU that may run t, which nobody else is going to call. IDLE_NOBODY: there is none. */
static u32 idle_claim(const struct thread *t)
{
	u64 idle = atomic_load(&idle_cpus) & t->cpu_mask & ~idle_bit(cpu_id());
	u32 cpu;

	if (!idle)
		return IDLE_NOBODY;
	cpu = idle & idle_bit(t->cpu) ? t->cpu : (u32)__builtin_ctzl(idle);
	return atomic_and(&idle_cpus, ~idle_bit(cpu)) & idle_bit(cpu) ? cpu : IDLE_NOBODY;
}

bool idle_takes(const struct thread *t, bool call, u32 *called)
{
	struct runq *rq = &percpu_this()->runq;

	*called = IDLE_NOBODY;
	atomic_xchg(&rq->relies, true);
	if (atomic_load(&idle_lookers) & t->cpu_mask & ~idle_bit(cpu_id()))
		return true;
	if (call)
		*called = idle_claim(t);
	return *called != IDLE_NOBODY;
}

void idle_call(u32 cpu)
{
	if (cpu != IDLE_NOBODY)
		lapic_send_ipi(cpu, VECTOR_RESCHED);
}

void idle_begin(void)
{
	atomic_or(&idle_lookers, idle_bit(cpu_id()));
}

void idle_busy(u32 cpu)
{
	atomic_and(&idle_cpus, ~idle_bit(cpu));
}

/* Take one thread that waits on another CPU. */
static bool idle_steal(void)
{
	u32 self = cpu_id();

	for (u32 n = 1; n < cpu_count(); n++) {
		struct runq *rq = &percpu[(self + n) % cpu_count()].runq;
		struct thread *t;

		if (!READ_ONCE(rq->queued))
			continue;
		spin_lock(&rq->lock);
		t = runq_first(rq, self);
		if (t)
			runq_remove(rq, t);
		spin_unlock(&rq->lock);
		if (t) {
			sched_take(t);
			return true;
		}
	}
	return false;
}

static bool idle_find_work(void)
{
	return READ_ONCE(percpu_this()->runq.queued) || idle_steal();
}

static bool idle_sees_work(void)
{
	for (u32 cpu = 0; cpu < cpu_count(); cpu++)
		if (READ_ONCE(percpu[cpu].runq.queued))
			return true;
	return false;
}

/* Look around until there may be something, or for what is left of the time. Interrupts are on meanwhile, flushes need none. */
static void idle_look(const struct idle_habit *h)
{
	tlb_watch(true);
	irq_enable();
	while (!idle_sees_work() && clock_monotonic() - h->since < idle_most) {
		tlb_watch(true);
		cpu_relax();
	}
	irq_disable();
	tlb_watch(false);
}

static void idle_halt(void)
{
	u64 bit = idle_bit(cpu_id());

	atomic_or(&idle_cpus, bit);
	atomic_and(&idle_lookers, ~bit);
	log_flush();
	if (!idle_find_work())
		arch_idle();
	atomic_or(&idle_lookers, bit);
	atomic_and(&idle_cpus, ~bit);
}

/* Others whose work this CPU did not take, and who armed no timer because of it, do so now. */
static void idle_disappoint(void)
{
	for (u32 cpu = 0; cpu < cpu_count(); cpu++) {
		struct runq *rq = &percpu[cpu].runq;

		if (cpu != cpu_id() && READ_ONCE(rq->relies) && READ_ONCE(rq->queued) &&
			atomic_xchg(&rq->relies, false))
			lapic_send_ipi(cpu, VECTOR_RESCHED);
	}
}

/* There is work, interrupts are off. */
static void idle_leave(struct idle_habit *h)
{
	atomic_and(&idle_lookers, ~idle_bit(cpu_id()));
	if (!cpus_alone())
		idle_learn(h, clock_monotonic() - h->since, idle_most);
	h->since = 0;
	idle_disappoint();
}

void sched_idle(void)
{
	struct idle_habit habit = { .since = 0 };

	idle_begin();
	for (;;) {
		irq_disable();
		if (!habit.since)
			habit.since = clock_monotonic();
		if (!idle_find_work() && !cpus_alone() && habit.luck &&
			clock_monotonic() - habit.since < idle_most)
			idle_look(&habit);
		if (!idle_find_work())
			idle_halt();
		irq_disable();
		if (percpu_this()->runq.queued) {
			idle_leave(&habit);
			sched_block();
		}
		irq_enable();
	}
}
