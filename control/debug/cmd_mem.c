/* SPDX-License-Identifier: Apache-2.0 */
/* mem, xlate, dis: memory by any kind of address. */
#include <config.h>

#include <capstone/capstone.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/guestmem.h>

#include "control/debug/cmds.h"
#include "control/debug/tasks.h"

#define MEM_MAX	     65536
#define DIS_MAX	     1024 /* instructions */
#define DIS_LEN	     15 /* bytes of the longest */
#define MEM_USER_TOP 0x0000800000000000ull

/* Where an address is looked up. */
struct mem_space {
	enum {
		MEM_PHYS,
		MEM_KERNEL,
		MEM_TABLES
	} kind;
	uint64_t root; /* CR3, for MEM_TABLES */
};

/*
 * `phys`, a task's number, or nothing: the kernel half by the sentry's fixed map, the user half by the page table of the task that vCPU 0 runs.
 */
static int mem_space(struct session *s, struct guest *g, const char *word, uint64_t va,
	struct mem_space *m, struct cm_err *err)
{
	struct kvm_sregs sregs;
	struct task_info t;
	uint64_t tid, gpa;
	int r;

	*m = (struct mem_space){ .kind = MEM_PHYS };
	if (word && strcmp(word, "phys") == 0)
		return 0;
	if (!word && guest_kernel_pa(g, va, &gpa) == 0) {
		m->kind = MEM_KERNEL;
		return 0;
	}
	m->kind = MEM_TABLES;
	if (word) {
		if (cmd_number("task", word, INT32_MAX, &tid, err) < 0)
			return -err->code;
		if (!tasks_find(g, (int)tid, &t) || !t.as)
			return cm_err_set(err, 0, "no task %s with memory", word);
		m->root = tasks_root(g, t.as);
		return 0;
	}
	r = dbg_get_regs(s->d, 0, NULL, &sregs);
	if (r < 0)
		return cmd_error(r, err, "read registers");
	m->root = sregs.cr3;
	return 0;
}

static int mem_read(struct guest *g, const struct mem_space *m, uint64_t va, void *buf, size_t len)
{
	if (m->kind == MEM_PHYS)
		return guest_read_phys(g, va, buf, len);
	return m->kind == MEM_KERNEL ? guest_read(g, va, buf, len)
				     : guest_read_user(g, m->root, va, buf, len);
}

static json_t *mem_json(uint64_t va, const uint8_t *p, size_t len)
{
	json_t *rows = json_array();
	char hex[33], text[17];
	size_t i, k;

	for (i = 0; i < len; i += 16) {
		size_t n = len - i < 16 ? len - i : 16;

		for (k = 0; k < n; k++) {
			snprintf(hex + 2 * k, 3, "%02x", p[i + k]);
			text[k] = p[i + k] >= 0x20 && p[i + k] < 0x7f ? (char)p[i + k] : '.';
		}
		text[n] = '\0';
		json_array_append_new(rows, json_pack("{s:o, s:s, s:s}", "address",
						    json_hex(va + i), "hex", hex, "text", text));
	}
	return rows;
}

json_t *cmd_mem_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	static uint8_t buf[MEM_MAX];
	struct mem_space m;
	uint64_t va, len = 64;
	int r;

	if (!g || cmd_words(argc, argv, 1, 3, err) < 0 || cmd_address(s, argv[1], &va, err) < 0 ||
		(argc > 2 && cmd_number("length", argv[2], MEM_MAX, &len, err) < 0) ||
		mem_space(s, g, argc > 3 ? argv[3] : NULL, va, &m, err) < 0)
		return NULL;
	r = mem_read(g, &m, va, buf, len);
	if (r < 0) {
		cmd_error(r, err, "read memory");
		return NULL;
	}
	return mem_json(va, buf, len);
}

void cmd_mem_print(const json_t *o, FILE *f)
{
	const json_t *row;
	const char *hex;
	size_t i, k;

	json_array_foreach(o, i, row)
	{
		fprintf(f, "%18s ", json_text(row, "address"));
		hex = json_text(row, "hex");
		for (k = 0; k < 16; k++)
			fprintf(f, "%s%.2s", k == 8 ? "  " : " ",
				2 * k < strlen(hex) ? hex + 2 * k : "  ");
		fprintf(f, "  %s\n", json_text(row, "text"));
	}
}

