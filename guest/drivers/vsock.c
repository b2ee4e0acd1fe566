/* SPDX-License-Identifier: Apache-2.0 */
/* vsock sockets: what their users call. */
#include "drivers/vsock.h"

#include <asm/poll.h>

#include "drivers/vsock_internal.h"
#include "kernel/clock.h"
#include "mm/page.h"
#include "mm/slab.h"

#define VSOCK_CONNECT_NS (5 * NSEC_PER_SEC)
#define VSOCK_BUF_ORDER	 4u
_Static_assert(VSOCK_RXBUF == PAGE_SIZE << VSOCK_BUF_ORDER, "size of the receive ring");

static u32 vsock_count; /* sockets that exist; under vsock_lock */
static u32 vsock_next_port = 49152;

u32 vsock_credit(const struct vsock *s)
{
	u32 in_flight = s->tx_cnt - s->peer_fwd;

	return s->peer_alloc > in_flight ? s->peer_alloc - in_flight : 0;
}

/* ---- life ---- */

struct vsock *vsock_create_locked(u32 local_port, u32 peer_port, enum vsock_state state)
{
	struct vsock *s;

	if (vsock_count == VSOCK_SOCKS)
		return NULL;
	s = kzalloc(sizeof(*s));
	if (!s)
		return NULL;
	s->buf = page_alloc_va(VSOCK_BUF_ORDER, 0);
	if (!s->buf) {
		kfree(s);
		return NULL;
	}
	ref_init(&s->ref);
	list_init(&s->accept);
	waitq_init(&s->wq);
	s->local_port = local_port;
	s->peer_port = peer_port;
	s->state = state;
	list_add_tail(&vsock_socks, &s->all);
	vsock_count++;
	return s;
}

static void vsock_free_locked(struct vsock *s)
{
	list_del(&s->all);
	page_free_va(s->buf, VSOCK_BUF_ORDER);
	kfree(s);
	vsock_count--;
}

void vsock_closed_locked(struct vsock *s, int error)
{
	s->state = VSOCK_CLOSED;
	s->error = error;
	s->pending = 0;
	list_del(&s->all);
	waitq_wake_all(&s->wq);
	if (s->closing)
		vsock_free_locked(s);
}

/* The last user is gone: say goodbye to the peer, or free at once when there is none. */
static void vsock_close_locked(struct vsock *s)
{
	if (s->state == VSOCK_CLOSED) {
		vsock_free_locked(s);
		return;
	}
	s->closing = true;
	s->our_shut = VSOCK_SHUT_BOTH;
	s->len = 0;
	vsock_pend_locked(s, s->state == VSOCK_OPEN ? VSOCK_PEND_SHUTDOWN : VSOCK_PEND_RESET);
}

void vsock_get(struct vsock *s)
{
	ref_get(&s->ref);
}

void vsock_put(struct vsock *s)
{
	if (!ref_put(&s->ref))
		return;
	spin_lock(&vsock_lock);
	vsock_close_locked(s);
	vsock_unlock_and_defer();
}

/* ---- listeners ---- */

int vsock_listen(u32 port, u32 backlog, struct vsock_listener **out)
{
	struct vsock_listener *l = kzalloc(sizeof(*l)), *other;
	int r = 0;

	if (!l)
		return -ENOMEM;
	l->port = port;
	l->backlog = backlog;
	list_init(&l->queue);
	waitq_init(&l->wq);
	spin_lock(&vsock_lock);
	list_for_each_entry (other, &vsock_listeners, link)
		if (other->port == port)
			r = -EADDRINUSE;
	if (r == 0)
		list_add_tail(&vsock_listeners, &l->link);
	spin_unlock(&vsock_lock);
	if (r)
		kfree(l);
	else
		*out = l;
	return r;
}

/* The first socket that waits, with its creator's reference, or NULL. */
static struct vsock *vsock_dequeue_locked(struct vsock_listener *l)
{
	struct vsock *s;

	if (list_empty(&l->queue))
		return NULL;
	s = list_first_entry(&l->queue, struct vsock, accept);
	list_del(&s->accept);
	l->queued--;
	return s;
}

void vsock_unlisten(struct vsock_listener *l)
{
	struct vsock *s;

	spin_lock(&vsock_lock);
	list_del(&l->link);
	while ((s = vsock_dequeue_locked(l)))
		vsock_close_locked(s);
	vsock_process_locked();
	vsock_unlock_and_kick();
	kfree(l);
}

static bool vsock_acceptable(struct vsock_listener *l)
{
	bool yes;

	spin_lock(&vsock_lock);
	yes = !list_empty(&l->queue);
	spin_unlock(&vsock_lock);
	return yes;
}

