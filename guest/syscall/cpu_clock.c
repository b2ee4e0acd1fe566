/* SPDX-License-Identifier: Apache-2.0 */
/* CPU-time clocks by number: what they say, and sleeping on them. */
#include "syscall/cpu_clock.h"

#include <linux/time.h>

#include "kernel/waitq.h"
#include "syscall/time_user.h"
#include "task/internal.h"

#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_KIND	 3
#define CPU_CLOCK_FD	 3 /* no CPU clock: a device's, of which there are none */
#define CPU_CLOCK_TICK	 (4 * NSEC_PER_MSEC)

static u64 time_group_cpu(struct group *g)
{
	u64 utime, stime;

	group_times(g, &utime, &stime);
	return utime + stime;
}

static int cpu_clock_pid(int clock)
{
	return ~(clock >> 3);
}

/* Whose it is, with a reference. NULL: none such. */
static struct task *cpu_clock_task(struct task *t, int clock)
{
	int pid = cpu_clock_pid(clock);

	if ((clock & CPU_CLOCK_KIND) == CPU_CLOCK_FD || pid < 0)
		return NULL;
	if (pid)
		return task_find(pid);
	task_get(t);
	return t;
}

static u64 cpu_clock_time(struct task *t, bool of_thread)
{
	if (of_thread)
		return t->thread ? task_cpu_time(t) : 0;
	return time_group_cpu(t->group);
}

s64 cpu_clock_read(struct task *t, int clock, u64 *ns)
{
	struct task *other = cpu_clock_task(t, clock);

	if (!other)
		return -EINVAL;
	*ns = cpu_clock_time(other, clock & CPU_CLOCK_THREAD);
	task_put(other);
	return 0;
}

/*
 * Until a process or thread has had CPU time up to `due`. Its clock is looked at when that can be at the earliest, and never more often than every
 * CPU_CLOCK_TICK. One that has ended has no more time to come: only a signal ends the wait.
 */
static u64 cpu_clock_next_look(struct task *of, bool of_thread, u64 left)
{
	u32 threads = of_thread ? !of->dead : MIN(READ_ONCE(of->group->nlive), cpu_count());

	return threads ? deadline_after(
				 (s64)MIN(MAX(left / threads, CPU_CLOCK_TICK), (u64)INT64_MAX))
		       : WAIT_FOREVER;
}

static int cpu_clock_wait(struct task *of, bool of_thread, u64 due, u64 *left)
{
	for (;;) {
		u64 now = cpu_clock_time(of, of_thread);
		int ret;

		*left = due > now ? due - now : 0;
		if (!*left)
			return 0;
		ret = sched_sleep_until(cpu_clock_next_look(of, of_thread, *left), true);
		if (ret)
			return ret;
	}
}

static s64 cpu_sleep_restart(struct task *t);

/* As sleep_until, on a CPU clock. */
static s64 cpu_sleep_until(struct task *t, int clock, u64 due, uaddr_t rem, bool relative)
{
	struct task *of = cpu_clock_task(t, clock);
	u64 left;
	int ret;

	if (!of)
		return -EINVAL;
	ret = cpu_clock_wait(of, clock & CPU_CLOCK_THREAD, due, &left);
	task_put(of);
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

/* Another thread of the process, or a process by its own number; the caller's time does not pass while it sleeps. */
static bool cpu_clock_sleepable(struct task *t, struct task *of, int clock)
{
	if (clock & CPU_CLOCK_THREAD)
		return of != t && of->group == t->group;
	return !cpu_clock_pid(clock) || READ_ONCE(of->group->leader) == of;
}

s64 cpu_clock_sleep(struct task *t, int clock, const struct sysargs *a)
{
	s64 ns = (clock & CPU_CLOCK_KIND) == CPU_CLOCK_FD ? -EOPNOTSUPP : get_timespec(a->a[2]);
	struct task *of = ns < 0 ? NULL : cpu_clock_task(t, clock);
	bool good = of && cpu_clock_sleepable(t, of, clock);
	u64 now = good ? cpu_clock_time(of, clock & CPU_CLOCK_THREAD) : 0;

	task_put(of);
	if (!good)
		return ns < 0 ? ns : -EINVAL;
	if (a->a[1] & TIMER_ABSTIME)
		return cpu_sleep_until(t, clock, (u64)ns, 0, false);
	return cpu_sleep_until(t, clock, now + MIN((u64)ns, ~0UL - now), a->a[3], true);
}
