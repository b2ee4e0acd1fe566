/* SPDX-License-Identifier: Apache-2.0 */
/* The PC without KVM: options, CPU models, firmware tables. */
#include <config.h>

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <casemate/pcmachine.h>

#include "vmm/pc/firmware.h"
#include "vmm/pc/model.h"
#include "vmm/pc/opts.h"

static struct pc_opts o;
static struct cm_err err;

static int parse(const char *a, const char *b)
{
	const char *in[] = { "casemate-vmm", "--machine=pc", "--memory=16777216", "--image-fd=3", a,
		b };
	static char text[6][256];
	char *argv[7];
	int n;

	for (n = 0; n < 6 && in[n]; n++) {
		snprintf(text[n], sizeof(text[n]), "%s", in[n]);
		argv[n] = text[n];
	}
	argv[n] = NULL;
	return pc_opts_parse(&o, n, argv, &err);
}

static void refused(const char *a, const char *why)
{
	ck_assert_int_lt(parse(a, NULL), 0);
	ck_assert_msg(strstr(err.msg, why) != NULL, "'%s' does not hold '%s'", err.msg, why);
}

START_TEST(options)
{
	ck_assert_int_eq(parse(NULL, NULL), 0);
	ck_assert_uint_eq(o.cpus, 1);
	ck_assert_int_eq(o.irqchip, PC_IRQCHIP_AUTO);
	ck_assert_str_eq(o.cpu, "max");
	ck_assert_int_eq(parse("--irqchip=split", "--virtio=rng"), 0);
	ck_assert_int_eq(o.irqchip, PC_IRQCHIP_SPLIT);
	ck_assert(o.rng && !o.console);
	ck_assert_int_eq(parse("--format=flat16", "--trace"), 0);
	ck_assert_int_eq(o.format, PC_FORMAT_FLAT16);
	ck_assert(o.trace);
	ck_assert_int_eq(parse("--iommu", "--edu"), 0);
	ck_assert(o.iommu && o.edu);
	ck_assert_int_lt(parse("--iommu", "--irqchip=full"), 0);
	refused("--cpus=0", "must be 1 to 64");
	refused("--cpus=x", "not a number");
	refused("--cpus", "needs a value");
	refused("--trace=1", "takes no value");
	refused("--irqchip=none", "is not known");
	refused("--virtio", "is not known");
	refused("--foo", "unknown option");
	refused("foo", "unexpected argument");
	refused("--memory=100", "must be");
	refused("--memory=16777217", "whole pages");
	refused("--core-fd=99999999", "must be");
}
END_TEST

/* Leaves 0, 1, 7 and the first extended ones with every bit set. */
static void fill(struct kvm_cpuid_table *t)
{
	static const uint32_t leaves[] = { 0, 1, 7, 0x80000000, 0x80000001, 0x80000008 };

	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		t->e[t->nent++] = (struct kvm_cpuid_entry2){
			.function = leaves[i], .eax = ~0u, .ebx = ~0u, .ecx = ~0u, .edx = ~0u
		};
}

START_TEST(models)
{
	static struct kvm_cpuid_table t;

	fill(&t);
	ck_assert_int_eq(pc_model_apply(&t, "max,-pcid,vendor=GenuineIntel", 1, true, &err), 0);
	ck_assert_uint_eq(t.e[1].ecx, ~(1u << 17));
	ck_assert_int_eq(memcmp(&t.e[0].ebx, "Genu", 4), 0);
	ck_assert_int_eq(memcmp(&t.e[0].edx, "ineI", 4), 0);
	ck_assert_int_eq(memcmp(&t.e[3].ecx, "ntel", 4), 0);
	fill(&t);
	ck_assert_int_eq(pc_model_apply(&t, "qemu64,+pcid,umip=on", 4, true, &err), 0);
	ck_assert(t.e[1].ecx & 1u << 17);
	ck_assert(!(t.e[1].ecx & 1u << 26));
	ck_assert_uint_eq(t.e[2].ecx, 1u << 2);
	ck_assert_uint_eq(t.e[1].ebx >> 16 & 0xff, 4);
	pc_model_for_cpu(&t, 3);
	ck_assert_uint_eq(t.e[1].ebx >> 24, 3);
	/* What KVM does not have cannot be turned on. */
	fill(&t);
	t.e[1].ecx = t.e[2].ebx = 0;
	ck_assert_int_eq(pc_model_apply(&t, "max,+pcid,+smap", 1, false, &err), 0);
	ck_assert(!(t.e[1].ecx & 1u << 17) && !(t.e[1].ecx & 1u << 24) && !t.e[2].ebx);
}
END_TEST

