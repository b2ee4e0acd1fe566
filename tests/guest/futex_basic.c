/* SPDX-License-Identifier: Apache-2.0 */
/* futex operations, private and shared, time limits, robust lists, and the locks of libc above them. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/tap.h"

static long futex(void *addr, int op, unsigned val, const void *timeout, void *addr2, unsigned val3)
{
	return syscall(SYS_futex, addr, op, val, timeout, addr2, val3);
}

static double now(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void test_errors(void)
{
	unsigned word = 1;
	struct timespec bad = { 0, 2000000000 };

	ok(futex(&word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0) == -1 && errno == EAGAIN,
		"another value: EAGAIN");
	ok(futex((char *)&word + 1, FUTEX_WAIT, 1, NULL, NULL, 0) == -1 && errno == EINVAL,
		"unaligned: EINVAL");
	ok(futex((void *)16, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EFAULT,
		"nothing there: EFAULT");
	ok(futex(&word, FUTEX_WAIT_PRIVATE, 1, &bad, NULL, 0) == -1 && errno == EINVAL,
		"a bad time: EINVAL");
	ok(futex(&word, 999, 1, NULL, NULL, 0) == -1 && errno == ENOSYS,
		"unknown operation: ENOSYS");
	ok(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EINVAL,
		"an empty bit set: EINVAL");
	ok(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0, "nobody to wake");
}

static void test_beyond_end(void)
{
	int fd = memfd_create("futex", 0);
	unsigned *p;

	ok(fd >= 0 && !ftruncate(fd, 4096), "a file of one page");
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ok(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0) == 0, "nobody to wake in it");
	ok(!ftruncate(fd, 0) && futex(p, FUTEX_WAKE, 1, NULL, NULL, 0) == -1 && errno == EFAULT,
		"beyond its end: EFAULT");
	munmap(p, 4096);
	close(fd);
}

static void test_timeouts(void)
{
	unsigned word = 1;
	struct timespec ts = { 0, 30000000 };
	double a = now(CLOCK_MONOTONIC), b;

	ok(futex(&word, FUTEX_WAIT_PRIVATE, 1, &ts, NULL, 0) == -1 && errno == ETIMEDOUT,
		"FUTEX_WAIT ends after its time");
	b = now(CLOCK_MONOTONIC) - a;
	ok(b >= 0.03 && b < 0.5, "not earlier, not much later");
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 30000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	ok(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, &ts, NULL, ~0u) ==
				-1 &&
			errno == ETIMEDOUT,
		"FUTEX_WAIT_BITSET with a CLOCK_REALTIME point");
	ts.tv_sec = 0;
	ok(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &ts, NULL, ~0u) == -1 && errno == ETIMEDOUT,
		"a point in the past");
}

static unsigned word_a, word_b;
static int woken;

static void *wait_a(void *arg)
{
	while (futex(&word_a, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (unsigned)(uintptr_t)arg) <
			0 &&
		errno == EINTR)
		;
	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static int wait_for(int n)
{
	int i;

	for (i = 0; i < 500 && __atomic_load_n(&woken, __ATOMIC_SEQ_CST) < n; i++)
		usleep(1000);
	usleep(5000);
	return __atomic_load_n(&woken, __ATOMIC_SEQ_CST);
}

static void test_wake_counts(void)
{
	pthread_t t[5];
	int i;

	word_a = 0;
	woken = 0;
	for (i = 0; i < 5; i++)
		pthread_create(&t[i], NULL, wait_a, (void *)(uintptr_t)(i < 3 ? 1u : 2u));
	usleep(50000);
	ok(futex(&word_a, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2) == 2 && wait_for(2) == 2,
		"a bit set chooses waiters");
	ok(futex(&word_a, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1 && wait_for(3) == 3,
		"wake one of several");
	ok(futex(&word_a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &word_b, 5) == -1 &&
			errno == EAGAIN,
		"CMP_REQUEUE of another value: EAGAIN");
	ok(futex(&word_a, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, &word_b, 0) == 2 &&
			wait_for(4) == 4,
		"CMP_REQUEUE wakes one and moves one");
	ok(futex(&word_a, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 0,
		"none is left at the old word");
	ok(futex(&word_b, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 1 && wait_for(5) == 5,
		"the moved one waits at the new word");
	for (i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
}

static void test_wake_op(void)
{
	pthread_t t;
	unsigned op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 4);

	word_a = 0;
	word_b = 4;
	woken = 0;
	pthread_create(&t, NULL, wait_a, (void *)(uintptr_t)~0u);
	usleep(30000);
	ok(futex(&word_a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word_b, op) == 1 && word_b == 7,
		"WAKE_OP adds and wakes");
	pthread_join(t, NULL);
	op = FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_GT, 100);
	ok(futex(&word_a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word_b, op) == 0 && word_b == 4,
		"and clears bits");
}

static void test_shared(void)
{
	unsigned *word =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		while (*(volatile unsigned *)word == 0)
			futex(word, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(*word == 1 ? 0 : 1);
	}
	usleep(30000);
	*word = 1;
	ok(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0) == 1, "shared memory connects processes");
	waitpid(pid, &status, 0);
	ok(status == 0, "the other one goes on");
	munmap(word, 4096);
}

static void on_alarm(int sig)
{
}

static void test_signal(void)
{
	unsigned word = 1;
	struct sigaction sa;
	struct timespec ts = { 0, 100000000 };
	double a;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_alarm;
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	ok(futex(&word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EINTR,
		"a handler interrupts a wait");
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	a = now(CLOCK_MONOTONIC);
	ok(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0) == -1,
		"an empty set stays EINVAL");
	(void)ts;
	(void)a;
	usleep(30000);
	signal(SIGALRM, SIG_DFL);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter, turns;

static void *add(void *arg)
{
	int i;

	for (i = 0; i < 20000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *ping(void *arg)
{
	long me = (long)(intptr_t)arg;
	int i;

	for (i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		while (turns % 2 != me)
			pthread_cond_wait(&cond, &lock);
		turns++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void test_libc(void)
{
	pthread_t t[4];
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, add, NULL);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ok(counter == 80000, "a contended mutex excludes");
	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, ping, (void *)(intptr_t)i);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ok(turns == 2000, "a condition variable hands over 2000 times");
}

static void *die_with_lock(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void test_robust(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t *m =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *held = (volatile int *)(m + 1);
	struct robust_list_head *head;
	size_t len = 0;
	pthread_t t;
	pid_t pid;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(m, &attr);
	pthread_create(&t, NULL, die_with_lock, m);
	pthread_join(t, NULL);
	ok(pthread_mutex_lock(m) == EOWNERDEAD, "a thread died with a robust mutex: EOWNERDEAD");
	pthread_mutex_consistent(m);
	pthread_mutex_unlock(m);
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(m);
		*held = 1;
		usleep(40000);
		raise(SIGKILL);
	}
	while (!*held)
		usleep(1000);
	ok(pthread_mutex_lock(m) == EOWNERDEAD, "a killed process wakes the waiter");
	pthread_mutex_consistent(m);
	pthread_mutex_unlock(m);
	waitpid(pid, NULL, 0);
	ok(syscall(SYS_get_robust_list, 0, &head, &len) == 0 && len == sizeof(*head),
		"get_robust_list of the own thread");
	ok(syscall(SYS_set_robust_list, head, 1) == -1 && errno == EINVAL,
		"set_robust_list of a wrong size: EINVAL");
	munmap(m, 4096);
}

int main(void)
{
	test_errors();
	test_beyond_end();
	test_timeouts();
	test_wake_counts();
	test_wake_op();
	test_shared();
	test_signal();
	test_libc();
	test_robust();
	return tap_end();
}
