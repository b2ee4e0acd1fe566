/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write a kernel test in one C file: include this header, define kt_main(), run it with `casemate kvmtest run`.
 *
 * The one file of a program that defines KVMTEST_START before the inclusion gets the entry (PVH) with it: flat 32-bit mode to 64-bit mode, the
 * first 4 GiB mapped to themselves with 2 MiB pages, interrupts off, a stack of 16 KiB. Compile freestanding and without SSE, link at 1 MiB;
 * `casemate kvmtest new` writes a Makefile that does. Nothing else is needed, no library either.
 *
 * Define KVMTEST_PC, too, when the test uses PIC, PIT or I/O APIC: without them a machine starts and ends faster.
 */
#ifndef CASEMATE_KVMTEST_H
#define CASEMATE_KVMTEST_H

#define KT_PASS 0u
#define KT_FAIL 1u
#define KT_SKIP 77u

#define KT_PORT_COM1	0x3f8
#define KT_PORT_EXIT	0xf4
#define KT_PORT_CONSOLE 0xec

typedef unsigned char kt_u8;
typedef unsigned short kt_u16;
typedef unsigned int kt_u32;
typedef unsigned long long kt_u64;

/* The test. `args`: the words behind the image on the command line. What it returns is the exit code. */
unsigned kt_main(const char *args);

/* ---- instructions */

static inline void kt_outb(kt_u16 port, kt_u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void kt_outl(kt_u16 port, kt_u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline kt_u8 kt_inb(kt_u16 port)
{
	kt_u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline kt_u64 kt_rdmsr(kt_u32 msr)
{
	kt_u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (kt_u64)hi << 32 | lo;
}

static inline void kt_wrmsr(kt_u32 msr, kt_u64 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((kt_u32)v), "d"((kt_u32)(v >> 32)) : "memory");
}

static inline void kt_cpuid(kt_u32 leaf, kt_u32 sub, kt_u32 out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(sub));
}

static inline kt_u64 kt_rdtsc(void)
{
	kt_u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (kt_u64)hi << 32 | lo;
}

/* ---- end and output */

/* End the run. */
static inline void __attribute__((noreturn)) kt_exit(kt_u32 code)
{
	kt_outl(KT_PORT_EXIT, code);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* One instruction: some hosts interpret kernel mode, and every one then costs. */
static inline unsigned kt_strlen(const char *s)
{
	unsigned long left = ~0ul;

	__asm__ volatile("repne scasb" : "+D"(s), "+c"(left) : "a"(0) : "memory", "cc");
	return (unsigned)(~0ul - left) - 1;
}

struct kt_block {
	kt_u64 addr;
	kt_u32 len;
};

/* Text on the console. Where the machine takes it in one go (addresses are physical ones there), each character need not leave the guest. */
static inline void kt_write(const char *s, unsigned len)
{
	static int whole = -1;
	unsigned long n = len;

	if (whole < 0)
		whole = kt_inb(KT_PORT_CONSOLE) == 0xc5;
	if (whole) {
		volatile struct kt_block block;

		block.addr = (kt_u64)s;
		block.len = len;
		kt_outl(KT_PORT_CONSOLE, (kt_u32)(kt_u64)&block);
		return;
	}

	__asm__ volatile("rep outsb" : "+S"(s), "+c"(n) : "d"(KT_PORT_COM1) : "memory");
}

static inline void kt_puts(const char *s)
{
	kt_write(s, kt_strlen(s));
}

static inline void kt_put_number(kt_u64 v, unsigned base)
{
	char text[66];
	unsigned at = sizeof(text);

	do {
		text[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	kt_write(text + at, (unsigned)sizeof(text) - at);
}

/* A byte from the console's input, or -1. */
static inline int kt_getc(void)
{
	return kt_inb(KT_PORT_COM1 + 5) & 1 ? kt_inb(KT_PORT_COM1) : -1;
}

/* ---- test points (TAP) */

struct kt_points {
	unsigned done, failed;
};

static inline void kt_point(struct kt_points *p, int ok, const char *what)
{
	p->done++;
	p->failed += !ok;
	kt_puts(ok ? "ok " : "not ok ");
	kt_put_number(p->done, 10);
	kt_puts(" - ");
	kt_puts(what);
	kt_puts("\n");
}

/* The plan comes last; return what this returns. */
static inline unsigned kt_finish(const struct kt_points *p)
{
	kt_puts("1..");
	kt_put_number(p->done, 10);
	kt_puts("\n");
	return p->failed ? KT_FAIL : KT_PASS;
}

/* ---- entry */

#ifdef KVMTEST_START
#ifdef KVMTEST_PC
#define KT_NOTE_BITS "0"
#else
#define KT_NOTE_BITS "1"
#endif

struct kt_start_info {
	kt_u32 magic, version, flags, nr_modules;
	kt_u64 modlist, cmdline;
};

void kt_entry(const struct kt_start_info *info);
void __attribute__((used)) kt_entry(const struct kt_start_info *info)
{
	kt_exit(kt_main(info->cmdline ? (const char *)info->cmdline : ""));
}

__asm__(".pushsection .note.kvmtest, \"a\", @note\n"
	".balign 4\n"
	".long 4, 8, 18\n" /* Xen: entry in 32-bit mode */
	".asciz \"Xen\"\n"
	".quad kt_start\n"
	".long 9, 4, 1\n" /* casemate: what the machine needs */
	".asciz \"casemate\"\n"
	".balign 4\n"
	".long " KT_NOTE_BITS "\n"
	".popsection\n"

	".pushsection .text\n"
	".code32\n"
	".global kt_start\n"
	"kt_start:\n"
	"	cld\n"
	"	movl $kt_stack_end, %esp\n"
	"	movl %cr4, %eax\n"
	"	orl $0x20, %eax\n" /* PAE */
	"	movl %eax, %cr4\n"
	"	movl $kt_pml4, %eax\n"
	"	movl %eax, %cr3\n"
	"	movl $0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	orl $0x100, %eax\n" /* LME */
	"	wrmsr\n"
	"	lgdt kt_gdt_pointer\n"
	"	movl %cr0, %eax\n"
	"	orl $0x80000001, %eax\n"
	"	movl %eax, %cr0\n"
	"	ljmpl $0x8, $kt_start64\n"
	".code64\n"
	"kt_start64:\n"
	"	movl $0x10, %eax\n"
	"	movl %eax, %ds\n"
	"	movl %eax, %es\n"
	"	movl %eax, %ss\n"
	"	movl %ebx, %edi\n"
	"	xorl %ebp, %ebp\n"
	"	call kt_entry\n"
	".popsection\n"

	".pushsection .data\n"
	".balign 4096\n"
	"kt_pml4:\n"
	"	.quad kt_pdpt + 7\n"
	"	.fill 511, 8, 0\n"
	"kt_pdpt:\n"
	"	.quad kt_pd + 0x0007, kt_pd + 0x1007, kt_pd + 0x2007, kt_pd + 0x3007\n"
	"	.fill 508, 8, 0\n"
	"kt_pd:\n"
	"	.set kt_i, 0\n"
	"	.rept 2048\n"
	"	.quad kt_i << 21 | 0xe7\n"
	"	.set kt_i, kt_i + 1\n"
	"	.endr\n"
	"kt_gdt:\n"
	"	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff\n"
	"kt_gdt_pointer:\n"
	"	.word 23\n"
	"	.long kt_gdt\n"
	".popsection\n"

	".pushsection .bss\n"
	".balign 16\n"
	"	.skip 16384\n"
	"kt_stack_end:\n"
	".popsection\n");
#endif

#endif
