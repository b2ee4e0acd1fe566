/* SPDX-License-Identifier: Apache-2.0 */
/* virtio vsock device: queues, routing of packets, and the listening socket for host clients. */
#include <config.h>

#include "vmm/debug/trace.h"
#include "vmm/virtio/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_ids.h>

#include "casemate/virtio_abi.h"
#include "vmm/virtio/vsock_internal.h"

#define VSOCK_RX	0
#define VSOCK_TX	1
#define VSOCK_ROUND_MAX 512 /* packets a direction before other devices get their turn */

static const struct virtio_vsock_config vsock_config = { .guest_cid = CM_VSOCK_GUEST_CID };

static struct vsock_conn **vsock_bucket(struct vsock *vs, uint32_t host_port, uint32_t guest_port)
{
	uint32_t h = (host_port * 0x9e3779b1u) ^ (guest_port * 0x85ebca6bu);

	return &vs->hash[(h >> 16) % VSOCK_HASH];
}

void vsock_hash_add(struct vsock *vs, struct vsock_conn *c)
{
	struct vsock_conn **b = vsock_bucket(vs, c->host_port, c->guest_port);

	c->hash_next = *b;
	*b = c;
}

void vsock_hash_del(struct vsock *vs, struct vsock_conn *c)
{
	struct vsock_conn **b = vsock_bucket(vs, c->host_port, c->guest_port);

	while (*b && *b != c)
		b = &(*b)->hash_next;
	if (*b)
		*b = c->hash_next;
}

struct vsock_conn *vsock_lookup(struct vsock *vs, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *c = *vsock_bucket(vs, host_port, guest_port);

	while (c && (c->host_port != host_port || c->guest_port != guest_port))
		c = c->hash_next;
	return c;
}

void vsock_queue_rx(struct vsock *vs, struct vsock_conn *c)
{
	if (c->queued || !vsock_conn_wants_rx(c))
		return;
	TAILQ_INSERT_TAIL(&vs->rxlist, c, rx);
	c->queued = true;
}

void vsock_send_rst(struct vsock *vs, uint32_t host_port, uint32_t guest_port)
{
	unsigned int i;

	/* Half of the ring belongs to the tx intake, which stops there; connections are fewer than the other half. */
	if (vs->rst_len == VSOCK_RST_MAX)
		return;
	i = (vs->rst_head + vs->rst_len++) % VSOCK_RST_MAX;
	vs->rst[i].host_port = host_port;
	vs->rst[i].guest_port = guest_port;
}

void vsock_update_listener(struct vsock *vs)
{
	bool want = vs->active && vs->nconns < VSOCK_CONNS;

	/* The kernel's backlog holds clients that come before the guest is up or while we are full. */
	if (want != vs->accepting &&
		eventloop_mod(vs->dev.env.loop, &vs->listener, want ? EPOLLIN : 0) == 0)
		vs->accepting = want;
}

/* The next receive buffer: one that was taken before, or a fresh one. */
static bool vsock_take_rx(struct vsock *vs)
{
	int r;

	if (vs->have_rx)
		return true;
	r = vq_pop(&vs->dev.queue[VSOCK_RX], &vs->rx_chain);
	if (r < 0)
		virtio_dev_fail_queue(&vs->dev, VSOCK_RX);
	vs->have_rx = r > 0 && vs->rx_chain.write_len > sizeof(struct virtio_vsock_hdr);
	if (r > 0 && !vs->have_rx)
		virtio_dev_fail(&vs->dev, "a receive buffer without room for data");
	return vs->have_rx;
}

/* For the debugger. */
static void vsock_trace(const struct virtio_vsock_hdr *hdr, bool from_guest)
{
	const struct cm_dbg_trace_entry e = {
		.tsc = trace_clock(),
		.kind = CM_DBG_TRACE_VSOCK,
		.what = hdr->op,
		.flags = from_guest,
		.addr = (uint64_t)hdr->src_port << 32 | hdr->dst_port,
		.value = hdr->len,
	};

	trace_add(&e);
}

