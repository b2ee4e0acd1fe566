/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the machine layer that run inside the sentry (command line `selftest`): TAP in the log, then power off. */
#ifndef ARCH_X86_64_SELFTEST_H
#define ARCH_X86_64_SELFTEST_H

#include "arch.h"

__noreturn void selftest_run(void);

/* User threads without a task belong to the self-test: their system calls and exceptions. */
void selftest_syscall(struct regs *r);
void selftest_exception(struct regs *r, u32 vector, u64 error, u64 addr);

/* selftest_kernel.S: 0 when nothing was spoilt in `rounds` rounds of some microseconds. */
u64 st_kernel_regs(u64 rounds);
u64 st_kernel_step(u64 sp);

#endif
