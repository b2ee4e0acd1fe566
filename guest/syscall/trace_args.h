/* SPDX-License-Identifier: Apache-2.0 */
/* Text of one argument for the tracer. */
#ifndef SYSCALL_TRACE_ARGS_H
#define SYSCALL_TRACE_ARGS_H

#include "lib/types.h"

struct sysargs;

#define TRACE_LINE	 1024
#define TRACE_STRING_MAX 32 /* bytes shown of a string, as strace */

/* A line in the making; what does not fit is cut. */
struct trace_line {
	size_t len;
	char text[TRACE_LINE];
};
void trace_put(struct trace_line *l, const char *fmt, ...) __printf(2, 3);

/* Is this kind of argument filled by the call? */
bool trace_kind_is_output(const char *kind, size_t len);
/* Append argument i. ret is valid for output kinds only. */
void trace_arg(struct trace_line *l, const char *kind, size_t len, const struct sysargs *a, int i,
	s64 ret);
void trace_result(struct trace_line *l, const char *kind, s64 ret);

#endif
