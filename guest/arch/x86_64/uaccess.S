/* SPDX-License-Identifier: Apache-2.0 */
/* Raw user memory access. Each instruction that may fault has an entry in __ex_table: {address, where to go on}. */

	.macro EX from, to
	.pushsection __ex_table, "a"
	.quad	\from, \to
	.popsection
	.endm

	.text

/* size_t arch_copy_from_user(void *dst, uaddr_t src, size_t n), arch_copy_to_user(uaddr_t dst, const void *src, size_t n):
 * words first, then bytes; at a fault in the words the bytes are tried, so the count is exact. */
	.globl arch_copy_from_user
	.globl arch_copy_to_user
arch_copy_from_user:
arch_copy_to_user:
	cmp	$64, %rdx
	jae	3f
	mov	%edx, %ecx
	shr	$3, %ecx
	jz	2f
1:	mov	(%rsi), %rax
4:	mov	%rax, (%rdi)
	add	$8, %rsi
	add	$8, %rdi
	dec	%ecx
	jnz	1b
5:	and	$7, %edx
2:	test	%edx, %edx
	jz	9f
6:	movb	(%rsi), %al
7:	movb	%al, (%rdi)
	inc	%rsi
	inc	%rdi
	dec	%edx
	jnz	6b
9:	xor	%eax, %eax
	ret
3:	mov	%rdx, %rcx
8:	rep	movsb
	mov	%rcx, %rax
	ret
10:	mov	%rcx, %rax
	ret
11:	/* fault in a word: ecx words and edx & 7 bytes are left; go on by bytes */
	and	$7, %edx
	lea	(%rdx, %rcx, 8), %edx
	jmp	6b
12:	mov	%edx, %eax
	ret
	EX 1b, 11b
	EX 4b, 11b
	EX 6b, 12b
	EX 7b, 12b
	EX 8b, 10b

/* size_t arch_clear_user(uaddr_t dst, size_t n) */
	.globl arch_clear_user
arch_clear_user:
	mov	%rsi, %rcx
	xor	%eax, %eax
1:	rep	stosb
2:	mov	%rcx, %rax
	ret
	EX 1b, 2b

/* s64 arch_strnlen_user(uaddr_t s, size_t max) */
	.globl arch_strnlen_user
arch_strnlen_user:
	xor	%eax, %eax
1:	cmp	%rsi, %rax
	jae	3f
2:	cmpb	$0, (%rdi, %rax)
	je	3f
	inc	%rax
	jmp	1b
3:	ret
4:	mov	$-14, %rax
	ret
	EX 2b, 4b

/* int arch_cmpxchg_user32(uaddr_t p, u32 expected, u32 new_value, u32 *old) */
	.globl arch_cmpxchg_user32
arch_cmpxchg_user32:
	mov	%esi, %eax
1:	lock cmpxchg %edx, (%rdi)
	mov	%eax, (%rcx)
	xor	%eax, %eax
	ret
2:	mov	$-14, %eax
	ret
	EX 1b, 2b

/* int msr_read_safe(u32 msr, u64 *v), int msr_write_safe(u32 msr, u64 v): -EIO when the MSR does not exist */
	.globl msr_read_safe
msr_read_safe:
	mov	%edi, %ecx
1:	rdmsr
	shl	$32, %rdx
	mov	%eax, %eax
	or	%rdx, %rax
	mov	%rax, (%rsi)
	xor	%eax, %eax
	ret
2:	mov	$-5, %eax
	ret
	EX 1b, 2b
	.globl msr_write_safe
msr_write_safe:
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
1:	wrmsr
	xor	%eax, %eax
	ret
2:	mov	$-5, %eax
	ret
	EX 1b, 2b

/* int fsgsbase_probe(void): 0 when RDFSBASE works */
	.globl fsgsbase_probe
fsgsbase_probe:
1:	rdfsbase %rax
	xor	%eax, %eax
	ret
2:	mov	$-5, %eax
	ret
	EX 1b, 2b

/* int seg_load_ds(u32 sel) and so on: -EIO when there is no such segment */
	.macro SEG_LOAD seg
	.globl seg_load_\seg
seg_load_\seg:
1:	mov	%edi, %\seg
	xor	%eax, %eax
	ret
2:	xor	%eax, %eax
	mov	%eax, %\seg
	mov	$-5, %eax
	ret
	EX 1b, 2b
	.endm
	SEG_LOAD ds
	SEG_LOAD es
	SEG_LOAD fs
	SEG_LOAD gs

	.section .note.GNU-stack,"",@progbits
