/* SPDX-License-Identifier: Apache-2.0 */
/* gdb's view of the sentry: each vCPU is a thread (its number + 1), memory is what the vCPU's page tables show. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/gdb_task.h"
#include "control/debug/tasks.h"

#define TRAP_DB 1u
#define TRAP_BP 3u
#define INT3	0xcc

static uint32_t vm_cpu(uint32_t thread)
{
	return thread - 1;
}

static void vm_send(void *t, const void *p, size_t len)
{
	gdb_send(t, p, len);
}

static bool vm_alive(void *t, uint32_t thread)
{
	struct gdb *g = t;

	return thread > 0 && machine_has_cpu(&g->m, vm_cpu(thread));
}

static int vm_threads(void *t, uint32_t *ids, unsigned max)
{
	unsigned n = 0;
	uint32_t i;

	for (i = 1; i <= GDB_CPUS && n < max; i++) {
		if (vm_alive(t, i))
			ids[n++] = i;
	}
	return (int)n;
}

static void vm_describe(void *t, uint32_t thread, char *buf, size_t room)
{
	struct gdb *g = t;
	struct task_info task;
	bool has_task;

	tasks_running(g->m.guest, vm_cpu(thread), &task, &has_task);
	if (has_task)
		snprintf(buf, room, "vCPU %u, task %d %s", vm_cpu(thread), task.tid, task.comm);
	else
		snprintf(buf, room, "vCPU %u", vm_cpu(thread));
}

static int vm_get_regs(void *t, uint32_t thread, struct rsp_regs *r)
{
	struct gdb *g = t;

	return vm_alive(t, thread) ? machine_get_regs(&g->m, vm_cpu(thread), r) : -ESRCH;
}

static int vm_set_regs(void *t, uint32_t thread, const struct rsp_regs *r)
{
	struct gdb *g = t;

	return vm_alive(t, thread) ? machine_set_regs(&g->m, vm_cpu(thread), r) : -ESRCH;
}

/* The table that the vCPU uses. */
static uint64_t vm_root(struct gdb *g, uint32_t thread)
{
	struct kvm_sregs s;

	if (!vm_alive(g, thread) || dbg_get_regs(g->m.d, vm_cpu(thread), NULL, &s) < 0)
		return 0;
	return s.cr3;
}

static int vm_read(void *t, uint32_t thread, uint64_t addr, void *buf, size_t len)
{
	struct gdb *g = t;

	return gdb_read(&g->m, gdb_is_kernel(addr) ? 0 : vm_root(g, thread), addr, buf, len);
}

static int vm_write(void *t, uint32_t thread, uint64_t addr, const void *buf, size_t len)
{
	struct gdb *g = t;
	struct rsp_regs r;

	if (vm_get_regs(t, thread, &r) == 0 && gdb_below_stack(&r, addr, len))
		return -EBUSY;
	return gdb_write(&g->m, gdb_is_kernel(addr) ? 0 : vm_root(g, thread), addr, buf, len, 0);
}

