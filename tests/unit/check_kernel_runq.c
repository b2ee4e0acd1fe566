/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's run queues: order, affinity, floor and wrap-around of virtual runtimes. */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/runq.h"
#include "kernel/sched.h"

#define THREADS 40

static struct thread threads[THREADS];
static struct runq rq;

static void setup(u64 base)
{
	memset(&rq, 0, sizeof(rq));
	memset(threads, 0, sizeof(threads));
	rq.floor = base;
	for (u32 i = 0; i < THREADS; i++) {
		threads[i].cpu_mask = i % 4 == 3 ? 2 : 3;
		threads[i].vruntime = base + (u64)(rand() % 1000);
	}
}

/* Around the wrap of the counter too: the order is that of the differences. */
START_TEST(test_order)
{
	static const u64 bases[] = { 0, 1000000, ~0UL - 500 };
	u64 last;

	setup(bases[_i]);
	for (u32 i = 0; i < THREADS; i++)
		runq_push(&rq, &threads[i]);
	ck_assert_uint_eq(rq.queued, THREADS);
	last = bases[_i];
	for (u32 n = THREADS; n > 0; n--) {
		struct thread *t = runq_first(&rq, 1);

		ck_assert_ptr_nonnull(t);
		ck_assert(t->queued);
		ck_assert_int_ge((s64)(t->vruntime - last), 0);
		last = t->vruntime;
		runq_remove(&rq, t);
		ck_assert(!t->queued);
	}
	ck_assert_ptr_null(runq_first(&rq, 1));
	ck_assert_ptr_null(runq_last(&rq, 1));
	ck_assert_uint_eq(rq.queued, 0);
}
END_TEST

START_TEST(test_affinity)
{
	setup(0);
	for (u32 i = 0; i < THREADS; i++)
		runq_push(&rq, &threads[i]);
	for (u32 n = 0; n < THREADS * 3 / 4; n++) {
		struct thread *t = n % 2 ? runq_first(&rq, 0) : runq_last(&rq, 0);

		ck_assert_uint_eq(t->cpu_mask, 3);
		runq_remove(&rq, t);
	}
	ck_assert_ptr_null(runq_first(&rq, 0));
	ck_assert_ptr_nonnull(runq_first(&rq, 1));
	ck_assert_ptr_null(runq_first(&rq, 2));
}
END_TEST

/* Equal ones in the order of their arrival. */
START_TEST(test_fifo)
{
	setup(0);
	for (u32 i = 0; i < 4; i++) {
		threads[i].cpu_mask = 1;
		threads[i].vruntime = 7;
		runq_push(&rq, &threads[i]);
	}
	for (u32 i = 0; i < 4; i++) {
		ck_assert_ptr_eq(runq_first(&rq, 0), &threads[i]);
		runq_remove(&rq, &threads[i]);
	}
}
END_TEST

START_TEST(test_floor)
{
	setup(1000);
	rq.running = &threads[0];
	threads[0].vruntime = 900;
	runq_raise_floor(&rq, 900);
	ck_assert_uint_eq(rq.floor, 1000);
	/* what it has run without being charged counts */
	runq_raise_floor(&rq, 5000);
	ck_assert_uint_eq(rq.floor, 5000);
	threads[1].vruntime = 6000;
	runq_push(&rq, &threads[1]);
	runq_raise_floor(&rq, 9000);
	ck_assert_uint_eq(rq.floor, 6000);
}
END_TEST

START_TEST(test_sleepers)
{
	struct runq other = { .floor = 100000000 };

	setup(50000000);
	threads[0].vruntime = 5;
	runq_place_woken(&rq, &threads[0]);
	ck_assert_int_lt((s64)(threads[0].vruntime - rq.floor), 0);
	ck_assert_int_ge((s64)(threads[0].vruntime - rq.floor), -10000000);
	threads[1].vruntime = 60000000;
	runq_place_woken(&rq, &threads[1]);
	ck_assert_uint_eq(threads[1].vruntime, 60000000);
	runq_rebase(&rq, &other, &threads[1]);
	ck_assert_uint_eq(threads[1].vruntime, 110000000);
	ck_assert(runq_before(&threads[0], &threads[1], 1000));
	ck_assert(!runq_before(&threads[1], &threads[0], 0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel_runq");
	TCase *tc = tcase_create("core");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, test_order, 0, 3);
	tcase_add_test(tc, test_affinity);
	tcase_add_test(tc, test_fifo);
	tcase_add_test(tc, test_floor);
	tcase_add_test(tc, test_sleepers);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
