/* SPDX-License-Identifier: Apache-2.0 */
/* Models and features by name. */
#include <config.h>
#include "vmm/pc/model.h"

#include <errno.h>
#include <string.h>

#define BIT(n)	     (1u << (n))
#define LEAF_EXT     0x80000001u
#define LEAF_TOP     0xbu
#define MODEL_WORD   64
#define ECX_X2APIC   BIT(21)
#define ECX_DEADLINE BIT(24)
#define ECX_GUEST    BIT(31)
#define EDX_HTT	     BIT(28)

enum model_reg {
	REG_EBX,
	REG_ECX,
	REG_EDX
};

static const struct model_feature {
	const char *name;
	uint32_t leaf;
	enum model_reg reg;
	uint8_t bit;
} model_features[] = {
	{ "pclmulqdq", 1, REG_ECX, 1 },
	{ "monitor", 1, REG_ECX, 3 },
	{ "vmx", 1, REG_ECX, 5 },
	{ "ssse3", 1, REG_ECX, 9 },
	{ "fma", 1, REG_ECX, 12 },
	{ "cx16", 1, REG_ECX, 13 },
	{ "pdcm", 1, REG_ECX, 15 },
	{ "pcid", 1, REG_ECX, 17 },
	{ "x2apic", 1, REG_ECX, 21 },
	{ "movbe", 1, REG_ECX, 22 },
	{ "tsc-deadline", 1, REG_ECX, 24 },
	{ "aes", 1, REG_ECX, 25 },
	{ "xsave", 1, REG_ECX, 26 },
	{ "avx", 1, REG_ECX, 28 },
	{ "f16c", 1, REG_ECX, 29 },
	{ "rdrand", 1, REG_ECX, 30 },
	{ "hypervisor", 1, REG_ECX, 31 },
	{ "apic", 1, REG_EDX, 9 },
	{ "mtrr", 1, REG_EDX, 12 },
	{ "pge", 1, REG_EDX, 13 },
	{ "pat", 1, REG_EDX, 16 },
	{ "fsgsbase", 7, REG_EBX, 0 },
	{ "tsc_adjust", 7, REG_EBX, 1 },
	{ "hle", 7, REG_EBX, 4 },
	{ "avx2", 7, REG_EBX, 5 },
	{ "smep", 7, REG_EBX, 7 },
	{ "erms", 7, REG_EBX, 9 },
	{ "invpcid", 7, REG_EBX, 10 },
	{ "rtm", 7, REG_EBX, 11 },
	{ "smap", 7, REG_EBX, 20 },
	{ "umip", 7, REG_ECX, 2 },
	{ "pku", 7, REG_ECX, 3 },
	{ "shstk", 7, REG_ECX, 7 },
	{ "la57", 7, REG_ECX, 16 },
	{ "rdpid", 7, REG_ECX, 22 },
	{ "pks", 7, REG_ECX, 31 },
	{ "ibt", 7, REG_EDX, 20 },
	{ "arch-capabilities", 7, REG_EDX, 29 },
	{ "lahf-lm", LEAF_EXT, REG_ECX, 0 },
	{ "svm", LEAF_EXT, REG_ECX, 2 },
	{ "skinit", LEAF_EXT, REG_ECX, 12 },
	{ "perfctr-core", LEAF_EXT, REG_ECX, 23 },
	{ "syscall", LEAF_EXT, REG_EDX, 11 },
	{ "nx", LEAF_EXT, REG_EDX, 20 },
	{ "pdpe1gb", LEAF_EXT, REG_EDX, 26 },
	{ "rdtscp", LEAF_EXT, REG_EDX, 27 },
	{ "lm", LEAF_EXT, REG_EDX, 29 },
	{ "npt", 0x8000000a, REG_EDX, 0 },
	{ "nrip-save", 0x8000000a, REG_EDX, 3 },
	{ "pause-filter", 0x8000000a, REG_EDX, 10 },
	{ "vgif", 0x8000000a, REG_EDX, 16 },
};

/* Words of other VMMs that change nothing here: what they ask for is so, or is not modelled. */
static const char *const model_ignored[] = { PC_MODEL_HYPERV, "host-phys-bits", "migratable=no",
	"migratable=on", "host-phys-bits=on", "enforce", "check" };

