/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals of the host. */
#include <config.h>
#include "control/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "common/cleanup.h"

int cm_console_connect(const char *path, struct cm_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return cm_err_set(err, errno, "--console-socket");
	if (strlen(path) >= sizeof(addr.sun_path))
		return cm_err_set(err, ENAMETOOLONG, "--console-socket: '%s'", path);
	memcpy(addr.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return cm_err_set(err, errno, "--console-socket: connect to '%s'", path);
	return steal_fd(&fd);
}

static int console_send_fd(int sock, int fd, const char *name)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)name, strlen(name) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int cm_console_send(int sock, struct cm_err *err)
{
	cleanup_fd int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	cleanup_fd int slave = -1;
	struct termios t;
	char name[64];
	int r;

	if (master < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0)
		return cm_err_set(err, errno, "make a terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &t) < 0)
		return cm_err_set(err, errno, "make a terminal");
	/* The line discipline is the guest's: this one only passes bytes. */
	cfmakeraw(&t);
	if (tcsetattr(slave, TCSANOW, &t) < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		return cm_err_set(err, errno, "make a terminal");
	r = console_send_fd(sock, master, name);
	if (r < 0)
		return cm_err_set(err, -r, "--console-socket: send the terminal");
	return steal_fd(&slave);
}

/* #syscalls:sandbox,member,exec ioctl[1=TIOCGWINSZ] */
void cm_console_size(int fd, uint16_t *rows, uint16_t *cols)
{
	struct winsize w;

	*rows = *cols = 0;
	if (fd < 0 || ioctl(fd, TIOCGWINSZ, &w) < 0)
		return;
	*rows = w.ws_row;
	*cols = w.ws_col;
}

int cm_console_user(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (isatty(fd))
			return fd;
	}
	return -1;
}

static struct termios console_saved;
static int console_fd = -1;

/* #syscalls:exec ioctl[1=TCGETS,TCSETSW] */
void cm_console_restore(void)
{
	if (console_fd >= 0)
		tcsetattr(console_fd, TCSADRAIN, &console_saved);
	console_fd = -1;
}

void cm_console_raw(int fd)
{
	struct termios t;

	if (console_fd >= 0 || tcgetattr(fd, &console_saved) < 0)
		return;
	t = console_saved;
	cfmakeraw(&t);
	if (tcsetattr(fd, TCSADRAIN, &t) < 0)
		return;
	console_fd = fd;
	atexit(cm_console_restore);
}
