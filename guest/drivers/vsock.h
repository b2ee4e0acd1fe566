/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream sockets to the host over virtio-vsock: the kernel's own API, for the agent and for files such as stdio. The peer is always the
 * host (CID 2), which is not trusted: it cannot make a socket buffer more than VSOCK_RXBUF bytes, nor more sockets than VSOCK_SOCKS.
 *
 * A socket has one reference for its creator (connect, accept) and may be shared: vsock_get/vsock_put; the last put closes it as close(2)
 * does, sent data still arrives. All functions are for threads (not interrupts) and take no lock of the caller into account.
 */
#ifndef DRIVERS_VSOCK_H
#define DRIVERS_VSOCK_H

#include "kernel/waitq.h"
#include "lib/types.h"
#include "mm/usercopy.h"

struct fdt_reader;
struct vsock;
struct vsock_listener;

#define VSOCK_RXBUF 65536u /* bytes of credit that a socket grants; power of two */
#define VSOCK_SOCKS 128u

#define VSOCK_NONBLOCK 1u /* -EAGAIN instead of sleeping */

/* Values of `how`. */
#define VSOCK_SHUT_RD 1u
#define VSOCK_SHUT_WR 2u

/* Find the device and set its rings up; nothing comes in yet. 0, -ENODEV or -ENOMEM. */
int vsock_init(const struct fdt_reader *fdt);
/* Make the device live. Listen first: connections that find no listener are refused. 0 or -errno. */
int vsock_start(void);

/* Accept connections from the host on a port; at most `backlog` wait. 0, -EADDRINUSE or -ENOMEM. */
int vsock_listen(u32 port, u32 backlog, struct vsock_listener **out);
/* Stops listening, resets who waits. No accept may be in progress. */
void vsock_unlisten(struct vsock_listener *l);
/* 0 with the caller's reference in *out, -EAGAIN, or -ERESTARTSYS when a signal came. */
int vsock_accept(struct vsock_listener *l, u32 flags, struct vsock **out);

/* Connect to a host port. 0, -ECONNREFUSED, -ETIMEDOUT (5 s), -ENOMEM, -ERESTARTSYS. */
int vsock_connect(u32 port, struct vsock **out);

/*
 * As read(2) and write(2) on a stream: bytes moved (may be fewer than asked), 0 at the end of the stream, -EAGAIN, -ERESTARTSYS when nothing
 * was moved, -EFAULT, -EPIPE (send: the peer or we closed this direction), -ECONNRESET. A blocking send moves everything unless it fails.
 */
s64 vsock_recv(struct vsock *s, struct uio *u, u32 flags);
s64 vsock_send(struct vsock *s, struct uio *u, u32 flags);

/* How many bytes can be read at once (FIONREAD). */
u32 vsock_readable(struct vsock *s);

int vsock_shutdown(struct vsock *s, u32 how); /* 0 or -ENOTCONN */

/* After shutting both directions (or the last put elsewhere): wait until the host has taken every byte. 0, -ETIMEDOUT at the deadline. */
int vsock_drain(struct vsock *s, u64 deadline);

void vsock_get(struct vsock *s);
void vsock_put(struct vsock *s);

/* Current POLL* events, and where changes are announced. */
u32 vsock_events(struct vsock *s);
struct waitq *vsock_waitq(struct vsock *s);
u32 vsock_listener_events(struct vsock_listener *l);
struct waitq *vsock_listener_waitq(struct vsock_listener *l);

#endif
