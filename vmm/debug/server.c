/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug thread: one poll over the sandbox process, the vCPUs' event and the connections. A connection that does not read its replies
 * keeps nothing but itself waiting; one that breaks the protocol is dropped, and what it did is taken back.
 */
#include <config.h>
#include "vmm/debug/server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/debug/internal.h"
#include "vmm/debug/pause.h"
#include "vmm/stage.h"
#include "vmm/vlog.h"
#include "vmm/vm.h"

#define DEBUG_STACK (64u * 1024u)

/* One a process; its buffers are not touched before they are used. */
static struct debug_server debug_server;

/* ---- connections */

static void conn_drop(struct debug_server *s, struct debug_conn *c)
{
	debug_release(s, c);
	/* #syscalls:dbg close */
	close(c->fd);
	c->fd = -1;
}

/* Take the descriptor that a message of the sandbox process carries. */
static void server_take(struct debug_server *s)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	/* #syscalls:dbg recvmsg */
	ssize_t n = recvmsg(s->hand_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *h = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	unsigned i;
	int fd;

	if (n == 0)
		s->hand_fd = -1;
	if (n <= 0 || !h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
		h->cmsg_len != CMSG_LEN(sizeof(int)))
		return;
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	for (i = 0; i < CM_DBG_CONNS && s->conn[i].fd >= 0; i++)
		;
	if (i == CM_DBG_CONNS) {
		close(fd);
		return;
	}
	memset(&s->conn[i], 0, offsetof(struct debug_conn, in));
	s->conn[i].fd = fd;
}

/* ---- output */

static uint8_t *conn_reply(struct debug_conn *c)
{
	return c->out + sizeof(struct cm_dbg_hdr);
}

static void conn_frame(
	struct debug_conn *c, uint16_t type, uint32_t id, uint32_t error, uint32_t len)
{
	struct cm_dbg_hdr h = {
		.magic = CM_DBG_MAGIC,
		.version = CM_DBG_VERSION,
		.type = type,
		.id = id,
		.len = len,
		.error = error,
	};

	memcpy(c->out, &h, sizeof(h));
	c->out_at = 0;
	c->out_len = sizeof(h) + len;
}

/* Send what is due; false when the connection is gone. */
static bool conn_flush(struct debug_conn *c)
{
	for (;;) {
		ssize_t n;

		if (c->out_len == 0 && c->stop_due) {
			memcpy(conn_reply(c), &c->stop, sizeof(c->stop));
			conn_frame(c, CM_DBG_STOPPED, 0, 0, sizeof(c->stop));
			c->stop_due = false;
		}
		if (c->out_len == 0)
			return true;
		/* #syscalls:dbg sendto */
		n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_at += (size_t)n;
		if (c->out_at == c->out_len)
			c->out_at = c->out_len = 0;
	}
}

/* ---- input */

/* Serve the frame at the start of the buffer if it is whole. 1 = served, 0 = not whole, -1 = broken. */
static int conn_serve(struct debug_server *s, struct debug_conn *c)
{
	struct debug_call k = { .s = s, .c = c, .reply = conn_reply(c) };
	struct cm_dbg_hdr h;
	uint32_t error;

	if (c->in_len < sizeof(h))
		return 0;
	memcpy(&h, c->in, sizeof(h));
	if (h.magic != CM_DBG_MAGIC || h.version != CM_DBG_VERSION || h.id == 0 ||
		h.type & (CM_DBG_REPLY | CM_DBG_EVENT) || h.len > CM_DBG_PAYLOAD_MAX)
		return -1;
	if (c->in_len < sizeof(h) + h.len)
		return 0;
	k.arg = c->in + sizeof(h);
	k.len = h.len;
	error = debug_dispatch(&k, h.type);
	if (error && h.type != CM_DBG_PAUSE)
		k.reply_len = 0;
	conn_frame(c, h.type | CM_DBG_REPLY, h.id, error, k.reply_len);
	c->in_len -= sizeof(h) + h.len;
	memmove(c->in, c->in + sizeof(h) + h.len, c->in_len);
	return 1;
}

