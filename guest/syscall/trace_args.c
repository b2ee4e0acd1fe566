/* SPDX-License-Identifier: Apache-2.0 */
/* Text of one argument for the tracer: one function a kind, found by the name that the table uses. */
#include "syscall/trace_args.h"

#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/utsname.h>

#include "kernel/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "syscall/syscall.h"
#include "syscall/time_user.h"
#include "syscall/trace_kinds.h"
#include "syscall/trace_names.h"
#include "task/signal.h"

#define TRACE_VECTOR_MAX 8 /* argv entries shown */

void trace_put(struct trace_line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = str_vformat(l->text + l->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += MIN((size_t)n, room - 1);
}

static void trace_char(struct trace_line *l, u8 c, u8 next)
{
	static const char *const named[] = { ['\t'] = "\\t",
		['\n'] = "\\n",
		['\v'] = "\\v",
		['\f'] = "\\f",
		['\r'] = "\\r",
		['"'] = "\\\"",
		['\\'] = "\\\\" };

	if (c < ARRAY_SIZE(named) && named[c])
		trace_put(l, "%s", named[c]);
	else if (c >= ' ' && c < 0x7f)
		trace_put(l, "%c", c);
	else if (next >= '0' && next <= '9')
		trace_put(l, "\\%03o", c);
	else
		trace_put(l, "\\%o", c);
}

/* At most TRACE_STRING_MAX bytes of user memory in quotes. */
static void trace_bytes(struct trace_line *l, uaddr_t src, u64 len, bool string)
{
	u8 buf[TRACE_STRING_MAX + 1];
	size_t want = (size_t)MIN(len, (u64)sizeof(buf));
	size_t got, i;

	if (!src) {
		trace_put(l, "NULL");
		return;
	}
	memset(buf, 0, sizeof(buf));
	got = copy_from_user_some(buf, src, want);
	if (got == 0 && want) {
		trace_put(l, "0x%lx", src);
		return;
	}
	if (string)
		got = strnlen((char *)buf, got);
	trace_put(l, "\"");
	for (i = 0; i < got && i < TRACE_STRING_MAX; i++)
		trace_char(l, buf[i], i + 1 < got ? buf[i + 1] : 0);
	trace_put(
		l, got > TRACE_STRING_MAX || (!string && len > TRACE_STRING_MAX) ? "\"..." : "\"");
}

/* A path is shown whole. */
static void trace_path(struct trace_line *l, uaddr_t src)
{
	char buf[256];
	s64 n;
	s64 i;

	if (!src) {
		trace_put(l, "NULL");
		return;
	}
	n = strncpy_from_user(buf, src, sizeof(buf));
	if (n < 0 && n != -ENAMETOOLONG) {
		trace_put(l, "0x%lx", src);
		return;
	}
	if (n < 0) {
		trace_bytes(l, src, ~0UL, true);
		return;
	}
	trace_put(l, "\"");
	for (i = 0; i < n; i++)
		trace_char(l, (u8)buf[i], i + 1 < n ? (u8)buf[i + 1] : 0);
	trace_put(l, "\"");
}

void trace_flags(struct trace_line *l, const struct trace_flag *f, u64 v, const char *first)
{
	const char *sep = "";

	if (first) {
		trace_put(l, "%s", first);
		sep = "|";
	}
	for (; f->name; f++) {
		if (!f->bits || (v & f->bits) != f->bits)
			continue;
		trace_put(l, "%s%s", sep, f->name);
		sep = "|";
		v &= ~f->bits;
	}
	if (v || !*sep)
		trace_put(l, *sep || v ? "%s0x%lx" : "%s%lu", sep, v);
}

static void trace_enum_value(struct trace_line *l, enum trace_enum_id id, u64 v)
{
	const struct trace_enum *e = &trace_enums[id];

	if (v < e->count && e->names[v])
		trace_put(l, "%s", e->names[v]);
	else
		trace_put(l, "0x%lx", v);
}

static void arg_int(struct trace_arg_ctx *c)
{
	trace_put(c->l, "%d", (int)c->v);
}

static void arg_uint(struct trace_arg_ctx *c)
{
	trace_put(c->l, "%lu", c->v);
}

static void arg_long(struct trace_arg_ctx *c)
{
	trace_put(c->l, "%ld", (s64)c->v);
}

static void arg_hex(struct trace_arg_ctx *c)
{
	trace_put(c->l, c->v ? "0x%lx" : "%lu", c->v);
}

static void arg_ptr(struct trace_arg_ctx *c)
{
	if (c->v)
		trace_put(c->l, "0x%lx", c->v);
	else
		trace_put(c->l, "NULL");
}

static void arg_dirfd(struct trace_arg_ctx *c)
{
	if ((int)c->v == AT_FDCWD)
		trace_put(c->l, "AT_FDCWD");
	else
		arg_int(c);
}

static void arg_path(struct trace_arg_ctx *c)
{
	trace_path(c->l, c->v);
}

static void arg_str(struct trace_arg_ctx *c)
{
	trace_bytes(c->l, c->v, ~0UL, true);
}

static void arg_buf(struct trace_arg_ctx *c)
{
	trace_bytes(c->l, c->v, c->i < 5 ? c->a->a[c->i + 1] : 0, false);
}

static void arg_obuf(struct trace_arg_ctx *c)
{
	if (c->ret < 0)
		arg_ptr(c);
	else
		trace_bytes(c->l, c->v, (u64)c->ret, false);
}

static void arg_strv(struct trace_arg_ctx *c)
{
	uaddr_t p;
	int n;

	if (!c->v) {
		arg_ptr(c);
		return;
	}
	trace_put(c->l, "[");
	for (n = 0; get_user(p, c->v + (u64)n * sizeof(p)) == 0 && p; n++) {
		if (n == TRACE_VECTOR_MAX) {
			trace_put(c->l, ", ...");
			break;
		}
		trace_put(c->l, n ? ", " : "");
		trace_bytes(c->l, p, ~0UL, true);
	}
	trace_put(c->l, "]");
}

static void arg_envv(struct trace_arg_ctx *c)
{
	uaddr_t p;
	int n = 0;

	arg_ptr(c);
	while (c->v && n < 100000 && get_user(p, c->v + (u64)n * sizeof(p)) == 0 && p)
		n++;
	trace_put(c->l, " /* %d vars */", n);
}

static void arg_oflags(struct trace_arg_ctx *c)
{
	static const char *const access[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };

	u64 rest = c->v & ~(u64)O_ACCMODE;

	trace_put(c->l, "%s", access[c->v & O_ACCMODE]);
	if (rest) {
		trace_put(c->l, "|");
		trace_flags(c->l, trace_open_flags, rest, NULL);
	}
}

static void arg_mode(struct trace_arg_ctx *c)
{
	trace_put(c->l, "%#o", (u32)c->v);
}

static void arg_sig(struct trace_arg_ctx *c)
{
	const char *name = trace_signal_name(c->v);

	if (name)
		trace_put(c->l, "%s", name);
	else if (c->v >= 32 && c->v <= SIG_MAX)
		trace_put(c->l, "SIGRT_%lu", c->v - 32);
	else
		arg_int(c);
}

static void arg_prot(struct trace_arg_ctx *c)
{
	if (c->v)
		trace_flags(c->l, trace_prot_flags, c->v, NULL);
	else
		trace_put(c->l, "PROT_NONE");
}

static void arg_mmapflags(struct trace_arg_ctx *c)
{
	trace_flags(c->l, trace_mmap_flags, c->v, NULL);
}

static void arg_atflags(struct trace_arg_ctx *c)
{
	trace_flags(c->l, trace_at_flags, c->v, NULL);
}

static void arg_cloneflags(struct trace_arg_ctx *c)
{
	const char *sig = trace_signal_name(c->v & CSIGNAL);

	trace_flags(c->l, trace_clone_flags, c->v & ~(u64)CSIGNAL, NULL);
	if (sig && (c->v & CSIGNAL))
		trace_put(c->l, "|%s", sig);
}

static void arg_waitflags(struct trace_arg_ctx *c)
{
	trace_flags(c->l, trace_wait_flags, (u32)c->v, NULL);
}

static void arg_wstatus(struct trace_arg_ctx *c)
{
	int status;

	if (c->ret <= 0 || !c->v || get_user(status, c->v) < 0) {
		arg_ptr(c);
		return;
	}
	if (status == 0xffff)
		trace_put(c->l, "[{WIFCONTINUED(s)}]");
	else if ((status & 0xff) == 0x7f)
		trace_put(c->l, "[{WIFSTOPPED(s) && WSTOPSIG(s) == %s}]",
			trace_signal_name((u64)status >> 8 & 0xff) ?: "?");
	else if (status & 0x7f)
		trace_put(c->l, "[{WIFSIGNALED(s) && WTERMSIG(s) == %s}]",
			trace_signal_name((u64)status & 0x7f) ?: "?");
	else
		trace_put(c->l, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", status >> 8 & 0xff);
}

static void arg_siginfo(struct trace_arg_ctx *c)
{
	siginfo_t info;

	if (c->ret < 0 || !c->v || copy_from_user(&info, c->v, sizeof(info)) < 0) {
		arg_ptr(c);
		return;
	}
	trace_put(c->l, "{si_signo=%s, si_code=%d, si_pid=%d}",
		trace_signal_name((u64)(u32)info.si_signo) ?: "?", info.si_code, info.si_pid);
}

static void arg_futexop(struct trace_arg_ctx *c)
{
	trace_enum_value(c->l, TRACE_FUTEX_OP, c->v & (u64)(u32)FUTEX_CMD_MASK);
	if (c->v & FUTEX_PRIVATE_FLAG)
		trace_put(c->l, "_PRIVATE");
	if (c->v & FUTEX_CLOCK_REALTIME)
		trace_put(c->l, "|FUTEX_CLOCK_REALTIME");
}

static void arg_timespec(struct trace_arg_ctx *c)
{
	struct __kernel_timespec ts;

	if (!c->v || copy_from_user(&ts, c->v, sizeof(ts)) < 0)
		arg_ptr(c);
	else
		trace_put(c->l, "{tv_sec=%lld, tv_nsec=%lld}", ts.tv_sec, ts.tv_nsec);
}

static void trace_sigset(struct trace_line *l, u64 set)
{
	bool invert = __builtin_popcountl(set) > 40;
	const char *sep = "";
	int n;

	if (invert)
		set = ~set;
	trace_put(l, invert ? "~[" : "[");
	for (n = 1; n <= SIG_MAX; n++) {
		const char *name = trace_signal_name((u64)n);

		if (!(set & SIGMASK(n)))
			continue;
		if (name)
			trace_put(l, "%s%s", sep, name + 3);
		else
			trace_put(l, "%sRT_%d", sep, n - 32);
		sep = " ";
	}
	trace_put(l, "]");
}

static void arg_sigset(struct trace_arg_ctx *c)
{
	u64 set;

	if (!c->v || get_user(set, c->v) < 0)
		arg_ptr(c);
	else
		trace_sigset(c->l, set);
}

static void arg_sigaction(struct trace_arg_ctx *c)
{
	u64 act[4];

	if (!c->v || copy_from_user(act, c->v, sizeof(act)) < 0) {
		arg_ptr(c);
		return;
	}
	if (act[0] <= 1)
		trace_put(c->l, "{sa_handler=%s", act[0] ? "SIG_IGN" : "SIG_DFL");
	else
		trace_put(c->l, "{sa_handler=0x%lx", act[0]);
	trace_put(c->l, ", sa_mask=");
	trace_sigset(c->l, act[3]);
	trace_put(c->l, ", sa_flags=0x%lx}", act[1]);
}

static void arg_clock(struct trace_arg_ctx *c)
{
	trace_enum_value(c->l, TRACE_CLOCK, c->v);
}

static void arg_rlimit(struct trace_arg_ctx *c)
{
	trace_enum_value(c->l, TRACE_RLIMIT, c->v);
}

static void arg_sighow(struct trace_arg_ctx *c)
{
	trace_enum_value(c->l, TRACE_SIGHOW, c->v);
}

static void arg_itimer(struct trace_arg_ctx *c)
{
	trace_enum_value(c->l, TRACE_ITIMER, c->v);
}

static void arg_whence(struct trace_arg_ctx *c)
{
	trace_enum_value(c->l, TRACE_WHENCE, c->v);
}

static void arg_fcntl(struct trace_arg_ctx *c)
{
	if (c->v == F_DUPFD_CLOEXEC)
		trace_put(c->l, "F_DUPFD_CLOEXEC");
	else
		trace_enum_value(c->l, TRACE_FCNTL, c->v);
}

static void arg_utsname(struct trace_arg_ctx *c)
{
	struct new_utsname u;

	if (c->ret < 0 || copy_from_user(&u, c->v, sizeof(u)) < 0)
		arg_ptr(c);
	else
		trace_put(c->l, "{sysname=\"%.64s\", nodename=\"%.64s\", ...}", u.sysname,
			u.nodename);
}

static const struct trace_kind trace_kinds[] = {
	{ "int", arg_int, false },
	{ "fd", arg_int, false },
	{ "pid", arg_int, false },
	{ "uint", arg_uint, false },
	{ "ulong", arg_uint, false },
	{ "size", arg_uint, false },
	{ "long", arg_long, false },
	{ "off", arg_long, false },
	{ "hex", arg_hex, false },
	{ "ptr", arg_ptr, false },
	{ "dirfd", arg_dirfd, false },
	{ "path", arg_path, false },
	{ "str", arg_str, false },
	{ "buf", arg_buf, false },
	{ "obuf", arg_obuf, true },
	{ "strv", arg_strv, false },
	{ "envv", arg_envv, false },
	{ "oflags", arg_oflags, false },
	{ "mode", arg_mode, false },
	{ "sig", arg_sig, false },
	{ "prot", arg_prot, false },
	{ "mmapflags", arg_mmapflags, false },
	{ "atflags", arg_atflags, false },
	{ "cloneflags", arg_cloneflags, false },
	{ "waitflags", arg_waitflags, false },
	{ "wstatus", arg_wstatus, true },
	{ "siginfo", arg_siginfo, true },
	{ "futexop", arg_futexop, false },
	{ "timespec", arg_timespec, false },
	{ "sigset", arg_sigset, false },
	{ "sigaction", arg_sigaction, false },
	{ "clock", arg_clock, false },
	{ "rlimit", arg_rlimit, false },
	{ "sighow", arg_sighow, false },
	{ "itimer", arg_itimer, false },
	{ "whence", arg_whence, false },
	{ "fcntl", arg_fcntl, false },
	{ "utsname", arg_utsname, true },
};

static const struct trace_kind *trace_kind_in(
	const struct trace_kind *kinds, size_t n, const char *kind, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, kind, len) == 0)
			return &kinds[i];
	}
	return NULL;
}

