/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler.
 *
 * A run queue's lock is held across the switch and let go by the thread that comes in, so whoever holds the lock of t->cpu sees t
 * either running (on_cpu) or switched out completely. A wake-up takes that lock: a sleeper that still runs is only made runnable
 * again, it will find that when it comes to switch.
 *
 * A woken thread goes to the waker's queue: most wakers block soon after, and the switch then needs no IPI (which costs 10 us and
 * 25 more until it arrives on pvm). An idle CPU that still looks around takes it at once. If there is none and the waker goes back to user mode, one
 * that halted is called to fetch what waits; but a thread that has shown the habit of blocking right after a wake-up gets the time to do it again,
 * and the timer watches it.
 *
 * A woken thread that has run much less than the one that runs takes its place as soon as that one leaves the kernel. Time slices
 * matter only while something waits: then the timer is armed on the way to user mode. A CPU whose queue is longer than another's gives
 * threads away at the end of slices; idle CPUs take them by themselves. CPUs that are not there yet are called by cpus.c.
 */
#include "kernel/sched.h"
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/trap.h"
#include "cgroup/cgroup.h"
#include "kernel/account.h"
#include "kernel/clock.h"
#include "kernel/cpus.h"
#include "kernel/errno.h"
#include "kernel/idle.h"
#include "kernel/loadavg.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/waitq.h"
#include "lib/string.h"
#include "mm/as.h"

#define SCHED_SLICE_NS	 (4 * NSEC_PER_MSEC)
#define SCHED_PREEMPT_NS NSEC_PER_MSEC /* by how much a woken thread must be behind */
/* Who blocks within SOON of waking another, SURE times in a row, is trusted for TRUST. */
#define SCHED_SYNC_SOON	 (60 * NSEC_PER_USEC)
#define SCHED_SYNC_TRUST NSEC_PER_MSEC
#define SCHED_SYNC_SURE	 2u
#define SCHED_SYNC_MAX	 8u

static void sched_enqueue(struct thread *t, bool woken);

static u64 sched_cpu_bit(u32 cpu)
{
	return 1UL << cpu;
}

/* ---- the switch ---- */

static void sched_load_as(struct thread *t)
{
	u64 bit = sched_cpu_bit(cpu_id());

	if (t->as && !(atomic_load(&t->as->cpus) & bit))
		atomic_or(&t->as->cpus, bit);
	pgt_activate(t->as ? &t->as->pt : NULL);
}

static void sched_load(struct thread *prev, struct thread *next)
{
	desc_set_kstack(cpu_id(), (u64)next->stack + KSTACK_SIZE);
	sched_load_as(next);
	fpu_switch(prev, next);
	if (unlikely(next->arch.debug.control || pcpu_this()->debug_loaded))
		debug_regs_load(next);
}

/* Interrupts are off; the queue's lock is held and let go by the thread that comes in (sched_finish_switch). */
static void sched_switch_to(struct runq *rq, struct thread *next)
{
	struct thread *prev = rq->running;

	panic_if(thread_overflowed(prev));
	next->on_cpu = true;
	next->cpu = cpu_id();
	if (next->rseq)
		next->resumed = true;
	rq->running = next;
	rq->previous = prev;
	sched_load(prev, next);
	arch_switch(&prev->ksp, next->ksp);
}

/* First thing after the switch: the previous thread's stack is free now. If it may not run here any more, it goes elsewhere. */
static void sched_finish_switch(void)
{
	struct runq *rq = &percpu_this()->runq;
	struct thread *away = rq->away;

	rq->away = NULL;
	rq->previous->on_cpu = false;
	spin_unlock(&rq->lock);
	if (unlikely(away))
		sched_enqueue(away, false);
}

void sched_switched(void)
{
	sched_finish_switch();
	irq_enable();
}

/* The running thread blocks: did it so soon after it woke another? */
static void sched_learn(struct thread *t)
{
	if (!t->woke_at)
		return;
	if (clock_monotonic() - t->woke_at < SCHED_SYNC_SOON)
		t->sync = MIN(t->sync + 1, SCHED_SYNC_MAX);
	else
		t->sync = 0;
	t->woke_at = 0;
}

