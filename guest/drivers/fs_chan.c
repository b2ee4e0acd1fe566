/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request channels of virtio-fs devices.
 *
 * Interrupts of the request queue are on unless somebody polls it. Those of the high-priority queue are off, its completions are
 * collected along the way, unless a submitter waits for room in it.
 */
#include "drivers/fs_chan.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "arch.h"
#include "drivers/arena.h"
#include "drivers/virtio/ring.h"
#include "drivers/virtio/virtio.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "mm/slab.h"

struct fs_chan {
	struct virtio_device dev;
	struct spinlock lock; /* irq; protects: the members below, and the completion of requests */
	struct ring ring[FS_CHAN_QUEUES];
	void *mem[FS_CHAN_QUEUES]; /* of the rings, in the arena */
	u32 pollers; /* of the request queue */
	u64 poll_ns; /* how long the next one polls */
	u32 polls; /* done so far */
	bool dead; /* the device failed, or is stopped: everything is answered with -EIO */
	u32 opening; /* how often it was closed */
	bool open, registered, lost; /* started; its interrupt is ours; it did not stop */
	bool stopping; /* its registers are the stopper's */
	struct list_head kept; /* struct fs_chan_kept: this opening's pages */
	struct waitq room; /* submitters that wait for descriptors */
	paddr_t dax_base;
	u64 dax_len;
};

struct fs_chan_kept {
	struct list_head link;
	void *va;
	u32 pages;
};

static const u32 fs_chan_size[FS_CHAN_QUEUES] = { 64, 256 };

static struct fs_chan *fs_chans[FS_CHAN_MAX];

static struct fs_chan *fs_chan_find(const char *tag)
{
	for (u32 i = 0; i < FS_CHAN_MAX && fs_chans[i]; i++)
		if (strcmp(fs_chans[i]->dev.tag, tag) == 0)
			return fs_chans[i];
	return NULL;
}

void fs_chan_dax(const struct fs_chan *ch, paddr_t *base, u64 *len)
{
	*base = ch->dax_base;
	*len = ch->dax_len;
}

/* ---- completion ---- */

/* Answer a request. Those with a callback go on `later`, for when the lock is gone; after a wake-up req is not ours any more. */
static void fs_chan_complete_locked(
	struct fs_req *req, int error, u32 written, struct list_head *later)
{
	req->error = error;
	req->written = written;
	if (req->done) {
		list_add_tail(later, &req->link);
		return;
	}
	atomic_store(&req->complete, true);
	waitq_wake_all(&req->wq);
}

/* From here on nothing reaches the device: answer what is under way. */
static void fs_chan_end_locked(struct fs_chan *ch, struct list_head *later)
{
	struct fs_req *req;

	ch->dead = true;
	for (u32 q = 0; q < FS_CHAN_QUEUES; q++)
		while ((req = ring_abort(&ch->ring[q]))) {
			req->cut = true;
			fs_chan_complete_locked(req, -EIO, 0, later);
		}
}

static void fs_chan_die_locked(struct fs_chan *ch, struct list_head *later)
{
	log_error("fs_chan: device '%s' failed", ch->dev.tag);
	fs_chan_end_locked(ch, later);
}

/* Take what the server has finished. How many. */
static u32 fs_chan_reap_locked(struct fs_chan *ch, struct list_head *later)
{
	u32 n = 0, written;

	for (u32 q = 0; q < FS_CHAN_QUEUES; q++) {
		struct fs_req *req;

		while ((req = ring_take(&ch->ring[q], &written))) {
			fs_chan_complete_locked(req, 0, written, later);
			n++;
		}
		if (ch->ring[q].broken && !ch->dead)
			fs_chan_die_locked(ch, later);
	}
	return n;
}

static void fs_chan_run_callbacks(struct list_head *later)
{
	while (!list_empty(later)) {
		struct fs_req *req = list_first_entry(later, struct fs_req, link);
		u64 flags;

		list_del(&req->link);
		flags = irq_save();
		req->done(req);
		irq_restore(flags);
	}
}

static void fs_chan_reap(struct fs_chan *ch)
{
	struct list_head later = LIST_HEAD_INIT(later);
	u64 flags = spin_lock_irq(&ch->lock);

	fs_chan_reap_locked(ch, &later);
	spin_unlock_irq(&ch->lock, flags);
	waitq_wake_all(&ch->room);
	fs_chan_run_callbacks(&later);
}

