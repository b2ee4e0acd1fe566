/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to start a vCPU. One more costs the host a thread's work of a quarter of a millisecond and memory, and most short programs never
 * have two things to do at once. So it is started when tasks have waited for a CPU, CPUS_WAIT in all since the last one came; or when a
 * thread may run nowhere else. Of each wait the first part does not count, as a waker that blocks soon makes room by itself; nor does what is
 * beyond CPUS_MOST, which may be the host's that had no time for us.
 */
#include "kernel/cpus.h"
#include "arch.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

#define CPUS_WAIT (2 * NSEC_PER_MSEC)
#define CPUS_FREE (100 * NSEC_PER_USEC)
#define CPUS_MOST (600 * NSEC_PER_USEC)

u64 cpus_missing;
u64 cpus_online = 1;

static struct mutex cpus_lock; /* protects: changes of cpus_missing */
static u64 cpus_waited_ns; /* atomic: by tasks, since a vCPU was last asked for */

void cpus_set_count(u32 count)
{
	u64 all = (1UL << count) - 1;

	thread_set_cpus(count);
	cpus_missing = all & ~cpus_online;
}

void cpus_limit(u32 count)
{
	if (count && count < cpu_count() && cpus_alone())
		cpus_set_count(count);
}

bool cpus_waited(const struct thread *t, u64 now)
{
	u64 waited = now - t->queued_at;

	if (!t->task || !(t->cpu_mask & READ_ONCE(cpus_missing)) || (s64)waited < 0)
		return false;
	if (waited > CPUS_FREE)
		atomic_add(&cpus_waited_ns, MIN(waited, CPUS_MOST) - CPUS_FREE);
	return atomic_load(&cpus_waited_ns) >= CPUS_WAIT;
}

/* cpus_lock is held. */
static int cpus_start(u32 cpu)
{
	/* It may be there from a try before. */
	int ret = percpu[cpu].idle ? 0 : thread_create_idle(cpu);

	if (ret == 0)
		ret = arch_start_cpu(cpu);
	if (ret == 0)
		atomic_and(&cpus_missing, ~(1UL << cpu));
	else if (ret != -ENOMEM && ret != -EAGAIN)
		panic("cpus: the VMM does not start vCPU %u: error %d", cpu, ret);
	return ret;
}

void cpus_start_more(void)
{
	if (atomic_load(&cpus_waited_ns) < CPUS_WAIT)
		return;
	mutex_lock(&cpus_lock);
	/* If it fails it is tried again later, as after a start. */
	if (cpus_missing && atomic_xchg(&cpus_waited_ns, 0UL) >= CPUS_WAIT)
		cpus_start((u32)__builtin_ctzl(cpus_missing));
	mutex_unlock(&cpus_lock);
}

int cpus_need(u64 mask)
{
	int ret = 0;

	if (mask & ~READ_ONCE(cpus_missing))
		return 0;
	mutex_lock(&cpus_lock);
	if (!(mask & ~cpus_missing))
		ret = cpus_start((u32)__builtin_ctzl(mask));
	mutex_unlock(&cpus_lock);
	return ret;
}

int cpus_need_all(void)
{
	int ret = 0;

	while (cpus_pending() && ret == 0)
		ret = cpus_need(1UL << __builtin_ctzl(READ_ONCE(cpus_missing)));
	while (ret == 0 && atomic_load(&cpus_online) != (1UL << cpu_count()) - 1)
		cpu_relax();
	return ret;
}

void cpus_arrived(void)
{
	atomic_or(&cpus_online, 1UL << cpu_id());
}
