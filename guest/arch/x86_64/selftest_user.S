/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-test's user programs: position independent, copied to a user page. System calls: 0 = returns rdi + 1 by SYSRET; 1 = exit with
 * result rdi; 2 = as 0, but by IRET and with rcx = rdi + 2, r11 = rdi + 3; 4 = go on at rdi in 32-bit code. An exception goes on at r12 with rax = vector << 32 | error.
 */
#include "arch/x86_64/asm.h"

	.section .rodata
	.balign 16
	.globl selftest_user
selftest_user:

	.macro SYS nr
	mov	$\nr, %eax
	syscall
	.endm

	.macro LOAD reg, value
	mov	$\value, %\reg
	.endm

	.macro CHECK reg, value
	mov	$\value, %rcx
	cmp	%rcx, %\reg
	jne	st_fail
	.endm

	.macro FOR_REGS what
	\what	rbx, 0x1111111111111101
	\what	rbp, 0x2222222222222202
	\what	rdx, 0x3333333333333303
	\what	rsi, 0x4444444444444404
	\what	r8, 0x5555555555555505
	\what	r9, 0x6666666666666606
	\what	r10, 0x7777777777777707
	\what	r15, 0x0888888888888808
	.endm

/* rdi = rounds, rsi = system call, rdx = value for xmm: registers survive system calls and interrupts. */
	.globl st_regs
st_regs:
	mov	%rdi, %r12
	mov	%rsi, %r13
	mov	%rdx, %r14
	movq	%r14, %xmm0
	movq	%r14, %xmm15
	FOR_REGS LOAD
1:	mov	%r13, %rax
	mov	%r12, %rdi
	syscall
	cmp	$2, %r13
	jne	2f
	lea	2(%r12), %rdi
	cmp	%rdi, %rcx
	jne	st_fail
	inc	%rdi
	cmp	%rdi, %r11
	jne	st_fail
	mov	%r12, %rdi
2:	sub	%r12, %rax
	cmp	$1, %rax
	jne	st_fail
	cmp	%r12, %rdi
	jne	st_fail
	mov	$50, %eax			/* some time in user mode */
3:	dec	%eax
	jnz	3b
	FOR_REGS CHECK
	movq	%xmm0, %rax
	cmp	%r14, %rax
	jne	st_fail
	movq	%xmm15, %rax
	cmp	%r14, %rax
	jne	st_fail
	dec	%r12
	jnz	1b
	xor	%edi, %edi
	SYS	1
st_fail:
	lea	(%r12, %r12), %rdi
	or	$1, %rdi
	SYS	1

/* rdi = rounds: nothing but system calls. Result: TSC cycles. */
	.globl st_null
st_null:
	mov	%rdi, %r12
	rdtsc
	shl	$32, %rdx
	or	%rax, %rdx
	mov	%rdx, %r14
1:	xor	%eax, %eax
	syscall
	dec	%r12
	jnz	1b
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	%r14, %rax
	mov	%rax, %rdi
	SYS	1

	.macro TO_CODE32			/* what follows is 32-bit code */
	pushq	$0x23
	lea	7f(%rip), %rax
	push	%rax
	lretq
	.code32
7:
	.endm

/* Exceptions: rdi = address, rsi = 0 read, 1 write, 2 jump, 3 undefined instruction, 4 the trampoline's IRETQ (rdx) to a kernel frame with
 * RIP = address, 5 division by zero, 6 breakpoint, 7 int $0x80. Result: 0 = no exception, else vector << 32 | error. */
	.globl st_probe
st_probe:
	lea	9f(%rip), %r12
	btr	$31, %esi
	jnc	1f
	mov	%rdi, %r13
	xor	%eax, %eax
	syscall				/* come back by SYSRET: another way into user mode */
	mov	%r13, %rdi
1:
	cmp	$0, %esi
	jne	1f
	mov	(%rdi), %rax
	jmp	8f
1:	cmp	$1, %esi
	jne	1f
	movq	$0, (%rdi)
	jmp	8f
1:	cmp	$2, %esi
	jne	1f
	jmp	*%rdi
1:	cmp	$3, %esi
	jne	1f
	ud2
1:	cmp	$4, %esi
	jne	1f
	mov	%rsp, %rax
	push	$0x18
	push	%rax
	push	$0x202
	push	$0x10
	push	%rdi
	jmp	*%rdx
1:	cmp	$5, %esi
	jne	1f
	xor	%ecx, %ecx
	div	%ecx
1:	cmp	$6, %esi
	jne	1f
	int3
1:	cmp	$7, %esi
	jne	1f
	int	$0x80
1:	cmp	$8, %esi
	jne	1f
	mov	%cr3, %rax
	jmp	8f
1:	cmp	$9, %esi
	jne	1f
	mov	$0xc0000082, %ecx
	rdmsr
	jmp	8f
