/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of argument kinds: what the files that format arguments share. */
#ifndef SYSCALL_TRACE_KINDS_H
#define SYSCALL_TRACE_KINDS_H

#include "syscall/syscall.h"
#include "syscall/trace_args.h"
#include "syscall/trace_names.h"

struct trace_arg_ctx {
	struct trace_line *l;
	const struct sysargs *a;
	int i; /* which argument */
	u64 v;
	s64 ret;
};

struct trace_kind {
	const char *name;
	void (*fn)(struct trace_arg_ctx *c);
	bool output; /* shown after the call */
};

extern const struct trace_kind trace_ipc_kinds[];
extern const size_t trace_ipc_kind_count;

void trace_flags(struct trace_line *l, const struct trace_flag *f, u64 v, const char *first);

#endif
