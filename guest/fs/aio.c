/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts of asynchronous I/O. */
#include "fs/aio.h"

#include <linux/mman.h>

#include "kernel/waitq.h"
#include "lib/atomic.h"
#include "mm/as.h"
#include "mm/slab.h"

struct aio_ctx {
	struct ref ref;
	struct aio_ctx *next; /* of the same address space; lock: aio_lock */
	u64 name;
	struct spinlock lock; /* protects: what follows */
	bool dead;
	u32 size, reserved, first, count; /* results ev[first..first+count) modulo size */
	struct waitq wq;
	struct io_event ev[];
};

static struct spinlock aio_lock; /* protects: as->aio of all address spaces */
static u32 aio_events; /* atomic */

u32 aio_count(void)
{
	return atomic_load(&aio_events);
}

void aio_put(struct aio_ctx *c)
{
	if (!ref_put(&c->ref))
		return;
	atomic_sub(&aio_events, c->size);
	kfree(c);
}

s64 aio_setup(struct as *as, u32 nr)
{
	struct aio_ctx *c;
	s64 at;

	if (!nr || nr > AIO_MAX_EVENTS * 256)
		return -EINVAL;
	if (nr > AIO_MAX_EVENTS || atomic_add(&aio_events, nr) > AIO_MAX_EVENTS) {
		if (nr <= AIO_MAX_EVENTS)
			atomic_sub(&aio_events, nr);
		return -EAGAIN;
	}
	c = kzalloc(sizeof(*c) + nr * sizeof(c->ev[0]));
	if (!c) {
		atomic_sub(&aio_events, nr);
		return -ENOMEM;
	}
	ref_init(&c->ref);
	waitq_init(&c->wq);
	c->size = nr;
	at = as_mmap(as, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	if (at < 0) {
		aio_put(c);
		return at;
	}
	c->name = (u64)at;
	spin_lock(&aio_lock);
	c->next = as->aio;
	as->aio = c;
	spin_unlock(&aio_lock);
	return at;
}

struct aio_ctx *aio_get(struct as *as, u64 name)
{
	struct aio_ctx *c;

	spin_lock(&aio_lock);
	for (c = as->aio; c && c->name != name; c = c->next)
		continue;
	if (c)
		ref_get(&c->ref);
	spin_unlock(&aio_lock);
	return c;
}

static void aio_kill(struct aio_ctx *c)
{
	spin_lock(&c->lock);
	c->dead = true;
	spin_unlock(&c->lock);
	waitq_wake_all(&c->wq);
	aio_put(c);
}

s64 aio_destroy(struct as *as, u64 name)
{
	struct aio_ctx **p, *c;

	spin_lock(&aio_lock);
	for (p = &as->aio; *p && (*p)->name != name; p = &(*p)->next)
		continue;
	c = *p;
	if (c)
		*p = c->next;
	spin_unlock(&aio_lock);
	if (!c)
		return -EINVAL;
	as_munmap(as, name, PAGE_SIZE);
	aio_kill(c);
	return 0;
}

void aio_exit(struct as *as)
{
	while (as->aio) {
		struct aio_ctx *c = as->aio;

		as->aio = c->next;
		aio_kill(c);
	}
}

bool aio_reserve(struct aio_ctx *c)
{
	bool ok;

	spin_lock(&c->lock);
	ok = !c->dead && c->reserved + c->count < c->size;
	c->reserved += ok;
	spin_unlock(&c->lock);
	return ok;
}

void aio_unreserve(struct aio_ctx *c)
{
	spin_lock(&c->lock);
	c->reserved--;
	spin_unlock(&c->lock);
}

void aio_complete(struct aio_ctx *c, const struct io_event *ev)
{
	spin_lock(&c->lock);
	c->ev[(c->first + c->count) % c->size] = *ev;
	c->count++;
	c->reserved--;
	spin_unlock(&c->lock);
	waitq_wake_all(&c->wq);
}

static u32 aio_take(struct aio_ctx *c, u32 max, struct io_event *ev)
{
	u32 n = 0;

	spin_lock(&c->lock);
	while (n < max && c->count) {
		ev[n++] = c->ev[c->first];
		c->first = (c->first + 1) % c->size;
		c->count--;
	}
	spin_unlock(&c->lock);
	return n;
}

s64 aio_collect(struct aio_ctx *c, u32 min, u32 max, u64 deadline, struct io_event *ev)
{
	u32 n = aio_take(c, max, ev);
	s64 err = 0;

	while (n < min && !err) {
		err = wait_event_intr_deadline(
			&c->wq, READ_ONCE(c->count) || READ_ONCE(c->dead), deadline);
		n += aio_take(c, max - n, ev + n);
		if (READ_ONCE(c->dead))
			break;
	}
	if (n || err == -ETIMEDOUT)
		return n;
	return READ_ONCE(c->dead) ? -EINVAL : err;
}
