/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's device tree reader against trees of the VMM's builder, whole and damaged. */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <casemate/abi_version.h>
#include <casemate/guestmem.h>

#include "guest/lib/fdt_read.h"
#include "vmm/devtree.h"

static uint8_t tree[CM_BOOT_FDT_MAX];
static size_t tree_size;
static struct fdt_reader reader;

static void setup(void)
{
	static struct devtree_machine m = {
		.ram = 256u << 20,
		.arena = 16u << 20,
		.dax = 1u << 30,
		.cpus = 3,
		.tsc_khz = 2000000,
		.realtime_ns = 1234567890123456789u,
		.tsc = 0x1122334455667788u,
		.cmdline = "loglevel=7 x=y",
		.ndevices = 2,
		.device = { { .index = 0, .virtio_id = 19 },
			{ .index = 5, .virtio_id = 26, .tag = "rootfs" } },
	};
	int r;

	memset(m.seed, 0xa5, sizeof(m.seed));
	r = devtree_build(&m, tree, sizeof(tree));
	ck_assert_int_gt(r, 0);
	tree_size = (size_t)r;
	ck_assert(fdt_read_init(&reader, tree, tree_size));
}

START_TEST(chosen)
{
	int node = fdt_read_path(&reader, "/chosen");
	uint8_t seed[DEVTREE_SEED];
	uint32_t v32 = 0;
	uint64_t v64 = 0;

	ck_assert_int_ge(node, 0);
	ck_assert_str_eq(fdt_read_string(&reader, node, "bootargs"), "loglevel=7 x=y");
	ck_assert(fdt_read_u32(&reader, node, "casemate,abi", &v32));
	ck_assert_uint_eq(v32, CM_ABI_VERSION);
	ck_assert(fdt_read_u32(&reader, node, "casemate,tsc-khz", &v32));
	ck_assert_uint_eq(v32, 2000000);
	ck_assert(fdt_read_u64(&reader, node, "casemate,boot-realtime-ns", &v64));
	ck_assert_uint_eq(v64, 1234567890123456789u);
	ck_assert(fdt_read_u64(&reader, node, "casemate,boot-tsc", &v64));
	ck_assert_uint_eq(v64, 0x1122334455667788u);
	ck_assert(fdt_read_bytes(&reader, node, "rng-seed", seed, sizeof(seed)));
	ck_assert_uint_eq(seed[0], 0xa5);
	ck_assert_uint_eq(seed[DEVTREE_SEED - 1], 0xa5);
}
END_TEST

START_TEST(wrong_sizes_are_refused)
{
	int node = fdt_read_path(&reader, "/chosen");
	uint8_t seed[DEVTREE_SEED];
	uint64_t v64, base;
	uint32_t v32;

	ck_assert(!fdt_read_u64(&reader, node, "casemate,abi", &v64));
	ck_assert(!fdt_read_u32(&reader, node, "casemate,boot-tsc", &v32));
	ck_assert(!fdt_read_bytes(&reader, node, "rng-seed", seed, sizeof(seed) - 1));
	ck_assert_ptr_null(fdt_read_string(&reader, node, "rng-seed"));
	ck_assert_ptr_null(fdt_read_string(&reader, node, "absent"));
	ck_assert(!fdt_read_reg(&reader, fdt_read_path(&reader, "/memory"), 1, &base, &v64));
}
END_TEST

START_TEST(paths)
{
	uint64_t base = 0, size = 0;
	int node;

	ck_assert_int_eq(fdt_read_path(&reader, "/"), fdt_read_root(&reader));
	node = fdt_read_path(&reader, "/memory");
	ck_assert_int_eq(node, fdt_read_path(&reader, "/memory@100000000"));
	ck_assert(fdt_read_reg(&reader, node, 0, &base, &size));
	ck_assert_uint_eq(base, CM_GPA_RAM);
	ck_assert_uint_eq(size, 256u << 20);
	ck_assert_str_eq(fdt_read_name(&reader, fdt_read_path(&reader, "/cpus/cpu@2")), "cpu@2");
	ck_assert_int_eq(fdt_read_path(&reader, "/cpus/cpu@3"), FDT_NONE);
	ck_assert_int_eq(fdt_read_path(&reader, "/cpu"), FDT_NONE);
	ck_assert_int_eq(fdt_read_path(&reader, "/mem"), FDT_NONE);
	ck_assert_int_eq(fdt_read_path(&reader, "/chosen/none"), FDT_NONE);
}
END_TEST

