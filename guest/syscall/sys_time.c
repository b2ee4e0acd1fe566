/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, sleeping and timers. */
#include <linux/time.h>
#include <linux/times.h>
#include <linux/timex.h>

#include "lib/string.h"
#include "syscall/cpu_clock.h"
#include "syscall/handlers.h"
#include "syscall/time_user.h"
#include "task/itimer.h"
#include "task/signal.h"
#include "task/time_ns.h"

#define CLK_TCK		 100
#define TICK_NS		 (NSEC_PER_SEC / CLK_TCK)
#define TIMER_ABSTIME	 0x01
#define CLOCK_TAI_OFFSET 0

/* Alarm clocks are those of a real-time clock that wakes a machine, which a guest has not: as in Linux without one, they cannot be read. */
static s64 clock_read(struct task *t, int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*ns = clock_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = time_shown(clock, clock_monotonic());
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		return cpu_clock_read(t, CPU_CLOCK_OWN, ns);
	case CLOCK_THREAD_CPUTIME_ID:
		return cpu_clock_read(t, CPU_CLOCK_OWN_THREAD, ns);
	default:
		return clock < 0 ? cpu_clock_read(t, clock, ns) : -EINVAL;
	}
}

s64 sys_clock_gettime(struct task *t, const struct sysargs *a)
{
	u64 ns;
	s64 ret = clock_read(t, (int)a->a[0], &ns);

	return ret < 0 ? ret : put_timespec(a->a[1], ns);
}

s64 sys_clock_getres(struct task *t, const struct sysargs *a)
{
	int clock = (int)a->a[0];
	u64 ns;
	s64 ret = clock_read(t, clock, &ns);

	if (ret < 0)
		return ret;
	if (!a->a[1])
		return 0;
	ns = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ? 4 * NSEC_PER_MSEC
									       : 1;
	return put_timespec(a->a[1], ns);
}

/* A guest has no say over the host's clock. */
s64 sys_clock_settime(struct task *t, const struct sysargs *a)
{
	s64 ns;

	if ((int)a->a[0] != CLOCK_REALTIME)
		return -EINVAL;
	ns = get_timespec(a->a[1]);
	return ns < 0 ? ns : -EPERM;
}

s64 sys_settimeofday(struct task *t, const struct sysargs *a)
{
	struct {
		s64 sec, usec;
	} tv;

	if (a->a[0] && copy_from_user(&tv, a->a[0], sizeof(tv)) < 0)
		return -EFAULT;
	if (a->a[0] && (tv.sec < 0 || tv.usec < 0 || tv.usec > 1000000))
		return -EINVAL;
	return -EPERM;
}

s64 sys_gettimeofday(struct task *t, const struct sysargs *a)
{
	u64 now = clock_realtime();
	struct {
		s64 sec, usec;
	} tv = { (s64)(now / NSEC_PER_SEC), (s64)(now % NSEC_PER_SEC / 1000) };

	if (a->a[0] && copy_to_user(a->a[0], &tv, sizeof(tv)) < 0)
		return -EFAULT;
	return a->a[1] ? clear_user(a->a[1], sizeof(struct timezone)) : 0;
}

s64 sys_time(struct task *t, const struct sysargs *a)
{
	s64 now = (s64)(clock_realtime() / NSEC_PER_SEC);

	return a->a[0] && put_user(now, a->a[0]) < 0 ? -EFAULT : now;
}

s64 sys_times(struct task *t, const struct sysargs *a)
{
	struct group *g = t->group;
	u64 utime, stime;
	struct {
		s64 v[4];
	} tms;

	group_times(g, &utime, &stime);
	tms.v[0] = (s64)(utime / TICK_NS);
	tms.v[1] = (s64)(stime / TICK_NS);
	tms.v[2] = (s64)(g->child_utime / TICK_NS);
	tms.v[3] = (s64)(g->child_stime / TICK_NS);
	if (a->a[0] && copy_to_user(a->a[0], &tms, sizeof(tms)) < 0)
		return -EFAULT;
	return (s64)(clock_monotonic() / TICK_NS);
}

static s64 sleep_restart(struct task *t);

/* Sleep until a CLOCK_MONOTONIC deadline. rem: where the rest goes when interrupted; 0 for none. */
static s64 sleep_until(struct task *t, u64 deadline, uaddr_t rem, bool relative)
{
	while (clock_monotonic() < deadline) {
		int ret = sched_sleep_until(deadline, true);
		u64 now;

		if (ret == 0)
			continue;
		if (!relative)
			return -ERESTARTNOHAND;
		now = clock_monotonic();
		if (rem && put_timespec(rem, deadline > now ? deadline - now : 0) < 0)
			return -EFAULT;
		t->restart.fn = sleep_restart;
		t->restart.arg[0] = deadline;
		t->restart.arg[1] = rem;
		return -ERESTART_RESTARTBLOCK;
	}
	return 0;
}

