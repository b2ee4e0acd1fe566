/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test kernel for the VMM: does what the command line says (`test=NAME`), logs what happened and powers off. It has no interrupts, no
 * exceptions and no handshake with the software KVM, which therefore interprets it: keep it short.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <casemate/guestmem.h>
#include <casemate/hypercall.h>

#include "lib/fdt_read.h"

#define PAGE	 __attribute__((aligned(4096)))
#define RAM_BASE (CM_DIRECT_MAP + CM_GPA_RAM)

void kernel_main(const void *fdt, uint64_t cpu);

static char log_text[CM_LOG_MAX] PAGE;
static struct cm_panic panic_block PAGE;
static struct cm_mmio_op ops[4] PAGE;
static struct cm_range ranges[CM_RANGES_MAX] PAGE;
static struct cm_hypercall call_page PAGE;
static volatile uint64_t other_cpu;
static struct fdt_reader fdt_tree;

/* What GCC may call. */
void *memset(void *p, int c, size_t n);

void *memset(void *p, int c, size_t n)
{
	char *d = p;

	while (n--)
		*d++ = (char)c;
	return p;
}

static uint64_t gpa_of(const volatile void *p)
{
	return (uint64_t)p - CM_KERNEL_BASE + CM_GPA_RAM;
}

static void out32(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %w1" : : "a"(v), "Nd"(port) : "memory");
}

static void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %w1" : : "a"(v), "Nd"(port) : "memory");
}

static uint32_t in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static int call(uint32_t op, uint64_t a0, uint64_t a1)
{
	volatile struct cm_hypercall *b = &call_page;

	b->op = op;
	b->status = 99;
	b->arg[0] = a0;
	b->arg[1] = a1;
	out32(CM_PORT_CALL, (uint32_t)(gpa_of(b) >> 12));
	return b->status;
}

static void say(const char *s)
{
	unsigned n = 0;

	while (s[n] && n < sizeof(log_text)) {
		log_text[n] = s[n];
		n++;
	}
	call(CM_HC_LOG, gpa_of(log_text), n);
}

static bool streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* One line of TAP, without its plan. */
static void tap(bool ok, const char *what)
{
	if (!ok)
		say("not ");
	say("ok - ");
	say(what);
	say("\n");
}

static void off(void)
{
	call(CM_HC_POWER_OFF, CM_OFF_DONE, 0);
}

static void test_hello(void)
{
	const char *s = "hello by port\n";

	while (*s)
		out8(CM_PORT_LOG, (uint8_t)*s++);
	say("hello by hypercall\n");
	off();
}

__attribute__((noinline)) void crash_inner(volatile int *p);
__attribute__((noinline)) void crash_outer(volatile int *p);

void crash_inner(volatile int *p)
{
	__asm__ volatile("mov $0x5eed, %%r15\n\tud2" : : : "r15", "memory");
	*p = 1;
}

void crash_outer(volatile int *p)
{
	crash_inner(p);
	*p = 2;
}

static void test_crash(void)
{
	int x = 0;

	crash_outer(&x);
	say("not reached\n");
}

static void test_panic(void)
{
	static const char text[] = "test \x1b[31mpanic";
	struct cm_panic *p = &panic_block;
	unsigned i;

	p->cpu = 0;
	p->depth = 1000; /* more than there are */
	p->nsyscalls = 1000;
	p->regs[0] = 0xabcdef;
	p->rip = (uint64_t)&kernel_main + 4;
	p->stack[0] = (uint64_t)&crash_outer + 1;
	p->pid = 42;
	p->syscalls[0].nr = 231;
	for (i = 0; i < CM_PANIC_TEXT; i++)
		p->text[i] = 'x'; /* no end */
	for (i = 0; text[i]; i++)
		p->text[i] = text[i];
	call(CM_HC_PANIC, gpa_of(p), 0);
}

