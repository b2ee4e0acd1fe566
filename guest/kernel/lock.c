/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spinlocks, mutexes, reader-writer semaphores.
 *
 * A sleeping lock is handed over: who unlocks makes the first waiter the owner, then wakes it. That is fair and needs no retry. Before
 * it sleeps, a locker spins a little while the owner runs on another CPU: sleeping and waking cost tens of microseconds on pvm.
 */
#include "kernel/lock.h"
#include "arch.h"
#include "kernel/cpus.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "lib/atomic.h"

#define MUTEX_SPINS 400

struct lock_waiter {
	struct list_head link;
	struct thread *thread;
	bool write;
	bool granted; /* set by who hands over, under the lock */
};

#ifdef CM_DEVEL
/* Ranks of the locks that a thread holds, smallest first. Interrupt handlers are not checked: they have no thread of their own. */
static void lock_rank_note(u16 rank)
{
	struct thread *t = thread_current();

	if (!rank || in_interrupt())
		return;
	panic_if(t->nranks == ARRAY_SIZE(t->ranks));
	t->ranks[t->nranks++] = rank;
}

static void lock_rank_take(u16 rank)
{
	struct thread *t = thread_current();

	if (!rank || in_interrupt())
		return;
	if (t->nranks && t->ranks[t->nranks - 1] >= rank)
		panic("lock: rank %u taken while %u is held", rank, t->ranks[t->nranks - 1]);
	lock_rank_note(rank);
}

static void lock_rank_drop(u16 rank)
{
	struct thread *t = thread_current();
	u32 i;

	if (!rank || in_interrupt())
		return;
	for (i = t->nranks; i > 0 && t->ranks[i - 1] != rank; i--)
		;
	panic_if(i == 0);
	for (; i < t->nranks; i++)
		t->ranks[i - 1] = t->ranks[i];
	t->nranks--;
}
#else
static void lock_rank_note(u16 rank)
{
}

static void lock_rank_take(u16 rank)
{
}

static void lock_rank_drop(u16 rank)
{
}
#endif

/* ---- spinlocks ---- */

static bool spin_try_raw(struct spinlock *l)
{
	return !READ_ONCE(l->locked) && !atomic_xchg(&l->locked, 1u);
}

static void spin_lock_raw(struct spinlock *l)
{
	while (!spin_try_raw(l))
		cpu_relax();
}

static void spin_unlock_raw(struct spinlock *l)
{
	atomic_store(&l->locked, 0u);
}

void spin_lock(struct spinlock *l)
{
	lock_rank_take(l->rank);
	spin_lock_raw(l);
}

bool spin_trylock(struct spinlock *l)
{
	if (!spin_try_raw(l))
		return false;
	lock_rank_note(l->rank); /* out of order is no danger: who tries does not wait */
	return true;
}

void spin_unlock(struct spinlock *l)
{
	spin_unlock_raw(l);
	lock_rank_drop(l->rank);
}

u64 spin_lock_irq(struct spinlock *l)
{
	u64 flags = irq_save();

	spin_lock(l);
	return flags;
}

void spin_unlock_irq(struct spinlock *l, u64 flags)
{
	spin_unlock(l);
	irq_restore(flags);
}

/* ---- what both sleeping locks share ---- */

static void lock_list_setup(struct list_head *h)
{
	if (!h->next)
		list_init(h);
}

/* The inner lock is held; it is let go. Returns when the lock was handed to us. */
static void lock_wait(struct spinlock *l, struct list_head *waiters, bool write)
{
	struct lock_waiter w = { .thread = thread_current(), .write = write };

	list_add_tail(waiters, &w.link);
	for (;;) {
		atomic_xchg(&w.thread->state, (u32)THREAD_SLEEP);
		spin_unlock_raw(l);
		if (!atomic_load(&w.granted))
			sched_block();
		atomic_store(&w.thread->state, (u32)THREAD_RUNNABLE);
		/* The lock also keeps w alive until the one who granted has let go of it. */
		spin_lock_raw(l);
		if (w.granted)
			break;
	}
	spin_unlock_raw(l);
}

/* The inner lock is held. */
static void lock_grant(struct lock_waiter *w)
{
	list_del(&w->link);
	atomic_store(&w->granted, true);
	sched_wake(w->thread);
}

