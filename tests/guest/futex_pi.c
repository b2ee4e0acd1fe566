/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes whose owner the kernel knows (PI), the death of owners, and waiting on several at once. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

static long futex(uint32_t *w, int op, uint32_t val, const struct timespec *ts)
{
	long r = syscall(SYS_futex, w, op, val, ts, NULL, 0);

	return r < 0 ? -errno : r;
}

static uint32_t self(void)
{
	return (uint32_t)syscall(SYS_gettid);
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

static uint32_t word;
static volatile int stage;

static void *holder(void *arg)
{
	int op = FUTEX_PRIVATE_FLAG;

	(void)arg;
	futex(&word, FUTEX_LOCK_PI | op, 0, NULL);
	stage = 1;
	while (stage == 1)
		usleep(1000);
	/* the waiter has to be in its sleep */
	while (!(__atomic_load_n(&word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
		usleep(1000);
	usleep(20000);
	futex(&word, FUTEX_UNLOCK_PI | op, 0, NULL);
	return NULL;
}

static void test_lock(void)
{
	const int p = FUTEX_PRIVATE_FLAG;
	struct timespec ts;
	pthread_t t;

	ok(futex(&word, FUTEX_LOCK_PI | p, 0, NULL) == 0 && word == self(), "a free lock is taken");
	ok(futex(&word, FUTEX_LOCK_PI | p, 0, NULL) == -EDEADLK, "but not twice");
	ok(futex(&word, FUTEX_TRYLOCK_PI | p, 0, NULL) == -EDEADLK, "nor tried twice");
	ok(futex(&word, FUTEX_UNLOCK_PI | p, 0, NULL) == 0 && word == 0, "and given back");
	ok(futex(&word, FUTEX_UNLOCK_PI | p, 0, NULL) == -EPERM, "by its owner alone");
	word = 0x3ffffffe;
	ok(futex(&word, FUTEX_LOCK_PI | p, 0, NULL) == -ESRCH, "an owner that is not there");
	word = 0;
	pthread_create(&t, NULL, holder, NULL);
	while (!stage)
		usleep(1000);
	ok(futex(&word, FUTEX_UNLOCK_PI | p, 0, NULL) == -EPERM,
		"another's lock cannot be given back");
	ok(futex(&word, FUTEX_TRYLOCK_PI | p, 0, NULL) == -EAGAIN, "nor taken by trying");
	ts = soon(CLOCK_REALTIME, 30);
	ok(futex(&word, FUTEX_LOCK_PI | p, 0, &ts) == -ETIMEDOUT, "waiting for it ends in time");
	ts = soon(CLOCK_MONOTONIC, 30);
	ok(futex(&word, FUTEX_LOCK_PI2 | p, 0, &ts) == -ETIMEDOUT, "by the other clock too");
	ts.tv_nsec = -1;
	ok(futex(&word, FUTEX_LOCK_PI | p, 0, &ts) == -EINVAL, "a time is checked");
	__atomic_and_fetch(&word, FUTEX_TID_MASK, __ATOMIC_SEQ_CST);
	stage = 2;
	ok(futex(&word, FUTEX_LOCK_PI | p, 0, NULL) == 0 && (word & FUTEX_TID_MASK) == self(),
		"the owner hands it on");
	pthread_join(t, NULL);
	ok(futex(&word, FUTEX_UNLOCK_PI | p, 0, NULL) == 0 && word == 0,
		"who got it gives it back");
	ok(futex((uint32_t *)((char *)&word + 1), FUTEX_LOCK_PI | p, 0, NULL) == -EINVAL,
		"words are aligned");
	ok(futex((uint32_t *)8, FUTEX_LOCK_PI | p, 0, NULL) == -EFAULT, "and there");
}

static pthread_mutex_t mutex;
static int counter, both;

static void *counts(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		both += ++counter != 1;
		counter--;
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

static void test_mutex(void)
{
	pthread_mutexattr_t a;
	pthread_t t[4];

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	ok(pthread_mutex_init(&mutex, &a) == 0, "a mutex that inherits priority");
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, counts, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ok(both == 0, "keeps four threads apart");
	ok(pthread_mutex_destroy(&mutex) == 0, "and is free at the end");
}

/* A robust one in shared memory: its owner dies while another process waits. */
static void test_robust(bool wait_first)
{
	pthread_mutex_t *m =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;
	int go[2], status;
	char c;
	pid_t pid;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(m, &a);
	if (pipe(go))
		return;
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(m);
		(void)!write(go[1], "x", 1);
		if (wait_first)
			usleep(50000);
		_exit(0);
	}
	(void)!read(go[0], &c, 1);
	if (!wait_first)
		waitpid(pid, &status, 0);
	ok(pthread_mutex_lock(m) == EOWNERDEAD, wait_first ? "who waits hears that the owner died"
							   : "who comes later hears it too");
	if (wait_first)
		waitpid(pid, &status, 0);
	ok(pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0, "and mends the lock");
	ok(pthread_mutex_lock(m) == 0 && pthread_mutex_unlock(m) == 0, "which works again");
	munmap(m, 4096);
	close(go[0]);
	close(go[1]);
}

/* ---- futex_waitv ---- */
static uint32_t words[3];

static long waitv(struct futex_waitv *v, unsigned n, unsigned flags, struct timespec *ts, int clock)
{
	long r = syscall(SYS_futex_waitv, v, n, flags, ts, clock);

	return r < 0 ? -errno : r;
}

static void *waker(void *arg)
{
	usleep(30000);
	while (futex(&words[1], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL) == 0)
		usleep(1000);
	return arg;
}

static void test_waitv(void)
{
	struct futex_waitv v[3];
	struct timespec ts;
	pthread_t t;

	memset(v, 0, sizeof(v));
	for (int i = 0; i < 3; i++) {
		v[i].uaddr = (uintptr_t)&words[i];
		v[i].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
	}
	ok(waitv(v, 0, 0, NULL, 0) == -EINVAL && waitv(v, 129, 0, NULL, 0) == -EINVAL &&
			waitv(v, 3, 1, NULL, 0) == -EINVAL && waitv(NULL, 3, 0, NULL, 0) == -EINVAL,
		"arguments are checked");
	v[2].val = 1;
	ok(waitv(v, 3, 0, NULL, 0) == -EAGAIN, "a value that differs");
	v[2].val = 0;
	v[2].flags = FUTEX_PRIVATE_FLAG;
	ok(waitv(v, 3, 0, NULL, 0) == -EINVAL, "a size has to be given");
	v[2].flags = FUTEX_32 | FUTEX_PRIVATE_FLAG;
	v[2].__reserved = 1;
	ok(waitv(v, 3, 0, NULL, 0) == -EINVAL, "what is reserved is zero");
	v[2].__reserved = 0;
	ts = soon(CLOCK_MONOTONIC, 30);
	ok(waitv(v, 3, 0, &ts, CLOCK_MONOTONIC) == -ETIMEDOUT, "it ends in time");
	ts = soon(CLOCK_REALTIME, 30);
	ok(waitv(v, 3, 0, &ts, CLOCK_REALTIME) == -ETIMEDOUT, "by either clock");
	ok(waitv(v, 3, 0, &ts, CLOCK_BOOTTIME) == -EINVAL, "but no other");
	v[0].uaddr = 8;
	ok(waitv(v, 3, 0, NULL, 0) == -EFAULT, "addresses are checked");
	v[0].uaddr = (uintptr_t)&words[0];
	pthread_create(&t, NULL, waker, NULL);
	ok(waitv(v, 3, 0, NULL, 0) == 1, "the one that was woken is told");
	pthread_join(t, NULL);
	ok(futex(&words[0], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL) == 0,
		"nobody waits on the others");
}

int main(void)
{
	test_lock();
	test_mutex();
	test_robust(false);
	test_robust(true);
	test_waitv();
	return tap_end();
}
