/* SPDX-License-Identifier: Apache-2.0 */
/* When the load average is sampled. */
#include "kernel/loadavg.h"

#include "kernel/clock.h"
#include "kernel/percpu.h"
#include "kernel/timer.h"

#define LOAD_PERIOD (5 * NSEC_PER_SEC)

static void load_sample(struct ktimer *t);

bool load_watched;
static struct spinlock load_lock; /* irq; protects: the rest */
static u64 load_avg[LOAD_COUNT];
static u64 load_next; /* when the next sample is due; CLOCK_MONOTONIC ns */
static struct ktimer load_timer = { .fn = load_sample };
static const u64 load_keep[LOAD_COUNT] = { 1884, 2014,
	2037 }; /* e to the power of -5 s / 1, 5, 15 min */

/* Processes that run, or wait for a CPU. A snapshot without locks. */
static u64 load_active(void)
{
	u64 n = 0;

	for (u32 i = 0; i < cpu_count(); i++) {
		const struct runq *rq = &percpu[i].runq;
		const struct thread *running = READ_ONCE(rq->running);

		n += READ_ONCE(rq->queued) + (running && running != percpu[i].idle);
	}
	return n;
}

/* Takes in the samples that were due until now, each of `active`. load_lock held. */
static void load_catch_up(u64 now, u64 active)
{
	u64 n;

	if (now < load_next)
		return;
	n = (now - load_next) / LOAD_PERIOD + 1;
	for (u32 i = 0; i < LOAD_COUNT; i++)
		load_avg[i] = load_after(load_avg[i], load_keep[i], active << LOAD_SHIFT, n);
	load_next += n * LOAD_PERIOD;
}

static void load_sample(struct ktimer *t)
{
	u64 active = load_active(), flags = spin_lock_irq(&load_lock);

	load_catch_up(clock_monotonic(), active);
	if (active)
		ktimer_arm(t, load_next);
	else
		atomic_store(&load_watched, false);
	spin_unlock_irq(&load_lock, flags);
}

void load_watch(void)
{
	u64 flags = spin_lock_irq(&load_lock);

	if (!load_watched) {
		load_catch_up(clock_monotonic(), 0);
		atomic_store(&load_watched, true);
		ktimer_arm(&load_timer, load_next);
	}
	spin_unlock_irq(&load_lock, flags);
}

void load_get(u64 avg[LOAD_COUNT])
{
	u64 flags = spin_lock_irq(&load_lock);

	if (!load_watched)
		load_catch_up(clock_monotonic(), 0);
	for (u32 i = 0; i < LOAD_COUNT; i++)
		avg[i] = load_avg[i];
	spin_unlock_irq(&load_lock, flags);
}