/* The header as it lies in the guest's buffer: what the guest makes of it meanwhile is its own loss. */
static void vsock_trace_rx(const struct vq_chain *c)
{
	struct virtio_vsock_hdr hdr;

	if (c->nwrite == 0 || c->iov[c->nread].iov_len < sizeof(hdr))
		return;
	memcpy(&hdr, c->iov[c->nread].iov_base, sizeof(hdr));
	vsock_trace(&hdr, false);
}

static void vsock_give_rx(struct vsock *vs, uint32_t written)
{
	if (trace_wants(CM_DBG_TRACE_VSOCK))
		vsock_trace_rx(&vs->rx_chain);
	vq_push(&vs->dev.queue[VSOCK_RX], vs->rx_chain.head, written);
	vs->have_rx = false;
	vs->rx_used = true;
}

static void vsock_emit_rst(struct vsock *vs)
{
	const struct virtio_vsock_hdr hdr = {
		.src_cid = CM_VSOCK_HOST_CID,
		.dst_cid = CM_VSOCK_GUEST_CID,
		.src_port = vs->rst[vs->rst_head].host_port,
		.dst_port = vs->rst[vs->rst_head].guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_RST,
	};

	vs->rst_head = (vs->rst_head + 1) % VSOCK_RST_MAX;
	vs->rst_len--;
	vsock_give_rx(vs, (uint32_t)vq_chain_write(&vs->rx_chain, 0, &hdr, sizeof(hdr)));
}

/* Fill receive buffers. True when the round ended with both packets and buffers left. */
static bool vsock_serve_rx(struct vsock *vs)
{
	for (unsigned int i = 0; i < VSOCK_ROUND_MAX; i++) {
		struct vsock_conn *c = TAILQ_FIRST(&vs->rxlist);
		uint32_t n;

		if ((!vs->rst_len && !c) || !vsock_take_rx(vs))
			return false;
		if (vs->rst_len) {
			vsock_emit_rst(vs);
			continue;
		}
		TAILQ_REMOVE(&vs->rxlist, c, rx);
		c->queued = false;
		n = vsock_conn_emit(c, &vs->rx_chain);
		if (n)
			vsock_give_rx(vs, n);
		vsock_queue_rx(vs, c);
	}
	return true;
}

/* One packet of the guest. */
static void vsock_packet(struct vsock *vs, const struct virtio_vsock_hdr *hdr)
{
	struct vsock_conn *c;

	if (hdr->src_cid != CM_VSOCK_GUEST_CID || hdr->dst_cid != CM_VSOCK_HOST_CID)
		return;
	c = vsock_lookup(vs, hdr->dst_port, hdr->src_port);
	if (hdr->type != VIRTIO_VSOCK_TYPE_STREAM) {
		if (hdr->op != VIRTIO_VSOCK_OP_RST)
			vsock_send_rst(vs, hdr->dst_port, hdr->src_port);
	} else if (c && hdr->op != VIRTIO_VSOCK_OP_REQUEST) {
		vsock_conn_packet(c, hdr, &vs->tx_chain);
	} else if (hdr->op == VIRTIO_VSOCK_OP_REQUEST) {
		/* A second REQUEST for live ports kills what they name: one side has lost track. */
		if (c)
			vsock_conn_free(c);
		if (c || vsock_conn_from_guest(vs, hdr))
			vsock_send_rst(vs, hdr->dst_port, hdr->src_port);
	} else if (hdr->op != VIRTIO_VSOCK_OP_RST) {
		vsock_send_rst(vs, hdr->dst_port, hdr->src_port);
	}
}

