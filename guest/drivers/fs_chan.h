/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request channel of a virtio-fs device: FUSE requests to casemate-fsd and their replies. Knows nothing of FUSE. Buffers are arena
 * memory (drivers/arena.h) that the caller fills and owns; they belong to the server from submission to completion, and beyond that when the request
 * was cut short: the server may be about to read it, or to write an answer (it was stopped, or waits for its host), which only the end of the server,
 * or its answer to a reset, rules out. Such buffers go back to the arena by fs_chan_keep.
 *
 * Any number of tasks may have requests in flight. Who waits first polls the ring for a while (FS_CHAN_POLL_NS: a server that is awake answers
 * in that time and neither side pays for a wake-up, which with the doorbell costs 70 us, or 250 where traps are dear), then sleeps until the interrupt.
 * Polls that do not pay, as on a host whose processors are all busy, get shorter; every FS_CHAN_PROBEth tries the full time again.
 */
#ifndef DRIVERS_FS_CHAN_H
#define DRIVERS_FS_CHAN_H

#include <casemate/fsdev.h>

#include "kernel/waitq.h"
#include "lib/types.h"

struct fdt_reader;
struct fs_chan;

#define FS_CHAN_MAX	    (1 + CM_FSDEV_SPARES) /* devices */
#define FS_CHAN_POLL_NS	    250000UL /* at most */
#define FS_CHAN_POLL_MIN_NS 3000UL
#define FS_CHAN_PROBE	    8u
#define FS_CHAN_LOOK_NS	    50000000UL /* asleep for so long, one looks whether the device failed */
#define FS_CHAN_LOOK_MAX_NS 800000000UL /* then after twice the time, up to this */
#define FS_REQ_SEGS	    8

enum fs_chan_queue {
	FS_CHAN_HIPRIO, /* FORGET, INTERRUPT: never waits behind requests */
	FS_CHAN_REQUEST,
	FS_CHAN_QUEUES
};

struct fs_seg {
	void *va; /* in the arena */
	u32 len; /* bytes, not 0 */
};

struct fs_req {
	u32 opening; /* fs_chan_opening of whoever asks: after a close its requests fail, also when the device was opened again */
	struct fs_seg seg[FS_REQ_SEGS]; /* what the server reads, then what it writes */
	u16 nout, nin;
	/*
	 * NULL: somebody calls fs_chan_wait. Else called once at completion, any context, interrupts off, no lock of the channel held; it
	 * must not sleep, and the request is the callee's again (it may free it).
	 */
	void (*done)(struct fs_req *req);
	void *arg;
	/* Result, valid after completion. */
	int error; /* 0, or -EIO when the device died: the server may or may not have done it */
	u32 written; /* bytes that the server wrote into the in segments, at most their sum */
	bool cut; /* failed while the server had it */
	/* The channel's. */
	bool complete;
	struct waitq wq;
	struct list_head link;
};

/* Find the virtio-fs devices of the device tree (arena_init came before). 0 or -ENOMEM. */
int fs_chan_init(const struct fdt_reader *fdt);

/*
 * Start the device that has this tag. 0, -ENODEV (there is none), -EBUSY (it is started already), -EIO (it does not come up) or -ENOMEM. One caller at
 * a time, for closing too.
 */
int fs_chan_open(const char *tag, struct fs_chan **out);
u32 fs_chan_opening(const struct fs_chan *ch);
/* Stop it: requests that are under way fail. Sleeps until the device is silent; one that is not in time cannot be opened again before it is. */
void fs_chan_close(struct fs_chan *ch);

/*
 * Give a run of arena pages back that a server of that opening may still have in its hands: those of a request that was cut, or whatever requests
 * travelled in when the channel was closed. At once when the channel was closed since and the device was silent, else when it is. Any number of callers.
 */
void fs_chan_keep(struct fs_chan *ch, u32 opening, void *va, u32 pages);

/* The device's slice of the DAX window; *len = 0 when it has none. */
void fs_chan_dax(const struct fs_chan *ch, paddr_t *base, u64 *len);

/*
 * Queue n requests in one go, with at most one doorbell. Sleeps while the ring is full. Each completes exactly once, with an error if the
 * device is dead.
 */
void fs_chan_submit(struct fs_chan *ch, enum fs_chan_queue queue, struct fs_req *const *req, u32 n);

/* Wait for a submitted request without `done`. Not interruptible. Returns req->error. */
int fs_chan_wait(struct fs_chan *ch, struct fs_req *req);

/* Submit one and wait. Returns req->error. */
int fs_chan_call(struct fs_chan *ch, struct fs_req *req);

#endif
