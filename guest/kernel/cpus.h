/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vCPUs beyond the first come when they are needed. Programs see all of them from the start; only the scheduler knows which ones run.
 */
#ifndef KERNEL_CPUS_H
#define KERNEL_CPUS_H

#include "lib/atomic.h"
#include "lib/types.h"

struct thread;

extern u64 cpus_missing; /* atomic: not asked for yet */
extern u64 cpus_online; /* atomic: run, or are about to idle */

/* Boot: the machine has this many. */
void cpus_set_count(u32 count);
/* Before there is a task: use no more than `count` (0 = all), and let programs see no others. */
void cpus_limit(u32 count);

/* Must threads tell how long they wait? */
static inline bool cpus_pending(void)
{
	return READ_ONCE(cpus_missing) != 0;
}

static inline u32 cpus_running(void)
{
	return (u32)__builtin_popcountl(READ_ONCE(cpus_online));
}

/* Only the first one runs so far. */
static inline bool cpus_alone(void)
{
	return READ_ONCE(cpus_online) == 1;
}

/* t comes in at `now`, after t->queued_at. True: cpus_start_more is to be called, with interrupts enabled and no lock held. */
bool cpus_waited(const struct thread *t, u64 now);
void cpus_start_more(void);

/* At least one of mask is running or about to. May sleep. 0, -ENOMEM, or -EAGAIN as arch_start_cpu. */
int cpus_need(u64 mask);
/* All are running. May sleep. For the self-test. */
int cpus_need_all(void);

/* The calling CPU is ready to idle. */
void cpus_arrived(void);

#endif
