/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of the load average: Linux's digits, and many samples at once. */
#include <check.h>
#include <stdlib.h>

#include "kernel/loadavg.h"

#define ONE    (1u << LOAD_SHIFT)
#define MINUTE 1884u

/* One process that runs: 0.08, 0.15, 0.22 after 5, 10, 15 seconds, and so on to 1.00. */
START_TEST(test_rise)
{
	u64 avg = 0;

	avg = load_after(avg, MINUTE, ONE, 1);
	ck_assert_uint_eq(avg, 164);
	avg = load_after(avg, MINUTE, ONE, 1);
	ck_assert_uint_eq(avg, 315);
	avg = load_after(avg, MINUTE, ONE, 1);
	ck_assert_uint_eq(avg, 454);
	for (int i = 0; i < 200; i++)
		avg = load_after(avg, MINUTE, ONE, 1);
	ck_assert_uint_eq(avg, ONE);
	for (int i = 0; i < 200; i++)
		avg = load_after(avg, MINUTE, 0, 1);
	ck_assert_uint_eq(avg, 0);
}
END_TEST

/* What was not sampled while nothing ran comes to the same as samples of nothing. */
START_TEST(test_idle)
{
	const u64 keeps[] = { MINUTE, 2014, 2037 };
	u64 one_by_one, at_once;

	for (u32 k = 0; k < 3; k++) {
		one_by_one = 50 * ONE;
		for (u64 n = 1; n < 400; n++) {
			one_by_one = load_after(one_by_one, keeps[k], 0, 1);
			at_once = load_after(50 * ONE, keeps[k], 0, n);
			/* Each sample rounds: a hundredth of what it was in all. */
			ck_assert(labs((long)one_by_one - (long)at_once) <= ONE / 2);
		}
	}
	ck_assert_uint_eq(load_after(1000 * ONE, MINUTE, 0, ~0UL), 0);
	ck_assert_uint_eq(load_after(7 * ONE, MINUTE, 7 * ONE, 1000), 7 * ONE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel_loadavg");
	TCase *t = tcase_create("loadavg");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, test_rise);
	tcase_add_test(t, test_idle);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
