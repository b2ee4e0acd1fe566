/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks. Spinlocks: short, no sleeping, no user access while held; the _irq pair for locks that interrupt handlers take too
 * (waitq, run queue, timer, driver rings). There is no preemption inside the kernel, so a plain spinlock never waits for a
 * descheduled holder. Mutex and rwsem sleep and may be held across user copies, I/O and allocation.
 * All are valid when zero-filled; `rank` (0 = unchecked) orders nesting and is checked in --enable-devel builds: a lock may be taken only
 * when every held ranked lock has a smaller rank.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "lib/list.h"
#include "lib/types.h"

struct spinlock {
	u32 locked;
	u16 rank;
};

#define SPINLOCK_INIT \
	{ \
		0, 0 \
	}

void spin_lock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
/* Disable interrupts and lock; the return value goes to spin_unlock_irq. */
u64 spin_lock_irq(struct spinlock *l);
void spin_unlock_irq(struct spinlock *l, u64 flags);

struct thread;

struct mutex {
	struct spinlock lock; /* protects: owner, waiters */
	struct thread *owner;
	struct list_head waiters; /* set up at first use */
};

void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

struct rwsem {
	struct spinlock lock; /* protects: the rest */
	s32 readers; /* > 0 readers, -1 writer */
	u32 writers_waiting;
	struct list_head waiters; /* set up at first use */
};

void rwsem_read_lock(struct rwsem *s);
/* Without waiting, and past writers that wait: for who is waited for by readers himself. */
bool rwsem_read_try(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);

#endif
