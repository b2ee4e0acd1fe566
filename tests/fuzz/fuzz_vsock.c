/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the vsock device between a guest and host programs that do anything, in any order. */
#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_mmio.h>

#include "casemate/virtio_abi.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_vsock.h"
#include "vmm/virtio/vsock_internal.h"

#define CLIENTS 8
#define OPS_MAX 64

static struct fake_vsock v;
static int client[CLIENTS], listener;
static int home = -1; /* the fuzzer's directory: its files have relative names */

/* Six bytes an operation: what, which, and four of argument. */
struct op {
	uint8_t what, which;
	uint8_t arg[4];
};

static void end(void)
{
	fake_vsock_fini(&v);
}

static void begin(void)
{
	static bool made;

	if (!made) {
		home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fake_vsock_init(&v);
		listener = fake_vsock_listen(&v, 80);
		atexit(end);
		made = true;
		return;
	}
	if (chdir(v.dir) < 0)
		abort();
	fake_driver_write(v.dev, VIRTIO_MMIO_STATUS, 0);
	fake_vsock_pump(&v);
	for (unsigned int i = 0; i < 3; i++)
		fake_ring_init(&v.ring[i], &v.mem, 0x10000 + 0x4000 * i, FAKE_VSOCK_QSIZE);
	fake_driver_start(v.dev, v.ring, 3);
	fake_vsock_pump(&v);
	fake_vsock_refill(&v, FAKE_VSOCK_QSIZE / 2);
}

/* Ports from a small set, so that packets meet connections: those of clients, the listener's, nobody's. */
static uint32_t host_port(uint8_t n)
{
	const struct vsock *vs = (const struct vsock *)v.dev;

	return n % 4 == 0 ? 80 : n % 4 == 1 ? n : vs->next_port - n / 4 % CLIENTS;
}

static void guest_packet(const struct op *op)
{
	static const uint8_t payload[4096];
	static const uint32_t odd[] = { 0, 1, 45, 4096, 0x7fffffff, 0x80000000, 0xffffffff };
	uint32_t extra = op->arg[1] * 16u;
	struct virtio_vsock_hdr hdr = {
		.src_cid = CM_VSOCK_GUEST_CID,
		.dst_cid = CM_VSOCK_HOST_CID,
		.src_port = op->which % 4,
		.dst_port = host_port(op->arg[0]),
		.len = op->arg[3] & 0x80 ? odd[op->arg[3] % 7] : extra,
		.type = op->arg[3] & 0x40 ? op->arg[2] : VIRTIO_VSOCK_TYPE_STREAM,
		.op = op->arg[2] % 10,
		.flags = op->arg[3] % 4,
		.buf_alloc = op->arg[3] & 0x20 ? odd[op->arg[2] % 7] : 65536,
		.fwd_cnt = op->arg[3] & 0x10 ? odd[op->arg[1] % 7] : 0,
	};

	fake_vsock_raw(&v, &hdr, payload, extra);
}

static void host_act(const struct op *op)
{
	static char junk[70000];
	int *fd = &client[op->which % CLIENTS];
	char line[] = "CONNECT 0\n";

	switch (op->arg[0] % 6) {
	case 0:
		if (*fd > 0)
			close(*fd);
		*fd = fake_vsock_client(&v);
		line[8] = (char)('0' + op->arg[1] % 4);
		if (send(*fd, line, op->arg[2] % 4 ? 10 : op->arg[2] % 10, MSG_NOSIGNAL) < 0)
			return;
		break;
	case 1:
		if (*fd > 0 &&
			send(*fd, junk, op->arg[1] * 273u + 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return;
		break;
	case 2:
		if (*fd > 0 && recv(*fd, junk, sizeof(junk), MSG_DONTWAIT) < 0)
			return;
		break;
	case 3:
		if (*fd > 0)
			shutdown(*fd, op->arg[1] % 3);
		break;
	case 4:
		if (*fd > 0)
			close(*fd);
		*fd = 0;
		break;
	default:
		if (*fd > 0)
			close(*fd);
		*fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_vsock_hdr hdr;
	struct op op;

	begin();
	for (unsigned int i = 0; i < OPS_MAX && size >= sizeof(op); i++) {
		memcpy(&op, data, sizeof(op));
		data += sizeof(op);
		size -= sizeof(op);
		v.no_refill = op.what & 0x80;
		if (op.what % 4 < 2)
			guest_packet(&op);
		else if (op.what % 4 == 2)
			host_act(&op);
		else
			while (fake_vsock_recv(&v, &hdr, NULL, 0))
				;
		fake_vsock_pump(&v);
		if (((struct vsock *)v.dev)->nconns > VSOCK_CONNS)
			abort();
	}
	for (unsigned int i = 0; i < CLIENTS; i++) {
		if (client[i] > 0)
			close(client[i]);
		client[i] = 0;
	}
	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;)
		close(fd);
	if (fchdir(home) < 0)
		abort();
	return 0;
}

/* Two clients and a connection of the guest's, bytes both ways, ends. */
size_t fuzz_seed(uint8_t *buf, size_t max)
{
	static const struct op ops[] = {
		{ 2, 0, { 0, 1, 1, 0 } }, /* client to guest port 1 */
		{ 3, 0, { 0 } },
		{ 0, 1, { 2, 0, 2, 0 } }, /* RESPONSE */
		{ 0, 1, { 2, 100, 5, 0 } }, /* RW */
		{ 2, 0, { 2 } },
		{ 2, 0, { 1, 200 } },
		{ 3, 0, { 0 } },
		{ 0, 2, { 0, 0, 1, 0 } }, /* guest connects to port 80 */
		{ 2, 1, { 5 } },
		{ 3, 0, { 0 } },
		{ 0, 2, { 0, 200, 5, 0 } },
		{ 2, 1, { 1, 50 } },
		{ 0, 2, { 0, 0, 7, 0 } }, /* CREDIT_REQUEST */
		{ 3, 0, { 0 } },
		{ 0, 2, { 0, 0, 4, 3 } }, /* SHUTDOWN */
		{ 2, 0, { 3, 1 } },
		{ 0, 1, { 2, 0, 3, 0 } }, /* RST */
		{ 2, 1, { 4 } },
		{ 3, 0, { 0 } },
	};

	if (max < sizeof(ops))
		return 0;
	memcpy(buf, ops, sizeof(ops));
	return sizeof(ops);
}
