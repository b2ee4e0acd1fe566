/* SPDX-License-Identifier: Apache-2.0 */
/* Names of errno values, signals and flags for the tracer. */
#ifndef SYSCALL_TRACE_NAMES_H
#define SYSCALL_TRACE_NAMES_H

#include "lib/types.h"

/* Ends with name == NULL. */
struct trace_flag {
	u64 bits;
	const char *name;
};
extern const struct trace_flag trace_open_flags[], trace_prot_flags[], trace_mmap_flags[],
	trace_at_flags[], trace_clone_flags[], trace_wait_flags[];

enum trace_enum_id {
	TRACE_FUTEX_OP,
	TRACE_CLOCK,
	TRACE_RLIMIT,
	TRACE_SIGHOW,
	TRACE_ITIMER,
	TRACE_WHENCE,
	TRACE_FCNTL,
	TRACE_ENUM_COUNT
};
struct trace_enum {
	const char *const *names; /* may have gaps */
	size_t count;
};
extern const struct trace_enum trace_enums[TRACE_ENUM_COUNT];

const char *trace_errno_name(s64 err); /* NULL = unknown */
const char *trace_signal_name(u64 sig); /* NULL: real-time or none */

#endif
