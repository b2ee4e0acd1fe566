/* SPDX-License-Identifier: Apache-2.0 */
/* What assembly calls in C, and back. */
#ifndef ARCH_X86_64_TRAP_H
#define ARCH_X86_64_TRAP_H

#include "arch.h"

/* From user mode, interrupts off; regs on the thread's kernel stack. */
void trap_user(struct regs *r, u32 vector, u64 err);
/* From the kernel itself; may change r->rip. */
void trap_kernel(struct regs *r, u32 vector, u64 err);
void trap_syscall(struct regs *r);
/* AMD: a SYSCALL instruction of 32-bit code, interrupts off; r->rip is behind it. */
void trap_syscall32(struct regs *r);
/* Last thing before user mode: pending work, then how to return (enum trap_return). Ends with interrupts off. */
u32 trap_exit(struct regs *r);
/* debug.c. #DB, #BP, or what would be a panic, interrupts off: true when a debugger outside had it and r says where to go on. */
bool debug_trap(struct regs *r, u32 vector);
/* A #BP that no debugger wants: its breakpoint was taken away between the exception and here. True: r->rip is at the instruction again. */
bool debug_stale_kernel(struct regs *r);
bool debug_stale_user(struct regs *r); /* interrupts on */
/* Run the handler of an interrupt vector and acknowledge it. */
void irq_handle(u32 vector);

/* Events that came between the trampoline's load of CR3 and its IRETQ. */
extern u64 trap_window_hits;

/* First instruction of a vCPU in C, on its idle thread's stack, after pvm's handshake. */
__noreturn void arch_start(paddr_t fdt, u32 cpu);

/* Save the stack pointer, go on with another one. */
void arch_switch(u64 *save_sp, u64 new_sp);
void ret_from_fork(void);
/* Enable interrupts and halt until one came. */
struct pvm_page;
void idle_pvm(struct pvm_page *page);
void idle_std(void);
void kthread_entry(void);

/* pvm: where user mode sees tramp_area (pcpu.h), and in it each CPU's IRET frame. */
#define TRAMP_VA	 USER_TOP
#define TRAMP_FRAME(cpu) (TRAMP_VA + offsetof(struct tramp_area, frame[cpu]))
/* Offsets of its second and third instruction. */
#define TRAMP_POP_R11 1
#define TRAMP_IRET    3

/* Tell where this vCPU stood; on the NMI stack. */
void nmi_dump(const struct regs *r);
void nmi_init(void);

#endif
