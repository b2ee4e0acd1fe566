/* SPDX-License-Identifier: Apache-2.0 */
/* The ring: bytes [head - TRACE_RING_SIZE, head) of the stream of lines lie at their position modulo the size. */
#include "debug/trace_ring.h"

#include "debug/layout.h"
#include "kernel/lock.h"
#include "lib/string.h"

DEBUG_CONST(TRACE_RING_SIZE);

static char trace_ring_text[TRACE_RING_SIZE] __aligned(4096);
static u64 trace_ring_head; /* bytes ever written */
static struct spinlock trace_ring_lock; /* irq; protects: both */

void trace_ring_write(const char *text, size_t len)
{
	u64 flags = spin_lock_irq(&trace_ring_lock);

	while (len > 0) {
		size_t at = trace_ring_head % TRACE_RING_SIZE;
		size_t n = MIN(len, TRACE_RING_SIZE - at);

		memcpy(trace_ring_text + at, text, n);
		text += n;
		len -= n;
		/* The reader looks at the text after the head. */
		WRITE_ONCE(trace_ring_head, trace_ring_head + n);
	}
	spin_unlock_irq(&trace_ring_lock, flags);
}
