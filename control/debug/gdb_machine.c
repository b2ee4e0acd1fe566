/* SPDX-License-Identifier: Apache-2.0 */
/* The machine below gdb's targets: stopping, going on, breakpoints, registers of vCPUs. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "control/debug/gdb.h"

#define DR6_HITS     0xfu
#define RFLAGS_RF    0x10000u
#define HW_PROBES    3u
#define XSAVE_HEADER 512u /* offset of XSTATE_BV */

bool machine_has_cpu(const struct gdb_machine *m, uint32_t cpu)
{
	return cpu < dbg_machine(m->d)->ncpus && cpu < GDB_CPUS &&
	       (m->status.cpu[cpu] == CM_DBG_CPU_RUNNING ||
		       m->status.cpu[cpu] == CM_DBG_CPU_STOPPED);
}

/* ---- debug registers */

/* Length and kind as DR7 has them, or -EINVAL. */
static int hw_bits(enum rsp_break kind, uint64_t len)
{
	static const uint8_t kinds[] = {
		[RSP_BREAK_HARD] = 0,
		[RSP_WATCH_WRITE] = 1,
		[RSP_WATCH_READ] = 3, /* there is no "read alone" */
		[RSP_WATCH_ACCESS] = 3,
	};
	static const int8_t lens[9] = { -1, 0, 1, -1, 3, -1, -1, -1, 2 };

	if (kind == RSP_BREAK_HARD)
		return 0;
	if (len > 8 || lens[len] < 0)
		return -EINVAL;
	return lens[len] << 2 | kinds[kind];
}

static uint64_t hw_dr7(const struct gdb_machine *m)
{
	uint64_t dr7 = 0;
	unsigned i;

	for (i = 0; i < GDB_HW; i++) {
		if (!m->hw[i].used)
			continue;
		dr7 |= 2u << (2 * i);
		dr7 |= (uint64_t)hw_bits(m->hw[i].kind, m->hw[i].len) << (16 + 4 * i);
	}
	return dr7 ? dr7 | 0x600 : 0;
}

int machine_hw_works(struct gdb_machine *m)
{
	m->hw_wanted = true;
	return m->hw_state == GDB_HW_UNKNOWN ? -EAGAIN : m->hw_state == GDB_HW_WORKS;
}

/*
 * A step from an instruction that has a breakpoint in a debug register: where these work it does not get that far. Interrupts may come first, so
 * once is not enough.
 */
static void hw_probe(struct gdb_machine *m, struct cm_dbg_guest_debug *q)
{
	struct kvm_regs r;

	if (m->hw_state != GDB_HW_UNKNOWN || !m->hw_wanted || q->dr7 ||
		dbg_get_regs(m->d, q->cpu, &r, NULL) < 0)
		return;
	/* Bits that would let this instruction pass. */
	if (r.rflags & RFLAGS_RF) {
		r.rflags &= ~(uint64_t)RFLAGS_RF;
		dbg_set_regs(m->d, q->cpu, &r);
	}
	q->dr[0] = r.rip;
	q->dr7 = 0x602; /* global, execution */
	m->probing = true;
}

/* What the event says about it. True: the step that gdb wanted is still to be made. */
static bool hw_probed(struct gdb_machine *m)
{
	if (!m->probing || m->stop.cpu != m->step || m->stop.exception != 1)
		return false;
	m->probing = false;
	if (m->stop.dr6 & 1)
		m->hw_state = GDB_HW_WORKS;
	else if (++m->probes == HW_PROBES)
		m->hw_state = GDB_HW_BROKEN;
	return m->hw_state == GDB_HW_WORKS;
}

