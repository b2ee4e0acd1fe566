/* SPDX-License-Identifier: Apache-2.0 */
/* User registers as saved on the kernel stack at every entry; entry.S knows the layout. */
#ifndef ARCH_X86_64_REGS_H
#define ARCH_X86_64_REGS_H

#include "lib/types.h"

struct regs {
	u64 r15, r14, r13, r12, rbp, rbx;
	u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system call number, or ~0 when the entry was none */
	u64 rip, cs, rflags, rsp, ss;
};

/* The arguments of a call; compat: made by int $0x80. */
static inline void regs_call_args(const struct regs *r, bool compat, u64 *a)
{
	a[0] = compat ? (u32)r->rbx : r->rdi;
	a[1] = compat ? (u32)r->rcx : r->rsi;
	a[2] = compat ? (u32)r->rdx : r->rdx;
	a[3] = compat ? (u32)r->rsi : r->r10;
	a[4] = compat ? (u32)r->rdi : r->r8;
	a[5] = compat ? (u32)r->rbp : r->r9;
}

#endif
