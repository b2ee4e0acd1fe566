/* SPDX-License-Identifier: Apache-2.0 */
/* Until the rooms that own them have landed: what the machine layer calls. */
#include "arch.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "mm/as.h"

__attribute__((weak)) void syscall_dispatch(struct regs *r)
{
	panic("no system calls yet");
}

__attribute__((weak)) int mm_fault(struct as *as, uaddr_t addr, u32 access)
{
	panic("no address spaces yet");
}

__attribute__((weak)) void task_user_exception(
	struct regs *r, u32 vector, u64 error, uaddr_t addr, int fault)
{
	panic("no tasks yet");
}

__attribute__((weak)) void task_return_to_user(struct regs *r)
{
	panic("no tasks yet");
}

__attribute__((weak)) int as_map_special(
	struct as *as, uaddr_t at, struct page **pages, u32 n, u32 vma_flags)
{
	return -ENOSYS;
}
