/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions, interrupts and system calls behind their assembly entries, and the decision how to go back to user mode. */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/selftest.h"
#include "arch/x86_64/trap.h"
#include "kernel/account.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/percpu.h"
#include "mm/usercopy.h"
#include "task/task.h"

/* What a program may have set in RFLAGS: CF PF AF ZF SF TF DF OF NT RF AC ID. */
#define RFLAGS_USER  0x254dd5UL
#define RFLAGS_FIXED 0x202UL
/* What SYSRETQ cannot restore or must not. */
#define RFLAGS_NO_SYSRET (RFLAGS_TF | RFLAGS_NT | RFLAGS_RF)
/* What only the trampoline's IRETQ is known to restore. A frame of a fault always has RF. */
#define RFLAGS_NO_FAST (RFLAGS_TF | RFLAGS_NT)

enum trap_return {
	TRAP_SYSRET = 0,
	TRAP_IRET = 1,
	TRAP_TRAMPOLINE = 2,
	TRAP_INT = 3
};

struct ex_entry {
	u64 from, to;
};

extern const struct ex_entry __ex_table_start[], __ex_table_end[];
extern const char idle_window[], idle_window_end[];

u64 trap_window_hits; /* for the self-test; not exact with several CPUs */

static u64 trap_fixup(u64 rip)
{
	for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++) {
		if (e->from == rip)
			return e->to;
	}
	return 0;
}

/* Read at once: a later fault replaces it. */
static u64 trap_fault_addr(void)
{
	return arch_pvm ? pvm_pages[cpu_id()].fault_addr : cpu_read_cr2();
}

static u32 trap_access(u64 err)
{
	return (err & PF_WRITE ? FAULT_WRITE : 0) | (err & PF_FETCH ? FAULT_EXEC : 0);
}

/*
 * An event between the trampoline's load of CR3 and its IRETQ: user mode had not been reached. The IRET frame still holds where it
 * was to go, so the event is taken as if it came just after the IRETQ. A program that jumps there by itself with the frame's
 * address in RSP goes on with the frame's old content, which is made of user registers.
 */
static void trap_leave_trampoline(struct regs *r)
{
	const struct iret_frame *f = &tramp_area.frame[cpu_id()];
	u64 at = TRAMP_FRAME(cpu_id());
	u64 offset = r->rip - TRAMP_VA;

	if (offset == 0 && r->rsp == at + offsetof(struct iret_frame, rcx)) {
		r->rcx = f->rcx;
		r->r11 = f->r11;
	} else if (offset == TRAMP_POP_R11 && r->rsp == at + offsetof(struct iret_frame, r11)) {
		r->r11 = f->r11;
	} else if (offset != TRAMP_IRET || r->rsp != at + offsetof(struct iret_frame, rip)) {
		return;
	}
	r->rip = f->rip;
	r->rflags = f->rflags;
	r->rsp = f->rsp;
	trap_window_hits++;
}

static void trap_user_fault(struct regs *r, u64 err, uaddr_t addr)
{
	struct thread *t = thread_current();
	int fault = -EFAULT;

	if (!t->task) {
		selftest_exception(r, TRAP_PF, err, addr);
		return;
	}
	if (addr < USER_TOP && !(err & PF_RSVD)) {
		fault = mm_fault(t->as, addr, trap_access(err) | FAULT_USER);
		if (fault == 0)
			return;
	}
	task_user_exception(r, TRAP_PF, err | PF_USER, addr, fault);
}

/* Over an instruction of n bytes. 32-bit code goes on at 0 behind the end of its 4 GiB, as on the processor. */
static void trap_skip(struct regs *r, u64 n)
{
	r->rip += n;
	if (r->cs == USER_CS32)
		r->rip = (u32)r->rip;
}

/*
 * int $0x80: its gate is not the program's to use, so that it is #GP whose error code says IDT, on every machine (QEMU's has another index in it). The
 * instruction tells the rest, the same two bytes in 32-bit code. The program goes on behind it as after a system call, with all registers but RAX as they were.
 */
