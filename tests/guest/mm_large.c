/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anonymous memory that is touched from its start to its end, of which a kernel may map 2 MiB at once, and what takes such pieces apart: by one thread, by
 * several beside each other, by a child, from outside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/tap.h"

#define PIECE	(2UL << 20)
#define PAGE	4096UL
#define PIECES	6UL
#define ROUNDS	40
#define THREADS 3

/* Its first page is the last of a piece. */
static char *area(void)
{
	char *p = mmap(NULL, (PIECES + 2) * PIECE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t first = ((uintptr_t)p + PIECE) & ~(PIECE - 1);

	return p == MAP_FAILED ? NULL : (char *)first - PAGE;
}

static uint64_t *word(char *page)
{
	return (uint64_t *)(void *)page + 3;
}

static void fill(char *at, char *end, uint64_t seed)
{
	for (; at < end; at += PAGE)
		*word(at) = (uintptr_t)at ^ seed;
}

static bool filled(char *at, char *end, uint64_t seed)
{
	for (; at < end; at += PAGE) {
		if (*word(at) != ((uintptr_t)at ^ seed) || word(at)[1] || word(at)[-1])
			return false;
	}
	return true;
}

static void test_pieces(void)
{
	char *at = area(), *first = at + PAGE, *end = first + PIECES * PIECE;
	char *hole = first + 100 * PAGE, *moved, *guard = first + 3 * PIECE + 5 * PAGE;

	fill(at, end, 1);
	ok(filled(at, end, 1), "memory touched in order holds what was written");
	ok(munmap(hole, PAGE) == 0 && filled(at, hole, 1) && filled(hole + PAGE, end, 1),
		"without a page from its middle");
	ok(madvise(first + PIECE, PIECE / 2, MADV_DONTNEED) == 0 && !*word(first + PIECE) &&
			filled(first + PIECE + PIECE / 2, end, 1),
		"half of a piece discarded is zeroes, the other half is there");
	moved = mremap(first + 2 * PIECE, PIECE, 2 * PIECE, MREMAP_MAYMOVE);
	ok(moved != MAP_FAILED &&
			*word(moved + 7 * PAGE) ==
				(((uintptr_t)first + 2 * PIECE + 7 * PAGE) ^ 1) &&
			!*word(moved + PIECE) && filled(first + 3 * PIECE, end, 1),
		"a piece that moved");
	munmap(moved, 2 * PIECE);
	ok(mprotect(guard, PAGE, PROT_NONE) == 0 && filled(first + 3 * PIECE, guard, 1) &&
			filled(guard + PAGE, end, 1),
		"a page protected");
	ok(mprotect(guard, PAGE, PROT_READ | PROT_WRITE) == 0 && filled(first + 3 * PIECE, end, 1),
		"and allowed again");
	munmap(at, (size_t)(end - at));
}

static void test_fork(void)
{
	char *at = area(), *first = at + PAGE, *end = first + PIECES * PIECE;
	int status = 1;
	pid_t pid;

	fill(at, end, 2);
	pid = fork();
	if (pid == 0) {
		bool good = filled(at, end, 2);

		fill(at, end, 3);
		_exit(!good || !filled(at, end, 3));
	}
	fill(first, first + PIECE, 4);
	waitpid(pid, &status, 0);
	ok(status == 0, "a child has what was there, and writes its own");
	ok(filled(first, first + PIECE, 4) && filled(first + PIECE, end, 2),
		"which the parent does not see");
	munmap(at, (size_t)(end - at));
}

static void test_outside(void)
{
	char *at = area(), *first = at + PAGE, *end = first + PIECES * PIECE;
	struct iovec to = { first + PIECE - 8, 16 }, from = { (char[16]){ 0 }, 16 };
	int status = 1;
	pid_t pid;

	fill(at, end, 5);
	pid = fork();
	if (pid == 0) {
		bool good = process_vm_readv(getppid(), &from, 1, &to, 1, 0) == 16;

		memset(from.iov_base, 7, 16);
		_exit(!good || process_vm_writev(getppid(), &from, 1, &to, 1, 0) != 16);
	}
	waitpid(pid, &status, 0);
	ok(status == 0 && first[PIECE - 8] == 7 && first[PIECE + 7] == 7,
		"another process reads and writes across two pieces");
	memset(first + PIECE - 8, 0, 16);
	ok(filled(at, end, 5), "the rest is as it was");
	munmap(at, (size_t)(end - at));
}

/* ---- threads ---- */

static char *shared;
static atomic_bool stop, wrong;

/* Takes apart what the others use, one page at a time, and gives it back. */
static void *disturb(void *arg)
{
	unsigned n = 1;

	while (!atomic_load(&stop)) {
		char *page = shared + PAGE + (n = n * 1103515245 + 12345) % (PIECES * 512) * PAGE;

		if (mprotect(page, PAGE, PROT_READ) || mprotect(page, PAGE, PROT_READ | PROT_WRITE))
			atomic_store(&wrong, true);
		usleep(200);
	}
	return arg;
}

static void *read_all(void *arg)
{
	while (!atomic_load(&stop)) {
		if (!filled(shared, shared + PAGE + PIECES * PIECE, 6))
			atomic_store(&wrong, true);
	}
	return arg;
}

static void *own_areas(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		char *at = area(), *end = at + PAGE + 2 * PIECE;

		fill(at, end, (uintptr_t)at);
		munmap(at + PAGE + (size_t)i * PAGE, PAGE);
		if (!filled(at, at + PAGE + (size_t)i * PAGE, (uintptr_t)at) ||
			!filled(at + PAGE + PIECE, end, (uintptr_t)at))
			atomic_store(&wrong, true);
		munmap(at, PAGE + PIECES * PIECE);
	}
	return arg;
}

