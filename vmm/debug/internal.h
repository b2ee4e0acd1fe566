/* SPDX-License-Identifier: Apache-2.0 */
/* State of the debug server, shared by its files. All of it belongs to the debug thread. */
#ifndef CM_VMM_DEBUG_INTERNAL_H
#define CM_VMM_DEBUG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <casemate/debug.h>

#define DEBUG_BREAKS 256 /* breakpoints in memory, of all connections */

struct vm;

struct debug_conn {
	int fd; /* -1 = free */
	unsigned pauses;
	uint32_t traces; /* CM_DBG_TRACE_* that it wants */
	bool debugs; /* it used GUEST_DEBUG */
	bool told; /* it knows of the present stop */
	bool stop_due; /* `stop` is to be sent when the buffer is empty */
	struct cm_dbg_stop stop;
	size_t in_len, out_len, out_at;
	uint8_t in[sizeof(struct cm_dbg_hdr) + CM_DBG_PAYLOAD_MAX];
	uint8_t out[sizeof(struct cm_dbg_hdr) + CM_DBG_PAYLOAD_MAX];
};

struct debug_break {
	uint64_t gpa;
	struct debug_conn *owner; /* NULL = free */
	uint8_t saved;
};

struct debug_server {
	struct vm *vm;
	int hand_fd; /* connections come from it; -1 when the sandbox process hung up */
	int event_fd;
	int pipe[2]; /* for reading the DAX window; made when first needed */
	bool kept; /* a pause that belongs to no connection */
	struct debug_break breaks[DEBUG_BREAKS];
	unsigned nbreaks; /* one more than the last one in use */
	struct debug_conn conn[CM_DBG_CONNS];
};

/* A request being served: payload copied and bounded, reply built in place. */
struct debug_call {
	struct debug_server *s;
	struct debug_conn *c;
	const uint8_t *arg;
	uint32_t len;
	uint8_t *reply; /* CM_DBG_PAYLOAD_MAX bytes */
	uint32_t reply_len;
};

/* Serve one request: 0 or a positive errno; only with 0, or for PAUSE, the reply counts. */
uint32_t debug_dispatch(struct debug_call *k, uint16_t type);

/* Take back what the connection did. */
void debug_release(struct debug_server *s, struct debug_conn *c);

/* Tell connections of a stop that they do not know. */
void debug_tell(struct debug_server *s);

/* memory.c: 0 or a positive errno. `hidden` = see under and write under breakpoints. */
uint32_t debug_mem_read(struct debug_server *s, uint64_t gpa, void *buf, uint32_t len);
uint32_t debug_mem_write(struct debug_server *s, uint64_t gpa, const void *buf, uint32_t len);
uint32_t debug_mem_find(struct debug_server *s, struct cm_dbg_range *r);
uint64_t debug_mem_resident(const struct vm *vm);
uint32_t debug_break_add(struct debug_server *s, struct debug_conn *c, uint64_t gpa);
uint32_t debug_break_del(struct debug_server *s, struct debug_conn *c, uint64_t gpa);
void debug_break_release(struct debug_server *s, struct debug_conn *c);

/* regs.c: 0 or a positive errno. */
uint32_t debug_regs_get(struct debug_call *k);
uint32_t debug_regs_set(struct debug_call *k);
uint32_t debug_guest_debug(struct debug_call *k);
uint32_t debug_nmi(struct debug_call *k);
/* End guest debugging on every vCPU that is stopped. */
void debug_guest_debug_off(struct vm *vm);

/* devices.c: fills at most CM_VIRTIO_MAX records, returns their number. */
uint32_t debug_devices(const struct vm *vm, struct cm_dbg_device *d);

#endif
