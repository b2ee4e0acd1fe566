/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futexes. A waiter queues itself first and reads the word after; a waker changes the word first and looks at the queue after: one of
 * them sees the other. User memory is never touched with a bucket locked. as_futex_key gives a futex its name.
 */
#include "task/futex.h"

#include <linux/futex.h>

#include "mm/as.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "task/signal.h"

#define FUTEX_BUCKETS	  256
#define ROBUST_LIST_LIMIT 2048
#define FUTEX_OP_LOOPS	  64 /* contended updates of one word before the waker lets others run */

struct futex_bucket {
	struct spinlock lock; /* protects: waiters, and the bucket pointer of those on it */
	struct list_head waiters;
};

struct futex_wait {
	struct list_head link;
	struct futex_key key;
	u32 bitset;
	bool woken;
	const struct futex_key
		*lock; /* the PI futex that it goes on to; NULL: an ordinary waiter */
	struct futex_bucket *bucket; /* changes by requeue */
	struct waitq *wq; /* of the one sleeper */
};

static struct futex_bucket futex_table[FUTEX_BUCKETS];

static struct futex_bucket *futex_bucket(const struct futex_key *k)
{
	u64 h = ((u64)k->object >> 4) * 0x9e3779b97f4a7c15UL ^ k->offset * 0xff51afd7ed558ccdUL;

	return &futex_table[h >> 32 & (FUTEX_BUCKETS - 1)];
}

static struct list_head *futex_list(struct futex_bucket *b)
{
	if (!b->waiters.next)
		list_init(&b->waiters);
	return &b->waiters;
}

bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}

int futex_key_get(struct futex_key *k, uaddr_t addr, bool shared)
{
	if (addr & 3)
		return -EINVAL;
	if (addr >= USER_TOP)
		return -EFAULT;
	return as_futex_key(task_current()->as, addr, shared, k);
}

/* The waiter's bucket, locked: it may move until the lock is held. */
static struct futex_bucket *futex_lock_waiter(struct futex_wait *w, u64 *flags)
{
	for (;;) {
		struct futex_bucket *b = atomic_load(&w->bucket);

		*flags = spin_lock_irq(&b->lock);
		if (b == atomic_load(&w->bucket))
			return b;
		spin_unlock_irq(&b->lock, *flags);
	}
}

static void futex_enqueue(struct futex_wait *w)
{
	struct futex_bucket *b = futex_bucket(&w->key);
	u64 flags = spin_lock_irq(&b->lock);

	w->bucket = b;
	list_add_tail(futex_list(b), &w->link);
	spin_unlock_irq(&b->lock, flags);
}

/* Stop waiting. True when a waker had chosen us already. */
static bool futex_dequeue(struct futex_wait *w)
{
	u64 flags;
	struct futex_bucket *b = futex_lock_waiter(w, &flags);
	bool woken = w->woken;

	if (!woken)
		list_del(&w->link);
	spin_unlock_irq(&b->lock, flags);
	return woken;
}

/* The bucket is locked: the sleeper cannot leave before we are done with w. */
static void futex_wake_locked(struct futex_wait *w)
{
	list_del(&w->link);
	w->woken = true;
	waitq_wake_all(w->wq);
}

/* Of a waiter that is in its bucket: until it is woken, as long as the word holds val. The caller takes it out again. */
static int futex_sleep(struct futex_wait *w, uaddr_t addr, u32 val, u64 deadline)
{
	u32 now;
	int ret;

	atomic_fence();
	ret = get_user(now, addr);
	if (ret == 0 && now != val)
		ret = -EAGAIN;
	if (ret == 0)
		ret = wait_event_intr_deadline(w->wq, atomic_load(&w->woken), deadline);
	return ret;
}

int futex_wait(uaddr_t addr, bool shared, u32 val, u32 bitset, u64 deadline)
{
	struct waitq wq;
	struct futex_wait w = { .bitset = bitset, .wq = &wq };
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = futex_key_get(&w.key, addr, shared);
	if (ret < 0)
		return ret;
	waitq_init(&wq);
	futex_enqueue(&w);
	ret = futex_sleep(&w, addr, val, deadline);
	if (futex_dequeue(&w))
		ret = 0;
	return ret;
}

/* ---- conditions with a PI lock ---- */

