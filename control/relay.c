/* SPDX-License-Identifier: Apache-2.0 */
/* Byte streams between host descriptors and vsock streams. */
#include <config.h>
#include "control/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "casemate/rpc.h"
#include "control/rpc_client.h"

#define RELAY_BUF   (64u << 10)
#define RELAY_STACK (128u << 10) /* the buffer lies on it */

bool cm_relay_is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static bool relay_poll(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

/* A descriptor that someone else made non-blocking: wait as if it blocked. */
static bool relay_wait(int fd, short events)
{
	return errno == EINTR || (errno == EAGAIN && relay_poll(fd, events));
}

static bool relay_write(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && relay_wait(fd, POLLOUT))
			continue;
		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static void relay_copy(int in, int out)
{
	char buf[RELAY_BUF];

	for (;;) {
		ssize_t n = read(in, buf, sizeof(buf));

		if (n < 0 && relay_wait(in, POLLIN))
			continue;
		if (n <= 0 || !relay_write(out, buf, (size_t)n))
			return;
	}
}

static bool relay_is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/*
 * A splice that waits holds the pipe's lock: nobody could read from the pipe what was moved before, or write to it. So the waiting is done
 * by poll. A socket that polls writable takes RELAY_BUF bytes at once. Returns false when the kernel cannot splice these two: nothing was
 * moved then.
 *
 * #syscalls:sandbox splice poll read write shutdown newfstatat
 */
static bool relay_splice(int in, int out)
{
	for (bool first = true;; first = false) {
		ssize_t n;

		if (!relay_poll(in, POLLIN) || !relay_poll(out, POLLOUT))
			return true;
		n = splice(in, NULL, out, NULL, RELAY_BUF, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0 && errno == EINVAL && first)
			return false;
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return true;
	}
}

static void relay_move(int in, int out)
{
	if ((relay_is_pipe(in) || relay_is_pipe(out)) && relay_splice(in, out))
		return;
	relay_copy(in, out);
}

/* The device answers one line before the guest's first byte. */
static bool relay_answer(int sock)
{
	char c = 0;

	for (int i = 0; i < 32 && c != '\n'; i++) {
		ssize_t n = read(sock, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
	}
	return c == '\n';
}

static void *relay_run(void *arg)
{
	struct cm_relay *r = arg;
	uint64_t one = 1;

	if (r->kind == CM_RPC_STREAM_STDIN) {
		relay_move(r->fd, r->sock);
		shutdown(r->sock, SHUT_WR);
		return NULL;
	}
	if (relay_answer(r->sock))
		relay_move(r->sock, r->fd);
	/* The host side is closed or full: the guest's next write fails as on a pipe without reader. */
	shutdown(r->sock, SHUT_RDWR);
	while (write(r->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

int cm_relay_start(struct cm_relay *r, const char *path, uint16_t kind, uint64_t token, int fd,
	int done_fd, struct cm_err *err)
{
	struct cm_rpc_stream_hello hello = {
		.magic = CM_RPC_STREAM_MAGIC,
		.version = CM_RPC_VERSION,
		.kind = kind,
		.token = token,
	};
	pthread_attr_t attr;
	pthread_t thread;
	int code;

	r->kind = kind;
	r->token = token;
	r->fd = fd;
	r->done_fd = done_fd;
	r->sock = cm_vsock_connect(path, CM_RPC_PORT_STREAM, err);
	if (r->sock < 0)
		return -err->code;
	if (send(r->sock, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		return cm_err_set(err, EIO, "open stream %u", kind);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RELAY_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	code = pthread_create(&thread, &attr, relay_run, r);
	pthread_attr_destroy(&attr);
	if (code != 0)
		return cm_err_set(err, code, "open stream %u", kind);
	r->running = true;
	return 0;
}

void cm_relay_stop(struct cm_relay *r)
{
	if (r->sock >= 0)
		shutdown(r->sock, SHUT_RDWR);
}