static s64 sleep_restart(struct task *t)
{
	return sleep_until(t, t->restart.arg[0], t->restart.arg[1], true);
}

s64 sys_nanosleep(struct task *t, const struct sysargs *a)
{
	s64 ns = get_timespec(a->a[0]);

	return ns < 0 ? ns : sleep_until(t, deadline_after(ns), a->a[1], true);
}

s64 sys_clock_nanosleep(struct task *t, const struct sysargs *a)
{
	int clock = (int)a->a[0];
	bool absolute = a->a[1] & TIMER_ABSTIME;
	s64 ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		break;
	case CLOCK_PROCESS_CPUTIME_ID:
		return cpu_clock_sleep(t, CPU_CLOCK_OWN, a);
	case CLOCK_THREAD_CPUTIME_ID: /* one's own never comes */
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		if (clock >= 0)
			return -EINVAL;
		return cpu_clock_sleep(t, clock, a);
	}
	ns = get_timespec(a->a[2]);
	if (ns < 0)
		return ns;
	if (!absolute)
		return sleep_until(t, deadline_after(ns), a->a[3], true);
	if (clock == CLOCK_REALTIME || clock == CLOCK_TAI)
		return sleep_until(t, deadline_at_realtime(ns), 0, false);
	return sleep_until(t, time_from_shown(clock, (u64)ns), 0, false);
}

struct user_timeval_pair {
	s64 interval_sec, interval_usec, value_sec, value_usec;
};

static s64 timeval_to_ns(s64 sec, s64 usec)
{
	struct __kernel_timespec ts = { sec, usec * 1000 };

	if (usec < 0 || usec >= 1000000)
		return -EINVAL;
	return timespec_to_ns(&ts);
}

static struct user_timeval_pair itimer_to_user(const struct itimer_value *v)
{
	struct user_timeval_pair u = {
		.interval_sec = (s64)(v->interval / NSEC_PER_SEC),
		.interval_usec = (s64)(v->interval % NSEC_PER_SEC / 1000),
		.value_sec = (s64)(v->left / NSEC_PER_SEC),
		.value_usec = (s64)(v->left % NSEC_PER_SEC / 1000),
	};

	/* An armed timer never reads as off. */
	if (v->left && !u.value_sec && !u.value_usec)
		u.value_usec = 1;
	return u;
}

s64 sys_getitimer(struct task *t, const struct sysargs *a)
{
	struct user_timeval_pair u;
	struct itimer_value v;

	if ((int)a->a[0] < ITIMER_REAL || (int)a->a[0] > ITIMER_PROF)
		return -EINVAL;
	itimer_get(t->group, (int)a->a[0], &v);
	u = itimer_to_user(&v);
	return copy_to_user(a->a[1], &u, sizeof(u));
}

s64 sys_setitimer(struct task *t, const struct sysargs *a)
{
	struct user_timeval_pair u;
	struct itimer_value v, old;
	s64 left, interval;

	memset(&u, 0, sizeof(u));
	/* Linux takes a missing new value for zero. */
	if (a->a[1] && copy_from_user(&u, a->a[1], sizeof(u)) < 0)
		return -EFAULT;
	left = timeval_to_ns(u.value_sec, u.value_usec);
	interval = timeval_to_ns(u.interval_sec, u.interval_usec);
	if (left < 0 || interval < 0 || (int)a->a[0] < ITIMER_REAL || (int)a->a[0] > ITIMER_PROF)
		return -EINVAL;
	v.left = MIN((u64)left, (u64)INT64_MAX / 2);
	v.interval = MIN((u64)interval, (u64)INT64_MAX / 2);
	itimer_set(t->group, (int)a->a[0], &v, &old);
	if (!a->a[2])
		return 0;
	u = itimer_to_user(&old);
	return copy_to_user(a->a[2], &u, sizeof(u));
}

