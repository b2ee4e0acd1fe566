/* SPDX-License-Identifier: Apache-2.0 */
/* Finding virtio devices in the device tree and starting them with one hypercall each. */
#ifndef DRIVERS_VIRTIO_VIRTIO_H
#define DRIVERS_VIRTIO_VIRTIO_H

#include "lib/types.h"

struct cm_mmio_op;
struct fdt_reader;
struct ring;

struct virtio_device {
	u32 index; /* of its register page; for doorbells */
	u32 vector; /* of its interrupt */
	const char *tag; /* of a file system, else NULL */
	struct cm_mmio_op *batch; /* a page of register accesses, from virtio_start on */
};

/* A register to read after the device is up. */
struct virtio_reg {
	u32 offset;
	u32 value; /* filled in */
};
#define VIRTIO_REGS_MAX	  16
#define VIRTIO_QUEUES_MAX 3

/* The nth (from 0) device of a virtio id. 0 or -ENODEV. */
int virtio_find(const struct fdt_reader *fdt, u32 id, u32 nth, struct virtio_device *dev);

/*
 * Reset the device, negotiate VERSION_1, program rings[0..n) as its queues, set DRIVER_OK, and read the registers of reg[0..nregs). One
 * hypercall. 0, -ENOMEM, -EIO when the device did not come up, or what the hypercall said.
 */
int virtio_start(struct virtio_device *dev, struct ring *const *rings, u32 n,
	struct virtio_reg *reg, u32 nregs);

/* Reset the device and sleep until it is silent. 0, or -EIO when it never was: its rings are still its own then. */
int virtio_stop(struct virtio_device *dev);

/* True when a started device says that it needs a reset. Costs an exit. Any context; the caller lets in one at a time for a device. */
bool virtio_needs_reset(struct virtio_device *dev);

#endif
