/* SPDX-License-Identifier: Apache-2.0 */
/* One-shot timers on CLOCK_MONOTONIC. Callbacks run in interrupt context on the CPU that armed the timer: short, no sleeping. */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "lib/rbtree.h"

struct ktimer;
typedef void (*ktimer_fn)(struct ktimer *t);

struct ktimer {
	struct rb_node node;
	u64 expires; /* CLOCK_MONOTONIC ns */
	ktimer_fn fn;
	u32 cpu;
	bool armed;
};

void ktimer_init(struct ktimer *t, ktimer_fn fn);
/* (Re)arm. Past times fire at once. */
void ktimer_arm(struct ktimer *t, u64 expires);
/* Disarm; on return the callback does not run and will not. True when it was armed. Not from the callback itself. */
bool ktimer_cancel(struct ktimer *t);
/* Disarm without waiting: the callback may be running. For callers in interrupt context or holding locks that the callback takes. */
bool ktimer_cancel_async(struct ktimer *t);

#endif