/* Until futex_requeue_pi sends us on; then the lock is ours to take. What comes too late to begin again is EAGAIN, as if the value had changed. */
int futex_wait_requeue_pi(uaddr_t addr, bool shared, u32 val, u64 deadline, uaddr_t lock_addr)
{
	struct futex_key lock;
	struct waitq wq;
	struct futex_wait w = { .bitset = FUTEX_ANY_BIT, .lock = &lock, .wq = &wq };
	int ret;

	if (addr == lock_addr)
		return -EINVAL;
	ret = futex_key_get(&w.key, addr, shared);
	if (ret == 0)
		ret = futex_key_get(&lock, lock_addr, shared);
	if (ret == 0 && futex_key_equal(&w.key, &lock))
		ret = -EINVAL;
	if (ret < 0)
		return ret;
	waitq_init(&wq);
	futex_enqueue(&w);
	ret = futex_sleep(&w, addr, val, deadline);
	if (!futex_dequeue(&w))
		return ret == -ERESTARTSYS ? -ERESTARTNOINTR : ret;
	ret = futex_pi_lock(lock_addr, shared, deadline, false);
	return ret == -ERESTARTNOINTR ? -EAGAIN : ret;
}

/* Both kinds of waiters on one futex are a program's fault. */
static s64 futex_requeue_pi_locked(
	struct futex_bucket *b, const struct futex_key *from, const struct futex_key *to, u32 n)
{
	struct futex_wait *w, *next;
	s64 moved = 0;

	list_for_each_entry_safe (w, next, futex_list(b), link) {
		if (!futex_key_equal(&w->key, from))
			continue;
		if (moved >= n)
			break;
		if (!w->lock || !futex_key_equal(w->lock, to))
			return -EINVAL;
		futex_wake_locked(w);
		moved++;
	}
	return moved;
}

s64 futex_requeue_pi(uaddr_t addr, bool shared, u32 n_wake, u32 n_move, uaddr_t lock_addr, u32 cmp)
{
	struct futex_key from, to;
	struct futex_bucket *b;
	u32 now;
	u64 flags;
	s64 ret;

	if (n_wake != 1 || addr == lock_addr)
		return -EINVAL;
	ret = futex_key_get(&from, addr, shared);
	if (ret == 0)
		ret = futex_key_get(&to, lock_addr, shared);
	if (ret == 0 && futex_key_equal(&from, &to))
		ret = -EINVAL;
	if (ret == 0)
		ret = get_user(now, lock_addr);
	if (ret == 0)
		ret = get_user(now, addr);
	if (ret == 0 && now != cmp)
		ret = -EAGAIN;
	if (ret < 0)
		return ret;
	b = futex_bucket(&from);
	flags = spin_lock_irq(&b->lock);
	ret = futex_requeue_pi_locked(b, &from, &to, n_wake + MIN(n_move, (u32)INT_MAX));
	spin_unlock_irq(&b->lock, flags);
	return ret;
}

/* ---- several at once ---- */
/* Queue on all n. The first value that differs: -EAGAIN; how many were queued in *queued. */
static int futex_enqueue_all(
	struct futex_wait *w, const struct futex_want *want, u32 n, struct waitq *wq, u32 *queued)
{
	int ret = 0;

	for (u32 i = 0; !ret && i < n; i++) {
		w[i] = (struct futex_wait){ .bitset = FUTEX_ANY_BIT, .wq = wq };
		ret = futex_key_get(&w[i].key, want[i].addr, want[i].shared);
	}
	for (u32 i = 0; !ret && i < n; i++) {
		u32 now;

		futex_enqueue(&w[i]);
		*queued = i + 1;
		atomic_fence();
		ret = get_user(now, want[i].addr);
		if (!ret && now != want[i].val)
			ret = -EAGAIN;
	}
	return ret;
}

static bool futex_any_woken(const struct futex_wait *w, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (atomic_load(&w[i].woken))
			return true;
	}
	return false;
}

int futex_wait_any(const struct futex_want *want, u32 n, u64 deadline)
{
	struct futex_wait *w = kmalloc(n * sizeof(*w));
	struct waitq wq;
	u32 queued = 0;
	int ret;

	if (!w)
		return -ENOMEM;
	waitq_init(&wq);
	ret = futex_enqueue_all(w, want, n, &wq, &queued);
	if (!ret)
		ret = wait_event_intr_deadline(&wq, futex_any_woken(w, n), deadline);
	for (u32 i = 0; i < queued; i++) {
		if (futex_dequeue(&w[i]))
			ret = (int)i;
	}
	kfree(w);
	return ret;
}

