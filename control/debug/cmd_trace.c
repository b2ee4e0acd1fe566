/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace, log. System calls and file server requests are written by the sentry into a ring in its own memory, which costs it no exit; they stay
 * on until `trace off`. VM exits and vsock packets are kept by the VMM for as long as this connection lasts.
 */
#include <config.h>

#include <errno.h>
#include <linux/fuse.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <string.h>

#include "control/debug/cmds.h"
#include "control/debug/tasks.h"
#include "control/debug/text.h"

#define TRACE_ROUNDS 8 /* of TRACE_READ in one `show` */
#define TRACE_LINE   512

/* ---- the sentry's switches */

static int trace_put_u32(
	struct session *s, struct guest *g, enum guest_field f, uint32_t v, struct cm_err *err)
{
	uint64_t gpa;
	int r = guest_kernel_pa(g, guest_const(g, f), &gpa);

	if (r == 0)
		r = dbg_write_phys(s->d, gpa, &v, sizeof(v));
	guest_forget(g);
	return r < 0 ? cmd_error(r, err, "write the guest's memory") : 0;
}

static int trace_vmm(struct session *s, uint32_t kinds, struct cm_err *err)
{
	struct cm_dbg_trace_set q = { .kinds = kinds };
	struct dbg_buf part = { &q, sizeof(q) };
	int r = dbg_call(s->d, CM_DBG_TRACE_SET, &part, 1, NULL, 0);

	return r < 0 ? cmd_error(r, err, "trace") : 0;
}

enum trace_kind {
	TRACE_CALLS = 1,
	TRACE_REQUESTS = 2,
	TRACE_EXITS = 4,
	TRACE_PACKETS = 8,
	TRACE_ALL = 15
};

static const struct {
	const char *name;
	unsigned kind;
} trace_names[] = {
	{ "calls", TRACE_CALLS },
	{ "fuse", TRACE_REQUESTS },
	{ "exits", TRACE_EXITS },
	{ "vsock", TRACE_PACKETS },
	{ "all", TRACE_ALL },
};

static int trace_words(int argc, char **argv, unsigned *kinds, struct cm_err *err)
{
	size_t k;
	int i;

	*kinds = 0;
	for (i = 2; i < argc; i++) {
		for (k = 0; k < sizeof(trace_names) / sizeof(trace_names[0]); k++) {
			if (strcmp(argv[i], trace_names[k].name) == 0)
				break;
		}
		if (k == sizeof(trace_names) / sizeof(trace_names[0]))
			return cm_err_set(err, 0,
				"trace: '%s' is not calls, fuse, exits, vsock or all", argv[i]);
		*kinds |= trace_names[k].kind;
	}
	return 0;
}

static int trace_switch(
	struct session *s, struct guest *g, unsigned on, unsigned off, struct cm_err *err)
{
	uint32_t bits = (uint32_t)guest_number(g, guest_const(g, S_trace_enabled), 4);
	uint32_t ring = (uint32_t)guest_const(g, C_TRACE_RING);
	uint32_t fuse = (uint32_t)guest_const(g, C_TRACE_FUSE);

	bits &= ~((off & TRACE_CALLS ? ring : 0) | (off & TRACE_REQUESTS ? fuse : 0));
	bits |= (on & TRACE_CALLS ? ring : 0) | (on & TRACE_REQUESTS ? fuse : 0);
	if (trace_put_u32(s, g, S_trace_enabled, bits, err) < 0)
		return -err->code;
	s->traced = (s->traced & ~off) | on;
	return trace_vmm(s,
		(s->traced & TRACE_EXITS ? CM_DBG_TRACE_EXITS : 0) |
			(s->traced & TRACE_PACKETS ? CM_DBG_TRACE_VSOCK : 0),
		err);
}

static json_t *trace_state(const struct session *s)
{
	json_t *list = json_array();
	size_t k;

	for (k = 0; k + 1 < sizeof(trace_names) / sizeof(trace_names[0]); k++) {
		if (s->traced & trace_names[k].kind)
			json_array_append_new(list, json_string(trace_names[k].name));
	}
	return json_pack("{s:o}", "traced", list);
}

/* ---- what was traced */

