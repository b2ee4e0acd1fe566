/* SPDX-License-Identifier: Apache-2.0 */
/* The table of devices. Each takes the next virtio page; the order is that of machine_kinds, file servers in the order of their options. */
#include <config.h>
#include "vmm/machine.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <casemate/guestmem.h>

#include "vmm/devtree.h"
#include "vmm/guestlog.h"
#include "vmm/irq.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/mmio.h"
#include "vmm/vm.h"

#define MACHINE_DAX_ALIGN (2ull << 20)

/* ---- register pages on the MMIO bus */

static void machine_mmio_read(void *dev, uint64_t off, void *data, unsigned len)
{
	uint64_t value = 0;

	virtio_mmio_access(dev, off, len, false, &value);
	memcpy(data, &value, len);
}

static void machine_mmio_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	uint64_t value = 0;

	memcpy(&value, data, len);
	virtio_mmio_access(dev, off, len, true, &value);
}

static const struct bus_ops machine_mmio_ops = {
	.read = machine_mmio_read,
	.write = machine_mmio_write,
};

/* ---- the devices */

static struct virtio_env machine_env(struct vm *vm, const struct gmem *mem)
{
	return (struct virtio_env){
		.loop = vm->loop,
		.mem = mem,
		.index = vm->ndevices,
		.raise = irq_raise,
		.raise_arg = vm,
	};
}

static int machine_console(struct vm *vm, const struct virtio_env *env, struct virtio_dev **out)
{
	return virtio_console_create(env, vm->log, out);
}

static int machine_rng(struct vm *vm, const struct virtio_env *env, struct virtio_dev **out)
{
	return virtio_rng_create(env, out);
}

/* Sockets for connections that the guest opens are named after the listening one, as Firecracker does: "<name>_<port>". */
static const char *machine_vsock_name(int fd, struct sockaddr_un *sun)
{
	socklen_t len = sizeof(*sun);
	const char *slash;

	memset(sun, 0, sizeof(*sun));
	if (getsockname(fd, (struct sockaddr *)sun, &len) < 0 || sun->sun_family != AF_UNIX)
		return NULL;
	sun->sun_path[sizeof(sun->sun_path) - 1] = '\0';
	slash = strrchr(sun->sun_path, '/');
	return slash ? slash + 1 : sun->sun_path;
}

static int machine_vsock(struct vm *vm, const struct virtio_env *env, struct virtio_dev **out)
{
	struct sockaddr_un sun;
	const char *name;

	if (vm->opts->vsock_fd < 0)
		return 0;
	name = machine_vsock_name(vm->opts->vsock_fd, &sun);
	if (!name)
		return -ENOTSOCK;
	/* Without a directory, or a name in it, the guest cannot connect to the host. */
	if (vm->opts->vsock_dir_fd < 0 || !*name)
		name = NULL;
	return virtio_vsock_create(env, vm->opts->vsock_fd, name, out);
}

static const struct {
	const char *name;
	int (*create)(struct vm *vm, const struct virtio_env *env, struct virtio_dev **out);
} machine_kinds[] = {
	{ "console", machine_console },
	{ "rng", machine_rng },
	{ "vsock", machine_vsock },
};

#define MACHINE_KINDS (sizeof(machine_kinds) / sizeof(machine_kinds[0]))
_Static_assert(OPTS_FS_MAX + MACHINE_KINDS <= CM_VIRTIO_MAX &&
		       1 + CM_FSDEV_SPARES + MACHINE_KINDS <= CM_VIRTIO_MAX,
	"a page for every device");

/* File server `i` gets an equal slice of the DAX window. */
static int machine_fs(struct vm *vm, unsigned i, struct virtio_dev **out)
{
	const struct opts_fs *o = &vm->opts->fs[i];
	struct virtio_env env = machine_env(vm, &vm->arena_mem);
	uint64_t slice = vm->dax_size / vm->opts->nfs & ~(MACHINE_DAX_ALIGN - 1);
	struct virtio_fs_params params = {
		.tag = o->tag,
		.sock_fd = o->sock,
		.kick_fd = o->kick,
		.call_fd = o->call,
		.window = vm->dax + i * slice,
		.window_gpa = CM_GPA_DAX + i * slice,
		.window_len = slice,
		/* A mapping is writable only if fsd passes a descriptor that is. */
		.writable = true,
	};

	return virtio_fs_create(&env, &params, out);
}

static int machine_spare(struct vm *vm, unsigned i, struct virtio_dev **out)
{
	struct virtio_env env = machine_env(vm, &vm->arena_mem);
	struct virtio_fs_params params = {
		.tag = vm->spare_tag[i], .sock_fd = -1, .kick_fd = -1, .call_fd = -1
	};

	(void)snprintf(vm->spare_tag[i], sizeof(vm->spare_tag[i]), CM_FSDEV_SPARE_TAG, i + 1);
	return virtio_fs_create(&env, &params, out);
}

/* Put a new device on its page. */
static int machine_add(struct vm *vm, struct virtio_dev *dev, const char *tag)
{
	unsigned index = vm->ndevices;
	uint64_t base = CM_GPA_VIRTIO + index * CM_VIRTIO_STRIDE;

	vm->device[index] = dev;
	vm->device_tag[index] = tag;
	vm->ndevices++;
	return bus_add(&vm->mmio, base, CM_VIRTIO_STRIDE, &machine_mmio_ops, dev);
}

int machine_create(struct vm *vm, struct cm_err *err)
{
	struct virtio_dev *dev;
	size_t i;
	int r;

	for (i = 0; i < MACHINE_KINDS; i++) {
		struct virtio_env env = machine_env(vm, &vm->mem);

		dev = NULL;
		r = machine_kinds[i].create(vm, &env, &dev);
		if (r == 0 && dev)
			r = machine_add(vm, dev, NULL);
		if (r < 0)
			return cm_err_set(err, -r, "create the %s device", machine_kinds[i].name);
	}
	for (i = 0; i < vm->opts->nfs; i++) {
		r = machine_fs(vm, (unsigned)i, &dev);
		if (r == 0)
			r = machine_add(vm, dev, vm->opts->fs[i].tag);
		if (r < 0)
			return cm_err_set(
				err, -r, "create the file device '%s'", vm->opts->fs[i].tag);
	}
	for (i = 0; vm->opts->plug_fd >= 0 && i < CM_FSDEV_SPARES; i++) {
		r = machine_spare(vm, (unsigned)i, &dev);
		if (r == 0) {
			vm->spare[i] = dev;
			r = machine_add(vm, dev, vm->spare_tag[i]);
		}
		if (r < 0)
			return cm_err_set(err, -r, "create a spare file device");
	}
	return 0;
}

void machine_describe(const struct vm *vm, struct devtree_machine *m)
{
	unsigned i;

	for (i = 0; i < vm->ndevices; i++)
		m->device[i] = (struct devtree_device){
			.index = i,
			.virtio_id = vm->device[i]->ops->id,
			.tag = vm->device_tag[i],
		};
	m->ndevices = vm->ndevices;
}

void machine_doorbell(struct vm *vm, uint32_t device, uint32_t queue)
{
	if (device >= vm->ndevices)
		return;
	if (vm->device[device]->kick_fd >= 0)
		wire_rang(vm);
	virtio_doorbell(vm->device[device], queue);
}
