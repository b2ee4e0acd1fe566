/* SPDX-License-Identifier: Apache-2.0 */
/* vsock connections: the host socket of each, both directions of its stream, credit, and the CONNECT line of host clients. */
#include <config.h>

#include "vmm/virtio/vsock_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "casemate/virtio_abi.h"

#define VSOCK_IOV	16
#define VSOCK_SHUT_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

static void vsock_conn_event(struct ev_source *src, uint32_t events);

struct vsock_conn *vsock_conn_create(struct vsock *vs, int fd, enum vsock_state state)
{
	struct vsock_conn *c;

	if (vs->nconns == VSOCK_CONNS)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->vs = vs;
	c->state = state;
	c->src = (struct ev_source){ .fd = fd, .fn = vsock_conn_event, .arg = c };
	if (eventloop_add(vs->dev.env.loop, &c->src, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)) {
		free(c);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&vs->conns, c, all);
	vs->nconns++;
	return c;
}

void vsock_conn_free(struct vsock_conn *c)
{
	struct vsock *vs = c->vs;

	if (c->queued)
		TAILQ_REMOVE(&vs->rxlist, c, rx);
	if (c->state == VSOCK_CONNECTING || c->state == VSOCK_OPEN)
		vsock_hash_del(vs, c);
	TAILQ_REMOVE(&vs->conns, c, all);
	vs->nconns--;
	eventloop_del(vs->dev.env.loop, &c->src);
	/* #syscalls:io close */
	close(c->src.fd);
	free(c->buf);
	free(c);
}

/* End a connection that the guest knows of. */
static void vsock_conn_kill(struct vsock_conn *c)
{
	vsock_send_rst(c->vs, c->host_port, c->guest_port);
	vsock_conn_free(c);
}

static void vsock_conn_pend(struct vsock_conn *c, uint32_t bits)
{
	c->pending |= bits;
	vsock_queue_rx(c->vs, c);
}

/* Have the guest told that a direction ended on the host. */
static void vsock_conn_tell_shut(struct vsock_conn *c, uint32_t flags)
{
	if (c->state != VSOCK_OPEN || (c->told_shut & flags) == flags)
		return;
	c->told_shut |= flags;
	vsock_conn_pend(c, VSOCK_PEND_SHUTDOWN);
}

/* ---- guest to host ---- */

/* The client took n bytes of the guest. */
static void vsock_conn_forwarded(struct vsock_conn *c, uint32_t n)
{
	c->fwd_cnt += n;
	if (c->state == VSOCK_OPEN && c->fwd_cnt - c->fwd_told >= VSOCK_BUF / 2)
		vsock_conn_pend(c, VSOCK_PEND_CREDIT);
}

