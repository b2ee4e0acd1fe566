/* SPDX-License-Identifier: Apache-2.0 */
/* Memory across fork and between threads: copy-on-write, shared pages, advice, concurrent faults. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "mm_tap.h"

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t pages, int flags)
{
	return mmap(NULL, pages * PAGE, RW, flags, -1, 0);
}

/* Run fn in a child; what it returns. */
static int in_child(int (*fn)(char *p), char *p)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn(p));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static size_t cow_pages;

static int child_checks(char *p)
{
	for (size_t i = 0; i < cow_pages; i++) {
		if (p[i * PAGE] != (char)i)
			return 1;
		p[i * PAGE] = 'C';
	}
	return 0;
}

static void test_cow(size_t pages)
{
	char *p = map(pages, ANON);
	bool good = true;

	cow_pages = pages;
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE] = (char)i;
	ok(in_child(child_checks, p) == 0,
		"the child sees the parent's memory and writes to its own");
	for (size_t i = 0; i < pages; i++)
		good = good && p[i * PAGE] == (char)i;
	ok(good, "the parent's memory is as before");
	munmap(p, pages * PAGE);
}

static int child_writes(char *p)
{
	p[PAGE] = 'w';
	return p[0] == 's' ? 0 : 1;
}

static void test_shared(void)
{
	char *p = map(4, MAP_SHARED | MAP_ANONYMOUS);

	p[0] = 's';
	ok(in_child(child_writes, p) == 0 && p[PAGE] == 'w',
		"shared anonymous memory is seen both ways");
	munmap(p, 4 * PAGE);
}

static int child_reads(char *p)
{
	probe_setup();
	return probe_read(p) ? 100 : *p;
}

static void test_advice(void)
{
	char *p = map(2, ANON);

	*p = 'x';
	ok(in_child(child_reads, p) == 'x', "memory is inherited");
	ok(!madvise(p, 2 * PAGE, MADV_DONTFORK) && in_child(child_reads, p) == 100,
		"not with MADV_DONTFORK");
	ok(!madvise(p, 2 * PAGE, MADV_DOFORK) && in_child(child_reads, p) == 'x',
		"again with MADV_DOFORK");
	ok(!madvise(p, 2 * PAGE, MADV_WIPEONFORK) && in_child(child_reads, p) == 0,
		"as zeroes with MADV_WIPEONFORK");
	ok(*p == 'x', "which leaves the parent alone");
	munmap(p, 2 * PAGE);
}

static int grandchild(char *p)
{
	p[0]++;
	return p[0];
}

static int child_forks(char *p)
{
	p[0]++;
	return in_child(grandchild, p);
}

static void test_generations(void)
{
	char *p = map(1, ANON);
	bool good = true;

	p[0] = 1;
	for (int i = 0; i < 20; i++)
		good = good && in_child(child_forks, p) == 3 && p[0] == 1;
	ok(good, "grandchildren copy from their parents");
	munmap(p, PAGE);
}

#define THREADS 4
#define SPAN	512
static char *arena;

static void *toucher(void *arg)
{
	size_t me = (size_t)arg;

	for (size_t i = 0; i < SPAN; i++)
		__atomic_fetch_add(&arena[i * PAGE + me], (char)1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 50; i++) {
		char *p = map(8, ANON);

		memset(p, i, 8 * PAGE);
		if (p[7 * PAGE] != (char)i)
			return (void *)1;
		munmap(p, 8 * PAGE);
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t t[THREADS];
	bool good = true;
	void *ret;

	for (int round = 0; round < 5; round++) {
		arena = map(SPAN, ANON);
		for (size_t i = 0; i < THREADS; i++)
			good = !pthread_create(&t[i], NULL, toucher, (void *)i) && good;
		for (size_t i = 0; i < THREADS; i++)
			good = !pthread_join(t[i], &ret) && !ret && good;
		for (size_t i = 0; i < SPAN * THREADS; i++)
			good = good && arena[i / THREADS * PAGE + i % THREADS] == 1;
		munmap(arena, SPAN * PAGE);
	}
	ok(good, "threads that fault on the same pages lose nothing");
}

static void *forker(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++) {
		if (in_child(child_reads, arena) != 'f')
			return (void *)1;
	}
	return NULL;
}

static void test_fork_while_writing(void)
{
	pthread_t t;
	void *ret = (void *)1;
	size_t rounds = 0;
	bool good;

	arena = map(SPAN, ANON);
	arena[0] = 'f';
	good = !pthread_create(&t, NULL, forker, NULL);
	while (pthread_tryjoin_np(t, &ret) == EBUSY) {
		rounds++;
		for (size_t i = 1; i < SPAN; i++)
			*(volatile size_t *)(arena + i * PAGE) = rounds;
		for (size_t i = 1; i < SPAN; i++)
			good = good && *(volatile size_t *)(arena + i * PAGE) == rounds;
	}
	ok(good && !ret, "stores during fork in another thread are not lost");
}

int main(void)
{
	test_cow(2000);
	test_cow(40);
	test_shared();
	test_advice();
	test_generations();
	test_threads();
	test_fork_while_writing();
	return tap_end();
}