/* The running thread goes back to the queue, or on to another CPU, or sleeps as its state says. */
static void sched_put_running(struct runq *rq, struct thread *t, u64 now)
{
	if (t->state != THREAD_RUNNABLE) {
		t->nvcsw++;
		sched_learn(t);
		return;
	}
	t->nivcsw++;
	t->queued_at = now;
	if (t->cpu_mask & sched_cpu_bit(cpu_id()))
		runq_push(rq, t);
	else
		rq->away = t;
}

/* What the cgroup of the thread that comes in allows it: look at it in time, or on its way to user mode. */
static void sched_limit(struct thread *t, u64 now)
{
	u64 slice = cpucg_slice(t);

	if (!slice)
		t->need_resched = true;
	else if (slice != ~0UL)
		timer_set_slice(now + slice);
}

static void sched_reschedule(void)
{
	u64 flags = irq_save();
	struct percpu *pc = percpu_this();
	struct runq *rq = &pc->runq;
	struct thread *prev, *next;
	u64 now;

	account_system();
	now = clock_monotonic();
	spin_lock(&rq->lock);
	prev = rq->running;
	cpucg_charge(prev, now);
	if (prev != pc->idle) {
		runq_raise_floor(rq, prev->vruntime);
		sched_put_running(rq, prev, now);
	}
	next = runq_first(rq, cpu_id());
	if (next)
		runq_remove(rq, next);
	else
		next = pc->idle;
	if (next == pc->idle)
		idle_begin();
	account_next(next == pc->idle);
	prev->need_resched = false;
	next->need_resched = false;
	next->slice_end = now + SCHED_SLICE_NS;
	if (unlikely(READ_ONCE(cpucg_limits)))
		sched_limit(next, now);
	if (cpus_pending() && next != prev && cpus_waited(next, now))
		next->need_resched = true; /* brings it to sched_preempt */
	if (next == prev) {
		spin_unlock(&rq->lock);
	} else {
		sched_switch_to(rq, next);
		sched_finish_switch();
	}
	irq_restore(flags);
}

void sched_block(void)
{
	sched_reschedule();
}

/* Behind the first that waits. */
void sched_yield_cpu(void)
{
	u64 flags = irq_save();
	struct runq *rq = &percpu_this()->runq;
	struct thread *t = thread_current(), *first;

	spin_lock(&rq->lock);
	first = runq_first(rq, cpu_id());
	if (first && runq_before(t, first, 0))
		t->vruntime = first->vruntime;
	spin_unlock(&rq->lock);
	irq_restore(flags);
	if (first)
		sched_reschedule();
}

static bool sched_over_limit(const struct thread *t)
{
	u64 flags = irq_save();
	struct runq *rq = &percpu_this()->runq;
	bool over;

	/* it is not moved to another cgroup meanwhile */
	spin_lock(&rq->lock);
	over = t->task && !cpucg_slice(t);
	spin_unlock(&rq->lock);
	irq_restore(flags);
	return over;
}

void sched_preempt(void)
{
	struct thread *t = thread_current();

	if (unlikely(cpus_pending()))
		cpus_start_more();
	if (unlikely(READ_ONCE(cpucg_limits)) && sched_over_limit(t))
		cpucg_throttle(t);
	else
		sched_reschedule();
}

void sched_set_as(struct as *as)
{
	struct thread *t = thread_current();
	u64 flags = irq_save();

	t->as = as;
	sched_load_as(t);
	irq_restore(flags);
}

/* ---- waking ---- */