/* The same, and see whether the device failed: always, or when it would have had something to finish and has nothing. */
static void fs_chan_check(struct fs_chan *ch, bool always)
{
	struct list_head later = LIST_HEAD_INIT(later);
	u64 flags = spin_lock_irq(&ch->lock);
	u32 reaped = fs_chan_reap_locked(ch, &later);
	bool doubt = always || (!reaped && ch->ring[FS_CHAN_REQUEST].in_flight);

	if (doubt && !ch->dead && !ch->stopping && virtio_needs_reset(&ch->dev))
		fs_chan_die_locked(ch, &later);
	spin_unlock_irq(&ch->lock, flags);
	waitq_wake_all(&ch->room);
	fs_chan_run_callbacks(&later);
}

/* An interrupt without completions although some are due may be the device's cry for a reset. */
static void fs_chan_interrupt(void *arg)
{
	fs_chan_check(arg, false);
}

/*
 * Sleep until cond, which an interrupt brings about. That may be lost with the server: one that is killed while it polls has doorbells off for good, so
 * that nobody hears of a request that comes after the device's cry; and the cry may have come with an answer to another. Who waits for long looks.
 */
#define fs_chan_wait_event(ch, wq, cond) \
	do { \
		u64 cw_step_ = FS_CHAN_LOOK_NS, cw_due_ = clock_monotonic() + cw_step_; \
\
		while (wait_event_deadline(wq, cond, cw_due_)) { \
			fs_chan_check(ch, true); \
			cw_step_ = MIN(cw_step_ * 2, FS_CHAN_LOOK_MAX_NS); \
			cw_due_ = clock_monotonic() + cw_step_; \
		} \
	} while (0)

/* ---- submission ---- */

static void fs_chan_publish(struct fs_chan *ch, enum fs_chan_queue q, u64 flags)
{
	bool kick = ring_publish(&ch->ring[q]);

	spin_unlock_irq(&ch->lock, flags);
	if (kick)
		arch_doorbell(ch->dev.index, q);
}

static bool fs_chan_has_room(struct fs_chan *ch, enum fs_chan_queue q, u32 n)
{
	u64 flags = spin_lock_irq(&ch->lock);
	bool room = ch->dead || ch->ring[q].nfree >= n;

	/* The interrupt, not a poller, has to end this wait. */
	if (!room)
		room = ring_interrupt_on(&ch->ring[q]);
	spin_unlock_irq(&ch->lock, flags);
	return room;
}

/* Add one request; the lock is held before and after, but let go while the ring is full. */
static u64 fs_chan_add(struct fs_chan *ch, enum fs_chan_queue q, struct fs_req *req, u64 flags)
{
	struct list_head later = LIST_HEAD_INIT(later);
	struct ring_buf buf[FS_REQ_SEGS];
	u32 n = (u32)req->nout + req->nin;

	for (u32 i = 0; i < n; i++)
		buf[i] = (struct ring_buf){ .va = req->seg[i].va, .len = req->seg[i].len };
	while (!ch->dead && req->opening == ch->opening &&
		ring_add(&ch->ring[q], buf, req->nout, req->nin, req)) {
		fs_chan_publish(ch, q, flags);
		fs_chan_reap(ch);
		fs_chan_wait_event(ch, &ch->room, fs_chan_has_room(ch, q, n));
		fs_chan_reap(ch);
		flags = spin_lock_irq(&ch->lock);
	}
	if (ch->dead || req->opening != ch->opening) {
		fs_chan_complete_locked(req, -EIO, 0, &later);
		spin_unlock_irq(&ch->lock, flags);
		fs_chan_run_callbacks(&later);
		flags = spin_lock_irq(&ch->lock);
	}
	return flags;
}

/* The lock is held. */
static void fs_chan_poll_start(struct fs_chan *ch)
{
	ch->pollers++;
	ring_interrupt_off(&ch->ring[FS_CHAN_REQUEST]);
}

/*
 * poll: fs_chan_poll follows. Interrupts are off by then before the doorbell rings: many an answer is there when the exit for that is over, and an
 * interrupt would only cost.
 */
static void fs_chan_enqueue(
	struct fs_chan *ch, enum fs_chan_queue queue, struct fs_req *const *req, u32 n, bool poll)
{
	u64 flags;

