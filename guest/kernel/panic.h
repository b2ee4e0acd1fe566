/* SPDX-License-Identifier: Apache-2.0 */
/* Panic reports beyond panic(): what the architecture adds. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "arch.h"

/* An exception in the kernel that nothing foresaw: report its registers. addr = fault address of a page fault. */
__noreturn void panic_trap(const struct regs *r, u32 vector, u64 error, u64 addr);

/* Return addresses from the frame pointer fp on, within the stack that sp lies on. How many, at most max. Takes no lock. */
u32 panic_backtrace(u64 fp, u64 sp, u64 *pc, u32 max);

/* Ring of the last system calls of this CPU, for the report. The slot goes from enter to leave. */
u32 panic_syscall_enter(u64 nr);
void panic_syscall_leave(u32 slot, u64 ret);

#endif