int vsock_accept(struct vsock_listener *l, u32 flags, struct vsock **out)
{
	for (;;) {
		int r;

		spin_lock(&vsock_lock);
		*out = vsock_dequeue_locked(l);
		spin_unlock(&vsock_lock);
		if (*out)
			return 0;
		if (flags & VSOCK_NONBLOCK)
			return -EAGAIN;
		r = wait_event_intr(&l->wq, vsock_acceptable(l));
		if (r)
			return r;
	}
}

/* ---- connecting ---- */

static bool vsock_port_taken(u32 port)
{
	struct vsock *s;

	list_for_each_entry (s, &vsock_socks, all)
		if (s->local_port == port)
			return true;
	return false;
}

int vsock_connect(u32 port, struct vsock **out)
{
	struct vsock *s;
	int r;

	if (vsock_device_dead())
		return -ECONNREFUSED;
	spin_lock(&vsock_lock);
	do {
		vsock_next_port = vsock_next_port == 65535 ? 49152 : vsock_next_port + 1;
	} while (vsock_port_taken(vsock_next_port));
	s = vsock_create_locked(vsock_next_port, port, VSOCK_CONNECTING);
	if (!s) {
		spin_unlock(&vsock_lock);
		return -ENOMEM;
	}
	vsock_pend_locked(s, VSOCK_PEND_REQUEST);
	vsock_process_locked();
	vsock_unlock_and_kick();
	r = wait_event_intr_deadline(&s->wq, READ_ONCE(s->state) != VSOCK_CONNECTING,
		clock_monotonic() + VSOCK_CONNECT_NS);
	if (r == 0 && s->state == VSOCK_CLOSED)
		r = -s->error;
	if (r)
		vsock_put(s);
	else
		*out = s;
	return r;
}

/* ---- receiving ---- */

