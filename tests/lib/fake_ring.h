/* SPDX-License-Identifier: Apache-2.0 */
/* A driver made of test code: a block of fake guest memory and raw access to split rings in it, well-formed or not. */
#ifndef CM_TESTS_FAKE_RING_H
#define CM_TESTS_FAKE_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/virtio_ring.h>

#include "vmm/gmem.h"

#define FAKE_GPA  0x100000000UL
#define FAKE_SIZE (1UL << 20)

struct fake_mem {
	struct gmem gmem;
	uint8_t *base; /* FAKE_SIZE bytes at FAKE_GPA */
};

struct fake_ring {
	struct fake_mem *mem;
	uint16_t size;
	uint64_t desc_gpa, driver_gpa, device_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next; /* next descriptor that fake_ring_add takes */
	uint16_t seen; /* used entries taken */
};

/* Abort on failure: a test cannot go on without memory. */
void fake_mem_init(struct fake_mem *m);
void fake_mem_fini(struct fake_mem *m);
void *fake_ptr(struct fake_mem *m, uint64_t offset);

/* A ring of `size` entries whose areas start at byte `offset` of the memory (they take less than 16 KiB). */
void fake_ring_init(struct fake_ring *r, struct fake_mem *m, uint64_t offset, uint16_t size);

void fake_ring_desc(struct fake_ring *r, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
	uint16_t next);

/* Make the chain at `head` available. */
void fake_ring_publish(struct fake_ring *r, uint16_t head);

/*
 * Put a chain of one readable buffer (rlen may be 0: none) and one writable buffer (wlen likewise) and publish it; the buffers are at
 * byte offsets of the memory. Returns the head.
 */
uint16_t fake_ring_add(
	struct fake_ring *r, uint64_t roff, uint32_t rlen, uint64_t woff, uint32_t wlen);

/* Take one used element; false when there is none. */
bool fake_ring_take(struct fake_ring *r, uint32_t *id, uint32_t *len);

#endif