s64 sys_alarm(struct task *t, const struct sysargs *a)
{
	struct itimer_value v = { .left = (u64)(u32)a->a[0] * NSEC_PER_SEC };
	struct itimer_value old;
	u64 sec;

	itimer_set(t->group, ITIMER_REAL, &v, &old);
	sec = (old.left + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
	return (s64)(old.left && !sec ? 1 : sec);
}

static s64 timer_of_clock(struct task *t, int clock, const sigevent_t *ev)
{
	struct cpu_clock cpu;
	s64 id;

	if (clock == CLOCK_PROCESS_CPUTIME_ID)
		clock = CPU_CLOCK_OWN;
	else if (clock == CLOCK_THREAD_CPUTIME_ID)
		clock = CPU_CLOCK_OWN_THREAD;
	if (clock >= 0)
		return ptimer_create(t, clock, NULL, ev);
	if (cpu_clock_is_device(clock))
		return -EOPNOTSUPP;
	id = cpu_clock_find(t, clock, false, &cpu);
	if (id < 0)
		return id;
	id = ptimer_create(t, clock, &cpu, ev);
	task_put(cpu.of);
	return id;
}

s64 sys_timer_create(struct task *t, const struct sysargs *a)
{
	sigevent_t ev;
	s64 id;
	int user_id;

	memset(&ev, 0, sizeof(ev));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = SIGALRM;
	if (a->a[1] && copy_from_user(&ev, a->a[1], sizeof(ev)) < 0)
		return -EFAULT;
	id = timer_of_clock(t, (int)a->a[0], &ev);
	if (id < 0)
		return id;
	user_id = (int)id;
	if (put_user(user_id, a->a[2]) < 0) {
		ptimer_delete(t, user_id);
		return -EFAULT;
	}
	return 0;
}

static s64 put_itimerspec(uaddr_t dst, const struct itimer_value *v)
{
	struct __kernel_itimerspec its = { ns_to_timespec(v->interval), ns_to_timespec(v->left) };

	return copy_to_user(dst, &its, sizeof(its));
}

s64 sys_timer_settime(struct task *t, const struct sysargs *a)
{
	struct __kernel_itimerspec its;
	struct itimer_value v, old;
	s64 left, interval, ret;

	if (!a->a[2])
		return -EINVAL;
	if (copy_from_user(&its, a->a[2], sizeof(its)) < 0)
		return -EFAULT;
	left = timespec_to_ns(&its.it_value);
	interval = timespec_to_ns(&its.it_interval);
	if (left < 0 || interval < 0)
		return -EINVAL;
	v.left = MIN((u64)left, (u64)INT64_MAX / 2);
	v.interval = MIN((u64)interval, (u64)INT64_MAX / 2);
	ret = ptimer_set(t, (int)a->a[0], a->a[1] & TIMER_ABSTIME, &v, &old);
	return ret == 0 && a->a[3] ? put_itimerspec(a->a[3], &old) : ret;
}

s64 sys_timer_gettime(struct task *t, const struct sysargs *a)
{
	struct itimer_value v;
	s64 ret = ptimer_get(t, (int)a->a[0], &v);

	return ret < 0 ? ret : put_itimerspec(a->a[1], &v);
}

s64 sys_timer_getoverrun(struct task *t, const struct sysargs *a)
{
	return ptimer_overrun(t, (int)a->a[0]);
}

s64 sys_timer_delete(struct task *t, const struct sysargs *a)
{
	return ptimer_delete(t, (int)a->a[0]);
}

/* The clock is the host's, which disciplines it: a query says "synchronised". */
#define TIMEX_ADJTIME	 0x8000u /* adjtime(3): wants TIMEX_SINGLESHOT, too */
#define TIMEX_SINGLESHOT 0x0001u

static s64 timex_query(uaddr_t p)
{
	u64 now = clock_realtime();
	struct timex tx;

	if (copy_from_user(&tx, p, sizeof(tx)) < 0)
		return -EFAULT;
	if ((tx.modes & TIMEX_ADJTIME) && !(tx.modes & TIMEX_SINGLESHOT))
		return -EINVAL;
	if (tx.modes)
		return -EPERM;
	memset(&tx, 0, sizeof(tx));
	tx.tick = 10000;
	tx.precision = 1;
	tx.tolerance = 500 << 16;
	tx.time.tv_sec = (s64)(now / NSEC_PER_SEC);
	tx.time.tv_usec = (s64)(now % NSEC_PER_SEC / 1000);
	return copy_to_user(p, &tx, sizeof(tx)) < 0 ? -EFAULT : TIME_OK;
}

s64 sys_adjtimex(struct task *t, const struct sysargs *a)
{
	return timex_query(a->a[0]);
}

s64 sys_clock_adjtime(struct task *t, const struct sysargs *a)
{
	return (int)a->a[0] == CLOCK_REALTIME ? timex_query(a->a[1]) : -EINVAL;
}