int machine_hw(struct gdb_machine *m, enum rsp_break kind, uint64_t va, uint64_t len, bool set)
{
	unsigned i;

	if (m->hw_state != GDB_HW_WORKS)
		return -EOPNOTSUPP;
	if (hw_bits(kind, len) < 0 || (kind != RSP_BREAK_HARD && va % len != 0))
		return -EINVAL;
	for (i = 0; i < GDB_HW; i++) {
		struct gdb_hw *h = &m->hw[i];

		if (set ? !h->used : h->used && h->va == va && h->kind == kind) {
			*h = (struct gdb_hw){ set, kind, va, (uint32_t)len };
			return 0;
		}
	}
	return set ? -ENOSPC : -ENOENT;
}

const struct gdb_hw *machine_hw_hit(const struct gdb_machine *m)
{
	unsigned i;

	if (m->stop.exception != 1)
		return NULL;
	for (i = 0; i < GDB_HW; i++) {
		if (m->stop.dr6 & DR6_HITS & (1u << i) && m->hw[i].used)
			return &m->hw[i];
	}
	return NULL;
}

/* ---- software breakpoints */

struct gdb_break *machine_break_at(struct gdb_machine *m, uint64_t gpa)
{
	unsigned i;

	for (i = 0; i < GDB_BREAKS; i++) {
		if (m->brk[i].used && m->brk[i].gpa == gpa)
			return &m->brk[i];
	}
	return NULL;
}

static int break_request(struct gdb_machine *m, enum cm_dbg_type type, uint64_t gpa)
{
	struct cm_dbg_mem q = { .gpa = gpa, .len = 1 };
	int r = dbg_call(m->d, type, &(struct dbg_buf){ &q, sizeof(q) }, 1, NULL, 0);

	return r < 0 ? r : 0;
}

int machine_break_add(struct gdb_machine *m, uint64_t va, uint64_t gpa)
{
	struct gdb_break *other = machine_break_at(m, gpa);
	unsigned i;
	int r;

	for (i = 0; i < GDB_BREAKS && m->brk[i].used; i++)
		;
	if (i == GDB_BREAKS)
		return -ENOSPC;
	r = other ? 0 : break_request(m, CM_DBG_BREAK_ADD, gpa);
	if (r == 0)
		m->brk[i] = (struct gdb_break){ true, other ? other->out : false, va, gpa };
	return r;
}

int machine_break_del(struct gdb_machine *m, uint64_t va)
{
	unsigned i;

	for (i = 0; i < GDB_BREAKS; i++) {
		struct gdb_break *b = &m->brk[i];

		if (!b->used || b->va != va)
			continue;
		b->used = false;
		if (machine_break_at(m, b->gpa) || b->out)
			return 0;
		return break_request(m, CM_DBG_BREAK_DEL, b->gpa);
	}
	return -ENOENT;
}

bool machine_break_is(const struct gdb_machine *m, uint64_t va)
{
	unsigned i;

	for (i = 0; i < GDB_BREAKS; i++) {
		if (m->brk[i].used && m->brk[i].va == va)
			return true;
	}
	return false;
}

int machine_break_lift(struct gdb_machine *m, uint64_t gpa)
{
	int r = break_request(m, CM_DBG_BREAK_DEL, gpa);
	unsigned i;

	for (i = 0; i < GDB_BREAKS && r == 0; i++) {
		if (m->brk[i].used && m->brk[i].gpa == gpa)
			m->brk[i].out = true;
	}
	return r;
}

void machine_break_restore(struct gdb_machine *m)
{
	unsigned i, k;

	for (i = 0; i < GDB_BREAKS; i++) {
		if (!m->brk[i].used || !m->brk[i].out)
			continue;
		break_request(m, CM_DBG_BREAK_ADD, m->brk[i].gpa);
		for (k = i; k < GDB_BREAKS; k++) {
			if (m->brk[k].gpa == m->brk[i].gpa)
				m->brk[k].out = false;
		}
	}
}

/* ---- stopping and going on */

