/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways into the kernel and back to user mode.
 *
 * From user mode, exceptions and interrupts arrive on the vCPU's small entry stack (TSS.RSP0), whose lowest word holds the top of
 * the running thread's kernel stack; the frame is copied there as a struct regs. Inside the kernel they stay on the stack that
 * runs. An NMI has a stack of its own in either case, and leaves it in the same way when it comes from user mode; so has #DB on std (trap_db_entry). SYSCALL comes through a stub of its own for each vCPU, which knows its struct pcpu by address: GS belongs to the program.
 */
#include "arch/x86_64/asm.h"

	.text

/* 256 stubs of 16 bytes: leave [vector][error code] on the stack. */
	.globl trap_stubs
	.balign 16
trap_stubs:
	.set vec, 0
	.rept 256
	.balign 16
	.if (vec != 8) && (vec != 10) && (vec != 11) && (vec != 12) && (vec != 13) && (vec != 14) && (vec != 17) && (vec != 21)
	push	$0
	.endif
	push	$vec
	.if (vec == 8) || (vec == 18)
	jmp	trap_kernel_entry		/* on an IST stack: reported there, never resumed in user mode */
	.elseif vec == 1
	jmp	trap_db_entry
	.else
	jmp	trap_entry
	.endif
	.set vec, vec + 1
	.endr

	.macro PUSH_REST			/* what follows rsi in struct regs; rax is on the stack last but nine */
	push	%rdx
	push	%rcx
	push	%rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.endm

	.macro POP_REGS				/* all of struct regs up to rdi */
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	.endm

trap_entry:					/* [vec][err][rip][cs][rflags][rsp][ss] */
	testb	$3, 24(%rsp)
	jz	trap_kernel_entry
	push	%rdi
	push	%rsi				/* [rsi][rdi][vec][err][rip][cs][rflags][rsp][ss] */
	mov	%rsp, %rsi
	mov	%rsp, %rdi
	and	$-4096, %rdi
	mov	(%rdi), %rsp			/* kernel stack of the thread */
	push	64(%rsi)
	push	56(%rsi)
	push	48(%rsi)
	push	40(%rsi)
	push	32(%rsi)
	push	$-1				/* orig_rax: no system call */
	push	8(%rsi)
	push	(%rsi)
	PUSH_REST
	mov	%rsp, %rdi
	mov	24(%rsi), %rdx
	mov	16(%rsi), %esi
	/* What the program set in RFLAGS must not last: DF, and AC, which on pvm would trap unaligned accesses of the kernel. */
	push	$2
	popfq
	xor	%ebp, %ebp
	push	%rbp				/* alignment, end of backtraces */
	call	trap_user
	jmp	ret_to_user

trap_kernel_entry:				/* vec and err are where rdi and orig_rax belong */
	xchg	%rdi, (%rsp)
	push	%rsi
	PUSH_REST
	mov	%edi, %esi
	mov	%rsp, %rdi
	mov	REGS_ORIG_RAX(%rsp), %rdx
	movq	$-1, REGS_ORIG_RAX(%rsp)
	cld
	push	REGS_RIP(%rsp)			/* a frame for backtraces: return address, frame pointer */
	push	%rbp
	mov	%rsp, %rbp
	sub	$8, %rsp
	call	trap_kernel
	add	$24, %rsp
	POP_REGS
	add	$8, %rsp
	iretq

/*
 * A load of SS holds back a debug exception for one instruction: when a program's own watchpoint is hit by it and SYSCALL follows, the exception comes at the
 * first instruction of the kernel, whose stack pointer is still the program's. So #DB has a stack of its own. One that interrupted the
 * kernel on a thread's stack goes on there, as without; any other is the said one, or its like on an entry stack: nobody's, and dropped.
 */
trap_db_entry:
	testb	$3, 24(%rsp)
	jnz	trap_entry
	cmpb	$0, arch_pvm
	jne	trap_kernel_entry
	push	%rax
	push	%rcx				/* [rcx][rax][vec][err][rip][cs][rflags][rsp][ss] */
	mov	%rsp, %rax
	and	$-4096, %rax
	mov	(%rax), %rax			/* top of the thread's stack */
	mov	56(%rsp), %rcx
	sub	%rcx, %rax
	cmp	$ASM_KSTACK_SIZE, %rax
	jae	1f
	and	$-16, %rcx			/* as the processor does */
	sub	$72, %rcx
	.irp	at, 0, 8, 16, 24, 32, 40, 48, 56, 64
	mov	\at(%rsp), %rax
	mov	%rax, \at(%rcx)
	.endr
	mov	%rcx, %rsp
	pop	%rcx
	pop	%rax
	jmp	trap_kernel_entry
