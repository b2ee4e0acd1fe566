/* SPDX-License-Identifier: Apache-2.0 */
/* The wait primitive: see waitq.h for its contract. */
#include "kernel/waitq.h"
#include "arch.h"
#include "kernel/clock.h"
#include "kernel/timer.h"
#include "lib/atomic.h"

void waitq_init(struct waitq *wq)
{
	wq->lock = (struct spinlock)SPINLOCK_INIT;
	list_init(&wq->waiters);
}

void waitq_add(struct waitq *wq, struct waiter *w)
{
	u64 flags = spin_lock_irq(&wq->lock);

	/* Exclusive waiters last: a wake-up of one still reaches all the others. */
	if (w->exclusive)
		list_add_tail(&wq->waiters, &w->link);
	else
		list_add(&wq->waiters, &w->link);
	spin_unlock_irq(&wq->lock, flags);
}

void waitq_remove(struct waitq *wq, struct waiter *w)
{
	u64 flags = spin_lock_irq(&wq->lock);

	list_del(&w->link);
	spin_unlock_irq(&wq->lock, flags);
}

bool waitq_active(struct waitq *wq)
{
	atomic_fence();
	return !list_empty(&wq->waiters);
}

int waitq_wake(struct waitq *wq, int n, u64 key)
{
	struct waiter *w, *tmp;
	int woken = 0;
	u64 flags;

	if (!waitq_active(wq))
		return 0;
	flags = spin_lock_irq(&wq->lock);
	list_for_each_entry_safe (w, tmp, &wq->waiters, link) {
		bool exclusive = w->exclusive;

		if (exclusive && n <= 0)
			break;
		if (!(w->wake ? w->wake(w, key) : sched_wake(w->thread)))
			continue;
		woken++;
		n -= exclusive;
	}
	spin_unlock_irq(&wq->lock, flags);
	return woken;
}

void wait_prepare(struct waitq *wq, struct waiter *w, bool intr)
{
	struct thread *t = thread_current();

	if (!w->thread) {
		w->thread = t;
		waitq_add(wq, w);
	}
	/* A full barrier: the condition is read after the state is seen by wakers. */
	atomic_xchg(&t->state, (u32)(intr ? THREAD_SLEEP_INTR : THREAD_SLEEP));
}

struct wait_timer {
	struct ktimer timer;
	struct thread *thread;
	bool expired;
};

static void wait_timeout(struct ktimer *timer)
{
	struct wait_timer *wt = container_of(timer, struct wait_timer, timer);

	atomic_store(&wt->expired, true);
	sched_wake(wt->thread);
}

static int wait_sleep_deadline(struct thread *t, u64 deadline)
{
	struct wait_timer wt = { .thread = t };

	if (clock_monotonic() >= deadline) {
		atomic_store(&t->state, (u32)THREAD_RUNNABLE);
		return -ETIMEDOUT;
	}
	ktimer_init(&wt.timer, wait_timeout);
	ktimer_arm(&wt.timer, deadline);
	sched_block();
	ktimer_cancel(&wt.timer);
	return wt.expired ? -ETIMEDOUT : 0;
}

int wait_sleep(struct waiter *w, bool intr, u64 deadline)
{
	struct thread *t = w->thread;

	if (intr && atomic_load(&t->interrupted)) {
		atomic_store(&t->state, (u32)THREAD_RUNNABLE);
		return -ERESTARTSYS;
	}
	if (deadline != WAIT_FOREVER)
		return wait_sleep_deadline(t, deadline);
	sched_block();
	return 0;
}

void wait_finish(struct waitq *wq, struct waiter *w)
{
	atomic_store(&w->thread->state, (u32)THREAD_RUNNABLE);
	waitq_remove(wq, w);
}