s64 futex_wake(uaddr_t addr, bool shared, u32 n, u32 bitset)
{
	struct futex_key key;
	struct futex_bucket *b;
	struct futex_wait *w, *next;
	s64 woken = 0;
	int ret;
	u64 flags;

	if (!bitset)
		return -EINVAL;
	ret = futex_key_get(&key, addr, shared);
	if (ret < 0)
		return ret;
	b = futex_bucket(&key);
	atomic_fence();
	flags = spin_lock_irq(&b->lock);
	list_for_each_entry_safe (w, next, futex_list(b), link) {
		if (woken >= n && woken > 0)
			break;
		if (!futex_key_equal(&w->key, &key) || !(w->bitset & bitset))
			continue;
		if (w->lock) {
			woken = -EINVAL;
			break;
		}
		futex_wake_locked(w);
		woken++;
	}
	spin_unlock_irq(&b->lock, flags);
	return woken;
}

static u64 futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	u64 flags;

	if (a > b) {
		struct futex_bucket *tmp = a;

		a = b;
		b = tmp;
	}
	flags = spin_lock_irq(&a->lock);
	if (a != b)
		spin_lock(&b->lock);
	return flags;
}

static void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b, u64 flags)
{
	if (a != b)
		spin_unlock(a > b ? &a->lock : &b->lock);
	spin_unlock_irq(a > b ? &b->lock : &a->lock, flags);
}

/* Both buckets are locked. */
static s64 futex_requeue_locked(struct futex_bucket *b1, struct futex_bucket *b2,
	const struct futex_key *from, const struct futex_key *to, u32 n_wake, u32 n_move)
{
	struct futex_wait *w, *next;
	u32 woken = 0, moved = 0;

	list_for_each_entry_safe (w, next, futex_list(b1), link) {
		if (!futex_key_equal(&w->key, from))
			continue;
		if (w->lock)
			return -EINVAL;
		if (woken < n_wake) {
			futex_wake_locked(w);
			woken++;
			continue;
		}
		if (moved >= n_move)
			break;
		moved++;
		if (futex_key_equal(from, to))
			continue;
		w->key = *to;
		list_del(&w->link);
		list_add_tail(futex_list(b2), &w->link);
		atomic_store(&w->bucket, b2);
	}
	return (s64)woken + moved;
}

s64 futex_requeue(uaddr_t addr, bool shared, u32 n_wake, u32 n_move, uaddr_t addr2, const u32 *cmp)
{
	struct futex_key from, to;
	struct futex_bucket *b1, *b2;
	u64 flags;
	s64 ret;
	u32 now;

	ret = futex_key_get(&from, addr, shared);
	if (ret < 0)
		return ret;
	ret = futex_key_get(&to, addr2, shared);
	if (ret < 0)
		return ret;
	if (cmp) {
		ret = get_user(now, addr);
		if (ret == 0 && now != *cmp)
			ret = -EAGAIN;
		if (ret < 0)
			return ret;
	}
	b1 = futex_bucket(&from);
	b2 = futex_bucket(&to);
	flags = futex_lock_two(b1, b2);
	ret = futex_requeue_locked(b1, b2, &from, &to, n_wake, n_move);
	futex_unlock_two(b1, b2, flags);
	return ret;
}

static bool futex_op_compare(u32 cmp, u32 old, u32 arg)
{
	switch (cmp) {
	case FUTEX_OP_CMP_EQ:
		return old == arg;
	case FUTEX_OP_CMP_NE:
		return old != arg;
	case FUTEX_OP_CMP_LT:
		return (s32)old < (s32)arg;
	case FUTEX_OP_CMP_LE:
		return (s32)old <= (s32)arg;
	case FUTEX_OP_CMP_GT:
		return (s32)old > (s32)arg;
	default:
		return (s32)old >= (s32)arg;
	}
}

static u32 futex_op_apply(u32 op, u32 old, u32 arg)
{
	switch (op) {
	case FUTEX_OP_SET:
		return arg;
	case FUTEX_OP_ADD:
		return old + arg;
	case FUTEX_OP_OR:
		return old | arg;
	case FUTEX_OP_ANDN:
		return old & ~arg;
	default:
		return old ^ arg;
	}
}

