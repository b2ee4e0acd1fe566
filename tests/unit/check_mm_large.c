/* SPDX-License-Identifier: Apache-2.0 */
/* Anonymous memory in pieces of 2 MiB, on fake page tables: when there are some, and everything that takes them apart. */
#include <linux/mman.h>
#include <stdlib.h>

#include "fake_guest.h"
#include "fake_pgtable.h"
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/usercopy.h"
#include "must.h"

#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define PIECE PTE_TABLE_SPAN

static struct as *as;
static u64 free_before;

static u64 free_now(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.free + s.slab;
}

static void setup(void)
{
	fake_ram(64);
	zero_page();
	free_before = free_now();
	as = as_create();
	fake_as = as;
}

/* Whatever a test did: everything is given back. */
static void teardown(void)
{
	struct page_stats s;

	as_put(as);
	must(fake_spin_held == 0);
	must(fake_sem_held == 0);
	must(free_now() == free_before);
	page_stats(&s);
	must(s.anon == 0);
	must(pgt_large_count() == 0);
}

static u64 get64(uaddr_t at)
{
	u64 v = 0;

	must(copy_from_user(&v, at, sizeof(v)) == 0);
	return v;
}

static void put64(uaddr_t at, u64 v)
{
	must(copy_to_user(at, &v, sizeof(v)) == 0);
}

/* Memory whose first piece begins a page behind `at`, n pieces and a page. */
static uaddr_t area(u64 n)
{
	u64 len = (n + 2) * PIECE;
	uaddr_t at = (uaddr_t)as_mmap(as, 0, len, RW, ANON, NULL, 0);
	uaddr_t first = ALIGN_UP(at + PAGE_SIZE, PIECE);

	must(at < USER_TOP);
	must(as_munmap(as, at, first - PAGE_SIZE - at) == 0);
	must(as_munmap(as, first + n * PIECE, at + len - (first + n * PIECE)) == 0);
	return first - PAGE_SIZE;
}

static void fill(uaddr_t at, uaddr_t end)
{
	for (; at < end; at += PAGE_SIZE)
		put64(at + 8, at);
}

static bool filled(uaddr_t at, uaddr_t end)
{
	bool good = true;

	for (; at < end; at += PAGE_SIZE)
		good = good && get64(at + 8) == at && get64(at) == 0;
	return good;
}

START_TEST(test_sequential_touch)
{
	uaddr_t at = area(3), first = at + PAGE_SIZE;

	fill(at, first + 3 * PIECE);
	must(pgt_large_count() == 3);
	must(pgt_is_large(&as->pt, first + PIECE));
	must(as_rss(as) == 3 * 512 + 1);
	must(filled(at, first + 3 * PIECE));
	must(pgt_large_count() == 3); /* looking takes nothing apart */
}
END_TEST

START_TEST(test_first_touch_is_small)
{
	uaddr_t at = area(2), first = at + PAGE_SIZE;

	put64(first, 1);
	put64(first + PIECE + 7 * PAGE_SIZE, 1);
	must(pgt_large_count() == 0);
	must(as_rss(as) < 64);
}
END_TEST

START_TEST(test_advice)
{
	uaddr_t at = area(3), first = at + PAGE_SIZE;
	struct vma_stats s;

	must(as_madvise(as, first, 2 * PIECE, MADV_HUGEPAGE) == 0);
	put64(first + PIECE + 100 * PAGE_SIZE, 1);
	must(pgt_is_large(&as->pt, first + PIECE));
	vma_stats(as_find_vma(as, first), &s);
	must(s.huge == 512 && s.rss == 512);
	must(as_madvise(as, first, 3 * PIECE, MADV_NOHUGEPAGE) == 0);
	fill(at, first + PIECE);
	must(!pgt_is_large(&as->pt, first));
	must(pgt_is_large(&as->pt, first + PIECE)); /* what is there stays */
	as->no_huge = true;
	must(as_madvise(as, first, 3 * PIECE, MADV_HUGEPAGE) == 0);
	put64(first + 2 * PIECE, 1);
	must(pgt_large_count() == 1);
}
END_TEST

