/* SPDX-License-Identifier: Apache-2.0 */
/* tasks, top: the programs' threads. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/debug/cmds.h"
#include "control/debug/tasks.h"

#define TOP_SECONDS 60

#define MSR_TSC 0x10

/* The vCPUs stand: what time it is for them. */
static void tasks_set_time(struct session *s, struct guest *g)
{
	struct cm_dbg_msrs m;

	g->tsc_khz = 0;
	if (dbg_get_set(s->d, 0, CM_DBG_REGS_MSRS, &m, sizeof(m)) < 0 || m.count > CM_DBG_MSRS)
		return;
	for (uint32_t i = 0; i < m.count; i++) {
		if (m.msr[i].index != MSR_TSC)
			continue;
		g->tsc = m.msr[i].value;
		g->tsc_khz = dbg_machine(s->d)->tsc_khz;
	}
}

/* ---- tasks */

/* What of a task is read while nothing moves. */
static json_t *task_json(struct guest *g, const struct task_info *t)
{
	struct stack_frame f[STACK_DEPTH];
	const char *name = syscall_name(t->syscall);
	unsigned n = 0;
	json_t *o;

	if (t->thread && !t->running && t->state != 'Z')
		n = stack_sleeping(g, t->thread, f, STACK_DEPTH);
	o = json_pack("{s:i, s:i, s:i, s:i, s:i, s:s#, s:I, s:b, s:s, s:s, s:I, s:I, s:I}", "tid",
		t->tid, "pid", t->pid, "ppid", t->ppid, "pgid", t->pgid, "sid", t->sid, "state",
		&t->state, 1, "cpu", (json_int_t)t->cpu, "running", (int)t->running, "comm",
		t->comm, "wait", stack_wait_channel(f, n), "userNs", (json_int_t)t->utime_ns,
		"systemNs", (json_int_t)t->stime_ns, "uid", (json_int_t)t->uid);
	if (o && t->syscall >= 0)
		json_object_set_new(
			o, "syscall", name ? json_string(name) : json_integer(t->syscall));
	if (o)
		json_object_set_new(o, "task", json_hex(t->task));
	return o;
}

static bool tasks_collect(struct guest *g, const struct task_info *t, void *arg)
{
	json_array_append_new(arg, task_json(g, t));
	return true;
}

json_t *cmd_tasks_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	json_t *list;

	if (!g || cmd_words(argc, argv, 0, 0, err) < 0)
		return NULL;
	tasks_set_time(s, g);
	list = json_array();
	tasks_each(g, tasks_collect, list);
	return list;
}

static void tasks_print_one(const json_t *t, unsigned depth, FILE *f)
{
	const json_t *nr = json_object_get(t, "syscall");

	fprintf(f, "%6lld %6lld %s%s %3lld  %*s%s", json_number(t, "pid"), json_number(t, "tid"),
		json_text(t, "state"), json_is_true(json_object_get(t, "running")) ? "*" : " ",
		json_number(t, "cpu"), (int)depth * 2, "", json_text(t, "comm"));
	if (json_is_integer(nr))
		fprintf(f, "  in syscall %lld", (long long)json_integer_value(nr));
	else if (nr)
		fprintf(f, "  in %s", json_string_value(nr));
	if (*json_text(t, "wait"))
		fprintf(f, "  waits in %s", json_text(t, "wait"));
	fputc('\n', f);
}

/* The tasks of the processes below `parent`; a damaged tree ends with the depth. */
static void tasks_print_below(const json_t *o, long long parent, unsigned depth, FILE *f)
{
	const json_t *t;
	size_t i;

	json_array_foreach(o, i, t)
	{
		if (json_number(t, "ppid") != parent || depth > 32)
			continue;
		tasks_print_one(t, depth, f);
		if (json_number(t, "tid") == json_number(t, "pid") &&
			json_number(t, "pid") != parent)
			tasks_print_below(o, json_number(t, "pid"), depth + 1, f);
	}
}

void cmd_tasks_print(const json_t *o, FILE *f)
{
	fprintf(f, "   PID    TID S  CPU  COMMAND\n");
	tasks_print_below(o, 0, 0, f);
}

