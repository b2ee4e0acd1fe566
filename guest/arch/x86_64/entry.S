/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entry of every vCPU: RDI = gpa of the device tree, RSI = vCPU index, boot page tables, no stack.
 *
 * On pvm each instruction before the handshake is interpreted (0.3 us), and only general registers work: so the handshake comes
 * first. vCPU 0 finds out the platform: the magic MSR raises #GP on std, and the gate for #GP leads to the std path.
 */
#include "arch/x86_64/asm.h"

	.section .text.entry, "ax"
	.globl _start
_start:
	mov	boot_stacks(, %rsi, 8), %rsp
	test	%esi, %esi
	jnz	2f

	/* Gate 13 of the still empty IDT: present interrupt gate to boot_std. */
	lea	boot_std(%rip), %rax
	mov	%eax, %edx
	mov	$0x8e00, %dx			/* offset 31..16, attributes */
	movl	%edx, desc_idt + 13 * 16 + 4
	movzwl	%ax, %eax
	or	$0x100000, %eax			/* selector 0x10, offset 15..0 */
	movl	%eax, desc_idt + 13 * 16
	movl	$-1, desc_idt + 13 * 16 + 8	/* the image lies in the top 2 GiB */
	lidt	desc_idtr
	mov	$PVM_MSR_MAGIC, %ecx
	rdmsr
	cmp	$PVM_MAGIC, %eax
	jne	boot_std
	movb	$1, arch_pvm

2:	cmpb	$0, arch_pvm
	je	boot_c
	mov	%esi, %eax
	shl	$12, %eax
	lea	pvm_pages(%rax), %rax
	movabs	$IMAGE_TO_GPA, %rcx
	add	%rcx, %rax
	or	pvm_options, %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$PVM_MSR_PAGE, %ecx
	wrmsr
	jmp	boot_c

boot_std:
	mov	boot_stacks(, %rsi, 8), %rsp
boot_c:
	xor	%ebp, %ebp
	push	%rbp				/* end of backtraces */
	push	%rbp
	cld
	call	arch_start
	ud2

	.section .note.GNU-stack,"",@progbits