static int machine_debug(struct gdb_machine *m, uint32_t cpu, uint32_t flags)
{
	struct cm_dbg_guest_debug q = { .cpu = cpu, .flags = flags, .dr7 = hw_dr7(m) };
	unsigned i;
	int r;

	for (i = 0; i < GDB_HW; i++)
		q.dr[i] = m->hw[i].used ? m->hw[i].va : 0;
	if (flags & CM_DBG_GD_STEP)
		hw_probe(m, &q);
	if (q.dr7)
		q.flags |= CM_DBG_GD_HW;
	r = dbg_call(m->d, CM_DBG_GUEST_DEBUG, &(struct dbg_buf){ &q, sizeof(q) }, 1, NULL, 0);
	if (r != -EOPNOTSUPP || !m->probing)
		return r < 0 ? r : 0;
	/* There is not even a way to ask for it. */
	m->probing = false;
	m->hw_state = GDB_HW_BROKEN;
	return machine_debug(m, cpu, flags);
}

int machine_start(struct gdb_machine *m, struct cm_err *err)
{
	int r = machine_pause(m);

	if (r < 0)
		return cm_err_set(err, -r, "stop the vCPUs");
	r = machine_debug(m, CM_DBG_ALL_CPUS, CM_DBG_GD_ENABLE | CM_DBG_GD_SW);
	if (r == -EBUSY)
		return cm_err_set(err, EBUSY, "another gdb is attached to this sandbox");
	return r < 0 ? cm_err_set(err, -r, "take the guest's debugging") : 0;
}

int machine_pause(struct gdb_machine *m)
{
	int r;

	if (m->held || m->event)
		return 0;
	guest_forget(m->guest);
	r = dbg_pause(m->d, 0, 0, &m->status);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	m->held = true;
	return 0;
}

/* An event is told when its vCPU stands; this waits for the others. */
static int machine_settle(struct gdb_machine *m)
{
	int r = dbg_pause(m->d, 0, 0, &m->status);

	return r < 0 ? r : dbg_resume(m->d, 0, NULL);
}

int machine_resume(struct gdb_machine *m, uint32_t step, uint32_t only)
{
	uint32_t cpu;
	int r = 0;

	guest_forget(m->guest);
	for (cpu = 0; cpu < GDB_CPUS && r == 0; cpu++) {
		uint32_t flags = CM_DBG_GD_ENABLE | CM_DBG_GD_SW;

		if (!machine_has_cpu(m, cpu))
			continue;
		flags |= cpu == step ? CM_DBG_GD_STEP : 0;
		flags |= only != GDB_NO_CPU && cpu != only ? CM_DBG_GD_HOLD : 0;
		flags |= m->trap_set ? CM_DBG_GD_TRAP : 0;
		if (m->event && m->foreign && m->stop.cpu == cpu)
			flags |= CM_DBG_GD_INJECT;
		r = machine_debug(m, cpu, flags);
		if (r == -EBUSY && machine_settle(m) >= 0)
			r = machine_debug(m, cpu, flags);
	}
	if (r < 0)
		return r;
	if (m->event)
		r = dbg_continue(m->d);
	m->event = m->foreign = m->trap_set = false;
	m->holding = only != GDB_NO_CPU;
	m->step = step;
	m->only = only;
	if (r == 0 && m->held)
		r = dbg_resume(m->d, 0, NULL);
	m->held = false;
	return r;
}

int machine_unhold(struct gdb_machine *m)
{
	int r = machine_pause(m);

	/* It may have arrived just now. */
	if (r == 0 && machine_event(m) != 0)
		return 0;
	return r ? r : machine_resume(m, m->step, GDB_NO_CPU);
}

int machine_event(struct gdb_machine *m)
{
	struct cm_dbg_stop stop;
	int r = dbg_event(m->d, &stop, 0);

	if (r <= 0)
		return r;
	guest_forget(m->guest);
	m->event = true;
	m->stop = stop;
	r = dbg_status(m->d, &m->status);
	if (r < 0 || !hw_probed(m))
		return r < 0 ? r : 1;
	return machine_resume(m, m->step, m->only);
}

/* ---- registers */

