/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The optional virtio-mmio devices, in a fixed order, on consecutive pages and inputs of the I/O APIC. A kernel finds them on its command
 * line, in Linux' form: virtio_mmio.device=4K@ADDRESS:IRQ.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "vmm/pc/blk.h"
#include "vmm/pc/pc.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/mmio.h"

static void virtio_read(void *dev, uint64_t off, void *data, unsigned len)
{
	uint64_t value = 0;

	virtio_mmio_access(dev, off, len, false, &value);
	memcpy(data, &value, len);
}

static void virtio_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	uint64_t value = 0;

	memcpy(&value, data, len);
	virtio_mmio_access(dev, off, len, true, &value);
}

static const struct bus_ops virtio_ops = { .read = virtio_read, .write = virtio_write };

/* An edge: the guest programs its I/O APIC for one. */
static void virtio_raise(void *arg, unsigned int index)
{
	pc_irq_line(arg, CM_PC_VIRTIO_IRQ + index, true);
	pc_irq_line(arg, CM_PC_VIRTIO_IRQ + index, false);
}

static int virtio_announce(struct pc *pc, uint64_t base)
{
	size_t len = strlen(pc->cmdline), room = sizeof(pc->cmdline) - len;
	int n = snprintf(pc->cmdline + len, room, "%svirtio_mmio.device=4K@%#llx:%u",
		len ? " " : "", (unsigned long long)base, CM_PC_VIRTIO_IRQ + pc->nvirtio);

	return n < 0 || len + (size_t)n >= 4096 ? -ENAMETOOLONG : 0;
}

static int virtio_add(struct pc *pc, struct virtio_dev *dev)
{
	uint64_t base = CM_PC_VIRTIO + pc->nvirtio * CM_PC_VIRTIO_STEP;
	int r = virtio_announce(pc, base);

	if (r < 0)
		return r;
	pc->virtio[pc->nvirtio++] = dev;
	return bus_add(&pc->mmio, base, CM_PC_VIRTIO_STEP, &virtio_ops, dev);
}

static int virtio_vsock(struct pc *pc, const struct virtio_env *env, struct virtio_dev **out)
{
	struct sockaddr_un sun = { 0 };
	socklen_t len = sizeof(sun) - 1;
	int fd = pc->opts->vmm.vsock_fd;
	const char *name = sun.sun_path, *slash;

	if (getsockname(fd, (struct sockaddr *)&sun, &len) < 0 || sun.sun_family != AF_UNIX)
		return -ENOTSOCK;
	slash = strrchr(name, '/');
	if (slash)
		name = slash + 1;
	if (pc->opts->vmm.vsock_dir_fd < 0 || !*name)
		name = NULL;
	return virtio_vsock_create(env, fd, name, out);
}

static int virtio_one(struct pc *pc, unsigned kind, struct virtio_dev **out)
{
	const struct pc_opts *o = pc->opts;
	struct virtio_env env = {
		.loop = pc->loop,
		.mem = &pc->mem,
		.index = pc->nvirtio,
		.raise = virtio_raise,
		.raise_arg = pc,
	};

	switch (kind) {
	case 0:
		return o->console ? virtio_console_create(&env, pc->log, out) : 0;
	case 1:
		return o->rng ? virtio_rng_create(&env, out) : 0;
	case 2:
		return o->blk_fd >= 0 ? pc_blk_create(&env, o->blk_fd, o->blk_readonly, out) : 0;
	default:
		return o->vmm.vsock_fd >= 0 ? virtio_vsock(pc, &env, out) : 0;
	}
}

int pc_virtio_create(struct pc *pc, struct cm_err *err)
{
	static const char *const names[] = { "console", "rng", "blk", "vsock" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct virtio_dev *dev = NULL;
		int r = virtio_one(pc, i, &dev);

		if (r == 0 && dev)
			r = virtio_add(pc, dev);
		if (r < 0)
			return cm_err_set(err, -r, "create the %s device", names[i]);
	}
	return 0;
}
