/* SPDX-License-Identifier: Apache-2.0 */
/* The archive of a developer image. */
	.section .rodata
	.globl devel_blob
	.globl devel_blob_end
	.balign 16
devel_blob:
	.incbin "guest/devel.cpio"
	.byte 0
devel_blob_end:
	.section .note.GNU-stack, "", @progbits
