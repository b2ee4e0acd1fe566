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
#include "common/cleanup.h"
#include "control/rpc_client.h"

#define RELAY_NEVER UINT64_MAX
#define RELAY_BUF   (64u << 10)
#define RELAY_STACK (128u << 10) /* the buffer lies on it */

bool cm_relay_is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

/* #syscalls:sandbox getsockopt getpeername */
static int relay_socket(int fd, struct cm_err *err)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int type = 0, listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
		return cm_err_set(err, errno, "a socket");
	if (listens)
		return cm_err_set(err, ENOTSUP,
			"a listening socket of the host takes no connections inside a microVM");
	if (type != SOCK_STREAM)
		return cm_err_set(err, ENOTSUP, "a socket whose messages a stream cannot carry");
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0)
		return cm_err_set(err, ENOTSUP, "a socket that is not connected");
	return 0;
}

/* #syscalls:sandbox fcntl newfstatat */
int cm_relay_mode(int fd, struct cm_err *err)
{
	int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE;
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return cm_err_set(err, errno, "not open");
	if (flags & O_PATH || mode == O_ACCMODE)
		return cm_err_set(err, EBADF, "not open for data");
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		return mode;
	if (S_ISSOCK(st.st_mode))
		return relay_socket(fd, err) < 0 ? -err->code : mode;
	if (!S_ISREG(st.st_mode))
		return cm_err_set(err, ENOTSUP, "%s of the host is nothing that a stream can carry",
			S_ISDIR(st.st_mode)   ? "a directory"
			: S_ISBLK(st.st_mode) ? "a block device"
					      : "a descriptor without a file");
	if (mode == O_RDWR)
		return cm_err_set(err, ENOTSUP,
			"a file that is read and written has a position, which a stream has not");
	return mode;
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

/* Wait for input; false when the guest hung up meanwhile. */
static bool relay_input(const struct cm_relay *r)
{
	struct pollfd p[2] = { { r->in_fd, POLLIN, 0 }, { r->sock, 0, 0 } };

	while (poll(p, 2, -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return !(p[1].revents & (POLLHUP | POLLERR));
}

/* Wait until the guest has hung up. */
static void relay_hangup(int sock)
{
	struct pollfd p = { .fd = sock };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

static void relay_tell(int done_fd)
{
	uint64_t one = 1;

	while (write(done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void relay_moved(struct cm_relay *r, size_t n)
{
	unsigned long long moved = atomic_fetch_add(&r->moved, n) + n;
	unsigned long long want = atomic_load(&r->want);

	if (moved >= want && moved - n < want)
		relay_tell(r->done_fd);
}

static bool relay_is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/*
 * One splice: bytes, 0 at the end, -1 when the kernel cannot splice these two (nothing was moved then).
 *
 * A splice that waits holds the pipe's lock: nobody could read from the pipe what was moved before, or write to it. So the waiting is done
 * by poll. A socket that polls writable takes RELAY_BUF bytes at once.
 *
 * #syscalls:sandbox splice poll read write shutdown newfstatat
 */
static ssize_t relay_splice(int in, int out, bool first)
{
	for (;;) {
		ssize_t n;

		if (!relay_poll(in, POLLIN) || !relay_poll(out, POLLOUT))
			return 0;
		n = splice(in, NULL, out, NULL, RELAY_BUF, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n >= 0)
			return n;
		if (errno == EINVAL && first)
			return -1;
		if (errno != EINTR && errno != EAGAIN)
			return 0;
	}
}

static ssize_t relay_copy(int in, int out, char *buf)
{
	for (;;) {
		ssize_t n = read(in, buf, RELAY_BUF);

		if (n < 0 && relay_wait(in, POLLIN))
			continue;
		return n <= 0 || relay_write(out, buf, (size_t)n) ? n : 0;
	}
}

/* Move bytes until an end. input: from the host, which is only read while the guest listens. */
static void relay_move(struct cm_relay *r, int in, int out, bool input)
{
	bool splice = relay_is_pipe(in) || relay_is_pipe(out);
	bool first = true;
	char buf[RELAY_BUF];

	while (!input || relay_input(r)) {
		ssize_t n = -1;

		if (splice)
			n = relay_splice(in, out, first);
		if (splice && n < 0)
			splice = false;
		if (!splice)
			n = relay_copy(in, out, buf);
		if (n <= 0)
			return;
		if (!input)
			relay_moved(r, (size_t)n);
		first = false;
	}
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

static void relay_leave(struct cm_relay *r)
{
	int done_fd = r->done_fd;

	/* From here on the struct may be gone. */
	atomic_fetch_sub(&r->live, 1);
	relay_tell(done_fd);
}

/* #syscalls:sandbox ioctl[1=TCGETS] */
static void *relay_run_input(void *arg)
{
	struct cm_relay *r = arg;

	relay_move(r, r->in_fd, r->sock, true);
	/* The end of a file is not a terminal's: only one that is gone hangs the other up. */
	if (r->kind != CM_RPC_STREAM_TTY || r->in_tty)
		shutdown(r->sock, SHUT_WR);
	/* Closed now, the socket would be reset under a guest that has not taken what was sent. */
	relay_hangup(r->sock);
	relay_leave(r);
	return NULL;
}

static void *relay_run_output(void *arg)
{
	struct cm_relay *r = arg;

	if (relay_answer(r->sock))
		relay_move(r, r->sock, r->out_fd, false);
	/* The host side is closed or full: the guest's next write fails as on a pipe without reader. */
	shutdown(r->sock, SHUT_RDWR);
	relay_leave(r);
	return NULL;
}

void cm_relay_init(struct cm_relay *r, uint16_t kind, uint64_t token, int done_fd)
{
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->token = token;
	r->in_fd = r->out_fd = r->sock = -1;
	r->done_fd = done_fd;
	r->want = RELAY_NEVER;
}

static int relay_thread(struct cm_relay *r, void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;
	int code;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, RELAY_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&r->live, 1);
	code = pthread_create(&thread, &attr, run, r);
	if (code != 0)
		atomic_fetch_sub(&r->live, 1);
	pthread_attr_destroy(&attr);
	return code;
}

int cm_relay_start(struct cm_relay *r, const char *path, struct cm_err *err)
{
	struct cm_rpc_stream_hello hello = {
		.magic = CM_RPC_STREAM_MAGIC,
		.version = CM_RPC_VERSION,
		.kind = r->kind,
		.token = r->token,
	};
	int code = 0;

	r->in_tty = r->in_fd >= 0 && isatty(r->in_fd);
	r->sock = cm_vsock_connect(path, CM_RPC_PORT_STREAM, err);
	if (r->sock < 0)
		return -err->code;
	if (send(r->sock, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		return cm_err_set(err, EIO, "open stream %u", r->kind);
	if (r->out_fd >= 0)
		code = relay_thread(r, relay_run_output);
	if (code == 0 && r->in_fd >= 0)
		code = relay_thread(r, relay_run_input);
	return code ? cm_err_set(err, code, "open stream %u", r->kind) : 0;
}

bool cm_relay_is_output(const struct cm_relay *r)
{
	return r->out_fd >= 0;
}

void cm_relay_stop(struct cm_relay *r)
{
	if (r->sock >= 0)
		shutdown(r->sock, SHUT_RDWR);
}

void cm_relay_fini(struct cm_relay *r)
{
	cm_cleanup_closep(&r->sock);
	if (r->own) {
		cm_cleanup_closep(&r->in_fd);
		if (r->out_fd != r->in_fd)
			cm_cleanup_closep(&r->out_fd);
	}
	r->sock = r->in_fd = r->out_fd = -1;
}
