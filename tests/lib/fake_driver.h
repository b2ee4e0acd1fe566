/* SPDX-License-Identifier: Apache-2.0 */
/* Register sequences of a driver made of test code. */
#ifndef CM_TESTS_FAKE_DRIVER_H
#define CM_TESTS_FAKE_DRIVER_H

#include <stdint.h>

struct fake_ring;
struct virtio_dev;

uint32_t fake_driver_read(struct virtio_dev *dev, uint64_t offset);
void fake_driver_write(struct virtio_dev *dev, uint64_t offset, uint32_t value);

/* Reset, negotiate VERSION_1 alone, program rings[0..n) as queues 0..n-1, DRIVER_OK. */
void fake_driver_start(struct virtio_dev *dev, struct fake_ring *rings, unsigned int n);

#endif
