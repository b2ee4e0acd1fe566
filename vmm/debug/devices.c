/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the virtio devices, for the debugger. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "vmm/debug/internal.h"
#include "vmm/virtio/device.h"
#include "vmm/vm.h"

_Static_assert(CM_DBG_QUEUES >= VIRTIO_QUEUES_MAX, "a record for every queue");

/* An index of a ring, which the driver placed anywhere it liked. */
static uint16_t devices_index(const struct gmem *mem, uint64_t ring)
{
	uint16_t v = 0;
	uint64_t at;

	/* Both rings begin with 16 bits of flags. */
	if (!__builtin_add_overflow(ring, 2, &at))
		gmem_read(mem, at, &v, sizeof(v));
	return v;
}

static void devices_one(const struct vm *vm, struct virtio_dev *dev, struct cm_dbg_device *d)
{
	unsigned i;

	pthread_mutex_lock(&dev->lock);
	d->virtio_id = dev->ops->id;
	d->phase = dev->phase;
	d->status = dev->status;
	d->offered = dev->ops->features | 1ull << VIRTIO_F_VERSION_1 |
		     1ull << VIRTIO_RING_F_INDIRECT_DESC;
	d->features = dev->driver_features;
	d->isr = atomic_load(&dev->isr);
	d->failed = __atomic_load_n(&dev->failed, __ATOMIC_RELAXED);
	snprintf(d->error, sizeof(d->error), "%s", dev->error ? dev->error : "");
	d->error_queue = (uint32_t)(dev->error_queue + 1);
	d->nqueues = dev->ops->nqueues < CM_DBG_QUEUES ? dev->ops->nqueues : CM_DBG_QUEUES;
	for (i = 0; i < d->nqueues; i++) {
		const struct virtio_queue_regs *r = &dev->regs[i];

		d->queue[i].size = r->size;
		d->queue[i].ready = r->ready;
		d->queue[i].desc = r->desc;
		d->queue[i].driver = r->driver;
		d->queue[i].device = r->device;
		if (!r->ready)
			continue;
		d->queue[i].avail = devices_index(&vm->mem, r->driver);
		d->queue[i].used = devices_index(&vm->mem, r->device);
		d->queue[i].seen = __atomic_load_n(&dev->queue[i].last_avail, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&dev->lock);
}

uint32_t debug_devices(const struct vm *vm, struct cm_dbg_device *d)
{
	unsigned i;

	memset(d, 0, vm->ndevices * sizeof(*d));
	for (i = 0; i < vm->ndevices; i++) {
		d[i].index = i;
		snprintf(d[i].name, sizeof(d[i].name), "%s", vm->device[i]->ops->name);
		snprintf(d[i].tag, sizeof(d[i].tag), "%s",
			vm->device_tag[i] ? vm->device_tag[i] : "");
		devices_one(vm, vm->device[i], &d[i]);
	}
	return vm->ndevices;
}
