/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of guests that panicked or crashed. */
#include <config.h>
#include "vmm/report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <casemate/guestmem.h>

#include "vmm/vlog.h"
#include "vmm/vm.h"

#define REPORT_BYTES 16384u
#define REPORT_DEPTH 32

/* protects: report_text. Two vCPUs may crash at once. */
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	size_t len;
	char text[REPORT_BYTES];
} report;

static void report_add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void report_add(const char *fmt, ...)
{
	size_t room = sizeof(report.text) - report.len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(report.text + report.len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		report.len += (size_t)n < room ? (size_t)n : room - 1;
}

static void report_begin(void)
{
	pthread_mutex_lock(&report_lock);
	report.len = 0;
}

static void report_end(void)
{
	vlog_sanitise(report.text, report.len);
	vlog_block(report.text, report.len);
	pthread_mutex_unlock(&report_lock);
}

/* `back` bytes before addr lies the instruction meant: 1 for return addresses, which may be the next function's start. */
static void report_address(const struct vm *vm, const char *label, uint64_t addr, unsigned back)
{
	uint64_t offset;
	const char *name = symtab_find(&vm->symbols, addr - back, &offset);

	report_add("  %-4s %016llx", label, (unsigned long long)addr);
	if (name)
		report_add(" %s+%#llx", name, (unsigned long long)offset + back);
	report_add("\n");
}

/* Sixteen registers in the order of struct cm_panic. */
static void report_registers(const uint64_t *regs)
{
	static const char names[16][4] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	unsigned i;

	for (i = 0; i < 16; i++)
		report_add("%s%-3s %016llx%s", i % 4 ? "  " : "  ", names[i],
			(unsigned long long)regs[i], i % 4 == 3 ? "\n" : "");
}

static void report_syscalls(const struct cm_panic *p)
{
	uint32_t n = p->nsyscalls < CM_PANIC_SYSCALLS ? p->nsyscalls : CM_PANIC_SYSCALLS;
	uint32_t i;

	if (n > 0)
		report_add("last system calls, newest last:\n");
	for (i = 0; i < n; i++)
		report_add("  pid %d  nr %u  = %lld\n", p->syscalls[i].pid, p->syscalls[i].nr,
			(long long)p->syscalls[i].ret);
}

void report_panic(struct vm *vm, const struct cm_panic *p)
{
	uint32_t depth = p->depth < CM_PANIC_DEPTH ? p->depth : CM_PANIC_DEPTH;
	uint32_t i;

	report_begin();
	report_add("=== guest panic: %.*s\n", (int)sizeof(p->text), p->text);
	report_add("cpu %u  pid %d  vector %llu  error %#llx\n", p->cpu, p->pid,
		(unsigned long long)p->vector, (unsigned long long)p->error);
	report_address(vm, "rip", p->rip, 0);
	report_add("  rflags %llx  cr2 %016llx  cr3 %llx\n", (unsigned long long)p->rflags,
		(unsigned long long)p->cr2, (unsigned long long)p->cr3);
	report_registers(p->regs);
	report_add("stack:\n");
	for (i = 0; i < depth; i++)
		report_address(vm, "", p->stack[i], 1);
	report_syscalls(p);
	report_add("=== end of guest panic\n");
	report_end();
}

/* Guest-virtual to guest-physical: the two linear ranges by arithmetic, the rest as KVM sees it. */
static int report_translate(struct vcpu *c, uint64_t va, uint64_t *gpa)
{
	uint64_t ram_end = CM_GPA_RAM + c->vm->ram_size;

	if (va >= CM_KERNEL_BASE) {
		*gpa = va - CM_KERNEL_BASE + CM_GPA_RAM;
		return 0;
	}
	if (va >= CM_DIRECT_MAP && va - CM_DIRECT_MAP < ram_end) {
		*gpa = va - CM_DIRECT_MAP;
		return 0;
	}
	return kvm_translate(c->fd, va, gpa);
}

static int report_read_va(struct vcpu *c, uint64_t va, void *buf, size_t len)
{
	uint64_t gpa;
	int r = report_translate(c, va, &gpa);

	return r < 0 ? r : gmem_read(&c->vm->mem, gpa, buf, len);
}

/* The guest keeps frame pointers. Frames must grow upwards, so that a loop ends. */
static void report_backtrace(struct vcpu *c, uint64_t rbp)
{
	uint64_t frame[2]; /* caller's frame, return address */
	unsigned i;

	report_add("stack:\n");
	for (i = 0; i < REPORT_DEPTH && rbp >= CM_DIRECT_MAP && rbp % 8 == 0; i++) {
		if (report_read_va(c, rbp, frame, sizeof(frame)) < 0 || frame[1] == 0)
			return;
		report_address(c->vm, "", frame[1], 1);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}

static void report_code(struct vcpu *c, uint64_t rip)
{
	uint8_t code[16];
	unsigned i;

	if (report_read_va(c, rip, code, sizeof(code)) < 0)
		return;
	report_add("  code");
	for (i = 0; i < sizeof(code); i++)
		report_add(" %02x", code[i]);
	report_add("\n");
}

static void report_vcpu(struct vcpu *c)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	/* #syscalls:vcpu ioctl[1=KVM_GET_REGS,KVM_GET_SREGS,KVM_TRANSLATE] */
	if (kvm_get_regs(c->fd, &r) < 0 || kvm_get_sregs(c->fd, &s) < 0) {
		report_add("  (registers cannot be read)\n");
		return;
	}
	/* AMD's processors lose their state in a shutdown, and KVM shows the one after a reset. */
	if (r.rip == 0xfff0 && !(s.cr0 & 1)) {
		report_add("  (no registers: KVM has reset the vCPU)\n");
		return;
	}
	uint64_t regs[16] = { r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9,
		r.r10, r.r11, r.r12, r.r13, r.r14, r.r15 };

	report_address(c->vm, "rip", r.rip, 0);
	report_add("  rflags %llx  cr0 %llx  cr2 %016llx  cr3 %llx  cr4 %llx  efer %llx\n",
		(unsigned long long)r.rflags, (unsigned long long)s.cr0, (unsigned long long)s.cr2,
		(unsigned long long)s.cr3, (unsigned long long)s.cr4, (unsigned long long)s.efer);
	report_add("  cs %x  ss %x  fs %llx  gs %llx  tr %x@%llx  gdt %llx  idt %llx\n",
		s.cs.selector, s.ss.selector, (unsigned long long)s.fs.base,
		(unsigned long long)s.gs.base, s.tr.selector, (unsigned long long)s.tr.base,
		(unsigned long long)s.gdt.base, (unsigned long long)s.idt.base);
	report_registers(regs);
	report_code(c, r.rip);
	report_backtrace(c, r.rbp);
}

void report_crash(struct vcpu *c, const char *what)
{
	struct kvm_run *run = c->run;
	unsigned i;

	report_begin();
	report_add("=== guest crash: %s\n", what);
	report_add("cpu %u  exit reason %u", c->index, run->exit_reason);
	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
		report_add("  suberror %u", run->internal.suberror);
		for (i = 0; i < run->internal.ndata && i < 4; i++)
			report_add(" %#llx", (unsigned long long)run->internal.data[i]);
	} else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY) {
		report_add("  hardware reason %#llx",
			(unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	}
	report_add("\n");
	report_vcpu(c);
	report_add("=== end of guest crash\n");
	report_end();
}

void report_run_failed(struct vcpu *c, int errnum)
{
	report_begin();
	report_add("=== guest crash: KVM_RUN: %s\n", strerror(errnum));
	report_add("cpu %u\n", c->index);
	report_vcpu(c);
	report_add("=== end of guest crash\n");
	report_end();
}

void report_exits(struct vm *vm)
{
	static const char *const names[VCPU_EXIT_REASONS] = {
		[KVM_EXIT_IO] = "io",
		[KVM_EXIT_MMIO] = "mmio",
		[KVM_EXIT_INTR] = "intr",
		[KVM_EXIT_IOAPIC_EOI] = "ioapic-eoi",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "irq-window",
		[KVM_EXIT_HLT] = "hlt",
		[KVM_EXIT_SHUTDOWN] = "shutdown",
		[KVM_EXIT_INTERNAL_ERROR] = "internal-error",
		[KVM_EXIT_FAIL_ENTRY] = "fail-entry",
	};
	unsigned i, k;

	report_begin();
	for (i = 0; i < vm->ncpus; i++) {
		struct vcpu *c = &vm->cpu[i];

		if (!c->run)
			continue;
		report_add("exits cpu=%u total=%llu", i, (unsigned long long)c->exits);
		for (k = 0; k < VCPU_EXIT_REASONS; k++) {
			if (c->exit[k].count == 0)
				continue;
			if (names[k])
				report_add(" %s=", names[k]);
			else
				report_add(" reason%u=", k);
			report_add("%llu", (unsigned long long)c->exit[k].count);
		}
		report_add("\n");
	}
	report_end();
}
