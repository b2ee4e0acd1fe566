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

#endif
