/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of guest memory look-up and of the ring parser, above all on malformed rings. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/lib/fake_ring.h"
#include "vmm/gmem.h"
#include "vmm/virtio/queue.h"

#define QSIZE 16
#define RING  0x10000 /* offset of the ring in fake memory */
#define TABLE 0x20000 /* offset of an indirect table */
#define DATA  0x40000 /* offset of buffers */

#define W VRING_DESC_F_WRITE
#define N VRING_DESC_F_NEXT
#define I VRING_DESC_F_INDIRECT

static struct fake_mem mem;
static struct fake_ring ring;
static struct vq q;
static struct vq_chain chain;

static void setup(void)
{
	fake_mem_init(&mem);
	fake_ring_init(&ring, &mem, RING, QSIZE);
	memset(&q, 0, sizeof(q));
	ck_assert_int_eq(
		vq_setup(&q, &mem.gmem, QSIZE, ring.desc_gpa, ring.driver_gpa, ring.device_gpa), 0);
}

static void teardown(void)
{
	fake_mem_fini(&mem);
}

START_TEST(gmem_bounds)
{
	static const struct {
		uint64_t gpa, len;
		bool ok;
	} t[] = {
		{ FAKE_GPA, 1, true },
		{ FAKE_GPA, FAKE_SIZE, true },
		{ FAKE_GPA + FAKE_SIZE - 1, 1, true },
		{ FAKE_GPA, 0, false },
		{ FAKE_GPA, FAKE_SIZE + 1, false },
		{ FAKE_GPA - 1, 2, false },
		{ FAKE_GPA + FAKE_SIZE, 1, false },
		{ FAKE_GPA + FAKE_SIZE - 1, 2, false },
		{ FAKE_GPA + 1, UINT64_MAX, false },
		{ UINT64_MAX, 2, false },
		{ 0, 1, false },
	};
	char c[1];

	ck_assert_int_eq(t[_i].ok, gmem_ptr(&mem.gmem, t[_i].gpa, t[_i].len, true) != NULL);
	if (t[_i].len == 1)
		ck_assert_int_eq(gmem_read(&mem.gmem, t[_i].gpa, c, 1), t[_i].ok ? 0 : -EFAULT);
}
END_TEST

START_TEST(gmem_regions)
{
	struct gmem g = { .count = 0 };
	static uint8_t b[3][0x1000];

	ck_assert_int_eq(gmem_add(&g, 0x1000, 0x1000, b[0], true), 0);
	ck_assert_int_eq(gmem_add(&g, 0x2000, 0x1000, b[1], false), 0);
	ck_assert_int_eq(gmem_add(&g, 0x1800, 0x1000, b[2], true), -EEXIST);
	ck_assert_int_eq(gmem_add(&g, 0x800, 0x10000, b[2], true), -EEXIST);
	ck_assert_int_eq(gmem_add(&g, UINT64_MAX - 4, 0x1000, b[2], true), -EINVAL);
	ck_assert_int_eq(gmem_add(&g, 0x5000, 0, b[2], true), -EINVAL);
	/* Neighbours are not one range, and the second is read-only. */
	ck_assert_ptr_eq(gmem_ptr(&g, 0x1fff, 2, false), NULL);
	ck_assert_ptr_eq(gmem_ptr(&g, 0x2000, 8, true), NULL);
	ck_assert_ptr_eq(gmem_ptr(&g, 0x2000, 8, false), b[1]);
	ck_assert_int_eq(gmem_write(&g, 0x2000, "x", 1), -EFAULT);
	ck_assert_int_eq(gmem_write(&g, 0x1ffe, "xy", 2), 0);
	ck_assert_mem_eq(b[0] + 0xffe, "xy", 2);
}
END_TEST

#define D   (FAKE_GPA + RING)
#define A   (D + 0x2000)
#define U   (D + 0x3000)
#define END (FAKE_GPA + FAKE_SIZE)

