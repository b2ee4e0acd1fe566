/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device side of a split virtqueue (virtio 1.2, 2.7). Nothing else in the VMM or in fsd knows the layout of a ring.
 *
 * The driver is hostile. Each ring field is read once, atomically, into a local; the copy is checked and used. A chain is at most as
 * long as the queue (indirect table included, one level), its bytes fit in 32 bits, every buffer lies inside one region of gmem and
 * readable buffers precede writable ones. Whatever breaks a rule makes the call return -EPROTO and the queue `broken`: it then
 * yields nothing until it is set up again, and its owner marks the device NEEDS_RESET. `fault` says which rule it was.
 *
 * Not thread-safe: one thread owns a queue. Notification suppression uses the flag words (no EVENT_IDX).
 */
#ifndef CM_VMM_VIRTIO_QUEUE_H
#define CM_VMM_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct gmem;
struct vring_desc;
struct vring_avail;
struct vring_used;

#define VQ_SIZE_MAX 256

struct vq {
	const struct gmem *mem;
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size; /* power of two; 0 while the queue is not set up */
	uint16_t last_avail; /* next available entry to take */
	uint16_t seen_avail; /* avail.idx when it was last read */
	uint16_t next_used; /* our copy of used.idx */
	bool broken;
	const char *
		fault; /* the rule that was broken last, a constant; stays when the queue is turned off */
};

/* One request: the driver's readable buffers, then its writable ones, as host memory. */
struct vq_chain {
	uint16_t head; /* descriptor index that vq_push wants back */
	uint16_t nread; /* entries of iov that the device reads: iov[0..nread) */
	uint16_t nwrite; /* entries that it writes: iov[nread..nread + nwrite) */
	uint32_t read_len; /* bytes of each part; their sum fits in 32 bits */
	uint32_t write_len;
	struct iovec iov[VQ_SIZE_MAX];
};

/*
 * Set a queue up from what the driver programmed: size (power of two, at most VQ_SIZE_MAX) and the guest-physical addresses of the
 * three areas, each aligned (16, 2, 4) and inside one region. Indices start at 0. 0 or -EINVAL; the queue stays off on error.
 */
int vq_setup(struct vq *q, const struct gmem *mem, uint16_t size, uint64_t desc, uint64_t driver,
	uint64_t device);

/* Turn the queue off: every later call sees an empty queue. */
void vq_off(struct vq *q);

/* Take the next chain. 1 = filled, 0 = nothing available, -EPROTO = the driver broke a rule. */
int vq_pop(struct vq *q, struct vq_chain *c);

/* Is there at least one chain to take? 1, 0 or -EPROTO. */
int vq_available(struct vq *q);

/* Give a chain back with the number of bytes written into its writable part; visible to the driver on return. */
void vq_push(struct vq *q, uint16_t head, uint32_t written);

/* After pushes: does the driver want an interrupt? */
bool vq_wants_interrupt(struct vq *q);

/*
 * Ask the driver for doorbells or to be spared. Turning them on returns true when chains came in meanwhile: take these first, the
 * driver may have skipped their doorbell.
 */
void vq_doorbell_off(struct vq *q);
bool vq_doorbell_on(struct vq *q);

/* Copy from the readable part at byte `off`; returns the bytes copied, less than len only at the end of the part. */
size_t vq_chain_read(const struct vq_chain *c, size_t off, void *buf, size_t len);

/* Copy into the writable part at byte `off`; returns the bytes copied, less than len only at the end of the part. */
size_t vq_chain_write(const struct vq_chain *c, size_t off, const void *buf, size_t len);

/*
 * Slice [off, off + len) of the readable (write = false) or writable part as an iovec list of at most `max` entries.
 * Returns the number of entries; *bytes is what they cover.
 */
unsigned int vq_chain_slice(const struct vq_chain *c, bool write, size_t off, size_t len,
	struct iovec *iov, unsigned int max, size_t *bytes);

#endif
