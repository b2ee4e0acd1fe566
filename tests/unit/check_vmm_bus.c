/* SPDX-License-Identifier: Apache-2.0 */
/* Port and MMIO dispatch: overlaps are refused, accesses never leave their range. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/bus.h"

struct fake {
	unsigned reads, writes, strings;
	uint64_t off;
	unsigned len, count;
	uint8_t data[8];
};

static struct bus bus;
static struct fake fake;

static void fake_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct fake *f = dev;

	f->reads++;
	f->off = off;
	f->len = len;
	memset(data, 0x42, len);
}

static void fake_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct fake *f = dev;

	f->writes++;
	f->off = off;
	f->len = len;
	memcpy(f->data, data, len);
}

static void fake_string(void *dev, uint64_t off, const void *data, unsigned len, unsigned count)
{
	struct fake *f = dev;

	f->strings++;
	f->count = count;
}

static const struct bus_ops rw = { .read = fake_read, .write = fake_write };
static const struct bus_ops deaf = { 0 };
static const struct bus_ops stringed = { .write = fake_write, .write_string = fake_string };

static void setup(void)
{
	memset(&bus, 0, sizeof(bus));
	memset(&fake, 0, sizeof(fake));
	ck_assert_int_eq(bus_add(&bus, 0x1000, 0x100, &rw, &fake), 0);
}

START_TEST(refuses_overlap)
{
	ck_assert_int_eq(bus_add(&bus, 0x1000, 0x100, &rw, &fake), -EEXIST);
	ck_assert_int_eq(bus_add(&bus, 0xfff, 2, &rw, &fake), -EEXIST);
	ck_assert_int_eq(bus_add(&bus, 0x10ff, 1, &rw, &fake), -EEXIST);
	ck_assert_int_eq(bus_add(&bus, 0, 0x10000, &rw, &fake), -EEXIST);
	ck_assert_int_eq(bus_add(&bus, 0xfff, 1, &rw, &fake), 0);
	ck_assert_int_eq(bus_add(&bus, 0x1100, 1, &rw, &fake), 0);
}
END_TEST

START_TEST(refuses_bad_ranges)
{
	unsigned i;

	ck_assert_int_eq(bus_add(&bus, 0x2000, 0, &rw, &fake), -EINVAL);
	ck_assert_int_eq(bus_add(&bus, UINT64_MAX, 2, &rw, &fake), -EINVAL);
	for (i = 1; i < BUS_RANGES_MAX; i++)
		ck_assert_int_eq(bus_add(&bus, 0x10000 + i, 1, &rw, &fake), 0);
	ck_assert_int_eq(bus_add(&bus, 0x90000, 1, &rw, &fake), -ENOSPC);
}
END_TEST

START_TEST(dispatches_offset_and_length)
{
	uint32_t v = 0x11223344;

	ck_assert(bus_write(&bus, 0x10fc, &v, 4));
	ck_assert_uint_eq(fake.off, 0xfc);
	ck_assert_uint_eq(fake.len, 4);
	ck_assert_int_eq(memcmp(fake.data, &v, 4), 0);
	ck_assert(bus_read(&bus, 0x1000, &v, 4));
	ck_assert_uint_eq(v, 0x42424242);
}
END_TEST

START_TEST(refuses_straddling_access)
{
	uint64_t v = 0;

	ck_assert(!bus_read(&bus, 0x10fd, &v, 4));
	ck_assert_uint_eq(v, 0xffffffff);
	ck_assert(!bus_write(&bus, 0xfff, &v, 2));
	ck_assert(!bus_write(&bus, 0x1100, &v, 1));
	ck_assert(!bus_read(&bus, UINT64_MAX, &v, 8));
	ck_assert_uint_eq(fake.reads + fake.writes, 0);
}
END_TEST

START_TEST(missing_operations)
{
	uint16_t v = 0;

	ck_assert_int_eq(bus_add(&bus, 0x3000, 2, &deaf, NULL), 0);
	ck_assert(!bus_read(&bus, 0x3000, &v, 2));
	ck_assert_uint_eq(v, 0xffff);
	ck_assert(!bus_write(&bus, 0x3000, &v, 2));
}
END_TEST

START_TEST(strings)
{
	uint8_t data[12] = { 0 };

	ck_assert(bus_write_string(&bus, 0x1000, data, 1, 12));
	ck_assert_uint_eq(fake.writes, 12);
	ck_assert(bus_read_string(&bus, 0x1000, data, 4, 3));
	ck_assert_uint_eq(fake.reads, 3);
	ck_assert_uint_eq(data[11], 0x42);
	ck_assert_int_eq(bus_add(&bus, 0x3000, 1, &stringed, &fake), 0);
	ck_assert(bus_write_string(&bus, 0x3000, data, 1, 12));
	ck_assert_uint_eq(fake.strings, 1);
	ck_assert_uint_eq(fake.count, 12);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bus");
	TCase *tc = tcase_create("bus");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, refuses_overlap);
	tcase_add_test(tc, refuses_bad_ranges);
	tcase_add_test(tc, dispatches_offset_and_length);
	tcase_add_test(tc, refuses_straddling_access);
	tcase_add_test(tc, missing_operations);
	tcase_add_test(tc, strings);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