/* The client will take nothing more: what the guest has sent and will send counts as taken. */
static void vsock_conn_break(struct vsock_conn *c)
{
	c->broken = true;
	c->line_len = 0;
	c->line_off = 0;
	vsock_conn_forwarded(c, c->buf_len);
	c->buf_len = 0;
	vsock_conn_tell_shut(c, VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* Send to the client: bytes taken, 0 when it is slow or gone. */
static size_t vsock_conn_send(struct vsock_conn *c, struct iovec *iov, unsigned int n)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	/* #syscalls:io sendmsg */
	ssize_t r = sendmsg(c->src.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (r >= 0)
		return (size_t)r;
	if (errno != EAGAIN && errno != EINTR)
		vsock_conn_break(c);
	return 0;
}

static bool vsock_conn_send_line(struct vsock_conn *c)
{
	struct iovec v = { .iov_base = c->line + c->line_off, .iov_len = c->line_len };
	size_t n;

	if (c->line_len == 0)
		return true;
	n = vsock_conn_send(c, &v, 1);
	if (c->broken)
		return true;
	c->line_off += (uint32_t)n;
	c->line_len -= (uint32_t)n;
	return c->line_len == 0;
}

/* Move buffered bytes to the client as far as it takes them. */
static void vsock_conn_drain(struct vsock_conn *c)
{
	if (!vsock_conn_send_line(c))
		return;
	while (c->buf_len) {
		uint32_t first = VSOCK_BUF - c->buf_head;
		struct iovec v[2];
		size_t n;

		if (first > c->buf_len)
			first = c->buf_len;
		v[0] = (struct iovec){ .iov_base = c->buf + c->buf_head, .iov_len = first };
		v[1] = (struct iovec){ .iov_base = c->buf, .iov_len = c->buf_len - first };
		n = vsock_conn_send(c, v, v[1].iov_len ? 2 : 1);
		if (n == 0)
			return;
		c->buf_head = (c->buf_head + (uint32_t)n) % VSOCK_BUF;
		c->buf_len -= (uint32_t)n;
		vsock_conn_forwarded(c, (uint32_t)n);
	}
	/* An idle stream holds no buffer. */
	free(c->buf);
	c->buf = NULL;
	c->buf_head = 0;
}

/*
 * Drain, then finish what waited for the buffer to run empty. May free c: callers do not touch it afterwards.
 */
static void vsock_conn_progress(struct vsock_conn *c)
{
	vsock_conn_drain(c);
	if (c->buf_len || c->line_len)
		return;
	if (c->state == VSOCK_DRAINING) {
		vsock_conn_free(c);
	} else if (c->guest_shut == VSOCK_SHUT_BOTH) {
		/* The reset confirms an orderly end: all bytes are with the client. */
		vsock_conn_kill(c);
	} else if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) {
		/* #syscalls:io shutdown */
		shutdown(c->src.fd, SHUT_WR);
	}
}

/* Send payload bytes straight out of guest memory. Bytes taken. */
static uint32_t vsock_conn_send_chain(
	struct vsock_conn *c, const struct vq_chain *chain, uint32_t len)
{
	uint32_t done = 0;

	while (done < len && !c->broken) {
		struct iovec iov[VSOCK_IOV];
		size_t bytes, n;
		unsigned int k = vq_chain_slice(chain, false,
			sizeof(struct virtio_vsock_hdr) + done, len - done, iov, VSOCK_IOV, &bytes);

		if (k == 0)
			break;
		n = vsock_conn_send(c, iov, k);
		done += (uint32_t)n;
		if (n < bytes)
			break;
	}
	return done;
}

/* Keep payload bytes [off, len) in the ring, which has room for them. 0 or -ENOMEM. */
static int vsock_conn_buffer(
	struct vsock_conn *c, const struct vq_chain *chain, uint32_t off, uint32_t len)
{
	if (!c->buf)
		c->buf = malloc(VSOCK_BUF);
	if (!c->buf)
		return -ENOMEM;
	while (off < len) {
		uint32_t tail = (c->buf_head + c->buf_len) % VSOCK_BUF;
		uint32_t n = VSOCK_BUF - tail < len - off ? VSOCK_BUF - tail : len - off;

		n = (uint32_t)vq_chain_read(
			chain, sizeof(struct virtio_vsock_hdr) + off, c->buf + tail, n);
		c->buf_len += n;
		off += n;
	}
	return 0;
}

/* RW packet. May free c. */
static void vsock_conn_payload(
	struct vsock_conn *c, const struct virtio_vsock_hdr *hdr, const struct vq_chain *chain)
{
	uint32_t len = hdr->len, done = 0;

	/* buf_len never exceeds VSOCK_BUF, so the room cannot wrap; sending beyond the credit ends the connection. */
	if ((c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) || len > VSOCK_BUF - c->buf_len) {
		vsock_conn_kill(c);
		return;
	}
	c->rx_cnt += len;
	if (c->buf_len == 0 && vsock_conn_send_line(c)) {
		done = vsock_conn_send_chain(c, chain, len);
		vsock_conn_forwarded(c, done);
	}
	if (c->broken)
		vsock_conn_forwarded(c, len - done);
	else if (done < len && vsock_conn_buffer(c, chain, done, len))
		vsock_conn_kill(c);
}

static void vsock_conn_shutdown(struct vsock_conn *c, uint32_t flags)
{
	c->guest_shut |= flags & VSOCK_SHUT_BOTH;
	if (c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV)
		shutdown(c->src.fd, SHUT_RD);
	vsock_conn_progress(c);
}

/* The guest dropped the connection; what it sent before still reaches the client. */
static void vsock_conn_reset(struct vsock_conn *c)
{
	if (c->state != VSOCK_OPEN || (c->buf_len == 0 && c->line_len == 0)) {
		vsock_conn_free(c);
		return;
	}
	vsock_hash_del(c->vs, c);
	c->state = VSOCK_DRAINING;
	c->pending = 0;
	if (c->queued) {
		TAILQ_REMOVE(&c->vs->rxlist, c, rx);
		c->queued = false;
	}
	vsock_conn_progress(c);
}

/* ---- host to guest ---- */

/* Bytes that the guest has room for. */
static uint32_t vsock_conn_credit(const struct vsock_conn *c)
{
	uint32_t in_flight = c->tx_cnt - c->peer_fwd;

	return c->peer_alloc > in_flight ? c->peer_alloc - in_flight : 0;
}

/*
 * Every packet carries the guest's credit. A fwd_cnt outside [the last one, what we sent] is nonsense and ignored: believing it would make
 * the room wrap to almost 2^32.
 */
static void vsock_conn_take_credit(struct vsock_conn *c, const struct virtio_vsock_hdr *hdr)
{
	if (c->tx_cnt - hdr->fwd_cnt <= c->tx_cnt - c->peer_fwd)
		c->peer_fwd = hdr->fwd_cnt;
	c->peer_alloc = hdr->buf_alloc;
}

static bool vsock_conn_may_read(const struct vsock_conn *c)
{
	return c->state == VSOCK_OPEN && c->readable &&
	       !(c->told_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) &&
	       !(c->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

bool vsock_conn_wants_rx(const struct vsock_conn *c)
{
	return c->pending || (vsock_conn_may_read(c) && vsock_conn_credit(c));
}

/* Read from the client into the chain behind the header. Bytes, 0 when there are none (now or for ever). */
static uint32_t vsock_conn_read(struct vsock_conn *c, const struct vq_chain *chain)
{
	uint32_t max = vsock_conn_credit(c);
	struct iovec iov[VSOCK_IOV];
	unsigned int k;
	size_t bytes;
	ssize_t r;

	if (max > CM_VSOCK_PACKET_MAX)
		max = CM_VSOCK_PACKET_MAX;
	k = vq_chain_slice(
		chain, true, sizeof(struct virtio_vsock_hdr), max, iov, VSOCK_IOV, &bytes);
	/* #syscalls:io readv */
	r = readv(c->src.fd, iov, (int)k);
	if (r > 0) {
		/* A short read emptied the socket: what comes next brings an edge. An end that was announced needs one more read. */
		if ((size_t)r < bytes && !c->ended)
			c->readable = false;
		return (uint32_t)r;
	}
	if (r < 0 && (errno == EAGAIN || errno == EINTR)) {
		c->readable = errno == EINTR;
		return 0;
	}
	c->readable = false;
	vsock_conn_tell_shut(
		c, VIRTIO_VSOCK_SHUTDOWN_SEND | (c->hangup ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0));
	return 0;
}

/* Pick the next packet that c owes. VIRTIO_VSOCK_OP_INVALID when none; for RW, *len is the payload that is in the chain. */
static uint16_t vsock_conn_next_op(
	struct vsock_conn *c, const struct vq_chain *chain, uint32_t *len)
{
	static const struct {
		uint32_t bit;
		uint16_t op;
	} control[] = {
		{ VSOCK_PEND_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		{ VSOCK_PEND_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
		{ VSOCK_PEND_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN },
		{ VSOCK_PEND_ASK, VIRTIO_VSOCK_OP_CREDIT_REQUEST },
		{ VSOCK_PEND_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
	};

	*len = 0;
	if (!(c->pending & (VSOCK_PEND_REQUEST | VSOCK_PEND_RESPONSE)) && vsock_conn_may_read(c) &&
		vsock_conn_credit(c)) {
		*len = vsock_conn_read(c, chain);
		if (*len)
			return VIRTIO_VSOCK_OP_RW;
	}
	for (unsigned int i = 0; i < sizeof(control) / sizeof(control[0]); i++) {
		if (c->pending & control[i].bit) {
			c->pending &= ~control[i].bit;
			return control[i].op;
		}
	}
	return VIRTIO_VSOCK_OP_INVALID;
}

uint32_t vsock_conn_emit(struct vsock_conn *c, const struct vq_chain *chain)
{
	uint32_t len;
	uint16_t op = vsock_conn_next_op(c, chain, &len);
	const struct virtio_vsock_hdr hdr = {
		.src_cid = CM_VSOCK_HOST_CID,
		.dst_cid = CM_VSOCK_GUEST_CID,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.flags = op == VIRTIO_VSOCK_OP_SHUTDOWN ? c->told_shut : 0,
		.buf_alloc = VSOCK_BUF,
		.fwd_cnt = c->fwd_cnt,
	};

	if (op == VIRTIO_VSOCK_OP_INVALID)
		return 0;
	if (op == VIRTIO_VSOCK_OP_REQUEST)
		c->request_sent = true;
	c->tx_cnt += len;
	if (len && vsock_conn_credit(c) == 0)
		c->pending |= VSOCK_PEND_ASK;
	/* Any packet tells the credit. */
	c->fwd_told = c->fwd_cnt;
	c->pending &= ~VSOCK_PEND_CREDIT;
	vq_chain_write(chain, 0, &hdr, sizeof(hdr));
	return (uint32_t)sizeof(hdr) + len;
}

/* ---- set-up ---- */

/* The guest accepted: tell the client and let bytes flow. */
static void vsock_conn_accepted(struct vsock_conn *c)
{
	c->state = VSOCK_OPEN;
	c->line_len = (uint32_t)snprintf(c->line, sizeof(c->line), "OK %u\n", c->host_port);
	c->line_off = 0;
	c->readable = true;
	vsock_conn_progress(c);
}

void vsock_conn_packet(
	struct vsock_conn *c, const struct virtio_vsock_hdr *hdr, const struct vq_chain *chain)
{
	struct vsock *vs = c->vs;
	uint32_t host_port = c->host_port, guest_port = c->guest_port;

	if (hdr->op == VIRTIO_VSOCK_OP_RST) {
		vsock_conn_reset(c);
		return;
	}
	vsock_conn_take_credit(c, hdr);
	if ((c->state == VSOCK_CONNECTING) != (hdr->op == VIRTIO_VSOCK_OP_RESPONSE)) {
		vsock_conn_kill(c);
		return;
	}
	switch (hdr->op) {
	case VIRTIO_VSOCK_OP_RESPONSE:
		vsock_conn_accepted(c);
		break;
	case VIRTIO_VSOCK_OP_RW:
		vsock_conn_payload(c, hdr, chain);
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		vsock_conn_shutdown(c, hdr->flags);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		vsock_conn_pend(c, VSOCK_PEND_CREDIT);
		break;
	default:
		vsock_conn_kill(c);
		break;
	}
	/* The packet may have ended the connection, or opened room to send. */
	c = vsock_lookup(vs, host_port, guest_port);
	if (c)
		vsock_queue_rx(vs, c);
}

int vsock_conn_from_guest(struct vsock *vs, const struct virtio_vsock_hdr *hdr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct vsock_conn *c;
	int fd, n;

	if (!vs->name || vs->nconns == VSOCK_CONNS)
		return -ECONNREFUSED;
	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s_%u", vs->name, hdr->dst_port);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	/* #syscalls:io socket[0=AF_UNIX] connect */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A UNIX connect that cannot finish at once says EAGAIN (full backlog) and has done nothing. */
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		!(c = vsock_conn_create(vs, fd, VSOCK_OPEN))) {
		close(fd);
		return -ECONNREFUSED;
	}
	c->host_port = hdr->dst_port;
	c->guest_port = hdr->src_port;
	c->peer_alloc = hdr->buf_alloc;
	c->peer_fwd = 0;
	c->readable = true;
	vsock_hash_add(vs, c);
	vsock_conn_pend(c, VSOCK_PEND_RESPONSE);
	return 0;
}

/* Parse "CONNECT <port>\n" of exactly len bytes. */
static bool vsock_parse_connect(const char *line, size_t len, uint32_t *port)
{
	static const char word[] = "CONNECT ";
	uint64_t v = 0;

	if (len < sizeof(word) + 1 || memcmp(line, word, sizeof(word) - 1) != 0)
		return false;
	for (size_t i = sizeof(word) - 1; i < len - 1; i++) {
		if (line[i] < '0' || line[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(line[i] - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*port = (uint32_t)v;
	return true;
}

/* Host ports of client connections: upper half of the number space, next free one. */
static uint32_t vsock_pick_port(struct vsock *vs, uint32_t guest_port)
{
	do {
		vs->next_port = (vs->next_port + 1) | 1u << 30;
		vs->next_port &= 0x7fffffffu;
	} while (vsock_lookup(vs, vs->next_port, guest_port));
	return vs->next_port;
}

/* A client's first line. Anything but a well-formed CONNECT closes the connection; bytes behind the line stay in the socket. May free c. */
static void vsock_conn_handshake(struct vsock_conn *c)
{
	char line[VSOCK_LINE];
	/* #syscalls:io recvfrom */
	ssize_t n = recv(c->src.fd, line, sizeof(line), MSG_PEEK);
	const char *nl;
	uint32_t port;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A client that has closed by now does not want the connection; no other event will say so. */
	nl = n > 0 && !c->hangup ? memchr(line, '\n', (size_t)n) : NULL;
	if (!nl && n > 0 && (size_t)n < sizeof(line) && !c->ended)
		return;
	if (!nl || !vsock_parse_connect(line, (size_t)(nl - line) + 1, &port) ||
		recv(c->src.fd, line, (size_t)(nl - line) + 1, 0) != nl - line + 1) {
		vsock_conn_free(c);
		return;
	}
	c->guest_port = port;
	c->host_port = vsock_pick_port(c->vs, port);
	c->state = VSOCK_CONNECTING;
	vsock_hash_add(c->vs, c);
	vsock_conn_pend(c, VSOCK_PEND_REQUEST);
}

/* The client closed before the guest answered. */
static void vsock_conn_abandon(struct vsock_conn *c)
{
	if (c->request_sent)
		vsock_conn_kill(c);
	else
		vsock_conn_free(c);
}

static void vsock_conn_event(struct ev_source *src, uint32_t events)
{
	struct vsock_conn *c = src->arg;
	struct vsock *vs = c->vs;

	if (events & (EPOLLHUP | EPOLLERR))
		c->hangup = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->ended = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		c->readable = true;
	if (c->state == VSOCK_HANDSHAKE) {
		vsock_conn_handshake(c);
	} else if (c->state == VSOCK_CONNECTING) {
		if (c->hangup)
			vsock_conn_abandon(c);
	} else {
		if (c->hangup && (c->told_shut & VIRTIO_VSOCK_SHUTDOWN_SEND))
			vsock_conn_tell_shut(c, VIRTIO_VSOCK_SHUTDOWN_RCV);
		vsock_queue_rx(vs, c);
		/* Nothing to do for the other direction unless bytes wait or the connection is at its end. */
		if (c->buf_len || c->line_len || c->state == VSOCK_DRAINING)
			vsock_conn_progress(c);
	}
	vsock_flush(vs);
}
