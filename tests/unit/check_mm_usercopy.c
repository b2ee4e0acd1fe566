/* SPDX-License-Identifier: Apache-2.0 */
/* User copies: the range check, partial copies, strings, and the uio cursor against a naive model. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_user.h"
#include "mm/usercopy.h"
#include "must.h"

START_TEST(test_kernel_addresses_are_refused)
{
	char buf[16];

	must(copy_from_user(buf, 0xffff888000000000UL, 8) == -EFAULT);
	must(copy_from_user(buf, ~0UL, 8) == -EFAULT);
	must(copy_to_user(USER_TOP - 4, buf, 8) == -EFAULT);
	must(copy_to_user(USER_TOP, buf, 1) == -EFAULT);
	must(clear_user(~0UL - 3, 16) == -EFAULT);
	must(copy_from_user_some(buf, USER_TOP, 16) == 0);
	must(strncpy_from_user(buf, 0xffff888000000000UL, 16) == -EFAULT);
}
END_TEST

START_TEST(test_partial_copies_say_how_much)
{
	char buf[64];

	must(copy_from_user_some(buf, FAKE_USER_BASE + FAKE_USER_SIZE - 10, 64) == 10);
	must(copy_to_user_some(FAKE_USER_BASE + FAKE_USER_SIZE - 3, buf, 64) == 3);
	must(copy_from_user(buf, FAKE_USER_BASE + FAKE_USER_SIZE - 10, 64) == -EFAULT);
}
END_TEST

START_TEST(test_strings)
{
	char buf[16];

	strcpy(fake_user_mem, "0123456789");
	must((strncpy_from_user(buf, FAKE_USER_BASE, sizeof(buf))) == 10);
	ck_assert_str_eq(buf, "0123456789");
	must(strncpy_from_user(buf, FAKE_USER_BASE, 11) == 10);
	must(strncpy_from_user(buf, FAKE_USER_BASE, 10) == -ENAMETOOLONG);
	memset(fake_user_mem + FAKE_USER_SIZE - 4, 'x', 4);
	must(strncpy_from_user(buf, FAKE_USER_BASE + FAKE_USER_SIZE - 4, 16) == -EFAULT);
}
END_TEST

START_TEST(test_cursor_matches_a_flat_copy)
{
	srand(3);
	for (int round = 0; round < 2000; round++) {
		struct iov v[5];
		struct uio u = { .iov = v, .niov = 5 };
		char flat[400], got[400];
		size_t at = 0, done = 0;

		for (size_t i = 0; i < sizeof(flat); i++)
			flat[i] = (char)rand();
		for (int i = 0; i < 5; i++) {
			v[i].len = (u64)(rand() % 4 ? rand() % 80 : 0);
			v[i].base = FAKE_USER_BASE + (u64)i * 1000;
			u.left += v[i].len;
		}
		while (u.left && rand() % 50) {
			size_t n = (size_t)(rand() % 30);
			size_t want = MIN(n, u.left);

			must(uio_write(&u, flat + at, n) == want);
			at += want;
		}
		for (int i = 0; i < 5 && done < at; i++) {
			size_t n = MIN(v[i].len, at - done);

			memcpy(got + done, fake_user_mem + i * 1000, n);
			done += n;
		}
		must(done == at);
		must(memcmp(flat, got, at) == 0);
	}
}
END_TEST

START_TEST(test_cursor_stops_at_a_fault)
{
	struct iov v[2] = { { FAKE_USER_BASE + FAKE_USER_SIZE - 8, 16 }, { FAKE_USER_BASE, 16 } };
	struct uio u = { .iov = v, .niov = 2, .left = 32 };
	char buf[32] = "";

	must(uio_write(&u, buf, 32) == 8);
	must(u.left == 24);
	must(uio_write(&u, buf, 24) == 0);
}
END_TEST

START_TEST(test_kernel_cursor)
{
	struct iov v;
	struct uio u;
	char mem[8] = "abcdefg", out[8];

	uio_init_kernel(&u, &v, mem, 8);
	must(uio_read(&u, out, 3) == 3);
	uio_advance(&u, 2);
	must(uio_read(&u, out + 3, 100) == 3);
	ck_assert_str_eq(out, "abcfg");
	must(u.left == 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm_usercopy");
	TCase *tc = tcase_create("usercopy");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_kernel_addresses_are_refused);
	tcase_add_test(tc, test_partial_copies_say_how_much);
	tcase_add_test(tc, test_strings);
	tcase_add_test(tc, test_cursor_matches_a_flat_copy);
	tcase_add_test(tc, test_cursor_stops_at_a_fault);
	tcase_add_test(tc, test_kernel_cursor);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