START_TEST(test_unmap_inside)
{
	uaddr_t at = area(2), first = at + PAGE_SIZE, hole = first + 77 * PAGE_SIZE;

	fill(at, first + 2 * PIECE);
	must(as_munmap(as, hole, PAGE_SIZE) == 0);
	must(!pgt_is_large(&as->pt, first) && pgt_is_large(&as->pt, first + PIECE));
	must(filled(at, hole));
	must(filled(hole + PAGE_SIZE, first + 2 * PIECE));
	must(as_rss(as) == 2 * 512);
}
END_TEST

START_TEST(test_protect_and_discard)
{
	uaddr_t at = area(2), first = at + PAGE_SIZE;

	fill(at, first + 2 * PIECE);
	must(as_mprotect(as, first + PAGE_SIZE, PAGE_SIZE, PROT_READ) == 0);
	must(!pgt_is_large(&as->pt, first));
	must(copy_to_user(first + PAGE_SIZE, "x", 1) != 0);
	must(filled(at, first + 2 * PIECE));
	must(as_madvise(as, first + PIECE, PIECE, MADV_DONTNEED) == 0);
	must(get64(first + PIECE + 8) == 0);
	must(filled(at, first + PIECE));
}
END_TEST

START_TEST(test_fork)
{
	uaddr_t at = area(2), first = at + PAGE_SIZE;
	struct as *child;
	int err = 0;

	fill(at, first + 2 * PIECE);
	as->no_huge = true;
	child = as_fork(as, &err);
	must(child != NULL);
	must(child->no_huge);
	must(pgt_large_count() == 0);
	put64(first + 8, 1);
	fake_as = child;
	must(filled(at, first + 2 * PIECE));
	put64(first + PIECE + 8, 2);
	fake_as = as;
	must(get64(first + 8) == 1);
	must(filled(first + PAGE_SIZE, first + 2 * PIECE));
	as_put(child);
}
END_TEST

START_TEST(test_move)
{
	uaddr_t at = area(2), first = at + PAGE_SIZE;
	s64 to;

	fill(at, first + 2 * PIECE);
	to = as_mremap(as, first, PIECE, 3 * PIECE, MREMAP_MAYMOVE, 0);
	must(to > 0);
	must(pgt_is_large(&as->pt, first + PIECE));
	for (u64 i = 0; i < 512; i++)
		must(get64((uaddr_t)to + i * PAGE_SIZE + 8) == first + i * PAGE_SIZE);
	must(filled(first + PIECE, first + 2 * PIECE));
}
END_TEST

/* A piece is taken of what is free in abundance, and only there. */
START_TEST(test_little_memory)
{
	u64 n = 24; /* of 32 MiB pairs: more than three quarters of the 64 MiB */
	uaddr_t at = area(n + 4), first = at + PAGE_SIZE;

	fill(at, first + (n + 4) * PIECE);
	must(pgt_large_count() > 0 && pgt_large_count() < n);
	must(filled(at, first + (n + 4) * PIECE));
}
END_TEST

START_TEST(test_access_from_outside)
{
	uaddr_t at = area(2), first = at + PAGE_SIZE;
	u64 v = 5;

	fill(at, first + 2 * PIECE);
	must(as_copy_to(as, first + 3 * PAGE_SIZE, &v, sizeof(v)) == sizeof(v));
	must(as_copy_from(as, &v, first + 3 * PAGE_SIZE + 8, sizeof(v)) == sizeof(v));
	must(v == first + 3 * PAGE_SIZE);
	must(get64(first + 3 * PAGE_SIZE) == 5);
	must(as_populate(as, first, 2 * PIECE, true) == 0);
	must(pgt_large_count() == 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm_large");
	TCase *tc = tcase_create("large");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_sequential_touch);
	tcase_add_test(tc, test_first_touch_is_small);
	tcase_add_test(tc, test_advice);
	tcase_add_test(tc, test_unmap_inside);
	tcase_add_test(tc, test_protect_and_discard);
	tcase_add_test(tc, test_fork);
	tcase_add_test(tc, test_move);
	tcase_add_test(tc, test_little_memory);
	tcase_add_test(tc, test_access_from_outside);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