/* ---- xlate */

static const struct {
	uint64_t bit;
	const char *name;
} xlate_bits[] = {
	{ 1ull << 0, "present" },
	{ 1ull << 1, "writable" },
	{ 1ull << 2, "user" },
	{ 1ull << 5, "accessed" },
	{ 1ull << 6, "dirty" },
	{ 1ull << 7, "huge" },
	{ 1ull << 8, "global" },
	{ 1ull << 63, "no-execute" },
};

static json_t *xlate_flags(const struct guest_step *t)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < sizeof(xlate_bits) / sizeof(xlate_bits[0]); i++) {
		/* In the last level bit 7 is the PAT's. */
		if (t->entry & xlate_bits[i].bit && !(xlate_bits[i].bit == 0x80 && t->level == 1))
			json_array_append_new(list, json_string(xlate_bits[i].name));
	}
	/* The sentry's mark of a page that PROT_NONE hides. */
	if ((t->entry & 0x201) == 0x200)
		json_array_append_new(list, json_string("hidden"));
	return list;
}

static json_t *xlate_walk(struct guest *g, uint64_t root, uint64_t va)
{
	static const char *const levels[] = { "", "PTE", "PDE", "PDPTE", "PML4E" };
	json_t *steps = json_array(), *o;
	struct guest_walk w;
	unsigned i;

	guest_walk(g, root, va, &w);
	for (i = 0; i < w.steps; i++) {
		const struct guest_step *t = &w.step[i];

		json_array_append_new(steps,
			json_pack("{s:s, s:i, s:o, s:o, s:b, s:o}", "level", levels[t->level],
				"index", (int)t->index, "at", json_hex(t->table + 8ull * t->index),
				"entry", json_hex(t->entry), "readable", (int)t->read, "flags",
				xlate_flags(t)));
	}
	o = json_pack("{s:o, s:o, s:o, s:b}", "address", json_hex(va), "root",
		json_hex(g->pvm ? root & GUEST_MASK_PA & ~(uint64_t)GUEST_PAGE
				: root & GUEST_MASK_PA),
		"steps", steps, "mapped", (int)w.mapped);
	if (w.mapped) {
		json_object_set_new(o, "physical", json_hex(w.gpa));
		json_object_set_new(o, "pageSize", json_integer((json_int_t)w.size));
	}
	return o;
}

json_t *cmd_xlate_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	struct kvm_sregs sregs;
	struct task_info t;
	uint64_t va, tid;
	json_t *o;
	int r;

	if (!g || cmd_words(argc, argv, 1, 2, err) < 0 || cmd_address(s, argv[1], &va, err) < 0)
		return NULL;
	if (va >= MEM_USER_TOP && va < ~(MEM_USER_TOP - 1)) {
		cm_err_set(err, 0, "xlate: %s is not canonical", argv[1]);
		return NULL;
	}
	if (argc > 2) {
		if (cmd_number("task", argv[2], INT32_MAX, &tid, err) < 0)
			return NULL;
		if (!tasks_find(g, (int)tid, &t) || !t.as) {
			cm_err_set(err, 0, "no task %s with memory", argv[2]);
			return NULL;
		}
		o = xlate_walk(g, tasks_root(g, t.as), va);
	} else {
		r = dbg_get_regs(s->d, 0, NULL, &sregs);
		if (r < 0) {
			cmd_error(r, err, "read registers");
			return NULL;
		}
		o = xlate_walk(g, sregs.cr3, va);
	}
	json_object_set_new(o, "backend", json_string(g->pvm ? "pvm" : "std"));
	return o;
}

