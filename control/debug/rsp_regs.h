/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of a thread as gdb sees them: one table gives their order, sizes and the target description. Pure. */
#ifndef CM_DEBUG_RSP_REGS_H
#define CM_DEBUG_RSP_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rsp_regs {
	uint64_t gpr[16]; /* rax rbx rcx rdx rsi rdi rbp rsp r8..r15 */
	uint64_t rip;
	uint32_t eflags;
	uint32_t seg[6]; /* cs ss ds es fs gs */
	uint8_t st[8][10];
	uint32_t x87[8]; /* fctrl fstat ftag fiseg fioff foseg fooff fop */
	uint8_t xmm[16][16];
	uint32_t mxcsr;
	uint64_t fs_base, gs_base;
	uint64_t orig_rax; /* tasks only */
};

/* How many there are: a target with `app` is a Linux program and has orig_rax. */
unsigned rsp_regs_count(bool app);

/* Where register `n` is in struct rsp_regs and how many bytes it has; false when there is no such register. */
bool rsp_regs_find(unsigned n, bool app, size_t *offset, size_t *size);

/* The target description: length of the text written (NUL-terminated), or -ENOSPC. */
int rsp_regs_xml(char *buf, size_t room, bool app);

/* The x87 and SSE part from an FXSAVE area (512 bytes) and back; other fields of the area stay. */
void rsp_regs_from_fxsave(struct rsp_regs *r, const uint8_t *area);
void rsp_regs_to_fxsave(const struct rsp_regs *r, uint8_t *area);

#endif
