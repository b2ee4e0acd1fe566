/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakpoints and single steps of a debugger outside, and what it sees of the sentry's faults before they are a panic.
 *
 * KVM's own debugging tells the VMM of them where it works, and the sentry never sees them. On pvm it does not work, on some nested
 * hypervisors only in part (docs/MACHINE.md): there the exceptions arrive here. The VMM is asked first; while a debugger looks at this CPU, the
 * call does not return. What is called on this way cannot carry breakpoints: nothing outside this file but the entry and trap_user, trap_kernel.
 */
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/trap.h"
#include "casemate/guestmem.h"
#include "casemate/hypercall.h"
#include "kernel/errno.h"

#define DEBUG_INT3 0xcc
#define DEBUG_INT  0xcd /* "int $3" in two bytes is a breakpoint of the program's own */

/* Each CPU has its own: another one may stand in its call while this one makes a step. Untouched until then. */
static struct debug_block {
	struct cm_hypercall hc __aligned(PAGE_SIZE);
} debug_blocks[CM_MAX_CPUS];

_Static_assert(sizeof(struct cm_trap_regs) == sizeof(struct regs), "the same registers");
_Static_assert(offsetof(struct cm_trap_regs, rax) == offsetof(struct regs, rax), "in one order");
_Static_assert(offsetof(struct cm_trap_regs, rip) == offsetof(struct regs, rip), "in one order");

bool debug_trap(struct regs *r, u32 vector)
{
	struct cm_hypercall *hc = &debug_blocks[cpu_id()].hc;
	u64 va = (u64)r;

	hc->op = CM_HC_TRAP;
	hc->arg[0] = va >= CM_KERNEL_BASE ? image_pa(r) : va_to_pa(r);
	hc->arg[1] = vector;
	cpu_outl(CM_PORT_CALL, (u32)(image_pa(hc) >> PAGE_SHIFT));
	return READ_ONCE(hc->status) == 0;
}

bool debug_stale_kernel(struct regs *r)
{
	const u8 *at = (const u8 *)r->rip;

	if (at[-1] == DEBUG_INT3 || at[-2] == DEBUG_INT)
		return false;
	r->rip--;
	return true;
}

bool debug_stale_user(struct regs *r)
{
	u8 code[2];

	if (r->rip < sizeof(code) || r->rip > USER_TOP ||
		arch_copy_from_user(code, r->rip - sizeof(code), sizeof(code)) != 0)
		return false;
	if (code[1] == DEBUG_INT3 || code[0] == DEBUG_INT)
		return false;
	r->rip--;
	return true;
}
