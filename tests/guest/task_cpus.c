// SPDX-License-Identifier: Apache-2.0
// Processors as programs see them: all from the start, each usable at once by affinity, those that nobody asked for used when there is work.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int count_in(const char *file, const char *prefix)
{
	FILE *f = fopen(file, "r");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strncmp(line, prefix, strlen(prefix)) == 0;
	if (f)
		fclose(f);
	return n;
}

static void counts(int n)
{
	cpu_set_t set;

	ok(n >= 1 && sysconf(_SC_NPROCESSORS_ONLN) == n, "sysconf counts them");
	ok(count_in("/proc/cpuinfo", "processor\t") == n, "/proc/cpuinfo has them");
	ok(count_in("/proc/stat", "cpu") == n + 1, "/proc/stat has them");
	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	ok(CPU_COUNT(&set) == n, "the first thread may run on each");
}

// Work beside work: some thread runs on another processor soon.
static atomic_bool stop;
static _Atomic unsigned long used;

static void *burn(void *arg)
{
	while (!atomic_load(&stop))
		atomic_fetch_or(&used, 1ul << sched_getcpu());
	return arg;
}

static void spreads(int n)
{
	double end = now() + 20;
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, burn, NULL);
	while (now() < end && __builtin_popcountl(atomic_load(&used)) < (n > 1 ? 2 : 1))
		usleep(1000);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ok(__builtin_popcountl(atomic_load(&used)) >= (n > 1 ? 2 : 1),
		"two threads that compute get two");
}

static bool bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

// A byte to and fro between a process on one and a process on the other.
static bool ping_pong(int a, int b, int rounds)
{
	int to[2], fro[2], status = -1;
	char c = 0;
	bool good;
	pid_t pid;

	if (pipe(to) < 0 || pipe(fro) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		good = bind_to(b);
		for (int i = 0; good && i < rounds; i++)
			good = read(to[0], &c, 1) == 1 && sched_getcpu() == b &&
			       write(fro[1], &c, 1) == 1;
		_exit(!good);
	}
	good = pid > 0 && bind_to(a);
	close(fro[1]);
	close(to[0]);
	for (int i = 0; good && i < rounds; i++)
		good = write(to[1], &c, 1) == 1 && read(fro[0], &c, 1) == 1 && sched_getcpu() == a;
	close(to[1]);
	close(fro[0]);
	return waitpid(pid, &status, 0) == pid && status == 0 && good;
}

static void each(int n)
{
	bool all = true, pairs = true;
	cpu_set_t set, whole;

	sched_getaffinity(0, sizeof(whole), &whole);
	for (int i = n - 1; i >= 0; i--)
		all = all && bind_to(i) && sched_getcpu() == i;
	ok(all, "a thread is where it is bound to");
	for (int i = 0; i < n; i++)
		pairs = pairs && ping_pong(0, i, 200);
	ok(pairs, "processes bound to any two wake each other");
	CPU_ZERO(&set);
	CPU_SET(n, &set);
	ok(get_nprocs_conf() > n || sched_setaffinity(0, sizeof(set), &set) < 0,
		"there are no more");
	sched_setaffinity(0, sizeof(whole), &whole);
}

static void *sleeper(void *arg)
{
	int cpu = (int)(long)arg;

	for (int i = 0; i < 20; i++) {
		if (!bind_to((cpu + i) % get_nprocs()))
			return (void *)1;
		usleep(500);
	}
	return NULL;
}

static void moves(void)
{
	pthread_t t[8];
	void *r;
	bool good = true;

	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, sleeper, (void *)i);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &r);
		good = good && !r;
	}
	ok(good, "threads that are moved while they sleep wake up");
}

int main(void)
{
	int n = get_nprocs();

	counts(n);
#ifdef BOUND_FIRST
	each(n);
	spreads(n);
#else
	spreads(n);
	each(n);
#endif
	moves();
	return tap_end();
}
