/* SPDX-License-Identifier: Apache-2.0 */
/* The boot page tables, walked as the processor does; and the CPUID policy. */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <casemate/guestmem.h>

#include "vmm/boot.h"
#include "vmm/cpuid.h"

#define NOT_MAPPED 0xffffffffffffffffull

static uint8_t *ram;
static uint64_t ram_size;

static void map_ram(uint64_t size)
{
	ram_size = size;
	ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	ck_assert_ptr_ne(ram, MAP_FAILED);
	boot_write_tables(ram, size);
}

static void unmap_ram(void)
{
	munmap(ram, ram_size);
}

static uint64_t entry(uint64_t table, uint64_t va, unsigned shift)
{
	uint64_t e, at = table + ((va >> shift) & 511) * 8;

	ck_assert_uint_ge(at, CM_GPA_RAM);
	ck_assert_uint_lt(at, CM_GPA_RAM + CM_BOOT_FDT);
	memcpy(&e, ram + (at - CM_GPA_RAM), sizeof(e));
	return e;
}

/* Guest-physical address of va; every level must be present, writable, user. */
static uint64_t walk(uint64_t va)
{
	uint64_t e = CM_GPA_RAM + CM_BOOT_PML4;
	unsigned shift;

	for (shift = 39; shift >= 21; shift -= 9) {
		e = entry(e & ~0xfffull, va, shift);
		if (!(e & 1))
			return NOT_MAPPED;
		ck_assert_uint_eq(e & 7, 7);
	}
	ck_assert_uint_ne(e & 0x80, 0);
	return (e & ~0x1fffffull) | (va & 0x1fffff);
}

START_TEST(maps_ram_and_devices)
{
	uint64_t end;

	map_ram(_i ? CM_RAM_MAX : CM_RAM_MIN);
	end = CM_GPA_RAM + ram_size;
	ck_assert_uint_eq(walk(CM_DIRECT_MAP), 0);
	ck_assert_uint_eq(walk(CM_DIRECT_MAP + CM_GPA_ARENA + 5), CM_GPA_ARENA + 5);
	ck_assert_uint_eq(walk(CM_DIRECT_MAP + CM_GPA_LAPIC), CM_GPA_LAPIC);
	ck_assert_uint_eq(walk(CM_DIRECT_MAP + CM_GPA_RAM + 0x123456), CM_GPA_RAM + 0x123456);
	ck_assert_uint_eq(walk(CM_DIRECT_MAP + end - 1), end - 1);
	ck_assert_uint_eq(walk(CM_DIRECT_MAP + end), NOT_MAPPED);
	ck_assert_uint_eq(walk(CM_KERNEL_IMAGE + 77), CM_GPA_RAM + CM_IMAGE_OFFSET + 77);
	ck_assert_uint_eq(walk(CM_KERNEL_BASE + CM_RAM_MIN - 1), CM_GPA_RAM + CM_RAM_MIN - 1);
	ck_assert_uint_eq(walk(0), NOT_MAPPED);
	ck_assert_uint_eq(walk(0x400000), NOT_MAPPED);
	unmap_ram();
}
END_TEST

START_TEST(registers)
{
	struct kvm_sregs s = { 0 };
	struct kvm_regs r;

	boot_sregs(&s);
	boot_regs(&r, CM_KERNEL_IMAGE, CM_GPA_RAM + CM_BOOT_FDT, 3);
	ck_assert_uint_eq(s.cr3, CM_GPA_RAM + CM_BOOT_PML4);
	ck_assert_uint_eq(s.cr3 & 0x1000, 0); /* the software KVM's switch bit */
	ck_assert_uint_eq(s.cs.l, 1);
	ck_assert_uint_eq(s.efer & 0x500, 0x500);
	ck_assert_uint_eq(r.rip, CM_KERNEL_IMAGE);
	ck_assert_uint_eq(r.rdi, CM_GPA_RAM + CM_BOOT_FDT);
	ck_assert_uint_eq(r.rsi, 3);
	ck_assert_uint_eq(r.rsp, 0);
	ck_assert_uint_eq(r.rflags, 2);
}
END_TEST

static struct kvm_cpuid_entry2 *leaf(struct kvm_cpuid_table *t, uint32_t function, uint32_t index)
{
	uint32_t i;

	for (i = 0; i < t->nent; i++) {
		if (t->e[i].function == function && t->e[i].index == index)
			return &t->e[i];
	}
	return NULL;
}

