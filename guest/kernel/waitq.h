/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one wait primitive. A waker changes the condition (under its own lock or with a release store), then calls waitq_wake_*; a
 * sleeper uses the wait_event macros, which queue first and test after, so no wake-up is lost. Wakers may be interrupt handlers.
 *
 * wait_event(wq, cond)                          sleeps until cond, not interruptible (short, guaranteed waits only: I/O)
 * wait_event_deadline(wq, cond, deadline)       the same, but 0, or -ETIMEDOUT at CLOCK_MONOTONIC `deadline` ns
 * wait_event_intr(wq, cond)                     0, or -ERESTARTSYS when a signal is pending
 * wait_event_intr_deadline(wq, cond, deadline)  0, -ERESTARTSYS, or -ETIMEDOUT at CLOCK_MONOTONIC `deadline` ns (WAIT_FOREVER = none)
 * wait_event_intr_exclusive(wq, cond, deadline) the same for one of several that can do the job: waitq_wake(wq, 1, key) wakes one of them. Who
 *                                               gives up while `cond` holds passes the wake-up on.
 * `cond` is evaluated with the waiter queued and must not sleep; it may take spinlocks.
 *
 * Poll and epoll queue a waiter with a callback of their own instead of a thread: waitq_add/waitq_remove.
 */
#ifndef KERNEL_WAITQ_H
#define KERNEL_WAITQ_H

#include "kernel/errno.h"
#include "kernel/lock.h"

#define WAIT_FOREVER (~0UL)

struct waitq {
	struct spinlock lock; /* irq; protects: waiters */
	struct list_head waiters; /* set up by waitq_init */
};

struct waiter;
/* Called with the queue's lock held and interrupts off. True = counts as a woken exclusive waiter. */
typedef bool (*waiter_fn)(struct waiter *w, u64 key);

struct waiter {
	struct list_head link;
	struct thread *thread; /* woken by the default function */
	waiter_fn wake; /* NULL = wake `thread` */
	bool exclusive; /* waitq_wake(n): only n of these are woken */
};

void waitq_init(struct waitq *wq);
void waitq_add(struct waitq *wq, struct waiter *w);
void waitq_remove(struct waitq *wq, struct waiter *w);
bool waitq_active(struct waitq *wq);
/* Wake all non-exclusive and at most n exclusive waiters; key = poll events (0 = unknown). Returns how many were woken. */
int waitq_wake(struct waitq *wq, int n, u64 key);
#define waitq_wake_all(wq) waitq_wake(wq, INT_MAX, 0)
#define waitq_wake_one(wq) waitq_wake(wq, 1, 0)

/* The halves of the macros; `intr` = a pending signal ends the wait. */
void wait_prepare(struct waitq *wq, struct waiter *w, bool intr);
/* Sleeps until woken, signalled or the deadline. 0, -ERESTARTSYS or -ETIMEDOUT; the caller tests its condition first. */
int wait_sleep(struct waiter *w, bool intr, u64 deadline);
void wait_finish(struct waitq *wq, struct waiter *w);

#define wait_event_common(wq, cond, intr, deadline, excl) \
	({ \
		int we_ret_ = 0; \
		if (!(cond)) { \
			struct waiter we_w_ = { .exclusive = excl }; \
			for (;;) { \
				wait_prepare(wq, &we_w_, intr); \
				if (cond) { \
					we_ret_ = 0; \
					break; \
				} \
				if (we_ret_) \
					break; \
				we_ret_ = wait_sleep(&we_w_, intr, deadline); \
			} \
			wait_finish(wq, &we_w_); \
		} \
		we_ret_; \
	})
#define wait_event(wq, cond)			((void)wait_event_common(wq, cond, false, WAIT_FOREVER, false))
#define wait_event_deadline(wq, cond, dl)	wait_event_common(wq, cond, false, dl, false)
#define wait_event_intr(wq, cond)		wait_event_common(wq, cond, true, WAIT_FOREVER, false)
#define wait_event_intr_deadline(wq, cond, dl)	wait_event_common(wq, cond, true, dl, false)
#define wait_event_intr_exclusive(wq, cond, dl) wait_event_common(wq, cond, true, dl, true)

#endif
