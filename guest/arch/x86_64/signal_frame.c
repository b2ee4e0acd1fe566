/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal frames, laid out as Linux does on x86-64, from high to low addresses: red zone, FPU state (64-byte aligned), then
 * struct sig_frame so that the handler finds its stack as after a call. What a program gives back to rt_sigreturn is checked: harmless
 * flags, and an FPU image that loads without a fault; segments that there are not are its fault on the way out (trap_exit).
 */
#include "task/signal.h"

#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "arch.h"
#include "arch/x86_64/cpu.h"
#include "lib/string.h"
#include "mm/usercopy.h"

#define RED_ZONE      128
#define FX_SIZE	      512
#define FX_SW	      464 /* offset of struct _fpx_sw_bytes */
#define FX_MXCSR      24
#define FX_MXCSR_MASK 28
#define XS_HEADER     512 /* u64 xstate_bv, xcomp_bv, 6 reserved */
#define XS_MIN	      (512 + 64)
#define RFLAGS_USER   0x50dd5UL /* AC RF OF DF TF SF ZF AF PF CF */

struct sig_frame {
	u64 return_address;
	struct ucontext uc;
	siginfo_t info;
};

static size_t sigframe_fpu_bytes(void)
{
	return fpu_xfeatures() ? fpu_size() + sizeof(u32) : FX_SIZE;
}

size_t sigframe_min_stack(void)
{
	return sizeof(struct sig_frame) + 8 + sigframe_fpu_bytes() + 63 + 16;
}

bool sigaltstack_active(const struct task *t, u64 sp)
{
	if (t->altstack.flags & SS_AUTODISARM)
		return false;
	return t->altstack.size && sp - t->altstack.sp - 1 < t->altstack.size;
}

