/* SPDX-License-Identifier: Apache-2.0 */
/* The waiting half of poll and select. */
#include "fs/poll.h"

#include "fs/internal.h"

#define POLL_CHUNK 80u

struct poll_set_chunk {
	struct poll_set_chunk *next;
	u32 n;
	struct poll_set_entry entries[POLL_CHUNK];
};

static bool poll_set_wake(struct waiter *w, u64 key)
{
	struct poll_set *s = container_of(w, struct poll_set_entry, waiter)->set;

	(void)key;
	atomic_store(&s->triggered, true);
	waitq_wake_all(&s->wq);
	return true;
}

static struct poll_set_entry *poll_set_room(struct poll_set *s)
{
	struct poll_set_chunk *c = s->chunks;

	if (s->n < POLL_SET_INLINE)
		return &s->entries[s->n++];
	if (!c || c->n == POLL_CHUNK) {
		c = kmalloc(sizeof(*c));
		if (!c)
			return NULL;
		c->n = 0;
		c->next = s->chunks;
		s->chunks = c;
	}
	return &c->entries[c->n++];
}

static void poll_set_queue(struct poll_table *pt, struct file *f, struct waitq *wq)
{
	struct poll_set *s = container_of(pt, struct poll_set, table);
	struct poll_set_entry *e = poll_set_room(s);

	(void)f;
	if (!e) {
		pt->error = -ENOMEM;
		return;
	}
	e->set = s;
	e->wq = wq;
	e->waiter = (struct waiter){ .wake = poll_set_wake };
	waitq_add(wq, &e->waiter);
}

void poll_set_init(struct poll_set *s)
{
	s->table = (struct poll_table){ .queue = poll_set_queue };
	waitq_init(&s->wq);
	s->triggered = false;
	s->n = 0;
	s->chunks = NULL;
}

int poll_set_sleep(struct poll_set *s, u64 deadline)
{
	int err = wait_event_intr_deadline(&s->wq, atomic_load(&s->triggered), deadline);

	atomic_store(&s->triggered, false);
	return err;
}

void poll_set_done(struct poll_set *s)
{
	for (u32 i = 0; i < s->n; i++)
		waitq_remove(s->entries[i].wq, &s->entries[i].waiter);
	while (s->chunks) {
		struct poll_set_chunk *c = s->chunks;

		for (u32 i = 0; i < c->n; i++)
			waitq_remove(c->entries[i].wq, &c->entries[i].waiter);
		s->chunks = c->next;
		kfree(c);
	}
}
