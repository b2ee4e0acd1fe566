/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket of a sandbox: client side, used by short-lived commands. */
#include <config.h>
#include "control/urpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/cleanup.h"

/* #syscalls:exec openat socket connect setsockopt close */
int cm_urpc_open(const char *root, const char *id, struct cm_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval deadline = { .tv_sec = CM_URPC_DEADLINE };
	cleanup_fd int rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int dirfd = -1;
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (rootfd >= 0)
		dirfd = openat(rootfd, id, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dirfd < 0 || fd < 0)
		return cm_err_set(err, errno, "container '%s'", id);
	/* Through the descriptor: a state directory of any depth fits in an address. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/control.sock", dirfd);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return cm_err_set(err, errno, "connect to the sandbox of '%s'", id);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
	return steal_fd(&fd);
}

/* Add what has come to `rx`, and no byte behind the end of a message: another may follow. 1 = that is a message (in *reply), 0 = not yet, or -errno. */
static int urpc_take(int fd, struct cm_buf *rx, json_t **reply)
{
	json_error_t jerr;
	size_t before = rx->len;
	char *p = cm_buf_reserve(rx, 4096);
	ssize_t n = p ? recv(fd, p, 4096, MSG_PEEK) : -1;

	if (n <= 0)
		return n == 0 ? -ECONNRESET : -errno;
	rx->len += (size_t)n;
	*reply = json_loadb(rx->p, rx->len, JSON_DISABLE_EOF_CHECK, &jerr);
	if (*reply)
		n = (ssize_t)((size_t)jerr.position - before);
	else if (json_error_code(&jerr) != json_error_premature_end_of_input)
		return -EPROTO;
	if (recv(fd, p, (size_t)n, 0) != n)
		return -EPROTO;
	return *reply != NULL;
}

static json_t *urpc_reply(int fd, struct cm_err *err)
{
	struct cm_buf rx;
	json_t *reply = NULL;
	int r;

	cm_buf_init(&rx, 16 * CM_URPC_MESSAGE);
	do {
		r = urpc_take(fd, &rx, &reply);
	} while (r == 0 || r == -EINTR);
	if (r == -EPROTO)
		cm_err_set(err, EPROTO, "reply of the sandbox");
	else if (r < 0)
		cm_err_set(err, r == -EAGAIN ? ETIMEDOUT : -r, "no reply of the sandbox");
	cm_buf_fini(&rx);
	return reply;
}

static int urpc_result(json_t *reply, json_t **result, struct cm_err *err)
{
	const char *text = json_string_value(json_object_get(reply, "err"));
	json_int_t code = json_integer_value(json_object_get(reply, "errno"));

	if (!json_is_true(json_object_get(reply, "success"))) {
		cm_err_set(err, 0, "%s", text && *text ? text : "the sandbox refused");
		err->code = code > 0 && code < 4096 ? (int)code : EIO;
		return -err->code;
	}
	if (result)
		*result = json_incref(json_object_get(reply, "result"));
	return 0;
}

/* #syscalls:member,exec sendmsg sendto */
int cm_urpc_send(int fd, const char *method, json_t *arg, const int *fds, int n, struct cm_err *err)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(CM_URPC_FDS * sizeof(int))];
	} control = { 0 };
	json_t *o = json_pack("{s:s, s:o?}", "method", method, "arg", arg);
	cleanup_free char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	struct iovec iov = { text, text ? strlen(text) : 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	json_decref(o);
	if (!text)
		return cm_err_set(err, ENOMEM, "call the sandbox");
	if (n > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, (size_t)n * sizeof(int));
	}
	sent = sendmsg(fd, &m, MSG_NOSIGNAL);
	if (sent >= 0 && (size_t)sent < iov.iov_len &&
		send(fd, text + sent, iov.iov_len - (size_t)sent, MSG_NOSIGNAL) !=
			(ssize_t)iov.iov_len - sent)
		sent = -1;
	return sent < 0 ? cm_err_set(err, errno ? errno : EIO, "call the sandbox") : 0;
}

/* #syscalls:member,exec setsockopt recvfrom */
int cm_urpc_receive(int fd, bool patient, json_t **result, struct cm_err *err)
{
	struct timeval deadline = { .tv_sec = patient ? 0 : CM_URPC_DEADLINE };
	json_t *reply;
	int r;

	if (result)
		*result = NULL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	reply = urpc_reply(fd, err);
	if (!reply)
		return -err->code;
	r = urpc_result(reply, result, err);
	json_decref(reply);
	return r;
}

int cm_urpc_call(const char *root, const char *id, const char *method, json_t *arg, json_t **result,
	struct cm_err *err)
{
	cleanup_fd int fd = cm_urpc_open(root, id, err);

	if (result)
		*result = NULL;
	if (fd < 0) {
		json_decref(arg);
		return fd;
	}
	if (cm_urpc_send(fd, method, arg, NULL, 0, err) < 0)
		return -err->code;
	return cm_urpc_receive(fd, false, result, err);
}

int cm_urpc_attach(const char *root, const char *id, struct cm_err *err)
{
	cleanup_fd int fd = cm_urpc_open(root, id, err);

	if (fd < 0 || cm_urpc_send(fd, "debug.Attach", json_string(id), NULL, 0, err) < 0 ||
		cm_urpc_receive(fd, false, NULL, err) < 0)
		return -err->code;
	return steal_fd(&fd);
}

int cm_urpc_signal(const char *root, const char *id, int signo, int pid, enum cm_urpc_mode mode,
	struct cm_err *err)
{
	json_t *arg = json_pack(
		"{s:s, s:i, s:i, s:i}", "CID", id, "Signo", signo, "PID", pid, "Mode", (int)mode);

	return cm_urpc_call(root, id, "containerManager.Signal", arg, NULL, err);
}