START_TEST(iteration)
{
	unsigned int cpus = 0, devices = 0;
	int node;

	node = fdt_read_child(&reader, fdt_read_path(&reader, "/cpus"));
	for (; node != FDT_NONE; node = fdt_read_sibling(&reader, node))
		cpus++;
	ck_assert_uint_eq(cpus, 3);
	node = fdt_read_compatible(&reader, FDT_NONE, "virtio,mmio");
	for (; node != FDT_NONE; node = fdt_read_compatible(&reader, node, "virtio,mmio")) {
		const char *tag = fdt_read_string(&reader, node, "casemate,tag");
		uint32_t index = 99, vector = 0;

		ck_assert(fdt_read_u32(&reader, node, "casemate,index", &index));
		ck_assert(fdt_read_u32(&reader, node, "interrupts", &vector));
		ck_assert_uint_eq(vector, CM_VECTOR_VIRTIO + index);
		ck_assert_int_eq(tag != NULL, index == 5);
		devices++;
	}
	ck_assert_uint_eq(devices, 2);
	ck_assert_int_ge(fdt_read_compatible(&reader, FDT_NONE, "casemate,arena"), 0);
	ck_assert_int_eq(fdt_read_compatible(&reader, FDT_NONE, "casemate,aren"), FDT_NONE);
}
END_TEST

/* Everything that the sentry does with a tree; only its memory accesses matter. */
static void walk(const struct fdt_reader *r)
{
	int node, child;
	uint64_t a, b;

	for (node = fdt_read_compatible(r, FDT_NONE, "virtio,mmio"); node != FDT_NONE;
		node = fdt_read_compatible(r, node, "virtio,mmio"))
		fdt_read_reg(r, node, 0, &a, &b);
	for (child = fdt_read_child(r, fdt_read_root(r)); child != FDT_NONE;
		child = fdt_read_sibling(r, child)) {
		fdt_read_name(r, child);
		fdt_read_string(r, child, "compatible");
	}
	fdt_read_path(r, "/cpus/cpu@1");
	fdt_read_u64(r, fdt_read_path(r, "/chosen"), "casemate,boot-tsc", &a);
}

/* The copy ends at an inaccessible page: a read behind it is a crash. */
START_TEST(truncated)
{
	size_t room = CM_BOOT_FDT_MAX;
	uint8_t *map =
		mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fdt_reader r;
	size_t size;

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mprotect(map + room, 4096, PROT_NONE), 0);
	for (size = 0; size <= tree_size; size++) {
		uint8_t *at = map + room - size;
		uint32_t be = __builtin_bswap32((uint32_t)size);

		memcpy(at, tree, size);
		if (size < tree_size)
			ck_assert(!fdt_read_init(&r, at, size));
		/* A header that admits the truncation leaves its blocks outside. */
		if (size >= 8)
			memcpy(at + 4, &be, 4);
		if (fdt_read_init(&r, at, size))
			walk(&r);
	}
	munmap(map, room + 4096);
}
END_TEST

START_TEST(damaged)
{
	uint8_t *copy = malloc(tree_size); /* exact, so that the sanitizer sees a stray read */
	struct fdt_reader r;
	unsigned int round;

	ck_assert_ptr_nonnull(copy);
	srandom(1);
	for (round = 0; round < 20000; round++) {
		unsigned int n = 1 + (unsigned int)random() % 4;

		memcpy(copy, tree, tree_size);
		while (n--)
			copy[(size_t)random() % tree_size] = (uint8_t)random();
		if (fdt_read_init(&r, copy, tree_size))
			walk(&r);
	}
	free(copy);
}
END_TEST

START_TEST(builder_refuses_small_buffer)
{
	static const struct devtree_machine m = { .cpus = 64, .cmdline = "" };
	uint8_t small[256];

	ck_assert_int_lt(devtree_build(&m, small, sizeof(small)), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fdt_read");
	TCase *tc = tcase_create("fdt_read");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, chosen);
	tcase_add_test(tc, wrong_sizes_are_refused);
	tcase_add_test(tc, paths);
	tcase_add_test(tc, iteration);
	tcase_add_test(tc, truncated);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, builder_refuses_small_buffer);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
