/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections into the guest through the hybrid UNIX socket of the vsock device, and the control connection on top: non-blocking,
 * with bounded buffers both ways, so that a guest that neither reads nor answers costs nothing but its own sandbox.
 */
#ifndef CM_CONTROL_RPC_CLIENT_H
#define CM_CONTROL_RPC_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/err.h"
#include "control/buf.h"
#include "control/rpc_wire.h"

#define CM_RPC_CLIENT_OPEN 256 /* requests that wait for their replies at a time */

struct cm_rpc_client {
	int fd; /* -1 = not connected */
	bool up; /* the device answered OK: what follows is frames */
	struct cm_buf rx, tx;
	uint32_t next_id;
	struct {
		uint32_t id; /* 0 = free */
		uint16_t type;
	} open[CM_RPC_CLIENT_OPEN]; /* requests without reply */
};

/*
 * Connect to the socket `path` and ask for guest port `port`. The answer ("OK <n>\n", or a hangup) is still to be read; bytes written
 * before it arrives reach the guest behind it. Returns a blocking descriptor.
 */
int cm_vsock_connect(const char *path, unsigned port, struct cm_err *err);

void cm_rpc_client_init(struct cm_rpc_client *c);
void cm_rpc_client_fini(struct cm_rpc_client *c);

/* Connect the control connection. */
int cm_rpc_client_connect(struct cm_rpc_client *c, const char *path, struct cm_err *err);

/* Queue a request. Returns its id; -ENOBUFS when the guest has left too much unread, or unanswered. */
int64_t cm_rpc_client_request(
	struct cm_rpc_client *c, uint16_t type, const void *payload, uint32_t len);

/* Send what the socket takes. 0, or -errno: the connection is dead. */
int cm_rpc_client_flush(struct cm_rpc_client *c);

/* Does the client want POLLOUT? */
bool cm_rpc_client_pending(const struct cm_rpc_client *c);

/* Read once what is there. 0, or -errno (-ECONNRESET at end of file): the connection is dead. */
int cm_rpc_client_fill(struct cm_rpc_client *c);

/*
 * The next complete frame of what was read: its size (consume it with cm_rpc_client_drop), 0 for none yet, -EPROTO. A reply comes once for each
 * request, with its id and type: any other one is an error of protocol, too.
 */
int cm_rpc_client_next(struct cm_rpc_client *c, struct cm_rpc_frame *f);
void cm_rpc_client_drop(struct cm_rpc_client *c, int size);

#endif
