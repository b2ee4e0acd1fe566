/* SPDX-License-Identifier: Apache-2.0 */
/* What gdb's packets ask. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/rsp_internal.h"

#define CMD_MEMORY    (RSP_PACKET / 2 - 16) /* bytes of memory that fit in hexadecimal */
#define CMD_INFO_STEP 200 /* threads in one answer */

static void cmd_bad(struct rsp *r)
{
	rsp_add_error(r, EINVAL);
}

static void cmd_result(struct rsp *r, int result)
{
	if (result == -EOPNOTSUPP)
		return; /* the empty answer: unknown here */
	if (result < 0)
		rsp_add_error(r, result);
	else
		rsp_add(r, "OK", 2);
}

/* A thread id: 0 and -1 (any, all) become the thread of the last stop. */
static bool cmd_thread(struct rsp *r, const char **p, uint32_t *thread)
{
	uint64_t v;

	if (rsp_get_char(p, '-')) {
		*thread = r->stop.thread;
		return rsp_get_char(p, '1');
	}
	if (!rsp_get_hex(p, &v) || v > UINT32_MAX)
		return false;
	*thread = v ? (uint32_t)v : r->stop.thread;
	return true;
}

/* ---- stops */

static void cmd_add_stop(struct rsp *r)
{
	static const char *const watch[] = {
		[RSP_WATCH_WRITE] = "watch",
		[RSP_WATCH_READ] = "rwatch",
		[RSP_WATCH_ACCESS] = "awatch",
	};

	rsp_add_text(r, "T%02xthread:%x;", r->stop.signal, r->stop.thread);
	if (r->stop.kind == RSP_BREAK_SOFT)
		rsp_add_text(r, "swbreak:;");
	else if (r->stop.kind == RSP_BREAK_HARD)
		rsp_add_text(r, "hwbreak:;");
	else if (r->stop.kind >= RSP_WATCH_WRITE && r->stop.kind <= RSP_WATCH_ACCESS)
		rsp_add_text(
			r, "%s:%llx;", watch[r->stop.kind], (unsigned long long)r->stop.address);
}

void rsp_stopped(struct rsp *r, const struct rsp_stop *why)
{
	struct rsp_stop told = *why, *stop = &told;

	if (!rsp_watch_stopped(r, stop))
		return;
	r->stop = *stop;
	r->general = stop->thread;
	r->running = false;
	cmd_add_stop(r);
	rsp_flush(r);
}

void rsp_exited(struct rsp *r, uint8_t status)
{
	r->running = false;
	rsp_add_text(r, "W%02x", status);
	rsp_flush(r);
}

static void cmd_why(struct rsp *r, const char *p)
{
	cmd_add_stop(r);
}

/* ---- registers */

static bool cmd_reg_word(struct rsp *r, struct rsp_regs *regs)
{
	int e = r->ops->get_regs(r->target, r->general, regs);

	if (e < 0)
		rsp_add_error(r, e);
	return e >= 0;
}

static void cmd_read_regs(struct rsp *r, const char *p)
{
	unsigned i, n = rsp_regs_count(r->ops->app);
	struct rsp_regs regs;
	size_t offset, size;

	if (!cmd_reg_word(r, &regs))
		return;
	for (i = 0; i < n && rsp_regs_find(i, r->ops->app, &offset, &size); i++)
		rsp_add_hex(r, (const uint8_t *)&regs + offset, size);
}

static void cmd_write_regs(struct rsp *r, const char *p)
{
	unsigned i, n = rsp_regs_count(r->ops->app);
	const char *end = r->in + r->len;
	struct rsp_regs regs;
	size_t offset, size;

	if (!cmd_reg_word(r, &regs))
		return;
	for (i = 0; i < n && rsp_regs_find(i, r->ops->app, &offset, &size); i++) {
		if ((size_t)(end - p) < 2 * size ||
			rsp_get_bytes(p, p + 2 * size, (uint8_t *)&regs + offset, size) < 0) {
			cmd_bad(r);
			return;
		}
		p += 2 * size;
	}
	cmd_result(r, r->ops->set_regs(r->target, r->general, &regs));
}

static void cmd_read_reg(struct rsp *r, const char *p)
{
	struct rsp_regs regs;
	size_t offset, size;
	uint64_t n;

	if (!rsp_get_hex(&p, &n) || n > 1000 ||
		!rsp_regs_find((unsigned)n, r->ops->app, &offset, &size)) {
		cmd_bad(r);
		return;
	}
	if (cmd_reg_word(r, &regs))
		rsp_add_hex(r, (const uint8_t *)&regs + offset, size);
}

