/* SPDX-License-Identifier: Apache-2.0 */
/* The architecture's part of a thread. */
#ifndef ARCH_X86_64_THREAD_H
#define ARCH_X86_64_THREAD_H

#include "lib/types.h"

/* What a program's tracer set; control is 0 without. */
struct debug_regs {
	u64 addr[4], status, control;
};

/* What a program loaded; the kernel itself has no use for them. */
struct selectors {
	u16 ds, es, fs, gs;
};

struct arch_thread {
	u64 fsbase, gsbase; /* true after fpu_save_current or while the thread does not run */
	struct selectors sel; /* the same */
	bool gs_used; /* gsbase was ever set to something: see fpu.c */
	bool no_tsc; /* RDTSC faults */
	void *fpu; /* fpu_size() bytes, 64-byte aligned; NULL for kernel threads */
	void *fpu_mem; /* the allocation that holds it */
	u32 fpu_cpu; /* CPU whose registers were loaded from it last */
	struct debug_regs debug;
};

#endif
