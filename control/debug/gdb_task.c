/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gdb's view of one process: its tasks are the threads (by tid), memory is its address space, registers are those of user mode. The whole sandbox
 * stands while gdb looks.
 *
 * A breakpoint is an int3 in the page of memory, and pages of programs and libraries are shared: whoever else runs into it is let over it with the
 * breakpoint out for one instruction. A step is the trap flag in the task's user registers, wherever it runs then. Pages that are not there
 * cannot carry a breakpoint, and pages that the process could not write itself (shared with others until then) are not written.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/gdb_task.h"

#define PTE_WRITE     2u
#define RFLAGS_RF     0x10000u
#define SETTLE_TRIES  20
#define TASK_INT3     0xcc
#define CS_USER	      3u
#define TRAMP_PAGE    0x00007ffffffff000ull /* guest/arch/x86_64/trap.h */
#define TASK_AUXV_MAX 512u

/* ---- what is there */

static int task_by_tid(const void *a, const void *b)
{
	const struct gdb_thread *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static bool task_collect(struct guest *g, const struct task_info *t, void *arg)
{
	struct gdb_task *st = arg;
	struct gdb_thread *k = &st->task[st->ntasks];

	if (t->pid != (int)st->g->pid || !t->as || !t->thread || t->tid <= 0 || t->state == 'Z')
		return true;
	*k = (struct gdb_thread){ t->tid, t->task, t->thread, t->as, "" };
	snprintf(k->comm, sizeof(k->comm), "%s", t->comm);
	return ++st->ntasks < GDB_THREADS;
}

static bool task_collect_vma(struct guest *g, const struct vma_info *v, void *arg)
{
	struct gdb_task *st = arg;

	st->vma[st->nvmas] = (struct gdb_vma){ v->start, v->end,
		!v->file && v->flags & guest_const(g, C_VMA_READ) &&
			!(v->flags & guest_const(g, C_VMA_SHARED)) };
	return ++st->nvmas < GDB_VMAS;
}

int gdb_task_refresh(struct gdb_task *st)
{
	struct guest *g = st->g->m.guest;

	guest_forget(g);
	st->ntasks = st->nvmas = 0;
	tasks_each(g, task_collect, st);
	if (st->ntasks == 0)
		return -ESRCH;
	qsort(st->task, st->ntasks, sizeof(st->task[0]), task_by_tid);
	st->as = st->task[0].as;
	st->root = tasks_root(g, st->as);
	tasks_vmas(g, st->as, task_collect_vma, st);
	return 0;
}

static const struct gdb_thread *task_find(const struct gdb_task *st, uint32_t tid)
{
	unsigned i;

	for (i = 0; i < st->ntasks; i++) {
		if (st->task[i].tid == (int)tid)
			return &st->task[i];
	}
	return NULL;
}

/* Is a vCPU where registers are half saved? */
static bool task_unsettled(struct gdb_task *st)
{
	struct kvm_regs r;
	uint32_t cpu;

	for (cpu = 0; cpu < GDB_CPUS; cpu++) {
		if (!machine_has_cpu(&st->g->m, cpu) || dbg_get_regs(st->g->m.d, cpu, &r, NULL) < 0)
			continue;
		if ((r.rip >= st->trap_stubs && r.rip < st->ret_from_fork) ||
			(r.rip >= TRAMP_PAGE && r.rip < TRAMP_PAGE + 4096))
			return true;
	}
	return false;
}

/* Stop, at a moment when every task's registers are in one place. */
static int task_pause(struct gdb_task *st)
{
	int r = machine_pause(&st->g->m), i;

	for (i = 0; i < SETTLE_TRIES && r == 0 && !st->g->m.event && task_unsettled(st); i++) {
		r = machine_resume(&st->g->m, GDB_NO_CPU, GDB_NO_CPU);
		r = r ? r : machine_pause(&st->g->m);
	}
	return r;
}

/* ---- threads and registers */

static void op_send(void *t, const void *p, size_t len)
{
	gdb_send(((struct gdb_task *)t)->g, p, len);
}

static int op_threads(void *t, uint32_t *ids, unsigned max)
{
	struct gdb_task *st = t;
	unsigned i;

	for (i = 0; i < st->ntasks && i < max; i++)
		ids[i] = (uint32_t)st->task[i].tid;
	return (int)i;
}

static bool op_alive(void *t, uint32_t thread)
{
	return task_find(t, thread) != NULL;
}

static void op_describe(void *t, uint32_t thread, char *buf, size_t room)
{
	const struct gdb_thread *k = task_find(t, thread);
	uint32_t cpu;
	bool user;

	if (!k)
		return;
	cpu = task_cpu(t, k, &user);
	if (cpu == GDB_NO_CPU)
		snprintf(buf, room, "%s, in the kernel", k->comm);
	else
		snprintf(buf, room, "%s, on vCPU %u%s", k->comm, cpu, user ? "" : " in the kernel");
}

static int op_get_regs(void *t, uint32_t thread, struct rsp_regs *r)
{
	const struct gdb_thread *k = task_find(t, thread);

	return k ? task_get_regs(t, k, r) : -ESRCH;
}

static int op_set_regs(void *t, uint32_t thread, const struct rsp_regs *r)
{
	const struct gdb_thread *k = task_find(t, thread);

	return k ? task_set_regs(t, k, r) : -ESRCH;
}

/* ---- memory */

/* The rest of a page of private memory that was never touched is zeroes. */
static int task_read_hole(const struct gdb_task *st, uint64_t addr, void *buf, size_t len)
{
	size_t left = 4096 - addr % 4096;
	unsigned i;

	for (i = 0; i < st->nvmas && addr >= st->vma[i].end; i++)
		;
	if (i == st->nvmas || addr < st->vma[i].start || !st->vma[i].zero)
		return -EFAULT;
	left = left < len ? left : len;
	memset(buf, 0, left);
	return (int)left;
}

static int op_read(void *t, uint32_t thread, uint64_t addr, void *buf, size_t len)
{
	struct gdb_task *st = t;
	size_t done = 0;

	if (gdb_is_kernel(addr))
		return -EFAULT;
	while (done < len) {
		int n = gdb_read(
			&st->g->m, st->root, addr + done, (uint8_t *)buf + done, len - done);

		if (n < 0)
			n = task_read_hole(st, addr + done, (uint8_t *)buf + done, len - done);
		if (n < 0)
			return done ? (int)done : n;
		done += (size_t)n;
	}
	return (int)done;
}

static int op_write(void *t, uint32_t thread, uint64_t addr, const void *buf, size_t len)
{
	struct gdb_task *st = t;
	struct rsp_regs r;

	if (gdb_is_kernel(addr))
		return -EFAULT;
	if (op_get_regs(t, thread, &r) == 0 && gdb_below_stack(&r, addr, len))
		return -EBUSY;
	return gdb_write(&st->g->m, st->root, addr, buf, len, PTE_WRITE);
}

static int op_breakpoint(void *t, enum rsp_break kind, uint64_t addr, uint64_t len, bool set)
{
	struct gdb_task *st = t;
	struct gdb_page p;
	int r;

	if (gdb_is_kernel(addr))
		return -EFAULT;
	if (kind != RSP_BREAK_SOFT)
		return machine_hw(&st->g->m, kind, addr, len, set);
	if (!set)
		return machine_break_del(&st->g->m, addr);
	r = gdb_page(&st->g->m, st->root, addr, &p);
	return r ? r : machine_break_add(&st->g->m, addr, p.gpa);
}

/* ---- running */

/*
 * Two vCPUs can stop at once, and the events come one after the other: a step may be cut short by the stop of another thread, have been made already and
 * be told after it. Nobody waits for it then; it must not reach the program, which would die of it.
 */
static void step_leave(struct gdb_task *st, uint64_t thread)
{
	unsigned i;

	for (i = 0; i < GDB_LEFT - 1 && st->left[i] && st->left[i] != thread; i++)
		;
	st->left[i] = thread;
}

static bool step_take(struct gdb_task *st, uint64_t thread)
{
	unsigned i;

	for (i = 0; i < GDB_LEFT && st->left[i] != thread; i++)
		;
	if (!thread || i == GDB_LEFT)
		return false;
	memmove(&st->left[i], &st->left[i + 1], (GDB_LEFT - 1 - i) * sizeof(st->left[0]));
	st->left[GDB_LEFT - 1] = 0;
	return true;
}

/* Told twice, without an instruction between: pvm's hypervisor does that when another vCPU stops at the time of the step. */
static bool step_again(const struct gdb_task *st, uint64_t thread)
{
	return thread && st->stepped == thread && st->stepped_pc == st->g->m.stop.pc;
}

/* Nobody is on the way over a breakpoint any more; whether it was passed shows later. */
static void over_leave(struct gdb_task *st)
{
	if (!st->over)
		return;
	machine_break_restore(&st->g->m);
	step_leave(st, st->over);
	st->over = 0;
}

/* Go on as gdb wanted, with its step if there is one. */
static int task_go(struct gdb_task *st)
{
	const struct gdb_thread *k = st->how.step ? task_find(st, st->how.step) : NULL;
	struct gdb_machine *m = &st->g->m;
	bool user = false;
	uint32_t cpu;
	int r;

	/* Who is on the way over a breakpoint is alone, on the vCPU where it was. */
	if (st->over && m->only != GDB_NO_CPU)
		return machine_resume(m, m->only, m->only);
	if (!k)
		return machine_resume(m, GDB_NO_CPU, GDB_NO_CPU);
	cpu = task_cpu(st, k, &user);
	if (user)
		return machine_resume(m, cpu, st->how.only ? cpu : GDB_NO_CPU);
	r = task_set_trap(m, k->thread);
	return r ? r : machine_resume(m, GDB_NO_CPU, GDB_NO_CPU);
}

static int op_hardware(void *t)
{
	return machine_hw_works(&((struct gdb_task *)t)->g->m);
}

static int op_resume(void *t, const struct rsp_resume *how)
{
	struct gdb_task *st = t;

	st->how = *how;
	st->running = true;
	return task_go(st);
}

static void task_stopped(struct gdb_task *st, struct rsp_stop *stop)
{
	const struct gdb_thread *k = st->how.step ? task_find(st, st->how.step) : NULL;

	if (k)
		step_leave(st, k->thread);
	over_leave(st);
	if (!op_alive(st, stop->thread))
		stop->thread = (uint32_t)st->task[0].tid;
	st->running = false;
	st->how = (struct rsp_resume){ 0 };
	rsp_stopped(&st->g->rsp, stop);
}

/* The machine stands without a stop for gdb: is the process still there? */
static int task_check(struct gdb_task *st)
{
	int r = gdb_task_refresh(st);

	if (r == -ESRCH)
		r = -ENOTCONN;
	return r;
}

static void op_interrupt(void *t)
{
	struct gdb_task *st = t;
	struct rsp_stop stop = {
		.thread = st->g->rsp.stop.thread,
		.signal = GDB_SIGINT,
		.kind = -1,
	};

	/* With a stop event at hand that will be told instead. */
	if (st->g->m.event || task_pause(st) < 0 || st->g->m.event)
		return;
	over_leave(st);
	if (task_check(st) < 0)
		rsp_exited(&st->g->rsp, 0);
	else
		task_stopped(st, &stop);
}

static int op_idle(void *t)
{
	struct gdb_task *st = t;
	int r;

	if (!st->running || st->g->m.event)
		return 0;
	/* Without stopping it first: most often it is there. */
	if (gdb_task_refresh(st) == 0)
		return 0;
	r = task_pause(st);
	if (r < 0 || st->g->m.event)
		return r;
	r = task_check(st);
	return r < 0 ? r : task_go(st);
}

/* ---- stops */

/* Let the task on that vCPU over the breakpoint, alone. */
static int event_step_over(struct gdb_task *st, uint64_t thread, uint64_t gpa)
{
	int r;

	over_leave(st);
	r = machine_break_lift(&st->g->m, gpa);
	st->over = thread;
	return r < 0 ? r : machine_resume(&st->g->m, st->g->m.stop.cpu, st->g->m.stop.cpu);
}

/* A vCPU ran into an int3. */
static int event_break(
	struct gdb_task *st, const struct gdb_thread *k, uint64_t thread, uint64_t root, bool ours)
{
	struct gdb_machine *m = &st->g->m;
	struct rsp_stop stop = { .signal = GDB_SIGTRAP, .kind = RSP_BREAK_SOFT };
	struct gdb_page p = { 0 };
	struct gdb_break *b;
	uint8_t byte = 0;

	stop.thread = ours ? (uint32_t)k->tid : 0;
	if (gdb_page(m, root, m->stop.pc, &p) < 0)
		p.gpa = 0;
	b = machine_break_at(m, p.gpa);
	if (b && ours && machine_break_is(m, m->stop.pc)) {
		task_stopped(st, &stop);
		return 0;
	}
	if (b)
		return event_step_over(st, thread, p.gpa);
	/* One of ours that was taken out since, or the program's own. */
	if (dbg_read_phys(m->d, p.gpa, &byte, 1) < 0 || byte != TASK_INT3)
		return task_go(st);
	m->foreign = true;
	if (!ours)
		return task_go(st);
	stop.kind = -1;
	task_stopped(st, &stop);
	return 0;
}

/* A debug register of ours; those know no processes. */
static int event_hw(
	struct gdb_task *st, const struct gdb_hw *hw, const struct gdb_thread *k, bool ours)
{
	struct gdb_machine *m = &st->g->m;
	struct rsp_stop stop = { .signal = GDB_SIGTRAP, .kind = (int)hw->kind, .address = hw->va };
	struct kvm_regs r;

	/* The kernel on behalf of the task counts for data. */
	if (k && (ours || hw->kind != RSP_BREAK_HARD)) {
		stop.thread = (uint32_t)k->tid;
		task_stopped(st, &stop);
		return 0;
	}
	/* Past the instruction of somebody else. */
	if (hw->kind == RSP_BREAK_HARD && dbg_get_regs(m->d, m->stop.cpu, &r, NULL) == 0) {
		r.rflags |= RFLAGS_RF;
		dbg_set_regs(m->d, m->stop.cpu, &r);
	}
	return task_go(st);
}

/* A step: gdb's, that over a breakpoint, or one that nobody of us asked for. */
static int event_step(struct gdb_task *st, const struct gdb_thread *k, uint64_t thread, bool user)
{
	struct rsp_stop stop = { .signal = GDB_SIGTRAP, .kind = -1 };
	bool wanted = st->how.step && k && k->tid == (int)st->how.step;
	bool over = st->over && st->over == thread;

	if (over) {
		machine_break_restore(&st->g->m);
		st->over = 0;
	} else if (!wanted && !step_take(st, thread) && !step_again(st, thread)) {
		st->g->m.foreign = true;
	}
	st->stepped = thread;
	st->stepped_pc = st->g->m.stop.pc;
	if (over || !wanted || !user)
		return task_go(st);
	stop.thread = st->how.step;
	st->how.step = 0;
	task_stopped(st, &stop);
	return 0;
}

/* The task of ours that this thread is, NULL = none. */
static const struct gdb_thread *event_task(const struct gdb_task *st, uint64_t thread)
{
	unsigned i;

	for (i = 0; thread && i < st->ntasks; i++) {
		if (st->task[i].thread == thread)
			return &st->task[i];
	}
	return NULL;
}

static int op_event(void *t)
{
	struct gdb_task *st = t;
	struct gdb_machine *m = &st->g->m;
	struct rsp_stop stop = { .signal = GDB_SIGABRT, .kind = -1 };
	const struct gdb_hw *hw = machine_hw_hit(m);
	const struct gdb_thread *k;
	struct task_info running;
	struct kvm_sregs s;
	bool user, has_task;
	uint64_t thread;
	int r = task_check(st);

	if (r == 0)
		r = dbg_get_regs(m->d, m->stop.cpu, NULL, &s);
	if (r < 0)
		return r;
	if (m->stop.reason != CM_DBG_TRAP) {
		task_stopped(st, &stop);
		return 0;
	}
	thread = tasks_running(m->guest, m->stop.cpu, &running, &has_task);
	k = event_task(st, thread);
	user = (s.cs.selector & CS_USER) == CS_USER;
	if (m->stop.exception == 3)
		return event_break(st, k, thread, s.cr3, k && user);
	if (hw)
		return event_hw(st, hw, k, k && user);
	return event_step(st, k, thread, user);
}

/* ---- the rest */

static int task_libraries(struct gdb_task *st, const uint64_t *auxv, char **data, size_t *len);

static int op_object(void *t, const char *name, char **data, size_t *len)
{
	struct gdb_task *st = t;
	struct guest *g = st->g->m.guest;
	uint64_t auxv[TASK_AUXV_MAX / 8];

	if (strcmp(name, "exec-file") == 0) {
		*data = malloc(TASK_PATH);
		if (!*data)
			return -ENOMEM;
		tasks_file_path(g, guest_get(g, st->as, F_AS_EXE), *data, TASK_PATH);
		*len = strlen(*data);
		return 0;
	}
	if (guest_read(g, guest_at(g, st->as, F_AS_AUXV), auxv, sizeof(auxv)) < 0)
		return -EFAULT;
	if (strcmp(name, "auxv") == 0) {
		*data = malloc(sizeof(auxv));
		if (*data)
			memcpy(*data, auxv, sizeof(auxv));
		*len = sizeof(auxv);
		return *data ? 0 : -ENOMEM;
	}
	if (strcmp(name, "libraries-svr4") == 0)
		return task_libraries(st, auxv, data, len);
	return -EOPNOTSUPP;
}

static int task_svr4_read(void *arg, uint64_t addr, void *buf, size_t len)
{
	return op_read(arg, 0, addr, buf, len);
}

static int task_libraries(struct gdb_task *st, const uint64_t *auxv, char **data, size_t *len)
{
	struct svr4_memory mem = { task_svr4_read, st };

	return svr4_libraries(&mem, auxv, TASK_AUXV_MAX / 8, data, len);
}

static char *op_monitor(void *t, const char *line)
{
	return gdb_monitor(((struct gdb_task *)t)->g, line);
}

static void op_detach(void *t)
{
}

static void op_close(void *t)
{
	free(t);
}

static void *op_open(struct gdb *g, struct rsp_stop *stop, struct cm_err *err)
{
	const struct image *img = g->m.guest->img;
	struct gdb_task *st = calloc(1, sizeof(*st));
	int r = st ? 0 : -ENOMEM;

	if (st) {
		st->g = g;
		if (!image_symbol(img, "trap_stubs", &st->trap_stubs, NULL) ||
			!image_symbol(img, "ret_from_fork", &st->ret_from_fork, NULL))
			r = -ENOENT;
	}
	r = r ? r : task_pause(st);
	r = r ? r : gdb_task_refresh(st);
	if (r < 0) {
		if (r == -ESRCH)
			cm_err_set(err, 0, "no process %u in the sandbox", g->pid);
		else
			cm_err_set(err, -r, "look at process %u", g->pid);
		free(st);
		return NULL;
	}
	*stop = (struct rsp_stop){
		.thread = (uint32_t)st->task[0].tid,
		.signal = GDB_SIGTRAP,
		.kind = -1,
	};
	return st;
}

const struct gdb_target gdb_target_task = {
	.ops = {
		.app = true,
		.send = op_send,
		.threads = op_threads,
		.alive = op_alive,
		.describe = op_describe,
		.get_regs = op_get_regs,
		.set_regs = op_set_regs,
		.read = op_read,
		.write = op_write,
		.breakpoint = op_breakpoint,
		.hardware = op_hardware,
		.resume = op_resume,
		.interrupt = op_interrupt,
		.object = op_object,
		.monitor = op_monitor,
		.detach = op_detach,
	},
	.open = op_open,
	.event = op_event,
	.idle = op_idle,
	.close = op_close,
};