/* 1 = bytes are there, 0 = the stream is at its end, -EAGAIN = neither, else the error that ended it. */
static int vsock_recv_state_locked(const struct vsock *s)
{
	if (s->len)
		return 1;
	if (s->error)
		return -s->error;
	if (s->state == VSOCK_CLOSED || (s->peer_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
		(s->our_shut & VIRTIO_VSOCK_SHUTDOWN_RCV))
		return 0;
	return -EAGAIN;
}

static int vsock_recv_state(struct vsock *s)
{
	int r;

	spin_lock(&vsock_lock);
	if (vsock_recv_state_locked(s) == -EAGAIN)
		vsock_process_locked();
	r = vsock_recv_state_locked(s);
	vsock_unlock_and_kick();
	return r;
}

/* The user took n bytes: the host may send as many more, and is told so when it matters. */
static void vsock_consumed(struct vsock *s, u32 n)
{
	spin_lock(&vsock_lock);
	s->head = (s->head + n) % VSOCK_RXBUF;
	s->len -= MIN(n, s->len); /* an abort may have emptied it */
	s->fwd_cnt += n;
	if (s->fwd_cnt - s->fwd_told >= VSOCK_RXBUF / 2) {
		vsock_pend_locked(s, VSOCK_PEND_CREDIT);
		vsock_process_locked();
	}
	vsock_unlock_and_kick();
}

/* Copy what is there. Bytes, 0 when nothing is, -EFAULT. Under rx_mutex. */
static s64 vsock_recv_some(struct vsock *s, struct uio *u)
{
	s64 total = 0;

	for (;;) {
		u32 n = (u32)MIN((u64)atomic_load(&s->len), u->left), done;

		n = MIN(n, VSOCK_RXBUF - s->head);
		if (n == 0)
			return total;
		done = (u32)uio_write(u, s->buf + s->head, n);
		vsock_consumed(s, done);
		total += done;
		if (done < n)
			return total ? total : -EFAULT;
	}
}

s64 vsock_recv(struct vsock *s, struct uio *u, u32 flags)
{
	while (u->left) {
		s64 n;
		int r;

		mutex_lock(&s->rx_mutex);
		n = vsock_recv_some(s, u);
		mutex_unlock(&s->rx_mutex);
		if (n)
			return n;
		r = vsock_recv_state(s);
		if (r > 0)
			continue;
		if (r != -EAGAIN || (flags & VSOCK_NONBLOCK))
			return r;
		r = wait_event_intr(&s->wq, vsock_recv_state(s) != -EAGAIN);
		if (r)
			return r;
	}
	return 0;
}

u32 vsock_readable(struct vsock *s)
{
	return READ_ONCE(s->len);
}

/* ---- sending ---- */

/* 0 when s can send, -EAGAIN when it must wait for credit or a block, else the reason why it never will. */
static int vsock_send_check_locked(const struct vsock *s)
{
	if (s->error)
		return -s->error;
	if (s->state != VSOCK_OPEN || (s->our_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
		(s->peer_shut & VIRTIO_VSOCK_SHUTDOWN_RCV))
		return -EPIPE;
	/* The answer to a request goes before the first bytes. */
	return !vsock_credit(s) || (s->pending & VSOCK_PEND_RESPONSE) ? -EAGAIN : 0;
}

/* Credit to send, or the reason why not. */
static bool vsock_send_ready(struct vsock *s)
{
	bool ready;

	spin_lock(&vsock_lock);
	if (vsock_send_check_locked(s) == -EAGAIN)
		vsock_process_locked();
	ready = vsock_send_check_locked(s) != -EAGAIN;
	vsock_unlock_and_kick();
	return ready;
}

/* Reserve credit and a block for at most `want` bytes. Bytes, -EAGAIN (credit), -ENOBUFS (blocks) or why it is over. */
static s64 vsock_send_begin(struct vsock *s, u64 want, void **block)
{
	s64 r;

	spin_lock(&vsock_lock);
	r = vsock_send_check_locked(s);
	if (r == 0) {
		*block = vsock_block_get_locked();
		if (*block) {
			r = (s64)MIN(want, (u64)MIN(vsock_credit(s), (u32)VSOCK_BLOCK));
			s->tx_cnt += (u32)r;
		} else {
			r = -ENOBUFS;
		}
	}
	vsock_unlock_and_kick();
	return r;
}

/* Queue the `done` bytes that were filled of the n reserved ones. */
static void vsock_send_end(struct vsock *s, void *block, u32 n, u32 done)
{
	spin_lock(&vsock_lock);
	/* Nobody else sends on s while tx_mutex is held: unused credit goes back as it came. */
	s->tx_cnt -= n - done;
	if (done == 0 || vsock_send_check_locked(s) == -EPIPE || s->error)
		vsock_block_put_locked(block);
	else
		vsock_queue_data_locked(s, block, done);
	vsock_process_locked();
	vsock_unlock_and_kick();
}

/* One packet, as vsock_send_begin, or -EFAULT. Under tx_mutex. */
static s64 vsock_send_packet(struct vsock *s, struct uio *u)
{
	void *block = NULL;
	s64 n = vsock_send_begin(s, u->left, &block);
	u32 done;

	if (n < 0)
		return n;
	done = (u32)uio_read(u, block, (size_t)n);
	vsock_send_end(s, block, (u32)n, done);
	return done ? (s64)done : -EFAULT;
}

s64 vsock_send(struct vsock *s, struct uio *u, u32 flags)
{
	s64 total = 0;
	int r = 0;

	while (u->left) {
		s64 n;

		mutex_lock(&s->tx_mutex);
		n = vsock_send_packet(s, u);
		mutex_unlock(&s->tx_mutex);
		if (n > 0) {
			total += n;
			continue;
		}
		if (n != -EAGAIN && n != -ENOBUFS)
			return total ? total : n;
		if (flags & VSOCK_NONBLOCK)
			return total ? total : -EAGAIN;
		if (n == -EAGAIN)
			r = wait_event_intr(&s->wq, vsock_send_ready(s));
		else
			r = wait_event_intr(vsock_tx_waitq(), vsock_block_ready());
		if (r)
			return total ? total : r;
	}
	return total;
}

/* ---- the rest ---- */

int vsock_shutdown(struct vsock *s, u32 how)
{
	u32 flags = (how & VSOCK_SHUT_RD ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0) |
		    (how & VSOCK_SHUT_WR ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0);
	int r = 0;

	spin_lock(&vsock_lock);
	if (s->state != VSOCK_OPEN) {
		r = -ENOTCONN;
	} else if ((s->our_shut | flags) != s->our_shut) {
		s->our_shut |= flags;
		vsock_pend_locked(s, VSOCK_PEND_SHUTDOWN);
		waitq_wake_all(&s->wq);
	}
	vsock_unlock_and_defer();
	return r;
}

int vsock_drain(struct vsock *s, u64 deadline)
{
	return wait_event_intr_deadline(&s->wq, READ_ONCE(s->state) == VSOCK_CLOSED, deadline);
}

u32 vsock_events(struct vsock *s)
{
	u32 ev = 0;
	int r;

	spin_lock(&vsock_lock);
	vsock_process_locked();
	if (vsock_recv_state_locked(s) != -EAGAIN)
		ev |= POLLIN | POLLRDNORM;
	r = vsock_send_check_locked(s);
	if (r == 0)
		ev |= POLLOUT | POLLWRNORM;
	if (s->peer_shut & VIRTIO_VSOCK_SHUTDOWN_SEND)
		ev |= POLLRDHUP;
	if (s->state == VSOCK_CLOSED || s->peer_shut == VSOCK_SHUT_BOTH)
		ev |= POLLHUP;
	if (s->error)
		ev |= POLLERR;
	vsock_unlock_and_kick();
	return ev;
}

struct waitq *vsock_waitq(struct vsock *s)
{
	return &s->wq;
}

u32 vsock_listener_events(struct vsock_listener *l)
{
	return vsock_acceptable(l) ? POLLIN | POLLRDNORM : 0;
}

struct waitq *vsock_listener_waitq(struct vsock_listener *l)
{
	return &l->wq;
}
