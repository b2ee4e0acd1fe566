/* SPDX-License-Identifier: Apache-2.0 */
/* Nice values: of two processes that compute on one processor the nicer one gets the smaller part of it, from the moment on when it is made so; SCHED_IDLE gets least. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define ROUND 0.4 /* s of CPU time that the two have together */

static double cpu_time(pid_t pid)
{
	struct timespec ts = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return -1;
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* On the processor that this process is bound to. */
static pid_t burner(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			__asm__ volatile("");
	}
	return pid;
}

static void bind_to_one(void)
{
	cpu_set_t set;
	int cpu = 0;

	sched_getaffinity(0, sizeof(set), &set);
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* How much more of the processor `a` gets than `b`. */
static double share(pid_t a, pid_t b)
{
	double a0 = cpu_time(a), b0 = cpu_time(b), da, db;

	do {
		usleep(10000);
		da = cpu_time(a) - a0;
		db = cpu_time(b) - b0;
	} while (da + db < ROUND);
	return da / (db > 1e-9 ? db : 1e-9);
}

/* Is it between the two? A machine that takes the processor away for longer than a turn lets its owner pay for that, so not the first answer counts. */
static bool becomes(pid_t a, pid_t b, double low, double high)
{
	for (int i = 0; i < 6; i++) {
		double r = share(a, b);

		if (r > low && r < high)
			return true;
	}
	return false;
}

int main(void)
{
	const struct sched_param none = { 0 };
	pid_t a, b;
	int nicer;

	bind_to_one();
	/* Whoever started this may be nice already. */
	setpriority(PRIO_PROCESS, 0, 0);
	nicer = getpriority(PRIO_PROCESS, 0) + 10;
	a = burner();
	b = burner();
	ok(becomes(a, b, 0.5, 2), "two of the same nice value share a processor");
	ok(setpriority(PRIO_PROCESS, (id_t)b, nicer) == 0, "one becomes nicer");
	ok(becomes(a, b, 4, 20), "... and gets about a ninth of what the other gets");
	ok(setpriority(PRIO_PROCESS, (id_t)a, nicer) == 0, "so does the other");
	ok(becomes(a, b, 0.5, 2), "... and they share it again");
	ok(sched_setscheduler(b, SCHED_IDLE, &none) == 0, "one becomes SCHED_IDLE");
	ok(becomes(a, b, 12, 1e9), "... and gets what the other leaves, and a little");
	kill(a, SIGKILL);
	kill(b, SIGKILL);
	waitpid(a, NULL, 0);
	waitpid(b, NULL, 0);
	return tap_end();
}