static const char *trace_fuse_name(unsigned op)
{
	static const char *const names[] = {
		[FUSE_LOOKUP] = "LOOKUP",
		[FUSE_FORGET] = "FORGET",
		[FUSE_GETATTR] = "GETATTR",
		[FUSE_SETATTR] = "SETATTR",
		[FUSE_READLINK] = "READLINK",
		[FUSE_SYMLINK] = "SYMLINK",
		[FUSE_MKNOD] = "MKNOD",
		[FUSE_MKDIR] = "MKDIR",
		[FUSE_UNLINK] = "UNLINK",
		[FUSE_RMDIR] = "RMDIR",
		[FUSE_RENAME] = "RENAME",
		[FUSE_LINK] = "LINK",
		[FUSE_OPEN] = "OPEN",
		[FUSE_READ] = "READ",
		[FUSE_WRITE] = "WRITE",
		[FUSE_STATFS] = "STATFS",
		[FUSE_RELEASE] = "RELEASE",
		[FUSE_FSYNC] = "FSYNC",
		[FUSE_SETXATTR] = "SETXATTR",
		[FUSE_GETXATTR] = "GETXATTR",
		[FUSE_LISTXATTR] = "LISTXATTR",
		[FUSE_REMOVEXATTR] = "REMOVEXATTR",
		[FUSE_FLUSH] = "FLUSH",
		[FUSE_INIT] = "INIT",
		[FUSE_OPENDIR] = "OPENDIR",
		[FUSE_READDIR] = "READDIR",
		[FUSE_RELEASEDIR] = "RELEASEDIR",
		[FUSE_FSYNCDIR] = "FSYNCDIR",
		[FUSE_CREATE] = "CREATE",
		[FUSE_DESTROY] = "DESTROY",
		[FUSE_FALLOCATE] = "FALLOCATE",
		[FUSE_READDIRPLUS] = "READDIRPLUS",
		[FUSE_RENAME2] = "RENAME2",
		[FUSE_LSEEK] = "LSEEK",
		[FUSE_COPY_FILE_RANGE] = "COPY_FILE_RANGE",
		[FUSE_SETUPMAPPING] = "SETUPMAPPING",
		[FUSE_REMOVEMAPPING] = "REMOVEMAPPING",
		[FUSE_BATCH_FORGET] = "BATCH_FORGET",
		[FUSE_INTERRUPT] = "INTERRUPT",
		[FUSE_ACCESS] = "ACCESS",
	};

	return op < sizeof(names) / sizeof(names[0]) && names[op] ? names[op] : "?";
}

static bool trace_wanted(const char *line, int argc, char **argv)
{
	int i;

	for (i = 2; i < argc; i++) {
		if (strstr(line, argv[i]))
			return true;
	}
	return argc <= 2;
}

/* One line of the sentry's ring; a request's number gets its name. */
static void trace_add_line(json_t *list, const char *p, size_t len, int argc, char **argv)
{
	char text[4 * TRACE_LINE + 1], whole[4 * TRACE_LINE + 32];
	const char *fuse;
	unsigned op;
	int used = 0;

	text_printable(text, sizeof(text), p, len < TRACE_LINE ? len : TRACE_LINE);
	fuse = strstr(text, "] fuse ");
	if (fuse && sscanf(fuse + 7, "%u%n", &op, &used) == 1)
		snprintf(whole, sizeof(whole), "%.*s %s%s", (int)(fuse + 6 - text), text,
			trace_fuse_name(op), fuse + 7 + used);
	else
		snprintf(whole, sizeof(whole), "%s", text);
	if (trace_wanted(whole, argc, argv))
		json_array_append_new(list, json_string(whole));
}

static int trace_read_ring(struct session *s, struct guest *g, json_t *list, int argc, char **argv)
{
	uint64_t head = guest_number(g, guest_const(g, S_trace_ring_head), 8);
	uint64_t size = guest_const(g, C_TRACE_RING_SIZE), from = s->trace_seen, at, n, part;
	char *text = size <= 1 << 20 ? malloc(size + 1) : NULL, *line, *end;
	bool cut = false;

	if (!text)
		return -ENOMEM;
	if (from > head || head - from > size) {
		if (from <= head)
			json_array_append_new(list, json_string("[lines lost]"));
		from = head > size ? head - size : 0;
		cut = from > 0;
	}
	for (n = 0; from + n < head; n += part) {
		at = (from + n) % size;
		part = size - at < head - from - n ? size - at : head - from - n;
		if (guest_read(g, guest_const(g, S_trace_ring_text) + at, text + n, part) < 0)
			break;
	}
	/* The oldest line is overwritten in part. */
	line = cut ? memchr(text, '\n', n) : NULL;
	for (line = line ? line + 1 : text; line < text + n; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + n - line));
		if (!end)
			break;
		trace_add_line(list, line, (size_t)(end - line), argc, argv);
	}
	s->trace_seen = from + (uint64_t)(line - text);
	free(text);
	return 0;
}

static void trace_entry_text(
	const struct session *s, const struct cm_dbg_trace_entry *e, char *buf, size_t size)
{
	uint32_t khz = dbg_machine(s->d)->tsc_khz;
	double us = khz ? (double)e->ticks * 1000.0 / khz : 0;
	char name[16];

	if (e->kind == CM_DBG_TRACE_VSOCK)
		snprintf(buf, size, "vsock %s op %u port %llu -> %llu, %llu bytes",
			e->flags & 1 ? "from guest" : "to guest", e->what,
			(unsigned long long)(e->addr >> 32),
			(unsigned long long)(e->addr & 0xffffffff), (unsigned long long)e->value);
	else if (e->flags)
		snprintf(buf, size, "vCPU %u exit %s %s %#llx, %u bytes, %#llx <%.1f us>", e->cpu,
			exit_name(e->what, name, sizeof(name)), e->flags & 1 ? "write" : "read",
			(unsigned long long)e->addr, e->flags >> 8, (unsigned long long)e->value,
			us);
	else
		snprintf(buf, size, "vCPU %u exit %s <%.1f us>", e->cpu,
			exit_name(e->what, name, sizeof(name)), us);
}

