/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracing of system calls in strace's format, a line a call when it returns. Arguments are read before the call, those that the call fills
 * after it; the half line waits in the task.
 */
#include "syscall/trace.h"

#include <asm/unistd.h>

#include "debug/layout.h"
#include "debug/trace_ring.h"
#include "kernel/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "syscall/trace_args.h"
#include "syscall/trace_names.h"
#include "task/task.h"

DEBUG_CONST(TRACE_RING);
DEBUG_CONST(TRACE_FUSE);

struct trace_call {
	const char *name, *kinds;
};

static const struct trace_call trace_table[] = {
#define SYS(name, handler, args, level, note) [__NR_##name] = { #name, args },
#include "syscall/table.def"
#undef SYS
};

u32 trace_enabled;
static void (*trace_sink)(const char *text, size_t len);

void trace_start(void (*sink)(const char *text, size_t len))
{
	trace_sink = sink;
	atomic_or(&trace_enabled, TRACE_SINK);
}

static u64 trace_bits[TRACE_ONLY]; /* by number of the call */
static bool trace_some; /* they count */

void trace_only(const u64 bits[TRACE_ONLY])
{
	u64 any = 0;
	u32 i;

	for (i = 0; i < TRACE_ONLY; i++) {
		WRITE_ONCE(trace_bits[i], bits[i]);
		any |= bits[i];
	}
	WRITE_ONCE(trace_some, any != 0);
}

static bool trace_wants(u64 nr)
{
	return !READ_ONCE(trace_some) ||
	       (nr < 64 * TRACE_ONLY && READ_ONCE(trace_bits[nr / 64]) >> nr % 64 & 1);
}

void trace_stop(void)
{
	atomic_and(&trace_enabled, ~TRACE_SINK);
}

static void trace_emit(struct trace_line *l)
{
	void (*sink)(const char *, size_t) = READ_ONCE(trace_sink);
	u32 on = READ_ONCE(trace_enabled);

	if (on & TRACE_SINK && !sink)
		log_info("%s", l->text);
	l->len = MIN(l->len, sizeof(l->text) - 1);
	l->text[l->len++] = '\n';
	if (on & TRACE_RING)
		trace_ring_write(l->text, l->len);
	if (on & TRACE_SINK && sink)
		sink(l->text, l->len);
}

static struct trace_call trace_lookup(u64 nr)
{
	static const struct trace_call none = { NULL, "hex,hex,hex,hex,hex,hex" };

	if (nr < ARRAY_SIZE(trace_table) && trace_table[nr].name)
		return trace_table[nr];
	return none;
}

/* The next argument kind; its length, 0 at the end. */
static size_t trace_kind_len(const char *p)
{
	size_t n = 0;

	while (p[n] && p[n] != ',' && p[n] != '=')
		n++;
	return n;
}

/* Arguments from t->trace_arg on, until one that only the result fills (done == false) or the end. */
static void trace_args(
	struct task *t, const char *kinds, const struct sysargs *a, bool done, s64 ret)
{
	const char *p = kinds;
	int i;

	for (i = 0; i < 6; i++) {
		size_t n = trace_kind_len(p);

		if (!n)
			return;
		if (i >= t->trace_arg) {
			if (!done && trace_kind_is_output(p, n))
				return;
			trace_put(t->trace_line, i ? ", " : "");
			trace_arg(t->trace_line, p, n, a, i, ret);
			t->trace_arg = i + 1;
		}
		p += n;
		if (*p != ',')
			return;
		p++;
	}
}

static bool trace_never_returns(u64 nr)
{
	return nr == __NR_exit || nr == __NR_exit_group;
}

void trace_enter(struct task *t, u64 nr, const struct sysargs *a)
{
	struct trace_call call = trace_lookup(nr);
	struct trace_line *l = t->trace_line;

	if (!l)
		l = kmalloc(sizeof(*l));
	t->trace_line = l;
	if (!l)
		return;
	l->len = 0;
	t->trace_arg = 0;
	if (!trace_wants(nr))
		return;
	if (call.name)
		trace_put(l, "[pid %5d] %s(", t->tid, call.name);
	else
		trace_put(l, "[pid %5d] syscall_0x%lx(", t->tid, nr);
	trace_args(t, call.kinds, a, false, 0);
	if (trace_never_returns(nr)) {
		trace_put(l, ") = ?");
		trace_emit(l);
	}
}

void trace_leave(struct task *t, u64 nr, const struct sysargs *a, s64 ret)
{
	struct trace_call call = trace_lookup(nr);
	const char *eq = strchr(call.kinds, '=');

	/* Tracing may have begun in the middle of this call. */
	if (!t->trace_line || !t->trace_line->len)
		return;
	trace_args(t, call.kinds, a, true, ret);
	trace_put(t->trace_line, ") = ");
	trace_result(t->trace_line, eq ? eq + 1 : NULL, ret);
	trace_emit(t->trace_line);
}

void trace_signal(struct task *t, int sig, int code, u64 addr, int pid)
{
	struct trace_line *l = kmalloc(sizeof(*l));
	const char *name = trace_signal_name((u64)(u32)sig);

	if (!l)
		return;
	l->len = 0;
	trace_put(l, "[pid %5d] --- ", t->tid);
	if (name)
		trace_put(l, "%s {si_signo=%s", name, name);
	else
		trace_put(l, "SIGRT_%d {si_signo=SIGRT_%d", sig - 32, sig - 32);
	if (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE)
		trace_put(l, ", si_code=%d, si_addr=0x%lx} ---", code, addr);
	else
		trace_put(l, ", si_code=%d, si_pid=%d} ---", code, pid);
	trace_emit(l);
	kfree(l);
}

void trace_exit_status(struct task *t, int status)
{
	struct trace_line *l = kmalloc(sizeof(*l));

	if (!l)
		return;
	l->len = 0;
	if (status & 0x7f)
		trace_put(l, "[pid %5d] +++ killed by %s +++", t->tid,
			trace_signal_name((u64)status & 0x7f) ?: "?");
	else
		trace_put(l, "[pid %5d] +++ exited with %d +++", t->tid, status >> 8 & 0xff);
	trace_emit(l);
	kfree(l);
}

void trace_fuse(u32 op, u64 nodeid, s64 result, u64 ns)
{
	struct task *t = task_current();
	char line[96];
	int n = str_format(line, sizeof(line), "[pid %5d] fuse %u node %lu = %ld <%lu.%03lu us>\n",
		t ? t->tid : 0, op, nodeid, result, ns / 1000, ns % 1000);

	trace_ring_write(line, MIN((size_t)n, sizeof(line) - 1));
}

void trace_fuse_sent(u32 op, u64 nodeid)
{
	struct task *t = task_current();
	char line[64];
	int n = str_format(line, sizeof(line), "[pid %5d] fuse %u node %lu, no reply\n",
		t ? t->tid : 0, op, nodeid);

	trace_ring_write(line, MIN((size_t)n, sizeof(line) - 1));
}
