/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Priority-inheriting futexes. The word holds the owner's tid; the kernel hands a contended lock on to who waits longest. Nobody's priority is lent:
 * the scheduler shares time fairly, so an owner is never kept from running by those who wait for it.
 *
 * One mutex a hash bucket covers the words of its futexes and the list of those who wait: it may be held while user memory faults. A lock is
 * passed by its owner writing the next one's tid. When the owner dies, the next one writes it itself: it is `heir` until then.
 */
#include "task/futex.h"

#include <linux/futex.h>

#include "kernel/clock.h"
#include "kernel/lock.h"
#include "lib/list.h"
#include "mm/as.h"
#include "mm/usercopy.h"
#include "task/signal.h"

#define PI_BUCKETS 64

struct pi_wait {
	struct list_head link; /* bucket->waiters until it is chosen */
	struct futex_key key;
	int tid; /* who waits */
	int owner; /* for whom */
	bool granted; /* it has the lock; atomic */
	bool heir; /* of a dead owner */
	struct waitq wq;
};

static struct pi_bucket {
	struct mutex lock; /* protects: the rest, and the words of its futexes against each other */
	struct list_head waiters; /* in order of arrival; set up at first use */
	u32 heirs; /* chosen, and about to write their words */
} pi_table[PI_BUCKETS];
static u32 pi_waiting; /* atomic: waiters in all; 0 = an exit has nothing to look for */

static struct pi_bucket *pi_lock_bucket(const struct futex_key *k)
{
	u64 h = ((u64)k->object >> 4) * 0x9e3779b97f4a7c15UL ^ k->offset * 0xff51afd7ed558ccdUL;
	struct pi_bucket *b = &pi_table[h >> 32 & (PI_BUCKETS - 1)];

	mutex_lock(&b->lock);
	if (!b->waiters.next)
		list_init(&b->waiters);
	return b;
}

static struct pi_wait *pi_first(struct pi_bucket *b, const struct futex_key *k)
{
	struct pi_wait *w;

	list_for_each_entry (w, &b->waiters, link) {
		if (futex_key_equal(&w->key, k))
			return w;
	}
	return NULL;
}

/* w, which is the first of its futex, gets the lock; the others wait for it. */
static void pi_grant(struct pi_bucket *b, struct pi_wait *w, bool heir)
{
	struct pi_wait *pos;

	list_del(&w->link);
	atomic_sub(&pi_waiting, 1);
	w->heir = heir;
	if (heir)
		b->heirs++;
	list_for_each_entry (pos, &b->waiters, link) {
		if (futex_key_equal(&pos->key, &w->key))
			pos->owner = w->tid;
	}
	atomic_store(&w->granted, true);
	waitq_wake_all(&w->wq);
}

/* *addr from old to new: 0, -EFAULT, or -EAGAIN: a program changed it meanwhile. */
static int pi_exchange(uaddr_t addr, u32 old, u32 new)
{
	u32 seen;

	if (cmpxchg_user32(addr, old, new, &seen) < 0)
		return -EFAULT;
	return seen == old ? 0 : -EAGAIN;
}

/* Who is the owner of val? 0: he lives, -ESRCH, or -EAGAIN: look again, he is on his way out. */
static int pi_check_owner(const struct pi_bucket *b, u32 val)
{
	struct task *t = task_find((int)(val & FUTEX_TID_MASK));
	bool exiting = t && READ_ONCE(t->exiting);

	task_put(t);
	if (t && !exiting)
		return 0;
	return exiting || b->heirs ? -EAGAIN : -ESRCH;
}

/* Take the lock, or mark it as waited for. 1: taken, 0: it is another's, -errno; -EAGAIN: once more. */
static int pi_attempt(struct pi_bucket *b, uaddr_t addr, const struct futex_key *k, bool try)
{
	u32 tid = (u32)task_current()->tid, val;
	int ret;

	if (get_user(val, addr) < 0)
		return -EFAULT;
	if ((val & FUTEX_TID_MASK) == tid)
		return -EDEADLK;
	if (!(val & FUTEX_TID_MASK)) {
		u32 new = tid | (val & FUTEX_OWNER_DIED);

		ret = pi_exchange(addr, val, new | (pi_first(b, k) ? FUTEX_WAITERS : 0));
		return ret ? ret : 1;
	}
	if (try)
		return 0;
	ret = pi_check_owner(b, val);
	if (ret)
		return ret;
	return val & FUTEX_WAITERS ? 0 : pi_exchange(addr, val, val | FUTEX_WAITERS);
}

