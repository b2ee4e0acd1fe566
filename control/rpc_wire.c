/* SPDX-License-Identifier: Apache-2.0 */
/* Host side of the wire format of the guest control protocol. */
#include <config.h>
#include "control/rpc_wire.h"

#include <errno.h>
#include <string.h>

int cm_rpc_decode_frame(const void *bytes, size_t len, struct cm_rpc_frame *f)
{
	struct cm_rpc_hdr h;
	bool event, known;

	if (len < sizeof(h))
		return 0;
	memcpy(&h, bytes, sizeof(h));
	event = h.type == CM_RPC_EXITED || h.type == CM_RPC_EXEC_EXITED;
	known = event || (h.type & CM_RPC_REPLY);
	if (h.magic != CM_RPC_MAGIC || h.version != CM_RPC_VERSION || h.reserved != 0 || !known ||
		h.len > CM_RPC_EVENT_MAX)
		return -EPROTO;
	if (event ? h.id != 0 || h.error != 0 : h.id == 0 || h.error < 0)
		return -EPROTO;
	if (len - sizeof(h) < h.len)
		return 0;
	f->hdr = h;
	f->payload = (const uint8_t *)bytes + sizeof(h);
	return (int)(sizeof(h) + h.len);
}

static int wire_copy(const struct cm_rpc_frame *f, void *out, size_t size)
{
	if (f->hdr.len != size)
		return -EPROTO;
	memcpy(out, f->payload, size);
	return 0;
}

int cm_rpc_decode_hello(const struct cm_rpc_frame *f, struct cm_rpc_hello *out)
{
	return wire_copy(f, out, sizeof(*out));
}

int cm_rpc_decode_started(const struct cm_rpc_frame *f, struct cm_rpc_started *out)
{
	return wire_copy(f, out, sizeof(*out));
}

int cm_rpc_decode_exited(const struct cm_rpc_frame *f, struct cm_rpc_exited *out)
{
	return wire_copy(f, out, sizeof(*out));
}

int cm_rpc_decode_usage(const struct cm_rpc_frame *f, struct cm_rpc_usage *out)
{
	return wire_copy(f, out, sizeof(*out));
}

int cm_rpc_decode_copied(const struct cm_rpc_frame *f, uint64_t *out)
{
	return wire_copy(f, out, sizeof(*out));
}

int cm_rpc_decode_limit(const struct cm_rpc_frame *f, struct cm_rpc_limit *out)
{
	return wire_copy(f, out, sizeof(*out));
}

static void wire_printable(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	}
}

void cm_rpc_decode_error(
	const struct cm_rpc_frame *f, struct cm_rpc_error *out, char text[CM_RPC_TEXT_MAX + 1])
{
	size_t n;

	memset(out, 0, sizeof(*out));
	text[0] = '\0';
	if (f->hdr.len < sizeof(*out))
		return;
	memcpy(out, f->payload, sizeof(*out));
	if (out->stage >= CM_RPC_STAGE_COUNT)
		out->stage = CM_RPC_STAGE_NONE;
	n = f->hdr.len - sizeof(*out);
	if (n > CM_RPC_TEXT_MAX)
		n = CM_RPC_TEXT_MAX;
	memcpy(text, f->payload + sizeof(*out), n);
	text[n] = '\0';
	wire_printable(text);
}

int cm_rpc_decode_proc(const struct cm_rpc_frame *f, uint32_t i, struct cm_rpc_proc *out)
{
	if (f->hdr.len % sizeof(*out) != 0 || f->hdr.len / sizeof(*out) > CM_RPC_PROCS_MAX)
		return -EPROTO;
	if (i >= f->hdr.len / sizeof(*out))
		return 0;
	memcpy(out, f->payload + i * sizeof(*out), sizeof(*out));
	out->comm[sizeof(out->comm) - 1] = '\0';
	wire_printable(out->comm);
	return 1;
}

void cm_rpc_encode(struct cm_buf *b, uint16_t type, uint32_t id, const void *payload, uint32_t len)
{
	struct cm_rpc_hdr h = {
		.magic = CM_RPC_MAGIC,
		.version = CM_RPC_VERSION,
		.type = type,
		.id = id,
		.len = len,
	};

	cm_buf_add(b, &h, sizeof(h));
	cm_buf_add(b, payload, len);
}