1:	andl	$~0x100, 48(%rsp)		/* TF */
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq

	.macro SYSCALL_STUBS common		/* one for each vCPU, 64 bytes apart */
	.set cpu, 0
	.rept ASM_MAX_CPUS
	.balign 64
	mov	%rsp, pcpus + (cpu << PCPU_SHIFT) + PCPU_USER_RSP
	mov	pcpus + (cpu << PCPU_SHIFT) + PCPU_KSTACK, %rsp
	push	$0x2b
	push	pcpus + (cpu << PCPU_SHIFT) + PCPU_USER_RSP
	jmp	\common
	.set cpu, cpu + 1
	.endr
	.endm

/*
 * AMD: SYSCALL of 32-bit code comes here, in 64-bit mode; nothing serves it. Intel's processors say #UD themselves. RSP is the program's until the second
 * instruction.
 */
	.globl syscall32_stubs
	.balign 64
syscall32_stubs:
	SYSCALL_STUBS syscall32_common

	.balign 64
syscall32_common:
	push	%r11
	push	$0x23
	push	%rcx
	push	$-1				/* orig_rax: no system call */
	push	%rdi
	push	%rsi
	PUSH_REST
	mov	%rsp, %rdi
	xor	%ebp, %ebp
	push	%rbp
	call	trap_syscall32
	jmp	ret_to_user

	.globl syscall_stubs
	.balign 64
syscall_stubs:
	SYSCALL_STUBS syscall_common

	.balign 64
syscall_common:
	push	%r11
	push	$0x33
	push	%rcx
	push	%rax
	push	%rdi
	push	%rsi
	PUSH_REST
	movq	$-38, REGS_RAX(%rsp)		/* -ENOSYS until dispatch says otherwise */
	mov	%rsp, %rdi
	xor	%ebp, %ebp
	push	%rbp
	call	trap_syscall
	/* fall through */

/* Stack: [pad][struct regs], top of the kernel stack. trap_exit ends with interrupts off and says how to return. */
	.globl ret_to_user
ret_to_user:
	lea	8(%rsp), %rdi
	call	trap_exit
	add	$8, %rsp
	test	%eax, %eax
	jnz	1f
	POP_REGS
	mov	32(%rsp), %rsp
	sysretq
1:	cmp	$3, %eax
	jne	1f
	POP_REGS
	add	$8, %rsp
	int	$PVM_INT_RETURN
	ud2
1:	cmp	$1, %eax
	jne	2f
	POP_REGS
	add	$8, %rsp
	iretq
2:	/* pvm: trap_exit put the IRET frame's address in the slot of orig_rax, trampoline and flags in those of rcx and r11. */
	POP_REGS
	pop	%rsp
	sysretq

/* First code of a thread made by fork: arch_switch returns here with the switch not yet finished. */
	.globl ret_from_fork
ret_from_fork:
	call	sched_switched
	jmp	ret_to_user

/* First code of a kernel thread: r12 = function, r13 = argument. */
	.globl kthread_entry
kthread_entry:
	call	sched_switched
	mov	%r13, %rdi
	call	*%r12
	call	thread_exit
	ud2

/* arch_switch(u64 *save_sp, u64 new_sp) */
	.globl arch_switch
arch_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

/*
 * idle_pvm(struct pvm_page *), idle_std(): enable interrupts and halt. One that comes in between must not be slept over: trap_kernel moves
 * an interrupted RIP inside a window to its end. std has the shadow of STI for that, but nested hypervisors lose it (seen with KVM
 * inside QEMU's TCG).
 */
	.globl idle_pvm
	.globl idle_std
	.globl idle_window
	.globl idle_window_end
idle_pvm:
	movb	$1, (%rdi)
	jmp	idle_window
idle_std:
	sti
idle_window:
	hlt
idle_window_end:
	ret

/*
 * pvm's way back by IRETQ. The hypervisor must know that user mode begins, and it does only after SYSRETQ: so SYSRETQ goes to a copy of this in a page
 * that user mode may execute (tramp_area), with RSP = the vCPU's IRET frame there, [rcx][r11][rip][cs][rflags][rsp][ss]. The IRETQ is then the
 * program's own, as far as hypervisor and hardware are concerned.
 */
	.section .rodata
	.globl tramp_code
	.globl tramp_code_end
tramp_code:
	pop	%rcx
	pop	%r11				/* + 1: TRAMP_POP_R11 */
	iretq					/* + 3: TRAMP_IRET */
tramp_code_end:

	.section .note.GNU-stack,"",@progbits