/* t is runnable, on no queue and on no CPU; interrupts are off, no queue's lock is held. */
static void sched_insert(u32 cpu, struct thread *t, bool woken)
{
	struct percpu *pc = &percpu[cpu];
	struct runq *rq = &pc->runq;

	if (t->task)
		load_wake();
	if (cpus_pending())
		t->queued_at = clock_monotonic();
	spin_lock(&rq->lock);
	if (rq->running != pc->idle)
		runq_raise_floor(rq, account_vruntime(pc));
	if (t->cpu != cpu)
		runq_rebase(&percpu[t->cpu].runq, rq, t);
	if (woken)
		runq_place_woken(rq, t);
	t->cpu = cpu;
	runq_push(rq, t);
	if (rq->running != pc->idle && runq_before(t, rq->running, SCHED_PREEMPT_NS) &&
		!idle_any(t->cpu_mask))
		rq->running->need_resched = true;
	spin_unlock(&rq->lock);
	/* It has something to choose from now, and may have no timer armed. */
	if (cpu != cpu_id()) {
		idle_busy(cpu);
		lapic_send_ipi(cpu, VECTOR_RESCHED);
	}
}

static void sched_enqueue(struct thread *t, bool woken)
{
	u32 cpu = cpu_id();
	u64 able = t->cpu_mask & READ_ONCE(cpus_online);

	/* One that is on its way looks at its queue when it arrives. */
	if (!(t->cpu_mask & sched_cpu_bit(cpu)))
		cpu = (u32)__builtin_ctzl(able ? able : t->cpu_mask & ~READ_ONCE(cpus_missing));
	sched_insert(cpu, t, woken);
}

static struct runq *sched_lock_queue_of(struct thread *t)
{
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		struct runq *rq = &percpu[cpu].runq;

		spin_lock(&rq->lock);
		if (t->cpu == cpu)
			return rq;
		spin_unlock(&rq->lock);
	}
}

void sched_set_nice(struct thread *t, s32 nice)
{
	u32 weight = SCHED_WEIGHT;

	for (; nice > 0; nice--)
		weight = weight * 4 / 5;
	for (; nice < 0; nice++)
		weight = weight * 5 / 4;
	WRITE_ONCE(t->nice_weight, MAX(weight, 1u));
	WRITE_ONCE(t->weight, t->nice_weight);
}

void sched_set_cgroup(struct thread *t, struct cgroup *cg)
{
	u64 flags = irq_save();
	struct runq *rq = sched_lock_queue_of(t);

	/* What another CPU has spent on it just now goes to the new one. */
	if (t->cpu == cpu_id())
		cpucg_charge(t, clock_monotonic());
	t->cgroup = cg;
	if (!cg)
		t->weight = t->nice_weight;
	spin_unlock(&rq->lock);
	irq_restore(flags);
}

void sched_set_affinity(struct thread *t, u64 mask)
{
	u64 flags = irq_save();
	struct runq *rq = sched_lock_queue_of(t);
	bool wrong = !(mask & sched_cpu_bit(t->cpu));
	bool queued = t->queued;

	t->cpu_mask = mask;
	if (wrong && queued)
		runq_remove(rq, t);
	else if (wrong && t->on_cpu)
		t->need_resched = true;
	spin_unlock(&rq->lock);
	if (wrong && queued)
		sched_enqueue(t, false);
	else if (wrong && t != thread_current())
		sched_kick(t);
	irq_restore(flags);
	if (wrong && t == thread_current())
		sched_reschedule();
}

static bool sched_wake_from(struct thread *t, bool intr_only)
{
	u64 flags = irq_save();
	struct runq *rq = sched_lock_queue_of(t);
	bool sleeps = t->state == THREAD_SLEEP_INTR || (t->state == THREAD_SLEEP && !intr_only);
	bool running = t->on_cpu;

	if (sleeps)
		t->state = THREAD_RUNNABLE;
	spin_unlock(&rq->lock);
	if (sleeps && !running) {
		if (!in_interrupt())
			thread_current()->woke_at = clock_monotonic();
		sched_enqueue(t, true);
	}
	irq_restore(flags);
	return sleeps;
}

bool sched_wake(struct thread *t)
{
	return sched_wake_from(t, false);
}

void sched_kick(struct thread *t)
{
	if (READ_ONCE(t->on_cpu) && t->cpu != cpu_id())
		lapic_send_ipi(t->cpu, VECTOR_RESCHED);
}

