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

	mov $PROBE_MARK_TIMER, %eax
	outl %eax, $PROBE_PORT_MARK
	call probe_timer

	mov $PROBE_MARK_SYSCALL, %eax
	outl %eax, $PROBE_PORT_MARK
	mov $(PROBE_USER + probe_user - probe_guest), %ecx
	mov $2, %r11d
	sysretq

	/* Halt until a TSC deadline, PROBE_TIMERS times; how late the least late interrupt came, in cycles, goes out. */
probe_timer:
	mov $0x1b, %ecx			/* x2APIC on */
	rdmsr
	or $0xc00, %eax
	wrmsr
	xor %edx, %edx
	mov $0x80f, %ecx		/* spurious vector, software enable */
	mov $0x1ff, %eax
	wrmsr
	mov $0x832, %ecx		/* timer: TSC deadline */
	mov $(0x40000 | PROBE_VECTOR), %eax
	wrmsr
	lea probe_timer_entry(%rip), %rax
	lea probe_idt + PROBE_VECTOR * 16(%rip), %rdi
	mov %ax, (%rdi)
	movl $0x8e000010, 2(%rdi)
	shr $16, %rax
	mov %ax, 6(%rdi)
	shr $16, %rax
	mov %eax, 8(%rdi)
	lea probe_idt(%rip), %rax
	mov %rax, probe_idtr + 2(%rip)
	lidt probe_idtr(%rip)
	mov $PROBE_TIMERS, %r12d
	mov $-1, %r13
8:	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	lea PROBE_TIMER_CYCLES(%rax), %rbx
	mov %ebx, %eax
	mov %rbx, %rdx
	shr $32, %rdx
	mov $0x6e0, %ecx
	wrmsr
	xor %r14d, %r14d
	test $1, %r15
	jz 9f
	movb $1, probe_page(%rip)	/* the software KVM's interrupt flag */
	hlt
	movb $0, probe_page(%rip)
	jmp 10f
9:	sti
	hlt
	cli
10:	sub %rbx, %r14
	cmp %r13, %r14
	cmovb %r14, %r13
	dec %r12d
	jnz 8b
	mov %r13d, %eax
	outl %eax, $PROBE_PORT_LATE
	ret

	.balign 16
probe_timer_entry:
	push %rax
	push %rcx
	push %rdx
	rdtsc
	shl $32, %rdx
	mov %rdx, %r14
	or %rax, %r14
	mov $0x80b, %ecx
	xor %eax, %eax
	xor %edx, %edx
	wrmsr
	pop %rdx
	pop %rcx
	pop %rax
	iretq

	/* RAX 0: return at once; else the loop is over. RSP is the user's, which is not used. */
probe_syscall:
	test %eax, %eax
	jnz 5f
	test $2, %r15
	jnz probe_return
	sysretq
probe_return:
	lea probe_stack(%rip), %rsp
	push $0x2b
	push %rsp
	push %r11
	push $0x33
	push %rcx
	int $0x17
	ud2

	/* The loop is over; once more with the other way back, where the hypervisor has it. */
5:	cmp $1, %r15
	jne 6f
	mov $0x4b564d12, %ecx
	rdmsr
	not %eax
	test $0x48, %eax
	jnz 6f
	mov $0x4b564d10, %ecx
	rdmsr
	or $0x48, %eax
	mov %eax, %ebx
	wrmsr
	rdmsr
	cmp %eax, %ebx
	jne 6f
	mov $PROBE_MARK_RETURN, %eax
	outl %eax, $PROBE_PORT_MARK
	or $2, %r15
	mov $(PROBE_USER + probe_user - probe_guest), %ecx
	mov $0x202, %r11d
	jmp probe_return
6:	mov $PROBE_MARK_END, %eax
	outl %eax, $PROBE_PORT_MARK
8:	hlt
	jmp 8b

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
probe_idt:
	.skip (PROBE_VECTOR + 1) * 16
probe_idtr:
	.word (PROBE_VECTOR + 1) * 16 - 1
	.quad 0
	.balign 16
	.skip 4096
probe_stack:
probe_guest_end:
	.section .note.GNU-stack,"",@progbits
