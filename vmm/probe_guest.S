/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest of --probe: measures by marking points in time on ports that probe.c serves. Runs at CM_KERNEL_IMAGE; its first page is also
 * user memory at PROBE_USER. RDI bit 0: take the handshake of the software KVM.
 *
 * Rounds of each loop stand in probe.h. Position independent but for the user alias.
 */
#include "vmm/probe.h"

	.section .rodata
	.balign 4096
	.globl probe_guest
	.globl probe_guest_end
probe_guest:
	.code64
	mov %rdi, %r15
	lea probe_stack(%rip), %rsp
	test $1, %r15
	jz 1f
	lea probe_page(%rip), %rax
	mov $0xffffffff80000000, %rbx
	sub %rbx, %rax			/* offset in RAM; RAM starts at 4 GiB */
	or $0x17, %eax
	mov $1, %edx
	mov $0x4b564d10, %ecx
	wrmsr
	mov %cr3, %rax
	mov %rax, %cr3
1:	/* STAR, LSTAR, FMASK */
	mov $0xc0000081, %ecx
	xor %eax, %eax
	mov $0x00230010, %edx
	wrmsr
	lea probe_syscall(%rip), %rax
	mov %rax, %rdx
	shr $32, %rdx
	mov $0xc0000082, %ecx
	wrmsr
	mov $0xc0000084, %ecx
	mov $0x47700, %eax
	xor %edx, %edx
	wrmsr

	mov $PROBE_MARK_PIO, %eax
	outl %eax, $PROBE_PORT_MARK
	mov $PROBE_ROUNDS, %r12d
2:	outb %al, $PROBE_PORT_NOTHING
	dec %r12d
	jnz 2b

	mov $PROBE_MARK_CPUID, %eax
	outl %eax, $PROBE_PORT_MARK
	mov $PROBE_ROUNDS, %r12d
3:	xor %eax, %eax
	cpuid
	dec %r12d
	jnz 3b

	mov $PROBE_MARK_MSR, %eax
	outl %eax, $PROBE_PORT_MARK
	mov $PROBE_ROUNDS, %r12d
4:	mov $0x1b, %ecx
	rdmsr
	dec %r12d
	jnz 4b

	mov $PROBE_MARK_SYSCALL, %eax
	outl %eax, $PROBE_PORT_MARK
	mov $(PROBE_USER + probe_user - probe_guest), %ecx
	mov $2, %r11d
	sysretq

	/* RAX 0: return at once; else the loop is over. RSP is the user's, which is not used. */
probe_syscall:
	test %eax, %eax
	jnz 5f
	sysretq
5:	mov $PROBE_MARK_END, %eax
	outl %eax, $PROBE_PORT_MARK
6:	hlt
	jmp 6b

probe_user:
	mov $PROBE_ROUNDS, %r12d
7:	xor %eax, %eax
	syscall
	dec %r12d
	jnz 7b
	mov $1, %eax
	syscall
	ud2

	.balign 4096
probe_page:
	.skip 4096
	.skip 4096
probe_stack:
probe_guest_end:
	.section .note.GNU-stack,"",@progbits