void sched_interrupt(struct thread *t)
{
	atomic_store(&t->interrupted, true);
	atomic_fence();
	if (!sched_wake_from(t, true))
		sched_kick(t);
}

/* The interrupt itself brings the CPU to trap_exit or out of HLT. */
static void sched_resched_interrupt(void *arg)
{
}

/* It woke another, and blocks right after that by habit. */
static bool sched_trusted(const struct thread *t)
{
	return t->woke_at && t->sync >= SCHED_SYNC_SURE;
}

void sched_take(struct thread *t)
{
	sched_insert(cpu_id(), t, false);
}

/* Does an idle CPU take what waits here? A thread that blocks right after a wake-up by habit calls none. */
static bool sched_offer(struct runq *rq, const struct thread *running)
{
	u32 called = IDLE_NOBODY;
	struct rb_node *n;
	bool taken = true;

	spin_lock(&rq->lock);
	n = rb_first(&rq->tree);
	if (n)
		taken = idle_takes(rb_entry(n, struct thread, run_node), !sched_trusted(running),
				&called) &&
			rq->queued == 1;
	spin_unlock(&rq->lock);
	idle_call(called);
	return taken;
}

/* Give a thread to a CPU where at least two fewer wait. */
static void sched_balance(struct runq *rq)
{
	struct thread *t = NULL;
	u32 cpu;

	for (cpu = 0; cpu < cpu_count() && !t; cpu++) {
		if (!(READ_ONCE(cpus_online) & sched_cpu_bit(cpu)) ||
			READ_ONCE(percpu[cpu].runq.queued) + 2 > READ_ONCE(rq->queued))
			continue;
		spin_lock(&rq->lock);
		t = runq_last(rq, cpu);
		if (t)
			runq_remove(rq, t);
		spin_unlock(&rq->lock);
	}
	if (t)
		sched_insert(cpu - 1, t, false);
}

/* The running thread's cgroup has a limit, perhaps: is it reached? */
static void sched_tick_limit(struct runq *rq, u64 now)
{
	struct thread *t;

	spin_lock(&rq->lock);
	t = rq->running;
	if (cpucg_charge(t, now))
		t->need_resched = true;
	else
		sched_limit(t, now);
	spin_unlock(&rq->lock);
}

void sched_tick(u64 now)
{
	struct runq *rq = &percpu_this()->runq;
	struct thread *t;

	if (unlikely(READ_ONCE(cpucg_limits)))
		sched_tick_limit(rq, now);
	if (!READ_ONCE(rq->queued))
		return;
	t = rq->running;
	if (now >= t->woke_at + SCHED_SYNC_TRUST)
		t->sync = 0;
	if (now >= t->slice_end) {
		t->need_resched = true;
		sched_balance(rq);
	}
}

void sched_leave_kernel(void)
{
	struct runq *rq = &percpu_this()->runq;
	struct thread *t = thread_current();

	if (likely(!READ_ONCE(rq->queued)) || (READ_ONCE(rq->relies) && rq->queued == 1))
		return;
	if (idle_any(~0UL) && sched_offer(rq, t))
		return;
	rq->relies = false;
	timer_set_slice(sched_trusted(t) && idle_any(~0UL)
				? MIN(t->slice_end, t->woke_at + SCHED_SYNC_TRUST)
				: t->slice_end);
}

int sched_sleep_until(u64 deadline, bool intr)
{
	struct waitq wq;
	struct waiter w = { .wake = NULL };
	int ret;

	waitq_init(&wq);
	wait_prepare(&wq, &w, intr);
	ret = wait_sleep(&w, intr, deadline);
	wait_finish(&wq, &w);
	return ret == -ETIMEDOUT ? 0 : ret;
}

void sched_init(void)
{
	idle_init(clock_tsc_to_ns(arch_trap_cycles));
	panic_if(irq_register(VECTOR_RESCHED, sched_resched_interrupt, NULL) < 0);
}
