/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket of a sandbox: server side. */
#include <config.h>
#include "control/urpc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/spec.h"

void cm_urpc_init(struct cm_urpc_server *s, cm_urpc_call_fn call, cm_urpc_gone_fn gone, void *ctx)
{
	s->fd = -1;
	s->root = 0;
	s->owner = geteuid();
	s->call = call;
	s->gone = gone;
	s->ctx = ctx;
	for (int i = 0; i < CM_URPC_CLIENTS; i++)
		s->clients[i].fd = -1;
}

/* #syscalls:sandbox socket bind listen accept4 getsockopt sendto recvmsg close */
int cm_urpc_listen(struct cm_urpc_server *s, const char *path, struct cm_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return cm_err_set(err, errno, "make control socket");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	/* bind makes the file with the caller's umask: there is no moment in which others may connect. */
	if (bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(s->fd, CM_URPC_CLIENTS) < 0)
		return cm_err_set(err, errno, "make control socket");
	return 0;
}

static void urpc_close_fds(struct cm_urpc_client *c)
{
	for (int i = 0; i < c->nfds; i++)
		cm_cleanup_closep(&c->fds[i]);
	c->nfds = 0;
}

static void urpc_done(struct cm_urpc_client *c)
{
	urpc_close_fds(c);
	c->busy = false;
	c->call = 0;
	c->waits = false;
	c->container = 0;
	c->deadline = c->limit = c->deadline_ms = 0;
	json_decref(c->id);
	json_decref(c->work);
	c->id = c->work = NULL;
	c->stream = c->moved = 0;
}

static void urpc_tx_done(struct cm_urpc_client *c)
{
	cm_cleanup_closep(&c->tx_fd);
	c->tx_fd = -1;
	cm_buf_fini(&c->tx);
}

static void urpc_drop(struct cm_urpc_server *s, struct cm_urpc_client *c)
{
	if (c->fd < 0)
		return;
	cm_cleanup_closep(&c->fd);
	c->fd = -1;
	urpc_done(c);
	urpc_tx_done(c);
	cm_buf_fini(&c->rx);
	s->gone(s->ctx, c);
	c->owns = 0;
	c->monitors = false;
}

void cm_urpc_close(struct cm_urpc_server *s)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++)
		urpc_drop(s, &s->clients[i]);
	cm_cleanup_closep(&s->fd);
	s->fd = -1;
}

void cm_urpc_poll_prepare(const struct cm_urpc_server *s, struct pollfd *fds)
{
	bool room = false;

	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		const struct cm_urpc_client *c = &s->clients[i];

		fds[1 + i].fd = c->fd;
		/* A busy client is only watched for its hangup. */
		fds[1 + i].events = c->tx.len ? POLLOUT : c->busy ? 0 : POLLIN;
		fds[1 + i].revents = 0;
		room |= c->fd < 0;
	}
	fds[0].fd = room ? s->fd : -1;
	fds[0].events = POLLIN;
	fds[0].revents = 0;
}

static void urpc_accept(struct cm_urpc_server *s)
{
	cleanup_fd int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return;
	if (cred.uid != s->root && cred.uid != s->owner)
		return;
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->clients[i];

		if (c->fd < 0) {
			cm_buf_init(&c->rx, CM_URPC_MESSAGE);
			cm_buf_init(&c->tx, CM_URPC_REPLY);
			c->tx_fd = -1;
			c->fd = steal_fd(&fd);
			c->pid = cred.pid;
			return;
		}
	}
}

/*
 * Send what the socket takes. The descriptor goes with the first byte. A client that is gone: its hang-up is seen by the next poll.
 * #syscalls:sandbox sendmsg shutdown
 */
static void urpc_flush(struct cm_urpc_client *c)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS } };

	while (c->tx.len > 0) {
		struct iovec iov = { c->tx.p, c->tx.len };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (c->tx_fd >= 0) {
			memcpy(CMSG_DATA(&control.head), &c->tx_fd, sizeof(int));
			m.msg_control = &control;
			m.msg_controllen = sizeof(control);
		}
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			shutdown(c->fd, SHUT_RDWR);
			break;
		}
		cm_cleanup_closep(&c->tx_fd);
		c->tx_fd = -1;
		cm_buf_consume(&c->tx, (size_t)n);
	}
	urpc_tx_done(c);
}

static int urpc_reply_write(const char *text, size_t len, void *arg)
{
	struct cm_buf *b = arg;

	cm_buf_add(b, text, len);
	return b->failed ? -1 : 0;
}

/* Put a reply into the buffer. False: it is too long, or there is no memory. */
static bool urpc_reply_build(struct cm_urpc_client *c, int code, const char *text, json_t *result)
{
	json_t *o = json_pack("{s:b, s:s, s:o?, s:i, s:O*}", "success", code == 0, "err",
		text ? text : "", "result", result, "errno", code, "id", c->id);
	int r = o ? json_dump_callback(o, urpc_reply_write, &c->tx, JSON_COMPACT) : -1;

	json_decref(o);
	if (r < 0)
		cm_buf_fini(&c->tx);
	return r == 0;
}