/* Take packets of the guest. True when the round ended with packets left. */
static bool vsock_serve_tx(struct vsock *vs)
{
	struct vq *q = &vs->dev.queue[VSOCK_TX];

	for (unsigned int i = 0; i < VSOCK_ROUND_MAX; i++) {
		struct virtio_vsock_hdr hdr;
		int r;

		if (vs->rst_len >= VSOCK_RST_MAX / 2)
			return false; /* until the guest has buffers for its resets */
		r = vq_pop(q, &vs->tx_chain);
		if (r == 0)
			return false;
		if (r < 0) {
			virtio_dev_fail_queue(&vs->dev, VSOCK_TX);
			return false;
		}
		if (vq_chain_read(&vs->tx_chain, 0, &hdr, sizeof(hdr)) != sizeof(hdr) ||
			hdr.len > vs->tx_chain.read_len - sizeof(hdr)) {
			virtio_dev_fail(&vs->dev, "a packet shorter than its header says");
			return false;
		}
		if (trace_wants(CM_DBG_TRACE_VSOCK))
			vsock_trace(&hdr, true);
		vsock_packet(vs, &hdr);
		vq_push(q, vs->tx_chain.head, 0);
		vs->tx_used = true;
	}
	return true;
}

void vsock_flush(struct vsock *vs)
{
	bool more;

	if (!vs->active || vs->dev.failed)
		return;
	/* Receive buffers come first: they make room for the resets that the intake may need. */
	more = vsock_serve_rx(vs);
	if (!vs->dev.failed)
		more |= vsock_serve_tx(vs);
	if (!vs->dev.failed)
		more |= vsock_serve_rx(vs);
	if (vs->dev.failed)
		return;
	/* One interrupt for both queues. */
	if ((vs->rx_used && vq_wants_interrupt(&vs->dev.queue[VSOCK_RX])) ||
		(vs->tx_used && vq_wants_interrupt(&vs->dev.queue[VSOCK_TX])))
		virtio_dev_interrupt(&vs->dev);
	vs->rx_used = false;
	vs->tx_used = false;
	vsock_update_listener(vs);
	if (more)
		eventloop_post(&vs->dev.work);
}

/* Is there a doorbell's worth of work? Packets to take, or buffers for those that wait. */
static bool vsock_has_work(struct vsock *vs)
{
	if (!vs->active || vs->dev.failed)
		return false;
	if (vs->rst_len < VSOCK_RST_MAX / 2 && vq_available(&vs->dev.queue[VSOCK_TX]))
		return true;
	return (vs->rst_len || !TAILQ_EMPTY(&vs->rxlist)) && vq_available(&vs->dev.queue[VSOCK_RX]);
}

static bool vsock_poll(struct ev_poller *p)
{
	struct vsock *vs = p->arg;

	if (!vsock_has_work(vs))
		return false;
	vq_doorbell_off(&vs->dev.queue[VSOCK_TX]);
	vq_doorbell_off(&vs->dev.queue[VSOCK_RX]);
	vsock_flush(vs);
	return true;
}

static bool vsock_idle(struct ev_poller *p)
{
	struct vsock *vs = p->arg;

	if (!vs->active || vs->dev.failed)
		return false;
	vq_doorbell_on(&vs->dev.queue[VSOCK_TX]);
	/* New receive buffers matter only to packets that wait for them. */
	if (vs->rst_len || !TAILQ_EMPTY(&vs->rxlist))
		vq_doorbell_on(&vs->dev.queue[VSOCK_RX]);
	return vsock_has_work(vs);
}

static void vsock_listener(struct ev_source *src, uint32_t events)
{
	struct vsock *vs = src->arg;

	while (vs->nconns < VSOCK_CONNS) {
		/* #syscalls:io accept4 */
		int fd = accept4(src->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			break;
		if (!vsock_conn_create(vs, fd, VSOCK_HANDSHAKE))
			close(fd);
	}
	vsock_update_listener(vs);
	vsock_flush(vs);
}

static void vsock_activate(struct virtio_dev *dev)
{
	struct vsock *vs = (struct vsock *)dev;

	vs->active = true;
	vsock_update_listener(vs);
	vsock_flush(vs);
}

static void vsock_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct vsock *vs = (struct vsock *)dev;

	vq_doorbell_off(&dev->queue[VSOCK_TX]);
	vq_doorbell_off(&dev->queue[VSOCK_RX]);
	vsock_flush(vs);
}

