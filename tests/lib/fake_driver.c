/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a virtio-mmio device up as a well-behaved driver does. */
#include <config.h>

#include "tests/lib/fake_driver.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "tests/lib/fake_ring.h"
#include "vmm/virtio/mmio.h"

#define STATUS_FEATURES \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)

uint32_t fake_driver_read(struct virtio_dev *dev, uint64_t offset)
{
	uint64_t v = 0;

	virtio_mmio_access(dev, offset, 4, false, &v);
	return (uint32_t)v;
}

void fake_driver_write(struct virtio_dev *dev, uint64_t offset, uint32_t value)
{
	uint64_t v = value;

	virtio_mmio_access(dev, offset, 4, true, &v);
}

static void fake_driver_write64(struct virtio_dev *dev, uint64_t offset, uint64_t value)
{
	fake_driver_write(dev, offset, (uint32_t)value);
	fake_driver_write(dev, offset + 4, (uint32_t)(value >> 32));
}

void fake_driver_start(struct virtio_dev *dev, struct fake_ring *rings, unsigned int n)
{
	fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
	fake_driver_write(
		dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	fake_driver_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	fake_driver_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	fake_driver_write(dev, VIRTIO_MMIO_STATUS, STATUS_FEATURES);
	for (unsigned int i = 0; i < n; i++) {
		fake_driver_write(dev, VIRTIO_MMIO_QUEUE_SEL, i);
		fake_driver_write(dev, VIRTIO_MMIO_QUEUE_NUM, rings[i].size);
		fake_driver_write64(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, rings[i].desc_gpa);
		fake_driver_write64(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, rings[i].driver_gpa);
		fake_driver_write64(dev, VIRTIO_MMIO_QUEUE_USED_LOW, rings[i].device_gpa);
		fake_driver_write(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	fake_driver_write(dev, VIRTIO_MMIO_STATUS, STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
}