void cmd_xlate_print(const json_t *o, FILE *f)
{
	const json_t *step, *flag;
	size_t i, k;

	fprintf(f, "%s from the table at %s (%s)\n", json_text(o, "address"), json_text(o, "root"),
		strcmp(json_text(o, "backend"), "pvm") == 0
			? "pvm: the kernel's of its two, the user's is 4 KiB above"
			: "std");
	json_array_foreach(json_object_get(o, "steps"), i, step)
	{
		fprintf(f, "  %-5s %3lld at %s: ", json_text(step, "level"),
			json_number(step, "index"), json_text(step, "at"));
		if (!json_is_true(json_object_get(step, "readable"))) {
			fprintf(f, "not in memory\n");
			continue;
		}
		fprintf(f, "%s", json_text(step, "entry"));
		json_array_foreach(json_object_get(step, "flags"), k, flag)
			fprintf(f, " %s", json_string_value(flag));
		fputc('\n', f);
	}
	if (json_is_true(json_object_get(o, "mapped")))
		fprintf(f, "  -> physical %s, page of %lld KiB\n", json_text(o, "physical"),
			json_number(o, "pageSize") >> 10);
	else
		fprintf(f, "  -> not mapped\n");
}

/* ---- dis */

static json_t *dis_decode(struct guest *g, const uint8_t *code, size_t len, uint64_t va, size_t max)
{
	json_t *list = json_array();
	char symbol[160], bytes[2 * DIS_LEN + 1];
	cs_insn *insn;
	size_t n, i, k;
	csh cs;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return list;
	cs_option(cs, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	n = cs_disasm(cs, code, len, va, max, &insn);
	for (i = 0; i < n; i++) {
		bytes[0] = '\0';
		for (k = 0; k < insn[i].size && k < DIS_LEN; k++)
			snprintf(bytes + 2 * k, 3, "%02x", insn[i].bytes[k]);
		json_array_append_new(list,
			json_pack("{s:o, s:s, s:s, s:s, s:s}", "address", json_hex(insn[i].address),
				"symbol", cmd_symbol(g, insn[i].address, symbol, sizeof(symbol)),
				"bytes", bytes, "mnemonic", insn[i].mnemonic, "operands",
				insn[i].op_str));
	}
	if (n > 0)
		cs_free(insn, n);
	cs_close(&cs);
	return list;
}

/* The most bytes, up to `len`, that can be read at va. */
static size_t dis_read(
	struct guest *g, const struct mem_space *m, uint64_t va, uint8_t *buf, size_t len)
{
	size_t n = 0, part;

	while (n < len) {
		part = GUEST_PAGE - (va + n) % GUEST_PAGE;
		part = part < len - n ? part : len - n;
		if (mem_read(g, m, va + n, buf + n, part) < 0)
			break;
		n += part;
	}
	return n;
}

json_t *cmd_dis_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	struct guest *g = session_guest(s, err);
	static uint8_t code[DIS_MAX * DIS_LEN];
	uint64_t va, count = 16;
	struct mem_space m;
	struct kvm_regs r;
	size_t len;
	int e;

	if (!g || cmd_words(argc, argv, 0, 3, err) < 0)
		return NULL;
	if (argc == 1) {
		e = dbg_get_regs(s->d, 0, &r, NULL);
		if (e < 0) {
			cmd_error(e, err, "read registers");
			return NULL;
		}
		va = r.rip;
	} else if (cmd_address(s, argv[1], &va, err) < 0) {
		return NULL;
	}
	if ((argc > 2 && cmd_number("count", argv[2], DIS_MAX, &count, err) < 0) ||
		mem_space(s, g, argc > 3 ? argv[3] : NULL, va, &m, err) < 0)
		return NULL;
	len = dis_read(g, &m, va, code, count * DIS_LEN);
	if (len == 0) {
		cm_err_set(err, EFAULT, "read memory");
		return NULL;
	}
	return dis_decode(g, code, len, va, count);
}

void cmd_dis_print(const json_t *o, FILE *f)
{
	const json_t *i;
	size_t k;

	json_array_foreach(o, k, i) fprintf(f, "%18s %-32s %-24s %s %s\n", json_text(i, "address"),
		json_text(i, "symbol"), json_text(i, "bytes"), json_text(i, "mnemonic"),
		json_text(i, "operands"));
}