/* Doorbells of either queue. */
static void vsock_kick(struct ev_source *src, uint32_t events)
{
	struct vsock *vs = src->arg;
	uint64_t count;

	/* #syscalls:io read */
	if (read(src->fd, &count, sizeof(count)) < 0 || !vs->active || vs->dev.failed)
		return;
	vsock_notify(&vs->dev, VSOCK_TX);
}

/* The driver is gone: so are all connections. Clients see their sockets close. */
static void vsock_reset(struct virtio_dev *dev)
{
	struct vsock *vs = (struct vsock *)dev;

	while (!TAILQ_EMPTY(&vs->conns))
		vsock_conn_free(TAILQ_FIRST(&vs->conns));
	vs->rst_len = 0;
	vs->have_rx = false;
	vs->rx_used = false;
	vs->tx_used = false;
	vs->active = false;
	vsock_update_listener(vs);
}

static void vsock_destroy(struct virtio_dev *dev)
{
	struct vsock *vs = (struct vsock *)dev;

	vsock_reset(dev);
	eventloop_del(dev->env.loop, &vs->listener);
	eventloop_del(dev->env.loop, &vs->kick);
	close(vs->listener.fd);
	close(vs->kick.fd);
	virtio_dev_fini(dev);
	free(vs->name);
	free(vs);
}

static const struct virtio_dev_ops vsock_ops = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.nqueues = 3, /* the event queue exists and stays silent */
	.queue_size = CM_VIRTIO_QUEUE_MAX,
	.activate = vsock_activate,
	.reset = vsock_reset,
	.notify = vsock_notify,
	.destroy = vsock_destroy,
};

/* Both sources are watched, or neither. */
static int vsock_watch(struct vsock *vs, struct eventloop *loop)
{
	int r = eventloop_add(loop, &vs->listener, 0);

	if (r)
		return r;
	r = eventloop_add(loop, &vs->kick, EPOLLIN);
	if (r)
		eventloop_del(loop, &vs->listener);
	return r;
}

int virtio_vsock_create(
	const struct virtio_env *env, int listen_fd, const char *name, struct virtio_dev **out)
{
	struct vsock *vs = calloc(1, sizeof(*vs));
	int r;

	if (!vs)
		return -ENOMEM;
	TAILQ_INIT(&vs->conns);
	TAILQ_INIT(&vs->rxlist);
	vs->next_port = 1u << 30;
	vs->listener = (struct ev_source){ .fd = listen_fd, .fn = vsock_listener, .arg = vs };
	vs->kick = (struct ev_source){
		.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .fn = vsock_kick, .arg = vs
	};
	vs->poller = (struct ev_poller){ .fn = vsock_poll, .idle = vsock_idle, .arg = vs };
	if (name && !(vs->name = strdup(name))) {
		r = -ENOMEM;
		goto err_free;
	}
	/* The io thread accepts until there is nobody left. */
	if (vs->kick.fd < 0 || fcntl(listen_fd, F_SETFL, O_NONBLOCK) < 0) {
		r = -errno;
		goto err_free;
	}
	r = vsock_watch(vs, env->loop);
	if (r)
		goto err_free;
	r = virtio_dev_init(&vs->dev, &vsock_ops, env);
	if (r) {
		eventloop_del(env->loop, &vs->listener);
		eventloop_del(env->loop, &vs->kick);
		goto err_free;
	}
	vs->dev.kick_fd = vs->kick.fd;
	vs->dev.config = &vsock_config;
	vs->dev.config_len = sizeof(vsock_config);
	eventloop_poller_add(env->loop, &vs->poller);
	*out = &vs->dev;
	return 0;

err_free:
	if (vs->kick.fd >= 0)
		close(vs->kick.fd);
	free(vs->name);
	free(vs);
	return r;
}