static const struct {
	uint16_t size;
	uint64_t desc, driver, device;
} bad_setup[] = {
	{ 0, D, A, U },
	{ 3, D, A, U },
	{ 512, D, A, U },
	{ 32768, D, A, U },
	{ QSIZE, D + 8, A, U },
	{ QSIZE, D, A + 1, U },
	{ QSIZE, D, A, U + 2 },
	{ QSIZE, 0, A, U },
	{ QSIZE, D, 0, U },
	{ QSIZE, D, A, 0 },
	{ QSIZE, END - 16, A, U },
	{ QSIZE, D, END - 2, U },
	{ QSIZE, D, A, END - 4 },
	{ QSIZE, UINT64_MAX - 15, A, U },
};

START_TEST(setup_refuses)
{
	ck_assert_int_eq(vq_setup(&q, &mem.gmem, bad_setup[_i].size, bad_setup[_i].desc,
				 bad_setup[_i].driver, bad_setup[_i].device),
		-EINVAL);
	ck_assert_int_eq(vq_pop(&q, &chain), 0);
	vq_push(&q, 0, 0);
	ck_assert(!vq_wants_interrupt(&q));
}
END_TEST

START_TEST(good_chain)
{
	uint32_t id, len;
	char buf[16];

	memcpy(fake_ptr(&mem, DATA), "hello, ", 7);
	memcpy(fake_ptr(&mem, DATA + 0x100), "world", 5);
	fake_ring_desc(&ring, 3, FAKE_GPA + DATA, 7, N, 9);
	fake_ring_desc(&ring, 9, FAKE_GPA + DATA + 0x100, 5, N, 1);
	fake_ring_desc(&ring, 1, FAKE_GPA + DATA + 0x200, 4, W | N, 2);
	fake_ring_desc(&ring, 2, FAKE_GPA + DATA + 0x300, 100, W, 0);
	ck_assert_int_eq(vq_pop(&q, &chain), 0);
	fake_ring_publish(&ring, 3);
	ck_assert_int_eq(vq_pop(&q, &chain), 1);
	ck_assert_uint_eq(chain.head, 3);
	ck_assert_uint_eq(chain.nread, 2);
	ck_assert_uint_eq(chain.nwrite, 2);
	ck_assert_uint_eq(chain.read_len, 12);
	ck_assert_uint_eq(chain.write_len, 104);
	ck_assert_uint_eq(vq_chain_read(&chain, 5, buf, sizeof(buf)), 7);
	ck_assert_mem_eq(buf, ", world", 7);
	ck_assert_uint_eq(vq_chain_write(&chain, 2, "abcdef", 6), 6);
	ck_assert_mem_eq(fake_ptr(&mem, DATA + 0x202), "ab", 2);
	ck_assert_mem_eq(fake_ptr(&mem, DATA + 0x300), "cdef", 4);
	ck_assert_uint_eq(vq_chain_write(&chain, 103, "xyz", 3), 1);
	ck_assert_uint_eq(vq_chain_write(&chain, 104, "xyz", 3), 0);
	vq_push(&q, chain.head, 8);
	ck_assert(fake_ring_take(&ring, &id, &len));
	ck_assert_uint_eq(id, 3);
	ck_assert_uint_eq(len, 8);
	ck_assert_int_eq(vq_pop(&q, &chain), 0);
}
END_TEST

START_TEST(indices_wrap)
{
	uint32_t id, len;

	/* More than 2^16 requests: both 16-bit indices pass their end. */
	for (unsigned int i = 0; i < 70000; i++) {
		uint16_t head = fake_ring_add(&ring, DATA, 8, DATA + 0x100, 8);

		if (vq_pop(&q, &chain) != 1 || chain.head != head)
			ck_abort_msg("request %u", i);
		vq_push(&q, head, i & 7);
		if (!fake_ring_take(&ring, &id, &len) || id != head || len != (i & 7))
			ck_abort_msg("answer %u", i);
	}
}
END_TEST

