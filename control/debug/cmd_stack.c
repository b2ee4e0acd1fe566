/* SPDX-License-Identifier: Apache-2.0 */
/* stack: where a vCPU or a task stands. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/cmds.h"
#include "control/debug/tasks.h"

#define STACK_USER_TOP	0x0000800000000000ull
#define STACK_RFLAGS_IF 0x200u

static json_t *stack_frames(const struct stack_frame *f, unsigned n)
{
	json_t *list = json_array(), *o;
	unsigned i;

	for (i = 0; i < n; i++) {
		o = json_pack("{s:o, s:o, s:b}", "pc", json_hex(f[i].pc), "frame",
			json_hex(f[i].fp), "exact", (int)f[i].exact);
		if (f[i].name) {
			json_object_set_new(o, "function", json_string(f[i].name));
			json_object_set_new(o, "offset", json_integer((json_int_t)f[i].offset));
		}
		json_array_append_new(list, o);
	}
	return list;
}

/* Frames of a program, each with the mapping that it lies in. */
static json_t *stack_user_frames(struct guest *g, uint64_t as, uint64_t pc, uint64_t fp)
{
	struct stack_frame f[STACK_DEPTH];
	static struct vma_info v;
	unsigned n = stack_unwind_user(g, tasks_root(g, as), pc, fp, f, STACK_DEPTH), i;
	json_t *list = stack_frames(f, n), *o;

	for (i = 0; i < n; i++) {
		if (!tasks_vma_find(g, as, f[i].pc, &v))
			continue;
		o = json_array_get(list, i);
		json_object_set_new(o, "mapping", json_string(v.name));
		json_object_set_new(
			o, "mappingOffset", json_hex(f[i].pc - v.start + v.pgoff * GUEST_PAGE));
	}
	return list;
}

static void stack_add_task(json_t *o, const struct task_info *t)
{
	const char *name = syscall_name(t->syscall);

	json_object_set_new(o, "tid", json_integer(t->tid));
	json_object_set_new(o, "comm", json_string(t->comm));
	if (t->syscall >= 0)
		json_object_set_new(
			o, "syscall", name ? json_string(name) : json_integer(t->syscall));
}

/* The program below a task's stay in the kernel: from the registers at the top of the kernel stack. */
static void stack_add_user(struct guest *g, json_t *o, const struct task_info *t)
{
	uint64_t regs = guest_get(g, t->thread, F_THREAD_STACK) + guest_const(g, C_KSTACK_SIZE) -
			guest_const(g, F_REGS);

	if (t->as)
		json_object_set_new(o, "user",
			stack_user_frames(g, t->as, guest_get(g, regs, F_REGS_RIP),
				guest_get(g, regs, F_REGS_RBP)));
}

/* Does the vCPU take interrupts? On pvm a byte that it shares with the hypervisor says so: the first of a page for each. */
static bool stack_irqs_on(struct guest *g, uint32_t cpu, const struct kvm_regs *r)
{
	if (!g->pvm || r->rip < STACK_USER_TOP)
		return r->rflags & STACK_RFLAGS_IF;
	return guest_number(g, guest_const(g, S_pvm_pages) + (uint64_t)cpu * GUEST_PAGE, 1) != 0;
}

static json_t *stack_cpu(struct session *s, struct guest *g, uint32_t cpu, struct cm_err *err)
{
	json_t *o = json_pack("{s:I}", "cpu", (json_int_t)cpu);
	struct stack_frame f[STACK_DEPTH];
	char name[TASK_COMM];
	struct task_info t;
	struct kvm_regs r;
	uint64_t thread;
	bool has_task;
	int e = dbg_get_regs(s->d, cpu, &r, NULL);

	if (e == -ENODEV) {
		json_object_set_new(o, "off", json_true());
		return o;
	}
	if (e < 0) {
		cmd_error(e, err, "read registers");
		json_decref(o);
		return NULL;
	}
	json_object_set_new(o, "interrupts", json_boolean(stack_irqs_on(g, cpu, &r)));
	thread = tasks_running(g, cpu, &t, &has_task);
	if (has_task)
		stack_add_task(o, &t);
	else if (thread)
		json_object_set_new(o, "thread",
			json_string(guest_text(g, thread, F_THREAD_NAME, name, sizeof(name))));
	if (r.rip >= STACK_USER_TOP) {
		json_object_set_new(o, "frames",
			stack_frames(f, stack_unwind(g, r.rip, r.rbp, f, STACK_DEPTH)));
		if (has_task)
			stack_add_user(g, o, &t);
	} else {
		json_object_set_new(o, "frames", json_array());
		json_object_set_new(o, "user",
			has_task && t.as ? stack_user_frames(g, t.as, r.rip, r.rbp) : json_array());
	}
	return o;
}