static void cmd_write_reg(struct rsp *r, const char *p)
{
	struct rsp_regs regs;
	size_t offset, size;
	uint64_t n;

	if (!rsp_get_hex(&p, &n) || n > 1000 || !rsp_get_char(&p, '=') ||
		!rsp_regs_find((unsigned)n, r->ops->app, &offset, &size)) {
		cmd_bad(r);
		return;
	}
	if (!cmd_reg_word(r, &regs))
		return;
	if (rsp_get_bytes(p, r->in + r->len, (uint8_t *)&regs + offset, size) != (int)size) {
		cmd_bad(r);
		return;
	}
	cmd_result(r, r->ops->set_regs(r->target, r->general, &regs));
}

/* ---- memory */

static bool cmd_range(const char **p, uint64_t *addr, uint64_t *len)
{
	return rsp_get_hex(p, addr) && rsp_get_char(p, ',') && rsp_get_hex(p, len);
}

static void cmd_read_mem(struct rsp *r, const char *p)
{
	uint8_t buf[CMD_MEMORY];
	uint64_t addr, len;
	int n;

	if (!cmd_range(&p, &addr, &len) || *p) {
		cmd_bad(r);
		return;
	}
	if (len == 0)
		return;
	n = r->ops->read(
		r->target, r->general, addr, buf, len < sizeof(buf) ? (size_t)len : sizeof(buf));
	if (n < 0)
		rsp_add_error(r, n);
	else
		rsp_add_hex(r, buf, (size_t)n);
}

/* M and X differ in how the bytes are written. */
static void cmd_write_mem(struct rsp *r, const char *p)
{
	bool binary = r->in[0] == 'X';
	uint8_t buf[RSP_PACKET];
	uint64_t addr, len;
	int n = -EINVAL;

	if (!cmd_range(&p, &addr, &len) || !rsp_get_char(&p, ':')) {
		cmd_bad(r);
		return;
	}
	if (binary) {
		n = (int)(r->in + r->len - p);
		memcpy(buf, p, (size_t)n);
	} else {
		n = rsp_get_bytes(p, r->in + r->len, buf, sizeof(buf));
	}
	if (n < 0 || (uint64_t)n != len)
		cmd_bad(r);
	else if (len == 0)
		rsp_add(r, "OK", 2);
	else
		cmd_result(r, r->ops->write(r->target, r->general, addr, buf, len));
}

static void cmd_break(struct rsp *r, const char *p)
{
	char kind = *p;
	uint64_t addr, len;

	if (kind < '0' || kind > '4' || p[1] != ',') {
		if (kind)
			return;
		cmd_bad(r);
		return;
	}
	p += 2;
	/* Conditions and commands after a ';' were not offered. */
	if (!cmd_range(&p, &addr, &len) || *p) {
		cmd_bad(r);
		return;
	}
	cmd_result(r, kind == '0' ? r->ops->breakpoint(
					    r->target, RSP_BREAK_SOFT, addr, len, r->in[0] == 'Z')
				  : rsp_hardware(r, (enum rsp_break)(kind - '0'), addr, len,
					    r->in[0] == 'Z'));
}

/* ---- running */

static void cmd_resume(struct rsp *r, const struct rsp_resume *how)
{
	int e;

	r->running = true;
	e = rsp_watch_resume(r, how);
	if (e >= 0) {
		r->silent = true; /* the answer is the next stop */
	} else {
		r->running = false;
		rsp_add_error(r, e);
	}
}

static void cmd_step(struct rsp *r, const char *p)
{
	cmd_resume(r, &(struct rsp_resume){ .step = r->general, .only = r->general });
}

static void cmd_continue(struct rsp *r, const char *p)
{
	cmd_resume(r, &(struct rsp_resume){ 0 });
}

/* One action of vCont: c, s, C and S with a signal that is ignored (there is nobody to give it to), and the threads that it is for. */
static bool cmd_action(struct rsp *r, const char **p, char *what, bool *all, uint32_t *thread)
{
	uint64_t signal;

	*what = *(*p)++;
	if ((*what == 'C' || *what == 'S') && !rsp_get_hex(p, &signal))
		return false;
	*what |= 0x20;
	if (*what != 'c' && *what != 's')
		return false;
	*all = **p != ':' || strncmp(*p, ":-1", 3) == 0;
	if (rsp_get_char(p, ':') && !cmd_thread(r, p, thread))
		return false;
	return **p == '\0' || **p == ';';
}

/* vCont: the first action that fits a thread counts. */
static void cmd_vcont(struct rsp *r, const char *p)
{
	struct rsp_resume how = { 0 };
	bool rest = false, first = true;

	while (rsp_get_char(&p, ';')) {
		uint32_t thread = r->stop.thread;
		bool all;
		char what;

		if (!cmd_action(r, &p, &what, &all, &thread)) {
			cmd_bad(r);
			return;
		}
		if (what == 's' && how.step == 0 && !rest)
			how.step = thread;
		if (all)
			rest = true;
		else if (first)
			how.only = thread;
		else if (thread != how.only)
			rest = true; /* two of several: all go on, as well as that can be told */
		first = false;
	}
	if (first || *p) {
		cmd_bad(r);
		return;
	}
	/* A step for all is one of the thread that stopped. */
	if (rest)
		how.only = 0;
	cmd_resume(r, &how);
}

