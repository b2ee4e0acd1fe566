/* SPDX-License-Identifier: Apache-2.0 */
/* Where every vCPU stands: registers and code, as text for the result. All of it is numbers. */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>

#include "vmm/pc/pc.h"

#define REPORT_CODE 16

static void report_add(struct pc *pc, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void report_add(struct pc *pc, const char *fmt, ...)
{
	struct cm_pc_result *res = &pc->result;
	size_t room = sizeof(res->text) - res->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(res->text + res->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		res->len += (size_t)n < room ? (uint32_t)n : (uint32_t)room - 1;
}

static void report_regs(struct pc *pc, const struct kvm_regs *r)
{
	const struct {
		const char *name;
		uint64_t v;
	} regs[] = { { "rax", r->rax }, { "rbx", r->rbx }, { "rcx", r->rcx }, { "rdx", r->rdx },
		{ "rsi", r->rsi }, { "rdi", r->rdi }, { "rbp", r->rbp }, { "rsp", r->rsp },
		{ "r8", r->r8 }, { "r9", r->r9 }, { "r10", r->r10 }, { "r11", r->r11 },
		{ "r12", r->r12 }, { "r13", r->r13 }, { "r14", r->r14 }, { "r15", r->r15 } };

	for (unsigned i = 0; i < 16; i++)
		report_add(pc, "  %-3s %016llx%s", regs[i].name, (unsigned long long)regs[i].v,
			i % 4 == 3 ? "\n" : "");
}

/* Code at the linear address, through the guest's tables where it has any. */
static void report_code(struct pc *pc, struct pc_cpu *c, uint64_t va)
{
	uint8_t code[REPORT_CODE];
	uint64_t gpa;

	if (kvm_translate(c->fd, va, &gpa) < 0 || gmem_read(&pc->mem, gpa, code, sizeof(code)) < 0)
		return;
	report_add(pc, "  code");
	for (unsigned i = 0; i < sizeof(code); i++)
		report_add(pc, " %02x", code[i]);
	report_add(pc, "\n");
}

static const char *report_mode(const struct kvm_sregs *s)
{
	if (!(s->cr0 & 1))
		return "real mode";
	if (!(s->efer & 0x400))
		return "protected mode";
	return s->cs.l ? "64-bit mode" : "compatibility mode";
}

static const char *report_state(unsigned mp)
{
	static const char *const names[] = { "running", "waiting for INIT", "waiting for SIPI",
		"halted", "started by SIPI" };

	return mp < sizeof(names) / sizeof(names[0]) ? names[mp] : "?";
}

static void report_cpu(struct pc *pc, struct pc_cpu *c)
{
	struct kvm_mp_state mp = { 0 };
	struct kvm_sregs s;
	struct kvm_regs r;

	/* #syscalls:io ioctl[1=KVM_GET_REGS,KVM_GET_SREGS,KVM_TRANSLATE,KVM_GET_MP_STATE] */
	if (kvm_get_regs(c->fd, &r) < 0 || kvm_get_sregs(c->fd, &s) < 0 ||
		kvm_get_mp_state(c->fd, &mp.mp_state) < 0) {
		report_add(pc, "vcpu %u: registers cannot be read\n", c->index);
		return;
	}
	if (mp.mp_state == KVM_MP_STATE_UNINITIALIZED) {
		report_add(pc, "vcpu %u: never started\n", c->index);
		return;
	}
	/* AMD's processors lose their state in a shutdown, and KVM shows the one after a reset. */
	if (pc->result.end == CM_PC_END_CRASH && pc->result.value == c->index && r.rip == 0xfff0 &&
		!(s.cr0 & 1)) {
		report_add(pc, "vcpu %u: no registers, KVM has reset it\n", c->index);
		return;
	}
	report_add(pc, "vcpu %u: %s, %s, rip %llx cs %x, %llu exits\n", c->index,
		report_state(mp.mp_state), report_mode(&s), (unsigned long long)r.rip,
		s.cs.selector, (unsigned long long)c->exits);
	/* The others' registers only while there is room for a line of every one. */
	if (pc->result.len > sizeof(pc->result.text) - 128u * pc->ncpus - 1200)
		return;
	report_regs(pc, &r);
	report_add(pc, "  rflags %llx  cr0 %llx  cr2 %llx  cr3 %llx  cr4 %llx  efer %llx\n",
		(unsigned long long)r.rflags, (unsigned long long)s.cr0, (unsigned long long)s.cr2,
		(unsigned long long)s.cr3, (unsigned long long)s.cr4, (unsigned long long)s.efer);
	report_add(pc, "  ss %x  gdt %llx+%x  idt %llx+%x  tr %x\n", s.ss.selector,
		(unsigned long long)s.gdt.base, s.gdt.limit, (unsigned long long)s.idt.base,
		s.idt.limit, s.tr.selector);
	report_code(pc, c, s.cs.base + r.rip);
}

void pc_report(struct pc *pc)
{
	for (unsigned i = 0; i < pc->ncpus; i++) {
		if (pc->cpu[i].fd > 0)
			report_cpu(pc, &pc->cpu[i]);
	}
}
