/* SPDX-License-Identifier: Apache-2.0 */
/* The process that starts the debugger for debug.Stacks. */
#include <config.h>
#include "control/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/launch.h"

/* Two descriptors of one message. */
union spawner_control {
	struct cmsghdr head;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

/* #syscalls:sandbox sendmsg */
int cm_spawner_stacks(int fd, int debug, int out)
{
	const int fds[2] = { debug, out };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union spawner_control control = { .head = { .cmsg_len = CMSG_LEN(sizeof(fds)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The next message's descriptors; false: the sandbox process is gone. */
static bool spawner_receive(int fd, int fds[2])
{
	union spawner_control control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	const struct cmsghdr *h;
	ssize_t n;

	do {
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (!h || h->cmsg_type != SCM_RIGHTS || h->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(fds, CMSG_DATA(h), 2 * sizeof(int));
	return true;
}

static void spawner_stacks(int debug, int out)
{
	const char *dir = secure_getenv("CASEMATE_LIBEXECDIR");
	char path[4096], sentry[4096], limit[32];
	char *argv[] = { (char[]){ "casemate-debug" }, (char[]){ "--fd=3" }, limit, sentry,
		(char[]){ "-" }, (char[]){ "stack" }, (char[]){ "all" }, NULL };
	struct cm_err err;

	snprintf(limit, sizeof(limit), "--limit=%d", CM_SPAWNER_SECONDS);
	/* The program has no environment: where tests keep the sentry's file must be said. */
	snprintf(sentry, sizeof(sentry), dir ? "--sentry=%s/guest/sentry.elf" : "--", dir);
	cm_launch_path("casemate-debug", path, sizeof(path));
	if (cm_launch_spawn(path, argv, &debug, 1, out, &err) < 0)
		dprintf(out, "casemate: %s\n", err.msg);
}

static void __attribute__((noreturn)) spawner_run(int fd, pid_t parent)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	int fds[2], null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_NAME, "casemate-spawn");
	if (chdir("/") < 0)
		_exit(1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	fd = dup2(fd, 3);
	syscall(SYS_close_range, 4, ~0U, 0);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* Nobody asks how a program ended. */
	sigaction(SIGCHLD, &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (spawner_receive(fd, fds)) {
		spawner_stacks(fds[0], fds[1]);
		close(fds[0]);
		close(fds[1]);
	}
	_exit(0);
}

int cm_spawner_start(struct cm_err *err)
{
	pid_t parent = getpid(), pid;
	int sp[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sp) < 0)
		return cm_err_set(err, errno, "start the debugger's parent");
	pid = fork();
	if (pid == 0)
		spawner_run(sp[1], parent);
	close(sp[1]);
	if (pid > 0)
		return sp[0];
	cm_err_set(err, errno, "start the debugger's parent");
	close(sp[0]);
	return -err->code;
}