static void cmd_detach(struct rsp *r, const char *p)
{
	r->ops->detach(r->target);
	r->detached = true;
	rsp_add(r, "OK", 2);
}

/* gdb would kill what it attached to; the guest is not gdb's to end. */
static void cmd_kill(struct rsp *r, const char *p)
{
	cmd_detach(r, p);
}

/* ---- threads */

static void cmd_select(struct rsp *r, const char *p)
{
	char what = *p;
	uint32_t thread;

	if (what != 'g' && what != 'c')
		return;
	p++;
	if (!cmd_thread(r, &p, &thread) || *p)
		cmd_bad(r);
	else if (!r->ops->alive(r->target, thread))
		rsp_add_error(r, ESRCH);
	else {
		if (what == 'g')
			r->general = thread;
		rsp_add(r, "OK", 2);
	}
}

static void cmd_alive(struct rsp *r, const char *p)
{
	uint32_t thread;

	if (!cmd_thread(r, &p, &thread) || *p)
		cmd_bad(r);
	else
		cmd_result(r, r->ops->alive(r->target, thread) ? 0 : -ESRCH);
}

/* Ids above `after`, as many as fit in one answer. */
static void cmd_add_threads(struct rsp *r, uint32_t after)
{
	static uint32_t ids[RSP_THREADS];
	int n = r->ops->threads(r->target, ids, RSP_THREADS), i, given = 0;

	for (i = 0; i < n && given < CMD_INFO_STEP; i++) {
		if (ids[i] <= after)
			continue;
		rsp_add_text(r, "%c%x", given++ ? ',' : 'm', ids[i]);
		r->next_thread = ids[i];
	}
	if (given == 0)
		rsp_add(r, "l", 1);
}

static void query_threads(struct rsp *r, const char *p)
{
	cmd_add_threads(r, 0);
}

static void query_more_threads(struct rsp *r, const char *p)
{
	cmd_add_threads(r, r->next_thread);
}

static void query_thread_info(struct rsp *r, const char *p)
{
	char text[256] = "";
	uint32_t thread;

	if (!cmd_thread(r, &p, &thread) || *p) {
		cmd_bad(r);
		return;
	}
	r->ops->describe(r->target, thread, text, sizeof(text));
	rsp_add_hex(r, text, strnlen(text, sizeof(text)));
}

static void query_current(struct rsp *r, const char *p)
{
	rsp_add_text(r, "QC%x", r->stop.thread);
}

/* ---- queries */

static void query_supported(struct rsp *r, const char *p)
{
	rsp_add_text(r,
		"PacketSize=%x;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+;"
		"qXfer:features:read+;qXfer:threads:read+;qXfer:exec-file:read+",
		RSP_PACKET - 16);
	if (r->ops->app)
		rsp_add_text(r, ";qXfer:auxv:read+;qXfer:libraries-svr4:read+");
}

static void query_no_ack(struct rsp *r, const char *p)
{
	rsp_add(r, "OK", 2);
	r->no_ack = true;
}

static void query_attached(struct rsp *r, const char *p)
{
	rsp_add(r, "1", 1);
}

static void query_symbol(struct rsp *r, const char *p)
{
	rsp_add(r, "OK", 2);
}

/* The text goes out in packets of their own before the OK. */
static void query_monitor(struct rsp *r, const char *p)
{
	char line[1024], *text;
	size_t len, at;
	int n = rsp_get_bytes(p, r->in + r->len, line, sizeof(line) - 1);

	if (n < 0 || memchr(line, 0, (size_t)n)) {
		cmd_bad(r);
		return;
	}
	line[n] = '\0';
	text = r->ops->monitor(r->target, line);
	len = text ? strlen(text) : 0;
	for (at = 0; at < len; at += CMD_MEMORY / 2) {
		rsp_add(r, "O", 1);
		rsp_add_hex(r, text + at, len - at < CMD_MEMORY / 2 ? len - at : CMD_MEMORY / 2);
		rsp_flush(r);
	}
	free(text);
	rsp_add(r, "OK", 2);
}

static int xfer_features(struct rsp *r, char **data, size_t *len)
{
	int n;

	*data = malloc(RSP_PACKET);
	n = *data ? rsp_regs_xml(*data, RSP_PACKET, r->ops->app) : -ENOMEM;
	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? n : 0;
}

