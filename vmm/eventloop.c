/* SPDX-License-Identifier: Apache-2.0 */
/* The io thread's event loop on epoll. */
#include <config.h>

#include "vmm/eventloop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EV_BATCH 32

struct eventloop {
	int epfd;
	int wakefd;
	struct ev_timer *timers; /* sorted by deadline */
	struct ev_poller *pollers;
	struct ev_work *work[EVENTLOOP_WORK_MAX];
	unsigned int nwork;
	struct epoll_event
		batch[EV_BATCH]; /* the round under dispatch; eventloop_del blanks entries */
	int nbatch;
	uint64_t busy_until;
	_Atomic uint32_t pending; /* bit = index of posted work */
	_Atomic bool sleeping; /* about to block: a poster must write wakefd */
	_Atomic bool stop;
};

uint64_t eventloop_now(void)
{
	struct timespec ts;

	/* #syscalls:io clock_gettime */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct eventloop *eventloop_create(void)
{
	struct eventloop *loop = calloc(1, sizeof(*loop));
	struct epoll_event ev = { .events = EPOLLIN };

	if (!loop)
		return NULL;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	loop->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epfd < 0 || loop->wakefd < 0 ||
		epoll_ctl(loop->epfd, EPOLL_CTL_ADD, loop->wakefd, &ev) < 0) {
		eventloop_destroy(loop);
		return NULL;
	}
	return loop;
}

void eventloop_destroy(struct eventloop *loop)
{
	if (!loop)
		return;
	if (loop->epfd >= 0)
		close(loop->epfd);
	if (loop->wakefd >= 0)
		close(loop->wakefd);
	free(loop);
}

int eventloop_add(struct eventloop *loop, struct ev_source *src, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	/* #syscalls:io epoll_ctl */
	return epoll_ctl(loop->epfd, EPOLL_CTL_ADD, src->fd, &ev) < 0 ? -errno : 0;
}

int eventloop_mod(struct eventloop *loop, struct ev_source *src, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	return epoll_ctl(loop->epfd, EPOLL_CTL_MOD, src->fd, &ev) < 0 ? -errno : 0;
}

void eventloop_del(struct eventloop *loop, struct ev_source *src)
{
	epoll_ctl(loop->epfd, EPOLL_CTL_DEL, src->fd, NULL);
	for (int i = 0; i < loop->nbatch; i++)
		if (loop->batch[i].data.ptr == src)
			loop->batch[i].data.ptr = NULL;
}

void eventloop_timer_cancel(struct eventloop *loop, struct ev_timer *t)
{
	struct ev_timer **p = &loop->timers;

	if (!t->armed)
		return;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->armed = false;
}

void eventloop_timer_set(struct eventloop *loop, struct ev_timer *t, uint64_t ns)
{
	struct ev_timer **p = &loop->timers;

	eventloop_timer_cancel(loop, t);
	t->deadline = eventloop_now() + ns;
	while (*p && (*p)->deadline <= t->deadline)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	t->armed = true;
}

int eventloop_work_add(struct eventloop *loop, struct ev_work *w)
{
	if (loop->nwork == EVENTLOOP_WORK_MAX)
		return -ENOSPC;
	w->loop = loop;
	w->index = loop->nwork;
	loop->work[loop->nwork++] = w;
	return 0;
}

/* #syscalls:vcpu write */
static void eventloop_wake(struct eventloop *loop)
{
	uint64_t one = 1;

	/* Pairs with eventloop_may_sleep: either we see `sleeping`, or the loop sees what we stored before. */
	if (atomic_exchange(&loop->sleeping, false)) {
		ssize_t r = write(loop->wakefd, &one, sizeof(one));

		(void)r; /* a full counter wakes as well */
	}
}

void eventloop_post(struct ev_work *w)
{
	uint32_t bit = 1u << w->index;

	if (!(atomic_fetch_or(&w->loop->pending, bit) & bit))
		eventloop_wake(w->loop);
}

