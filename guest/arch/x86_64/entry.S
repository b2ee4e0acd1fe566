/* SPDX-License-Identifier: Apache-2.0 */
/* Entry of every vCPU. */
	.section .text.entry, "ax"
	.globl _start
_start:
	hlt
	jmp _start
	.section .note.GNU-stack,"",@progbits
