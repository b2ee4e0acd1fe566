/* SPDX-License-Identifier: Apache-2.0 */
/* The host half of the fake machine: the VMM's device models and a file server made of test code. */
#include <config.h>

#include "tests/lib/fake_machine.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/virtio_ids.h>

#include "casemate/fsdev.h"
#include "vmm/devtree.h"
#include "vmm/eventloop.h"
#include "vmm/gmem.h"
#include "vmm/guestlog.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/queue.h"

bool fake_fsd_asleep, fake_fsd_prompt, fake_fsd_mute;
unsigned int fake_fsd_served[2], fake_fsd_kicks;

static struct eventloop *loop;
static struct gmem all_mem, arena_mem;
static struct virtio_dev *devs[FAKE_DEVICES];
static _Atomic uint32_t raised;
static char dir[64];
static struct guestlog *glog;
static int log_pipe[2];

static struct {
	int sock, kick, call;
	struct vq q[2];
	struct vq_chain chain;
	fake_fsd_fn fn;
	struct cm_fsdev_msg reset; /* the answer to RESET, when op says so */
	bool woken; /* it slept since it last looked */
} fsd;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void host_raise(void *arg, unsigned int index)
{
	raised |= 1u << index;
}

static int bind_path(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", name);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 && listen(fd, 64) == 0);
	return fd;
}

static struct virtio_env host_env(unsigned int index, const struct gmem *mem)
{
	return (struct virtio_env){
		.loop = loop,
		.mem = mem,
		.index = index,
		.raise = host_raise,
	};
}

static void host_fs(void)
{
	struct virtio_env env = host_env(FAKE_FS, &arena_mem);
	struct virtio_fs_params p = { .tag = "rootfs" };
	int pair[2];

	memset(&fsd, 0, sizeof(fsd));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	fsd.sock = pair[0];
	p.sock_fd = pair[1];
	p.kick_fd = eventfd(0, EFD_NONBLOCK);
	p.call_fd = eventfd(0, EFD_NONBLOCK);
	fsd.kick = dup(p.kick_fd);
	fsd.call = dup(p.call_fd);
	must(virtio_fs_create(&env, &p, &devs[FAKE_FS]) == 0);
}

void fake_host_init(void *base_minus_gpa)
{
	uint8_t *base = base_minus_gpa;
	struct virtio_env env;

	memset(&all_mem, 0, sizeof(all_mem));
	memset(&arena_mem, 0, sizeof(arena_mem));
	must(gmem_add(&all_mem, FAKE_RAM_GPA, FAKE_RAM_LEN, base + FAKE_RAM_GPA, true) == 0);
	must(gmem_add(&arena_mem, FAKE_ARENA_GPA, FAKE_ARENA_LEN, base + FAKE_ARENA_GPA, true) ==
		0);
	loop = eventloop_create();
	must(loop);
	snprintf(dir, sizeof(dir), "/tmp/casemate-machine-XXXXXX");
	must(mkdtemp(dir) && chdir(dir) == 0);
	env = host_env(FAKE_VSOCK, &all_mem);
	must(virtio_vsock_create(&env, bind_path("listen"), "host", &devs[FAKE_VSOCK]) == 0);
	host_fs();
	env = host_env(FAKE_RNG, &all_mem);
	must(virtio_rng_create(&env, &devs[FAKE_RNG]) == 0);
	must(pipe2(log_pipe, O_NONBLOCK) == 0);
	glog = guestlog_create(log_pipe[1]);
	env = host_env(FAKE_CONSOLE, &all_mem);
	must(virtio_console_create(&env, glog, &devs[FAKE_CONSOLE]) == 0);
}

