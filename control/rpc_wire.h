/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host side of the wire format of include/casemate/rpc.h: pure functions on bytes. What the decoders read was written by a guest that
 * may be hostile: they copy, check every length and never trust a count.
 */
#ifndef CM_CONTROL_RPC_WIRE_H
#define CM_CONTROL_RPC_WIRE_H

#include <stdint.h>
#include "casemate/rpc.h"
#include "control/buf.h"

struct cm_rpc_frame {
	struct cm_rpc_hdr hdr;
	const uint8_t *payload; /* hdr.len bytes inside the caller's buffer */
};

/*
 * The frame at the start of len bytes. Returns its size, 0 when more bytes are needed, -EPROTO for what no guest of ours
 * sends: a foreign magic or version, a length above CM_RPC_EVENT_MAX, a request.
 */
int cm_rpc_decode_frame(const void *bytes, size_t len, struct cm_rpc_frame *f);

/* Payloads: 0, or -EPROTO when the length does not fit the type. */
int cm_rpc_decode_hello(const struct cm_rpc_frame *f, struct cm_rpc_hello *out);
int cm_rpc_decode_started(const struct cm_rpc_frame *f, struct cm_rpc_started *out);
int cm_rpc_decode_exited(const struct cm_rpc_frame *f, struct cm_rpc_exited *out);
int cm_rpc_decode_usage(const struct cm_rpc_frame *f, struct cm_rpc_usage *out);
/* The reply to FILE: bytes that were sent. */
int cm_rpc_decode_copied(const struct cm_rpc_frame *f, uint64_t *out);
int cm_rpc_decode_limit(const struct cm_rpc_frame *f, struct cm_rpc_limit *out);

/* Payload of a failed request: text (printable, NUL-terminated, maybe empty) and the fixed part; any payload gives something. */
void cm_rpc_decode_error(
	const struct cm_rpc_frame *f, struct cm_rpc_error *out, char text[CM_RPC_TEXT_MAX + 1]);

/* Record i of a PS reply: 1, 0 when there are no more, -EPROTO for a partial record. comm is NUL-terminated and printable. */
int cm_rpc_decode_proc(const struct cm_rpc_frame *f, uint32_t i, struct cm_rpc_proc *out);

/* Append a request; b->failed tells when it did not fit. */
void cm_rpc_encode(struct cm_buf *b, uint16_t type, uint32_t id, const void *payload, uint32_t len);

#endif