/* One that runs on no vCPU. */
static json_t *stack_off_cpu(struct guest *g, const struct task_info *t)
{
	struct stack_frame f[STACK_DEPTH];
	json_t *o = json_object();

	stack_add_task(o, t);
	json_object_set_new(o, "frames",
		t->thread && t->state != 'Z'
			? stack_frames(f, stack_sleeping(g, t->thread, f, STACK_DEPTH))
			: json_array());
	if (t->thread && t->state != 'Z')
		stack_add_user(g, o, t);
	return o;
}

static json_t *stack_task(struct session *s, struct guest *g, int tid, struct cm_err *err)
{
	struct task_info t;

	if (!tasks_find(g, tid, &t)) {
		cm_err_set(err, 0, "stack: no task %d", tid);
		return NULL;
	}
	return t.running ? stack_cpu(s, g, t.cpu, err) : stack_off_cpu(g, &t);
}

#define STACK_TASKS 1024u /* in one answer: a guest may claim any number */

static bool stack_each(struct guest *g, const struct task_info *t, void *arg)
{
	json_t *all = arg;

	if (!t->running)
		json_array_append_new(all, stack_off_cpu(g, t));
	return json_array_size(all) < STACK_TASKS;
}

/* vcpu N, task TID, nothing: all vCPUs; or all: those and every task. */
json_t *cmd_stack_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	uint32_t first = 0, last = dbg_machine(s->d)->ncpus - 1;
	json_t *all, *o = NULL;
	bool tasks = argc == 2 && strcmp(argv[1], "all") == 0;
	uint64_t tid;

	if (!g || cmd_words(argc, argv, 0, 2, err) < 0)
		return NULL;
	if (argc == 3 && strcmp(argv[1], "vcpu") == 0) {
		if (cmd_cpu(s, argv[2], &first, err) < 0)
			return NULL;
		last = first;
	} else if (argc == 3 && strcmp(argv[1], "task") != 0) {
		cm_err_set(err, 0, "stack: '%s' is neither vcpu nor task", argv[1]);
		return NULL;
	} else if (argc > 1 && !tasks) {
		if (cmd_number("task", argv[argc - 1], INT32_MAX, &tid, err) < 0)
			return NULL;
		o = stack_task(s, g, (int)tid, err);
		return o ? json_pack("[o]", o) : NULL;
	}
	all = json_array();
	for (; first <= last; first++) {
		o = stack_cpu(s, g, first, err);
		if (!o) {
			json_decref(all);
			return NULL;
		}
		json_array_append_new(all, o);
	}
	if (tasks)
		tasks_each(g, stack_each, all);
	return all;
}

static void stack_print_frames(const json_t *list, FILE *f)
{
	const json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
	{
		fprintf(f, "  %2zu %s", i, json_text(e, "pc"));
		if (json_object_get(e, "function"))
			fprintf(f, " %s+%#llx", json_text(e, "function"), json_number(e, "offset"));
		if (json_object_get(e, "mapping"))
			fprintf(f, " %s+%s",
				*json_text(e, "mapping") ? json_text(e, "mapping") : "(anonymous)",
				json_text(e, "mappingOffset"));
		fprintf(f, "%s\n",
			i > 0 && json_is_true(json_object_get(e, "exact")) ? "  <- interrupted"
									   : "");
	}
}

void cmd_stack_print(const json_t *o, FILE *f)
{
	const json_t *e, *nr;
	size_t i;

	json_array_foreach(o, i, e)
	{
		if (json_object_get(e, "cpu"))
			fprintf(f, "vCPU %lld%s", json_number(e, "cpu"),
				json_object_get(e, "off") ? " is off" : "");
		if (json_is_false(json_object_get(e, "interrupts")))
			fprintf(f, ", interrupts off");
		if (json_object_get(e, "thread"))
			fprintf(f, ", thread %s", json_text(e, "thread"));
		if (json_object_get(e, "tid"))
			fprintf(f, "%stask %lld %s", json_object_get(e, "cpu") ? ", " : "",
				json_number(e, "tid"), json_text(e, "comm"));
		nr = json_object_get(e, "syscall");
		if (json_is_integer(nr))
			fprintf(f, " in syscall %lld", (long long)json_integer_value(nr));
		else if (nr)
			fprintf(f, " in %s", json_string_value(nr));
		fputc('\n', f);
		stack_print_frames(json_object_get(e, "frames"), f);
		if (json_array_size(json_object_get(e, "user")) > 0)
			fprintf(f, "  user:\n");
		stack_print_frames(json_object_get(e, "user"), f);
	}
}
