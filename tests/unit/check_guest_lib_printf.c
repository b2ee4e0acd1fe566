/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's formatter against libc's. */
#include <config.h>

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/printf.h"

/* The same arguments to both, into buffers of the same size: text and result must agree. */
#define SAME(...) \
	do { \
		static const size_t sizes[] = { 256, 8, 1 }; \
		for (size_t i_ = 0; i_ < 3; i_++) { \
			char mine_[256] = "?", libc_[256] = "?"; \
			int m_ = str_format(mine_, sizes[i_], __VA_ARGS__); \
			int l_ = snprintf(libc_, sizes[i_], __VA_ARGS__); \
			ck_assert_str_eq(mine_, libc_); \
			ck_assert_int_eq(m_, l_); \
		} \
	} while (0)

/* Wrong formats are what some tests are about. clang does not know all the names. */
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"

START_TEST(test_numbers)
{
	static const long values[] = { 0, 1, -1, 9, 10, 12345, -98765, INT_MAX, INT_MIN, LONG_MAX,
		LONG_MIN };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		long v = values[i];

		SAME("%d|%i|%u|%x|%X|%o", (int)v, (int)v, (unsigned)v, (unsigned)v, (unsigned)v,
			(unsigned)v);
		SAME("%ld|%lu|%lx|%llx|%zu|%lo", v, v, v, (long long)v, (size_t)v, v);
		SAME("%hd|%hu|%hhd|%hhx", (short)v, (unsigned short)v, (signed char)v,
			(unsigned char)v);
		SAME("%#x|%#lX|%#o|%+d|% d", (unsigned)v, v, (unsigned)v, (int)v, (int)v);
		SAME("%8d|%-8d|%08d|%+08d|%.5d|%8.5d|%-8.3d|", (int)v, (int)v, (int)v, (int)v,
			(int)v, (int)v, (int)v);
		SAME("%20lx|%020lx|%#020lx|%-20lx|%.0d", v, v, v, v, (int)v);
		SAME("%*d|%-*d|%.*d|%*.*d", 7, (int)v, 7, (int)v, 3, (int)v, -9, 4, (int)v);
	}
}
END_TEST

START_TEST(test_text)
{
	SAME("plain");
	SAME("%%|%c|%s|", 'x', "text");
	SAME("%10s|%-10s|%.2s|%10.2s|%.0s|", "text", "text", "text", "text", "text");
	SAME("%5c|%-5c|", 'a', 'b');
	SAME("%p", (void *)0x1234);
	SAME("%s and %s and %s", "a longer text than the small buffers", "", "end");
}
END_TEST

START_TEST(test_odd)
{
	char buf[32];

	ck_assert_int_eq(str_format(buf, sizeof(buf), "%s", (char *)NULL), 6);
	ck_assert_str_eq(buf, "(null)");
	ck_assert_int_eq(str_format(NULL, 0, "%d", 123), 3);
	ck_assert_int_eq(str_format(buf, sizeof(buf), "a%qb", 1), 1);
	ck_assert_str_eq(buf, "a");
	ck_assert_int_eq(str_format(buf, sizeof(buf), "a%"), 1);
	ck_assert_int_eq(str_format(buf, sizeof(buf), "%99999999999d", 1), 4096);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest_lib_printf");
	TCase *tc = tcase_create("core");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, test_numbers);
	tcase_add_test(tc, test_text);
	tcase_add_test(tc, test_odd);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
