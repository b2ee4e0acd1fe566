/* SPDX-License-Identifier: Apache-2.0 */
/* The test's own driver side of a split ring. */
#include <config.h>

#include "tests/lib/fake_ring.h"

#include <stdlib.h>
#include <string.h>

void fake_mem_init(struct fake_mem *m)
{
	memset(m, 0, sizeof(*m));
	m->base = aligned_alloc(4096, FAKE_SIZE);
	if (!m->base)
		abort();
	memset(m->base, 0, FAKE_SIZE);
	if (gmem_add(&m->gmem, FAKE_GPA, FAKE_SIZE, m->base, true))
		abort();
}

void fake_mem_fini(struct fake_mem *m)
{
	free(m->base);
}

void *fake_ptr(struct fake_mem *m, uint64_t offset)
{
	return m->base + offset;
}

void fake_ring_init(struct fake_ring *r, struct fake_mem *m, uint64_t offset, uint16_t size)
{
	memset(r, 0, sizeof(*r));
	memset(m->base + offset, 0, 0x4000);
	r->mem = m;
	r->size = size;
	r->desc_gpa = FAKE_GPA + offset;
	r->driver_gpa = r->desc_gpa + 0x2000;
	r->device_gpa = r->desc_gpa + 0x3000;
	r->desc = fake_ptr(m, offset);
	r->avail = fake_ptr(m, offset + 0x2000);
	r->used = fake_ptr(m, offset + 0x3000);
}

void fake_ring_desc(
	struct fake_ring *r, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	r->desc[i] = (struct vring_desc){ .addr = addr, .len = len, .flags = flags, .next = next };
}

void fake_ring_publish(struct fake_ring *r, uint16_t head)
{
	r->avail->ring[r->avail->idx % r->size] = head;
	__atomic_store_n(&r->avail->idx, r->avail->idx + 1, __ATOMIC_RELEASE);
}

uint16_t fake_ring_add(
	struct fake_ring *r, uint64_t roff, uint32_t rlen, uint64_t woff, uint32_t wlen)
{
	uint16_t head = r->next % r->size;
	uint16_t second = (r->next + 1) % r->size;

	if (rlen && wlen) {
		fake_ring_desc(r, head, FAKE_GPA + roff, rlen, VRING_DESC_F_NEXT, second);
		fake_ring_desc(r, second, FAKE_GPA + woff, wlen, VRING_DESC_F_WRITE, 0);
	} else if (rlen) {
		fake_ring_desc(r, head, FAKE_GPA + roff, rlen, 0, 0);
	} else {
		fake_ring_desc(r, head, FAKE_GPA + woff, wlen, VRING_DESC_F_WRITE, 0);
	}
	r->next += 2;
	fake_ring_publish(r, head);
	return head;
}

bool fake_ring_take(struct fake_ring *r, uint32_t *id, uint32_t *len)
{
	struct vring_used_elem *e = &r->used->ring[r->seen % r->size];

	if (__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) == r->seen)
		return false;
	*id = e->id;
	*len = e->len;
	r->seen++;
	return true;
}
