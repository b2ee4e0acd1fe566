/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of gdb's amd64 target descriptions. */
#include <config.h>
#include "control/debug/rsp_regs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ST_BYTES 10

/* One entry for a run of registers of one kind. `names` are split at spaces. */
static const struct regs_run {
	const char *feature; /* not NULL: a feature begins here */
	const char *names;
	const char *type, *group;
	uint16_t offset;
	uint8_t bytes;
	bool app_only;
} regs_runs[] = {
	{ "org.gnu.gdb.i386.core", "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15",
		"int64", NULL, offsetof(struct rsp_regs, gpr), 8, false },
	{ NULL, "rip", "code_ptr", NULL, offsetof(struct rsp_regs, rip), 8, false },
	{ NULL, "eflags", "i386_eflags", NULL, offsetof(struct rsp_regs, eflags), 4, false },
	{ NULL, "cs ss ds es fs gs", "int32", NULL, offsetof(struct rsp_regs, seg), 4, false },
	{ NULL, "st0 st1 st2 st3 st4 st5 st6 st7", "i387_ext", NULL, offsetof(struct rsp_regs, st),
		ST_BYTES, false },
	{ NULL, "fctrl fstat ftag fiseg fioff foseg fooff fop", "int", "float",
		offsetof(struct rsp_regs, x87), 4, false },
	{ "org.gnu.gdb.i386.sse",
		"xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15",
		"vec128", NULL, offsetof(struct rsp_regs, xmm), 16, false },
	{ NULL, "mxcsr", "i386_mxcsr", "vector", offsetof(struct rsp_regs, mxcsr), 4, false },
	{ "org.gnu.gdb.i386.segments", "fs_base gs_base", "int", NULL,
		offsetof(struct rsp_regs, fs_base), 8, false },
	{ "org.gnu.gdb.i386.linux", "orig_rax", "int", "system",
		offsetof(struct rsp_regs, orig_rax), 8, true },
};
#define REGS_RUNS (sizeof(regs_runs) / sizeof(regs_runs[0]))

static unsigned regs_words(const char *names)
{
	unsigned n = 1;

	for (; *names; names++)
		n += *names == ' ';
	return n;
}

unsigned rsp_regs_count(bool app)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < REGS_RUNS; i++) {
		if (app || !regs_runs[i].app_only)
			n += regs_words(regs_runs[i].names);
	}
	return n;
}

bool rsp_regs_find(unsigned n, bool app, size_t *offset, size_t *size)
{
	size_t i;

	for (i = 0; i < REGS_RUNS; i++) {
		const struct regs_run *run = &regs_runs[i];
		unsigned words = regs_words(run->names);

		if (run->app_only && !app)
			continue;
		if (n < words) {
			*offset = run->offset + (size_t)n * run->bytes;
			*size = run->bytes;
			return true;
		}
		n -= words;
	}
	return false;
}

struct regs_text {
	char *buf;
	size_t room, len; /* len grows past room when the text does not fit */
};

