/* SPDX-License-Identifier: Apache-2.0 */
/* clone3's set_tid: numbers that the caller chooses, one for each pid namespace. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/tap.h"

static int chosen[40];

static pid_t clone_as(unsigned long long flags, const int *tids, unsigned n)
{
	struct clone_args args = { .flags = flags,
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)tids,
		.set_tid_size = n };

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* The error of a clone that must not succeed. */
static int error_of(unsigned long long flags, unsigned n)
{
	pid_t pid = clone_as(flags, chosen, n);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid > 0 ? 0 : errno;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A number that nobody has. */
static int free_number(void)
{
	int n = 20000 + getpid() % 10000;

	while (!kill(n, 0) || errno != ESRCH)
		n++;
	return n;
}

static void test_choose(void)
{
	int n = chosen[0] = free_number();
	pid_t pid = clone_as(0, chosen, 1);

	if (pid == 0)
		_exit(getpid() == n && syscall(SYS_gettid) == n ? 7 : 1);
	ok(pid == n, "the number that was chosen");
	ok(error_of(0, 1) == EEXIST, "is taken as long as the process is there: EEXIST");
	ok(status_of(pid) == 7, "the child knows it, too");
	pid = clone_as(0, chosen, 1);
	if (pid == 0)
		_exit(7);
	ok(pid == n && status_of(pid) == 7, "and free again after it");
	chosen[0] = getpid();
	ok(error_of(0, 1) == EEXIST, "our own: EEXIST");
}

static void test_errors(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };

	ok(syscall(SYS_clone3, &args, sizeof(args)) == -1 && errno == EINVAL,
		"a size without numbers");
	args.set_tid_size = 0;
	args.set_tid = (uintptr_t)chosen;
	ok(syscall(SYS_clone3, &args, sizeof(args)) == -1 && errno == EINVAL,
		"numbers without a size");
	args.set_tid_size = 1;
	args.set_tid = 16;
	ok(syscall(SYS_clone3, &args, sizeof(args)) == -1 && errno == EFAULT, "a bad address");
	chosen[0] = 0;
	ok(error_of(0, 1) == EINVAL, "0");
	chosen[0] = -1;
	ok(error_of(0, 1) == EINVAL, "-1");
	chosen[0] = 0x7fffffff;
	ok(error_of(0, 1) == EINVAL, "a number beyond pid_max");
	ok(error_of(0, 33) == EINVAL, "more levels than there can be");
	ok(error_of(0, 32) == EINVAL, "more levels than there are");
}

static void test_namespace(void)
{
	int n = free_number();
	pid_t pid;

	chosen[0] = 2;
	ok(error_of(CLONE_NEWPID, 1) == EINVAL, "the first process of a namespace is its number 1");
	chosen[0] = 1;
	chosen[1] = n;
	pid = clone_as(CLONE_NEWPID, chosen, 2);
	if (pid == 0) {
		pid_t inner;

		chosen[0] = 43;
		inner = clone_as(0, chosen, 1);
		if (inner == 0)
			_exit(getpid() == 43 ? 7 : 1);
		_exit(getpid() == 1 && inner == 43 && status_of(inner) == 7 ? 7 : 1);
	}
	ok(pid == n, "a number outside");
	ok(status_of(pid) == 7, "and others inside of a namespace");
	chosen[0] = 1;
	pid = clone_as(CLONE_NEWPID, chosen, 1);
	if (pid == 0)
		_exit(getpid() == 1 && fork() != 1 ? 7 : 1);
	ok(pid > 1 && status_of(pid) == 7, "one level chosen, the other not");
}

static void test_rights(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		chosen[0] = free_number();
		if (error_of(0, 1) != EPERM)
			_exit(2);
		chosen[0] = 0;
		_exit(error_of(0, 1) == EINVAL ? 7 : 3);
	}
	ok(status_of(pid) == 7, "not without a capability: EPERM");
	pid = fork();
	if (pid == 0) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		/* 1 and 43 inside, where the capability is; the number outside would want it there. */
		chosen[0] = 1;
		pid = clone_as(CLONE_NEWUSER | CLONE_NEWPID, chosen, 1);
		if (pid == 0)
			_exit(getpid() == 1 ? 7 : 1);
		if (status_of(pid) != 7)
			_exit(2);
		chosen[1] = free_number();
		_exit(error_of(CLONE_NEWUSER | CLONE_NEWPID, 2) == EPERM ? 7 : 3);
	}
	ok(status_of(pid) == 7, "each namespace asks its own user namespace");
}

int main(void)
{
	test_choose();
	test_errors();
	test_namespace();
	test_rights();
	return tap_end();
}