void cm_urpc_reply(struct cm_urpc_client *c, int code, const char *text, json_t *result)
{
	code = code < 0 ? -code : code;
	if (!urpc_reply_build(c, code, text, result) &&
		!urpc_reply_build(c, EMSGSIZE, "the result is too long", NULL))
		shutdown(c->fd, SHUT_RDWR);
	urpc_done(c);
	urpc_flush(c);
}

void cm_urpc_reply_fd(struct cm_urpc_client *c, json_t *result, int fd)
{
	c->tx_fd = fd;
	cm_urpc_reply(c, 0, NULL, result);
}

void cm_urpc_hand_over(struct cm_urpc_server *s, struct cm_urpc_client *c)
{
	cm_urpc_reply(c, 0, NULL, NULL);
	urpc_drop(s, c);
}

/* What the client says about the call itself. */
static bool urpc_options(struct cm_urpc_client *c, const json_t *req)
{
	json_t *id = json_object_get(req, "id");
	const json_t *ms = json_object_get(req, "deadline_ms");

	if (id && !json_is_integer(id) &&
		!(json_is_string(id) && json_string_length(id) <= CM_URPC_ID))
		return false;
	if (ms && (!json_is_integer(ms) || json_integer_value(ms) <= 0))
		return false;
	c->id = json_incref(id);
	if (ms)
		c->deadline_ms = json_integer_value(ms) < INT32_MAX ? (long)json_integer_value(ms)
								    : INT32_MAX;
	return true;
}

static void urpc_dispatch(struct cm_urpc_server *s, struct cm_urpc_client *c, const json_t *req)
{
	const json_t *method = json_object_get(req, "method");

	c->busy = true;
	if (!json_is_string(method))
		cm_urpc_reply(c, EINVAL, "method is missing", NULL);
	else if (!urpc_options(c, req))
		cm_urpc_reply(c, EINVAL,
			"id: a number or a short string; deadline_ms: a number above 0", NULL);
	else
		s->call(s->ctx, c, json_string_value(method), json_object_get(req, "arg"));
}

/* Serve the complete messages in the buffer; false when the bytes are no JSON. */
static bool urpc_parse(struct cm_urpc_server *s, struct cm_urpc_client *c)
{
	while (c->fd >= 0 && !c->busy && !c->tx.len && c->rx.len > 0) {
		json_error_t jerr;
		json_t *req = json_loadb(c->rx.p, c->rx.len, JSON_DISABLE_EOF_CHECK, &jerr);

		if (!req && json_error_code(&jerr) == json_error_numeric_overflow) {
			/* Limits are told as 2^64-1. */
			cm_spec_clamp_integers(c->rx.p, c->rx.len);
			req = json_loadb(c->rx.p, c->rx.len, JSON_DISABLE_EOF_CHECK, &jerr);
		}
		if (!req)
			return json_error_code(&jerr) == json_error_premature_end_of_input &&
			       c->rx.len < c->rx.max;
		cm_buf_consume(&c->rx, (size_t)jerr.position);
		urpc_dispatch(s, c, req);
		json_decref(req);
	}
	return true;
}

static void urpc_take_fds(struct cm_urpc_client *c, struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		int n = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (int i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + (size_t)i * sizeof(fd), sizeof(fd));
			if (c->nfds < CM_URPC_FDS)
				c->fds[c->nfds++] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t urpc_recv(struct cm_urpc_client *c, void *p, size_t len)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(CM_URPC_FDS * sizeof(int))];
	} control;
	struct iovec iov = { p, len };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);

	if (n > 0)
		urpc_take_fds(c, &m);
	return n > 0 && (m.msg_flags & MSG_CTRUNC) ? 0 : n;
}

static void urpc_read(struct cm_urpc_server *s, struct cm_urpc_client *c)
{
	size_t room = c->rx.max - c->rx.len;
	void *p = cm_buf_reserve(&c->rx, room < 4096 ? room : 4096);
	ssize_t n = p ? urpc_recv(c, p, room < 4096 ? room : 4096) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		urpc_drop(s, c);
		return;
	}
	c->rx.len += (size_t)n;
	if (!urpc_parse(s, c))
		urpc_drop(s, c);
}

void cm_urpc_poll_serve(struct cm_urpc_server *s, const struct pollfd *fds)
{
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->clients[i];

		if (c->fd < 0 || fds[1 + i].fd != c->fd)
			continue;
		if ((c->busy || c->tx.len) && fds[1 + i].revents & (POLLHUP | POLLERR))
			urpc_drop(s, c);
		else if (c->tx.len)
			urpc_flush(c);
		else if (!c->busy && fds[1 + i].revents)
			urpc_read(s, c);
		else if (!c->busy && c->rx.len > 0 && !urpc_parse(s, c))
			urpc_drop(s, c);
	}
	if (fds[0].fd >= 0 && fds[0].revents)
		urpc_accept(s);
}
