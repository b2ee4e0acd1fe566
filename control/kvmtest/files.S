/* SPDX-License-Identifier: Apache-2.0 */
/* What `casemate kvmtest new` writes, each followed by a zero. */
	.section .rodata
	.macro file name, path
	.global \name
\name:	.incbin "\path"
	.byte 0
	.endm

	file kt_file_header, "include/casemate/kvmtest.h"
	file kt_file_source, "control/kvmtest/example/example.c.in"
	file kt_file_makefile, "control/kvmtest/example/example.mk"
	file kt_file_suite, "control/kvmtest/example/example.cfg"

	.section .note.GNU-stack, "", @progbits
