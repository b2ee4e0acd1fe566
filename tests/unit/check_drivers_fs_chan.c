/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the arena and of the file system channel, against the real virtio-fs front and a file server made of test code. */
#include <check.h>
#include <stdlib.h>

#include "arch.h"
#include "drivers/arena.h"
#include "drivers/fs_chan.h"
#include "drivers/virtio/ring.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "tests/lib/fake_machine.h"

static struct fs_chan *chan;

/* Answers with the request, each byte plus one. */
static uint32_t answer(const void *in, size_t in_len, void *out, size_t out_len)
{
	size_t n = in_len < out_len ? in_len : out_len;

	for (size_t i = 0; i < n; i++)
		((u8 *)out)[i] = (u8)(((const u8 *)in)[i] + 1);
	return (uint32_t)n;
}

static void setup(void)
{
	fake_machine_init();
	fake_fsd_serve(answer);
	ck_assert_int_eq(arena_init(fake_fdt()), 0);
	ck_assert_int_eq(fs_chan_init(fake_fdt()), 0);
	ck_assert_int_eq(fs_chan_open("other", &chan), -ENODEV);
	ck_assert_int_eq(fs_chan_open("rootfs", &chan), 0);
	ck_assert_int_eq(fs_chan_open("rootfs", &chan), -EBUSY);
}

static void teardown(void)
{
	fake_machine_fini();
}

START_TEST(arena_runs)
{
	u32 total = arena_free_pages();
	void *a = arena_alloc(1), *b = arena_alloc(3), *c = arena_alloc(2), *d;

	ck_assert(a && b && c);
	ck_assert_ptr_eq((u8 *)b, (u8 *)a + PAGE_SIZE);
	ck_assert(arena_contains(b, 3 * PAGE_SIZE));
	ck_assert(!arena_contains((u8 *)a - 64 * PAGE_SIZE, 1));
	ck_assert_ptr_null(arena_alloc(0));
	ck_assert_ptr_null(arena_alloc(ARENA_RUN_MAX + 1));
	arena_free(b, 3);
	/* A hole that is too small is skipped, one that fits is used. */
	d = arena_alloc(4);
	ck_assert_ptr_eq((u8 *)d, (u8 *)c + 2 * PAGE_SIZE);
	ck_assert_ptr_eq(arena_alloc(2), b);
	ck_assert_ptr_eq(arena_alloc(1), (u8 *)b + 2 * PAGE_SIZE);
	arena_free(b, 3);
	arena_free(a, 1);
	arena_free(c, 2);
	arena_free(d, 4);
	ck_assert_uint_eq(arena_free_pages(), total);
}
END_TEST

START_TEST(arena_exhaustion)
{
	static void *p[8192];
	u32 n = 0, total = arena_free_pages();

	while ((p[n] = arena_alloc(1)))
		n++;
	ck_assert_uint_eq(n, total);
	arena_free(p[100], 1);
	arena_free(p[102], 1);
	ck_assert_ptr_null(arena_alloc(2));
	arena_free(p[101], 1);
	ck_assert_ptr_eq(arena_alloc(3), p[100]);
	ck_assert_uint_eq(arena_free_pages(), 0);
}
END_TEST

static void *late_page;

static void free_late(void *arg)
{
	fake_yield();
	arena_free(late_page, 2);
	fake_done();
}

static void wait_for_page(void *arg)
{
	void *p;

	while ((p = arena_alloc(2)))
		late_page = p;
	ck_assert_ptr_eq(arena_alloc_wait(2), late_page);
	fake_done();
}

START_TEST(arena_waits)
{
	fake_thread(wait_for_page, NULL);
	fake_thread(free_late, NULL);
	fake_expect(2);
	fake_run();
}
END_TEST

static void fill(struct fs_req *req, u8 *page, u32 out, u32 in, u8 seed)
{
	memset(req, 0, sizeof(*req));
	memset(page, seed, out);
	memset(page + 2048, 0, in);
	req->seg[0] = (struct fs_seg){ page, out };
	req->seg[1] = (struct fs_seg){ page + 2048, in };
	req->nout = 1;
	req->nin = 1;
}

