/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes. Deadlines are CLOCK_MONOTONIC ns, WAIT_FOREVER for none. */
#ifndef TASK_FUTEX_H
#define TASK_FUTEX_H

#include "lib/types.h"

struct task;

#define FUTEX_ANY_BIT 0xffffffffu

/* 0, -EAGAIN (the value differs), -ETIMEDOUT, -ERESTARTSYS, -EFAULT, -EINVAL. */
int futex_wait(uaddr_t addr, bool shared, u32 val, u32 bitset, u64 deadline);
/* How many were woken, or -errno. */
s64 futex_wake(uaddr_t addr, bool shared, u32 n, u32 bitset);
/* Wake n_wake, move n_move to addr2. cmp: *addr must be this (NULL: not compared), else -EAGAIN. Woken + moved. */
s64 futex_requeue(uaddr_t addr, bool shared, u32 n_wake, u32 n_move, uaddr_t addr2, const u32 *cmp);
/* FUTEX_WAKE_OP. */
s64 futex_wake_op(uaddr_t addr, bool shared, u32 n1, uaddr_t addr2, u32 n2, u32 op);

/* FUTEX_WAIT_REQUEUE_PI: as futex_wait, with the lock at lock_addr when it is 0. */
int futex_wait_requeue_pi(uaddr_t addr, bool shared, u32 val, u64 deadline, uaddr_t lock_addr);
/* FUTEX_CMP_REQUEUE_PI: n_wake (1) + n_move waiters go on to the lock. How many, or -errno. */
s64 futex_requeue_pi(uaddr_t addr, bool shared, u32 n_wake, u32 n_move, uaddr_t lock_addr, u32 cmp);

/* Sleep on n futexes at once. The index of one that was woken, or -errno as futex_wait. */
struct futex_want {
	uaddr_t addr;
	u32 val;
	bool shared;
};
int futex_wait_any(const struct futex_want *want, u32 n, u64 deadline);

/* ---- futex_pi.c: locks whose owner the kernel knows ---- */
/* FUTEX_LOCK_PI; try: FUTEX_TRYLOCK_PI. 0, -EDEADLK, -ESRCH, -EAGAIN (try), -ETIMEDOUT, -ERESTARTNOINTR, -EFAULT, -EINVAL. */
int futex_pi_lock(uaddr_t addr, bool shared, u64 deadline, bool try);
int futex_pi_unlock(uaddr_t addr, bool shared); /* 0, -EPERM, -EFAULT, -EINVAL */
/* t ends: what it owns goes to those who wait for it. */
void futex_pi_exit(struct task *t);

/* Shared with it: */
struct futex_key;
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
int futex_key_get(
	struct futex_key *k, uaddr_t addr, bool shared); /* 0, -EINVAL (alignment), -EFAULT */

#endif
