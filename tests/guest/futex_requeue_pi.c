/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions whose waiters go on to a priority-inheriting lock: FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define N 3

static uint32_t cond, lock, other, counter, wrong;

static long wait_requeue(uint32_t *w, int op, uint32_t val, const struct timespec *ts, uint32_t *to)
{
	long r = syscall(
		SYS_futex, w, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG | op, val, ts, to, 0);

	return r < 0 ? -errno : r;
}

static long requeue(uint32_t *w, long wake, long move, uint32_t *to, uint32_t val)
{
	long r = syscall(
		SYS_futex, w, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, wake, move, to, val);

	return r < 0 ? -errno : r;
}

static long futex(uint32_t *w, int op, uint32_t val)
{
	long r = syscall(SYS_futex, w, op | FUTEX_PRIVATE_FLAG, val, NULL, NULL, 0);

	return r < 0 ? -errno : r;
}

static struct timespec soon(clockid_t clock, long ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static void test_errors(void)
{
	struct timespec ts = soon(CLOCK_MONOTONIC, 20);

	ok(wait_requeue(&cond, 0, 1, NULL, &lock) == -EAGAIN, "another value");
	ok(wait_requeue(&cond, 0, 0, NULL, &cond) == -EINVAL, "no lock but the futex itself");
	ok(wait_requeue(&cond, 0, 0, NULL, (uint32_t *)((uintptr_t)&lock + 1)) == -EINVAL,
		"a lock that is not aligned");
	ok(wait_requeue(&cond, 0, 0, &ts, &lock) == -ETIMEDOUT, "it ends in time");
	ts = soon(CLOCK_REALTIME, 20);
	ok(wait_requeue(&cond, FUTEX_CLOCK_REALTIME, 0, &ts, &lock) == -ETIMEDOUT,
		"by either clock");
	ok(requeue(&cond, 1, INT_MAX, &lock, 1) == -EAGAIN, "requeue: another value");
	ok(requeue(&cond, 2, INT_MAX, &lock, 0) == -EINVAL, "requeue: only one may be woken");
	ok(requeue(&cond, 1, -1, &lock, 0) == -EINVAL, "requeue: a negative count");
	ok(requeue(&cond, 1, 0, &cond, 0) == -EINVAL, "requeue: to itself");
	ok(requeue(&cond, 1, INT_MAX, &lock, 0) == 0, "requeue: nobody waits");
}

static void *plain_waiter(void *arg)
{
	(void)arg;
	return (void *)futex(&cond, FUTEX_WAIT, 0);
}

/* With the lock, when the wait says so. */
static void *pi_waiter(void *arg)
{
	long r = wait_requeue(&cond, 0, 0, NULL, &lock);

	(void)arg;
	if (r)
		return (void *)r;
	if ((__atomic_load_n(&lock, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK) != (uint32_t)gettid())
		wrong++;
	counter++;
	return (void *)futex(&lock, FUTEX_UNLOCK_PI, 0);
}

/* Until somebody waits. */
static long requeue_when_there(uint32_t *to)
{
	long r = 0;

	for (int i = 0; !r && i < 10000; i++) {
		r = requeue(&cond, 1, 0, to, 0);
		usleep(1000);
	}
	return r;
}

static void test_mismatch(void)
{
	pthread_t t;
	void *r;
	long n = 0;

	pthread_create(&t, NULL, plain_waiter, NULL);
	ok(requeue_when_there(&lock) == -EINVAL, "an ordinary waiter does not go on to a lock");
	ok(futex(&cond, FUTEX_WAKE, 1) == 1, "but can be woken");
	pthread_join(t, &r);
	ok(!r, "as usual");
	pthread_create(&t, NULL, pi_waiter, NULL);
	for (int i = 0; !n && i < 10000; i++) {
		n = futex(&cond, FUTEX_WAKE, 1);
		usleep(1000);
	}
	ok(n == -EINVAL, "the other kind cannot be woken");
	ok(requeue(&cond, 1, 0, &other, 0) == -EINVAL, "nor sent to another lock");
	ok(requeue(&cond, 1, 0, &lock, 0) == 1, "but to its own");
	pthread_join(t, &r);
	ok(!r && counter == 1 && !wrong && !lock, "which it has then");
}

static void test_requeue(void)
{
	pthread_t t[N];
	long moved = 0, failed = 0;

	counter = 0;
	ok(futex(&lock, FUTEX_LOCK_PI, 0) == 0, "we hold the lock");
	for (int i = 0; i < N; i++)
		pthread_create(&t[i], NULL, pi_waiter, NULL);
	for (int i = 0; moved >= 0 && moved < N && i < 10000; i++) {
		moved += requeue(&cond, 1, INT_MAX, &lock, 0);
		usleep(1000);
	}
	ok(moved == N, "all waiters go on to it");
	usleep(50000);
	ok(!__atomic_load_n(&counter, __ATOMIC_SEQ_CST), "and wait");
	ok(futex(&lock, FUTEX_UNLOCK_PI, 0) == 0, "until it is given back");
	for (int i = 0; i < N; i++) {
		void *r;

		pthread_join(t[i], &r);
		failed += r != NULL;
	}
	ok(!failed && counter == N && !wrong, "then each has it for itself");
	ok(!lock, "and gives it back");
}

static void *timed_waiter(void *arg)
{
	struct timespec ts = soon(CLOCK_MONOTONIC, 300);

	(void)arg;
	return (void *)wait_requeue(&cond, 0, 0, &ts, &lock);
}

static void test_late(void)
{
	pthread_t t;
	void *r;

	ok(futex(&lock, FUTEX_LOCK_PI, 0) == 0, "we hold the lock");
	pthread_create(&t, NULL, timed_waiter, NULL);
	ok(requeue_when_there(&lock) == 1, "a waiter goes on");
	pthread_join(t, &r);
	ok((long)r == -ETIMEDOUT, "its time ends while it waits for the lock, too");
	ok(futex(&lock, FUTEX_UNLOCK_PI, 0) == 0 && !lock, "the lock is free then");
}

int main(void)
{
	test_errors();
	test_mismatch();
	test_requeue();
	test_late();
	return tap_end();
}