static void one_call(void *arg)
{
	u8 *page = arena_alloc(1);
	struct fs_req req;

	for (u32 i = 0; i < 1000; i++) {
		fill(&req, page, 100, 200, (u8)i);
		ck_assert_int_eq(fs_chan_call(chan, &req), 0);
		ck_assert_uint_eq(req.written, 100);
		ck_assert_uint_eq(page[2048], (u8)(i + 1));
		ck_assert_uint_eq(page[2048 + 99], (u8)(i + 1));
		ck_assert_uint_eq(page[2048 + 100], 0);
	}
	fake_done();
}

START_TEST(call_and_answer)
{
	fake_thread(one_call, NULL);
	fake_expect(1);
	fake_run();
	ck_assert_uint_eq(fake_fsd_served[1], 1000);
	/* A server that is awake is found by polling. */
	ck_assert_uint_lt(fake_interrupts, 100);
}
END_TEST

/* A server that answers while the doorbell's exit lasts does so without an interrupt: whoever rang looks by itself. */
START_TEST(prompt_answer)
{
	fake_fsd_prompt = true;
	fake_thread(one_call, NULL);
	fake_expect(1);
	fake_run();
	fake_fsd_prompt = false;
	ck_assert_uint_eq(fake_fsd_served[1], 1000);
	ck_assert_uint_eq(fake_interrupts, 0);
}
END_TEST

static void slow_call(void *arg)
{
	u8 *page = arena_alloc(1);
	struct fs_req req;

	fill(&req, page, 10, 10, 7);
	ck_assert_int_eq(fs_chan_call(chan, &req), 0);
	ck_assert_uint_eq(page[2048], 8);
	fake_done();
}

static void wake_server(void *arg)
{
	/* Runs when all the callers sleep. */
	fake_fsd_asleep = false;
	fake_done();
}

START_TEST(slow_server_ends_in_sleep_and_interrupt)
{
	fake_fsd_asleep = true;
	for (int i = 0; i < 5; i++)
		fake_thread(slow_call, NULL);
	fake_thread(wake_server, NULL);
	fake_expect(6);
	fake_run();
	ck_assert_uint_ge(fake_interrupts, 1);
}
END_TEST

START_TEST(many_tasks_at_once)
{
	for (int i = 0; i < 20; i++)
		fake_thread(one_call, NULL);
	fake_expect(20);
	fake_run();
	ck_assert_uint_eq(fake_fsd_served[1], 20000);
}
END_TEST

#define BATCH 400
static struct fs_req batch_req[BATCH];
static u32 batch_done;

static void batch_callback(struct fs_req *req)
{
	ck_assert_int_eq(req->error, 0);
	ck_assert_uint_eq(req->written, 8);
	arena_free(req->arg, 1);
	batch_done++;
}

static void submit_batch(void *arg)
{
	struct fs_req *list[BATCH];

	for (u32 i = 0; i < BATCH; i++) {
		u8 *page = arena_alloc(1);

		fill(&batch_req[i], page, 8, 8, (u8)i);
		batch_req[i].done = batch_callback;
		batch_req[i].arg = page;
		list[i] = &batch_req[i];
	}
	fs_chan_submit(chan, FS_CHAN_REQUEST, list, BATCH);
	while (batch_done < BATCH)
		fake_yield();
	fake_done();
}

START_TEST(batch_larger_than_the_ring)
{
	u32 pages = arena_free_pages();

	batch_done = 0;
	fake_thread(submit_batch, NULL);
	fake_expect(1);
	fake_run();
	ck_assert_uint_eq(arena_free_pages(), pages);
	ck_assert_uint_lt(fake_doorbells, 20);
}
END_TEST

static void forget_callback(struct fs_req *req)
{
	arena_free(req->seg[0].va, 1);
	free(req);
	batch_done++;
}