void fake_host_fini(void)
{
	char cmd[96];

	for (unsigned int i = 0; i < FAKE_DEVICES; i++)
		virtio_dev_destroy(devs[i]);
	eventloop_destroy(loop);
	guestlog_destroy(glog);
	must(chdir("/") == 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	must(system(cmd) == 0);
}

int fake_host_fdt(void *buf, size_t size)
{
	const struct devtree_machine m = {
		.ram = FAKE_RAM_LEN,
		.arena = FAKE_ARENA_LEN,
		.cpus = 1,
		.cmdline = "",
		.ndevices = FAKE_DEVICES,
		.device = {
			{ FAKE_VSOCK, VIRTIO_ID_VSOCK, NULL },
			{ FAKE_FS, VIRTIO_ID_FS, "rootfs" },
			{ FAKE_RNG, VIRTIO_ID_RNG, NULL },
			{ FAKE_CONSOLE, VIRTIO_ID_CONSOLE, NULL },
		},
	};

	return devtree_build(&m, buf, size);
}

void fake_host_mmio(uint32_t device, uint32_t offset, bool write, uint64_t *value)
{
	must(device < FAKE_DEVICES);
	virtio_mmio_access(devs[device], offset, 4, write, value);
}

void fake_host_doorbell(uint32_t device, uint32_t queue)
{
	must(device < FAKE_DEVICES);
	virtio_doorbell(devs[device], queue);
}

/* ---- file server ---- */

void fake_fsd_serve(fake_fsd_fn fn)
{
	fsd.fn = fn;
}

static void fsd_control(void)
{
	struct cm_fsdev_msg m;

	while (fsd.sock >= 0 && recv(fsd.sock, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m)) {
		must(m.version == CM_FSDEV_VERSION);
		if (m.op == CM_FSDEV_RESET) {
			m.op = CM_FSDEV_REPLY;
			fsd.reset = m;
		}
		if (m.op == CM_FSDEV_QUEUE_START)
			must(vq_setup(&fsd.q[m.queue], &arena_mem, (uint16_t)m.size, m.desc,
				     m.driver, m.device) == 0);
	}
}

/* RESET is answered by who is awake; one that slept ends what it was at. */
static void fsd_reset(void)
{
	if (fsd.reset.op != CM_FSDEV_REPLY)
		return;
	if (fsd.woken)
		fake_fsd_serve_once();
	for (unsigned int i = 0; i < 2; i++)
		vq_off(&fsd.q[i]);
	must(send(fsd.sock, &fsd.reset, sizeof(fsd.reset), MSG_NOSIGNAL) == sizeof(fsd.reset));
	fsd.reset.op = 0;
}

static void fsd_queue(unsigned int i, unsigned int max)
{
	static uint8_t in[65536], out[65536];
	bool pushed = false;

	while (max-- && vq_pop(&fsd.q[i], &fsd.chain) > 0) {
		uint32_t n = 0;
		size_t len = vq_chain_read(&fsd.chain, 0, in, sizeof(in));

		if (fsd.fn)
			n = fsd.fn(in, len, out, fsd.chain.write_len);
		vq_chain_write(&fsd.chain, 0, out, n);
		vq_push(&fsd.q[i], fsd.chain.head, n);
		fake_fsd_served[i]++;
		pushed = true;
	}
	if (pushed && !fake_fsd_mute && vq_wants_interrupt(&fsd.q[i])) {
		uint64_t one = 1;

		must(write(fsd.call, &one, sizeof(one)) == sizeof(one));
	}
}

void fake_fsd_die(void)
{
	fake_fsd_asleep = true;
	close(fsd.sock);
	fsd.sock = -1;
}

void fake_fsd_die_polling(void)
{
	for (unsigned int i = 0; i < 2; i++)
		vq_doorbell_off(&fsd.q[i]);
	fake_fsd_die();
}

void fake_fsd_serve_once(void)
{
	fsd_queue(1, 1);
}

int fake_host_step(int ms)
{
	int n = eventloop_step(loop, ms);
	uint64_t count;

	fsd_control();
	fsd.woken |= fake_fsd_asleep;
	if (!fake_fsd_asleep) {
		fsd_reset();
		fsd.woken = false;
		fake_fsd_kicks += read(fsd.kick, &count, sizeof(count)) > 0;
		fsd_queue(0, UINT_MAX);
		fsd_queue(1, UINT_MAX);
	}
	return n;
}

uint32_t fake_host_raised(void)
{
	return atomic_exchange(&raised, 0);
}

int fake_vsock_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "listen" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	return fd;
}

int fake_vsock_bind_port(uint32_t port)
{
	char name[32];

	snprintf(name, sizeof(name), "host_%u", port);
	return bind_path(name);
}

size_t fake_console_read(char *buf, size_t size)
{
	ssize_t n = read(log_pipe[0], buf, size);

	return n > 0 ? (size_t)n : 0;
}
