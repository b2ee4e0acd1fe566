/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID policy. A leaf is dropped unless it is listed; of a listed leaf, bits are masked for things that we do not virtualise (nested
 * virtualisation, performance counters, transactional memory, processor trace, SGX, AMX with its huge state, MONITOR).
 */
#include <config.h>
#include "vmm/cpuid.h"

#include <string.h>

struct cpuid_rule {
	uint32_t leaf;
	uint32_t drop_ebx, drop_ecx, drop_edx;
};

#define BIT(n) (1u << (n))

static const struct cpuid_rule cpuid_rules[] = {
	{ .leaf = 0 },
	/* DTES64 MONITOR DS-CPL VMX SMX EST TM2 SDBG xTPR PDCM DCA; DS ACPI TM PBE */
	{ .leaf = 1,
		.drop_ecx = BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) |
			    BIT(14) | BIT(15) | BIT(18),
		.drop_edx = BIT(21) | BIT(22) | BIT(29) | BIT(31) },
	{ .leaf = 2 },
	{ .leaf = 4 },
	/* SGX HLE RTM MPX PT; OSPKE(PKU) WAITPKG TME SGX_LC; AMX UINTR */
	{ .leaf = 7,
		.drop_ebx = BIT(2) | BIT(4) | BIT(11) | BIT(14) | BIT(25),
		.drop_ecx = BIT(3) | BIT(4) | BIT(5) | BIT(13) | BIT(30),
		.drop_edx = BIT(5) | BIT(22) | BIT(24) | BIT(25) },
	{ .leaf = 0xb },
	{ .leaf = 0xd },
	{ .leaf = 0x40000000 },
	{ .leaf = 0x80000000 },
	/* SVM SKINIT IBS WDT LWP NodeId PERFCTR* MWAITX */
	{ .leaf = 0x80000001,
		.drop_ecx = BIT(2) | BIT(9) | BIT(10) | BIT(12) | BIT(13) | BIT(15) | BIT(19) |
			    BIT(22) | BIT(23) | BIT(24) | BIT(28) | BIT(29) },
	{ .leaf = 0x80000002 },
	{ .leaf = 0x80000003 },
	{ .leaf = 0x80000004 },
	{ .leaf = 0x80000005 },
	{ .leaf = 0x80000006 },
	{ .leaf = 0x80000007 },
	{ .leaf = 0x80000008 },
};

static const struct cpuid_rule *cpuid_rule_of(uint32_t leaf)
{
	size_t i;

	for (i = 0; i < sizeof(cpuid_rules) / sizeof(cpuid_rules[0]); i++) {
		if (cpuid_rules[i].leaf == leaf)
			return &cpuid_rules[i];
	}
	return NULL;
}

static unsigned cpuid_apic_bits(unsigned cpus)
{
	unsigned bits = 0;

	while ((1u << bits) < cpus)
		bits++;
	return bits;
}

/* Two levels: one thread a core, `cpus` cores a package. */
static void cpuid_topology(struct kvm_cpuid_entry2 *e, unsigned cpus)
{
	e->eax = e->ebx = e->ecx = 0;
	if (e->index == 0) {
		e->ebx = 1;
		e->ecx = 0x100;
	} else if (e->index == 1) {
		e->eax = cpuid_apic_bits(cpus);
		e->ebx = cpus;
		e->ecx = 0x201;
	} else {
		e->ecx = e->index;
	}
}

static void cpuid_set_fields(struct kvm_cpuid_entry2 *e, unsigned cpus, bool tsc_deadline)
{
	switch (e->function) {
	case 0:
		e->eax = e->eax < 0xd ? e->eax : 0xd;
		break;
	case 1:
		e->ebx = (e->ebx & 0x0000ffff) | (cpus << 16);
		e->ecx |= BIT(31) | BIT(21);
		if (tsc_deadline)
			e->ecx |= BIT(24);
		if (cpus > 1)
			e->edx |= BIT(28);
		break;
	case 4:
		if (e->eax & 0x1f)
			e->eax = (e->eax & 0x3fff) | ((cpus - 1) << 26);
		break;
	case 0xb:
		cpuid_topology(e, cpus);
		break;
	case 0x40000000:
		/* The signature stays, the feature leaf and its clocks do not. */
		e->eax = 0x40000000;
		break;
	case 0x80000000:
		e->eax = e->eax < 0x80000008 ? e->eax : 0x80000008;
		break;
	case 0x80000008:
		e->ecx = cpus - 1;
		break;
	default:
		break;
	}
}

