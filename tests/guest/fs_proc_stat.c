// SPDX-License-Identifier: Apache-2.0
// What the processors did, in /proc/stat and /proc/uptime: the time of processes that have ended stays there, on the processor that they had, and no
// part goes back.
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define BURN  0.5 // seconds
#define TICKS 100.0 // a second has so many

struct spent {
	unsigned long user, nice, system, idle;
};

// Of one processor, or of all (-1).
static struct spent spent(int cpu)
{
	struct spent s = { 0 };
	FILE *f = fopen("/proc/stat", "r");
	char line[512], name[16] = "cpu";
	bool seen = false;
	size_t n;

	if (cpu >= 0)
		(void)snprintf(name, sizeof(name), "cpu%d", cpu);
	n = strlen(name);
	while (f && !seen && fgets(line, sizeof(line), f))
		seen = strncmp(line, name, n) == 0 && line[n] == ' ' &&
		       sscanf(line + n, "%lu %lu %lu %lu", &s.user, &s.nice, &s.system, &s.idle) ==
			       4;
	if (f)
		fclose(f);
	if (!seen)
		printf("# no line %s\n", name);
	return s;
}

static unsigned long busy(struct spent s)
{
	return s.user + s.nice + s.system;
}

static double processor_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// A child computes on the processor for BURN seconds of its own time and ends.
static void burn(int cpu)
{
	pid_t pid = fork();

	if (pid == 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			_exit(1);
		while (processor_time() < BURN)
			;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static int last_allowed(void)
{
	cpu_set_t set;
	int cpu = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			cpu = i;
	return cpu;
}

static bool none_went_back(struct spent a, struct spent b)
{
	return b.user >= a.user && b.nice >= a.nice && b.system >= a.system;
}

// The kernel counts by ticks or samples: a tenth of what was used may be missing.
static void test_ended(void)
{
	int cpu = last_allowed();
	struct spent all = spent(-1), one = spent(cpu), all2, one2;

	burn(cpu);
	all2 = spent(-1);
	one2 = spent(cpu);
	ok(busy(all2) >= busy(all) + (unsigned long)(BURN * TICKS * 0.9),
		"the time of a process that has ended is counted");
	ok(busy(one2) >= busy(one) + (unsigned long)(BURN * TICKS * 0.9),
		"on the processor that it was bound to");
	ok(none_went_back(all, all2) && none_went_back(one, one2), "no part went back");
}

static double uptime_idle(void)
{
	double up = 0, idle = -1;
	FILE *f = fopen("/proc/uptime", "r");

	if (f && fscanf(f, "%lf %lf", &up, &idle) != 2)
		idle = -1;
	if (f)
		fclose(f);
	return idle;
}

// Between two looks at the one is the look at the other.
static void test_idle(void)
{
	double before = (double)spent(-1).idle / TICKS, idle = uptime_idle();
	double after = (double)spent(-1).idle / TICKS;

	ok(idle >= before - 0.05 && idle <= after + 0.05,
		"/proc/uptime has the sum of the idle times");
}

int main(void)
{
	test_ended();
	test_idle();
	return tap_end();
}
