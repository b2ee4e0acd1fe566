/* SPDX-License-Identifier: Apache-2.0 */
/* vsock driver: rings, buffers, and what each packet of the host means. Every field that comes from the host is checked on a copy. */
#include <linux/virtio_ids.h>

#include "arch.h"
#include "casemate/virtio_abi.h"
#include "drivers/virtio/ring.h"
#include "drivers/virtio/virtio.h"
#include "drivers/vsock_internal.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/page.h"

#define VSOCK_RX     0
#define VSOCK_TX     1
#define VSOCK_QUEUES 2
#define VSOCK_RSTS   64u

struct spinlock vsock_lock;
struct list_head vsock_socks = LIST_HEAD_INIT(vsock_socks);
struct list_head vsock_listeners = LIST_HEAD_INIT(vsock_listeners);

static struct {
	struct virtio_device dev;
	struct ring ring[VSOCK_QUEUES];
	bool present, dead;
	bool kick[VSOCK_QUEUES]; /* doorbells due */
	bool interrupt; /* set by the handler */
	struct waitq wq; /* the driver's thread */
	struct waitq tx_wq; /* senders that want a block */
	struct vsock_slot slot[VSOCK_TX_HDRS];
	u16 free_slot;
	u32 free_slots;
	void *block[VSOCK_TX_BLOCKS]; /* free payload blocks */
	u32 nblocks;
	struct {
		u32 local_port, peer_port;
	} rst[VSOCK_RSTS]; /* resets for packets that belong to no socket */
	u32 rst_head, rst_len;
} vd;

bool vsock_device_dead(void)
{
	return vd.dead || !vd.present;
}

struct waitq *vsock_tx_waitq(void)
{
	return &vd.tx_wq;
}

/* ---- transmit ---- */

void *vsock_block_get_locked(void)
{
	return vd.nblocks ? vd.block[--vd.nblocks] : NULL;
}

void vsock_block_put_locked(void *block)
{
	vd.block[vd.nblocks++] = block;
	waitq_wake_all(&vd.tx_wq);
}

/*
 * Put a packet on the ring; false when slots are short. There is always a slot for each payload block that is not under way, so packets with
 * payload get theirs; there are descriptors for all slots.
 */
static bool vsock_transmit(const struct virtio_vsock_hdr *hdr, void *block)
{
	struct vsock_slot *s;
	struct ring_buf buf[2];

	if (vd.dead || vd.free_slots <= (block ? 0 : VSOCK_TX_BLOCKS))
		return false;
	s = &vd.slot[vd.free_slot];
	*s->hdr = *hdr;
	s->block = block;
	buf[0] = (struct ring_buf){ .va = s->hdr, .len = sizeof(*hdr) };
	buf[1] = (struct ring_buf){ .va = block, .len = hdr->len };
	if (ring_add(&vd.ring[VSOCK_TX], buf, block ? 2 : 1, 0, s))
		return false;
	vd.free_slot = s->next;
	vd.free_slots--;
	return true;
}

static void vsock_reap_tx(void)
{
	struct vsock_slot *s;
	u32 written;

	while ((s = ring_take(&vd.ring[VSOCK_TX], &written))) {
		if (s->block)
			vsock_block_put_locked(s->block);
		s->block = NULL;
		s->next = vd.free_slot;
		vd.free_slot = (u16)(s - vd.slot);
		vd.free_slots++;
	}
}

static struct virtio_vsock_hdr vsock_header(u32 local_port, u32 peer_port, u16 op)
{
	return (struct virtio_vsock_hdr){
		.src_cid = CM_VSOCK_GUEST_CID,
		.dst_cid = CM_VSOCK_HOST_CID,
		.src_port = local_port,
		.dst_port = peer_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
	};
}

static bool vsock_transmit_sock(struct vsock *s, u16 op, void *block, u32 len)
{
	struct virtio_vsock_hdr hdr = vsock_header(s->local_port, s->peer_port, op);

	hdr.len = len;
	hdr.flags = op == VIRTIO_VSOCK_OP_SHUTDOWN ? s->our_shut : 0;
	hdr.buf_alloc = VSOCK_RXBUF;
	hdr.fwd_cnt = s->fwd_cnt;
	if (!vsock_transmit(&hdr, block))
		return false;
	/* Any packet tells the credit. */
	s->fwd_told = s->fwd_cnt;
	s->pending &= ~VSOCK_PEND_CREDIT;
	return true;
}

