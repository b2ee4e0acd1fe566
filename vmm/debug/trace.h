/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the debugger can see of the VMM's traffic: the last TRACE_ENTRIES exits and vsock packets, kept while somebody asks for them. One ring
 * a process, filled by any thread without a lock; its memory is not touched before it is used. The entries are for people: one that is
 * overwritten while it is read is reported lost.
 */
#ifndef CM_VMM_DEBUG_TRACE_H
#define CM_VMM_DEBUG_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <casemate/debug.h>

#define TRACE_ENTRIES 4096

/* CM_DBG_TRACE_* that are wanted; set by the debug thread. */
extern _Atomic uint32_t trace_kinds;

static inline bool trace_wants(uint32_t kind)
{
	return __builtin_expect(
		(atomic_load_explicit(&trace_kinds, memory_order_relaxed) & kind) != 0, 0);
}

static inline uint64_t trace_clock(void)
{
	return __builtin_ia32_rdtsc();
}

/* Any thread. */
void trace_add(const struct cm_dbg_trace_entry *e);

/*
 * Copy at most `max` entries from number *next on, oldest first. *next becomes the number behind the last one, *lost the wanted ones that
 * are gone. The debug thread.
 */
uint32_t trace_read(struct cm_dbg_trace_entry *e, uint32_t max, uint64_t *next, uint64_t *lost);

/* The number that the next entry will get. */
uint64_t trace_head(void);

#endif
