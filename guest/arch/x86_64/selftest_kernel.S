/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test's kernel code that interrupts must leave as it is: registers, flags and stack. */

	.macro LOAD reg, value
	mov	$\value, %\reg
	.endm

	.macro CHECK reg, value
	mov	$\value, %rcx
	cmp	%rcx, %\reg
	jne	st_kernel_bad
	.endm

	.macro FOR_REGS what
	\what	rax, 0x1111111111111101
	\what	rbx, 0x2222222222222202
	\what	rdx, 0x3333333333333303
	\what	rsi, 0x4444444444444404
	\what	rbp, 0x5555555555555505
	\what	r8, 0x6666666666666606
	\what	r9, 0x7777777777777707
	\what	r10, 0x0888888888888808
	\what	r12, 0x0999999999999909
	\what	r13, 0x0aaaaaaaaaaaaa0a
	\what	r14, 0x0bbbbbbbbbbbbb0b
	\what	r15, 0x0ccccccccccccc0c
	.endm

	.text
	/* u64 st_kernel_regs(u64 rounds): rounds left when something was spoilt, 0 when nothing was. */
	.globl st_kernel_regs
st_kernel_regs:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	FOR_REGS LOAD
1:	push	%r12
	mov	$2000, %r11d
	stc
2:	dec	%r11				/* leaves the carry flag */
	jnz	2b
	pop	%rcx
	jnc	st_kernel_bad
	cmp	%r12, %rcx
	jne	st_kernel_bad
	FOR_REGS CHECK
	dec	%rdi
	jnz	1b
st_kernel_bad:
	mov	%rdi, %rax
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

	/* u64 st_kernel_step(u64 sp): a single step of an instruction with this stack pointer, 0: that of the stack that runs. 0 when the exception came and
	 * left everything but TF as it was. Interrupts are off. */
	.globl st_kernel_step
st_kernel_step:
	push	%rbx
	mov	%rsp, %rbx
	test	%rdi, %rdi
	cmovnz	%rdi, %rsp
	mov	%rsp, %rdx
	mov	$77, %eax
	mov	$78, %ecx
	pushfq
	orl	$0x100, (%rsp)
	popfq
	nop
	xor	%rsp, %rdx
	mov	%rbx, %rsp
	sub	$77, %rax
	or	%rax, %rdx
	sub	$78, %rcx
	or	%rcx, %rdx
	pushfq
	pop	%rax
	and	$0x100, %eax
	or	%rdx, %rax
	pop	%rbx
	ret

	.section .note.GNU-stack,"",@progbits