#define GP_ERROR_IDT 2UL
static bool trap_int80(struct regs *r, u32 vector, u64 err)
{
	u8 code[2];
	u32 slot;

	if (vector != TRAP_GP || !(err & GP_ERROR_IDT) || (r->cs == USER_CS32 && r->rip == ~0u) ||
		copy_from_user(code, r->rip, sizeof(code)) < 0 || code[0] != 0xcd ||
		code[1] != 0x80)
		return false;
	trap_skip(r, sizeof(code));
	r->orig_rax = (u32)r->rax;
	r->rax = (u64)-ENOSYS;
	slot = panic_syscall_enter(r->orig_rax);
	syscall_dispatch_compat(r);
	panic_syscall_leave(slot, r->rax);
	return true;
}

static bool trap_stepped(void)
{
	const struct task *t = thread_current()->task;

	return t && t->trace.forced_tf;
}

void trap_user(struct regs *r, u32 vector, u64 err)
{
	u64 addr = vector == TRAP_PF ? trap_fault_addr() : 0;

	account_enter_kernel();
	if (unlikely(r->rip - TRAMP_VA < PAGE_SIZE))
		trap_leave_trampoline(r);
	if (unlikely(vector == TRAP_NMI)) {
		nmi_dump(r);
		return;
	}
	if (vector >= 32) {
		irq_handle(vector);
		return;
	}
	/* A program's own tracer steps often: the debugger outside is not asked each time. */
	if ((vector == TRAP_DB && !trap_stepped()) || vector == TRAP_BP) {
		if (debug_trap(r, vector))
			return;
	}
	irq_enable();
	if (vector == TRAP_BP && debug_stale_user(r))
		return;
	if (vector == TRAP_PF)
		trap_user_fault(r, err, addr);
	else if (!thread_current()->task)
		selftest_exception(r, vector, err, r->rip);
	else if (!trap_int80(r, vector, err))
		task_user_exception(r, vector, err, r->rip, 0);
}

/* A fault of the kernel on a user address, at an instruction that may: let mm make the page present. */
static bool trap_kernel_user_fault(struct regs *r, u64 err, uaddr_t addr)
{
	struct thread *t = thread_current();
	int ret;

	if (addr >= USER_TOP || !t->as || !t->task || !(r->rflags & RFLAGS_IF) || in_interrupt())
		return false;
	irq_enable();
	ret = mm_fault(t->as, addr, trap_access(err));
	irq_disable();
	return ret == 0;
}

void trap_kernel(struct regs *r, u32 vector, u64 err)
{
	u64 addr = vector == TRAP_PF ? trap_fault_addr() : 0;
	u64 fixup;

	if (vector >= 32) {
		irq_handle(vector);
		/* pvm: an interrupt between enabling and HLT must not be slept over. */
		if (r->rip >= (u64)idle_window && r->rip < (u64)idle_window_end)
			r->rip = (u64)idle_window_end;
		return;
	}
	if (vector == TRAP_NMI) {
		nmi_dump(r);
		return;
	}
	if (vector == TRAP_DB || vector == TRAP_BP) {
		if (debug_trap(r, vector) || (vector == TRAP_BP && debug_stale_kernel(r)))
			return;
	}
	if (vector == TRAP_DB) {
		/* A program's single step or watchpoint that reached into the kernel, perhaps at an instruction that may fault. */
		r->rflags &= ~RFLAGS_TF;
		return;
	}
	fixup = trap_fixup(r->rip);
	if (fixup) {
		if (vector == TRAP_PF && trap_kernel_user_fault(r, err, addr))
			return;
		r->rip = fixup;
		return;
	}
	if (!debug_trap(r, vector))
		panic_trap(r, vector, err, addr);
}

void trap_syscall(struct regs *r)
{
	u32 slot;

	account_enter_kernel();
	irq_enable();
	if (unlikely(!thread_current()->task)) {
		selftest_syscall(r);
		return;
	}
	slot = panic_syscall_enter(r->orig_rax);
	syscall_dispatch(r);
	panic_syscall_leave(slot, r->rax);
}

#define SYSCALL_BYTES 2
void trap_syscall32(struct regs *r)
{
	r->rip = (u32)(r->rip - SYSCALL_BYTES);
	trap_user(r, TRAP_UD, 0);
}

static bool trap_canonical(u64 addr)
{
	return (u64)((s64)(addr << 16) >> 16) == addr;
}

/*
 * A tracer or a signal frame may have put anything into CS, SS and RIP. What IRETQ refuses is the program's #GP, and must not become the kernel's: true, with
 * its error code. Of an address in 32-bit code only the lower half counts (trap_sanitize), but the processor wants it canonical.
 */