int sigaltstack_set(struct task *t, const stack_t *ss, u64 sp)
{
	u32 flags = (u32)ss->ss_flags;
	u32 mode = flags & ~SS_AUTODISARM;

	if (sigaltstack_active(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack.sp = 0;
		t->altstack.size = 0;
	} else {
		if (ss->ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack.sp = (u64)ss->ss_sp;
		t->altstack.size = ss->ss_size;
	}
	t->altstack.flags = flags;
	return 0;
}

static int sigframe_push_fpu(struct task *t, u64 fp)
{
	u8 fx[FX_SIZE] __aligned(16);
	const u8 *area;
	size_t size = fpu_size();
	struct _fpx_sw_bytes *sw = (struct _fpx_sw_bytes *)(fx + FX_SW);

	fpu_save_current();
	area = t->thread->arch.fpu;
	memcpy(fx, area, FX_SIZE);
	memset(sw, 0, sizeof(*sw));
	if (fpu_xfeatures()) {
		sw->magic1 = FP_XSTATE_MAGIC1;
		sw->extended_size = (u32)(size + sizeof(u32));
		sw->xfeatures = fpu_xfeatures();
		sw->xstate_size = (u32)size;
	}
	if (copy_to_user(fp, fx, FX_SIZE) < 0)
		return -EFAULT;
	if (!fpu_xfeatures())
		return 0;
	if (copy_to_user(fp + FX_SIZE, area + FX_SIZE, size - FX_SIZE) < 0)
		return -EFAULT;
	return put_user((u32)FP_XSTATE_MAGIC2, fp + size);
}

static void sigframe_save_regs(struct sigcontext *sc, const struct task *t, const struct regs *r)
{
	sc->r8 = r->r8;
	sc->r9 = r->r9;
	sc->r10 = r->r10;
	sc->r11 = r->r11;
	sc->r12 = r->r12;
	sc->r13 = r->r13;
	sc->r14 = r->r14;
	sc->r15 = r->r15;
	sc->rdi = r->rdi;
	sc->rsi = r->rsi;
	sc->rbp = r->rbp;
	sc->rbx = r->rbx;
	sc->rdx = r->rdx;
	sc->rax = r->rax;
	sc->rcx = r->rcx;
	sc->rsp = r->rsp;
	sc->rip = r->rip;
	sc->eflags = r->rflags;
	sc->cs = (u16)r->cs;
	sc->ss = (u16)r->ss;
	sc->err = t->fault.error;
	sc->trapno = t->fault.trapno;
	sc->cr2 = t->fault.cr2;
}

/* Where the frame goes; 0 when the alternate stack overflows. */
static u64 sigframe_place(const struct task *t, const struct regs *r, u64 sa_flags, u64 *fp)
{
	u64 sp = r->rsp - RED_ZONE;
	bool on_alt = sigaltstack_active(t, r->rsp);
	bool entering = false;

	if ((sa_flags & SA_ONSTACK) && !on_alt && t->altstack.size) {
		sp = t->altstack.sp + t->altstack.size;
		entering = true;
	}
	*fp = ALIGN_DOWN(sp - sigframe_fpu_bytes(), 64UL);
	sp = ALIGN_DOWN(*fp - sizeof(struct sig_frame), 16UL) - 8;
	if ((on_alt || entering) && sp - t->altstack.sp >= t->altstack.size)
		return 0;
	return sp;
}

int sigframe_push(struct task *t, struct regs *r, const struct sig_frame_args *f)
{
	struct sig_frame frame;
	u64 fp;
	u64 sp = sigframe_place(t, r, f->action.flags, &fp);

	if (!sp || !(f->action.flags & SA_RESTORER) || f->action.handler >= USER_TOP)
		return -EFAULT;
	if (sigframe_push_fpu(t, fp) < 0)
		return -EFAULT;
	memset(&frame, 0, sizeof(frame));
	frame.return_address = f->action.restorer;
	frame.uc.uc_flags = UC_SIGCONTEXT_SS;
	if (r->cs == USER_CS)
		frame.uc.uc_flags |= UC_STRICT_RESTORE_SS;
	if (fpu_xfeatures())
		frame.uc.uc_flags |= UC_FP_XSTATE;
	frame.uc.uc_stack.ss_sp = (void *)t->altstack.sp;
	frame.uc.uc_stack.ss_size = t->altstack.size;
	frame.uc.uc_stack.ss_flags = (int)t->altstack.flags;
	sigframe_save_regs(&frame.uc.uc_mcontext, t, r);
	frame.uc.uc_mcontext.oldmask = f->mask;
	frame.uc.uc_mcontext.fpstate = (void *)fp;
	frame.uc.uc_sigmask = f->mask;
	frame.info = f->info;
	if (copy_to_user(sp, &frame, sizeof(frame)) < 0)
		return -EFAULT;
	if (t->altstack.flags & SS_AUTODISARM) {
		memset(&t->altstack, 0, sizeof(t->altstack));
		t->altstack.flags = SS_DISABLE;
	}
	r->rdi = (u64)f->sig;
	r->rsi = sp + offsetof(struct sig_frame, info);
	r->rdx = sp + offsetof(struct sig_frame, uc);
	r->rax = 0;
	r->rip = f->action.handler;
	r->rsp = sp;
	r->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	r->cs = USER_CS;
	r->ss = USER_SS;
	r->orig_rax = ~0UL;
	/* Scratch registers at a function's entry: with these the return may be a SYSRETQ, which spares a trap on pvm. */
	r->rcx = r->rip;
	r->r11 = r->rflags;
	return 0;
}

/* Loads the extended part of an XSAVE image; fx holds its first 512 bytes. False when it is only FXSAVE. -EFAULT. */
static int sigframe_pop_xsave(u8 *area, const u8 *fx, u64 fp, bool *extended)
{
	struct _fpx_sw_bytes sw;
	u64 header[8];
	u32 magic2;

	*extended = false;
	memcpy(&sw, fx + FX_SW, sizeof(sw));
	if (!fpu_xfeatures() || sw.magic1 != FP_XSTATE_MAGIC1 || sw.xstate_size < XS_MIN ||
		sw.xstate_size > fpu_size() || sw.xstate_size > sw.extended_size)
		return 0;
	if (get_user(magic2, fp + sw.xstate_size) < 0)
		return -EFAULT;
	if (magic2 != FP_XSTATE_MAGIC2)
		return 0;
	if (copy_from_user(area + FX_SIZE, fp + FX_SIZE, sw.xstate_size - FX_SIZE) < 0)
		return -EFAULT;
	memset(area + sw.xstate_size, 0, fpu_size() - sw.xstate_size);
	memcpy(header, area + XS_HEADER, sizeof(header));
	header[0] &= fpu_xfeatures() & sw.xfeatures;
	memset(&header[1], 0, sizeof(header) - sizeof(header[0]));
	memcpy(area + XS_HEADER, header, sizeof(header));
	*extended = true;
	return 0;
}

static int sigframe_pop_fpu(struct task *t, u64 fp)
{
	u8 fx[FX_SIZE] __aligned(16);
	u8 *area = t->thread->arch.fpu;
	u32 mxcsr, mask;
	bool extended;

	if (!fp) {
		fpu_reset_current();
		return 0;
	}
	if (copy_from_user(fx, fp, FX_SIZE) < 0)
		return -EFAULT;
	fpu_save_current();
	memcpy(&mask, area + FX_MXCSR_MASK, sizeof(mask));
	memcpy(&mxcsr, fx + FX_MXCSR, sizeof(mxcsr));
	if (mxcsr & ~(mask ? mask : 0xffbfu))
		return -EFAULT;
	if (sigframe_pop_xsave(area, fx, fp, &extended) < 0) {
		fpu_reset_current();
		return -EFAULT;
	}
	memcpy(area, fx, FX_SW);
	memcpy(area + FX_MXCSR_MASK, &mask, sizeof(mask));
	if (fpu_xfeatures() && !extended) {
		u64 header[8] = { 3 };

		memcpy(area + XS_HEADER, header, sizeof(header));
	}
	fpu_restore_current();
	return 0;
}

static void sigframe_load_regs(struct regs *r, const struct sigcontext *sc, u64 uc_flags)
{
	/* An instruction pointer outside of the user half faults when it is reached (trap_exit), and so do selectors. */
	r->r8 = sc->r8;
	r->r9 = sc->r9;
	r->r10 = sc->r10;
	r->r11 = sc->r11;
	r->r12 = sc->r12;
	r->r13 = sc->r13;
	r->r14 = sc->r14;
	r->r15 = sc->r15;
	r->rdi = sc->rdi;
	r->rsi = sc->rsi;
	r->rbp = sc->rbp;
	r->rbx = sc->rbx;
	r->rdx = sc->rdx;
	r->rax = sc->rax;
	r->rcx = sc->rcx;
	r->rsp = sc->rsp;
	r->rip = sc->rip;
	r->cs = sc->cs | 3;
	r->ss = sc->ss | 3;
	/* 64-bit programs that are older than the field. */
	if (r->cs == USER_CS && !(uc_flags & UC_STRICT_RESTORE_SS))
		r->ss = USER_SS;
	r->rflags = (r->rflags & ~RFLAGS_USER) | (sc->eflags & RFLAGS_USER);
	r->orig_rax = ~0UL;
}

int sigframe_pop(struct task *t, struct regs *r, u64 *mask)
{
	struct sig_frame frame;
	u64 sp = r->rsp - 8; /* the handler's return took the first word */

	if (copy_from_user(&frame, sp, sizeof(frame)) < 0) {
		r->rax = 0;
		return -EFAULT;
	}
	*mask = frame.uc.uc_sigmask;
	sigframe_load_regs(r, &frame.uc.uc_mcontext, frame.uc.uc_flags);
	if (sigframe_pop_fpu(t, (u64)frame.uc.uc_mcontext.fpstate) < 0)
		return -EFAULT;
	/* As sigaltstack(2), whose errors do not matter here. */
	(void)sigaltstack_set(t, &frame.uc.uc_stack, r->rsp);
	return 0;
}