void vsock_queue_data_locked(struct vsock *s, void *block, u32 len)
{
	if (!vsock_transmit_sock(s, VIRTIO_VSOCK_OP_RW, block, len))
		vsock_block_put_locked(block); /* the device is dead */
}

bool vsock_block_ready(void)
{
	bool ready;

	spin_lock(&vsock_lock);
	if (!vd.nblocks)
		vsock_process_locked();
	ready = vd.nblocks || vd.dead;
	vsock_unlock_and_kick();
	return ready;
}

/* Send the control packets that s owes. False when the ring is full. */
static bool vsock_flush_sock(struct vsock *s)
{
	static const struct {
		u32 bit;
		u16 op;
	} control[] = {
		{ VSOCK_PEND_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		{ VSOCK_PEND_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
		{ VSOCK_PEND_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
		{ VSOCK_PEND_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN },
		{ VSOCK_PEND_RESET, VIRTIO_VSOCK_OP_RST },
	};

	for (u32 i = 0; i < ARRAY_SIZE(control); i++) {
		if (!(s->pending & control[i].bit))
			continue;
		if (!vsock_transmit_sock(s, control[i].op, NULL, 0))
			return false;
		s->pending &= ~control[i].bit;
	}
	return true;
}

static void vsock_flush(void)
{
	struct vsock *s, *tmp;

	while (vd.rst_len) {
		struct virtio_vsock_hdr hdr = vsock_header(vd.rst[vd.rst_head].local_port,
			vd.rst[vd.rst_head].peer_port, VIRTIO_VSOCK_OP_RST);

		if (!vsock_transmit(&hdr, NULL))
			return;
		vd.rst_head = (vd.rst_head + 1) % VSOCK_RSTS;
		vd.rst_len--;
	}
	list_for_each_entry_safe (s, tmp, &vsock_socks, all) {
		bool reset = s->pending & VSOCK_PEND_RESET;

		if (!s->pending)
			continue;
		if (!vsock_flush_sock(s))
			return;
		if (reset)
			vsock_closed_locked(s, s->error);
	}
}

void vsock_pend_locked(struct vsock *s, u32 bits)
{
	if (s->state != VSOCK_CLOSED)
		s->pending |= bits;
}

static void vsock_reset_stranger(const struct virtio_vsock_hdr *hdr)
{
	u32 i;

	/* A host that provokes more than it takes loses some; it harms only itself. */
	if (hdr->op == VIRTIO_VSOCK_OP_RST || vd.rst_len == VSOCK_RSTS)
		return;
	i = (vd.rst_head + vd.rst_len++) % VSOCK_RSTS;
	vd.rst[i].local_port = hdr->dst_port;
	vd.rst[i].peer_port = hdr->src_port;
}

/* ---- receive ---- */

static struct vsock *vsock_lookup(u32 local_port, u32 peer_port)
{
	struct vsock *s;

	list_for_each_entry (s, &vsock_socks, all)
		if (s->local_port == local_port && s->peer_port == peer_port &&
			s->state != VSOCK_CLOSED)
			return s;
	return NULL;
}

static void vsock_on_request(const struct virtio_vsock_hdr *hdr)
{
	struct vsock_listener *l;
	struct vsock *s = NULL;

	list_for_each_entry (l, &vsock_listeners, link) {
		if (l->port != hdr->dst_port)
			continue;
		if (l->queued < l->backlog)
			s = vsock_create_locked(hdr->dst_port, hdr->src_port, VSOCK_OPEN);
		if (!s)
			break;
		s->peer_alloc = hdr->buf_alloc;
		list_add_tail(&l->queue, &s->accept);
		l->queued++;
		vsock_pend_locked(s, VSOCK_PEND_RESPONSE);
		waitq_wake_all(&l->wq);
		return;
	}
	vsock_reset_stranger(hdr);
}

/* As the host's device does it: a fwd_cnt that lies outside of what is in flight is ignored. */
static void vsock_take_credit(struct vsock *s, const struct virtio_vsock_hdr *hdr)
{
	u32 before = vsock_credit(s);

	if (s->tx_cnt - hdr->fwd_cnt <= s->tx_cnt - s->peer_fwd)
		s->peer_fwd = hdr->fwd_cnt;
	s->peer_alloc = hdr->buf_alloc;
	if (!before && vsock_credit(s))
		waitq_wake_all(&s->wq);
}

/* The peer broke the rules, or talks to something that is over. */
static void vsock_abort(struct vsock *s)
{
	s->error = ECONNRESET;
	s->len = 0;
	s->pending = 0;
	vsock_pend_locked(s, VSOCK_PEND_RESET);
	waitq_wake_all(&s->wq);
}

static void vsock_on_payload(struct vsock *s, const u8 *data, u32 len)
{
	u32 tail, first;

	if ((s->peer_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) || len > VSOCK_RXBUF - s->len) {
		vsock_abort(s);
		return;
	}
	if (s->our_shut & VIRTIO_VSOCK_SHUTDOWN_RCV) {
		s->fwd_cnt += len;
		return;
	}
	tail = (s->head + s->len) % VSOCK_RXBUF;
	first = MIN(len, VSOCK_RXBUF - tail);
	memcpy(s->buf + tail, data, first);
	memcpy(s->buf, data + first, len - first);
	s->len += len;
	waitq_wake_all(&s->wq);
}

static void vsock_on_shutdown(struct vsock *s, u32 flags)
{
	s->peer_shut |= flags & VSOCK_SHUT_BOTH;
	waitq_wake_all(&s->wq);
}

static void vsock_on_reset(struct vsock *s)
{
	bool orderly = s->our_shut == VSOCK_SHUT_BOTH || s->peer_shut == VSOCK_SHUT_BOTH;

	if (s->state == VSOCK_CONNECTING)
		vsock_closed_locked(s, ECONNREFUSED);
	else
		vsock_closed_locked(s, s->error ? s->error : orderly ? 0 : ECONNRESET);
}

/* One packet; hdr is our copy, data its len bytes of payload. */
static void vsock_packet(const struct virtio_vsock_hdr *hdr, const u8 *data)
{
	struct vsock *s;

	if (hdr->src_cid != CM_VSOCK_HOST_CID || hdr->dst_cid != CM_VSOCK_GUEST_CID)
		return;
	s = vsock_lookup(hdr->dst_port, hdr->src_port);
	if (!s && hdr->type == VIRTIO_VSOCK_TYPE_STREAM && hdr->op == VIRTIO_VSOCK_OP_REQUEST) {
		vsock_on_request(hdr);
		return;
	}
	if (!s || hdr->type != VIRTIO_VSOCK_TYPE_STREAM) {
		vsock_reset_stranger(hdr);
		return;
	}
	if (hdr->op == VIRTIO_VSOCK_OP_RST) {
		vsock_on_reset(s);
		return;
	}
	if (s->error)
		return; /* our reset is on its way */
	vsock_take_credit(s, hdr);
	if ((s->state == VSOCK_CONNECTING) != (hdr->op == VIRTIO_VSOCK_OP_RESPONSE)) {
		vsock_abort(s);
		return;
	}
	switch (hdr->op) {
	case VIRTIO_VSOCK_OP_RESPONSE:
		s->state = VSOCK_OPEN;
		waitq_wake_all(&s->wq);
		break;
	case VIRTIO_VSOCK_OP_RW:
		vsock_on_payload(s, data, hdr->len);
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		vsock_on_shutdown(s, hdr->flags);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		vsock_pend_locked(s, VSOCK_PEND_CREDIT);
		break;
	default:
		vsock_abort(s);
		break;
	}
}

static void vsock_die(void)
{
	struct vsock *s, *tmp;

	if (vd.dead)
		return;
	vd.dead = true;
	log_error("vsock: the device failed");
	list_for_each_entry_safe (s, tmp, &vsock_socks, all)
		vsock_closed_locked(s, ECONNRESET);
	waitq_wake_all(&vd.tx_wq);
}

static void vsock_give_rx(void *block)
{
	struct ring_buf buf = { .va = block, .len = (u32)VSOCK_BLOCK };

	/* There are as many descriptors as buffers. */
	ring_add(&vd.ring[VSOCK_RX], &buf, 0, 1, block);
}

static void vsock_take_rx(void)
{
	u32 written;
	u8 *block;

	while ((block = ring_take(&vd.ring[VSOCK_RX], &written))) {
		struct virtio_vsock_hdr hdr;

		if (written < sizeof(hdr)) {
			vsock_die();
			return;
		}
		memcpy(&hdr, block, sizeof(hdr));
		if (hdr.len != written - sizeof(hdr)) {
			vsock_die();
			return;
		}
		vsock_packet(&hdr, block + sizeof(hdr));
		vsock_give_rx(block);
	}
}

/* Interrupts of the transmit queue only while somebody waits for what its completions bring. True = look again. */
static bool vsock_arm_tx(void)
{
	if (vd.nblocks && vd.free_slots > VSOCK_TX_BLOCKS) {
		ring_interrupt_off(&vd.ring[VSOCK_TX]);
		return false;
	}
	return ring_interrupt_on(&vd.ring[VSOCK_TX]);
}

void vsock_process_locked(void)
{
	if (!vd.present)
		return;
	do {
		vsock_reap_tx();
		vsock_take_rx();
		vsock_flush();
		for (u32 q = 0; q < VSOCK_QUEUES; q++) {
			if (vd.ring[q].broken)
				vsock_die();
			else if (ring_publish(&vd.ring[q]))
				vd.kick[q] = true;
		}
	} while (!vd.dead && vsock_arm_tx());
}

void vsock_unlock_and_kick(void)
{
	bool kick[VSOCK_QUEUES];

	for (u32 q = 0; q < VSOCK_QUEUES; q++) {
		kick[q] = vd.kick[q];
		vd.kick[q] = false;
	}
	spin_unlock(&vsock_lock);
	for (u32 q = 0; q < VSOCK_QUEUES; q++)
		if (kick[q])
			arch_doorbell(vd.dev.index, q);
}

/* ---- thread and interrupt ---- */

static void vsock_interrupt(void *arg)
{
	atomic_store(&vd.interrupt, true);
	waitq_wake_all(&vd.wq);
}

void vsock_unlock_and_defer(void)
{
	spin_unlock(&vsock_lock);
	vsock_interrupt(NULL);
}

static void vsock_thread(void *arg)
{
	bool more = true;

	for (;;) {
		if (!more)
			wait_event(&vd.wq, atomic_xchg(&vd.interrupt, false));
		spin_lock(&vsock_lock);
		ring_interrupt_off(&vd.ring[VSOCK_RX]);
		vsock_process_locked();
		more = !vd.dead && ring_interrupt_on(&vd.ring[VSOCK_RX]);
		vsock_unlock_and_kick();
		if (more)
			sched_yield_cpu();
	}
}

static int vsock_init_memory(void)
{
	void *mem[VSOCK_QUEUES], *hdrs = page_alloc_va(0, GFP_ZERO), *block;

	_Static_assert(VSOCK_TX_HDRS * 64 <= PAGE_SIZE && sizeof(struct virtio_vsock_hdr) <= 64,
		"headers fill one page");
	for (u32 q = 0; q < VSOCK_QUEUES; q++) {
		mem[q] = page_alloc_va(0, GFP_ZERO);
		if (!mem[q] || !hdrs)
			return -ENOMEM;
	}
	ring_init(&vd.ring[VSOCK_RX], mem[VSOCK_RX], VSOCK_RX_BUFS);
	ring_init(&vd.ring[VSOCK_TX], mem[VSOCK_TX], 2 * VSOCK_TX_HDRS);
	for (u32 i = 0; i < VSOCK_TX_HDRS; i++)
		vd.slot[i] = (struct vsock_slot){
			.hdr = (void *)((u8 *)hdrs + 64 * i),
			.next = (u16)(i + 1),
		};
	vd.free_slots = VSOCK_TX_HDRS;
	for (u32 i = 0; i < VSOCK_RX_BUFS + VSOCK_TX_BLOCKS; i++) {
		block = page_alloc_va(VSOCK_BLOCK_ORDER, 0);
		if (!block)
			return -ENOMEM;
		if (i < VSOCK_RX_BUFS)
			vsock_give_rx(block);
		else
			vd.block[vd.nblocks++] = block;
	}
	return 0;
}

int vsock_init(const struct fdt_reader *fdt)
{
	int r = virtio_find(fdt, VIRTIO_ID_VSOCK, 0, &vd.dev);

	if (r)
		return r;
	waitq_init(&vd.wq);
	waitq_init(&vd.tx_wq);
	return vsock_init_memory();
}

int vsock_start(void)
{
	struct ring *rings[VSOCK_QUEUES] = { &vd.ring[VSOCK_RX], &vd.ring[VSOCK_TX] };
	int r;

	ring_publish(&vd.ring[VSOCK_RX]);
	r = irq_register(vd.dev.vector, vsock_interrupt, NULL);
	if (r)
		return r;
	r = virtio_start(&vd.dev, rings, VSOCK_QUEUES, NULL, 0);
	if (r)
		return r;
	vd.present = true;
	/* It begins with a look at what came before it was there. */
	return kthread_run(vsock_thread, NULL, "vsock") ? 0 : -ENOMEM;
}
