/* SPDX-License-Identifier: Apache-2.0 */
/* The end: registers, backtrace by frame pointers and the last system calls go to the VMM in one block. */
#include "kernel/panic.h"
#include "arch/x86_64/pcpu.h"
#include "casemate/hypercall.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "task/task.h"

struct panic_call {
	s32 pid;
	u32 nr;
	s64 ret;
};

static struct panic_ring {
	u32 next;
	struct panic_call calls[CM_PANIC_SYSCALLS];
} panic_rings[CM_MAX_CPUS];

static struct cm_panic panic_report __aligned(4096);
static u32 panic_started; /* atomic */

u32 panic_syscall_enter(u64 nr)
{
	u32 cpu = cpu_id();
	struct panic_ring *ring = &panic_rings[cpu];
	u32 at = ring->next++ % CM_PANIC_SYSCALLS;
	struct task *t = task_current();

	ring->calls[at] = (struct panic_call){ t ? t->tid : 0, (u32)nr, INT64_MIN };
	return cpu << 16 | at;
}

void panic_syscall_leave(u32 slot, u64 ret)
{
	panic_rings[slot >> 16].calls[slot & 0xffff].ret = (s64)ret;
}

static void panic_fill_calls(struct cm_panic *p, u32 cpu)
{
	struct panic_ring *ring = &panic_rings[cpu];
	u32 n = MIN(ring->next, (u32)CM_PANIC_SYSCALLS);

	for (u32 i = 0; i < n; i++) {
		struct panic_call *c = &ring->calls[(ring->next - n + i) % CM_PANIC_SYSCALLS];

		p->syscalls[i].pid = c->pid;
		p->syscalls[i].nr = c->nr;
		p->syscalls[i].ret = c->ret;
	}
	p->nsyscalls = n;
}

static bool panic_in_stack(u64 fp, u64 sp)
{
	return !(fp & 7) && fp >= sp && (fp & ~(KSTACK_SIZE - 1)) == (sp & ~(KSTACK_SIZE - 1)) &&
	       (fp & (KSTACK_SIZE - 1)) <= KSTACK_SIZE - 16;
}

/* Frames lie on one stack, each above the one before: a broken chain ends. */
u32 panic_backtrace(u64 fp, u64 sp, u64 *pc, u32 max)
{
	u32 n = 0;

	while (n < max && panic_in_stack(fp, sp)) {
		const u64 *frame = (const u64 *)fp;

		if (!frame[1])
			break;
		pc[n++] = frame[1];
		sp = fp + 16;
		fp = frame[0];
	}
	return n;
}

static void panic_fill_stack(struct cm_panic *p, u64 fp, u64 sp)
{
	p->depth += panic_backtrace(fp, sp, p->stack + p->depth, CM_PANIC_DEPTH - p->depth);
}

/* Waits for ever when another CPU is reporting already; a panic within the report powers off. */
static struct cm_panic *panic_begin(void)
{
	u32 nth;

	irq_disable();
	nth = atomic_add(&panic_started, 1);
	if (nth > 2)
		arch_power_off(CM_OFF_PANIC);
	if (nth > 1 && panic_report.cpu != cpu_id()) {
		for (;;)
			arch_halt();
	}
	log_flush();
	panic_report.cpu = cpu_id();
	panic_fill_calls(&panic_report, panic_report.cpu);
	if (task_current())
		panic_report.pid = task_current()->tid;
	panic_report.cr3 = cpu_read_cr3();
	return &panic_report;
}

static __noreturn void panic_end(struct cm_panic *p)
{
	hypercall(CM_HC_PANIC, image_pa(p), 0);
	arch_power_off(CM_OFF_PANIC);
}

void panic(const char *fmt, ...)
{
	struct cm_panic *p = panic_begin();
	va_list ap;

	va_start(ap, fmt);
	str_vformat(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	p->rip = (u64)__builtin_return_address(0);
	p->regs[6] = (u64)__builtin_frame_address(0);
	p->regs[7] = p->regs[6];
	panic_fill_stack(p, p->regs[6], p->regs[6]);
	panic_end(p);
}

void panic_trap(const struct regs *r, u32 vector, u64 error, u64 addr)
{
	struct cm_panic *p = panic_begin();
	const u64 regs[16] = { r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->rsp,
		r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15 };

	str_format(p->text, sizeof(p->text), "exception %u, error %#lx, address %#lx", vector,
		error, addr);
	memcpy(p->regs, regs, sizeof(regs));
	p->rip = r->rip;
	p->rflags = r->rflags;
	p->vector = vector;
	p->error = error;
	p->cr2 = addr;
	p->stack[p->depth++] = r->rip;
	panic_fill_stack(p, r->rbp, (u64)r);
	panic_end(p);
}