START_TEST(full_queue_is_fine_one_more_is_not)
{
	fake_ring_desc(&ring, 0, FAKE_GPA + DATA, 8, 0, 0);
	for (int i = 0; i < QSIZE; i++)
		fake_ring_publish(&ring, 0);
	ck_assert_int_eq(vq_available(&q), 1);
	for (int i = 0; i < QSIZE; i++)
		ck_assert_int_eq(vq_pop(&q, &chain), 1);
	ck_assert_int_eq(vq_pop(&q, &chain), 0);
	ring.avail->idx += QSIZE + 1;
	ck_assert_int_eq(vq_pop(&q, &chain), -EPROTO);
	/* Broken stays broken, whatever the driver repairs. */
	ring.avail->idx -= QSIZE + 1;
	ck_assert_int_eq(vq_pop(&q, &chain), -EPROTO);
	ck_assert(!vq_doorbell_on(&q));
}
END_TEST

START_TEST(longest_chain)
{
	for (uint16_t i = 0; i < QSIZE; i++)
		fake_ring_desc(&ring, i, FAKE_GPA + DATA + 8u * i, 8, i < QSIZE - 1 ? N : 0, i + 1);
	fake_ring_publish(&ring, 0);
	ck_assert_int_eq(vq_pop(&q, &chain), 1);
	ck_assert_uint_eq(chain.nread, QSIZE);
	ck_assert_uint_eq(chain.read_len, 8 * QSIZE);
}
END_TEST

START_TEST(indirect_chain)
{
	struct vring_desc *t = fake_ptr(&mem, TABLE);

	t[0] = (struct vring_desc){ .addr = FAKE_GPA + DATA, .len = 4, .flags = N, .next = 2 };
	t[2] = (struct vring_desc){ .addr = FAKE_GPA + DATA + 64, .len = 6, .flags = W };
	fake_ring_desc(&ring, 5, FAKE_GPA + TABLE, 3 * sizeof(*t), I, 0);
	fake_ring_publish(&ring, 5);
	ck_assert_int_eq(vq_pop(&q, &chain), 1);
	ck_assert_uint_eq(chain.head, 5);
	ck_assert_uint_eq(chain.read_len, 4);
	ck_assert_uint_eq(chain.write_len, 6);
}
END_TEST

/* Each case: descriptors of the ring (index = position), descriptors of an indirect table, the head that is published. */
struct bad_chain {
	const char *what, *fault; /* part of what the queue says */
	uint16_t head;
	struct vring_desc d[3];
	struct vring_desc t[3];
};

#define GOOD (FAKE_GPA + DATA)
#define TAB  (FAKE_GPA + TABLE)

static const struct bad_chain bad[] = {
	{ "head outside the table", "begins beyond", QSIZE, { { GOOD, 8, 0, 0 } }, {} },
	{ "head far outside", "begins beyond", 0xffff, { { GOOD, 8, 0, 0 } }, {} },
	{ "next outside the table", "a descriptor beyond", 0, { { GOOD, 8, N, QSIZE } }, {} },
	{ "loop on itself", "a chain longer", 0, { { GOOD, 8, N, 0 } }, {} },
	{ "loop of two", "a chain longer", 0, { { GOOD, 8, N, 1 }, { GOOD, 8, N, 0 } }, {} },
	{ "zero length", "a buffer does not lie", 0, { { GOOD, 0, 0, 0 } }, {} },
	{ "address 0", "a buffer does not lie", 0, { { 0, 8, 0, 0 } }, {} },
	{ "past the end", "a buffer does not lie", 0, { { END - 4, 8, 0, 0 } }, {} },
	{ "address wraps", "a buffer does not lie", 0, { { UINT64_MAX - 3, 8, W, 0 } }, {} },
	{ "huge length", "a buffer does not lie", 0, { { GOOD, UINT32_MAX, 0, 0 } }, {} },
	{ "readable after writable", "readable buffer behind", 0,
		{ { GOOD, 8, W | N, 1 }, { GOOD, 8, 0, 0 } }, {} },
	{ "indirect table too long", "alignment of an indirect", 0,
		{ { TAB, 16 * (QSIZE + 1), I, 0 } }, { { GOOD, 8, 0, 0 } } },
	{ "indirect length 0", "alignment of an indirect", 0, { { TAB, 0, I, 0 } },
		{ { GOOD, 8, 0, 0 } } },
	{ "indirect length 8", "alignment of an indirect", 0, { { TAB, 8, I, 0 } },
		{ { GOOD, 8, 0, 0 } } },
	{ "indirect length 17", "alignment of an indirect", 0, { { TAB, 17, I, 0 } },
		{ { GOOD, 8, 0, 0 } } },
	{ "indirect and next", "alignment of an indirect", 0,
		{ { TAB, 16, I | N, 1 }, { GOOD, 8, 0, 0 } }, { { GOOD, 8, 0, 0 } } },
	{ "indirect in indirect", "alignment of an indirect", 0, { { TAB, 32, I, 0 } },
		{ { TAB, 16, I, 0 } } },
	{ "indirect table outside memory", "indirect table does not lie", 0,
		{ { END - 16, 32, I, 0 } }, {} },
	{ "indirect table misaligned", "alignment of an indirect", 0, { { TAB + 8, 16, I, 0 } },
		{ { GOOD, 8, 0, 0 } } },
	{ "next outside the indirect table", "a descriptor beyond", 0, { { TAB, 32, I, 0 } },
		{ { GOOD, 8, N, 2 } } },
	{ "loop in the indirect table", "without end", 0, { { TAB, 32, I, 0 } },
		{ { GOOD, 8, N, 0 } } },
};