	for (u32 i = 0; i < n; i++) {
		req[i]->complete = req[i]->cut = false;
		waitq_init(&req[i]->wq);
		list_init(&req[i]->link);
	}
	flags = spin_lock_irq(&ch->lock);
	for (u32 i = 0; i < n; i++)
		flags = fs_chan_add(ch, queue, req[i], flags);
	if (poll)
		fs_chan_poll_start(ch);
	fs_chan_publish(ch, queue, flags);
	/* Nobody waits for these: collect what is finished of the earlier ones. */
	if (queue == FS_CHAN_HIPRIO && ring_pending(&ch->ring[queue]))
		fs_chan_reap(ch);
}

void fs_chan_submit(struct fs_chan *ch, enum fs_chan_queue queue, struct fs_req *const *req, u32 n)
{
	fs_chan_enqueue(ch, queue, req, n, false);
}

/* ---- waiting ---- */

/* After fs_chan_poll_start: look for completions for a short while, interrupts of the queue off meanwhile. */
static void fs_chan_poll(struct fs_chan *ch, struct fs_req *req)
{
	struct ring *r = &ch->ring[FS_CHAN_REQUEST];
	bool probe = ch->polls++ % FS_CHAN_PROBE == 0;
	u64 end = clock_monotonic() + (probe ? FS_CHAN_POLL_NS : READ_ONCE(ch->poll_ns));
	u64 flags;
	bool more;

	do {
		if (ring_pending(r))
			fs_chan_reap(ch);
		cpu_relax();
	} while (!atomic_load(&req->complete) && clock_monotonic() < end);
	flags = spin_lock_irq(&ch->lock);
	/* One answer in time says that the server has a processor of its own again: no slow way back up, on which short polls would
	 * miss every answer that takes longer. */
	ch->poll_ns = atomic_load(&req->complete) ? FS_CHAN_POLL_NS
						  : MAX(ch->poll_ns / 2, FS_CHAN_POLL_MIN_NS);
	more = --ch->pollers == 0 && ring_interrupt_on(r);
	spin_unlock_irq(&ch->lock, flags);
	if (more)
		fs_chan_reap(ch);
}

/* Asleep, once polling brought nothing. */
static int fs_chan_sleep(struct fs_chan *ch, struct fs_req *req)
{
	u64 flags;

	fs_chan_wait_event(ch, &req->wq, atomic_load(&req->complete));
	/* Who completed it may still be waking: it holds the lock while it touches the request. */
	flags = spin_lock_irq(&ch->lock);
	spin_unlock_irq(&ch->lock, flags);
	return req->error;
}

int fs_chan_wait(struct fs_chan *ch, struct fs_req *req)
{
	u64 flags;

	if (!atomic_load(&req->complete)) {
		flags = spin_lock_irq(&ch->lock);
		fs_chan_poll_start(ch);
		spin_unlock_irq(&ch->lock, flags);
		fs_chan_poll(ch, req);
	}
	return fs_chan_sleep(ch, req);
}

int fs_chan_call(struct fs_chan *ch, struct fs_req *req)
{
	req->done = NULL;
	fs_chan_enqueue(ch, FS_CHAN_REQUEST, &req, 1, true);
	fs_chan_poll(ch, req);
	return fs_chan_sleep(ch, req);
}

/* ---- pages of a server that may still touch them ---- */

void fs_chan_keep(struct fs_chan *ch, u32 opening, void *va, u32 pages)
{
	struct fs_chan_kept *k = kmalloc(sizeof(*k));
	u64 flags = spin_lock_irq(&ch->lock);
	bool silent = opening != ch->opening;

	if (!silent && k) {
		*k = (struct fs_chan_kept){ .va = va, .pages = pages };
		list_add_tail(&ch->kept, &k->link);
		k = NULL;
	} else if (!silent) {
		log_error("fs_chan: no memory: %u pages of the arena are lost", pages);
	}
	spin_unlock_irq(&ch->lock, flags);
	kfree(k);
	if (silent)
		arena_free(va, pages);
}

/* The device is silent: nothing of this opening is touched any more. */
static void fs_chan_silent(struct fs_chan *ch)
{
	struct list_head kept = LIST_HEAD_INIT(kept);
	u64 flags = spin_lock_irq(&ch->lock);

	ch->lost = false;
	ch->opening++;
	list_splice_tail(&kept, &ch->kept);
	spin_unlock_irq(&ch->lock, flags);
	while (!list_empty(&kept)) {
		struct fs_chan_kept *k = list_first_entry(&kept, struct fs_chan_kept, link);

		list_del(&k->link);
		arena_free(k->va, k->pages);
		kfree(k);
	}
}

