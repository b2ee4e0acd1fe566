/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Breakpoints and single steps that the guest reports itself (CM_HC_TRAP), because KVM does not.
 *
 * While the vCPU stands in that call, what the debugger sees and changes as its general registers are those of the exception, which the guest's
 * frame holds; the debug thread reads the frame anew each time, and takes it for no more than numbers. A step is the trap flag in those registers:
 * it is set when the vCPU goes on and taken away when it arrives, so nobody sees it.
 */
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <casemate/hypercall.h>

#include "vmm/debug/pause.h"
#include "vmm/debug/trap.h"
#include "vmm/kvm.h"
#include "vmm/vm.h"

#define TRAP_DB	  1u
#define TRAP_BP	  3u
#define TRAP_MAX  31u
#define RFLAGS_TF 0x100u
#define DR6_STEP  0x4000u
#define CS_USER	  3u
#define CR3_USER  0x1000u /* pvm: the table of user mode */

static struct cm_trap_regs *trap_frame(const struct vm *vm, uint64_t gpa)
{
	return gpa % 8 ? NULL : gmem_ptr(&vm->mem, gpa, sizeof(struct cm_trap_regs), true);
}

/* The trap flag of a vCPU that does not stand in the call. */
static int trap_flag(struct vcpu *c, bool on)
{
	struct kvm_regs r;
	int e = kvm_get_regs(c->fd, &r);

	if (e < 0)
		return e;
	r.rflags = on ? r.rflags | RFLAGS_TF : r.rflags & ~(uint64_t)RFLAGS_TF;
	return kvm_set_regs(c->fd, &r);
}

/* Nobody debugs. A step that a debugger left behind when it went ends here, once. */
static int trap_unwanted(struct vcpu *c, struct cm_trap_regs *f, uint32_t vector)
{
	if (vector != TRAP_DB || !(f->rflags & RFLAGS_TF) ||
		!atomic_exchange(&c->vm->pause.stepped, false))
		return -ENOENT;
	f->rflags &= ~(uint64_t)RFLAGS_TF;
	return 0;
}

int trap_report(struct vcpu *c, uint64_t gpa, uint64_t vector)
{
	struct cm_trap_regs *f = trap_frame(c->vm, gpa);
	struct cm_dbg_stop stop = { .reason = CM_DBG_TRAP, .cpu = c->index };
	uint32_t flags;

	if (!f || vector > TRAP_MAX)
		return -EINVAL;
	if (!(atomic_load(&c->debug_flags) & CM_DBG_GD_ENABLE))
		return trap_unwanted(c, f, (uint32_t)vector);
	if (vector == TRAP_BP)
		f->rip--;
	else if (vector == TRAP_DB)
		stop.dr6 = DR6_STEP;
	f->rflags &= ~(uint64_t)RFLAGS_TF;
	stop.exception = (uint32_t)vector;
	stop.pc = f->rip;
	c->frame = gpa;
	pause_trapped(c, &stop);
	c->frame = 0;
	flags = atomic_load(&c->debug_flags);
	if (flags & CM_DBG_GD_STEP)
		f->rflags |= RFLAGS_TF;
	if (!(flags & CM_DBG_GD_INJECT))
		return 0;
	atomic_fetch_and(&c->debug_flags, ~CM_DBG_GD_INJECT);
	if (vector == TRAP_BP)
		f->rip++;
	return -ENOENT;
}

void trap_exited(struct vcpu *c)
{
	if (c->stepping && c->run->debug.arch.exception == TRAP_DB)
		trap_flag(c, false);
}

/* ---- the debug thread, on a vCPU that stands */

void trap_get_regs(struct vcpu *c, struct kvm_regs *r)
{
	const struct cm_trap_regs *f = c->frame ? trap_frame(c->vm, c->frame) : NULL;

	if (f)
		*r = (struct kvm_regs){
			.rax = f->rax,
			.rbx = f->rbx,
			.rcx = f->rcx,
			.rdx = f->rdx,
			.rsi = f->rsi,
			.rdi = f->rdi,
			.rsp = f->rsp,
			.rbp = f->rbp,
			.r8 = f->r8,
			.r9 = f->r9,
			.r10 = f->r10,
			.r11 = f->r11,
			.r12 = f->r12,
			.r13 = f->r13,
			.r14 = f->r14,
			.r15 = f->r15,
			.rip = f->rip,
			.rflags = f->rflags,
		};
	/* A step that is under way. */
	if (c->stepping)
		r->rflags &= ~(uint64_t)RFLAGS_TF;
}