START_TEST(malformed_chain)
{
	const struct bad_chain *b = &bad[_i];
	uint32_t id, len;

	memcpy(ring.desc, b->d, sizeof(b->d));
	memcpy(fake_ptr(&mem, TABLE), b->t, sizeof(b->t));
	fake_ring_publish(&ring, b->head);
	ck_assert_msg(vq_pop(&q, &chain) == -EPROTO, "%s", b->what);
	ck_assert_msg(q.broken, "%s", b->what);
	ck_assert_msg(strstr(q.fault, b->fault) != NULL, "%s: %s", b->what, q.fault);
	vq_push(&q, 0, 0);
	ck_assert_msg(!fake_ring_take(&ring, &id, &len), "%s", b->what);
}
END_TEST

START_TEST(too_many_bytes)
{
	/* Two buffers whose lengths add up to 2^32: each alone fits the region. */
	struct gmem g = { .count = 0 };

	ck_assert_int_eq(gmem_add(&g, FAKE_GPA, FAKE_SIZE, mem.base, true), 0);
	/* Never dereferenced: only the arithmetic is under test. */
	ck_assert_int_eq(gmem_add(&g, 1UL << 40, 1UL << 33, mem.base, true), 0);
	ck_assert_int_eq(
		vq_setup(&q, &g, QSIZE, ring.desc_gpa, ring.driver_gpa, ring.device_gpa), 0);
	fake_ring_desc(&ring, 0, 1UL << 40, 1U << 31, N, 1);
	fake_ring_desc(&ring, 1, 1UL << 40, 1U << 31, 0, 0);
	fake_ring_publish(&ring, 0);
	ck_assert_int_eq(vq_pop(&q, &chain), -EPROTO);
}
END_TEST

START_TEST(suppression)
{
	vq_doorbell_off(&q);
	ck_assert_uint_eq(ring.used->flags, VRING_USED_F_NO_NOTIFY);
	ck_assert(!vq_doorbell_on(&q));
	ck_assert_uint_eq(ring.used->flags, 0);
	vq_doorbell_off(&q);
	fake_ring_add(&ring, DATA, 8, 0, 0);
	ck_assert(vq_doorbell_on(&q));
	ck_assert(vq_wants_interrupt(&q));
	ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	ck_assert(!vq_wants_interrupt(&q));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio_queue");
	TCase *tc = tcase_create("queue");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, gmem_bounds, 0, 11);
	tcase_add_test(tc, gmem_regions);
	tcase_add_loop_test(tc, setup_refuses, 0, sizeof(bad_setup) / sizeof(bad_setup[0]));
	tcase_add_test(tc, good_chain);
	tcase_add_test(tc, indices_wrap);
	tcase_add_test(tc, full_queue_is_fine_one_more_is_not);
	tcase_add_test(tc, longest_chain);
	tcase_add_test(tc, indirect_chain);
	tcase_add_loop_test(tc, malformed_chain, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, too_many_bytes);
	tcase_add_test(tc, suppression);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