static void test_release(uint64_t ram)
{
	volatile uint64_t *page = (volatile uint64_t *)(RAM_BASE + ram - 8192);

	page[0] = 7;
	page[512] = 7;
	ranges[0].gpa = CM_GPA_RAM + ram - 8192;
	ranges[0].len = 4096;
	ranges[1].gpa = CM_GPA_RAM + ram - 4096;
	ranges[1].len = 4096;
	tap(call(CM_HC_MEM_RELEASE, gpa_of(ranges), 2) == 0 && page[0] == 0 && page[512] == 0,
		"released pages read as zero");
	ranges[1].len = 8192;
	tap(call(CM_HC_MEM_RELEASE, gpa_of(ranges), 2) == -22, "a range behind RAM is refused");
	ranges[0].gpa = CM_GPA_ARENA;
	tap(call(CM_HC_MEM_RELEASE, gpa_of(ranges), 1) == -22, "a range outside RAM is refused");
	ranges[0].gpa = CM_GPA_RAM + ram - 8192;
	ranges[0].len = 0xfffffffffffff000ull;
	tap(call(CM_HC_MEM_RELEASE, gpa_of(ranges), 1) == -22, "a range that wraps is refused");
	ranges[0].len = 1;
	tap(call(CM_HC_MEM_RELEASE, gpa_of(ranges), 1) == -22, "half a page is refused");
	tap(call(CM_HC_MEM_RELEASE, gpa_of(ranges), CM_RANGES_MAX + 1) == -7,
		"too many ranges are refused");
	tap(call(CM_HC_MEM_RELEASE, ~0ull, 1) == -14, "ranges outside memory are refused");
}

static void test_mmio_batch(void)
{
	ops[0] = (struct cm_mmio_op){ .device = 0, .offset = CM_MMIO_READ };
	ops[1] = (struct cm_mmio_op){ .device = 15, .offset = CM_MMIO_READ | 0x70 };
	tap(call(CM_HC_MMIO_BATCH, gpa_of(ops), 2) == 0 && ops[0].value == 0x74726976,
		"a batch reads the magic of device 0");
	tap(*(volatile uint32_t *)(CM_DIRECT_MAP + CM_GPA_VIRTIO) == 0x74726976,
		"an MMIO read does too");
	tap(ops[1].value == 0xffffffff, "a page without device reads as ones");
	ops[0].device = CM_VIRTIO_MAX;
	tap(call(CM_HC_MMIO_BATCH, gpa_of(ops), 1) == -22, "an unknown page is refused");
	ops[0] = (struct cm_mmio_op){ .offset = CM_MMIO_READ | 0xffe };
	tap(call(CM_HC_MMIO_BATCH, gpa_of(ops), 1) == -22, "a register beyond the page is refused");
	tap(call(CM_HC_MMIO_BATCH, gpa_of(ops), CM_MMIO_BATCH_MAX + 1) == -7,
		"too many accesses are refused");
	tap(call(CM_HC_MMIO_BATCH, CM_GPA_RAM - 16, 1) == -14,
		"accesses outside memory are refused");
}

static void test_calls(uint64_t ram)
{
	test_mmio_batch();
	test_release(ram);
	tap(call(CM_HC_NONE, 0, 0) == -38, "request 0 is unknown");
	tap(call(CM_HC_COUNT, 0, 0) == -38, "a request behind the last is unknown");
	tap(call(0xffffffff, 0, 0) == -38, "a huge request is unknown");
	tap(call(CM_HC_LOG, gpa_of(log_text), CM_LOG_MAX + 1) == -7, "a long log is refused");
	tap(call(CM_HC_LOG, CM_GPA_DAX, 16) == -14, "a log outside memory is refused");
	tap(call(CM_HC_PANIC, ~0ull, 0) == -14, "a panic outside memory is refused");
	tap(call(CM_HC_CPU_START, 0, 0) == -22, "vCPU 0 cannot be started");
	tap(call(CM_HC_CPU_START, 1, 0) == -22, "a vCPU that is not there cannot be started");
	out32(CM_PORT_CALL, 0xffffffff); /* nowhere to answer */
	out32(CM_PORT_CALL + 2, 0);
	out8(CM_PORT_CALL, 0);
	out32(CM_PORT_DOORBELL, 0xffffffff);
	out32(CM_PORT_DOORBELL, 0x0000ffff);
	tap(in32(0x1234) == 0xffffffff, "an unknown port reads as ones");
	out32(0x1234, 1);
	tap(true, "nonsense on ports does no harm");
	off();
}

