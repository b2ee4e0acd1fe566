/* SPDX-License-Identifier: Apache-2.0 */
/* CPU-time clocks by number: what they say, and sleeping on them. */
#include "syscall/cpu_clock.h"

#include <linux/time.h>

#include "kernel/waitq.h"
#include "syscall/time_user.h"
#include "task/internal.h"

#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_KIND	 3
#define CPU_CLOCK_USER	 1 /* user mode alone; 0 and 2 are all of the time here */
#define CPU_CLOCK_NONE	 3 /* no CPU clock; of no thread it is a device's (cpu_clock_is_device) */
#define CPU_CLOCK_TICK	 (4 * NSEC_PER_MSEC)

static int cpu_clock_pid(int clock)
{
	return ~(clock >> 3);
}

/* Is it right that a clock of this kind is named by o? Threads are the process's own affair. */
static bool cpu_clock_may(
	const struct task *t, const struct task *o, const struct cpu_clock *c, bool reading)
{
	if (c->thread)
		return o->group == t->group;
	return READ_ONCE(o->group->leader) == o || (reading && o == t);
}

int cpu_clock_find(struct task *t, int clock, bool reading, struct cpu_clock *out)
{
	int pid = cpu_clock_pid(clock);
	struct task *o;

	out->thread = clock & CPU_CLOCK_THREAD;
	out->user = (clock & CPU_CLOCK_KIND) == CPU_CLOCK_USER;
	if ((clock & CPU_CLOCK_KIND) == CPU_CLOCK_NONE || pid < 0)
		return -EINVAL;
	o = pid ? task_find(pid) : t;
	if (!o)
		return -EINVAL;
	if (!pid)
		task_get(o);
	else if (!cpu_clock_may(t, o, out, reading)) {
		task_put(o);
		return -EINVAL;
	}
	out->of = o;
	return 0;
}

static u64 cpu_clock_time(const struct cpu_clock *c)
{
	struct cpu_time ct = { 0, 0 };

	if (!c->thread)
		group_times(c->of->group, &ct.user, &ct.system);
	else if (c->of->thread)
		ct = thread_cpu_time(c->of->thread);
	return c->user ? ct.user : cpu_time_sum(ct);
}

s64 cpu_clock_read(struct task *t, int clock, u64 *ns)
{
	struct cpu_clock c;
	int err = cpu_clock_find(t, clock, true, &c);

	if (err)
		return err;
	*ns = cpu_clock_time(&c);
	task_put(c.of);
	return 0;
}

/*
 * Until a process or thread has had CPU time up to `due`. Its clock is looked at when that can be at the earliest, and never more often than every
 * CPU_CLOCK_TICK. One that has ended has no more time to come: only a signal ends the wait.
 */
static u64 cpu_clock_next_look(const struct cpu_clock *c, u64 left)
{
	u32 threads = c->thread ? !c->of->dead : MIN(READ_ONCE(c->of->group->nlive), cpu_count());

	return threads ? deadline_after(
				 (s64)MIN(MAX(left / threads, CPU_CLOCK_TICK), (u64)INT64_MAX))
		       : WAIT_FOREVER;
}

static int cpu_clock_wait(const struct cpu_clock *c, u64 due, u64 *left)
{
	for (;;) {
		u64 now = cpu_clock_time(c);
		int ret;

		*left = due > now ? due - now : 0;
		if (!*left)
			return 0;
		ret = sched_sleep_until(cpu_clock_next_look(c, *left), true);
		if (ret)
			return ret;
	}
}

static s64 cpu_sleep_restart(struct task *t);

/* As sleep_until, on a CPU clock. */
static s64 cpu_sleep_until(struct task *t, int clock, u64 due, uaddr_t rem, bool relative)
{
	struct cpu_clock c;
	u64 left;
	int ret = cpu_clock_find(t, clock, false, &c);

	if (ret)
		return ret;
	ret = cpu_clock_wait(&c, due, &left);
	task_put(c.of);
	if (!ret)
		return 0;
	if (!relative)
		return -ERESTARTNOHAND;
	if (rem && put_timespec(rem, left) < 0)
		return -EFAULT;
	t->restart.fn = cpu_sleep_restart;
	t->restart.arg[0] = due;
	t->restart.arg[1] = rem;
	t->restart.arg[2] = (u64)clock;
	return -ERESTART_RESTARTBLOCK;
}

static s64 cpu_sleep_restart(struct task *t)
{
	return cpu_sleep_until(
		t, (int)t->restart.arg[2], t->restart.arg[0], t->restart.arg[1], true);
}

/* The caller's own time does not pass while it sleeps. */
s64 cpu_clock_sleep(struct task *t, int clock, const struct sysargs *a)
{
	s64 ns = cpu_clock_is_device(clock) ? -EOPNOTSUPP : get_timespec(a->a[2]);
	struct cpu_clock c;
	u64 now;
	bool own;

	if (ns < 0)
		return ns;
	if (cpu_clock_find(t, clock, false, &c))
		return -EINVAL;
	own = c.thread && c.of == t;
	now = cpu_clock_time(&c);
	task_put(c.of);
	if (own)
		return -EINVAL;
	if (a->a[1] & TIMER_ABSTIME)
		return cpu_sleep_until(t, clock, (u64)ns, 0, false);
	return cpu_sleep_until(t, clock, now + MIN((u64)ns, ~0UL - now), a->a[3], true);
}
