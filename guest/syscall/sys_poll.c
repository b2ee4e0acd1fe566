/* SPDX-License-Identifier: Apache-2.0 */
/* poll, select, epoll. */
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include <linux/personality.h>

#include "fs/anon.h"
#include "fs/poll.h"
#include "kernel/clock.h"
#include "syscall/fsarg.h"
#include "syscall/handlers.h"
#include "task/task.h"

struct timespec_k {
	s64 sec, nsec;
};

/* ---- deadlines and masks ---- */
/* CLOCK_MONOTONIC deadline of a relative timespec; NULL pointer = forever. 0, -EFAULT or -EINVAL. */
static int deadline_get(uaddr_t p, u64 *deadline)
{
	struct timespec_k ts;

	*deadline = WAIT_FOREVER;
	if (!p)
		return 0;
	if (copy_from_user(&ts, p, sizeof(ts)))
		return -EFAULT;
	if (ts.sec < 0 || (u64)ts.nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (!ts.sec && !ts.nsec)
		*deadline = 0;
	else if ((u64)ts.sec < 1UL << 33)
		*deadline = clock_monotonic() + (u64)ts.sec * NSEC_PER_SEC + (u64)ts.nsec;
	return 0;
}

static u64 deadline_ms(int ms)
{
	if (ms < 0)
		return WAIT_FOREVER;
	return ms ? clock_monotonic() + (u64)ms * NSEC_PER_MSEC : 0;
}

/* Writes the time that is left, as ppoll and pselect do; a fault there is not an error. unit = ns per field of the second word. */
static void deadline_put(uaddr_t p, u64 deadline, u64 unit)
{
	struct timespec_k ts = { 0, 0 };
	u64 now, left;

	if (!p || deadline == WAIT_FOREVER || (task_current()->personality & STICKY_TIMEOUTS))
		return;
	now = clock_monotonic();
	left = deadline > now ? deadline - now : 0;
	ts.sec = (s64)(left / NSEC_PER_SEC);
	ts.nsec = (s64)(left % NSEC_PER_SEC / unit);
	(void)copy_to_user_some(p, &ts, sizeof(ts));
}

/* The temporary signal mask of the p-calls. 1 when one was set. */
static int mask_begin(uaddr_t p, u64 size)
{
	u64 set;

	if (!p)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	if (get_user(set, p))
		return -EFAULT;
	signal_mask_temporary(set);
	return 1;
}

/* Interrupted calls keep the temporary mask until the signal was delivered. */
static void mask_end(int on, s64 ret)
{
	if (on > 0 && ret != -ERESTARTNOHAND && ret != -EINTR)
		signal_mask_restore();
}

/* ---- poll ---- */
struct pollfd_k {
	s32 fd;
	s16 events, revents;
};

struct poll_item {
	struct file *file; /* held for the whole call */
	u32 want;
};

struct poll_call {
	struct poll_set set;
	struct pollfd_k *fds;
	struct poll_item *items;
	u32 n;
	struct pollfd_k small_fds[8];
	struct poll_item small_items[8];
	void *heap;
};

static s64 poll_scan(struct poll_call *c, bool first)
{
	struct poll_table *pt = first ? &c->set.table : NULL;
	s64 ready = 0;

	for (u32 i = 0; i < c->n; i++) {
		struct poll_item *it = &c->items[i];
		u32 mask = 0;

		if (c->fds[i].fd < 0) {
			c->fds[i].revents = 0;
			continue;
		}
		if (!it->file) {
			mask = POLLNVAL;
		} else {
			if (pt)
				pt->key = it->want;
			mask = file_poll(it->file, pt) & it->want;
		}
		c->fds[i].revents = (s16)mask;
		if (mask) {
			ready++;
			pt = NULL; /* it will not sleep: no need to queue on the others */
		}
	}
	return ready;
}

static s64 poll_loop(struct poll_call *c, u64 deadline)
{
	s64 ready = poll_scan(c, deadline != 0);
	int err = c->set.table.error;

	while (!ready && !err && deadline) {
		err = poll_set_sleep(&c->set, deadline);
		ready = poll_scan(c, false);
		if (err == -ETIMEDOUT)
			return ready;
	}
	if (ready)
		return ready;
	return err == -ERESTARTSYS ? -EINTR : err;
}

static s64 poll_alloc(struct poll_call *c, u64 n)
{
	c->n = (u32)n;
	c->heap = NULL;
	c->fds = c->small_fds;
	c->items = c->small_items;
	if (n <= ARRAY_SIZE(c->small_fds))
		return 0;
	c->heap = kmalloc(n * (sizeof(*c->fds) + sizeof(*c->items)));
	if (!c->heap)
		return -ENOMEM;
	c->items = c->heap;
	c->fds = (struct pollfd_k *)(c->items + n);
	return 0;
}

static s64 do_poll(struct task *t, uaddr_t ufds, u64 n, u64 deadline)
{
	struct poll_call c;
	s64 ret;

	if (n > rlimit_soft(t->group, RLIMIT_NOFILE) || n > 1UL << 17)
		return -EINVAL;
	ret = poll_alloc(&c, n);
	if (ret)
		return ret;
	if (copy_from_user(c.fds, ufds, n * sizeof(*c.fds))) {
		kfree(c.heap);
		return -EFAULT;
	}
	poll_set_init(&c.set);
	for (u32 i = 0; i < n; i++) {
		c.items[i].file = c.fds[i].fd >= 0 ? fd_get(c.fds[i].fd) : NULL;
		c.items[i].want = (u16)c.fds[i].events | POLLERR | POLLHUP;
	}
	ret = poll_loop(&c, deadline);
	poll_set_done(&c.set);
	for (u32 i = 0; i < n; i++) {
		if (c.items[i].file)
			file_put(c.items[i].file);
		if (ret >= 0 &&
			put_user(c.fds[i].revents,
				ufds + i * sizeof(*c.fds) + offsetof(struct pollfd_k, revents)))
			ret = -EFAULT;
	}
	kfree(c.heap);
	return ret;
}

static s64 poll_restart(struct task *t)
{
	return do_poll(t, t->restart.arg[0], t->restart.arg[1], t->restart.arg[2]);
}

s64 sys_poll(struct task *t, const struct sysargs *a)
{
	u64 deadline = deadline_ms((int)a->a[2]);
	s64 ret = do_poll(t, a->a[0], (u32)a->a[1], deadline);

	if (ret != -EINTR)
		return ret;
	t->restart.fn = poll_restart;
	t->restart.arg[0] = a->a[0];
	t->restart.arg[1] = (u32)a->a[1];
	t->restart.arg[2] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

s64 sys_ppoll(struct task *t, const struct sysargs *a)
{
	u64 deadline;
	s64 ret = deadline_get(a->a[2], &deadline);
	int on;

	if (ret)
		return ret;
	on = mask_begin(a->a[3], a->a[4]);
	if (on < 0)
		return on;
	ret = do_poll(t, a->a[0], (u32)a->a[1], deadline);
	if (ret == -EINTR)
		ret = -ERESTARTNOHAND;
	mask_end(on, ret);
	deadline_put(a->a[2], deadline, 1);
	return ret;
}

/* ---- select: three bitmaps in, three out ---- */
#define SELECT_IN_MASK	(POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT_MASK (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EX_MASK	POLLPRI

struct select_call {
	struct poll_set set;
	u64 *bits; /* in, out, ex, then the three results */
	struct file **files;
	u32 n, words;
};

static const u32 select_masks[3] = { SELECT_IN_MASK, SELECT_OUT_MASK, SELECT_EX_MASK };

static bool select_bit(const struct select_call *c, u32 map, u32 fd)
{
	return c->bits[map * c->words + fd / 64] >> (fd % 64) & 1;
}

static s64 select_scan(struct select_call *c, bool first)
{
	struct poll_table *pt = first ? &c->set.table : NULL;
	s64 ready = 0;

	memset(c->bits + 3 * c->words, 0, 3 * c->words * sizeof(u64));
	for (u32 fd = 0; fd < c->n; fd++) {
		u32 mask;

		if (!c->files[fd])
			continue;
		if (pt)
			pt->key = 0;
		mask = file_poll(c->files[fd], pt);
		for (u32 m = 0; m < 3; m++) {
			if (!select_bit(c, m, fd) || !(mask & select_masks[m]))
				continue;
			c->bits[(3 + m) * c->words + fd / 64] |= 1UL << (fd % 64);
			ready++;
			pt = NULL;
		}
	}
	return ready;
}

static s64 select_files(struct select_call *c)
{
	for (u32 fd = 0; fd < c->n; fd++) {
		if (!select_bit(c, 0, fd) && !select_bit(c, 1, fd) && !select_bit(c, 2, fd))
			continue;
		c->files[fd] = fd_get((int)fd);
		if (!c->files[fd])
			return -EBADF;
	}
	return 0;
}

static s64 select_loop(struct select_call *c, u64 deadline)
{
	s64 ready = select_scan(c, deadline != 0);
	int err = c->set.table.error;

	while (!ready && !err && deadline) {
		err = poll_set_sleep(&c->set, deadline);
		ready = select_scan(c, false);
		if (err == -ETIMEDOUT)
			return ready;
	}
	if (ready)
		return ready;
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

static s64 select_run(struct select_call *c, const uaddr_t *maps, u64 deadline)
{
	size_t bytes = (c->n + 63) / 64 * 8;
	s64 ret;

	for (u32 m = 0; m < 3; m++) {
		if (maps[m] && copy_from_user(c->bits + m * c->words, maps[m], bytes))
			return -EFAULT;
	}
	ret = select_files(c);
	if (!ret)
		ret = select_loop(c, deadline);
	for (u32 m = 0; ret >= 0 && m < 3; m++) {
		if (maps[m] && copy_to_user(maps[m], c->bits + (3 + m) * c->words, bytes))
			ret = -EFAULT;
	}
	return ret;
}

static s64 do_select(struct task *t, int nfds, const uaddr_t *maps, u64 deadline)
{
	struct select_call c;
	s64 ret;
	u32 max = fdtable_size(t->files);

	if (nfds < 0)
		return -EINVAL;
	c.n = MIN((u32)nfds, max);
	c.words = (c.n + 63) / 64;
	c.bits = kzalloc((size_t)c.words * 6 * 8 + c.n * sizeof(*c.files) + 8);
	if (!c.bits)
		return -ENOMEM;
	c.files = (struct file **)(c.bits + (size_t)c.words * 6);
	poll_set_init(&c.set);
	ret = select_run(&c, maps, deadline);
	poll_set_done(&c.set);
	for (u32 fd = 0; fd < c.n; fd++) {
		if (c.files[fd])
			file_put(c.files[fd]);
	}
	kfree(c.bits);
	return ret;
}

s64 sys_select(struct task *t, const struct sysargs *a)
{
	uaddr_t maps[3] = { a->a[1], a->a[2], a->a[3] };
	u64 deadline = WAIT_FOREVER;
	struct timespec_k tv;
	s64 ret;

	if (a->a[4]) {
		if (copy_from_user(&tv, a->a[4], sizeof(tv)))
			return -EFAULT;
		if (tv.sec < 0 || tv.nsec < 0)
			return -EINVAL;
		tv.sec += tv.nsec / 1000000;
		tv.nsec = tv.nsec % 1000000 * 1000;
		if (!tv.sec && !tv.nsec)
			deadline = 0;
		else if ((u64)tv.sec < 1UL << 33)
			deadline = clock_monotonic() + (u64)tv.sec * NSEC_PER_SEC + (u64)tv.nsec;
	}
	ret = do_select(t, (int)a->a[0], maps, deadline);
	deadline_put(a->a[4], deadline, NSEC_PER_USEC);
	return ret;
}

s64 sys_pselect6(struct task *t, const struct sysargs *a)
{
	uaddr_t maps[3] = { a->a[1], a->a[2], a->a[3] };
	u64 sig[2] = { 0, 0 }, deadline;
	s64 ret;
	int on;

	if (a->a[5] && copy_from_user(sig, a->a[5], sizeof(sig)))
		return -EFAULT;
	ret = deadline_get(a->a[4], &deadline);
	if (ret)
		return ret;
	on = mask_begin(sig[0], sig[1]);
	if (on < 0)
		return on;
	ret = do_select(t, (int)a->a[0], maps, deadline);
	mask_end(on, ret);
	deadline_put(a->a[4], deadline, 1);
	return ret;
}

/* ---- epoll ---- */
static s64 epoll_new(u32 flags)
{
	struct file *f;
	s64 ret = epoll_create_file(&f);

	if (ret)
		return ret;
	ret = fd_install(f, flags, 0);
	if (ret < 0)
		file_put(f);
	return ret;
}

s64 sys_epoll_create(struct task *t, const struct sysargs *a)
{
	(void)t;
	return (int)a->a[0] <= 0 ? -EINVAL : epoll_new(0);
}

s64 sys_epoll_create1(struct task *t, const struct sysargs *a)
{
	(void)t;
	return (u32)a->a[0] & ~(u32)O_CLOEXEC ? -EINVAL : epoll_new((u32)a->a[0]);
}

s64 sys_epoll_ctl(struct task *t, const struct sysargs *a)
{
	struct epoll_event_k ev = { 0, 0 };
	struct epoll_event u;
	struct file *ep, *target;
	s64 ret = -EBADF;

	(void)t;
	if ((int)a->a[1] != EPOLL_CTL_DEL) {
		if (copy_from_user(&u, a->a[3], sizeof(u)))
			return -EFAULT;
		ev.events = u.events;
		ev.data = u.data;
	}
	ep = fd_get((int)a->a[0]);
	target = ep ? fd_get((int)a->a[2]) : NULL;
	if (target)
		ret = epoll_control(ep, (int)a->a[1], (int)a->a[2], target, &ev);
	file_put(target);
	file_put(ep);
	return ret;
}

static bool epoll_emit(void *arg, int i, const struct epoll_event_k *ev)
{
	struct epoll_event u = { .events = ev->events, .data = ev->data };

	return copy_to_user(*(uaddr_t *)arg + (u64)i * sizeof(u), &u, sizeof(u)) == 0;
}

static s64 do_epoll_wait(int fd, uaddr_t to, int max, u64 deadline)
{
	struct file *ep;
	s64 ret;

	if (max <= 0 || max > INT_MAX / (int)sizeof(struct epoll_event))
		return -EINVAL;
	ep = fd_get(fd);
	if (!ep)
		return -EBADF;
	ret = epoll_wait_events(ep, max, deadline, epoll_emit, &to);
	file_put(ep);
	return ret;
}

s64 sys_epoll_wait(struct task *t, const struct sysargs *a)
{
	(void)t;
	return do_epoll_wait((int)a->a[0], a->a[1], (int)a->a[2], deadline_ms((int)a->a[3]));
}

static s64 epoll_pwait_common(const struct sysargs *a, u64 deadline)
{
	int on = mask_begin(a->a[4], a->a[5]);
	s64 ret;

	if (on < 0)
		return on;
	ret = do_epoll_wait((int)a->a[0], a->a[1], (int)a->a[2], deadline);
	mask_end(on, ret);
	return ret;
}

s64 sys_epoll_pwait(struct task *t, const struct sysargs *a)
{
	(void)t;
	return epoll_pwait_common(a, deadline_ms((int)a->a[3]));
}

s64 sys_epoll_pwait2(struct task *t, const struct sysargs *a)
{
	u64 deadline;
	int err = deadline_get(a->a[3], &deadline);

	(void)t;
	return err ? err : epoll_pwait_common(a, deadline);
}
