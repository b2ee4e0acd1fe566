/* SPDX-License-Identifier: Apache-2.0 */
/* Connections into the guest and the control connection. */
#include <config.h>
#include "control/rpc_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/cleanup.h"

#define CLIENT_OK_MAX 32 /* characters of the device's answer line */
#define CLIENT_CHUNK  4096

/* #syscalls:sandbox socket connect sendto recvfrom fcntl */
int cm_vsock_connect(const char *path, unsigned port, struct cm_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[32];
	int n;

	if (fd < 0)
		return cm_err_set(err, errno, "make socket");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return cm_err_set(err, errno, "connect to the vsock device");
	n = snprintf(line, sizeof(line), "CONNECT %u\n", port);
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		return cm_err_set(err, EIO, "connect to guest port %u", port);
	return steal_fd(&fd);
}

void cm_rpc_client_init(struct cm_rpc_client *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	c->next_id = 1;
	cm_buf_init(&c->rx, sizeof(struct cm_rpc_hdr) + CM_RPC_EVENT_MAX + CLIENT_CHUNK);
	cm_buf_init(&c->tx, 2 * CM_RPC_PAYLOAD_MAX);
}

void cm_rpc_client_fini(struct cm_rpc_client *c)
{
	cm_cleanup_closep(&c->fd);
	c->fd = -1;
	cm_buf_fini(&c->rx);
	cm_buf_fini(&c->tx);
}

int cm_rpc_client_connect(struct cm_rpc_client *c, const char *path, struct cm_err *err)
{
	c->fd = cm_vsock_connect(path, CM_RPC_PORT_CONTROL, err);
	if (c->fd < 0)
		return -err->code;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
		return cm_err_set(err, errno, "connect to the guest");
	return 0;
}

int64_t cm_rpc_client_request(
	struct cm_rpc_client *c, uint16_t type, const void *payload, uint32_t len)
{
	uint32_t id = c->next_id;
	size_t need = sizeof(struct cm_rpc_hdr) + len;
	unsigned slot = 0;

	while (slot < CM_RPC_CLIENT_OPEN && c->open[slot].id)
		slot++;
	if (slot == CM_RPC_CLIENT_OPEN || c->tx.max - c->tx.len < need ||
		!cm_buf_reserve(&c->tx, need))
		return -ENOBUFS;
	c->open[slot].id = id;
	c->open[slot].type = type;
	cm_rpc_encode(&c->tx, type, id, payload, len);
	c->next_id = id == INT32_MAX ? 1 : id + 1;
	return id;
}

bool cm_rpc_client_pending(const struct cm_rpc_client *c)
{
	return c->tx.len > 0;
}

int cm_rpc_client_flush(struct cm_rpc_client *c)
{
	while (c->tx.len > 0) {
		ssize_t n = send(c->fd, c->tx.p, c->tx.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		cm_buf_consume(&c->tx, (size_t)n);
	}
	return 0;
}

int cm_rpc_client_fill(struct cm_rpc_client *c)
{
	void *p = cm_buf_reserve(&c->rx, CLIENT_CHUNK);
	ssize_t n;

	if (!p)
		return -ENOBUFS;
	n = recv(c->fd, p, CLIENT_CHUNK, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	c->rx.len += (size_t)n;
	return 0;
}

/* "OK <port>\n" of the device stands before the first frame. */
static int client_answer(struct cm_rpc_client *c)
{
	const char *nl = c->rx.len ? memchr(c->rx.p, '\n', c->rx.len) : NULL;

	if (!nl)
		return c->rx.len > CLIENT_OK_MAX ? -EPROTO : 0;
	if (nl - c->rx.p < 3 || memcmp(c->rx.p, "OK ", 3) != 0)
		return -EPROTO;
	cm_buf_consume(&c->rx, (size_t)(nl - c->rx.p) + 1);
	c->up = true;
	return 0;
}

/* Is it the reply to an open request? Then that is not open any more. */
static bool client_matches(struct cm_rpc_client *c, const struct cm_rpc_hdr *h)
{
	for (unsigned i = 0; i < CM_RPC_CLIENT_OPEN; i++) {
		if (c->open[i].id != h->id || (c->open[i].type | CM_RPC_REPLY) != h->type)
			continue;
		c->open[i].id = 0;
		return true;
	}
	return false;
}

int cm_rpc_client_next(struct cm_rpc_client *c, struct cm_rpc_frame *f)
{
	int n;

	if (!c->up) {
		int r = client_answer(c);

		if (r < 0 || !c->up)
			return r;
	}
	n = c->rx.len ? cm_rpc_decode_frame(c->rx.p, c->rx.len, f) : 0;
	return n > 0 && f->hdr.id != 0 && !client_matches(c, &f->hdr) ? -EPROTO : n;
}

void cm_rpc_client_drop(struct cm_rpc_client *c, int size)
{
	cm_buf_consume(&c->rx, (size_t)size);
}