static void test_smp(void)
{
	uint64_t i;

	tap(call(CM_HC_CPU_START, 1, 0) == 0, "vCPU 1 starts");
	tap(call(CM_HC_CPU_START, 1, 0) == -114, "it starts once");
	tap(call(CM_HC_CPU_START, 2, 0) == -22, "there is no vCPU 2");
	for (i = 0; i < 1000000 && other_cpu != 0x1111; i++)
		__asm__ volatile("pause");
	tap(other_cpu == 0x1111, "it runs kernel_main with its index");
	off();
}

static void test_flood(void)
{
	unsigned i;

	for (i = 0; i < CM_LOG_MAX; i++)
		log_text[i] = i % 64 == 63 ? '\n' : 'A';
	for (i = 0; i < 2000; i++)
		call(CM_HC_LOG, gpa_of(log_text), CM_LOG_MAX);
	off();
}

/* Longer than a machine waits before it lays wires, at any price of an exit. */
static void test_rings(void)
{
	unsigned i;

	for (i = 0; i < 100000; i++)
		out32(CM_PORT_DOORBELL, 2u << 16 | 1);
	off();
}

struct idt_gate {
	uint16_t offset0, selector, flags, offset1;
	uint32_t offset2, zero;
};

static struct idt_gate idt[32] PAGE;
static uint8_t pvm_page[4096] PAGE;
volatile uint64_t machine_checks;
extern char machine_check_entry[];
uint64_t poisoned_read(const volatile uint64_t *p);

/* The software KVM interprets a kernel until it says hello, and an interpreted access to nothing reads as ones. */
static void pvm_handshake(void)
{
	uint64_t v = gpa_of(pvm_page) | 0x17;

	__asm__ volatile("wrmsr"
			 :
			 : "c"(0x4b564d10), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
	__asm__ volatile("mov %%cr3, %%rax\n\tmov %%rax, %%cr3" : : : "rax", "memory");
}

static void test_poison(bool pvm)
{
	uint64_t entry = (uint64_t)machine_check_entry;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (uint64_t)idt };

	idt[18] = (struct idt_gate){ (uint16_t)entry, 0x10, 0x8e00, (uint16_t)(entry >> 16),
		(uint32_t)(entry >> 32), 0 };
	__asm__ volatile("lidt %0" : : "m"(idtr));
	if (pvm)
		pvm_handshake();
	tap(poisoned_read((const volatile uint64_t *)(CM_DIRECT_MAP + CM_GPA_DAX)) == 0x5afe,
		"an access to an empty part of the DAX window is a machine check");
	tap(machine_checks == 1, "one for one access");
	off();
}

static uint64_t fdt_ram(void)
{
	uint64_t base = 0, size = 0;

	fdt_read_reg(&fdt_tree, fdt_read_path(&fdt_tree, "/memory"), 0, &base, &size);
	return base == CM_GPA_RAM ? size : 0;
}

void kernel_main(const void *fdt, uint64_t cpu)
{
	const char *args;

	if (cpu != 0) {
		other_cpu = 0x1110 + cpu;
		return;
	}
	if (!fdt_read_init(&fdt_tree, fdt, CM_BOOT_FDT_MAX))
		return;
	args = fdt_read_string(&fdt_tree, fdt_read_path(&fdt_tree, "/chosen"), "bootargs");
	if (!args)
		return;
	if (streq(args, "test=hello"))
		test_hello();
	else if (streq(args, "test=crash"))
		test_crash();
	else if (streq(args, "test=panic"))
		test_panic();
	else if (streq(args, "test=calls"))
		test_calls(fdt_ram());
	else if (streq(args, "test=smp"))
		test_smp();
	else if (streq(args, "test=flood"))
		test_flood();
	else if (streq(args, "test=poison"))
		test_poison(false);
	else if (streq(args, "test=poison-pvm"))
		test_poison(true);
	else if (streq(args, "test=rings"))
		test_rings();
	else if (streq(args, "test=reason"))
		call(CM_HC_POWER_OFF, 12345, 0);
	else if (streq(args, "test=spin"))
		for (;;)
			__asm__ volatile("pause");
	/* test=halt and everything else: the entry code halts. */
}
