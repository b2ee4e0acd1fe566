/* SPDX-License-Identifier: Apache-2.0 */
/* Entry of the VMM's test kernel: a stack for each vCPU, then kernel_main(device tree, vCPU index). */
	.section .text.entry, "ax"
	.globl _start
_start:
	mov %rsi, %rax
	shl $14, %rax
	lea stacks_end(%rip), %rsp
	sub %rax, %rsp
	xor %ebp, %ebp
	push %rbp
	mov $0xffff888000000000, %rax
	add %rax, %rdi
	call kernel_main
1:	hlt
	jmp 1b

	.bss
	.balign 16
	.skip 4 * 16384
stacks_end:
	.section .note.GNU-stack,"",@progbits
