/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU time of a thread that computes on one processor and makes no system call, as the others of its process, its parent and timers see it from another.
 * With one processor both share it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define WAIT 20 /* s, after which it does not come */

static atomic_int burner_tid;
static atomic_bool burner_stop;
static int here, there; /* processors */

static double now(clockid_t clock)
{
	struct timespec ts = { -1, 0 };

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void two_cpus(void)
{
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	while (here < CPU_SETSIZE - 1 && !CPU_ISSET(here, &set))
		here++;
	there = here + 1;
	while (there < CPU_SETSIZE - 1 && !CPU_ISSET(there, &set))
		there++;
	if (CPU_COUNT(&set) == 1)
		there = here;
	bind_to(here);
}

/* Reads no clock: each look would be a system call. */
static void *burn_there(void *arg)
{
	bind_to(there);
	atomic_store(&burner_tid, (int)syscall(SYS_gettid));
	while (!atomic_load_explicit(&burner_stop, memory_order_relaxed))
		;
	return arg;
}

static pid_t burn_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		bind_to(there);
		for (volatile long spin = 0;; spin++)
			;
	}
	return pid;
}

/* The clock of a process or (4) thread. */
static clockid_t cpu_clock(int pid, int thread)
{
	return (clockid_t)(~(unsigned)pid << 3 | 2u | (unsigned)thread);
}

static double usage_time(const struct rusage *ru)
{
	return (double)(ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) +
	       (double)(ru->ru_utime.tv_usec + ru->ru_stime.tv_usec) * 1e-6;
}

static double usage_self(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return usage_time(&ru);
}

/* utime + stime of stat(5), ticks. */
static double stat_time(const char *path)
{
	unsigned long utime = 0, stime = 0;
	char line[1024] = "", *p;
	FILE *f = fopen(path, "r");

	if (f && fgets(line, sizeof(line), f)) {
		p = strrchr(line, ')');
		if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				  &utime, &stime) != 2)
			utime = stime = 0;
	}
	if (f)
		fclose(f);
	return (double)(utime + stime) / (double)sysconf(_SC_CLK_TCK);
}

static double stat_thread(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", burner_tid);
	return stat_time(path);
}

static double clock_thread(void)
{
	return now(cpu_clock(burner_tid, 4));
}

static double clock_process(void)
{
	return now(CLOCK_PROCESS_CPUTIME_ID);
}

/* It reaches what it is and a bit more while the caller sleeps. */
static void grows(double (*read_it)(void), const char *what)
{
	double end = now(CLOCK_MONOTONIC) + WAIT, until = read_it() + 0.05;

	while (read_it() < until && now(CLOCK_MONOTONIC) < end)
		usleep(1000);
	ok(read_it() >= until, what);
}

/* It never goes back, however often it is looked at, and does not run ahead of the time. */
static void steady(double (*read_it)(void), const char *what)
{
	double first = read_it(), last = first, t0 = now(CLOCK_MONOTONIC);
	bool forward = true;

	for (int i = 0; i < 20000; i++) {
		double v = read_it();

		forward = forward && v >= last;
		last = v;
	}
	ok(forward && last - first <= 2 * (now(CLOCK_MONOTONIC) - t0) + 0.01, what);
}

static void test_thread(void)
{
	pthread_t th;

	pthread_create(&th, NULL, burn_there, NULL);
	while (!burner_tid)
		usleep(1000);
	grows(clock_thread, "the clock of a thread that computes on another processor");
	grows(clock_process, "the clock of its process");
	grows(usage_self, "getrusage of its process");
	grows(stat_thread, "/proc/self/task/TID/stat");
	ok(stat_time("/proc/thread-self/stat") <= now(CLOCK_THREAD_CPUTIME_ID) + 0.05,
		"which is of a thread alone");
	ok(stat_time("/proc/self/stat") >= stat_thread(), "/proc/self/stat is of all");
	steady(clock_thread, "the thread's clock is steady");
	steady(clock_process, "so is the process's");
	burner_stop = true;
	pthread_join(th, NULL);
}

static volatile sig_atomic_t hits;

static void on_signal(int sig)
{
	hits = sig;
}

/* Timers of this thread's, which does nothing, on the time that the process gets on the other processor. */
static void test_timers(void)
{
	struct itimerval it = { { 0, 0 }, { 0, 50000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec due = { { 0, 0 }, { 0, 50000000 } };
	double end = now(CLOCK_MONOTONIC) + WAIT;
	timer_t timer;
	pthread_t th;

	signal(SIGPROF, on_signal);
	signal(SIGUSR1, on_signal);
	burner_stop = false;
	pthread_create(&th, NULL, burn_there, NULL);
	setitimer(ITIMER_PROF, &it, NULL);
	while (!hits && now(CLOCK_MONOTONIC) < end)
		usleep(1000);
	ok(hits == SIGPROF, "ITIMER_PROF");
	hits = 0;
	timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &timer);
	timer_settime(timer, 0, &due, NULL);
	end = now(CLOCK_MONOTONIC) + WAIT;
	while (!hits && now(CLOCK_MONOTONIC) < end)
		usleep(1000);
	ok(hits == SIGUSR1, "a timer on the clock of the process");
	timer_delete(timer);
	burner_stop = true;
	pthread_join(th, NULL);
}

static pid_t child;

static double clock_child(void)
{
	return now(cpu_clock(child, 0));
}

static double stat_child(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	return stat_time(path);
}

static void test_child(void)
{
	struct rlimit lim = { 1, 2 };
	double end = now(CLOCK_MONOTONIC) + WAIT;
	struct rusage ru;
	int status = 0;
	pid_t got;

	child = burn_child();
	grows(clock_child, "the clock of a child that computes");
	grows(stat_child, "/proc/PID/stat");
	steady(clock_child, "its clock is steady");
	prlimit(child, RLIMIT_CPU, &lim, NULL);
	while ((got = wait4(child, &status, WNOHANG, &ru)) == 0 && now(CLOCK_MONOTONIC) < end)
		usleep(1000);
	ok(got == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU,
		"RLIMIT_CPU that another sets");
	ok(usage_time(&ru) > 0.5 && usage_time(&ru) < WAIT, "its usage is the limit, about");
	if (got != child) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

int main(void)
{
	two_cpus();
	test_thread();
	test_timers();
	test_child();
	return tap_end();
}