/* Serve frames for as long as each reply goes out at once; false when the connection is to be dropped. */
static bool conn_run(struct debug_server *s, struct debug_conn *c)
{
	int r = 1;

	while (r > 0) {
		if (!conn_flush(c))
			return false;
		r = c->out_len == 0 ? conn_serve(s, c) : 0;
	}
	return r == 0;
}

static bool conn_read(struct debug_conn *c)
{
	/* #syscalls:dbg recvfrom */
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in_len += (size_t)n;
	return n > 0;
}

static void conn_ready(struct debug_server *s, struct debug_conn *c, short events)
{
	bool good = true;

	/* A peer that hung up does not want the reply. */
	if (events & (POLLHUP | POLLERR))
		good = false;
	else if (events & POLLIN && c->in_len < sizeof(c->in))
		good = conn_read(c);
	if (!good || !conn_run(s, c))
		conn_drop(s, c);
}

/* ---- the thread */

enum {
	POLL_HAND,
	POLL_EVENT,
	POLL_CONN,
	POLL_FDS = POLL_CONN + CM_DBG_CONNS
};

static bool server_has_conn(const struct debug_server *s)
{
	unsigned i;

	for (i = 0; i < CM_DBG_CONNS; i++) {
		if (s->conn[i].fd >= 0)
			return true;
	}
	return false;
}

static void server_round(struct debug_server *s)
{
	struct pollfd p[POLL_FDS] = {
		[POLL_HAND] = { .fd = s->hand_fd, .events = POLLIN },
		[POLL_EVENT] = { .fd = s->event_fd, .events = POLLIN },
	};
	uint64_t events;
	unsigned i;

	for (i = 0; i < CM_DBG_CONNS; i++) {
		p[POLL_CONN + i].fd = s->conn[i].fd;
		p[POLL_CONN + i].events = s->conn[i].out_len ? POLLOUT : POLLIN;
	}
	/* #syscalls:dbg poll */
	if (poll(p, POLL_FDS, -1) < 0)
		return;
	for (i = 0; i < CM_DBG_CONNS; i++) {
		if (s->conn[i].fd >= 0 && p[POLL_CONN + i].revents)
			conn_ready(s, &s->conn[i], p[POLL_CONN + i].revents);
	}
	if (p[POLL_EVENT].revents && read(s->event_fd, &events, sizeof(events)) == sizeof(events)) {
		debug_tell(s);
		for (i = 0; i < CM_DBG_CONNS; i++) {
			if (s->conn[i].fd >= 0 && s->conn[i].stop_due && !conn_flush(&s->conn[i]))
				conn_drop(s, &s->conn[i]);
		}
	}
	if (p[POLL_HAND].revents)
		server_take(s);
	/* Whoever was to look at a guest that died is gone, or never came: nothing keeps it. */
	if (s->vm->opts->hold_debugged && !server_has_conn(s))
		pause_let_go(s->vm);
}

static void *server_main(void *arg)
{
	struct debug_server *s = arg;
	struct cm_err err;

	prctl(PR_SET_NAME, "dbg", 0, 0, 0);
	if (stage_seal_dbg(&err) < 0) {
		vm_fail(s->vm, &err);
		return NULL;
	}
	sem_post(&s->vm->debug_sealed);
	while (!vm_stopping(s->vm))
		server_round(s);
	return NULL;
}

int debug_start(struct vm *vm, struct cm_err *err)
{
	struct debug_server *s = &debug_server;
	pthread_attr_t attr;
	pthread_t thread;
	unsigned i;
	int r;

	if (vm->opts->debug_fd < 0)
		return 0;
	s->vm = vm;
	s->hand_fd = vm->opts->debug_fd;
	s->pipe[0] = s->pipe[1] = -1;
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->event_fd < 0)
		return cm_err_set(err, errno, "create the event of the debug thread");
	vm->pause.event_fd = s->event_fd;
	for (i = 0; i < CM_DBG_CONNS; i++)
		s->conn[i].fd = -1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, DEBUG_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, server_main, s);
	pthread_attr_destroy(&attr);
	return r ? cm_err_set(err, r, "start the debug thread") : 0;
}