/* ---- set-up ---- */

/* Its rings, emptied; the memory is kept from one start to the next. */
static int fs_chan_rings(struct fs_chan *ch, struct ring *rings[FS_CHAN_QUEUES])
{
	for (u32 q = 0; q < FS_CHAN_QUEUES; q++) {
		size_t bytes = ring_bytes(fs_chan_size[q]);

		if (!ch->mem[q])
			ch->mem[q] = arena_alloc((u32)(ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE));
		if (!ch->mem[q])
			return -ENOMEM;
		memset(ch->mem[q], 0, bytes);
		ring_init(&ch->ring[q], ch->mem[q], fs_chan_size[q]);
		rings[q] = &ch->ring[q];
	}
	ring_interrupt_off(&ch->ring[FS_CHAN_HIPRIO]);
	return 0;
}

static int fs_chan_start(struct fs_chan *ch)
{
	struct ring *rings[FS_CHAN_QUEUES];
	struct virtio_reg reg[] = {
		{ .offset = VIRTIO_MMIO_SHM_LEN_LOW },
		{ .offset = VIRTIO_MMIO_SHM_LEN_HIGH },
		{ .offset = VIRTIO_MMIO_SHM_BASE_LOW },
		{ .offset = VIRTIO_MMIO_SHM_BASE_HIGH },
	};
	int r = fs_chan_rings(ch, rings);

	if (r == 0 && !ch->registered) {
		r = irq_register(ch->dev.vector, fs_chan_interrupt, ch);
		ch->registered = r == 0;
	}
	if (r == 0)
		r = virtio_start(&ch->dev, rings, FS_CHAN_QUEUES, reg, ARRAY_SIZE(reg));
	if (r)
		return r;
	ch->dax_len = (u64)reg[1].value << 32 | reg[0].value;
	ch->dax_base = (u64)reg[3].value << 32 | reg[2].value;
	if (ch->dax_len == ~0UL)
		ch->dax_len = 0;
	return 0;
}

int fs_chan_init(const struct fdt_reader *fdt)
{
	struct virtio_device dev = { .index = 0 };

	for (u32 i = 0; i < FS_CHAN_MAX && virtio_find(fdt, VIRTIO_ID_FS, i, &dev) == 0; i++) {
		struct fs_chan *ch;

		if (!dev.tag)
			return -ENODEV;
		ch = kzalloc(sizeof(*ch));
		if (!ch)
			return -ENOMEM;
		ch->dev = dev;
		ch->dead = true;
		waitq_init(&ch->room);
		list_init(&ch->kept);
		fs_chans[i] = ch;
	}
	return 0;
}

u32 fs_chan_opening(const struct fs_chan *ch)
{
	return ch->opening;
}

int fs_chan_open(const char *tag, struct fs_chan **out)
{
	struct fs_chan *ch = fs_chan_find(tag);
	int r;

	if (!ch)
		return -ENODEV;
	if (ch->open)
		return -EBUSY;
	if (ch->lost && virtio_stop(&ch->dev) < 0)
		return -EIO;
	if (ch->lost)
		fs_chan_silent(ch);
	ch->poll_ns = FS_CHAN_POLL_NS;
	r = fs_chan_start(ch);
	if (r)
		return r;
	ch->dead = false;
	ch->stopping = false;
	ch->open = true;
	*out = ch;
	return 0;
}

void fs_chan_close(struct fs_chan *ch)
{
	struct list_head later = LIST_HEAD_INIT(later);
	u64 flags = spin_lock_irq(&ch->lock);
	bool lost;

	ch->stopping = true;
	spin_unlock_irq(&ch->lock, flags);
	lost = virtio_stop(&ch->dev) < 0;
	flags = spin_lock_irq(&ch->lock);
	fs_chan_end_locked(ch, &later);
	ch->open = false;
	ch->lost = lost;
	spin_unlock_irq(&ch->lock, flags);
	waitq_wake_all(&ch->room);
	fs_chan_run_callbacks(&later);
	if (!lost)
		fs_chan_silent(ch);
}
