/* SPDX-License-Identifier: Apache-2.0 */
/* The test's own vsock driver and host programs. */
#include <config.h>

#include "tests/lib/fake_vsock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "casemate/virtio_abi.h"
#include "tests/lib/fake_driver.h"
#include "vmm/eventloop.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/mmio.h"

#define RX_OFF	0x40000 /* receive buffers, FAKE_VSOCK_BUF each */
#define TX_OFF	0x90000
#define TX_SIZE 0x20000

static void fake_vsock_raise(void *arg, unsigned int index)
{
	struct fake_vsock *v = arg;

	v->interrupts++;
}

static struct sockaddr_un fake_vsock_addr(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", name);
	return sun;
}

static int fake_vsock_bind(const char *name, int flags)
{
	struct sockaddr_un sun = fake_vsock_addr(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 128) < 0)
		abort();
	return fd;
}

void fake_vsock_init(struct fake_vsock *v)
{
	struct virtio_env env;

	memset(v, 0, sizeof(*v));
	fake_mem_init(&v->mem);
	for (unsigned int i = 0; i < 3; i++)
		fake_ring_init(&v->ring[i], &v->mem, 0x10000 + 0x4000 * i, FAKE_VSOCK_QSIZE);
	snprintf(v->dir, sizeof(v->dir), "/tmp/casemate-vsock-XXXXXX");
	if (!mkdtemp(v->dir) || chdir(v->dir) < 0)
		abort();
	v->loop = eventloop_create();
	if (!v->loop)
		abort();
	v->buf_alloc = 0x10000;
	env = (struct virtio_env){
		.loop = v->loop,
		.mem = &v->mem.gmem,
		.raise = fake_vsock_raise,
		.raise_arg = v,
	};
	if (virtio_vsock_create(&env, fake_vsock_bind("listen", 0), "host", &v->dev))
		abort();
	fake_driver_start(v->dev, v->ring, 3);
	fake_vsock_pump(v);
	fake_vsock_refill(v, FAKE_VSOCK_QSIZE / 2);
}

void fake_vsock_fini(struct fake_vsock *v)
{
	char cmd[96];

	virtio_dev_destroy(v->dev);
	eventloop_destroy(v->loop);
	fake_mem_fini(&v->mem);
	if (chdir("/") < 0)
		abort();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", v->dir);
	if (system(cmd) != 0)
		abort();
}

void fake_vsock_pump(struct fake_vsock *v)
{
	while (eventloop_step(v->loop, 0) > 0)
		;
}

void fake_vsock_refill(struct fake_vsock *v, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint32_t slot = v->ring[0].next % FAKE_VSOCK_QSIZE;

		fake_ring_add(&v->ring[0], 0, 0, RX_OFF + slot * FAKE_VSOCK_BUF, FAKE_VSOCK_BUF);
	}
	virtio_doorbell(v->dev, 0);
}

void fake_vsock_raw(struct fake_vsock *v, const struct virtio_vsock_hdr *hdr, const void *payload,
	uint32_t extra)
{
	uint8_t *p = fake_ptr(&v->mem, TX_OFF);
	uint32_t id, len;

	memcpy(p, hdr, sizeof(*hdr));
	if (extra)
		memcpy(p + sizeof(*hdr), payload, extra);
	fake_ring_add(&v->ring[1], TX_OFF, (uint32_t)sizeof(*hdr) + extra, 0, 0);
	virtio_doorbell(v->dev, 1);
	fake_vsock_pump(v);
	while (fake_ring_take(&v->ring[1], &id, &len))
		;
}

void fake_vsock_send(struct fake_vsock *v, uint16_t op, uint32_t guest_port, uint32_t host_port,
	uint32_t flags, const void *payload, uint32_t len)
{
	const struct virtio_vsock_hdr hdr = {
		.src_cid = CM_VSOCK_GUEST_CID,
		.dst_cid = CM_VSOCK_HOST_CID,
		.src_port = guest_port,
		.dst_port = host_port,
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.flags = flags,
		.buf_alloc = v->buf_alloc,
		.fwd_cnt = v->fwd_cnt,
	};

	fake_vsock_raw(v, &hdr, payload, len);
}

bool fake_vsock_recv(struct fake_vsock *v, struct virtio_vsock_hdr *hdr, void *payload, size_t size)
{
	uint32_t id, len;
	uint8_t *p;

	if (!fake_ring_take(&v->ring[0], &id, &len))
		return false;
	v->last_len = len;
	p = fake_ptr(&v->mem, v->ring[0].desc[id].addr - FAKE_GPA);
	memcpy(hdr, p, sizeof(*hdr));
	if (len > sizeof(*hdr) && payload)
		memcpy(payload, p + sizeof(*hdr),
			len - sizeof(*hdr) < size ? len - sizeof(*hdr) : size);
	if (!v->no_refill)
		fake_vsock_refill(v, 1);
	return true;
}

int fake_vsock_client(struct fake_vsock *v)
{
	struct sockaddr_un sun = fake_vsock_addr("listen");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		abort();
	return fd;
}

int fake_vsock_listen(struct fake_vsock *v, uint32_t host_port)
{
	char name[32];

	snprintf(name, sizeof(name), "host_%u", host_port);
	return fake_vsock_bind(name, SOCK_NONBLOCK);
}
