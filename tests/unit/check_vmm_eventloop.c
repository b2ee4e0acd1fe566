/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the event loop. */
#include <config.h>

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/eventloop.h"

static struct eventloop *loop;
static int calls;

static void setup(void)
{
	loop = eventloop_create();
	ck_assert_ptr_nonnull(loop);
	calls = 0;
}

static void teardown(void)
{
	eventloop_destroy(loop);
}

static void count_source(struct ev_source *src, uint32_t events)
{
	char c;

	ck_assert_uint_eq(events & EPOLLIN, EPOLLIN);
	ck_assert_int_eq(read(src->fd, &c, 1), 1);
	calls++;
}

START_TEST(descriptor_is_dispatched)
{
	struct ev_source src = { .fn = count_source };
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	src.fd = p[0];
	ck_assert_int_eq(eventloop_add(loop, &src, EPOLLIN), 0);
	ck_assert_int_eq(eventloop_step(loop, 0), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ck_assert_int_eq(eventloop_step(loop, 1000), 1);
	ck_assert_int_eq(eventloop_mod(loop, &src, 0), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	ck_assert_int_eq(eventloop_step(loop, 0), 0);
	eventloop_del(loop, &src);
	ck_assert_int_eq(calls, 1);
}
END_TEST

static struct ev_source pair[2];

static void delete_other(struct ev_source *src, uint32_t events)
{
	calls++;
	eventloop_del(loop, &pair[src == &pair[0]]);
}

START_TEST(deleted_source_is_not_called_in_the_same_round)
{
	int p[2][2];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe(p[i]), 0);
		pair[i] = (struct ev_source){ .fd = p[i][0], .fn = delete_other };
		ck_assert_int_eq(eventloop_add(loop, &pair[i], EPOLLIN), 0);
		ck_assert_int_eq(write(p[i][1], "x", 1), 1);
	}
	eventloop_step(loop, 1000);
	ck_assert_int_eq(calls, 1);
}
END_TEST

static void count_timer(struct ev_timer *t)
{
	calls = calls * 10 + *(int *)t->arg;
}

START_TEST(timers_fire_in_order)
{
	static int id[3] = { 1, 2, 3 };
	struct ev_timer t[3] = {
		{ .fn = count_timer, .arg = &id[0] },
		{ .fn = count_timer, .arg = &id[1] },
		{ .fn = count_timer, .arg = &id[2] },
	};

	eventloop_timer_set(loop, &t[0], 1000000);
	eventloop_timer_set(loop, &t[2], 3000000);
	eventloop_timer_set(loop, &t[1], 2000000);
	eventloop_timer_set(loop, &t[0], 4000000);
	eventloop_timer_cancel(loop, &t[2]);
	eventloop_timer_cancel(loop, &t[2]);
	for (int i = 0; i < 100 && calls < 21; i++)
		eventloop_step(loop, 100);
	ck_assert_int_eq(calls, 21);
}
END_TEST

static void stop_after(struct ev_work *w)
{
	if (++calls == *(int *)w->arg)
		eventloop_stop(loop);
}

static struct ev_work work;
static _Atomic bool posted_all;

static void *poster(void *arg)
{
	for (int i = 0; i < 100000; i++)
		eventloop_post(&work);
	atomic_store(&posted_all, true);
	return NULL;
}

static void count_work(struct ev_work *w)
{
	calls++;
}

START_TEST(post_from_another_thread_is_never_lost)
{
	pthread_t th;

	work = (struct ev_work){ .fn = count_work };
	atomic_store(&posted_all, false);
	ck_assert_int_eq(eventloop_work_add(loop, &work), 0);
	ck_assert_int_eq(pthread_create(&th, NULL, poster, NULL), 0);
	while (!atomic_load(&posted_all))
		ck_assert_int_ge(eventloop_step(loop, 100), 0);
	pthread_join(th, NULL);
	eventloop_step(loop, 0);
	ck_assert_int_gt(calls, 0);
	ck_assert_int_eq(eventloop_step(loop, 0), 0);
}
END_TEST

START_TEST(run_ends_on_stop)
{
	int one = 1;
	struct ev_work w = { .fn = stop_after, .arg = &one };

	ck_assert_int_eq(eventloop_work_add(loop, &w), 0);
	eventloop_post(&w);
	ck_assert_int_eq(eventloop_run(loop), 0);
	ck_assert_int_eq(calls, 1);
}
END_TEST

static bool poll_some(struct ev_poller *p)
{
	return ++calls < 5;
}

static int idles;

static bool idle_some(struct ev_poller *p)
{
	return ++idles < 3;
}

START_TEST(poller_runs_while_it_finds_work_then_the_loop_sleeps)
{
	struct ev_poller p = { .fn = poll_some, .idle = idle_some };
	uint64_t t0;

	eventloop_poller_add(loop, &p);
	for (int i = 0; i < 10; i++)
		eventloop_step(loop, 0);
	ck_assert_int_ge(calls, 5);
	ck_assert_int_eq(idles, 0);
	usleep(1000);
	/* Work that idle finds keeps the loop awake. */
	eventloop_step(loop, -1);
	eventloop_step(loop, -1);
	ck_assert_int_eq(idles, 2);
	usleep(1000);
	t0 = eventloop_now();
	eventloop_step(loop, 20);
	ck_assert_uint_ge(eventloop_now() - t0, 10000000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("eventloop");
	TCase *tc = tcase_create("eventloop");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, descriptor_is_dispatched);
	tcase_add_test(tc, deleted_source_is_not_called_in_the_same_round);
	tcase_add_test(tc, timers_fire_in_order);
	tcase_add_test(tc, post_from_another_thread_is_never_lost);
	tcase_add_test(tc, run_ends_on_stop);
	tcase_add_test(tc, poller_runs_while_it_finds_work_then_the_loop_sleeps);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