static void xfer_escape(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (strchr("<>&\"'", *s) || (unsigned char)*s < 0x20)
			fprintf(f, "&#%u;", (unsigned char)*s < 0x20 ? '?' : *s);
		else
			fputc(*s, f);
	}
}

static int xfer_threads(struct rsp *r, char **data, size_t *len)
{
	static uint32_t ids[RSP_THREADS];
	int n = r->ops->threads(r->target, ids, RSP_THREADS), i;
	FILE *f = n < 0 ? NULL : open_memstream(data, len);

	if (!f)
		return n < 0 ? n : -ENOMEM;
	fprintf(f, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (i = 0; i < n; i++) {
		char text[256] = "";

		r->ops->describe(r->target, ids[i], text, sizeof(text));
		fprintf(f, "<thread id=\"%x\">", ids[i]);
		xfer_escape(f, text);
		fprintf(f, "</thread>\n");
	}
	fprintf(f, "</threads>\n");
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

/* qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH. Objects are made anew for each piece: they are small. */
static void query_xfer(struct rsp *r, const char *p)
{
	const char *read = strstr(p, ":read:"), *at = strrchr(p, ':');
	size_t len = 0, room = RSP_PACKET - 16;
	uint64_t offset, want;
	char *data = NULL;
	char name[32];
	int e;

	if (!read || (size_t)(read - p) >= sizeof(name) || at < read + 6)
		return;
	memcpy(name, p, (size_t)(read - p));
	name[read - p] = '\0';
	at++;
	if (!cmd_range(&at, &offset, &want) || *at) {
		cmd_bad(r);
		return;
	}
	if (strcmp(name, "features") == 0)
		e = strncmp(read + 6, "target.xml:", 11) == 0 ? xfer_features(r, &data, &len)
							      : -ENOENT;
	else if (strcmp(name, "threads") == 0)
		e = xfer_threads(r, &data, &len);
	else
		e = r->ops->object(r->target, name, &data, &len);
	if (e == 0 && offset < len) {
		/* Binary data may double by escapes. */
		want = want < room ? want : room;
		want = want < len - offset ? want : len - offset;
		rsp_add(r, offset + want < len ? "m" : "l", 1);
		rsp_add(r, data + offset, want);
	} else if (e == 0) {
		rsp_add(r, "l", 1);
	} else if (e != -EOPNOTSUPP) {
		rsp_add_error(r, e);
	}
	free(data);
}

static const struct {
	const char *prefix;
	void (*fn)(struct rsp *r, const char *rest);
	bool exact; /* nothing follows */
} queries[] = {
	{ "qSupported", query_supported, false },
	{ "QStartNoAckMode", query_no_ack, true },
	{ "qfThreadInfo", query_threads, true },
	{ "qsThreadInfo", query_more_threads, true },
	{ "qThreadExtraInfo,", query_thread_info, false },
	{ "qAttached", query_attached, false },
	{ "qSymbol:", query_symbol, false },
	{ "qRcmd,", query_monitor, false },
	{ "qXfer:", query_xfer, false },
	{ "qC", query_current, true },
	{ "vCont?", NULL, true },
	{ "vCont", cmd_vcont, false },
	{ "vKill", cmd_kill, false },
};

static void cmd_query(struct rsp *r, const char *unused)
{
	size_t i;

	for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		size_t n = strlen(queries[i].prefix);

		if (strncmp(r->in, queries[i].prefix, n) != 0 || (queries[i].exact && r->in[n]))
			continue;
		if (queries[i].fn)
			queries[i].fn(r, r->in + n);
		else
			rsp_add_text(r, "vCont;c;C;s;S");
		return;
	}
}

static void (*const cmds[128])(struct rsp *r, const char *rest) = {
	['?'] = cmd_why,
	['D'] = cmd_detach,
	['G'] = cmd_write_regs,
	['H'] = cmd_select,
	['M'] = cmd_write_mem,
	['P'] = cmd_write_reg,
	['Q'] = cmd_query,
	['T'] = cmd_alive,
	['X'] = cmd_write_mem,
	['Z'] = cmd_break,
	['c'] = cmd_continue,
	['g'] = cmd_read_regs,
	['k'] = cmd_kill,
	['m'] = cmd_read_mem,
	['p'] = cmd_read_reg,
	['q'] = cmd_query,
	['s'] = cmd_step,
	['v'] = cmd_query,
	['z'] = cmd_break,
};

void rsp_command(struct rsp *r)
{
	unsigned char c = (unsigned char)r->in[0];

	r->out_len = 0;
	r->silent = false;
	if (c < sizeof(cmds) / sizeof(cmds[0]) && cmds[c])
		cmds[c](r, r->in + 1);
	if (!r->silent)
		rsp_flush(r);
}
