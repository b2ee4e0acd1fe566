/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load average, as Linux computes it: every five seconds what runs or waits for a processor is counted into three averages that forget over one,
 * five and fifteen minutes. While nothing runs there is no timer: the averages are brought up to date when somebody asks, or runs again.
 */
#ifndef KERNEL_LOADAVG_H
#define KERNEL_LOADAVG_H

#include "lib/atomic.h"
#include "lib/types.h"

#define LOAD_SHIFT 11 /* of the averages: fixed point */
#define LOAD_COUNT 3

extern bool load_watched; /* the timer is armed; atomic */

void load_watch(void);

/* A thread becomes runnable. Any context, no run queue's lock held. */
static inline void load_wake(void)
{
	if (unlikely(!atomic_load(&load_watched)))
		load_watch();
}

void load_get(u64 avg[LOAD_COUNT]);

/* ---- pure, tested on the host ---- */
/* An average after n samples of `active` (fixed point, too); `keep` is what is left of the old value after one. */
u64 load_after(u64 avg, u64 keep, u64 active, u64 n);

#endif
