/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver side of a split virtqueue, in RAM or in the arena. The device is not trusted: what the driver must remember (free
 * descriptors, what is in flight, how much may be written) lives in memory of its own, and everything read from the ring is checked against it.
 * A device that breaks a rule makes the ring `broken`; it then completes nothing.
 *
 * The caller locks. Chains are added privately, then published together.
 */
#ifndef DRIVERS_VIRTIO_RING_H
#define DRIVERS_VIRTIO_RING_H

#include "lib/types.h"

#define RING_SIZE_MAX 256u

struct vring_desc;
struct vring_avail;
struct vring_used;

/* A buffer in direct-mapped memory (RAM or arena), not crossing either's end. */
struct ring_buf {
	void *va;
	u32 len; /* not 0 */
};

struct ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	u16 size;
	u16 free_head; /* private list of free descriptors, through next[] */
	u16 nfree;
	u16 added; /* our copy of avail.idx, unpublished chains included */
	u16 published; /* avail.idx */
	u16 seen; /* used entries taken */
	u16 in_flight; /* published chains that did not come back */
	bool broken;
	u16 next[RING_SIZE_MAX];
	u16 chain_len[RING_SIZE_MAX]; /* by head: descriptors, 0 = not in flight */
	u32 writable[RING_SIZE_MAX]; /* by head: bytes that the device may write */
	void *cookie[RING_SIZE_MAX]; /* by head */
};

/* Bytes of zeroed, 16-byte aligned memory that a ring of `size` (power of two, at most RING_SIZE_MAX) needs. */
size_t ring_bytes(u32 size);
/* Lay an empty ring out in mem, which is ring_bytes(size) long. */
void ring_init(struct ring *r, void *mem, u32 size);

/*
 * Add a chain: buf[0..nout) that the device reads, then nin that it writes; at least one buffer. 0, -ENOSPC when too few descriptors are
 * free, -EIO when the ring is broken. Not visible to the device before ring_publish.
 */
int ring_add(struct ring *r, const struct ring_buf *buf, u32 nout, u32 nin, void *cookie);

/* Make added chains available. True = the device wants a doorbell. */
bool ring_publish(struct ring *r);

/* Take one completed chain: its cookie and the bytes written (never more than it had room for); NULL when there is none. */
void *ring_take(struct ring *r, u32 *written);

/* Has the device completed something? Cheap: no lock needed. */
bool ring_pending(const struct ring *r);

/*
 * Ask the device for interrupts or to be spared. Turning them on returns true when completions came in meanwhile: take them, the device may have
 * skipped the interrupt.
 */
void ring_interrupt_off(struct ring *r);
bool ring_interrupt_on(struct ring *r);

/* After the device was stopped: give back the cookies of everything that was in flight, one a call, then NULL. */
void *ring_abort(struct ring *r);

#endif
