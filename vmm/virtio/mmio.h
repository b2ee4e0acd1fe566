/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-mmio version 2 register pages, as vCPU threads see them. The same function serves MMIO exits and the batched hypercall. Any offset,
 * size and value may come in: what the transport does not know reads as 0 and ignores writes.
 */
#ifndef CM_VMM_VIRTIO_MMIO_H
#define CM_VMM_VIRTIO_MMIO_H

#include <stdbool.h>
#include <stdint.h>

struct virtio_dev;

/* One access of `size` bytes at `offset` of the device's register page; a read stores into *value. Any thread. */
void virtio_mmio_access(
	struct virtio_dev *dev, uint64_t offset, unsigned int size, bool write, uint64_t *value);

/* The driver rang for a queue (QueueNotify or the doorbell port); unknown queues are ignored. Any thread, never blocks. */
void virtio_doorbell(struct virtio_dev *dev, uint32_t queue);

#endif
