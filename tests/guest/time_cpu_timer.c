/* SPDX-License-Identifier: Apache-2.0 */
/* Timers on the CPU-time clocks of other processes and of other threads: timer_create(2), clock_getcpuclockid(3). */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/fs_tap.h"

#define MS   1000000l
#define WAIT 20 /* s, after which it does not come */

#define KIND_USER  1
#define KIND_TIME  2
#define KIND_OTHER 3 /* there is none such */
#define THREAD	   4

typedef int ktimer; /* as the kernel names them */

static sigset_t mask;

static int clock_of(int pid, int kind)
{
	return (int)(~(unsigned)pid << 3 | (unsigned)kind);
}

/* ns, or -errno. */
static long now(int clock)
{
	struct timespec ts;

	if (syscall(SYS_clock_gettime, clock, &ts))
		return -errno;
	return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int create(int clock, int notify, ktimer *out)
{
	struct sigevent ev = { .sigev_notify = notify, .sigev_signo = SIGUSR1 };

	return syscall(SYS_timer_create, clock, &ev, out) ? -errno : 0;
}

static int set(ktimer t, int flags, long value, long interval)
{
	struct itimerspec its = { { interval / 1000000000, interval % 1000000000 },
		{ value / 1000000000, value % 1000000000 } };

	return syscall(SYS_timer_settime, t, flags, &its, NULL) ? -errno : 0;
}

/* What is left; the period in *interval. */
static long left(ktimer t, long *interval)
{
	struct itimerspec its = { 0 };

	if (syscall(SYS_timer_gettime, t, &its))
		return -errno;
	if (interval)
		*interval = its.it_interval.tv_sec * 1000000000 + its.it_interval.tv_nsec;
	return its.it_value.tv_sec * 1000000000 + its.it_value.tv_nsec;
}

static void drop(ktimer t)
{
	syscall(SYS_timer_delete, t);
}

/* The timer's signal comes within the time. */
static bool fires(long ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	return sigtimedwait(&mask, NULL, &ts) == SIGUSR1;
}

/* A child that computes, or sleeps. */
static int child(bool computes)
{
	int pid = fork();

	if (pid)
		return pid;
	for (;;) {
		if (!computes)
			pause();
	}
}

static void end(int pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_fires(void)
{
	int pid = child(true), clock = clock_of(pid, KIND_TIME), n = 0;
	long at, period = 0;
	ktimer t = -1;

	is(create(clock, SIGEV_SIGNAL, &t), 0);
	at = now(clock) + 50 * MS;
	is(set(t, 0, 50 * MS, 0), 0);
	ok(left(t, NULL) > 0 && left(t, NULL) <= 50 * MS, "it has some time left");
	ok(fires(WAIT * 1000 * MS) && now(clock) >= at, "a timer on the clock of a child");
	ok(!left(t, NULL) && !fires(50 * MS), "once");
	is(set(t, TIMER_ABSTIME, now(clock) + 30 * MS, 0), 0);
	ok(fires(WAIT * 1000 * MS), "at a time of that clock");
	is(set(t, TIMER_ABSTIME, 1, 0), 0);
	ok(fires(WAIT * 1000 * MS), "one that has passed");
	at = now(clock);
	is(set(t, 0, 10 * MS, 10 * MS), 0);
	while (n < 5 && fires(WAIT * 1000 * MS))
		n++;
	ok(n == 5 && now(clock) >= at + 50 * MS, "again and again");
	ok(left(t, &period) > 0 && period == 10 * MS, "with a period");
	is(set(t, 0, 0, 0), 0);
	fires(0);
	ok(!left(t, NULL) && !fires(50 * MS), "until it is off");
	drop(t);
	end(pid);
}

static void test_waits(void)
{
	int pid = child(true), idle = child(false), clock = clock_of(pid, KIND_TIME);
	long before;
	ktimer t, none;

	create(clock, SIGEV_SIGNAL, &t);
	create(clock, SIGEV_NONE, &none);
	set(none, 0, 20 * MS, 0);
	ok(left(none, NULL) > 0, "one that tells nobody");
	for (before = now(clock); now(clock) < before + 25 * MS;)
		usleep(1000);
	ok(!left(none, NULL), "is over when the time is");
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	set(t, 0, 20 * MS, 0);
	ok(!fires(100 * MS) && left(t, NULL) > 0, "who is stopped has no time");
	kill(pid, SIGCONT);
	ok(fires(WAIT * 1000 * MS), "and goes on");
	drop(t);
	is(create(clock_of(idle, KIND_TIME), SIGEV_SIGNAL, &t), 0);
	set(t, 0, 20 * MS, 0);
	ok(!fires(100 * MS), "nor who sleeps");
	drop(t);
	drop(none);
	end(pid);
	end(idle);
}

static void test_end(void)
{
	int pid = child(true), clock = clock_of(pid, KIND_TIME);
	long period;
	siginfo_t si;
	ktimer t, no;

	create(clock, SIGEV_SIGNAL, &t);
	set(t, 0, 3600 * 1000 * MS, 7 * MS);
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
	ok(left(t, &period) > 0 && period == 7 * MS, "the process has ended");
	is(set(t, 0, 20 * MS, 0), 0);
	ok(!fires(50 * MS), "its time does not pass");
	waitpid(pid, NULL, 0);
	is(set(t, 0, 20 * MS, 0), -ESRCH);
	is(left(t, NULL), 0);
	is(create(clock, SIGEV_SIGNAL, &no), -EINVAL);
	is(syscall(SYS_timer_delete, t), 0);
}

static atomic_int tid;
static atomic_bool stop;

static void *burn(void *arg)
{
	atomic_store(&tid, (int)syscall(SYS_gettid));
	while (!atomic_load(&stop))
		;
	return arg;
}

static void test_threads(void)
{
	pthread_t th;
	ktimer t, no;
	int id;

	pthread_create(&th, NULL, burn, NULL);
	while (!(id = atomic_load(&tid)))
		usleep(1000);
	is(create(clock_of(id, KIND_TIME | THREAD), SIGEV_SIGNAL, &t), 0);
	is(set(t, 0, 30 * MS, 0), 0);
	ok(fires(WAIT * 1000 * MS) && now(clock_of(id, KIND_TIME | THREAD)) >= 30 * MS,
		"a timer on the clock of another thread");
	is(create(clock_of(id, KIND_TIME), SIGEV_SIGNAL, &no), -EINVAL); /* not a process */
	is(now(clock_of(id, KIND_TIME)), -EINVAL);
	ok(now(clock_of(getpid(), KIND_TIME)) > 0, "its process by the number");
	is(set(t, 0, 3600 * 1000 * MS, 0), 0);
	atomic_store(&stop, true);
	pthread_join(th, NULL);
	usleep(20000);
	is(set(t, 0, 20 * MS, 0), -ESRCH);
	drop(t);
}

static void test_refusals(void)
{
	const struct timespec little = { 0, 1 };
	int pid = child(false);
	ktimer t;

	is(create(clock_of(pid, KIND_TIME | THREAD), SIGEV_SIGNAL, &t), -EINVAL);
	is(now(clock_of(pid, KIND_TIME | THREAD)), -EINVAL);
	is(create(clock_of(pid, KIND_OTHER), SIGEV_SIGNAL, &t), -EOPNOTSUPP); /* a device's */
	is(clock_nanosleep(clock_of(pid, KIND_OTHER), 0, &little, NULL), EOPNOTSUPP);
	is(clock_nanosleep(clock_of(pid, KIND_OTHER | THREAD), 0, &little, NULL),
		EINVAL); /* nobody's */
	is(create(clock_of(getpid(), KIND_OTHER | THREAD), SIGEV_SIGNAL, &t), -EINVAL);
	is(create(clock_of(99999999, KIND_TIME), SIGEV_SIGNAL, &t), -EINVAL);
	is(now(clock_of(99999999, KIND_TIME)), -EINVAL);
	end(pid);
}

/* Of a child that is in the kernel most of the time, what it has had in user mode. */
static void test_kinds(void)
{
	int pid = fork(), clock = clock_of(pid, KIND_TIME);
	long user, all;
	ktimer t;

	if (!pid) {
		for (;;)
			syscall(SYS_getppid);
	}
	while (now(clock) < 200 * MS)
		usleep(1000);
	user = now(clock_of(pid, KIND_USER));
	all = now(clock);
	ok(user >= 0 && user < all, "a clock of user mode alone");
	is(create(clock_of(pid, KIND_USER), SIGEV_SIGNAL, &t), 0);
	is(set(t, 0, 5 * MS, 0), 0);
	ok(fires(WAIT * 1000 * MS) && now(clock_of(pid, KIND_USER)) >= user + 5 * MS,
		"and a timer on it");
	drop(t);
	end(pid);
}

int main(void)
{
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	test_fires();
	test_waits();
	test_end();
	test_threads();
	test_refusals();
	test_kinds();
	return tap_end();
}