/* What a narrow model keeps of leaves 1, 7 and 0x80000001; a wide one keeps all. */
static const struct model {
	const char *name;
	bool wide;
	uint32_t ecx1, edx1, ext_ecx, ext_edx;
	const char *vendor; /* NULL = the host's */
} models[] = {
	{ .name = "max", .wide = true },
	{ .name = "host", .wide = true },
	{ "qemu64", false, BIT(0) | BIT(13) | ECX_X2APIC | ECX_GUEST, 0x078bfbff, BIT(0),
		0x20100800, "AuthenticAMD" },
	{ "Opteron_G1", false, BIT(0) | ECX_X2APIC | ECX_GUEST, 0x078bfbff, 0, 0x20100800,
		"AuthenticAMD" },
};

static uint32_t *model_reg(struct kvm_cpuid_entry2 *e, enum model_reg r)
{
	return r == REG_EBX ? &e->ebx : r == REG_ECX ? &e->ecx : &e->edx;
}

static struct kvm_cpuid_entry2 *model_find(struct kvm_cpuid_table *t, uint32_t leaf)
{
	for (uint32_t i = 0; i < t->nent && i < KVM_CPUID_MAX; i++) {
		if (t->e[i].function == leaf && t->e[i].index == 0)
			return &t->e[i];
	}
	return NULL;
}

static void model_vendor(struct kvm_cpuid_table *t, const char *text)
{
	static const uint32_t leaves[] = { 0, 0x80000000 };
	char name[12] = { 0 };

	memcpy(name, text, strnlen(text, sizeof(name)));
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct kvm_cpuid_entry2 *e = model_find(t, leaves[i]);

		if (!e)
			continue;
		memcpy(&e->ebx, name, 4);
		memcpy(&e->edx, name + 4, 4);
		memcpy(&e->ecx, name + 8, 4);
	}
}

static void model_narrow(struct kvm_cpuid_table *t, const struct model *m)
{
	struct kvm_cpuid_entry2 *e1 = model_find(t, 1), *e7 = model_find(t, 7),
				*ext = model_find(t, LEAF_EXT);

	if (e1) {
		e1->ecx &= m->ecx1;
		e1->edx &= m->edx1;
	}
	if (e7)
		e7->ebx = e7->ecx = e7->edx = 0;
	if (ext) {
		ext->ecx &= m->ext_ecx;
		ext->edx &= m->ext_edx;
	}
	if (m->vendor)
		model_vendor(t, m->vendor);
}

/* A feature that KVM supports can be given back to a narrow model. */
static int model_switch(struct kvm_cpuid_table *t, const struct kvm_cpuid_table *all,
	const char *name, bool on, struct cm_err *err)
{
	for (size_t i = 0; i < sizeof(model_features) / sizeof(model_features[0]); i++) {
		const struct model_feature *f = &model_features[i];
		struct kvm_cpuid_entry2 *e, copy;
		uint32_t mask = BIT(f->bit);

		if (strcmp(f->name, name) != 0)
			continue;
		e = model_find(t, f->leaf);
		if (!e)
			return 0;
		copy = *model_find((struct kvm_cpuid_table *)(uintptr_t)all, f->leaf);
		*model_reg(e, f->reg) &= ~mask;
		if (on)
			*model_reg(e, f->reg) |= *model_reg(&copy, f->reg) & mask;
		return 0;
	}
	return cm_err_set(err, 0, "CPU feature '%s' is not known", name);
}

static int model_word(struct kvm_cpuid_table *t, const struct kvm_cpuid_table *all, char *word,
	struct cm_err *err)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < sizeof(model_ignored) / sizeof(model_ignored[0]); i++) {
		if (strcmp(word, model_ignored[i]) == 0)
			return 0;
	}
	if (*word == '+' || *word == '-')
		return model_switch(t, all, word + 1, *word == '+', err);
	if (strncmp(word, "vendor=", 7) == 0) {
		if (strlen(word + 7) != 12)
			return cm_err_set(err, 0, "CPU vendor '%s': not twelve letters", word + 7);
		model_vendor(t, word + 7);
		return 0;
	}
	if (len > 3 && strcmp(word + len - 3, "=on") == 0) {
		word[len - 3] = '\0';
		return model_switch(t, all, word, true, err);
	}
	if (len > 4 && strcmp(word + len - 4, "=off") == 0) {
		word[len - 4] = '\0';
		return model_switch(t, all, word, false, err);
	}
	return cm_err_set(err, 0, "CPU option '%s' is not known", word);
}