/* The operation on *addr, atomically. 0 and the comparison's result, or -errno. */
static int futex_do_op(uaddr_t addr, u32 code, bool *hit)
{
	u32 op = code >> 28 & 7;
	u32 cmp = code >> 24 & 15;
	/* 12-bit fields, sign-extended */
	u32 oparg = (u32)((s32)(code << 8) >> 20);
	u32 cmparg = (u32)((s32)(code << 20) >> 20);
	u32 old, seen;
	int loops = 0;

	if (op > FUTEX_OP_XOR || cmp > FUTEX_OP_CMP_GE)
		return -ENOSYS;
	if (code >> 28 & FUTEX_OP_OPARG_SHIFT)
		oparg = 1u << (oparg & 31);
	if (get_user(old, addr) < 0)
		return -EFAULT;
	for (;;) {
		if (cmpxchg_user32(addr, old, futex_op_apply(op, old, oparg), &seen) < 0)
			return -EFAULT;
		if (seen == old)
			break;
		old = seen;
		if (++loops % FUTEX_OP_LOOPS == 0) {
			if (signal_pending(task_current()))
				return -ERESTARTNOINTR;
			sched_yield_cpu();
		}
	}
	*hit = futex_op_compare(cmp, old, cmparg);
	return 0;
}

s64 futex_wake_op(uaddr_t addr, bool shared, u32 n1, uaddr_t addr2, u32 n2, u32 op)
{
	bool hit = false;
	s64 woken, more;
	int ret;

	if ((addr | addr2) & 3)
		return -EINVAL;
	ret = futex_do_op(addr2, op, &hit);
	if (ret < 0)
		return ret;
	woken = futex_wake(addr, shared, n1, FUTEX_ANY_BIT);
	if (woken < 0 || !hit)
		return woken;
	more = futex_wake(addr2, shared, n2, FUTEX_ANY_BIT);
	return more < 0 ? more : woken + more;
}

/* One entry of a robust list: the owner died. */
static int robust_entry(struct task *t, uaddr_t entry, s64 offset, bool pi, bool pending)
{
	uaddr_t addr = entry + (u64)offset;
	u32 val, seen;

	if (addr & 3)
		return -EINVAL;
	if (get_user(val, addr) < 0)
		return -EFAULT;
	/* The owner unlocked it, but died before it woke a waiter. */
	if (pending && !pi && val == 0) {
		futex_wake(addr, true, 1, FUTEX_ANY_BIT);
		return 0;
	}
	while ((val & FUTEX_TID_MASK) == (u32)t->tid) {
		if (cmpxchg_user32(addr, val, (val & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen) < 0)
			return -EFAULT;
		if (seen == val) {
			/* a priority-inheriting one is handed on by futex_pi_exit */
			if ((val & FUTEX_WAITERS) && !pi)
				futex_wake(addr, true, 1, FUTEX_ANY_BIT);
			break;
		}
		val = seen;
	}
	return 0;
}

/* The list is user memory and may be a loop: a bound on its length is all that protects us, as in Linux. Bit 0 of a link marks PI. */
static void robust_exit(struct task *t)
{
	struct robust_list_head head;
	uaddr_t entry, pending;
	bool pi, pending_pi;
	int limit;

	if (!t->robust_list || copy_from_user(&head, t->robust_list, sizeof(head)) < 0)
		return;
	pending = (uaddr_t)head.list_op_pending & ~1UL;
	pending_pi = (uaddr_t)head.list_op_pending & 1;
	entry = (uaddr_t)head.list.next & ~1UL;
	pi = (uaddr_t)head.list.next & 1;
	for (limit = ROBUST_LIST_LIMIT; limit && entry != t->robust_list; limit--) {
		uaddr_t next;
		int fault = get_user(next, entry);

		if (entry != pending && robust_entry(t, entry, head.futex_offset, pi, false) < 0)
			return;
		if (fault < 0)
			return;
		entry = next & ~1UL;
		pi = next & 1;
	}
	if (pending)
		(void)robust_entry(t, pending, head.futex_offset, pending_pi, true);
}

void futex_exit(struct task *t)
{
	u32 zero = 0;

	if (!t->as)
		return;
	robust_exit(t);
	futex_pi_exit(t);
	t->robust_list = 0;
	/* Nobody but the dying would see it otherwise. */
	if (t->clear_child_tid && atomic_load(&t->as->ref.count) > 1) {
		if (put_user(zero, t->clear_child_tid) == 0) {
			futex_wake(t->clear_child_tid, true, 1, FUTEX_ANY_BIT);
		}
	}
	t->clear_child_tid = 0;
}
