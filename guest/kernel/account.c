/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/account.h"
#include "arch/x86_64/pcpu.h"
#include "kernel/clock.h"

static u64 account_weighted(const struct thread *t, u64 ns)
{
	return t->weight == SCHED_WEIGHT ? ns : ns * SCHED_WEIGHT / t->weight;
}

static u64 account_since(const struct percpu *pc)
{
	s64 tsc = (s64)(cpu_rdtsc() - READ_ONCE(pc->stamp));

	return tsc > 0 ? clock_tsc_to_ns((u64)tsc) : 0;
}

/* The time since the stamp goes to t's *sum and the CPU's *spent. From now on `user` is in user mode (NULL: nobody is). */
static void account_charge(
	struct percpu *pc, struct thread *t, u64 *sum, u64 *spent, struct thread *user)
{
	u64 now = cpu_rdtsc();
	u64 ns = clock_tsc_to_ns(now - pc->stamp);

	/* Stores are seen in this order by other CPUs. */
	WRITE_ONCE(pc->stamp_seq, pc->stamp_seq + 1);
	barrier();
	WRITE_ONCE(*sum, *sum + ns);
	WRITE_ONCE(*spent, *spent + ns);
	pc->user = user;
	pc->idles = false;
	/* In this order: see account_vruntime. */
	WRITE_ONCE(pc->stamp, now);
	barrier();
	WRITE_ONCE(t->vruntime, t->vruntime + account_weighted(t, ns));
	WRITE_ONCE(pc->stamp_seq, pc->stamp_seq + 1);
}

void account_enter_kernel(void)
{
	struct percpu *pc = percpu_this();
	struct thread *t = thread_current();

	account_charge(pc, t, &t->utime_ns, &pc->spent.user, NULL);
}

void account_leave_kernel(void)
{
	struct percpu *pc = percpu_this();
	struct thread *t = thread_current();

	account_charge(pc, t, &t->stime_ns, &pc->spent.system, t);
}

void account_system(void)
{
	struct percpu *pc = percpu_this();
	struct thread *t = thread_current();

	account_charge(
		pc, t, &t->stime_ns, t == pc->idle ? &pc->spent.idle : &pc->spent.system, NULL);
}

void account_next(bool idles)
{
	WRITE_ONCE(percpu_this()->idles, idles);
}

void account_start(void)
{
	struct percpu *pc = percpu_this();

	/* The first one starts before the clock does. */
	if (cpu_id() != 0)
		pc->spent.idle = clock_monotonic();
	WRITE_ONCE(pc->stamp, cpu_rdtsc());
}

/* Who was placed by the value of the last charge would run until the one that runs has caught up with it. */
u64 account_vruntime(const struct percpu *pc)
{
	const struct thread *t = pc->runq.running;
	u64 vruntime = READ_ONCE(t->vruntime);

	/* a charge meanwhile moves the stamp first, and so is not counted twice */
	barrier();
	return vruntime + account_weighted(t, account_since(pc));
}

/* False: a charge came in between. */
static bool account_look(const struct thread *t, struct cpu_time *ct)
{
	const struct percpu *pc = &percpu[READ_ONCE(t->cpu)];
	u32 seq = READ_ONCE(pc->stamp_seq);

	barrier();
	ct->user = READ_ONCE(t->utime_ns);
	ct->system = READ_ONCE(t->stime_ns);
	/* One that is on its way to another CPU, or is in the kernel there, has been charged. */
	if (READ_ONCE(pc->user) == t)
		ct->user += account_since(pc);
	barrier();
	return !(seq & 1) && READ_ONCE(pc->stamp_seq) == seq;
}

struct cpu_time thread_cpu_time(const struct thread *t)
{
	struct cpu_time ct;

	while (!account_look(t, &ct))
		cpu_relax();
	return ct;
}

static bool account_look_cpu(const struct percpu *pc, struct cpu_spent *spent)
{
	u32 seq = READ_ONCE(pc->stamp_seq);

	barrier();
	spent->user = READ_ONCE(pc->spent.user);
	spent->system = READ_ONCE(pc->spent.system);
	spent->idle = READ_ONCE(pc->spent.idle);
	if (READ_ONCE(pc->user))
		spent->user += account_since(pc);
	else if (READ_ONCE(pc->idles))
		spent->idle += account_since(pc);
	barrier();
	return !(seq & 1) && READ_ONCE(pc->stamp_seq) == seq;
}

struct cpu_spent account_spent(u32 cpu)
{
	const struct percpu *pc = &percpu[cpu];
	struct cpu_spent spent;

	if (!READ_ONCE(pc->stamp))
		return (struct cpu_spent){ .idle = clock_monotonic() };
	while (!account_look_cpu(pc, &spent))
		cpu_relax();
	return spent;
}