static int model_base(struct kvm_cpuid_table *t, const char *name, struct cm_err *err)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		if (strcmp(models[i].name, name) != 0)
			continue;
		if (!models[i].wide)
			model_narrow(t, &models[i]);
		return 0;
	}
	return cm_err_set(err, 0, "CPU model '%s' is not offered", name);
}

/* ---- what does not depend on the model */

static unsigned model_apic_bits(unsigned cpus)
{
	unsigned bits = 0;

	while (1u << bits < cpus)
		bits++;
	return bits;
}

static void model_level(struct kvm_cpuid_entry2 *e, unsigned cpus)
{
	e->eax = e->ebx = e->ecx = 0;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx = 0x100;
	} else if (e->index == 1) {
		e->eax = model_apic_bits(cpus);
		e->ebx = cpus;
		e->ecx = 0x201;
	}
}

static void model_topology(struct kvm_cpuid_table *t, unsigned cpus)
{
	for (uint32_t i = 0; i < t->nent && i < KVM_CPUID_MAX; i++) {
		struct kvm_cpuid_entry2 *e = &t->e[i];

		if (e->function == 1) {
			e->ebx = (e->ebx & 0xffff) | cpus << 16;
			e->edx = cpus > 1 ? e->edx | EDX_HTT : e->edx & ~EDX_HTT;
		} else if (e->function == 4 && (e->eax & 0x1f)) {
			e->eax = (e->eax & 0x3fff) | (cpus - 1) << 26;
		} else if (e->function == LEAF_TOP) {
			model_level(e, cpus);
		} else if (e->function == 0x80000008) {
			e->ecx = cpus - 1;
		}
	}
}

int pc_model_apply(struct kvm_cpuid_table *t, const char *text, unsigned cpus, bool deadline,
	struct cm_err *err)
{
	struct kvm_cpuid_entry2 *e1 = model_find(t, 1);
	struct kvm_cpuid_table all;
	char word[MODEL_WORD];
	size_t len;
	int r;

	/* KVM does not list what its local APIC brings along. */
	if (e1)
		e1->ecx |= ECX_X2APIC | ECX_GUEST | (deadline ? ECX_DEADLINE : 0);
	all = *t;
	for (r = 1; r >= 0 && *text; text += len + (text[len] == ',')) {
		len = strcspn(text, ",");
		if (len >= sizeof(word))
			return cm_err_set(err, 0, "CPU option '%.20s...' is too long", text);
		memcpy(word, text, len);
		word[len] = '\0';
		r = r == 1 ? model_base(t, word, err) : model_word(t, &all, word, err);
	}
	if (r < 0)
		return r;
	model_topology(t, cpus);
	return 0;
}

#define LEAF_HV	     0x40000000u
#define LEAF_HV_NEXT 0x40000100u

void pc_model_hyperv(struct kvm_cpuid_table *t, const struct kvm_cpuid_table *hv)
{
	uint32_t i;

	for (i = 0; i < t->nent && i < KVM_CPUID_MAX; i++) {
		if (t->e[i].function - LEAF_HV < 0x100)
			t->e[i].function += LEAF_HV_NEXT - LEAF_HV;
		if (t->e[i].function == LEAF_HV_NEXT && t->e[i].eax)
			t->e[i].eax += LEAF_HV_NEXT - LEAF_HV;
	}
	for (i = 0; i < hv->nent && i < KVM_CPUID_MAX && t->nent < KVM_CPUID_MAX; i++)
		t->e[t->nent++] = hv->e[i];
}

void pc_model_for_cpu(struct kvm_cpuid_table *t, unsigned cpu)
{
	for (uint32_t i = 0; i < t->nent && i < KVM_CPUID_MAX; i++) {
		struct kvm_cpuid_entry2 *e = &t->e[i];

		if (e->function == 1)
			e->ebx = (e->ebx & 0x00ffffff) | cpu << 24;
		else if (e->function == LEAF_TOP)
			e->edx = cpu;
	}
}