1:	cmp	$10, %esi
	jne	1f
	mov	$0xe9, %edx
	mov	$0x21, %al
	outb	%al, %dx
	jmp	8f
1:	cmp	$11, %esi
	jne	1f
	hlt
	jmp	8f
1:	cmp	$12, %esi
	jne	1f
	mov	%rdi, %cr3
	jmp	8f
1:	cmp	$13, %esi
	jne	1f
	cli
	jmp	8f
1:	cmp	$14, %esi
	jne	1f
	invlpg	(%rdi)
	jmp	8f
1:	cmp	$15, %esi
	jne	1f
	lidt	(%rdi)
	jmp	8f
1:	cmp	$16, %esi
	jne	1f
	swapgs
	jmp	8f
1:	cmp	$17, %esi
	jne	1f
	mov	%rdi, %rcx			/* SYSRETQ to an address of choice */
	mov	$0x202, %r11d
	sysretq
1:	cmp	$18, %esi
	jne	1f
	mov	$0xc0000082, %ecx
	wrmsr
	jmp	8f
1:	cmp	$32, %esi
	jne	1f
	pushfq					/* TF, DF and AC set: kernel entries by SYSCALL and by page fault */
	orq	$0x40500, (%rsp)
	popfq
	nop
	jmp	8f
1:	cmp	$33, %esi
	jne	1f
	pushfq
	orq	$0x40400, (%rsp)
	popfq
	mov	$3, %eax			/* flags of the kernel */
	syscall
	cld
	pushfq
	andq	$~0x40000, (%rsp)
	popfq
	jmp	9f
1:	cmp	$34, %esi
	jne	1f
	pushfq
	orq	$0x40400, (%rsp)
	popfq
	mov	(%rdi), %rax
	cld
	jmp	9f
1:	cmp	$35, %esi
	jne	1f
	pushq	$0x10				/* IRETQ of its own to a kernel frame */
	mov	%rsp, %rax
	pushq	$0x18
	push	%rax
	pushq	$0x202
	pushq	$0x10
	push	%rdi
	iretq
1:	cmp	$36, %esi
	jne	1f
	TO_CODE32				/* if the host's segments let it */
5:	ud2
	.code64
1:	cmp	$37, %esi
	jne	1f
	vmmcall
	jmp	8f
1:	cmp	$38, %esi
	jne	1f
	vmcall
	jmp	8f
1:	cmp	$39, %esi
	jne	1f
	mov	%rsp, %rax			/* the kernel's way into user mode, with a kernel frame */
	pushq	$0x18
	push	%rax
	pushq	$0x202
	pushq	$0x10
	push	%rdi
	int	$PVM_INT_RETURN
1:	cmp	$40, %esi
	jne	1f
	mov	$PVM_CALL_WRMSR, %eax
	mov	$0xc0000082, %edi
	mov	$0xc0000082, %ecx
	int	$PVM_INT_CALL
1:	cmp	$41, %esi
	jne	1f
	wrgsbase %rdi				/* what is left of it after an exit that the kernel has no part in */
	xor	%eax, %eax
	cpuid
	rdgsbase %rax
	xor	%edi, %edi
	wrgsbase %rdi
	jmp	9f
1:	cmp	$43, %esi
	jne	1f
	TO_CODE32
	syscall
	ud2
	.code64
1:	cmp	$44, %esi
	jne	1f
	TO_CODE32
	sysenter
	ud2
	.code64
1:	cmp	$45, %esi
	jne	1f
	lea	5b(%rip), %rdi
	bts	$32, %rdi
	SYS	4
1:	cmp	$42, %esi
	jne	8f
	pushfq					/* the same for NT */
	orq	$0x4000, (%rsp)
	popfq
	xor	%eax, %eax
	cpuid
	pushfq
	mov	(%rsp), %rax
	andq	$~0x4000, (%rsp)
	popfq
	and	$0x4000, %eax
	jmp	9f
8:	xor	%eax, %eax
9:	pushfq
	andq	$~0x40500, (%rsp)
	popfq
	mov	%rax, %rdi
	SYS	1

/* rdi = page under test, rsi = {generation wanted, seen, stop}: stale translations. The kernel changes the page behind rdi, flushes, then raises
 * the generation; from then on the page must hold at least that generation. Result: 0 = never stale. */
	.globl st_stale
st_stale:
1:	mov	(%rsi), %rax
	mov	(%rdi), %rdx
	cmp	%rax, %rdx
	jb	st_fail
	mov	%rax, 8(%rsi)
	cmpq	$0, 16(%rsi)
	je	1b
	xor	%edi, %edi
	SYS	1

/* rdi = counter, rsi = stop flag: no system calls at all. */
	.globl st_spin
st_spin:
1:	incq	(%rdi)
	cmpq	$0, (%rsi)
	je	1b
	xor	%edi, %edi
	SYS	1

	.globl selftest_user_end
selftest_user_end:

	.section .note.GNU-stack,"",@progbits
