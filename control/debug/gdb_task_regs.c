/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of a task. In user mode they are the vCPU's. In the kernel they are the struct regs at the top of its kernel stack; the FPU's are
 * the vCPU's as long as the task is the running one there, else those of its save area.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "control/debug/gdb_task.h"

#define CS_USER	  3u
#define RFLAGS_TF 0x100u

/* struct regs of guest/arch/x86_64/regs.h */
struct task_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax, rip, cs, rflags, rsp, ss;
};

uint32_t task_cpu(struct gdb_task *st, const struct gdb_thread *t, bool *user)
{
	struct gdb_machine *m = &st->g->m;
	struct task_info on;
	struct kvm_sregs s;
	uint32_t cpu;
	bool has_task;

	*user = false;
	for (cpu = 0; cpu < GDB_CPUS; cpu++) {
		if (!machine_has_cpu(m, cpu) ||
			tasks_running(m->guest, cpu, &on, &has_task) != t->thread)
			continue;
		if (dbg_get_regs(m->d, cpu, NULL, &s) == 0)
			*user = (s.cs.selector & CS_USER) == CS_USER;
		return cpu;
	}
	return GDB_NO_CPU;
}

/* The address of its struct regs, 0 = the sentry's differs from what is known here. */
static uint64_t frame_at(const struct gdb_machine *m, uint64_t thread)
{
	struct guest *g = m->guest;

	if (guest_const(g, F_REGS) != sizeof(struct task_frame))
		return 0;
	return guest_get(g, thread, F_THREAD_STACK) + guest_const(g, C_KSTACK_SIZE) -
	       sizeof(struct task_frame);
}

static int frame_read(const struct gdb_machine *m, uint64_t thread, struct task_frame *f)
{
	return guest_read(m->guest, frame_at(m, thread), f, sizeof(*f));
}

static int kernel_write(struct gdb_machine *m, uint64_t va, const void *p, size_t len)
{
	return gdb_write(m, 0, va, p, len, 0);
}

static int frame_write(struct gdb_machine *m, uint64_t thread, const struct task_frame *f)
{
	return kernel_write(m, frame_at(m, thread), f, sizeof(*f));
}

/* The save area's first part, and the bases, of a task that no vCPU runs. */
static int saved_fpu(struct gdb_task *st, const struct gdb_thread *t, struct rsp_regs *r)
{
	struct guest *g = st->g->m.guest;
	uint8_t area[512];
	int e = guest_read(g, guest_get(g, t->thread, F_THREAD_FPU), area, sizeof(area));

	if (e < 0)
		return e;
	rsp_regs_from_fxsave(r, area);
	r->fs_base = guest_get(g, t->thread, F_THREAD_FSBASE);
	r->gs_base = guest_get(g, t->thread, F_THREAD_GSBASE);
	return 0;
}

int task_get_regs(struct gdb_task *st, const struct gdb_thread *t, struct rsp_regs *r)
{
	struct task_frame f;
	bool user;
	uint32_t cpu = task_cpu(st, t, &user);
	int e;

	if (user)
		return machine_get_regs(&st->g->m, cpu, r);
	memset(r, 0, sizeof(*r));
	e = cpu == GDB_NO_CPU ? saved_fpu(st, t, r) : machine_get_regs(&st->g->m, cpu, r);
	e = e ? e : frame_read(&st->g->m, t->thread, &f);
	if (e < 0)
		return e;
	const uint64_t gpr[16] = { f.rax, f.rbx, f.rcx, f.rdx, f.rsi, f.rdi, f.rbp, f.rsp, f.r8,
		f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15 };
	memcpy(r->gpr, gpr, sizeof(gpr));
	r->rip = f.rip;
	r->eflags = (uint32_t)f.rflags & ~RFLAGS_TF;
	memset(r->seg, 0, sizeof(r->seg));
	r->seg[0] = (uint32_t)f.cs;
	r->seg[1] = (uint32_t)f.ss;
	r->orig_rax = f.orig_rax;
	return 0;
}

static int save_fpu(struct gdb_task *st, const struct gdb_thread *t, const struct rsp_regs *r)
{
	struct guest *g = st->g->m.guest;
	const uint32_t nowhere = UINT32_MAX;
	uint64_t fpu = guest_get(g, t->thread, F_THREAD_FPU);
	uint8_t area[512];
	int e = guest_read(g, fpu, area, sizeof(area));

	if (e < 0)
		return e;
	rsp_regs_to_fxsave(r, area);
	e = kernel_write(&st->g->m, fpu, area, sizeof(area));
	/* A CPU that has them loaded still must load them anew. */
	if (e == 0)
		e = kernel_write(&st->g->m, guest_at(g, t->thread, F_THREAD_FPU_CPU), &nowhere,
			sizeof(nowhere));
	if (e == 0)
		e = kernel_write(
			&st->g->m, guest_at(g, t->thread, F_THREAD_FSBASE), &r->fs_base, 8);
	return e ? e
		 : kernel_write(&st->g->m, guest_at(g, t->thread, F_THREAD_GSBASE), &r->gs_base, 8);
}

static bool same_fpu(const struct rsp_regs *a, const struct rsp_regs *b)
{
	return memcmp(a->st, b->st,
		       offsetof(struct rsp_regs, orig_rax) - offsetof(struct rsp_regs, st)) == 0;
}

int task_set_regs(struct gdb_task *st, const struct gdb_thread *t, const struct rsp_regs *r)
{
	const uint64_t *q = r->gpr;
	struct rsp_regs old;
	struct task_frame f;
	bool user;
	uint32_t cpu = task_cpu(st, t, &user);
	int e;

	if (user)
		return machine_set_regs(&st->g->m, cpu, r);
	e = task_get_regs(st, t, &old);
	e = e ? e : frame_read(&st->g->m, t->thread, &f);
	if (e < 0)
		return e;
	f = (struct task_frame){ q[15], q[14], q[13], q[12], q[6], q[1], q[11], q[10], q[9], q[8],
		q[0], q[2], q[3], q[4], q[5], r->orig_rax, r->rip, f.cs, r->eflags, q[7], f.ss };
	e = frame_write(&st->g->m, t->thread, &f);
	if (e < 0 || same_fpu(&old, r))
		return e;
	if (cpu == GDB_NO_CPU)
		return save_fpu(st, t, r);
	/* Of the vCPU, which is in the kernel, only these are the task's. */
	if (machine_get_regs(&st->g->m, cpu, &old) < 0)
		return -EIO;
	memcpy(old.st, r->st, offsetof(struct rsp_regs, orig_rax) - offsetof(struct rsp_regs, st));
	return machine_set_regs(&st->g->m, cpu, &old);
}

int task_set_trap(struct gdb_machine *m, uint64_t thread)
{
	struct task_frame f;
	int e = frame_read(m, thread, &f);

	if (e < 0)
		return e;
	f.rflags |= RFLAGS_TF;
	m->trap_set = true;
	return frame_write(m, thread, &f);
}
