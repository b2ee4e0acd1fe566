/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's vsock driver made of test code, on a real vsock device in a scratch directory: raw packets both ways, plus the host side's
 * sockets. The directory is the current one after fake_vsock_init.
 */
#ifndef CM_TESTS_FAKE_VSOCK_H
#define CM_TESTS_FAKE_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/virtio_vsock.h>

#include "tests/lib/fake_ring.h"

#define FAKE_VSOCK_QSIZE 64
#define FAKE_VSOCK_BUF	 4096 /* bytes of a receive buffer */

struct eventloop;
struct virtio_dev;

struct fake_vsock {
	struct fake_mem mem;
	struct fake_ring ring[3];
	struct eventloop *loop;
	struct virtio_dev *dev;
	char dir[64];
	int interrupts;
	uint32_t buf_alloc; /* credit that packets of the guest carry */
	uint32_t fwd_cnt;
	bool no_refill; /* do not give receive buffers back */
	uint32_t last_len; /* used length of the last packet received */
};

/* Aborts when the environment does not allow a test. */
void fake_vsock_init(struct fake_vsock *v);
void fake_vsock_fini(struct fake_vsock *v);

/* Run the device until it rests. */
void fake_vsock_pump(struct fake_vsock *v);

/* Offer n more receive buffers. */
void fake_vsock_refill(struct fake_vsock *v, unsigned int n);

/* Send a raw packet: header as given, `extra` payload bytes follow it in memory, whatever hdr->len says. */
void fake_vsock_raw(struct fake_vsock *v, const struct virtio_vsock_hdr *hdr, const void *payload,
	uint32_t extra);

/* Send a well-formed packet from guest port to host port. */
void fake_vsock_send(struct fake_vsock *v, uint16_t op, uint32_t guest_port, uint32_t host_port,
	uint32_t flags, const void *payload, uint32_t len);

/* Take one packet of the device; false when there is none. Payload beyond size is lost. */
bool fake_vsock_recv(
	struct fake_vsock *v, struct virtio_vsock_hdr *hdr, void *payload, size_t size);

/* Host program: connect to the listening socket (non-blocking afterwards) or listen as host port. */
int fake_vsock_client(struct fake_vsock *v);
int fake_vsock_listen(struct fake_vsock *v, uint32_t host_port);

#endif