static void test_threads(void)
{
	pthread_t th[THREADS], d, r;

	shared = area();
	fill(shared, shared + PAGE + PIECES * PIECE, 6);
	pthread_create(&d, NULL, disturb, NULL);
	pthread_create(&r, NULL, read_all, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&th[i], NULL, own_areas, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(th[i], NULL);
	atomic_store(&stop, true);
	pthread_join(d, NULL);
	pthread_join(r, NULL);
	ok(!wrong && filled(shared, shared + PAGE + PIECES * PIECE, 6),
		"threads that make, use and take apart, beside each other");
	munmap(shared, PAGE + PIECES * PIECE);
}

/* ---- what is said of it ---- */

static long smaps_huge(const char *at)
{
	char line[256], want[32];
	bool mine = false;
	long kb = -1;
	FILE *f = fopen("/proc/self/smaps", "r");

	snprintf(want, sizeof(want), "%lx-", (unsigned long)at);
	while (f && fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strchr(line, ' ') > strchr(line, '-'))
			mine = !strncmp(line, want, strlen(want));
		if (mine)
			sscanf(line, "AnonHugePages: %ld", &kb);
	}
	if (f)
		fclose(f);
	return kb;
}

static void test_advice(void)
{
	char *at = area(), *first = at + PAGE, line[64] = "";
	int status = 0;
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	bool always = f && fgets(line, sizeof(line), f) && strstr(line, "[always]");

	if (f)
		fclose(f);
	madvise(first, 2 * PIECE, MADV_NOHUGEPAGE);
	fill(first, first + 2 * PIECE, 7);
	ok(filled(first, first + 2 * PIECE, 7) && smaps_huge(first) == 0, "MADV_NOHUGEPAGE: none");
	madvise(first + 2 * PIECE, 2 * PIECE, MADV_HUGEPAGE);
	fill(first + 2 * PIECE, first + 4 * PIECE, 7);
	/* a kernel that gives them on request alone may have none to give */
	ok(!always || smaps_huge(first + 2 * PIECE) > 0,
		"MADV_HUGEPAGE: some, where all memory has them");
	ok(filled(first, first + 4 * PIECE, 7), "and the memory is the same");
	ok(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0 &&
			prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 &&
			prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1,
		"PR_SET_THP_DISABLE");
	ok(prctl(PR_SET_THP_DISABLE, 1, 0, 1, 0) == -1 && errno == EINVAL,
		"further arguments: EINVAL");
	madvise(first + 4 * PIECE, 2 * PIECE, MADV_HUGEPAGE);
	fill(first + 4 * PIECE, first + 6 * PIECE, 7);
	ok(smaps_huge(first + 4 * PIECE) <= 0, "then there are none");
	if (fork() == 0)
		_exit(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	wait(&status);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "nor in a child");
	munmap(at, PAGE + PIECES * PIECE);
}

int main(void)
{
	test_pieces();
	test_fork();
	test_outside();
	test_threads();
	test_advice();
	return tap_end();
}
