/* SPDX-License-Identifier: Apache-2.0 */
/* The trace ring: every slot carries the number of its entry, odd bits apart: written before and after, so that a reader sees torn ones. */
#include <config.h>
#include "vmm/debug/trace.h"

#include <string.h>

_Atomic uint32_t trace_kinds;

struct trace_slot {
	_Atomic uint64_t begun, done; /* number + 1 of the entry */
	struct cm_dbg_trace_entry e;
};

static struct trace_slot trace_slots[TRACE_ENTRIES];
static _Atomic uint64_t trace_next;

void trace_add(const struct cm_dbg_trace_entry *e)
{
	uint64_t n = atomic_fetch_add(&trace_next, 1);
	struct trace_slot *s = &trace_slots[n % TRACE_ENTRIES];

	atomic_store(&s->begun, n + 1);
	s->e = *e;
	atomic_store(&s->done, n + 1);
}

uint64_t trace_head(void)
{
	return atomic_load(&trace_next);
}

uint32_t trace_read(struct cm_dbg_trace_entry *e, uint32_t max, uint64_t *next, uint64_t *lost)
{
	uint64_t head = trace_head();
	uint64_t at = *next < head ? *next : head;
	uint32_t n = 0;

	*lost = 0;
	if (head - at > TRACE_ENTRIES) {
		*lost = head - at - TRACE_ENTRIES;
		at = head - TRACE_ENTRIES;
	}
	for (; at < head && n < max; at++) {
		struct trace_slot *s = &trace_slots[at % TRACE_ENTRIES];

		if (atomic_load(&s->done) < at + 1)
			break; /* still being written */
		memcpy(&e[n], &s->e, sizeof(*e));
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load(&s->begun) != at + 1 || atomic_load(&s->done) != at + 1)
			++*lost;
		else
			n++;
	}
	*next = at;
	return n;
}
