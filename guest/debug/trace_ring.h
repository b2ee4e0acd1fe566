/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of trace lines that a debugger reads in guest memory: it turns tracing on by setting bits of trace_enabled from outside, and the
 * sentry does nothing but write. Nothing of it is touched before.
 */
#ifndef DEBUG_TRACE_RING_H
#define DEBUG_TRACE_RING_H

#include "lib/types.h"

#define TRACE_RING_SIZE 65536u

/* Append one line (text ends in a newline). Any context. */
void trace_ring_write(const char *text, size_t len);

#endif
