/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO's image within the kernel's, whole pages. */
	.section .rodata
	.balign 4096
	.globl vdso_image
	.globl vdso_image_end
vdso_image:
	.incbin "guest/arch/x86_64/vdso/vdso.so"
	.balign 4096
vdso_image_end:
	.section .note.GNU-stack,"",@progbits
