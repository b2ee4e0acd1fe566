/* SPDX-License-Identifier: Apache-2.0 */
/* How long a CPU without work looks around before it halts: what it learns from the times before. */
#include <config.h>

#include <check.h>
#include <stdlib.h>

#include "kernel/idle.h"

#define MOST 200000UL

/* Work that comes rarely is not looked for. */
START_TEST(test_rare_work)
{
	struct idle_habit h = { .luck = 0 };

	for (int i = 0; i < 100; i++) {
		idle_learn(&h, MOST + 1 + (u64)rand() % 1000000000, MOST);
		ck_assert_uint_eq(h.luck, 0);
	}
}
END_TEST

/* Work that comes soon is, from the second time on; also when every second one comes late. */
START_TEST(test_frequent_work)
{
	struct idle_habit h = { .luck = 0 };

	idle_learn(&h, MOST / 3, MOST);
	for (int i = 0; i < 100; i++) {
		ck_assert_uint_gt(h.luck, 0);
		idle_learn(&h, i % 2 ? 3 * MOST : MOST / 3, MOST);
	}
}
END_TEST

/* A few long waits end it, whatever was before. */
START_TEST(test_forgets)
{
	struct idle_habit h = { .luck = 0 };

	for (int i = 0; i < 1000; i++)
		idle_learn(&h, MOST / 3, MOST);
	for (int i = 0; i < 4; i++)
		idle_learn(&h, 10 * MOST, MOST);
	ck_assert_uint_eq(h.luck, 0);
}
END_TEST

/* One processor for two vCPUs: whoever looks keeps the other from working, and work comes soon after that each time. */
START_TEST(test_in_vain)
{
	struct idle_habit h = { .luck = 0 };
	u32 looked = 0;

	for (int i = 0; i < 6400; i++) {
		looked += h.luck != 0;
		idle_learn(&h, h.luck ? MOST + MOST / 10 : MOST / 10, MOST);
	}
	ck_assert_uint_le(looked, 120);
	/* It finds out when that is over. */
	for (int i = 0; i < 200; i++)
		idle_learn(&h, MOST / 10, MOST);
	ck_assert_uint_gt(h.luck, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("idle");
	TCase *tc = tcase_create("habit");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, test_rare_work);
	tcase_add_test(tc, test_frequent_work);
	tcase_add_test(tc, test_forgets);
	tcase_add_test(tc, test_in_vain);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
