/* SPDX-License-Identifier: Apache-2.0 */
/* System call filters. */
#include <config.h>
#include "common/seccomp.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int cm_seccomp_install(
	const struct sock_filter *filter, size_t len, const char *name, struct cm_err *err)
{
	/* The kernel only reads; its header lacks the const. */
	struct sock_fprog prog = { .len = (unsigned short)len };

	memcpy(&prog.filter, &filter, sizeof(filter));
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return cm_err_set(err, errno, "install %s", name);
	return 0;
}

#ifdef CM_DEVEL
/* Async-signal-safe: one write, then the default action by the same signal. */
static void seccomp_on_sigsys(int sig, siginfo_t *info, void *ctx)
{
	char text[] = "forbidden system call number 0000\n";
	size_t at = sizeof(text) - 3;
	int nr = info->si_syscall;
	int i;

	for (i = 0; i < 4; i++, nr /= 10)
		text[at - (size_t)i] = (char)('0' + nr % 10);
	/* If this write is forbidden it kills at once; else the signal to ourselves does, when the handler returns. */
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGSYS);
}
#endif

void cm_seccomp_report_calls(void)
{
#ifdef CM_DEVEL
	struct sigaction sa = { .sa_sigaction = seccomp_on_sigsys,
		.sa_flags = SA_SIGINFO | SA_RESETHAND };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGSYS, &sa, NULL);
#endif
}
