/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a guest program that run in a child, because they change what a process cannot get back. */
#ifndef TESTS_GUEST_CHILD_TAP_H
#define TESTS_GUEST_CHILD_TAP_H

#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

/* Exit status of a child, or -1: there is none (pid < 0), or it ended otherwise. */
static inline int child_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* `first`, if any, then fn in a child: the first result that is not 0, which says what failed, 0, or -1 when it ended otherwise. */
static inline int in_child_after(int (*first)(void), int (*fn)(void))
{
	pid_t pid = fork();
	int bad;

	if (pid == 0) {
		alarm(60);
		bad = first ? first() : 0;
		_exit(bad ? bad : fn());
	}
	return child_status(pid);
}

static inline int in_child(int (*fn)(void))
{
	return in_child_after(NULL, fn);
}

static inline void child_part(const char *name, int status, const char *text)
{
	if (status)
		printf("# %s: %d\n", name, status);
	ok(status == 0, text);
}

/* A point: fn gives 0 in a child, after `first` there. */
#define PART_AFTER(first, fn, text) child_part(#fn, in_child_after(first, fn), text)
#define PART(fn, text)		    PART_AFTER(NULL, fn, text)

#endif