static void forget_many(void *arg)
{
	struct fs_req *last = calloc(1, sizeof(*last));

	for (u32 i = 0; i < 500; i++) {
		struct fs_req *req = calloc(1, sizeof(*req));

		req->seg[0] = (struct fs_seg){ arena_alloc(1), 64 };
		req->nout = 1;
		req->done = forget_callback;
		fs_chan_submit(chan, FS_CHAN_HIPRIO, &req, 1);
		fake_yield();
	}
	/* An ordinary call collects what is left. */
	fill(last, arena_alloc(1), 8, 8, 1);
	ck_assert_int_eq(fs_chan_call(chan, last), 0);
	fake_done();
}

START_TEST(forgets_need_no_waiter)
{
	batch_done = 0;
	fake_thread(forget_many, NULL);
	fake_expect(1);
	fake_run();
	ck_assert_uint_eq(fake_fsd_served[0], 500);
	ck_assert_uint_eq(batch_done, 500);
}
END_TEST

static void dying_call(void *arg)
{
	u8 *page = arena_alloc(1);
	struct fs_req req;

	fill(&req, page, 8, 8, 1);
	ck_assert_int_eq(fs_chan_call(chan, &req), -EIO);
	/* And from now on at once. */
	fill(&req, page, 8, 8, 1);
	ck_assert_int_eq(fs_chan_call(chan, &req), -EIO);
	fake_done();
}

static void kill_server(void *arg)
{
	fake_fsd_die();
	fake_done();
}

START_TEST(dead_server_fails_everything)
{
	fake_fsd_asleep = true;
	for (int i = 0; i < 3; i++)
		fake_thread(dying_call, NULL);
	fake_thread(kill_server, NULL);
	fake_expect(4);
	fake_run();
}
END_TEST

static void call_of_the_dead(void *arg)
{
	u8 *page = arena_alloc(1);
	struct fs_req req;

	fill(&req, page, 8, 8, 1);
	ck_assert_int_eq(fs_chan_call(chan, &req), 0);
	fake_fsd_die_polling();
	/* The device's cry is over before anything is asked. */
	for (int i = 0; i < 10; i++)
		fake_yield();
	dying_call(arg);
}

/* A server that dies while it polls leaves its doorbells off: the device does not hear of a request. */
START_TEST(server_that_died_idle_fails_what_comes)
{
	fake_thread(call_of_the_dead, NULL);
	fake_expect(1);
	fake_run();
}
END_TEST

static u32 answered, unanswered;

static void one_of_two(void *arg)
{
	u8 *page = arena_alloc(1);
	struct fs_req req;

	fill(&req, page, 8, 8, 1);
	if (fs_chan_call(chan, &req))
		unanswered++;
	else
		answered++;
	fake_done();
}

static void answer_and_die(void *arg)
{
	fake_fsd_serve_once();
	fake_fsd_die();
	fake_done();
}

/* An interrupt that brings an answer may be the device's cry as well: nobody else tells of it. */
START_TEST(death_behind_an_answer_fails_the_rest)
{
	answered = unanswered = 0;
	fake_fsd_asleep = true;
	fake_thread(one_of_two, NULL);
	fake_thread(one_of_two, NULL);
	fake_thread(answer_and_die, NULL);
	fake_expect(3);
	fake_run();
	ck_assert_uint_eq(answered, 1);
	ck_assert_uint_eq(unanswered, 1);
}
END_TEST

static void forget_until_it_fails(void *arg)
{
	for (u32 i = 0; i < 200; i++) {
		struct fs_req *req = calloc(1, sizeof(*req));

		req->seg[0] = (struct fs_seg){ arena_alloc(1), 64 };
		req->nout = 1;
		req->done = forget_callback;
		fs_chan_submit(chan, FS_CHAN_HIPRIO, &req, 1);
	}
	ck_assert_uint_eq(batch_done, 200);
	fake_done();
}

