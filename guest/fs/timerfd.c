/* SPDX-License-Identifier: Apache-2.0 */
/* timerfd: expirations of a clock, readable. The timer's callback runs in interrupt context and only counts and wakes. */
#include "fs/anon.h"

#include <linux/time.h>
#include <linux/timerfd.h>

#include "fs/internal.h"
#include "fs/poll.h"
#include "kernel/clock.h"
#include "kernel/timer.h"
#include "task/time_ns.h"

struct timerfd {
	struct mutex lock; /* protects: settings */
	struct spinlock count_lock; /* irq; protects: ticks, expires, interval, armed */
	struct waitq wq;
	struct ktimer timer;
	int clockid;
	u64 expires; /* CLOCK_MONOTONIC */
	u64 interval;
	u64 ticks;
	bool armed;
};

static const struct file_ops timerfd_ops;

/* Counts what has expired by now. A periodic timer is armed for one expiration at a time and its phase is kept by arithmetic. */
static void timerfd_update(struct timerfd *t)
{
	u64 now = clock_monotonic();

	if (!t->armed || now < t->expires)
		return;
	if (!t->interval) {
		t->ticks++;
		t->armed = false;
		return;
	}
	t->ticks += (now - t->expires) / t->interval + 1;
	t->expires += ((now - t->expires) / t->interval + 1) * t->interval;
}

static void timerfd_fire(struct ktimer *k)
{
	struct timerfd *t = container_of(k, struct timerfd, timer);
	u64 flags = spin_lock_irq(&t->count_lock);

	timerfd_update(t);
	spin_unlock_irq(&t->count_lock, flags);
	waitq_wake(&t->wq, 1, POLLIN | POLLRDNORM);
}

/* Ticks since the last read; rearms a periodic timer, which stays quiet while nobody reads. */
static u64 timerfd_take(struct timerfd *t)
{
	u64 flags = spin_lock_irq(&t->count_lock), n, expires;
	bool rearm;

	timerfd_update(t);
	n = t->ticks;
	t->ticks = 0;
	rearm = n && t->armed && t->interval;
	expires = t->expires;
	spin_unlock_irq(&t->count_lock, flags);
	if (rearm)
		ktimer_arm(&t->timer, expires);
	return n;
}

static s64 timerfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct timerfd *t = f->priv;
	u64 n;
	int err;

	(void)pos;
	if (u->left < sizeof(n))
		return -EINVAL;
	n = timerfd_take(t);
	while (!n) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_intr(&t->wq, READ_ONCE(t->ticks));
		if (err)
			return err;
		n = timerfd_take(t);
	}
	return uio_write(u, &n, sizeof(n)) == sizeof(n) ? (s64)sizeof(n) : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait(f, &t->wq, pt);
	return READ_ONCE(t->ticks) ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	ktimer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
};

int timerfd_create_file(int clockid, u32 flags, struct file **out)
{
	struct timerfd *t;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (clockid == CLOCK_REALTIME_ALARM || clockid == CLOCK_BOOTTIME_ALARM) {
		if (!fs_capable(CAP_WAKE_ALARM))
			return -EPERM;
	} else if (clockid != CLOCK_MONOTONIC && clockid != CLOCK_REALTIME &&
		   clockid != CLOCK_BOOTTIME) {
		return -EINVAL;
	}
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	waitq_init(&t->wq);
	ktimer_init(&t->timer, timerfd_fire);
	t->clockid = clockid;
	*out = file_create_anon(
		&timerfd_ops, t, O_RDWR | (flags & O_NONBLOCK), "anon_inode:[timerfd]");
	if (*out)
		return 0;
	kfree(t);
	return -ENFILE;
}

static void timerfd_get_locked(struct timerfd *t, struct timerfd_spec *out)
{
	u64 now = clock_monotonic();

	timerfd_update(t);
	out->interval = t->interval;
	out->value = t->armed ? MAX(t->expires - now, 1UL) : 0;
	if (t->armed && t->expires <= now)
		out->value = 1;
}

static u64 timerfd_deadline(const struct timerfd *t, int flags, u64 value)
{
	u64 now = clock_monotonic(), real, at;

	if (!(flags & TFD_TIMER_ABSTIME)) {
		if (__builtin_add_overflow(now, value, &at))
			at = WAIT_FOREVER;
		return at;
	}
	if (t->clockid != CLOCK_REALTIME && t->clockid != CLOCK_REALTIME_ALARM)
		return MAX(time_from_shown(t->clockid, value), 1UL);
	real = clock_realtime();
	if (value <= real)
		return now > real - value ? now - (real - value) : 1;
	return __builtin_add_overflow(now, value - real, &at) ? WAIT_FOREVER : at;
}

int timerfd_settime_file(
	struct file *f, int flags, const struct timerfd_spec *spec, struct timerfd_spec *old)
{
	struct timerfd *t = f->priv;
	u64 irq, expires;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	mutex_lock(&t->lock);
	ktimer_cancel(&t->timer);
	irq = spin_lock_irq(&t->count_lock);
	timerfd_get_locked(t, old);
	t->ticks = 0;
	t->interval = spec->interval;
	t->armed = spec->value != 0;
	t->expires = expires = timerfd_deadline(t, flags, spec->value);
	spin_unlock_irq(&t->count_lock, irq);
	if (spec->value)
		ktimer_arm(&t->timer, expires);
	mutex_unlock(&t->lock);
	return 0;
}

int timerfd_gettime_file(struct file *f, struct timerfd_spec *out)
{
	struct timerfd *t = f->priv;
	u64 irq;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	irq = spin_lock_irq(&t->count_lock);
	timerfd_get_locked(t, out);
	spin_unlock_irq(&t->count_lock, irq);
	return 0;
}
