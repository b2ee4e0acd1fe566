/* SPDX-License-Identifier: Apache-2.0 */
/* futex(2) and the robust lists. */
#include <linux/futex.h>
#include <linux/time.h>

#include "kernel/waitq.h"
#include "mm/slab.h"
#include "mm/usercopy.h"
#include "syscall/handlers.h"
#include "syscall/time_user.h"
#include "task/futex.h"
#include "task/signal.h"
#include "task/time_ns.h"

static s64 futex_restart(struct task *t);

/* A relative wait goes on with what is left of its time; an absolute one or one without end just repeats. */
static s64 futex_wait_from(
	struct task *t, uaddr_t addr, bool shared, u32 val, u32 bitset, u64 deadline, bool relative)
{
	s64 ret = futex_wait(addr, shared, val, bitset, deadline);

	if (ret != -ERESTARTSYS || !relative)
		return ret;
	t->restart.fn = futex_restart;
	t->restart.arg[0] = addr;
	t->restart.arg[1] = shared;
	t->restart.arg[2] = val;
	t->restart.arg[3] = bitset;
	t->restart.arg[4] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

static s64 futex_restart(struct task *t)
{
	const u64 *arg = t->restart.arg;

	return futex_wait_from(t, arg[0], arg[1], (u32)arg[2], (u32)arg[3], arg[4], true);
}

/* An absolute time of one of the clocks; NULL: no end. */
static s64 futex_deadline(uaddr_t timeout, bool realtime, u64 *deadline)
{
	s64 ns;

	if (realtime || !timeout)
		return get_deadline(timeout, true, deadline);
	ns = get_timespec(timeout);
	if (ns < 0)
		return ns;
	*deadline = time_from_shown(CLOCK_MONOTONIC, (u64)ns);
	return 0;
}

static s64 futex_waitv_copy(struct futex_want *want, uaddr_t from, u32 n)
{
	struct futex_waitv w;

	for (u32 i = 0; i < n; i++) {
		if (copy_from_user(&w, from + i * sizeof(w), sizeof(w)) < 0)
			return -EFAULT;
		if ((w.flags & ~(u32)FUTEX_PRIVATE_FLAG) != FUTEX_32 || w.__reserved ||
			w.val > UINT32_MAX)
			return -EINVAL;
		want[i] =
			(struct futex_want){ w.uaddr, (u32)w.val, !(w.flags & FUTEX_PRIVATE_FLAG) };
	}
	return 0;
}

/* FUTEX_WAIT's timeout is relative, FUTEX_WAIT_BITSET's absolute. */
static s64 sys_futex_wait(struct task *t, const struct sysargs *a, bool absolute, u32 bitset)
{
	u32 op = (u32)a->a[1];
	u64 deadline = WAIT_FOREVER;

	if (a->a[3]) {
		s64 ns = get_timespec(a->a[3]);

		if (ns < 0)
			return ns;
		if (!absolute)
			deadline = deadline_after(ns);
		else if (op & FUTEX_CLOCK_REALTIME)
			deadline = deadline_at_realtime(ns);
		else
			deadline = time_from_shown(CLOCK_MONOTONIC, (u64)ns);
	}
	return futex_wait_from(t, a->a[0], !(op & FUTEX_PRIVATE_FLAG), (u32)a->a[2], bitset,
		deadline, !absolute && a->a[3]);
}

/* Timeouts are absolute: of CLOCK_REALTIME for LOCK_PI, of either clock for LOCK_PI2. */
static s64 sys_futex_lock_pi(const struct sysargs *a, bool realtime)
{
	u64 deadline;
	s64 ret = futex_deadline(a->a[3], realtime, &deadline);

	return ret ? ret
		   : futex_pi_lock(a->a[0], !((u32)a->a[1] & FUTEX_PRIVATE_FLAG), deadline, false);
}

/* The timeout is absolute. */
static s64 sys_futex_wait_requeue_pi(const struct sysargs *a)
{
	u32 op = (u32)a->a[1];
	u64 deadline;
	s64 ret = futex_deadline(a->a[3], op & FUTEX_CLOCK_REALTIME, &deadline);

	return ret ? ret
		   : futex_wait_requeue_pi(
			     a->a[0], !(op & FUTEX_PRIVATE_FLAG), (u32)a->a[2], deadline, a->a[4]);
}

s64 sys_futex_waitv(struct task *t, const struct sysargs *a)
{
	struct futex_want *want;
	u32 n = (u32)a->a[1];
	bool realtime = (u32)a->a[4] == CLOCK_REALTIME;
	u64 deadline;
	s64 ret;

	(void)t;
	if (a->a[2] || !n || n > FUTEX_WAITV_MAX || !a->a[0])
		return -EINVAL;
	if (a->a[3] && !realtime && (u32)a->a[4] != CLOCK_MONOTONIC)
		return -EINVAL;
	ret = futex_deadline(a->a[3], realtime, &deadline);
	if (ret)
		return ret;
	want = kmalloc(n * sizeof(*want));
	if (!want)
		return -ENOMEM;
	ret = futex_waitv_copy(want, a->a[0], n);
	if (!ret)
		ret = futex_wait_any(want, n, deadline);
	kfree(want);
	return ret == -ERESTARTSYS && a->a[3] ? -EINTR : ret;
}

s64 sys_futex(struct task *t, const struct sysargs *a)
{
	uaddr_t addr = a->a[0];
	u32 op = (u32)a->a[1];
	u32 cmd = op & FUTEX_CMD_MASK;
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	u32 val = (u32)a->a[2];
	u32 val2 = (u32)a->a[3];
	u32 val3 = (u32)a->a[5];

	if ((op & FUTEX_CLOCK_REALTIME) && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_LOCK_PI2 &&
		cmd != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
		return sys_futex_wait(t, a, false, FUTEX_ANY_BIT);
	case FUTEX_WAIT_BITSET:
		return sys_futex_wait(t, a, true, val3);
	case FUTEX_WAKE:
		return futex_wake(addr, shared, val, FUTEX_ANY_BIT);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, val, val3);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		if ((s32)val < 0 || (s32)val2 < 0)
			return -EINVAL;
		return futex_requeue(
			addr, shared, val, val2, a->a[4], cmd == FUTEX_REQUEUE ? NULL : &val3);
	case FUTEX_WAIT_REQUEUE_PI:
		return sys_futex_wait_requeue_pi(a);
	case FUTEX_CMP_REQUEUE_PI:
		if ((s32)val < 0 || (s32)val2 < 0)
			return -EINVAL;
		return futex_requeue_pi(addr, shared, val, val2, a->a[4], val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, shared, val, a->a[4], val2, val3);
	case FUTEX_LOCK_PI:
		return sys_futex_lock_pi(a, true);
	case FUTEX_LOCK_PI2:
		return sys_futex_lock_pi(a, op & FUTEX_CLOCK_REALTIME);
	case FUTEX_TRYLOCK_PI:
		return futex_pi_lock(addr, shared, WAIT_FOREVER, true);
	case FUTEX_UNLOCK_PI:
		return futex_pi_unlock(addr, shared);
	default:
		return -ENOSYS;
	}
}

s64 sys_set_robust_list(struct task *t, const struct sysargs *a)
{
	if (a->a[1] != sizeof(struct robust_list_head))
		return -EINVAL;
	t->robust_list = a->a[0];
	return 0;
}

s64 sys_get_robust_list(struct task *t, const struct sysargs *a)
{
	int pid = (int)a->a[0];
	struct task *other = pid ? task_find(pid) : NULL;
	u64 size = sizeof(struct robust_list_head);
	u64 head;

	if (pid && !other)
		return -ESRCH;
	if (other && other != t && !signal_may_send(t->cred, other, 0)) {
		task_put(other);
		return -EPERM;
	}
	head = other ? other->robust_list : t->robust_list;
	task_put(other);
	if (put_user(size, a->a[2]) < 0 || put_user(head, a->a[1]) < 0)
		return -EFAULT;
	return 0;
}
