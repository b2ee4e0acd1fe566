/* SPDX-License-Identifier: Apache-2.0 */
/* guest/lib/tar: what it writes is read by rules of its own here, and whole archives by tar(1) in tests/oci/rpc_tar.py. */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tar.h"

/* The length before a record is that of the record, with its own digits. */
START_TEST(records)
{
	struct tar_pax *p = calloc(1, sizeof(*p));
	static char value[2000];

	memset(value, 'v', sizeof(value));
	for (size_t len = 0; len < sizeof(value); len++) {
		char *end;

		p->len = 0;
		tar_pax_add(p, "key", value, len);
		ck_assert(!p->failed);
		ck_assert_uint_eq(strtoul(p->data, &end, 10), p->len);
		ck_assert_int_eq(memcmp(end, " key=", 5), 0);
		ck_assert_uint_eq((size_t)(end - p->data) + 5 + len + 1, p->len);
		ck_assert_int_eq(p->data[p->len - 1], '\n');
	}
	/* The last one that fits, and one more. */
	p->len = TAR_PAX_MAX - 9;
	tar_pax_add(p, "key", "v", 1);
	ck_assert(!p->failed && p->len <= TAR_PAX_MAX);
	tar_pax_add(p, "key", value, sizeof(value));
	ck_assert(p->failed);
	free(p);
}
END_TEST

static unsigned long field(const u8 *block, size_t at)
{
	return strtoul((const char *)block + at, NULL, 8);
}

START_TEST(headers)
{
	static const char name[] =
		"0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890";
	struct tar_entry e = { .name = "dir/",
		.target = "to",
		.type = '2',
		.mode = 07755,
		.uid = 1000,
		.gid = 07777777,
		.major = 5,
		.minor = 1,
		.size = 077777777777UL,
		.mtime = 1700000000 };
	struct tar_pax *p = calloc(1, sizeof(*p));
	unsigned long sum = 0;
	u8 block[TAR_BLOCK];

	tar_header(block, &e);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : block[i];
	ck_assert_uint_eq(field(block, 148), sum);
	ck_assert_str_eq((char *)block, "dir/");
	ck_assert(field(block, 100) == 07755 && field(block, 108) == 1000 &&
		  field(block, 116) == 07777777);
	ck_assert(field(block, 124) == 077777777777UL && field(block, 136) == 1700000000);
	ck_assert(block[156] == '2' && !strcmp((char *)block + 157, "to"));
	ck_assert_int_eq(memcmp(block + 257,
				 "ustar\0"
				 "00",
				 8),
		0);
	ck_assert(field(block, 329) == 5 && field(block, 337) == 1);
	tar_pax_entry(p, &e);
	ck_assert_uint_eq(p->len, 0);
	/* A hundred bytes fit, one more does not; nor do larger numbers. */
	e.name = name + 1;
	tar_pax_entry(p, &e);
	ck_assert_uint_eq(p->len, 0);
	e = (struct tar_entry){ .name = name,
		.target = name,
		.type = '0',
		.uid = 010000000,
		.gid = 010000000,
		.size = 0100000000000UL,
		.mtime = -1 };
	tar_pax_entry(p, &e);
	ck_assert_ptr_nonnull(strstr(p->data, " path=0123"));
	ck_assert_ptr_nonnull(strstr(p->data, " linkpath=0123"));
	ck_assert_ptr_nonnull(strstr(p->data, " size=8589934592\n"));
	ck_assert_ptr_nonnull(strstr(p->data, " uid=2097152\n"));
	ck_assert_ptr_nonnull(strstr(p->data, " mtime=-1\n"));
	tar_header(block, &e);
	ck_assert(field(block, 124) == 0 && field(block, 108) == 0 && field(block, 136) == 0);
	tar_pax_header(block, p);
	ck_assert(block[156] == 'x' && field(block, 124) == p->len);
	free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest/lib/tar");
	TCase *t = tcase_create("tar");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, records);
	tcase_add_test(t, headers);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
