/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a stopped task for ptrace(2) and core dumps, in the layouts of Linux's user_regs_struct, user_fpregs_struct and XSAVE image.
 * What a tracer writes is checked here: selectors have the program's privilege level. Where there is no such segment, those of code and stack are a fault when
 * the program goes on (trap_exit), the others are 0.
 */
#include <linux/errno.h>

#include "arch/x86_64/cpu.h"
#include "task/ptrace.h"

#include "lib/string.h"

#define FX_MXCSR      24
#define FX_MXCSR_MASK 28
#define FX_SW	      464
#define XS_HEADER     512
#define XS_FPSSE      3UL
#define USER_AREA     928 /* bytes of struct user */
#define USER_DEBUG    848UL /* its u_debugreg */
/* CF PF AF ZF SF TF DF OF NT RF AC: what a debugger may set. */
#define RFLAGS_DEBUG 0x54dd5UL

enum user_reg {
	REG_RBX = 5,
	REG_ORIG_RAX = 15,
	REG_RIP = 16,
	REG_CS = 17,
	REG_RFLAGS = 18,
	REG_SS = 20,
	REG_FSBASE = 21,
	REG_GSBASE = 22,
	REG_DS = 23,
	REG_ES = 24,
	REG_FS = 25,
	REG_GS = 26
};

_Static_assert(
	sizeof(struct regs) == REG_FSBASE * sizeof(u64), "the first part of user_regs_struct");
_Static_assert(offsetof(struct regs, orig_rax) == REG_ORIG_RAX * sizeof(u64), "in its order");

/* What runs now keeps its registers in the processor. */
static void user_save(struct task *t)
{
	if (t->thread == thread_current())
		fpu_save_current();
}

/* The registers are loaded again before it runs. */
static void user_changed(struct task *t)
{
	t->thread->arch.fpu_cpu = ~0u;
}

void user_regs_get(struct task *t, u64 *regs)
{
	user_save(t);
	memset(regs, 0, USER_REGS * sizeof(u64));
	memcpy(regs, thread_user_regs(t->thread), sizeof(struct regs));
	if (t->trace.forced_tf)
		regs[REG_RFLAGS] &= ~RFLAGS_TF;
	regs[REG_FSBASE] = t->thread->arch.fsbase;
	regs[REG_GSBASE] = t->thread->arch.gsbase;
	regs[REG_DS] = t->thread->arch.sel.ds;
	regs[REG_ES] = t->thread->arch.sel.es;
	regs[REG_FS] = t->thread->arch.sel.fs;
	regs[REG_GS] = t->thread->arch.sel.gs;
}

static int user_flags_set(struct task *t, struct regs *r, u64 value)
{
	if (value & RFLAGS_TF)
		t->trace.forced_tf = false;
	else if (t->trace.forced_tf)
		value |= RFLAGS_TF;
	r->rflags = (r->rflags & ~RFLAGS_DEBUG) | (value & RFLAGS_DEBUG);
	return 0;
}

static int user_base_set(struct task *t, u64 *base, u64 value)
{
	if (value >= USER_TOP)
		return -EIO;
	*base = value;
	user_changed(t);
	return 0;
}

static int user_cs_ss_set(u64 *sel, u64 value)
{
	if ((value & 3) != 3)
		return -EIO;
	*sel = (u16)value;
	return 0;
}

/* The privilege level is the program's, or it is the null selector. */
static int user_selector_set(struct task *t, u16 *sel, u64 value)
{
	if ((u16)value && (value & 3) != 3)
		return -EIO;
	*sel = (u16)value;
	user_changed(t);
	return 0;
}

int user_reg_set(struct task *t, u32 index, u64 value)
{
	struct regs *r = thread_user_regs(t->thread);

	switch (index) {
	case REG_CS:
		return user_cs_ss_set(&r->cs, value);
	case REG_SS:
		return user_cs_ss_set(&r->ss, value);
	case REG_RFLAGS:
		return user_flags_set(t, r, value);
	case REG_FSBASE:
		return user_base_set(t, &t->thread->arch.fsbase, value);
	case REG_GSBASE:
		t->thread->arch.gs_used = true;
		return user_base_set(t, &t->thread->arch.gsbase, value);
	case REG_DS:
		return user_selector_set(t, &t->thread->arch.sel.ds, value);
	case REG_ES:
		return user_selector_set(t, &t->thread->arch.sel.es, value);
	case REG_FS:
		return user_selector_set(t, &t->thread->arch.sel.fs, value);
	case REG_GS:
		return user_selector_set(t, &t->thread->arch.sel.gs, value);
	default:
		if (index > REG_GS)
			return -EIO;
		((u64 *)r)[index] = value;
		return 0;
	}
}