/* Those who wait for room are told too, where nobody waits for an answer. */
START_TEST(death_ends_the_wait_for_room)
{
	batch_done = 0;
	fake_fsd_die_polling();
	for (int i = 0; i < 10; i++)
		fake_host_step(0);
	(void)fake_host_raised();
	fake_thread(forget_until_it_fails, NULL);
	fake_expect(1);
	fake_run();
}
END_TEST

static void reopen(void *arg)
{
	u8 *page = arena_alloc(1);
	u32 pages = arena_free_pages(), opening = fs_chan_opening(chan);
	struct fs_req req;

	for (u32 i = 0; i < 20; i++) {
		fs_chan_close(chan);
		fill(&req, page, 8, 8, 1);
		ck_assert_int_eq(fs_chan_call(chan, &req), -EIO);
		ck_assert_int_eq(fs_chan_open("rootfs", &chan), 0);
		fill(&req, page, 8, 8, 1);
		req.opening = fs_chan_opening(chan);
		ck_assert_int_eq(fs_chan_call(chan, &req), 0);
		/* Whoever had it before the close does not reach the next server. */
		fill(&req, page, 8, 8, 1);
		req.opening = opening;
		ck_assert_int_eq(fs_chan_call(chan, &req), -EIO);
		opening = fs_chan_opening(chan);
	}
	ck_assert_uint_eq(arena_free_pages(), pages);
	fake_done();
}

START_TEST(close_and_open_again)
{
	fake_thread(reopen, NULL);
	fake_expect(1);
	fake_run();
}
END_TEST

static u8 *cut_page;

static void cut_call(void *arg)
{
	u32 opening = fs_chan_opening(chan);
	struct fs_req req;

	cut_page = arena_alloc(1);
	fill(&req, cut_page, 8, 8, 1);
	req.opening = opening;
	ck_assert_int_eq(fs_chan_call(chan, &req), -EIO);
	ck_assert(req.cut);
	fs_chan_keep(chan, opening, cut_page, 1);
	fake_done();
}

static void close_and_go_on(void *arg)
{
	u32 pages = arena_free_pages() + 1;
	struct fs_req req;
	u8 *page;

	fs_chan_close(chan);
	fake_yield();
	/* Whoever asks for a page gets another one, and the device is not to be had. */
	ck_assert_uint_eq(arena_free_pages(), pages - 1);
	page = arena_alloc(1);
	ck_assert_ptr_ne(page, cut_page);
	ck_assert_int_eq(fs_chan_open("rootfs", &chan), -EIO);
	ck_assert_uint_eq(cut_page[2048], 0);
	fake_fsd_asleep = false;
	ck_assert_int_eq(fs_chan_open("rootfs", &chan), 0);
	ck_assert_uint_eq(cut_page[2048], 2);
	ck_assert_uint_eq(arena_free_pages(), pages - 1);
	fill(&req, page, 8, 8, 1);
	req.opening = fs_chan_opening(chan);
	ck_assert_int_eq(fs_chan_call(chan, &req), 0);
	/* Of an opening that is over pages go back at once. */
	fs_chan_keep(chan, req.opening - 1, page, 1);
	ck_assert_uint_eq(arena_free_pages(), pages);
	fake_done();
}

/* A server that stands still has a request in its hands when it is cut off: its pages are not given to others before it is known to be done with them. */
START_TEST(pages_of_a_cut_request_stay)
{
	fake_fsd_asleep = true;
	fake_thread(cut_call, NULL);
	fake_thread(close_and_go_on, NULL);
	fake_expect(2);
	fake_run();
}
END_TEST

/* ---- the ring against a device that lies ---- */

static struct ring lie;
static u8 lie_mem[8192] __aligned(4096);

struct lie_used {
	u16 flags, idx;
	struct {
		u32 id, len;
	} ring[16];
};

static struct lie_used *lie_setup(void)
{
	struct ring_buf buf[2] = { { lie_mem + 4096, 10 }, { lie_mem + 5000, 20 } };

