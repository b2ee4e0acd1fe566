/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that stand for a container. */
#include <config.h>
#include "control/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

void cm_process_close_others(const int *keep, int n)
{
	unsigned from = 3;

	for (;;) {
		unsigned next = ~0U;

		for (int i = 0; i < n; i++) {
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		}
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