static bool trap_refused(const struct regs *r, u64 *error)
{
	*error = 0;
	if (likely(r->cs == USER_CS && r->ss == USER_SS))
		return r->rip >= USER_TOP;
	if (r->cs != USER_CS && (r->cs != USER_CS32 || arch_pvm))
		*error = r->cs & ~3UL;
	else if (r->ss != USER_SS)
		*error = r->ss & ~3UL;
	else
		return !trap_canonical(r->rip);
	return true;
}

/* Nothing that a tracer or a signal frame put into the registers may give away the machine: the last word, after trap_refused. */
static void trap_sanitize(struct regs *r)
{
	if (r->cs == USER_CS32 && !arch_pvm)
		r->rip = (u32)r->rip;
	else
		r->cs = USER_CS;
	r->ss = USER_SS;
	r->rflags = (r->rflags & RFLAGS_USER) | RFLAGS_FIXED;
}

static u32 trap_prepare_trampoline(struct regs *r)
{
	u32 cpu = cpu_id();
	struct iret_frame *f = &tramp_area.frame[cpu];

	f->rcx = r->rcx;
	f->r11 = r->r11;
	f->rip = r->rip;
	f->cs = r->cs;
	f->rflags = r->rflags;
	f->rsp = r->rsp;
	f->ss = r->ss;
	r->rcx = TRAMP_VA;
	r->r11 = RFLAGS_FIXED;
	r->orig_rax = TRAMP_FRAME(cpu);
	return TRAP_TRAMPOLINE;
}

/*
 * AMD: an event from user mode leaves a null SS without attributes, which the threads that run until its return have, too, and SYSRETQ
 * changes the selector alone. A program would not notice in 64-bit code, but its next push in 32-bit code would be #SS.
 */
static void trap_prepare_sysret(void)
{
	if (!arch_pvm && cpu_read_ss() != KERNEL_SS)
		cpu_load_ss(KERNEL_SS);
}

u32 trap_exit(struct regs *r)
{
	struct thread *t = thread_current();
	u64 error;

	for (;;) {
		irq_disable();
		if (unlikely(READ_ONCE(t->need_resched))) {
			irq_enable();
			sched_preempt();
		} else if (unlikely(READ_ONCE(t->interrupted))) {
			irq_enable();
			task_return_to_user(r);
		} else if (unlikely(READ_ONCE(t->resumed))) {
			irq_enable();
			task_resumed(r);
		} else if (unlikely(trap_refused(r, &error))) {
			irq_enable();
			task_user_exception(r, TRAP_GP, error, r->rip, 0);
		} else {
			break;
		}
	}
	sched_leave_kernel();
	account_leave_kernel();
	if (pvm_fast_return && !(r->rflags & RFLAGS_NO_FAST) && r->rsp < USER_TOP) {
		trap_sanitize(r);
		return TRAP_INT;
	}
	if (likely(r->cs == USER_CS && r->rcx == r->rip && r->r11 == r->rflags &&
		    !(r->rflags & ~(RFLAGS_USER | RFLAGS_FIXED)) && (r->rflags & RFLAGS_IF) &&
		    !(r->rflags & RFLAGS_NO_SYSRET))) {
		trap_prepare_sysret();
		return TRAP_SYSRET;
	}
	trap_sanitize(r);
	return arch_pvm ? trap_prepare_trampoline(r) : TRAP_IRET;
}

void syscall_init_cpu(u32 cpu)
{
	extern const char syscall_stubs[], syscall32_stubs[];

	u64 efer = cpu_rdmsr(MSR_EFER);

	if ((efer & (EFER_SCE | EFER_NXE)) != (EFER_SCE | EFER_NXE))
		cpu_wrmsr(MSR_EFER, efer | EFER_SCE | EFER_NXE);
	cpu_wrmsr(MSR_STAR, (u64)USER_CS32 << 48 | (u64)KERNEL_CS << 32);
	cpu_wrmsr(MSR_LSTAR, (u64)syscall_stubs + 64UL * cpu);
	cpu_wrmsr(MSR_SFMASK, 0x47700);
	if (arch_pvm)
		return;
	cpu_wrmsr(MSR_CSTAR, (u64)syscall32_stubs + 64UL * cpu);
	/* SYSENTER is #GP while this is 0. */
	cpu_wrmsr(MSR_SYSENTER_CS, 0);
}