int user_area_get(struct task *t, u64 offset, u64 *value)
{
	u64 regs[USER_REGS];

	if (offset % sizeof(u64) || offset >= USER_AREA)
		return -EIO;
	*value = 0;
	if (offset < sizeof(regs)) {
		user_regs_get(t, regs);
		*value = regs[offset / sizeof(u64)];
	} else if (offset - USER_DEBUG < 8 * sizeof(u64)) {
		*value = user_debug_get(t, (u32)((offset - USER_DEBUG) / sizeof(u64)));
	}
	return 0;
}

int user_area_set(struct task *t, u64 offset, u64 value)
{
	if (offset % sizeof(u64))
		return -EIO;
	if (offset - USER_DEBUG < 8 * sizeof(u64))
		return user_debug_set(t, (u32)((offset - USER_DEBUG) / sizeof(u64)), value);
	if (offset >= USER_REGS * sizeof(u64))
		return -EIO;
	return user_reg_set(t, (u32)(offset / sizeof(u64)), value);
}

void user_fpregs_get(struct task *t, u8 *fx)
{
	user_save(t);
	memcpy(fx, t->thread->arch.fpu, USER_FPREGS_SIZE);
	memset(fx + FX_SW, 0, USER_FPREGS_SIZE - FX_SW);
}

static int user_mxcsr_check(const u8 *area, const u8 *fx)
{
	u32 mask, mxcsr;

	memcpy(&mask, area + FX_MXCSR_MASK, sizeof(mask));
	memcpy(&mxcsr, fx + FX_MXCSR, sizeof(mxcsr));
	return mxcsr & ~(mask ? mask : 0xffbfu) ? -EINVAL : 0;
}

int user_fpregs_set(struct task *t, const u8 *fx)
{
	u8 *area = t->thread->arch.fpu;
	u64 present;

	if (user_mxcsr_check(area, fx) < 0)
		return -EINVAL;
	memcpy(area, fx, FX_MXCSR_MASK);
	memcpy(area + FX_MXCSR_MASK + 4, fx + FX_MXCSR_MASK + 4, FX_SW - FX_MXCSR_MASK - 4);
	if (fpu_xfeatures()) {
		memcpy(&present, area + XS_HEADER, sizeof(present));
		present |= XS_FPSSE;
		memcpy(area + XS_HEADER, &present, sizeof(present));
	}
	user_changed(t);
	return 0;
}

size_t user_xstate_size(void)
{
	return fpu_xfeatures() ? fpu_size() : 0;
}

void user_xstate_get(struct task *t, u8 *area)
{
	u64 features = fpu_xfeatures();

	user_save(t);
	memcpy(area, t->thread->arch.fpu, fpu_size());
	memset(area + FX_SW, 0, USER_FPREGS_SIZE - FX_SW);
	memcpy(area + FX_SW, &features, sizeof(features));
}

int user_xstate_set(struct task *t, const u8 *image)
{
	u8 *area = t->thread->arch.fpu;
	u64 header[8];
	u32 i;

	memcpy(header, image + XS_HEADER, sizeof(header));
	for (i = 1; i < ARRAY_SIZE(header); i++) {
		if (header[i])
			return -EINVAL;
	}
	if ((header[0] & ~fpu_xfeatures()) || user_mxcsr_check(area, image) < 0)
		return -EINVAL;
	memcpy(area, image, FX_MXCSR_MASK);
	memcpy(area + FX_MXCSR_MASK + 4, image + FX_MXCSR_MASK + 4, FX_SW - FX_MXCSR_MASK - 4);
	memcpy(area + XS_HEADER, image + XS_HEADER, fpu_size() - XS_HEADER);
	user_changed(t);
	return 0;
}

void user_step(struct task *t, bool on)
{
	struct regs *r = thread_user_regs(t->thread);
	struct trace_state *s = &t->trace;

	s->step = on;
	if (on && !(r->rflags & RFLAGS_TF)) {
		r->rflags |= RFLAGS_TF;
		s->forced_tf = true;
	} else if (!on && s->forced_tf) {
		r->rflags &= ~RFLAGS_TF;
		s->forced_tf = false;
	}
	if (!on)
		atomic_and(&t->call_work, ~CALL_STEP);
}