static int trace_read_vmm(struct session *s, json_t *list, int argc, char **argv)
{
	struct {
		struct cm_dbg_trace_read r;
		struct cm_dbg_trace_entry e[CM_DBG_TRACE_BATCH];
	} *reply = malloc(sizeof(*reply));
	char text[160];
	unsigned round;
	uint32_t i;
	int r = reply ? 0 : -ENOMEM;

	for (round = 0; round < TRACE_ROUNDS && r == 0; round++) {
		struct cm_dbg_trace_read q = {
			.next = s->trace_next,
			.count = CM_DBG_TRACE_BATCH,
		};

		r = dbg_call(s->d, CM_DBG_TRACE_READ, &(struct dbg_buf){ &q, sizeof(q) }, 1, reply,
			sizeof(*reply));
		if (r < 0)
			break;
		if ((size_t)r < sizeof(q) || reply->r.count > CM_DBG_TRACE_BATCH ||
			(size_t)r != sizeof(q) + reply->r.count * sizeof(reply->e[0])) {
			r = -EPROTO;
			break;
		}
		r = 0;
		if (reply->r.lost)
			json_array_append_new(list, json_string("[entries lost]"));
		for (i = 0; i < reply->r.count; i++) {
			trace_entry_text(s, &reply->e[i], text, sizeof(text));
			if (trace_wanted(text, argc, argv))
				json_array_append_new(list, json_string(text));
		}
		s->trace_next = reply->r.next;
		if (reply->r.count < CM_DBG_TRACE_BATCH)
			break;
	}
	free(reply);
	return r;
}

/* Everything from now on: what the rings hold is not wanted. */
static int trace_begin(struct session *s, struct guest *g, struct cm_err *err)
{
	struct cm_dbg_trace_read q = { .next = UINT64_MAX };
	int r = dbg_call(
		s->d, CM_DBG_TRACE_READ, &(struct dbg_buf){ &q, sizeof(q) }, 1, &q, sizeof(q));

	if (r < 0)
		return cmd_error(r, err, "trace");
	s->trace_next = q.next;
	s->trace_seen = guest_number(g, guest_const(g, S_trace_ring_head), 8);
	return 0;
}

json_t *cmd_trace_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	unsigned kinds;
	json_t *list;
	int r;

	if (!g || cmd_words(argc, argv, 1, 16, err) < 0)
		return NULL;
	if (strcmp(argv[1], "show") == 0) {
		list = json_array();
		r = trace_read_ring(s, g, list, argc, argv);
		if (r == 0)
			r = trace_read_vmm(s, list, argc, argv);
		if (r == 0)
			return list;
		json_decref(list);
		cmd_error(r, err, "read the trace");
		return NULL;
	}
	if (strcmp(argv[1], "on") != 0 && strcmp(argv[1], "off") != 0) {
		cm_err_set(err, 0, "trace: '%s' is not on, off or show", argv[1]);
		return NULL;
	}
	if (trace_words(argc, argv, &kinds, err) < 0)
		return NULL;
	if (strcmp(argv[1], "on") == 0) {
		if ((!s->traced && trace_begin(s, g, err) < 0) ||
			trace_switch(s, g, kinds ? kinds : TRACE_CALLS, 0, err) < 0)
			return NULL;
	} else if (trace_switch(s, g, 0, kinds ? kinds : TRACE_ALL, err) < 0) {
		return NULL;
	}
	return trace_state(s);
}

void cmd_trace_print(const json_t *o, FILE *f)
{
	const json_t *line;
	size_t i;

	json_array_foreach(o, i, line) fprintf(f, "%s\n", json_string_value(line));
}

/* ---- log */

static const char *const log_levels[] = { "error", "warning", "info", "debug" };

json_t *cmd_log_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	uint32_t i, now;

	if (!g || cmd_words(argc, argv, 0, 1, err) < 0)
		return NULL;
	if (argc > 1) {
		for (i = 0; i < 4 && strcmp(argv[1], log_levels[i]) != 0; i++)
			;
		if (i == 4) {
			cm_err_set(
				err, 0, "log: '%s' is not error, warning, info or debug", argv[1]);
			return NULL;
		}
		if (trace_put_u32(s, g, S_log_max, i, err) < 0)
			return NULL;
	}
	now = (uint32_t)guest_number(g, guest_const(g, S_log_max), 4);
	return json_pack("{s:s}", "level", now < 4 ? log_levels[now] : "unknown");
}

void cmd_log_print(const json_t *o, FILE *f)
{
	fprintf(f, "the sentry logs what is at least: %s\n", json_text(o, "level"));
}
