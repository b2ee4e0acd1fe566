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

#endif
