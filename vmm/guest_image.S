/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's image, embedded so that image and VMM can never differ; page aligned so that its text can be shared. */
	.section .rodata
	.balign 4096
	.globl cm_guest_image
	.globl cm_guest_image_end
cm_guest_image:
	.incbin "guest/sentry.img"
cm_guest_image_end:
	.balign 4096
	.section .note.GNU-stack,"",@progbits
