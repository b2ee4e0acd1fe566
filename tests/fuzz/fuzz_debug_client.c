/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz entry of the console's end of the debug protocol: the input is everything that the VMM says. */
#include <config.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/debug/client.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 16384 /* fits in a socket */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t reply[1024];
	struct kvm_sregs s;
	struct kvm_regs r;
	struct cm_dbg_status st;
	struct cm_dbg_stop stop;
	struct cm_err err;
	struct dbg *d;
	int sp[2];

	if (size > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, sp) < 0)
		return 0;
	if (write(sp[1], data, size) == (ssize_t)size) {
		shutdown(sp[1], SHUT_WR);
		d = dbg_open(sp[0], &err);
		if (d) {
			dbg_status(d, &st);
			dbg_get_regs(d, 0, &r, &s);
			dbg_read_phys(d, 0, reply, sizeof(reply));
			dbg_call(d, CM_DBG_DEVICES, NULL, 0, reply, sizeof(reply));
			while (dbg_event(d, &stop, 0) > 0)
				;
		}
		dbg_close(d);
	} else {
		close(sp[0]);
	}
	close(sp[1]);
	return 0;
}

static size_t put_frame(
	uint8_t *buf, size_t at, uint16_t type, uint32_t id, const void *p, uint32_t len)
{
	struct cm_dbg_hdr h = {
		.magic = CM_DBG_MAGIC,
		.version = CM_DBG_VERSION,
		.type = type,
		.id = id,
		.len = len,
	};

	memcpy(buf + at, &h, sizeof(h));
	memcpy(buf + at + sizeof(h), p, len);
	return at + sizeof(h) + len;
}

size_t fuzz_seed(uint8_t *buf, size_t room)
{
	struct cm_dbg_machine m = { .version = CM_DBG_VERSION, .ncpus = 2, .nranges = 1 };
	static const uint8_t zero[1024];
	size_t at = 0;

	at = put_frame(buf, at, CM_DBG_HELLO | CM_DBG_REPLY, 1, &m, sizeof(m));
	at = put_frame(buf, at, CM_DBG_STOPPED, 0, zero, sizeof(struct cm_dbg_stop));
	at = put_frame(
		buf, at, CM_DBG_STATUS | CM_DBG_REPLY, 2, zero, sizeof(struct cm_dbg_status));
	at = put_frame(
		buf, at, CM_DBG_GET_REGS | CM_DBG_REPLY, 3, zero, 8 + sizeof(struct kvm_regs));
	at = put_frame(buf, at, CM_DBG_READ | CM_DBG_REPLY, 4, zero, 1024);
	return put_frame(buf, at, CM_DBG_DEVICES | CM_DBG_REPLY, 5, zero, 528);
}