	memset(lie_mem, 0, sizeof(lie_mem));
	ring_init(&lie, lie_mem, 16);
	ck_assert_uint_le(ring_bytes(16), 4096);
	ck_assert_int_eq(ring_add(&lie, buf, 1, 1, (void *)1), 0);
	ck_assert_int_eq(ring_add(&lie, buf, 1, 1, (void *)2), 0);
	ck_assert(ring_publish(&lie));
	return (void *)lie.used;
}

static const struct {
	u16 idx;
	u32 id, len;
	bool ok;
} lies[] = {
	{ 1, 0, 20, true },
	{ 1, 2, 0, true },
	{ 2, 0, 20, true },
	{ 3, 0, 0, false }, /* more than are in flight */
	{ 0xffff, 0, 0, false },
	{ 1, 1, 0, false }, /* not a head */
	{ 1, 4, 0, false }, /* never added */
	{ 1, 16, 0, false },
	{ 1, 0xffffffff, 0, false },
	{ 1, 0, 21, false }, /* more than was writable */
	{ 1, 0, 0xffffffff, false },
};

START_TEST(device_that_lies)
{
	struct lie_used *used = lie_setup();
	u32 written = 0;
	void *p;

	used->ring[0].id = lies[_i].id;
	used->ring[0].len = lies[_i].len;
	used->idx = lies[_i].idx;
	p = ring_take(&lie, &written);
	ck_assert_int_eq(p != NULL, lies[_i].ok);
	ck_assert_int_eq(lie.broken, !lies[_i].ok);
	if (lies[_i].ok)
		return;
	ck_assert_int_eq(ring_add(&lie, NULL, 0, 1, NULL), -EIO);
	ck_assert_ptr_null(ring_take(&lie, &written));
	ck_assert_ptr_eq(ring_abort(&lie), (void *)1);
	ck_assert_ptr_eq(ring_abort(&lie), (void *)2);
	ck_assert_ptr_null(ring_abort(&lie));
}
END_TEST

START_TEST(same_answer_twice)
{
	struct lie_used *used = lie_setup();
	u32 written;

	used->ring[0].id = 0;
	used->ring[1].id = 0;
	used->idx = 2;
	ck_assert_ptr_eq(ring_take(&lie, &written), (void *)1);
	ck_assert_ptr_null(ring_take(&lie, &written));
	ck_assert(lie.broken);
}
END_TEST

START_TEST(descriptors_in_shared_memory_are_not_believed)
{
	struct lie_used *used = lie_setup();
	u32 written;

	/* The device rewrites the table: the private links still hold. */
	memset(lie.desc, 0xff, 16 * 16);
	used->ring[0].id = 0;
	used->idx = 1;
	ck_assert_ptr_eq(ring_take(&lie, &written), (void *)1);
	ck_assert_uint_eq(lie.nfree, 14);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("drivers_fs_chan");
	TCase *tc = tcase_create("fs_chan");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, arena_runs);
	tcase_add_test(tc, arena_exhaustion);
	tcase_add_test(tc, arena_waits);
	tcase_add_test(tc, call_and_answer);
	tcase_add_test(tc, prompt_answer);
	tcase_add_test(tc, slow_server_ends_in_sleep_and_interrupt);
	tcase_add_test(tc, many_tasks_at_once);
	tcase_add_test(tc, batch_larger_than_the_ring);
	tcase_add_test(tc, forgets_need_no_waiter);
	tcase_add_test(tc, dead_server_fails_everything);
	tcase_add_test(tc, server_that_died_idle_fails_what_comes);
	tcase_add_test(tc, death_behind_an_answer_fails_the_rest);
	tcase_add_test(tc, death_ends_the_wait_for_room);
	tcase_add_test(tc, close_and_open_again);
	tcase_add_test(tc, pages_of_a_cut_request_stay);
	tcase_add_loop_test(tc, device_that_lies, 0, ARRAY_SIZE(lies));
	tcase_add_test(tc, same_answer_twice);
	tcase_add_test(tc, descriptors_in_shared_memory_are_not_believed);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