static const struct trace_kind *trace_kind_find(const char *kind, size_t len)
{
	return trace_kind_in(trace_kinds, ARRAY_SIZE(trace_kinds), kind, len)
		       ?: trace_kind_in(trace_ipc_kinds, trace_ipc_kind_count, kind, len);
}

bool trace_kind_is_output(const char *kind, size_t len)
{
	const struct trace_kind *k = trace_kind_find(kind, len);

	return k && k->output;
}

void trace_arg(
	struct trace_line *l, const char *kind, size_t len, const struct sysargs *a, int i, s64 ret)
{
	const struct trace_kind *k = trace_kind_find(kind, len);
	struct trace_arg_ctx c = { l, a, i, a->a[i], ret };

	if (k)
		k->fn(&c);
	else
		arg_hex(&c);
}

void trace_result(struct trace_line *l, const char *kind, s64 ret)
{
	const char *name;

	switch (ret) {
	case -ERESTARTSYS:
		trace_put(l, "? ERESTARTSYS (To be restarted if SA_RESTART is set)");
		return;
	case -ERESTARTNOINTR:
		trace_put(l, "? ERESTARTNOINTR (To be restarted)");
		return;
	case -ERESTARTNOHAND:
		trace_put(l, "? ERESTARTNOHAND (To be restarted if no handler)");
		return;
	case -ERESTART_RESTARTBLOCK:
		trace_put(l, "? ERESTART_RESTARTBLOCK (Interrupted by signal)");
		return;
	default:
		break;
	}
	name = ret < 0 && ret >= -4095 ? trace_errno_name(-ret) : NULL;
	if (name)
		trace_put(l, "-1 %s", name);
	else if (kind && (strcmp(kind, "ptr") == 0 || strcmp(kind, "hex") == 0))
		trace_put(l, ret ? "0x%lx" : "%lu", (u64)ret);
	else
		trace_put(l, "%ld", ret);
}
