/* SPDX-License-Identifier: Apache-2.0 */
/* Device discovery and register set-up, batched: a register access by itself would cost an exit. */
#include "drivers/virtio/virtio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "arch.h"
#include "casemate/hypercall.h"
#include "drivers/virtio/ring.h"
#include "kernel/errno.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "lib/fdt_read.h"
#include "mm/page.h"

#define VIRTIO_STOP_NS (2 * NSEC_PER_SEC)

#define STATUS_DRIVER	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define STATUS_FEATURES (STATUS_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define STATUS_RUNNING	(STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK)

struct virtio_batch {
	struct cm_mmio_op *op; /* a page of RAM */
	u32 device;
	u32 count;
};

static struct cm_mmio_op *virtio_batch_add(struct virtio_batch *b, u32 offset, u32 value)
{
	struct cm_mmio_op *op = &b->op[b->count++];

	*op = (struct cm_mmio_op){ .device = b->device, .offset = offset, .value = value };
	return op;
}

static void virtio_batch_add64(struct virtio_batch *b, u32 offset, u64 value)
{
	virtio_batch_add(b, offset, (u32)value);
	virtio_batch_add(b, offset + 4, (u32)(value >> 32));
}

int virtio_find(const struct fdt_reader *fdt, u32 id, u32 nth, struct virtio_device *dev)
{
	int node = FDT_NONE;

	while ((node = fdt_read_compatible(fdt, node, "virtio,mmio")) != FDT_NONE) {
		u32 device_id;

		if (!fdt_read_u32(fdt, node, "casemate,device-id", &device_id) || device_id != id ||
			nth-- > 0)
			continue;
		if (!fdt_read_u32(fdt, node, "casemate,index", &dev->index) ||
			!fdt_read_u32(fdt, node, "interrupts", &dev->vector))
			return -ENODEV;
		dev->tag = fdt_read_string(fdt, node, "casemate,tag");
		return 0;
	}
	return -ENODEV;
}

static void virtio_batch_queue(struct virtio_batch *b, u32 index, const struct ring *r)
{
	virtio_batch_add(b, VIRTIO_MMIO_QUEUE_SEL, index);
	virtio_batch_add(b, VIRTIO_MMIO_QUEUE_NUM, r->size);
	virtio_batch_add64(b, VIRTIO_MMIO_QUEUE_DESC_LOW, va_to_pa(r->desc));
	virtio_batch_add64(b, VIRTIO_MMIO_QUEUE_AVAIL_LOW, va_to_pa(r->avail));
	virtio_batch_add64(b, VIRTIO_MMIO_QUEUE_USED_LOW, va_to_pa(r->used));
	virtio_batch_add(b, VIRTIO_MMIO_QUEUE_READY, 1);
}

int virtio_start(struct virtio_device *dev, struct ring *const *rings, u32 n,
	struct virtio_reg *reg, u32 nregs)
{
	struct virtio_batch b = { .device = dev->index };
	struct cm_mmio_op *status, *first;
	int r;

	_Static_assert(7 + VIRTIO_QUEUES_MAX * 9 + 2 + VIRTIO_REGS_MAX <= CM_MMIO_BATCH_MAX &&
			       sizeof(struct cm_mmio_op) * CM_MMIO_BATCH_MAX <= PAGE_SIZE,
		"one batch, one page");
	if (!dev->batch)
		dev->batch = page_alloc_va(0, 0);
	if (!dev->batch)
		return -ENOMEM;
	b.op = dev->batch;
	virtio_batch_add(&b, VIRTIO_MMIO_STATUS, 0);
	virtio_batch_add(&b, VIRTIO_MMIO_STATUS, STATUS_DRIVER);
	virtio_batch_add(&b, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	virtio_batch_add(&b, VIRTIO_MMIO_DRIVER_FEATURES, 1u << (VIRTIO_F_VERSION_1 - 32));
	virtio_batch_add(&b, VIRTIO_MMIO_STATUS, STATUS_FEATURES);
	for (u32 i = 0; i < n; i++)
		virtio_batch_queue(&b, i, rings[i]);
	virtio_batch_add(&b, VIRTIO_MMIO_STATUS, STATUS_RUNNING);
	status = virtio_batch_add(&b, VIRTIO_MMIO_STATUS | CM_MMIO_READ, 0);
	first = &b.op[b.count];
	for (u32 i = 0; i < nregs; i++)
		virtio_batch_add(&b, reg[i].offset | CM_MMIO_READ, 0);
	r = hypercall(CM_HC_MMIO_BATCH, va_to_pa(b.op), b.count);
	for (u32 i = 0; i < nregs; i++)
		reg[i].value = (u32)first[i].value;
	if (r == 0 && status->value != STATUS_RUNNING)
		r = -EIO;
	return r;
}

int virtio_stop(struct virtio_device *dev)
{
	struct virtio_batch b = { .op = dev->batch, .device = dev->index };
	u64 end = clock_monotonic() + VIRTIO_STOP_NS;
	struct cm_mmio_op *status;

	for (;;) {
		b.count = 0;
		virtio_batch_add(&b, VIRTIO_MMIO_STATUS, 0);
		status = virtio_batch_add(&b, VIRTIO_MMIO_STATUS | CM_MMIO_READ, 0);
		if (hypercall(CM_HC_MMIO_BATCH, va_to_pa(b.op), b.count))
			return -EIO;
		if (status->value == 0)
			return 0;
		if (clock_monotonic() > end)
			return -EIO;
		sched_yield_cpu();
	}
}

bool virtio_needs_reset(struct virtio_device *dev)
{
	struct cm_mmio_op *op = dev->batch;

	*op = (struct cm_mmio_op){
		.device = dev->index,
		.offset = VIRTIO_MMIO_STATUS | CM_MMIO_READ,
	};
	return hypercall(CM_HC_MMIO_BATCH, va_to_pa(op), 1) || op->value != STATUS_RUNNING;
}