int machine_get_regs(struct gdb_machine *m, uint32_t cpu, struct rsp_regs *r)
{
	struct kvm_sregs s;
	struct kvm_regs g;
	struct kvm_xsave x;
	int e = dbg_get_regs(m->d, cpu, &g, &s);

	/* The set FPU would do, but KVM leaves MXCSR out of it. */
	if (e == 0)
		e = dbg_get_set(m->d, cpu, CM_DBG_REGS_XSAVE, &x, sizeof(x));
	if (e < 0)
		return e;
	*r = (struct rsp_regs){
		.gpr = { g.rax, g.rbx, g.rcx, g.rdx, g.rsi, g.rdi, g.rbp, g.rsp, g.r8, g.r9, g.r10,
			g.r11, g.r12, g.r13, g.r14, g.r15 },
		.rip = g.rip,
		.eflags = (uint32_t)g.rflags,
		.seg = { s.cs.selector, s.ss.selector, s.ds.selector, s.es.selector, s.fs.selector,
			s.gs.selector },
		.fs_base = s.fs.base,
		.gs_base = s.gs.base,
		.orig_rax = UINT64_MAX,
	};
	rsp_regs_from_fxsave(r, (const uint8_t *)x.region);
	return 0;
}

static int set_general(struct gdb_machine *m, uint32_t cpu, const struct rsp_regs *r)
{
	const uint64_t *q = r->gpr;
	struct kvm_regs g = {
		.rax = q[0],
		.rbx = q[1],
		.rcx = q[2],
		.rdx = q[3],
		.rsi = q[4],
		.rdi = q[5],
		.rbp = q[6],
		.rsp = q[7],
		.r8 = q[8],
		.r9 = q[9],
		.r10 = q[10],
		.r11 = q[11],
		.r12 = q[12],
		.r13 = q[13],
		.r14 = q[14],
		.r15 = q[15],
		.rip = r->rip,
		.rflags = r->eflags,
	};

	return dbg_set_regs(m->d, cpu, &g);
}

static int set_fpu(struct gdb_machine *m, uint32_t cpu, const struct rsp_regs *r)
{
	struct kvm_xsave x;
	int e = dbg_get_set(m->d, cpu, CM_DBG_REGS_XSAVE, &x, sizeof(x));

	if (e < 0)
		return e;
	rsp_regs_to_fxsave(r, (uint8_t *)x.region);
	/* XSTATE_BV: the x87 and SSE parts count. */
	x.region[XSAVE_HEADER / sizeof(x.region[0])] |= 3;
	return dbg_set_set(m->d, cpu, CM_DBG_REGS_XSAVE, &x, sizeof(x));
}

static int set_bases(struct gdb_machine *m, uint32_t cpu, const struct rsp_regs *r)
{
	struct kvm_sregs s;
	int e = dbg_get_regs(m->d, cpu, NULL, &s);

	if (e < 0)
		return e;
	s.fs.base = r->fs_base;
	s.gs.base = r->gs_base;
	return dbg_set_set(m->d, cpu, CM_DBG_REGS_SYSTEM, &s, sizeof(s));
}

/* Only what changed is written: a set of registers that the processor has no way to take back as it gave it stays alone. */
int machine_set_regs(struct gdb_machine *m, uint32_t cpu, const struct rsp_regs *r)
{
	const size_t fpu = offsetof(struct rsp_regs, st);
	struct rsp_regs old;
	int e = machine_get_regs(m, cpu, &old);

	if (e == 0 && memcmp(old.gpr, r->gpr, offsetof(struct rsp_regs, seg)) != 0)
		e = set_general(m, cpu, r);
	if (e == 0 && memcmp(old.st, r->st, offsetof(struct rsp_regs, fs_base) - fpu) != 0)
		e = set_fpu(m, cpu, r);
	if (e == 0 && (old.fs_base != r->fs_base || old.gs_base != r->gs_base))
		e = set_bases(m, cpu, r);
	return e;
}
