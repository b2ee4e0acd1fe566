/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that stand for a container. */
#include <config.h>
#include "control/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "common/cleanup.h"

/* The least descriptor of a list from `from` on, or `next` where that is less. */
static unsigned process_next(const int *keep, unsigned n, unsigned from, unsigned next)
{
	for (unsigned i = 0; i < n; i++) {
		if (keep[i] >= (int)from && (unsigned)keep[i] < next)
			next = (unsigned)keep[i];
	}
	return next;
}

void cm_process_close_others(const int *keep, int n, const struct cm_preserve *p)
{
	unsigned from = 3;

	for (;;) {
		unsigned next = process_next(keep, (unsigned)n, from, ~0U);

		next = process_next(p->fd, p->n, from, next);
		if (next > from)
			syscall(SYS_close_range, from, next == ~0U ? next : next - 1, 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

int cm_process_detach(const char *name, struct cm_err *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t all;
	int fd;

	prctl(PR_SET_NAME, name);
	setsid();
	sigaction(SIGPIPE, &ignore, NULL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sigdelset(&all, SIGCHLD);
	fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? cm_err_set(err, errno, "read signals") : fd;
}

/* What the kernel writes: blanks, digits. */
static pid_t process_number(const char *text, pid_t fallback)
{
	long n = strtol(text, NULL, 10);

	return n > 0 && n <= INT_MAX ? (pid_t)n : fallback;
}

pid_t cm_process_host_pid(void)
{
	char text[32];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n <= 0)
		return getpid();
	text[n] = '\0';
	return process_number(text, getpid());
}

pid_t cm_process_host_pid_of(int pidfd, pid_t fallback)
{
	char path[64], text[512];
	cleanup_fd int fd = -1;
	const char *word;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return fallback;
	text[n] = '\0';
	word = strstr(text, "\nPid:");
	return word ? process_number(word + 5, fallback) : fallback;
}