/* KVM lists leaf 0xb only as far as the host has it; the guest always gets both levels. */
static void cpuid_ensure_topology(struct kvm_cpuid_table *t, unsigned cpus)
{
	uint32_t level;
	uint32_t i;

	for (level = 0; level < 2; level++) {
		for (i = 0; i < t->nent; i++) {
			if (t->e[i].function == 0xb && t->e[i].index == level)
				break;
		}
		if (i < t->nent || i == KVM_CPUID_MAX)
			continue;
		t->e[i] = (struct kvm_cpuid_entry2){
			.function = 0xb,
			.index = level,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
		cpuid_topology(&t->e[i], cpus);
		t->nent++;
	}
}

/* ---- leaf 2, in terms of leaf 4 ---- */

enum {
	CACHE_DATA = 1,
	CACHE_CODE,
	CACHE_UNIFIED
}; /* types of leaf 4 */

/* Descriptors with lines of 64 bytes (Intel SDM, CPUID leaf 2), of each kind the smallest first. */
static const struct cpuid_cache {
	uint8_t type, level, code;
	uint32_t kib;
} cpuid_caches[] = {
	{ CACHE_DATA, 1, 0x67, 16 },
	{ CACHE_DATA, 1, 0x2c, 32 },
	{ CACHE_CODE, 1, 0x30, 32 },
	{ CACHE_UNIFIED, 2, 0x21, 256 },
	{ CACHE_UNIFIED, 2, 0x80, 512 },
	{ CACHE_UNIFIED, 2, 0x7c, 1 << 10 },
	{ CACHE_UNIFIED, 2, 0x7d, 2 << 10 },
	{ CACHE_UNIFIED, 3, 0xd0, 512 },
	{ CACHE_UNIFIED, 3, 0xd1, 1 << 10 },
	{ CACHE_UNIFIED, 3, 0xe2, 2 << 10 },
	{ CACHE_UNIFIED, 3, 0xe3, 4 << 10 },
	{ CACHE_UNIFIED, 3, 0xe4, 8 << 10 },
	{ CACHE_UNIFIED, 3, 0xea, 12 << 10 },
	{ CACHE_UNIFIED, 3, 0xeb, 18 << 10 },
	{ CACHE_UNIFIED, 3, 0xec, 24 << 10 },
};

static uint64_t cache_bytes(const struct kvm_cpuid_entry2 *e)
{
	return (uint64_t)((e->ebx >> 22) + 1) * (((e->ebx >> 12) & 0x3ff) + 1) *
	       ((e->ebx & 0xfff) + 1) * ((uint64_t)e->ecx + 1);
}

/* The largest descriptor that is no larger than the cache; 0: there is none. */
static uint8_t cache_code(const struct kvm_cpuid_entry2 *e)
{
	uint8_t code = 0;
	size_t i;

	for (i = 0; i < sizeof(cpuid_caches) / sizeof(cpuid_caches[0]); i++) {
		const struct cpuid_cache *c = &cpuid_caches[i];

		if (c->type == (e->eax & 0x1f) && c->level == ((e->eax >> 5) & 7) &&
			(uint64_t)c->kib << 10 <= cache_bytes(e))
			code = c->code;
	}
	return code;
}

/*
 * Where leaf 2 sends its reader to leaf 4 (descriptor 0xff), the C library walks that for each of twelve questions, at the start of every program: on
 * pvm the traps of that were half of an exec. So it names the caches itself, as nearly as its descriptors can.
 */
static void cpuid_describe_caches(struct kvm_cpuid_table *t)
{
	struct kvm_cpuid_entry2 *leaf = NULL;
	uint32_t level1 = 0, others = 0;
	uint32_t i;

	for (i = 0; i < t->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &t->e[i];
		uint8_t code = e->function == 4 ? cache_code(e) : 0;

		if (e->function == 2)
			leaf = &t->e[i];
		else if (code && ((e->eax >> 5) & 7) == 1)
			level1 = level1 << 8 | code;
		else if (code)
			others = others << 8 | code;
	}
	/* A register whose top bit is set says nothing: at most two of its bytes are taken. */
	if (leaf && level1) {
		leaf->eax = 1 | (level1 & 0xffff) << 8;
		leaf->ebx = others & 0xffff;
		leaf->ecx = leaf->edx = 0;
	}
}

static bool is_cache(const struct kvm_cpuid_entry2 *e)
{
	return e->function == 4 && (e->eax & 0x1f);
}

/*
 * Leaf 4 has an entry for each cache, in no order that is defined. The C library reads on until it has seen the second and the third level: so the
 * highest come first.
 */
static void cpuid_order_caches(struct kvm_cpuid_table *t)
{
	uint32_t i, j;

	for (i = 0; i < t->nent; i++) {
		uint32_t before = 0, level = (t->e[i].eax >> 5) & 7;

		if (!is_cache(&t->e[i]))
			continue;
		for (j = 0; j < t->nent; j++) {
			uint32_t other = (t->e[j].eax >> 5) & 7;

			before +=
				is_cache(&t->e[j]) && (other > level || (other == level && j < i));
		}
		t->e[i].index = before;
	}
}

void cpuid_filter(struct kvm_cpuid_table *t, unsigned cpus, bool tsc_deadline)
{
	uint32_t i, kept = 0;

	for (i = 0; i < t->nent && i < KVM_CPUID_MAX; i++) {
		struct kvm_cpuid_entry2 e = t->e[i];
		const struct cpuid_rule *r = cpuid_rule_of(e.function);

		if (!r)
			continue;
		if (e.index == 0 || e.function != 7) {
			e.ebx &= ~r->drop_ebx;
			e.ecx &= ~r->drop_ecx;
			e.edx &= ~r->drop_edx;
		}
		cpuid_set_fields(&e, cpus, tsc_deadline);
		t->e[kept++] = e;
	}
	t->nent = kept;
	cpuid_ensure_topology(t, cpus);
	cpuid_describe_caches(t);
	cpuid_order_caches(t);
}

void cpuid_for_cpu(struct kvm_cpuid_table *t, unsigned cpu)
{
	uint32_t i;

	for (i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *e = &t->e[i];

		if (e->function == 1)
			e->ebx = (e->ebx & 0x00ffffff) | (cpu << 24);
		else if (e->function == 0xb)
			e->edx = cpu;
	}
}