START_TEST(model_refusals)
{
	static const char *const bad[] = { "", "i486", "max,+foo", "max,vendor=x", "max,foo",
		"max,,", "+pcid" };
	static struct kvm_cpuid_table t;
	char text[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fill(&t);
		if (*bad[i])
			ck_assert_msg(
				pc_model_apply(&t, bad[i], 1, true, &err) < 0, "'%s'", bad[i]);
	}
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_lt(pc_model_apply(&t, text, 1, true, &err), 0);
}
END_TEST

static uint8_t sum(const uint8_t *p, uint32_t len)
{
	uint8_t v = 0;

	while (len-- > 0)
		v = (uint8_t)(v + *p++);
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

START_TEST(firmware)
{
	struct pc_firmware f = { .low = 16u << 20,
		.high = 1u << 30,
		.cpus = PC_APICS_MAX,
		.cmdline = "name words",
		.module = 0x200000,
		.module_end = 0x200010 };
	uint8_t *ram = calloc(1, f.low);
	const uint8_t *rsdt, *dmar, *mbi = ram + PC_MULTIBOOT;
	uint32_t fadt, madt;
	uint64_t base;

	pc_firmware_write(ram, &f);
	ck_assert_int_eq(memcmp(ram + CM_PC_FIRMWARE, "RSD PTR ", 8), 0);
	ck_assert_uint_eq(sum(ram + CM_PC_FIRMWARE, 20), 0);
	rsdt = ram + get32(ram + CM_PC_FIRMWARE + 16);
	ck_assert_uint_eq(sum(rsdt, get32(rsdt + 4)), 0);
	fadt = get32(rsdt + 36);
	madt = get32(rsdt + 40);
	ck_assert_int_eq(memcmp(ram + fadt, "FACP", 4), 0);
	ck_assert_uint_eq(sum(ram + fadt, get32(ram + fadt + 4)), 0);
	ck_assert_uint_eq(get32(ram + fadt + 64), CM_PC_PM_CONTROL);
	ck_assert_int_eq(memcmp(ram + madt, "APIC", 4), 0);
	ck_assert_uint_eq(sum(ram + madt, get32(ram + madt + 4)), 0);
	ck_assert_uint_eq(get32(rsdt + 4), 36 + 8);
	/* With an IOMMU one more: 48 bits, one unit for all devices. */
	f.iommu = true;
	pc_firmware_write(ram, &f);
	ck_assert_uint_eq(sum(rsdt, get32(rsdt + 4)), 0);
	ck_assert_uint_eq(get32(rsdt + 4), 36 + 12);
	dmar = ram + get32(rsdt + 44);
	ck_assert_int_eq(memcmp(dmar, "DMAR", 4), 0);
	ck_assert_uint_eq(get32(dmar + 4), 48 + 16 + 8);
	ck_assert_uint_eq(sum(dmar, get32(dmar + 4)), 0);
	ck_assert_uint_eq(dmar[36], 47);
	memcpy(&base, dmar + 56, sizeof(base));
	ck_assert_uint_eq(base, 0xfed90000);
	ck_assert_uint_eq(get32(mbi) & 0x4d, 0x4d);
	ck_assert_str_eq((char *)ram + get32(mbi + 16), "name words");
	ck_assert_uint_eq(get32(mbi + 8), (16u << 10) - 1024);
	ck_assert_uint_eq(get32(mbi + 20), 1);
	ck_assert_uint_eq(get32(ram + get32(mbi + 24)), 0x200000);
	ck_assert_uint_eq(get32(ram + PC_PVH), 0x336ec578);
	/* Nothing outside of its area. */
	memset(ram + CM_PC_FIRMWARE, 0, CM_PC_FIRMWARE_END - CM_PC_FIRMWARE);
	ck_assert_int_eq(memcmp(ram, ram + 1, f.low - 1), 0);
	ck_assert_uint_eq(ram[0], 0);
	free(ram);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pc_machine");
	Suite *s = suite_create("pc_machine");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, options);
	tcase_add_test(tc, models);
	tcase_add_test(tc, model_refusals);
	tcase_add_test(tc, firmware);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