/* ---- mutexes ---- */

bool mutex_trylock(struct mutex *m)
{
	bool got;

	spin_lock_raw(&m->lock);
	got = !m->owner;
	if (got)
		m->owner = thread_current();
	spin_unlock_raw(&m->lock);
	if (got)
		lock_rank_take(m->lock.rank);
	return got;
}

static bool mutex_spin(struct mutex *m)
{
	for (u32 i = 0; i < MUTEX_SPINS && !cpus_alone(); i++) {
		struct thread *owner = READ_ONCE(m->owner);

		if (!owner && mutex_trylock(m))
			return true;
		/* It may be gone by now; its memory is still memory, and what it says only a hint. */
		if (owner && !READ_ONCE(owner->on_cpu))
			return false;
		cpu_relax();
	}
	return false;
}

void mutex_lock(struct mutex *m)
{
	if (mutex_trylock(m) || mutex_spin(m))
		return;
	lock_rank_take(m->lock.rank);
	spin_lock_raw(&m->lock);
	lock_list_setup(&m->waiters);
	if (!m->owner) {
		m->owner = thread_current();
		spin_unlock_raw(&m->lock);
		return;
	}
	panic_if(m->owner == thread_current());
	lock_wait(&m->lock, &m->waiters, true);
}

void mutex_unlock(struct mutex *m)
{
	spin_lock_raw(&m->lock);
	lock_list_setup(&m->waiters);
	if (list_empty(&m->waiters)) {
		m->owner = NULL;
	} else {
		struct lock_waiter *w = list_first_entry(&m->waiters, struct lock_waiter, link);

		m->owner = w->thread;
		lock_grant(w);
	}
	spin_unlock_raw(&m->lock);
	lock_rank_drop(m->lock.rank);
}

/* ---- reader-writer semaphores ---- */

/* The lock is free for its first waiters: one writer, or all readers up to the first writer. */
static void rwsem_hand_over(struct rwsem *s)
{
	while (!list_empty(&s->waiters)) {
		struct lock_waiter *w = list_first_entry(&s->waiters, struct lock_waiter, link);

		if (w->write) {
			if (s->readers != 0)
				return;
			s->readers = -1;
			s->writers_waiting--;
			lock_grant(w);
			return;
		}
		s->readers++;
		lock_grant(w);
	}
}

void rwsem_read_lock(struct rwsem *s)
{
	lock_rank_take(s->lock.rank);
	spin_lock_raw(&s->lock);
	lock_list_setup(&s->waiters);
	if (s->readers >= 0 && !s->writers_waiting) {
		s->readers++;
		spin_unlock_raw(&s->lock);
		return;
	}
	lock_wait(&s->lock, &s->waiters, false);
}

bool rwsem_read_try(struct rwsem *s)
{
	bool got;

	spin_lock_raw(&s->lock);
	got = s->readers >= 0;
	if (got)
		s->readers++;
	spin_unlock_raw(&s->lock);
	if (got)
		lock_rank_note(s->lock.rank); /* out of order is no danger */
	return got;
}

void rwsem_read_unlock(struct rwsem *s)
{
	spin_lock_raw(&s->lock);
	panic_if(s->readers <= 0);
	if (--s->readers == 0)
		rwsem_hand_over(s);
	spin_unlock_raw(&s->lock);
	lock_rank_drop(s->lock.rank);
}

void rwsem_write_lock(struct rwsem *s)
{
	lock_rank_take(s->lock.rank);
	spin_lock_raw(&s->lock);
	lock_list_setup(&s->waiters);
	if (s->readers == 0 && list_empty(&s->waiters)) {
		s->readers = -1;
		spin_unlock_raw(&s->lock);
		return;
	}
	s->writers_waiting++;
	lock_wait(&s->lock, &s->waiters, true);
}

void rwsem_write_unlock(struct rwsem *s)
{
	spin_lock_raw(&s->lock);
	panic_if(s->readers != -1);
	s->readers = 0;
	rwsem_hand_over(s);
	spin_unlock_raw(&s->lock);
	lock_rank_drop(s->lock.rank);
}
