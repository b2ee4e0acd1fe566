/* SPDX-License-Identifier: Apache-2.0 */
/* Driver side of a split virtqueue against a device that may lie. */
#include "drivers/virtio/ring.h"

#include <linux/virtio_ring.h>

#include "arch.h"
#include "kernel/errno.h"
#include "lib/atomic.h"

static size_t ring_avail_offset(u32 size)
{
	return sizeof(struct vring_desc) * size;
}

static size_t ring_used_offset(u32 size)
{
	return ALIGN_UP(ring_avail_offset(size) + sizeof(struct vring_avail) + 2 * size + 2, 4UL);
}

size_t ring_bytes(u32 size)
{
	return ring_used_offset(size) + sizeof(struct vring_used) +
	       sizeof(struct vring_used_elem) * size + 2;
}

void ring_init(struct ring *r, void *mem, u32 size)
{
	*r = (struct ring){
		.desc = mem,
		.avail = (void *)((u8 *)mem + ring_avail_offset(size)),
		.used = (void *)((u8 *)mem + ring_used_offset(size)),
		.size = (u16)size,
		.nfree = (u16)size,
	};
	for (u32 i = 0; i < size; i++)
		r->next[i] = (u16)(i + 1);
}

int ring_add(struct ring *r, const struct ring_buf *buf, u32 nout, u32 nin, void *cookie)
{
	u32 n = nout + nin, writable = 0;
	u16 head = r->free_head, i = head;

	if (r->broken)
		return -EIO;
	if (n > r->nfree)
		return -ENOSPC;
	for (u32 k = 0; k < n; k++) {
		u16 flags = k + 1 < n ? VRING_DESC_F_NEXT : 0;

		if (k >= nout) {
			flags |= VRING_DESC_F_WRITE;
			writable += buf[k].len;
		}
		r->desc[i] = (struct vring_desc){
			.addr = va_to_pa(buf[k].va),
			.len = buf[k].len,
			.flags = flags,
			.next = r->next[i],
		};
		i = r->next[i];
	}
	r->free_head = i;
	r->nfree -= (u16)n;
	r->chain_len[head] = (u16)n;
	r->writable[head] = writable;
	r->cookie[head] = cookie;
	r->avail->ring[r->added & (r->size - 1)] = head;
	r->added++;
	return 0;
}

bool ring_publish(struct ring *r)
{
	if (r->added == r->published)
		return false;
	r->in_flight += (u16)(r->added - r->published);
	r->published = r->added;
	/* Descriptors and entries before the index; pairs with the device's acquire. */
	atomic_store(&r->avail->idx, r->published);
	/* The index before the look at the flag: the device turns doorbells on and looks at the index, in this order. */
	atomic_fence();
	return !(atomic_load(&r->used->flags) & VRING_USED_F_NO_NOTIFY);
}

bool ring_pending(const struct ring *r)
{
	return !r->broken && atomic_load(&r->used->idx) != READ_ONCE(r->seen);
}

/* Return a chain's descriptors to the private free list; its links are in next[], not in the shared table. */
static void ring_free_chain(struct ring *r, u16 head)
{
	u16 last = head;

	for (u16 k = 1; k < r->chain_len[head]; k++)
		last = r->next[last];
	r->next[last] = r->free_head;
	r->free_head = head;
	r->nfree += r->chain_len[head];
	r->chain_len[head] = 0;
	r->in_flight--;
}

void *ring_take(struct ring *r, u32 *written)
{
	struct vring_used_elem *e;
	u32 id, len;
	u16 done;

	if (r->broken)
		return NULL;
	/* Pairs with the device's release: elements and data below the index are there. */
	done = (u16)(atomic_load(&r->used->idx) - r->seen);
	if (done == 0)
		return NULL;
	e = &r->used->ring[r->seen & (r->size - 1)];
	id = READ_ONCE(e->id);
	len = READ_ONCE(e->len);
	if (done > r->in_flight || id >= r->size || !r->chain_len[id] || len > r->writable[id]) {
		r->broken = true;
		return NULL;
	}
	r->seen++;
	*written = len;
	ring_free_chain(r, (u16)id);
	return r->cookie[id];
}

void ring_interrupt_off(struct ring *r)
{
	__atomic_store_n(&r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT, __ATOMIC_RELAXED);
}

bool ring_interrupt_on(struct ring *r)
{
	__atomic_store_n(&r->avail->flags, 0, __ATOMIC_RELAXED);
	atomic_fence();
	return ring_pending(r);
}

void *ring_abort(struct ring *r)
{
	r->broken = true;
	for (u32 i = 0; i < r->size && r->in_flight; i++) {
		if (r->chain_len[i]) {
			ring_free_chain(r, (u16)i);
			return r->cookie[i];
		}
	}
	return NULL;
}
