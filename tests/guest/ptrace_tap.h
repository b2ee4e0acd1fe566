/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the ptrace(2) tests: raw requests, waiting, a child that wants to be traced. */
#ifndef TESTS_GUEST_PTRACE_TAP_H
#define TESTS_GUEST_PTRACE_TAP_H

#include <errno.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static inline long trace(long req, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, req, pid, addr, data);
}

static inline int wait_pid(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, __WALL) != pid)
		return -1;
	return status;
}

static inline bool stopped_by(int status, int code)
{
	return WIFSTOPPED(status) && status >> 8 == code;
}

static inline int event_code(int event)
{
	return SIGTRAP | event << 8;
}

static inline void end(pid_t pid)
{
	kill(pid, SIGKILL);
	wait_pid(pid);
}

/* A child that asked to be traced and stopped itself. */
static inline pid_t traced_child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		trace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		fn();
		_exit(7);
	}
	wait_pid(pid);
	return pid;
}

#endif
