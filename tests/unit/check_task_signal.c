/* SPDX-License-Identifier: Apache-2.0 */
/* Signal queues and process ids of the sentry. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/unit/fake_guest.h"
#include "tests/unit/task_probe.h"

#define BIT(n) (1UL << ((n)-1))

static void setup(void)
{
	fake_ram(64);
	probe_init();
}

static void teardown(void)
{
	ck_assert_uint_eq(fake_spin_held, 0);
}

START_TEST(test_order)
{
	ck_assert_int_eq(probe_first(0), 0);
	ck_assert_int_eq(probe_first(BIT(SIGTERM) | BIT(SIGHUP)), SIGHUP);
	/* Faults come before lower numbers. */
	ck_assert_int_eq(probe_first(BIT(SIGHUP) | BIT(SIGSEGV)), SIGSEGV);
	ck_assert_int_eq(probe_first(BIT(64)), 64);
}
END_TEST

START_TEST(test_queue)
{
	probe_add(40, 1);
	probe_add(41, 7);
	probe_add(40, 2);
	probe_add(SIGUSR1, -1);
	ck_assert_uint_eq(probe_set(), BIT(40) | BIT(41) | BIT(SIGUSR1));
	ck_assert_int_eq(probe_take(40), 1);
	ck_assert(probe_set() & BIT(40));
	ck_assert_int_eq(probe_take(40), 2);
	ck_assert(!(probe_set() & BIT(40)));
	ck_assert_int_eq(probe_take(40), -2);
	ck_assert_int_eq(probe_take(SIGUSR1), -1);
	ck_assert_int_eq(probe_take(41), 7);
	ck_assert_uint_eq(probe_set(), 0);
}
END_TEST

START_TEST(test_remove)
{
	probe_add(40, 1);
	probe_add(40, 2);
	probe_add(50, 3);
	probe_add(SIGSTOP, -1);
	ck_assert_int_eq(probe_remove(BIT(40) | BIT(SIGSTOP)), 2);
	ck_assert_uint_eq(probe_set(), BIT(50));
	ck_assert_int_eq(probe_take(50), 3);
}
END_TEST

START_TEST(test_actions)
{
	/* By enum sig_action: term, core, stop, cont, ignore. */
	ck_assert_int_eq(probe_action(SIGTERM), 0);
	ck_assert_int_eq(probe_action(SIGSEGV), 1);
	ck_assert_int_eq(probe_action(SIGTSTP), 2);
	ck_assert_int_eq(probe_action(SIGCONT), 3);
	ck_assert_int_eq(probe_action(SIGCHLD), 4);
	ck_assert_int_eq(probe_action(64), 0);
}
END_TEST

START_TEST(test_pid_order)
{
	int a = probe_pid_alloc();
	int b = probe_pid_alloc();

	ck_assert_int_eq(a, 1);
	ck_assert_int_eq(b, 2);
	probe_pid_free(a);
	ck_assert_int_eq(probe_pid_alloc(), 3);
}
END_TEST

START_TEST(test_pid_wrap)
{
	int i, last = 0;

	for (i = 1; i < 32768; i++) {
		last = probe_pid_alloc();
		if (last != i)
			ck_abort_msg("%d instead of %d", last, i);
	}
	ck_assert_int_eq(probe_pid_alloc(), -EAGAIN);
	probe_pid_free(5);
	/* After the first round low numbers stay free. */
	ck_assert_int_eq(probe_pid_alloc(), -EAGAIN);
	probe_pid_use(400, false, 1);
	probe_pid_free(400);
	probe_pid_free(401);
	ck_assert_int_eq(probe_pid_alloc(), 401);
	probe_pid_use(400, true, 1);
	probe_pid_use(400, false, -1);
	ck_assert_int_eq(probe_pid_alloc(), -EAGAIN);
	probe_pid_use(400, true, -1);
	ck_assert_int_eq(probe_pid_alloc(), 400);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("task_signal");
	TCase *tc = tcase_create("signal");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_queue);
	tcase_add_test(tc, test_remove);
	tcase_add_test(tc, test_actions);
	tcase_add_test(tc, test_pid_order);
	tcase_add_test(tc, test_pid_wrap);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
