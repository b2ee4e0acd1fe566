/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vsock driver's two halves: vsock_dev.c owns rings and packets, vsock.c the socket API.
 *
 * One spinlock (vsock_lock) protects everything here; interrupt handlers do not take it, they wake the driver's thread. Bytes are copied
 * to and from users outside of it: received bytes [head, head + len) change only under rx_mutex, a transmit block belongs to its sender until
 * it is queued.
 */
#ifndef DRIVERS_VSOCK_INTERNAL_H
#define DRIVERS_VSOCK_INTERNAL_H

#include <linux/virtio_vsock.h>

#include "drivers/vsock.h"
#include "kernel/lock.h"
#include "lib/atomic.h"
#include "lib/list.h"

#define VSOCK_BLOCK_ORDER 2u
#define VSOCK_BLOCK \
	(PAGE_SIZE << VSOCK_BLOCK_ORDER) /* bytes of a receive buffer and of a transmit block */
#define VSOCK_RX_BUFS	16u
#define VSOCK_TX_BLOCKS 16u
#define VSOCK_TX_HDRS	64u

#define VSOCK_SHUT_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

enum vsock_state {
	VSOCK_CONNECTING, /* we sent, or have pending, a REQUEST */
	VSOCK_OPEN,
	VSOCK_CLOSED /* the peer knows nothing of it any more; received bytes can still be read */
};

/* Packets without payload that wait for a header slot. */
#define VSOCK_PEND_REQUEST  0x01u
#define VSOCK_PEND_RESPONSE 0x02u
#define VSOCK_PEND_SHUTDOWN 0x04u
#define VSOCK_PEND_CREDIT   0x08u
#define VSOCK_PEND_RESET    0x10u /* then the socket is CLOSED */

struct vsock {
	struct ref ref;
	struct list_head
		all; /* of vsock_socks while not CLOSED, or while the driver still owes it packets */
	struct list_head accept; /* of its listener's queue */
	u32 local_port, peer_port;
	enum vsock_state state;
	int error; /* positive errno of a CLOSED socket, 0 = orderly */
	u32 pending; /* VSOCK_PEND_* */
	u32 our_shut, peer_shut; /* VIRTIO_VSOCK_SHUTDOWN_* as each side announced about itself */
	bool closing; /* no user is left: freed when CLOSED */

	u8 *buf; /* ring of VSOCK_RXBUF bytes */
	u32 head, len;
	u32 fwd_cnt, fwd_told; /* bytes taken by users; what the host knows of it */
	u32 tx_cnt, peer_alloc, peer_fwd; /* bytes sent, and the host's credit */

	struct mutex rx_mutex; /* one reader copies */
	struct mutex tx_mutex; /* one writer copies: keeps the order of a stream */
	struct waitq wq;
};

struct vsock_listener {
	struct list_head link; /* of vsock_listeners */
	u32 port, backlog, queued;
	struct list_head queue; /* sockets to accept */
	struct waitq wq;
};

/* A packet on its way out. */
struct vsock_slot {
	struct virtio_vsock_hdr *hdr;
	void *block; /* payload, NULL for none */
	u16 next; /* free list */
};

extern struct spinlock vsock_lock;
extern struct list_head vsock_socks, vsock_listeners;

/* vsock_dev.c. `_locked`: under vsock_lock. */

/* Take a payload block for sending; NULL when all are under way: sleep on vsock_tx_waitq until vsock_block_ready. */
void *vsock_block_get_locked(void);
void vsock_block_put_locked(void *block);
struct waitq *vsock_tx_waitq(void);
bool vsock_block_ready(void);
/* Queue a data packet; takes the block over. */
void vsock_queue_data_locked(struct vsock *s, void *block, u32 len);
/* Send what is pending on any socket, take what has come in. */
void vsock_process_locked(void);
/* Let the lock go and ring the doorbells that are due. */
void vsock_unlock_and_kick(void);
/*
 * Let the lock go; what is pending goes out with the next packet that somebody sends, or by the driver's thread soon. For goodbyes: a process that ends
 * says several, and its end besides; each doorbell is an exit and brings an interrupt.
 */
void vsock_unlock_and_defer(void);
/* Have control packets sent. */
void vsock_pend_locked(struct vsock *s, u32 bits);
bool vsock_device_dead(void);

/* vsock.c */

struct vsock *vsock_create_locked(u32 local_port, u32 peer_port, enum vsock_state state);
/* The connection is over: wake everybody; frees s when no user is left. */
void vsock_closed_locked(struct vsock *s, int error);
u32 vsock_credit(const struct vsock *s);

#endif