/* ---- top */

struct top_sample {
	int tid;
	uint64_t ns;
};
struct top {
	struct top_sample *before;
	size_t n, room;
	json_t *list; /* second round */
	double seconds;
};

static bool top_first(struct guest *g, const struct task_info *t, void *arg)
{
	struct top *top = arg;

	if (top->n == top->room)
		return false;
	top->before[top->n++] =
		(struct top_sample){ .tid = t->tid, .ns = t->utime_ns + t->stime_ns };
	return true;
}

static bool top_second(struct guest *g, const struct task_info *t, void *arg)
{
	uint64_t ns = t->utime_ns + t->stime_ns, before = 0;
	struct top *top = arg;
	json_t *o;
	size_t i;

	for (i = 0; i < top->n; i++) {
		if (top->before[i].tid == t->tid)
			before = top->before[i].ns;
	}
	o = task_json(g, t);
	json_object_set_new(o, "percent",
		json_real(ns > before ? (double)(ns - before) / 1e7 / top->seconds : 0));
	json_array_append_new(top->list, o);
	return true;
}

static int top_compare(const void *a, const void *b)
{
	double x = json_number_value(json_object_get(*(json_t *const *)a, "percent"));
	double y = json_number_value(json_object_get(*(json_t *const *)b, "percent"));

	return x > y ? -1 : x < y;
}

static json_t *top_sorted(json_t *list)
{
	size_t n = json_array_size(list), i;
	json_t **v = calloc(n + 1, sizeof(*v)), *out = json_array();

	for (i = 0; v && i < n; i++)
		v[i] = json_array_get(list, i);
	if (v)
		qsort(v, n, sizeof(*v), top_compare);
	for (i = 0; v && i < n; i++)
		json_array_append(out, v[i]);
	free(v);
	json_decref(list);
	return out;
}

/* One look at all tasks while the vCPUs stand. */
static int top_look(struct session *s, struct guest *g,
	bool (*fn)(struct guest *g, const struct task_info *t, void *arg), struct top *top,
	struct cm_err *err)
{
	int r = dbg_pause(s->d, 0, 0, NULL);

	if (r < 0 && r != -ETIMEDOUT)
		return cmd_error(r, err, "stop the vCPUs");
	guest_forget(g);
	tasks_set_time(s, g);
	tasks_each(g, fn, top);
	r = dbg_resume(s->d, 0, NULL);
	return r < 0 ? cmd_error(r, err, "let the vCPUs go on") : 0;
}

json_t *cmd_top_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	struct top top = { .room = GUEST_LIST, .seconds = 1 };
	uint64_t seconds = 1;
	int r;

	if (!g || cmd_words(argc, argv, 0, 1, err) < 0 ||
		(argc > 1 && cmd_number("seconds", argv[1], TOP_SECONDS, &seconds, err) < 0))
		return NULL;
	seconds = seconds ? seconds : 1;
	top.seconds = (double)seconds;
	top.before = calloc(top.room, sizeof(*top.before));
	if (!top.before) {
		cm_err_set(err, ENOMEM, "top");
		return NULL;
	}
	top.list = json_array();
	r = top_look(s, g, top_first, &top, err);
	if (r == 0)
		nanosleep(&(struct timespec){ .tv_sec = (time_t)seconds }, NULL);
	if (r == 0)
		r = top_look(s, g, top_second, &top, err);
	free(top.before);
	if (r == 0)
		return top_sorted(top.list);
	json_decref(top.list);
	return NULL;
}

void cmd_top_print(const json_t *o, FILE *f)
{
	const json_t *t;
	size_t i;

	fprintf(f, "   TID S   %%CPU     TIME+  COMMAND\n");
	json_array_foreach(o, i, t) fprintf(f, "%6lld %s  %5.1f %9.3f  %s\n", json_number(t, "tid"),
		json_text(t, "state"), json_number_value(json_object_get(t, "percent")),
		(double)(json_number(t, "userNs") + json_number(t, "systemNs")) / 1e9,
		json_text(t, "comm"));
}