void trap_get_sregs(struct vcpu *c, struct kvm_sregs *s)
{
	const struct cm_trap_regs *f = c->frame ? trap_frame(c->vm, c->frame) : NULL;

	if (!f)
		return;
	s->cs.selector = (uint16_t)f->cs;
	s->cs.dpl = f->cs & CS_USER;
	s->ss.selector = (uint16_t)f->ss;
	s->ss.dpl = f->ss & CS_USER;
	if (c->vm->pvm && f->cs & CS_USER)
		s->cr3 |= CR3_USER;
}

bool trap_set_regs(struct vcpu *c, const struct kvm_regs *r)
{
	struct cm_trap_regs *f = c->frame ? trap_frame(c->vm, c->frame) : NULL;

	if (!f)
		return false;
	f->rax = r->rax;
	f->rbx = r->rbx;
	f->rcx = r->rcx;
	f->rdx = r->rdx;
	f->rsi = r->rsi;
	f->rdi = r->rdi;
	f->rsp = r->rsp;
	f->rbp = r->rbp;
	f->r8 = r->r8;
	f->r9 = r->r9;
	f->r10 = r->r10;
	f->r11 = r->r11;
	f->r12 = r->r12;
	f->r13 = r->r13;
	f->r14 = r->r14;
	f->r15 = r->r15;
	f->rip = r->rip;
	f->rflags = r->rflags;
	return true;
}

int trap_set_debug(struct vcpu *c, const struct cm_dbg_guest_debug *q)
{
	bool on = q->flags & CM_DBG_GD_ENABLE;
	/* KVM's own step needs no help of the guest, but knows nothing of the frame. */
	bool kvm_step = !c->vm->pvm && !c->frame;
	/* The software KVM is asked for what it could do alone, debug registers. */
	bool kvm_debug = !c->vm->pvm || (on && q->flags & CM_DBG_GD_HW) || c->hw;
	struct kvm_guest_debug g = { 0 };
	int r;

	if (on) {
		g.control = KVM_GUESTDBG_ENABLE;
		g.control |= q->flags & CM_DBG_GD_SW ? KVM_GUESTDBG_USE_SW_BP : 0;
		g.control |= q->flags & CM_DBG_GD_HW ? KVM_GUESTDBG_USE_HW_BP : 0;
		g.control |= q->flags & CM_DBG_GD_INJECT && !c->frame ? KVM_GUESTDBG_INJECT_BP : 0;
		g.control |= q->flags & CM_DBG_GD_STEP && kvm_step
				     ? KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ
				     : 0;
		memcpy(g.arch.debugreg, q->dr, sizeof(q->dr));
		g.arch.debugreg[7] = q->dr7;
	}
	r = kvm_debug ? kvm_state(c->fd, KVM_SET_GUEST_DEBUG, &g) : 0;
	/* Linux before 5.16 cannot keep interrupts out. */
	if (r == -EINVAL && g.control & KVM_GUESTDBG_BLOCKIRQ) {
		g.control &= ~KVM_GUESTDBG_BLOCKIRQ;
		r = kvm_state(c->fd, KVM_SET_GUEST_DEBUG, &g);
	}
	if (r < 0)
		return c->vm->pvm ? -EOPNOTSUPP : r;
	c->hw = on && q->flags & CM_DBG_GD_HW;
	if (q->flags & (CM_DBG_GD_STEP | CM_DBG_GD_TRAP))
		atomic_store(&c->vm->pause.stepped, true);
	if (!kvm_step && !c->frame && (c->stepping || q->flags & CM_DBG_GD_STEP))
		r = trap_flag(c, on && q->flags & CM_DBG_GD_STEP);
	c->stepping = !kvm_step && on && q->flags & CM_DBG_GD_STEP;
	/* KVM delivers on its own what it stopped for. */
	atomic_store(&c->debug_flags, on ? q->flags & ~(c->frame ? 0 : CM_DBG_GD_INJECT) : 0);
	return r;
}