START_TEST(cpuid_policy)
{
	static const uint32_t leaves[] = { 0, 1, 2, 4, 7, 0xa, 0xb, 0xd, 0x14, 0x40000000,
		0x40000001, 0x80000000, 0x80000001, 0x80000008, 0x8000000a };
	static struct kvm_cpuid_table t;
	uint32_t i;

	for (i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		t.e[i] = (struct kvm_cpuid_entry2){
			.function = leaves[i], .eax = ~0u, .ebx = ~0u, .ecx = ~0u, .edx = ~0u
		};
	t.nent = i;
	cpuid_filter(&t, 4, true);
	cpuid_for_cpu(&t, 3);
	ck_assert_ptr_null(leaf(&t, 0xa, 0)); /* performance counters */
	ck_assert_ptr_null(leaf(&t, 0x14, 0)); /* processor trace */
	ck_assert_ptr_null(leaf(&t, 0x8000000a, 0)); /* SVM */
	ck_assert_ptr_null(leaf(&t, 0x40000001, 0)); /* KVM's paravirtual features */
	ck_assert_uint_eq(leaf(&t, 0, 0)->eax, 0xd);
	ck_assert_uint_eq(leaf(&t, 1, 0)->ebx >> 24, 3);
	ck_assert_uint_eq(leaf(&t, 1, 0)->ebx >> 16 & 0xff, 4);
	ck_assert_uint_eq(leaf(&t, 1, 0)->ecx & 1u << 5, 0); /* VMX */
	ck_assert_uint_ne(leaf(&t, 1, 0)->ecx & 1u << 31, 0); /* hypervisor */
	ck_assert_uint_ne(leaf(&t, 1, 0)->ecx & 1u << 24, 0); /* TSC deadline */
	ck_assert_uint_eq(leaf(&t, 7, 0)->ebx & 1u << 2, 0); /* SGX */
	ck_assert_uint_eq(leaf(&t, 0x80000001, 0)->ecx & 1u << 2, 0); /* SVM */
	ck_assert_uint_eq(leaf(&t, 0x80000008, 0)->ecx, 3);
	ck_assert_uint_eq(leaf(&t, 0xb, 0)->edx, 3);
	ck_assert_uint_eq(leaf(&t, 0xb, 1)->eax, 2);
	ck_assert_uint_eq(leaf(&t, 0xb, 1)->ebx, 4);
}
END_TEST

/* One cache of leaf 4, of lines of 64 bytes. */
static struct kvm_cpuid_entry2 cache(
	uint32_t index, uint32_t type, uint32_t level, uint32_t ways, uint32_t kib)
{
	return (struct kvm_cpuid_entry2){ .function = 4,
		.index = index,
		.eax = type | level << 5,
		.ebx = (ways - 1) << 22 | 63,
		.ecx = kib * 1024 / 64 / ways - 1 };
}

/* Leaf 2 names the caches; none of its descriptors sends the reader to leaf 4 (0xff), claims too much or hides behind a set top bit. */
START_TEST(cpuid_caches)
{
	static const uint32_t order[] = { 3 | 3 << 5, 3 | 2 << 5, 1 | 1 << 5, 2 | 1 << 5 };
	static struct kvm_cpuid_table t;
	uint32_t i;

	t = (struct kvm_cpuid_table){ .nent = 5 };
	t.e[0] = (struct kvm_cpuid_entry2){
		.function = 2, .eax = 0x00feff01, .ebx = 0xf0, .edx = 1
	};
	t.e[1] = cache(0, 1, 1, 12, 48);
	t.e[2] = cache(1, 2, 1, 8, 32);
	t.e[3] = cache(2, 3, 2, 16, 2048);
	t.e[4] = cache(3, 3, 3, 20, 266240);
	cpuid_filter(&t, 2, true);
	ck_assert_uint_eq(leaf(&t, 2, 0)->eax, 0x002c3001);
	ck_assert_uint_eq(leaf(&t, 2, 0)->ebx, 0x00007dec);
	ck_assert_uint_eq(leaf(&t, 2, 0)->ecx | leaf(&t, 2, 0)->edx, 0);
	/* The highest level first; each sub-leaf once. */
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(leaf(&t, 4, i)->eax & 0xff, order[i]);

	/* Caches smaller than every descriptor have none; without one of the first level nothing is said anew. */
	t = (struct kvm_cpuid_table){ .nent = 2 };
	t.e[0] = (struct kvm_cpuid_entry2){ .function = 2, .eax = 0x00feff01 };
	t.e[1] = cache(0, 1, 1, 8, 8);
	cpuid_filter(&t, 1, true);
	ck_assert_uint_eq(leaf(&t, 2, 0)->eax, 0x00feff01);
}
END_TEST

START_TEST(cpuid_full_table)
{
	static struct kvm_cpuid_table t;
	uint32_t i;

	for (i = 0; i < KVM_CPUID_MAX; i++)
		t.e[i].function = 4;
	t.nent = KVM_CPUID_MAX;
	cpuid_filter(&t, 2, false);
	ck_assert_uint_le(t.nent, KVM_CPUID_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot");
	TCase *tc = tcase_create("boot");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, maps_ram_and_devices, 0, 2);
	tcase_add_test(tc, registers);
	tcase_add_test(tc, cpuid_policy);
	tcase_add_test(tc, cpuid_caches);
	tcase_add_test(tc, cpuid_full_table);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
