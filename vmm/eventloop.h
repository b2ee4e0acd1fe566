/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of a VMM's io thread: descriptors, timers, work posted by other threads, and short busy polling.
 *
 * One thread runs the loop and is the only one that may call anything here except eventloop_post and eventloop_stop. Callbacks run one
 * at a time on that thread; a callback may add, change and delete any source, timer or poller, its own included: no callback of a deleted
 * one follows. All structures are the caller's storage and must stay until they are deleted.
 *
 * Polling: after each round in which something happened the loop calls the pollers for EVENTLOOP_POLL_NS, without sleeping, as long
 * as events keep coming; an idle loop sleeps. Sources that have nothing to do with what the pollers watch say so (`brief`): polling after
 * them would keep the processor from whom they woke.
 */
#ifndef CM_VMM_EVENTLOOP_H
#define CM_VMM_EVENTLOOP_H

#include <stdbool.h>
#include <stdint.h>

#define EVENTLOOP_POLL_NS  50000
#define EVENTLOOP_WORK_MAX 32

struct eventloop;

struct ev_source {
	int fd; /* not owned; delete the source before closing it */
	void (*fn)(struct ev_source *src, uint32_t events); /* events: EPOLL* bits */
	void *arg;
	bool brief; /* no polling on its account */
};

struct ev_timer {
	void (*fn)(struct ev_timer *t);
	void *arg;
	uint64_t deadline; /* the loop's: CLOCK_MONOTONIC ns */
	struct ev_timer *next;
	bool armed;
};

struct ev_work {
	void (*fn)(struct ev_work *w);
	void *arg;
	struct eventloop *loop;
	unsigned int index;
};

struct ev_poller {
	bool (*fn)(struct ev_poller *p); /* true = there was work */
	bool (*idle)(struct ev_poller *
			p); /* the loop will sleep: ask for wake-ups; true = work came in meanwhile */
	void *arg;
	struct ev_poller *next;
};

/* NULL when descriptors or memory are short. */
struct eventloop *eventloop_create(void);
void eventloop_destroy(struct eventloop *loop);

/* Dispatch until eventloop_stop. 0, or -errno when the loop itself fails. */
int eventloop_run(struct eventloop *loop);

/* One round: wait at most timeout_ms (-1 = for ever), dispatch what is ready. Number of callbacks run, or -errno. For tests. */
int eventloop_step(struct eventloop *loop, int timeout_ms);

/* Make eventloop_run return. Any thread. */
void eventloop_stop(struct eventloop *loop);

/* Watch src->fd for `events` (EPOLLIN | EPOLLOUT, may be 0: then only errors and hang-ups); change it; stop. */
int eventloop_add(struct eventloop *loop, struct ev_source *src, uint32_t events);
int eventloop_mod(struct eventloop *loop, struct ev_source *src, uint32_t events);
void eventloop_del(struct eventloop *loop, struct ev_source *src);

/* Call t->fn once, `ns` from now; a timer that is armed is moved. */
void eventloop_timer_set(struct eventloop *loop, struct ev_timer *t, uint64_t ns);
void eventloop_timer_cancel(struct eventloop *loop, struct ev_timer *t);

/* Register w (fn and arg set) before other threads run. 0 or -ENOSPC. */
int eventloop_work_add(struct eventloop *loop, struct ev_work *w);

/* Have w->fn called soon on the loop's thread; posts before that call melt into one. Any thread, never blocks. */
void eventloop_post(struct ev_work *w);

void eventloop_poller_add(struct eventloop *loop, struct ev_poller *p);

/* CLOCK_MONOTONIC in ns. */
uint64_t eventloop_now(void);

#endif
