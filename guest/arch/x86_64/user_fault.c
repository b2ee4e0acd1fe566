/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions of programs become signals here, with Linux's signal numbers and codes. */
#include "arch.h"
#include "arch/x86_64/pcpu.h"
#include "task/signal.h"

#include "lib/string.h"

/* Which of the unmasked exceptions in `status` was it? Bits as in the FPU status word and MXCSR. */
static int fault_fpe_code(u32 status)
{
	if (status & 0x01)
		return FPE_FLTINV;
	if (status & 0x04)
		return FPE_FLTDIV;
	if (status & 0x08)
		return FPE_FLTOVF;
	if (status & 0x12)
		return FPE_FLTUND;
	if (status & 0x20)
		return FPE_FLTRES;
	return SI_KERNEL;
}

static int fault_math(struct task *t, u32 vector)
{
	const u8 *area = t->thread->arch.fpu;
	u16 control, status;
	u32 mxcsr;

	fpu_save_current();
	if (vector == TRAP_XM) {
		memcpy(&mxcsr, area + 24, sizeof(mxcsr));
		return fault_fpe_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
	}
	memcpy(&control, area, sizeof(control));
	memcpy(&status, area + 2, sizeof(status));
	return fault_fpe_code(status & ~control & 0x3fu);
}

static void fault_page(uaddr_t addr, int fault)
{
	switch (fault) {
	case -EACCES:
		signal_force_fault(SIGSEGV, SEGV_ACCERR, addr);
		return;
	case -EIO:
		signal_force_fault(SIGBUS, BUS_ADRERR, addr);
		return;
	case -ENOMEM:
		signal_send_group(task_current()->group, SIGKILL, NULL);
		return;
	default:
		signal_force_fault(SIGSEGV, SEGV_MAPERR, addr);
	}
}

void task_user_exception(struct regs *r, u32 vector, u64 error, uaddr_t addr, int fault)
{
	struct task *t = task_current();

	t->fault.trapno = vector;
	t->fault.error = error;
	if (vector == TRAP_PF)
		t->fault.cr2 = addr;
	switch (vector) {
	case TRAP_DE:
		signal_force_fault(SIGFPE, FPE_INTDIV, r->rip);
		return;
	case TRAP_DB:
		signal_force_fault(SIGTRAP, debug_regs_hit(r) ? TRAP_HWBKPT : TRAP_TRACE, r->rip);
		return;
	case TRAP_BP:
		signal_force_fault(SIGTRAP, SI_KERNEL, 0);
		return;
	case TRAP_UD:
		signal_force_fault(SIGILL, ILL_ILLOPN, r->rip);
		return;
	case TRAP_PF:
		fault_page(addr, fault);
		return;
	case TRAP_NP:
	case TRAP_SS:
		signal_force_fault(SIGBUS, SI_KERNEL, 0);
		return;
	case TRAP_AC:
		signal_force_fault(SIGBUS, BUS_ADRALN, 0);
		return;
	case TRAP_MF:
	case TRAP_XM:
		signal_force_fault(SIGFPE, fault_math(t, vector), r->rip);
		return;
	default:
		signal_force_fault(SIGSEGV, SI_KERNEL, 0);
	}
}