void eventloop_stop(struct eventloop *loop)
{
	atomic_store(&loop->stop, true);
	eventloop_wake(loop);
}

void eventloop_poller_add(struct eventloop *loop, struct ev_poller *p)
{
	p->next = loop->pollers;
	loop->pollers = p;
}

static bool eventloop_may_sleep(struct eventloop *loop)
{
	atomic_store(&loop->sleeping, true);
	if (!atomic_load(&loop->pending) && !atomic_load(&loop->stop))
		return true;
	atomic_store(&loop->sleeping, false);
	return false;
}

static int eventloop_run_work(struct eventloop *loop)
{
	uint32_t bits = atomic_exchange(&loop->pending, 0);
	int n = 0;

	for (; bits; bits &= bits - 1, n++) {
		struct ev_work *w = loop->work[__builtin_ctz(bits)];

		w->fn(w);
	}
	return n;
}

static int eventloop_run_timers(struct eventloop *loop)
{
	uint64_t now;
	int n = 0;

	if (!loop->timers)
		return 0;
	now = eventloop_now();
	while (loop->timers && loop->timers->deadline <= now) {
		struct ev_timer *t = loop->timers;

		loop->timers = t->next;
		t->armed = false;
		t->fn(t);
		n++;
	}
	return n;
}

static int eventloop_run_pollers(struct eventloop *loop)
{
	int n = 0;

	for (struct ev_poller *p = loop->pollers; p; p = p->next)
		n += p->fn(p);
	return n;
}

static int eventloop_timeout(struct eventloop *loop, int timeout_ms)
{
	uint64_t now, ms;

	if (!loop->timers)
		return timeout_ms;
	now = eventloop_now();
	if (loop->timers->deadline <= now)
		return 0;
	ms = (loop->timers->deadline - now + 999999) / 1000000;
	if (ms > 60000)
		ms = 60000;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < ms ? timeout_ms : (int)ms;
}

/* Tell the pollers that nobody will look for them from now on. */
static bool eventloop_idle(struct eventloop *loop)
{
	bool work = false;

	for (struct ev_poller *p = loop->pollers; p; p = p->next)
		work |= p->idle(p);
	return !work;
}

/* Wait for descriptors, or only look at them while the loop is busy. */
static int eventloop_wait(struct eventloop *loop, int timeout_ms)
{
	int n;

	if (timeout_ms && loop->pollers && eventloop_now() < loop->busy_until)
		timeout_ms = 0;
	if (timeout_ms) {
		timeout_ms = eventloop_timeout(loop, timeout_ms);
		if (timeout_ms && (!eventloop_idle(loop) || !eventloop_may_sleep(loop)))
			timeout_ms = 0;
	}
	/* #syscalls:io epoll_wait epoll_pwait */
	n = epoll_wait(loop->epfd, loop->batch, EV_BATCH, timeout_ms);
	atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

int eventloop_step(struct eventloop *loop, int timeout_ms)
{
	int ran = 0, brief = 0, n = eventloop_wait(loop, timeout_ms);

	if (n < 0)
		return n;
	loop->nbatch = n;
	for (int i = 0; i < n; i++) {
		struct ev_source *src = loop->batch[i].data.ptr;
		uint64_t count;

		if (src) {
			brief += src->brief;
			src->fn(src, loop->batch[i].events);
			ran++;
		} else if (read(loop->wakefd, &count, sizeof(count)) < 0) {
			/* #syscalls:io read -- blanked by eventloop_del, or the wake-up was read before */
			continue;
		}
	}
	loop->nbatch = 0;
	ran += eventloop_run_work(loop);
	ran += eventloop_run_timers(loop);
	ran += eventloop_run_pollers(loop);
	if (ran > brief && loop->pollers)
		loop->busy_until = eventloop_now() + EVENTLOOP_POLL_NS;
	return ran;
}

int eventloop_run(struct eventloop *loop)
{
	while (!atomic_load(&loop->stop)) {
		int r = eventloop_step(loop, -1);

		if (r < 0)
			return r;
	}
	return 0;
}