/* The owner died: this is who comes next. */
static int pi_inherit(uaddr_t addr, const struct pi_wait *w)
{
	struct pi_bucket *b = pi_lock_bucket(&w->key);
	u32 val = 0;
	int ret = -EAGAIN;

	while (ret == -EAGAIN) {
		if (get_user(val, addr) < 0)
			ret = -EFAULT;
		else
			ret = pi_exchange(
				addr, val, (u32)w->tid | FUTEX_OWNER_DIED | (val & FUTEX_WAITERS));
	}
	b->heirs--;
	mutex_unlock(&b->lock);
	return ret;
}

/* The bucket is locked on entry, not on return. */
static int pi_sleep(struct pi_bucket *b, struct pi_wait *w, uaddr_t addr, u64 deadline)
{
	int ret;

	if (get_user(w->owner, addr) < 0) {
		mutex_unlock(&b->lock);
		return -EFAULT;
	}
	w->owner &= FUTEX_TID_MASK;
	w->tid = task_current()->tid;
	waitq_init(&w->wq);
	list_add_tail(&b->waiters, &w->link);
	atomic_add(&pi_waiting, 1);
	mutex_unlock(&b->lock);
	ret = wait_event_intr_deadline(&w->wq, atomic_load(&w->granted), deadline);
	mutex_lock(&b->lock);
	if (w->granted) {
		ret = 0;
	} else {
		list_del(&w->link);
		atomic_sub(&pi_waiting, 1);
	}
	mutex_unlock(&b->lock);
	if (!ret && w->heir)
		ret = pi_inherit(addr, w);
	return ret == -ERESTARTSYS ? -ERESTARTNOINTR : ret;
}

int futex_pi_lock(uaddr_t addr, bool shared, u64 deadline, bool try)
{
	struct pi_wait w = { .granted = false };
	struct pi_bucket *b;
	int ret = futex_key_get(&w.key, addr, shared);

	if (ret < 0)
		return ret;
	for (;;) {
		b = pi_lock_bucket(&w.key);
		ret = pi_attempt(b, addr, &w.key, try);
		if (ret == 0 && !try)
			return pi_sleep(b, &w, addr, deadline);
		mutex_unlock(&b->lock);
		if (ret != -EAGAIN)
			break;
		if (signal_pending(task_current()))
			return -ERESTARTNOINTR;
		sched_yield_cpu();
	}
	if (ret == 0)
		return -EAGAIN;
	return ret == 1 ? 0 : ret;
}

int futex_pi_unlock(uaddr_t addr, bool shared)
{
	struct futex_key key;
	struct pi_bucket *b;
	struct pi_wait *w;
	u32 val = 0;
	int ret = futex_key_get(&key, addr, shared);

	if (ret < 0)
		return ret;
	b = pi_lock_bucket(&key);
	do {
		ret = get_user(val, addr);
		if (!ret && (val & FUTEX_TID_MASK) != (u32)task_current()->tid)
			ret = -EPERM;
		w = ret ? NULL : pi_first(b, &key);
		if (!ret)
			ret = pi_exchange(addr, val, w ? (u32)w->tid | FUTEX_WAITERS : 0);
	} while (ret == -EAGAIN);
	if (!ret && w)
		pi_grant(b, w, false);
	mutex_unlock(&b->lock);
	return ret;
}

static void pi_exit_bucket(struct pi_bucket *b, int tid)
{
	struct pi_wait *w;
	bool found = true;

	mutex_lock(&b->lock);
	while (found && b->waiters.next) {
		found = false;
		list_for_each_entry (w, &b->waiters, link) {
			if (w->owner == tid) {
				pi_grant(b, w, true);
				found = true;
				break;
			}
		}
	}
	mutex_unlock(&b->lock);
}

void futex_pi_exit(struct task *t)
{
	for (u32 i = 0; i < PI_BUCKETS && atomic_load(&pi_waiting); i++)
		pi_exit_bucket(&pi_table[i], t->tid);
}