/* A breakpoint there would be met again on the way of its own report, or before there is a stack to report it from. */
static bool vm_is_reserved(const struct gdb *g, uint64_t addr)
{
	static const char *const names[] = { "trap_stubs", "trap_entry", "trap_kernel_entry",
		"trap_kernel", "trap_user", "debug_trap", "debug_stale_kernel", "debug_stale_user",
		"syscall_stubs", "syscall_common", "ret_to_user" };
	uint64_t offset;
	const char *name = image_name(g->m.guest->img, addr, &offset);
	size_t i;

	for (i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static int vm_breakpoint(void *t, enum rsp_break kind, uint64_t addr, uint64_t len, bool set)
{
	struct gdb *g = t;
	struct gdb_page p;
	int r;

	if (kind != RSP_BREAK_SOFT)
		return machine_hw(&g->m, kind, addr, len, set);
	if (!set)
		return machine_break_del(&g->m, addr);
	if (vm_is_reserved(g, addr))
		return -EACCES;
	r = gdb_page(&g->m, vm_root(g, g->rsp.stop.thread), addr, &p);
	return r ? r : machine_break_add(&g->m, addr, p.gpa);
}

static int vm_hardware(void *t)
{
	return machine_hw_works(&((struct gdb *)t)->m);
}

/*
 * On the way back to user mode there is an instruction after which the stack is no longer the kernel's, and a step that ends there has nowhere to
 * be reported from. 1: the step is to end behind the way, where the task's registers have the trap flag now; 2: it is half gone already, and
 * ends where something else stops it.
 */
static int vm_leaves_kernel(struct gdb *g, uint32_t cpu)
{
	struct task_info task;
	struct kvm_regs r;
	uint64_t from, to, thread;
	bool has_task;
	int e;

	if (!image_symbol(g->m.guest->img, "ret_to_user", &from, NULL) ||
		!image_symbol(g->m.guest->img, "ret_from_fork", &to, NULL) ||
		dbg_get_regs(g->m.d, cpu, &r, NULL) < 0 || r.rip < from || r.rip >= to)
		return 0;
	thread = tasks_running(g->m.guest, cpu, &task, &has_task);
	if (r.rip != from || !has_task)
		return 2;
	e = task_set_trap(&g->m, thread);
	return e < 0 ? e : 1;
}

static int vm_resume(void *t, const struct rsp_resume *how)
{
	struct gdb *g = t;
	int leaves = how->step ? vm_leaves_kernel(g, vm_cpu(how->step)) : 0;

	if (leaves < 0)
		return leaves;
	if (leaves > 0)
		return machine_resume(&g->m, GDB_NO_CPU, GDB_NO_CPU);
	return machine_resume(&g->m, how->step ? vm_cpu(how->step) : GDB_NO_CPU,
		how->only ? vm_cpu(how->only) : GDB_NO_CPU);
}

static void vm_interrupt(void *t)
{
	struct gdb *g = t;

	if (g->m.event || machine_pause(&g->m) < 0)
		return;
	rsp_stopped(
		&g->rsp, &(struct rsp_stop){
				 .thread = vm_alive(g, g->rsp.stop.thread) ? g->rsp.stop.thread : 1,
				 .signal = GDB_SIGINT,
				 .kind = -1,
			 });
}

static int vm_object(void *t, const char *name, char **data, size_t *len)
{
	struct gdb *g = t;

	if (strcmp(name, "exec-file") != 0)
		return -EOPNOTSUPP;
	*data = strdup(image_path(g->m.guest->img));
	*len = *data ? strlen(*data) : 0;
	return *data ? 0 : -ENOMEM;
}

static char *vm_monitor(void *t, const char *line)
{
	return gdb_monitor(t, line);
}

static void vm_detach(void *t)
{
}

static void *vm_open(struct gdb *g, struct rsp_stop *stop, struct cm_err *err)
{
	uint32_t i;

	*stop = (struct rsp_stop){ .signal = GDB_SIGTRAP, .kind = -1 };
	for (i = GDB_CPUS; i > 0; i--) {
		if (vm_alive(g, i))
			stop->thread = i;
	}
	if (stop->thread)
		return g;
	cm_err_set(err, 0, "no vCPU runs yet");
	return NULL;
}

static void vm_close(void *t)
{
}

/* Is there an int3 of ours at the event's address? *other: not of ours, but of the guest. */
static bool vm_event_break(struct gdb *g, uint32_t thread, bool *other)
{
	struct gdb_page p;
	uint8_t byte = 0;

	*other = false;
	if (gdb_page(&g->m, vm_root(g, thread), g->m.stop.pc, &p) < 0)
		return false;
	if (machine_break_at(&g->m, p.gpa))
		return true;
	*other = dbg_read_phys(g->m.d, p.gpa, &byte, 1) == 0 && byte == INT3;
	return false;
}

static int vm_event(void *t)
{
	struct gdb *g = t;
	struct rsp_stop stop = { .thread = g->m.stop.cpu + 1, .signal = GDB_SIGTRAP, .kind = -1 };
	const struct gdb_hw *hw = machine_hw_hit(&g->m);
	uint32_t exception = g->m.stop.exception;
	bool other;

	if (g->m.stop.reason != CM_DBG_TRAP) {
		stop.signal = GDB_SIGABRT;
	} else if (hw) {
		stop.kind = (int)hw->kind;
		stop.address = hw->va;
	} else if (exception != TRAP_DB && vm_event_break(g, stop.thread, &other)) {
		/* The stack, where gdb puts the breakpoint of a call, is not executable: that is a page fault. */
		stop.kind = RSP_BREAK_SOFT;
	} else if (exception == TRAP_BP && !other) {
		/* One of ours that was taken away since. */
		return machine_resume(&g->m, GDB_NO_CPU, GDB_NO_CPU);
	} else if (exception != TRAP_DB) {
		g->m.foreign = true;
		stop.signal = exception == TRAP_BP ? GDB_SIGTRAP : GDB_SIGSEGV;
	}
	rsp_stopped(&g->rsp, &stop);
	return 0;
}

const struct gdb_target gdb_target_vm = {
	.ops = {
		.app = false,
		.send = vm_send,
		.threads = vm_threads,
		.alive = vm_alive,
		.describe = vm_describe,
		.get_regs = vm_get_regs,
		.set_regs = vm_set_regs,
		.read = vm_read,
		.write = vm_write,
		.breakpoint = vm_breakpoint,
		.hardware = vm_hardware,
		.resume = vm_resume,
		.interrupt = vm_interrupt,
		.object = vm_object,
		.monitor = vm_monitor,
		.detach = vm_detach,
	},
	.open = vm_open,
	.event = vm_event,
	.close = vm_close,
};
