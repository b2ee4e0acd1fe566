/* SPDX-License-Identifier: Apache-2.0 */
/* A target for the engine of gdb's protocol: two threads, 4 KiB of memory at FAKE_RSP_BASE, a log of what was asked of it. */
#ifndef CM_TESTS_FAKE_RSP_H
#define CM_TESTS_FAKE_RSP_H

#include "control/debug/rsp.h"

#define FAKE_RSP_BASE 0x1000u
#define FAKE_RSP_SIZE 0x1000u

struct fake_rsp {
	struct rsp rsp;
	struct rsp_regs regs[2];
	uint8_t memory[FAKE_RSP_SIZE];
	char sent[65536]; /* what gdb got, NUL-terminated */
	size_t nsent;
	struct rsp_resume resumed; /* the last one */
	unsigned resumes, interrupts, detaches;
	uint64_t brk; /* the last breakpoint set, 0 = none */
	int brk_kind;
	int hardware; /* what debug registers are said to be; with stop_at_once they work, or the engine would never come to an end */
	bool stop_at_once; /* resume tells the next stop before it returns */
};

/* app: as for a Linux program. */
void fake_rsp_init(struct fake_rsp *f, bool app);

#endif
