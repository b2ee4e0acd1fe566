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

	/* Reads *RDI; a machine check there makes the result 0x5afe. */
	.globl poisoned_read
poisoned_read:
	mov (%rdi), %rax
	ret
poisoned_over:
	mov $0x5afe, %eax
	ret

	/* Counts and goes on behind the read above. */
	.globl machine_check_entry
machine_check_entry:
	incq machine_checks(%rip)
	lea poisoned_over(%rip), %rax
	mov %rax, (%rsp)
	iretq

	.bss
	.balign 16
	.skip 4 * 16384
stacks_end:
	.section .note.GNU-stack,"",@progbits
