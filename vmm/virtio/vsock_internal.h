/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock device: what its two halves share. vsock.c owns the queues and routes packets, vsock_conn.c owns connections and host sockets.
 * Everything runs on the io thread.
 *
 * Memory is bounded: VSOCK_CONNS connections; guest to host, each buffers at most the VSOCK_BUF bytes of credit that we grant; host to
 * guest nothing is buffered, bytes go from the socket into the driver's buffers. Packets without payload are a bit in
 * `pending`, resets an entry in a ring that stops the intake of packets while it is half full.
 */
#ifndef CM_VMM_VIRTIO_VSOCK_INTERNAL_H
#define CM_VMM_VIRTIO_VSOCK_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <linux/virtio_vsock.h>

#include "vmm/eventloop.h"
#include "vmm/virtio/device.h"

#define VSOCK_CONNS   128
#define VSOCK_BUF     262144u /* bytes of credit a connection; power of two */
#define VSOCK_HASH    64
#define VSOCK_RST_MAX 256
#define VSOCK_LINE    32 /* longest "CONNECT <port>\n" and "OK <port>\n" */

/*
 * HANDSHAKE   a host client connected, its CONNECT line has not come; no ports yet
 * CONNECTING  REQUEST is pending or sent; only RESPONSE and RST mean something; the socket is not read
 * OPEN        both directions as far as `told_shut` and `guest_shut` allow
 * DRAINING    the guest has forgotten the connection, what it sent still goes to the client; not in the hash table
 */
enum vsock_state {
	VSOCK_HANDSHAKE,
	VSOCK_CONNECTING,
	VSOCK_OPEN,
	VSOCK_DRAINING
};

/* Packets that wait for a receive buffer of the guest. */
#define VSOCK_PEND_REQUEST  0x01u
#define VSOCK_PEND_RESPONSE 0x02u
#define VSOCK_PEND_SHUTDOWN 0x04u
#define VSOCK_PEND_CREDIT   0x08u
#define VSOCK_PEND_ASK	    0x10u /* CREDIT_REQUEST */

struct vsock_conn {
	struct vsock *vs;
	TAILQ_ENTRY(vsock_conn) all;
	TAILQ_ENTRY(vsock_conn) rx; /* member of vs->rxlist while `queued` */
	struct vsock_conn *hash_next;
	struct ev_source src; /* edge-triggered; fd owned */
	uint32_t host_port, guest_port;
	enum vsock_state state;
	uint32_t pending; /* VSOCK_PEND_* */
	bool queued;
	bool readable; /* the socket may have bytes or an end of file */
	bool ended; /* the client will send nothing more; bytes may still be in the socket */
	bool hangup; /* the client closed both directions */
	bool broken; /* the client takes no more bytes: drop what the guest sends */
	bool request_sent;
	uint32_t told_shut; /* VIRTIO_VSOCK_SHUTDOWN_* that we sent or have pending */
	uint32_t guest_shut; /* those that the guest sent */

	/* Guest to host. Counters wrap as the protocol says. */
	uint32_t rx_cnt; /* bytes the guest sent */
	uint32_t fwd_cnt; /* of these, bytes the client took */
	uint32_t fwd_told; /* fwd_cnt in our latest packet */
	uint8_t *buf; /* ring of VSOCK_BUF bytes, NULL until the client was slow */
	uint32_t buf_head, buf_len;
	char line[VSOCK_LINE]; /* "OK ..." that goes ahead of the guest's bytes */
	uint32_t line_off, line_len;

	/* Host to guest. */
	uint32_t tx_cnt; /* bytes we sent */
	uint32_t peer_alloc, peer_fwd; /* the guest's last credit that made sense */
};

TAILQ_HEAD(vsock_list, vsock_conn);

struct vsock {
	struct virtio_dev dev;
	struct ev_source listener;
	struct ev_source kick; /* doorbells that KVM carries */
	struct ev_poller poller;
	char *name;
	bool active;
	bool accepting; /* the listener is watched */
	bool rx_used, tx_used; /* chains went back since the last interrupt */
	unsigned int nconns;
	uint32_t next_port;
	struct vsock_list conns;
	struct vsock_list rxlist; /* connections with something for the guest, served in turn */
	struct vsock_conn *hash[VSOCK_HASH];
	struct {
		uint32_t host_port, guest_port;
	} rst[VSOCK_RST_MAX];
	unsigned int rst_head, rst_len;
	bool have_rx; /* rx_chain holds a receive buffer that was taken and not used */
	struct vq_chain rx_chain;
	struct vq_chain tx_chain;
};

/* vsock.c */

/* Put c in line for receive buffers if it has something to say. */
void vsock_queue_rx(struct vsock *vs, struct vsock_conn *c);
/* Have a RST sent for a pair of ports. */
void vsock_send_rst(struct vsock *vs, uint32_t host_port, uint32_t guest_port);
void vsock_hash_add(struct vsock *vs, struct vsock_conn *c);
void vsock_hash_del(struct vsock *vs, struct vsock_conn *c);
struct vsock_conn *vsock_lookup(struct vsock *vs, uint32_t host_port, uint32_t guest_port);
/* Serve the guest with what is waiting. Ends every callback. */
void vsock_flush(struct vsock *vs);
/* A slot became free or the device changed state: watch the listener or not. */
void vsock_update_listener(struct vsock *vs);

/* vsock_conn.c */

/* Take a connected, non-blocking socket over. NULL (fd still the caller's) when memory or slots are short. */
struct vsock_conn *vsock_conn_create(struct vsock *vs, int fd, enum vsock_state state);
/* Close and free; sends nothing. */
void vsock_conn_free(struct vsock_conn *c);
/* The guest wants to reach a host port: connect to its socket. 0 = c is OPEN with RESPONSE pending, else -errno. */
int vsock_conn_from_guest(struct vsock *vs, const struct virtio_vsock_hdr *hdr);
/* A packet for c; its payload is in the chain behind the header. May free c. */
void vsock_conn_packet(
	struct vsock_conn *c, const struct virtio_vsock_hdr *hdr, const struct vq_chain *chain);
bool vsock_conn_wants_rx(const struct vsock_conn *c);
/*
 * Make one packet for the guest in the writable part of the chain, which holds more than a header. Bytes written, 0 when there turned out to
 * be nothing to say.
 */
uint32_t vsock_conn_emit(struct vsock_conn *c, const struct vq_chain *chain);

#endif