static void regs_add(struct regs_text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void regs_add(struct regs_text *t, const char *fmt, ...)
{
	size_t left = t->len < t->room ? t->room - t->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left ? t->buf + t->len : NULL, left, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n;
}

static const char regs_core_types[] =
	"<flags id=\"i386_eflags\" size=\"4\">"
	"<field name=\"\" start=\"22\" end=\"31\"/>"
	"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
	"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
	"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
	"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
	"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
	"<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
	"<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
	"<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
	"<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char regs_sse_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
	"<flags id=\"i386_mxcsr\" size=\"4\">"
	"<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
	"<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
	"<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
	"<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
	"<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
	"<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
	"<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/></flags>";

static void regs_add_run(struct regs_text *t, const struct regs_run *run)
{
	const char *name = run->names;

	while (*name) {
		size_t len = strcspn(name, " ");
		/* gdb knows two of them as pointers to data. */
		bool pointer = len == 3 && (!strncmp(name, "rbp", 3) || !strncmp(name, "rsp", 3));

		regs_add(t, "<reg name=\"%.*s\" bitsize=\"%u\" type=\"%s\"", (int)len, name,
			run->bytes * 8u, pointer ? "data_ptr" : run->type);
		if (run->group)
			regs_add(t, " group=\"%s\"", run->group);
		regs_add(t, "/>\n");
		name += len + (name[len] == ' ');
	}
}

int rsp_regs_xml(char *buf, size_t room, bool app)
{
	struct regs_text t = { .buf = buf, .room = room };
	bool open = false;
	size_t i;

	regs_add(&t,
		"<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
		"<target version=\"1.0\">\n<architecture>i386:x86-64</architecture>\n%s",
		app ? "<osabi>GNU/Linux</osabi>\n" : "");
	for (i = 0; i < REGS_RUNS; i++) {
		const struct regs_run *run = &regs_runs[i];

		if (run->app_only && !app)
			continue;
		if (run->feature) {
			regs_add(&t, "%s<feature name=\"%s\">\n", open ? "</feature>\n" : "",
				run->feature);
			if (i == 0)
				regs_add(&t, "%s\n", regs_core_types);
			else if (strstr(run->feature, "sse"))
				regs_add(&t, "%s\n", regs_sse_types);
			open = true;
		}
		regs_add_run(&t, run);
	}
	regs_add(&t, "</feature>\n</target>\n");
	return t.len < room ? (int)t.len : -ENOSPC;
}

/* ---- FXSAVE: fcw fsw ftw(short) fop fip(4) fcs(2) fdp(4) fds(2) mxcsr, st at 32 (16 bytes each), xmm at 160 */

static uint16_t fx_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t fx_get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* What the tag word of two bits a register would say. */
static uint32_t fx_tag(const uint8_t *st)
{
	uint64_t mantissa;
	uint16_t exponent = fx_get16(st + 8) & 0x7fff;

	memcpy(&mantissa, st, sizeof(mantissa));
	if (exponent == 0x7fff)
		return 2;
	if (exponent == 0)
		return mantissa == 0 ? 1 : 2;
	return mantissa >> 63 ? 0 : 2;
}

void rsp_regs_from_fxsave(struct rsp_regs *r, const uint8_t *area)
{
	uint32_t top = fx_get16(area + 2) >> 11 & 7, tags = 0;
	unsigned i;

	for (i = 0; i < 8; i++) {
		uint32_t physical = (top + i) & 7;

		memcpy(r->st[i], area + 32 + 16 * i, ST_BYTES);
		tags |= (area[4] >> physical & 1 ? fx_tag(r->st[i]) : 3u) << (2 * physical);
	}
	r->x87[0] = fx_get16(area);
	r->x87[1] = fx_get16(area + 2);
	r->x87[2] = tags;
	r->x87[3] = fx_get16(area + 12);
	r->x87[4] = fx_get32(area + 8);
	r->x87[5] = fx_get16(area + 20);
	r->x87[6] = fx_get32(area + 16);
	r->x87[7] = fx_get16(area + 6) & 0x7ff;
	r->mxcsr = fx_get32(area + 24);
	memcpy(r->xmm, area + 160, sizeof(r->xmm));
}

void rsp_regs_to_fxsave(const struct rsp_regs *r, uint8_t *area)
{
	unsigned i;

	memcpy(area, &r->x87[0], 2);
	memcpy(area + 2, &r->x87[1], 2);
	area[4] = 0;
	for (i = 0; i < 8; i++) {
		if ((r->x87[2] >> (2 * i) & 3) != 3)
			area[4] |= (uint8_t)(1u << i);
		memcpy(area + 32 + 16 * i, r->st[i], ST_BYTES);
	}
	memcpy(area + 6, &r->x87[7], 2);
	memcpy(area + 8, &r->x87[4], 4);
	memcpy(area + 12, &r->x87[3], 2);
	memcpy(area + 16, &r->x87[6], 4);
	memcpy(area + 20, &r->x87[5], 2);
	memcpy(area + 24, &r->mxcsr, 4);
	memcpy(area + 160, r->xmm, sizeof(r->xmm));
}
