/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs without work: who they are, how one is called, and how long one looks around before it halts. */
#ifndef KERNEL_IDLE_H
#define KERNEL_IDLE_H

#include "lib/types.h"

struct thread;

/* Does a CPU that becomes idle look around before it halts? Learnt from how it was before. */
struct idle_habit {
	u64 since; /* when it ran out of work, 0 = it has some; CLOCK_MONOTONIC ns */
	u32 luck; /* it looks as long as there is some */
	u32 shorts; /* times in a row that work came soon and it had not looked */
	u32 need; /* how many of them before it looks again */
};

#define IDLE_LUCK_MAX 4u
#define IDLE_NEED_MAX 64u

/*
 * It was idle for `ns`, and `most` is how long it looks. Work that came while it looked is luck for two more times, looking in vain costs one. In vain may
 * be all of it, as when the host has one processor for two vCPUs: then it tries less and less often.
 */
static inline void idle_learn(struct idle_habit *h, u64 ns, u64 most)
{
	if (h->luck && ns <= most) {
		h->luck = MIN(h->luck + 2, IDLE_LUCK_MAX);
		h->need = 1;
	} else if (h->luck) {
		h->luck--;
		if (!h->luck)
			h->need = MIN(2 * MAX(h->need, 1u), IDLE_NEED_MAX);
	} else if (ns > most) {
		h->shorts = 0;
	} else if (++h->shorts >= h->need) {
		h->shorts = 0;
		h->luck = 1;
	}
}

/* Boot: what a trap costs here, in nanoseconds. */
void idle_init(u64 trap);
/* CPUs of mask, without the caller's, that sleep or look around. */
bool idle_any(u64 mask);
/*
 * t waits on the caller's queue, whose lock is held: does an idle CPU take it soon? One that looks around sees it by itself. Else, if `call`, *called is one
 * that sleeps (or IDLE_NOBODY), for idle_call. When the answer is yes and that CPU finds something else to do, it interrupts this one.
 */
#define IDLE_NOBODY (~0u)
bool idle_takes(const struct thread *t, bool call, u32 *called);
/*
 * Without the lock: the host may run the called vCPU in place of the caller's, at once and for milliseconds. Interrupts stay off from idle_takes to here.
 */
void idle_call(u32 cpu);
/* The caller's CPU goes over to its idle thread. */
void idle_begin(void);
/* Somebody put work on the queue of cpu and interrupts it: no need for others to call it. */
void idle_busy(u32 cpu);

#endif
