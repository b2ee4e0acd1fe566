/* SPDX-License-Identifier: Apache-2.0 */
/* The device side of a split virtqueue: all parsing of rings that a hostile driver can rewrite at any moment. */
#include <config.h>

#include "vmm/virtio/queue.h"

#include <errno.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "vmm/gmem.h"

static uint16_t vq_load16(const __virtio16 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* The rule that the driver broke, and the error. */
static int vq_fault(struct vq *q, const char *rule)
{
	q->fault = rule;
	return -EPROTO;
}

static int vq_break(struct vq *q)
{
	q->broken = true;
	return -EPROTO;
}

int vq_setup(struct vq *q, const struct gmem *mem, uint16_t size, uint64_t desc, uint64_t driver,
	uint64_t device)
{
	vq_off(q);
	if (size == 0 || size > VQ_SIZE_MAX || (size & (size - 1)) || desc % 16 || driver % 2 ||
		device % 4) {
		vq_fault(q, "size or alignment of the queue");
		return -EINVAL;
	}
	/* The two 16-bit event words behind the rings are part of the areas although we do not use them. */
	q->desc = gmem_ptr(mem, desc, sizeof(*q->desc) * size, false);
	q->avail = gmem_ptr(mem, driver, sizeof(*q->avail) + 2u * size + 2, false);
	q->used =
		gmem_ptr(mem, device, sizeof(*q->used) + sizeof(q->used->ring[0]) * size + 2, true);
	if (!q->desc || !q->avail || !q->used) {
		vq_fault(q, "a ring does not lie in memory");
		return -EINVAL;
	}
	q->mem = mem;
	q->size = size;
	q->last_avail = 0;
	q->seen_avail = 0;
	q->next_used = 0;
	q->broken = false;
	return 0;
}

void vq_off(struct vq *q)
{
	q->size = 0;
	q->broken = false;
}

int vq_available(struct vq *q)
{
	if (q->size == 0)
		return 0;
	if (q->broken)
		return -EPROTO;
	if (q->seen_avail == q->last_avail) {
		/* Pairs with the driver's release of avail.idx: entries and descriptors below it are complete. */
		uint16_t idx = __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE);

		if ((uint16_t)(idx - q->last_avail) > q->size) {
			vq_fault(q, "more buffers than the queue has entries");
			return vq_break(q);
		}
		q->seen_avail = idx;
	}
	return q->seen_avail != q->last_avail;
}

/* A table of descriptors under examination: the queue's own, or one indirect table. */
struct vq_table {
	const struct vring_desc *desc;
	uint32_t count;
	bool indirect;
};

/* A driver writes descriptors while we look: one load a field, everything afterwards uses the copy. */
static struct vring_desc vq_desc_load(const struct vring_desc *d)
{
	return (struct vring_desc){
		.addr = __atomic_load_n(&d->addr, __ATOMIC_RELAXED),
		.len = __atomic_load_n(&d->len, __ATOMIC_RELAXED),
		.flags = __atomic_load_n(&d->flags, __ATOMIC_RELAXED),
		.next = __atomic_load_n(&d->next, __ATOMIC_RELAXED),
	};
}

/* Append one checked buffer to the chain. 0 or -EPROTO. */
static int vq_chain_add(struct vq *q, struct vq_chain *c, const struct vring_desc *d)
{
	bool write = d->flags & VRING_DESC_F_WRITE;
	unsigned int n = c->nread + c->nwrite;
	uint32_t total;
	void *p;

	if (n >= q->size)
		return vq_fault(q, "a chain longer than the queue");
	if (!write && c->nwrite)
		return vq_fault(q, "a readable buffer behind a writable one");
	p = gmem_ptr(q->mem, d->addr, d->len, write);
	if (!p)
		return vq_fault(q, "a buffer does not lie in memory");
	if (__builtin_add_overflow(c->read_len + c->write_len, d->len, &total))
		return vq_fault(q, "a chain of 4 GiB and more");
	c->iov[n] = (struct iovec){ .iov_base = p, .iov_len = d->len };
	if (write) {
		c->nwrite++;
		c->write_len += d->len;
	} else {
		c->nread++;
		c->read_len += d->len;
	}
	return 0;
}

