/* SPDX-License-Identifier: Apache-2.0 */
/* regs: the registers of stopped vCPUs. */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "control/debug/cmds.h"

static const char *const general_names[] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags" };
#define GENERAL (sizeof(general_names) / sizeof(general_names[0]))
_Static_assert(sizeof(struct kvm_regs) == GENERAL * sizeof(uint64_t), "a name for each");

static const struct {
	uint32_t index;
	const char *name;
} msr_names[] = {
	{ 0x10, "tsc" },
	{ 0x1b, "apic_base" },
	{ 0x174, "sysenter_cs" },
	{ 0x175, "sysenter_esp" },
	{ 0x176, "sysenter_eip" },
	{ 0x277, "pat" },
	{ 0x6e0, "tsc_deadline" },
	{ 0xc0000080, "efer" },
	{ 0xc0000081, "star" },
	{ 0xc0000082, "lstar" },
	{ 0xc0000083, "cstar" },
	{ 0xc0000084, "sfmask" },
	{ 0xc0000100, "fs_base" },
	{ 0xc0000101, "gs_base" },
	{ 0xc0000102, "kernel_gs_base" },
	{ 0xc0000103, "tsc_aux" },
};

static json_t *regs_segment(const struct kvm_segment *g)
{
	return json_pack("{s:o, s:o, s:o, s:i}", "selector", json_hex(g->selector), "base",
		json_hex(g->base), "limit", json_hex(g->limit), "dpl", g->dpl);
}

static void regs_system(json_t *o, const struct kvm_sregs *s)
{
	const struct {
		const char *name;
		uint64_t v;
	} control[] = { { "cr0", s->cr0 }, { "cr2", s->cr2 }, { "cr3", s->cr3 }, { "cr4", s->cr4 },
		{ "efer", s->efer }, { "gdt", s->gdt.base }, { "idt", s->idt.base } };
	const struct {
		const char *name;
		const struct kvm_segment *g;
	} segment[] = { { "cs", &s->cs }, { "ss", &s->ss }, { "ds", &s->ds }, { "es", &s->es },
		{ "fs", &s->fs }, { "gs", &s->gs }, { "tr", &s->tr } };
	json_t *list = json_object();
	size_t i;

	for (i = 0; i < sizeof(control) / sizeof(control[0]); i++)
		json_object_set_new(o, control[i].name, json_hex(control[i].v));
	for (i = 0; i < sizeof(segment) / sizeof(segment[0]); i++)
		json_object_set_new(list, segment[i].name, regs_segment(segment[i].g));
	json_object_set_new(o, "segments", list);
}

/* What KVM can tell beside the general registers; a set that it lacks is left out. */
static void regs_others(struct session *s, uint32_t cpu, json_t *o)
{
	struct kvm_debugregs d;
	struct cm_dbg_msrs m;
	json_t *list;
	size_t i, k;

	if (dbg_get_set(s->d, cpu, CM_DBG_REGS_DEBUG, &d, sizeof(d)) == 0) {
		list = json_pack("[o,o,o,o]", json_hex(d.db[0]), json_hex(d.db[1]),
			json_hex(d.db[2]), json_hex(d.db[3]));
		json_object_set_new(o, "dr", list);
		json_object_set_new(o, "dr6", json_hex(d.dr6));
		json_object_set_new(o, "dr7", json_hex(d.dr7));
	}
	if (dbg_get_set(s->d, cpu, CM_DBG_REGS_MSRS, &m, sizeof(m)) < 0 || m.count > CM_DBG_MSRS)
		return;
	list = json_object();
	for (i = 0; i < m.count; i++) {
		for (k = 0; k < sizeof(msr_names) / sizeof(msr_names[0]); k++) {
			if (msr_names[k].index == m.msr[i].index)
				json_object_set_new(
					list, msr_names[k].name, json_hex(m.msr[i].value));
		}
	}
	json_object_set_new(o, "msrs", list);
}

/* NULL with err filled, or an object that says "off" of a vCPU that was not started. */
static json_t *regs_one(struct session *s, uint32_t cpu, struct cm_err *err)
{
	json_t *o = json_pack("{s:I}", "cpu", (json_int_t)cpu), *list = json_object();
	struct kvm_sregs sys;
	struct kvm_regs r;
	uint64_t v[GENERAL];
	int e = dbg_get_regs(s->d, cpu, &r, &sys);
	size_t i;

	if (e < 0 && e != -ENODEV) {
		json_decref(list);
		json_decref(o);
		cmd_error(e, err, "read registers");
		return NULL;
	}
	if (e == -ENODEV) {
		json_decref(list);
		json_object_set_new(o, "off", json_true());
		return o;
	}
	memcpy(v, &r, sizeof(v));
	for (i = 0; i < GENERAL; i++)
		json_object_set_new(list, general_names[i], json_hex(v[i]));
	json_object_set_new(o, "general", list);
	regs_system(o, &sys);
	regs_others(s, cpu, o);
	return o;
}

json_t *cmd_regs_get(struct session *s, int argc, char **argv, struct cm_err *err)
{
	uint32_t first = 0, last = dbg_machine(s->d)->ncpus - 1;
	json_t *all, *o;
	uint64_t cpu;

	if (cmd_words(argc, argv, 0, 1, err) < 0)
		return NULL;
	if (argc > 1) {
		if (cmd_number("vCPU", argv[1], last, &cpu, err) < 0)
			return NULL;
		first = last = (uint32_t)cpu;
	}
	all = json_array();
	for (; first <= last; first++) {
		o = regs_one(s, first, err);
		if (!o) {
			json_decref(all);
			return NULL;
		}
		json_array_append_new(all, o);
	}
	return all;
}

static void regs_print_one(const json_t *o, FILE *f)
{
	const json_t *g = json_object_get(o, "general"), *m = json_object_get(o, "msrs"), *v;
	const json_t *segments = json_object_get(o, "segments");
	const char *key;
	size_t i;

	fprintf(f, "vCPU %lld%s\n", json_number(o, "cpu"), g ? "" : " is off");
	if (!g)
		return;
	for (i = 0; i < GENERAL; i++)
		fprintf(f, "  %-6s %-18s%s", general_names[i], json_text(g, general_names[i]),
			i % 4 == 3 || i + 1 == GENERAL ? "\n" : "");
	fprintf(f, "  cr0 %s  cr2 %s  cr3 %s  cr4 %s  efer %s\n  gdt %s  idt %s\n",
		json_text(o, "cr0"), json_text(o, "cr2"), json_text(o, "cr3"), json_text(o, "cr4"),
		json_text(o, "efer"), json_text(o, "gdt"), json_text(o, "idt"));
	json_object_foreach((json_t *)(uintptr_t)segments, key, v)
		fprintf(f, "  %s %s base %s limit %s dpl %lld\n", key, json_text(v, "selector"),
			json_text(v, "base"), json_text(v, "limit"), json_number(v, "dpl"));
	json_object_foreach((json_t *)(uintptr_t)m, key, v)
		fprintf(f, "  %s %s\n", key, json_string_value(v));
}

void cmd_regs_print(const json_t *o, FILE *f)
{
	const json_t *one;
	size_t i;

	json_array_foreach(o, i, one) regs_print_one(one, f);
}
