/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the device side of a virtqueue on memory that a driver filled with anything. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/gmem.h"
#include "vmm/virtio/queue.h"

#define MEM_GPA	 0x100000000ull
#define MEM_SIZE 0x800u
#define DRIVER \
	0x200u /* offsets of the areas; the descriptors are at 0. Small, so that short inputs reach everything */
#define DEVICE 0x280u
#define DATA   0x400u
#define SIZES  6 /* 1 to 32 entries */

/* Input: one byte of queue size, then the start of guest memory. Whatever is popped is read, filled and pushed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gmem mem = { .count = 0 };
	struct vq q = { .size = 0 };
	static struct vq_chain c;
	uint8_t *base, buf[64];
	int r;

	if (size < 1)
		return 0;
	base = calloc(1, MEM_SIZE);
	if (!base || gmem_add(&mem, MEM_GPA, MEM_SIZE, base, true))
		abort();
	memcpy(base, data + 1, size - 1 < MEM_SIZE ? size - 1 : MEM_SIZE);
	if (vq_setup(&q, &mem, (uint16_t)(1u << data[0] % SIZES), MEM_GPA, MEM_GPA + DRIVER,
		    MEM_GPA + DEVICE) == 0) {
		for (unsigned int turn = 0; turn < 100; turn++) {
			size_t got = 0, n;
			uint32_t sum = 0;

			r = vq_pop(&q, &c);
			if (r <= 0)
				break;
			if (c.nread + c.nwrite > q.size || c.head >= q.size)
				abort();
			for (unsigned int i = 0; i < (unsigned int)c.nread + c.nwrite; i++)
				sum += (uint32_t)c.iov[i].iov_len;
			if (sum != c.read_len + c.write_len)
				abort();
			while ((n = vq_chain_read(&c, got, buf, sizeof(buf))) > 0)
				got += n;
			if (got != c.read_len)
				abort();
			/* Writing may rewrite the very rings: the parser must live with it. */
			for (got = 0; (n = vq_chain_write(&c, got, buf, sizeof(buf))) > 0;)
				got += n;
			if (got != c.write_len)
				abort();
			vq_push(&q, c.head, c.write_len);
			vq_wants_interrupt(&q);
			vq_doorbell_on(&q);
		}
	}
	free(base);
	return 0;
}

/* A queue of 16 entries with one direct and one indirect chain. */
size_t fuzz_seed(uint8_t *buf, size_t max)
{
	uint8_t *m = buf + 1;
	struct vring_desc d[6] = {
		{ MEM_GPA + DATA, 64, VRING_DESC_F_NEXT, 1 },
		{ MEM_GPA + DATA + 64, 128, VRING_DESC_F_WRITE, 0 },
		{ MEM_GPA + DATA + 512, 32, VRING_DESC_F_INDIRECT, 0 },
	};
	const struct vring_desc t[2] = {
		{ MEM_GPA + DATA + 256, 16, VRING_DESC_F_NEXT, 1 },
		{ MEM_GPA + DATA + 300, 17, VRING_DESC_F_WRITE, 0 },
	};
	const uint16_t avail[] = { 0, 3, 0, 2, 0 };

	if (max < 1 + MEM_SIZE)
		return 0;
	memset(buf, 0, 1 + MEM_SIZE);
	buf[0] = 4;
	memcpy(m, d, sizeof(d));
	memcpy(m + DATA + 512, t, sizeof(t));
	memcpy(m + DRIVER, avail, sizeof(avail));
	return 1 + MEM_SIZE;
}