/* Turn an indirect descriptor into the table that it names. 0 or -EPROTO. */
static int vq_enter_indirect(struct vq *q, const struct vring_desc *d, struct vq_table *t)
{
	uint32_t count = d->len / sizeof(*d);

	if (t->indirect || (d->flags & VRING_DESC_F_NEXT) || d->len % sizeof(*d) || count == 0 ||
		count > q->size || d->addr % 16)
		return vq_fault(q, "flags, size or alignment of an indirect table");
	t->desc = gmem_ptr(q->mem, d->addr, d->len, false);
	if (!t->desc)
		return vq_fault(q, "an indirect table does not lie in memory");
	t->count = count;
	t->indirect = true;
	return 0;
}

static int vq_walk(struct vq *q, uint16_t head, struct vq_chain *c)
{
	struct vq_table t = { .desc = q->desc, .count = q->size };
	uint16_t i = head;

	/* Each turn takes one descriptor, at most one of them the indirect one: a loop runs out of turns. */
	for (unsigned int turns = 0; turns <= q->size; turns++) {
		struct vring_desc d;

		if (i >= t.count)
			return vq_fault(q, "a descriptor beyond the table");
		d = vq_desc_load(&t.desc[i]);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			/* A chain may start with direct descriptors; nothing may follow the table. */
			if (vq_enter_indirect(q, &d, &t))
				return -EPROTO;
			i = 0;
			continue;
		}
		if (vq_chain_add(q, c, &d))
			return -EPROTO;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		i = d.next;
	}
	return vq_fault(q, "a chain without end");
}

int vq_pop(struct vq *q, struct vq_chain *c)
{
	int r = vq_available(q);

	if (r <= 0)
		return r;
	c->head = vq_load16(&q->avail->ring[q->last_avail & (q->size - 1)]);
	c->nread = 0;
	c->nwrite = 0;
	c->read_len = 0;
	c->write_len = 0;
	if (c->head >= q->size)
		vq_fault(q, "a chain that begins beyond the table");
	if (c->head >= q->size || vq_walk(q, c->head, c))
		return vq_break(q);
	q->last_avail++;
	return 1;
}

void vq_push(struct vq *q, uint16_t head, uint32_t written)
{
	struct vring_used_elem *e;

	if (q->size == 0 || q->broken)
		return;
	e = &q->used->ring[q->next_used & (q->size - 1)];
	__atomic_store_n(&e->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&e->len, written, __ATOMIC_RELAXED);
	q->next_used++;
	/* Pairs with the driver's acquire of used.idx: element and data are there before the index moves. */
	__atomic_store_n(&q->used->idx, q->next_used, __ATOMIC_RELEASE);
}

bool vq_wants_interrupt(struct vq *q)
{
	if (q->size == 0 || q->broken)
		return false;
	/* The index must be out before the flag is read: the driver does the same two steps the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(vq_load16(&q->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

void vq_doorbell_off(struct vq *q)
{
	if (q->size)
		__atomic_store_n(&q->used->flags, VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
}

bool vq_doorbell_on(struct vq *q)
{
	if (q->size == 0)
		return false;
	__atomic_store_n(&q->used->flags, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vq_available(q) > 0;
}

static const struct iovec *vq_chain_part(const struct vq_chain *c, bool write, unsigned int *n)
{
	*n = write ? c->nwrite : c->nread;
	return write ? c->iov + c->nread : c->iov;
}

unsigned int vq_chain_slice(const struct vq_chain *c, bool write, size_t off, size_t len,
	struct iovec *iov, unsigned int max, size_t *bytes)
{
	unsigned int n, out = 0;
	const struct iovec *part = vq_chain_part(c, write, &n);

	*bytes = 0;
	for (unsigned int i = 0; i < n && len && out < max; i++) {
		size_t take;

		if (off >= part[i].iov_len) {
			off -= part[i].iov_len;
			continue;
		}
		take = part[i].iov_len - off;
		if (take > len)
			take = len;
		iov[out++] = (struct iovec){
			.iov_base = (uint8_t *)part[i].iov_base + off,
			.iov_len = take,
		};
		*bytes += take;
		len -= take;
		off = 0;
	}
	return out;
}

size_t vq_chain_read(const struct vq_chain *c, size_t off, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct iovec v;
		size_t n;

		if (!vq_chain_slice(c, false, off + done, len - done, &v, 1, &n))
			break;
		memcpy((uint8_t *)buf + done, v.iov_base, n);
		done += n;
	}
	return done;
}

size_t vq_chain_write(const struct vq_chain *c, size_t off, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct iovec v;
		size_t n;

		if (!vq_chain_slice(c, true, off + done, len - done, &v, 1, &n))
			break;
		memcpy(v.iov_base, (const uint8_t *)buf + done, n);
		done += n;
	}
	return done;
}
