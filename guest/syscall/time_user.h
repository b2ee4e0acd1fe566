/* SPDX-License-Identifier: Apache-2.0 */
/* struct timespec and friends from and to programs. */
#ifndef SYSCALL_TIME_USER_H
#define SYSCALL_TIME_USER_H

#include <linux/time_types.h>

#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/waitq.h"
#include "mm/usercopy.h"

#define TIME_MAX_SEC (INT64_MAX / (s64)NSEC_PER_SEC)

/* ns, clamped to what 63 bits hold. -EINVAL: negative or not normal. */
static inline s64 timespec_to_ns(const struct __kernel_timespec *ts)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	if (ts->tv_sec >= TIME_MAX_SEC)
		return INT64_MAX;
	return ts->tv_sec * (s64)NSEC_PER_SEC + ts->tv_nsec;
}

static inline struct __kernel_timespec ns_to_timespec(u64 ns)
{
	struct __kernel_timespec ts = { (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC) };

	return ts;
}

/* ns, or -EFAULT, -EINVAL. */
static inline s64 get_timespec(uaddr_t src)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, src, sizeof(ts)) < 0)
		return -EFAULT;
	return timespec_to_ns(&ts);
}

static inline s64 put_timespec(uaddr_t dst, u64 ns)
{
	struct __kernel_timespec ts = ns_to_timespec(ns);

	return copy_to_user(dst, &ts, sizeof(ts));
}

/* CLOCK_MONOTONIC deadline `ns` from now, never WAIT_FOREVER by accident. */
static inline u64 deadline_after(s64 ns)
{
	u64 now = clock_monotonic();
	u64 end;

	if (__builtin_add_overflow(now, (u64)ns, &end) || end > INT64_MAX)
		return INT64_MAX;
	return end;
}

/* A CLOCK_REALTIME point as CLOCK_MONOTONIC deadline. */
static inline u64 deadline_at_realtime(s64 at)
{
	u64 now = clock_realtime();

	return (u64)at <= now ? clock_monotonic() : deadline_after((s64)((u64)at - now));
}

/* A timeout that a program may leave out (NULL: no end), as deadline. 0, -EFAULT, -EINVAL. */
static inline s64 get_deadline(uaddr_t timeout, bool realtime, u64 *deadline)
{
	s64 ns;

	*deadline = WAIT_FOREVER;
	if (!timeout)
		return 0;
	ns = get_timespec(timeout);
	if (ns < 0)
		return ns;
	*deadline = realtime ? deadline_at_realtime(ns) : deadline_after(ns);
	return 0;
}

#endif
