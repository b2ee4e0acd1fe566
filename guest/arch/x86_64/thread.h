/* SPDX-License-Identifier: Apache-2.0 */
/* The architecture's part of a thread. */
#ifndef ARCH_X86_64_THREAD_H
#define ARCH_X86_64_THREAD_H

#include "lib/types.h"

struct arch_thread {
	u64 fsbase, gsbase;
	void *fpu; /* fpu_size() bytes, 64-byte aligned; NULL for kernel threads */
};

#endif
