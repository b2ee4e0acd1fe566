/* SPDX-License-Identifier: Apache-2.0 */
/* The page allocator and the slab on fake RAM: no overlap, zeroing, coalescing, reserve, memory back to the host. */
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "must.h"

static void setup(void)
{
	fake_ram(64);
}

static void teardown(void)
{
	must(fake_spin_held == 0);
}

static bool all_bytes(const void *p, int c, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++) {
		if (b[i] != c)
			return false;
	}
	return true;
}

START_TEST(test_never_used_metadata_is_untouched)
{
	struct page *p = page_alloc(0, GFP_ZERO | GFP_USER);
	struct page *far = page_of(FAKE_RAM_START + (60UL << 20));

	must((p) != NULL);
	must(all_bytes(page_va(p), 0, PAGE_SIZE));
	must(all_bytes(far, 0, sizeof(*far)));
	must(page_pa(p) < (FAKE_RAM_START + (4UL << 20)));
	page_put(p);
}
END_TEST

/* The array's end and the first pages share no 2 MiB of the host's where there is memory enough; a small machine uses all. */
START_TEST(test_the_arrays_end_is_left_alone)
{
	struct page_stats st;
	paddr_t pa;

	page_stats(&st); /* of 64 MiB */
	must(st.total % 512 != 0);
	fake_ram(192);
	pa = page_pa(page_alloc(0, GFP_USER));
	must(pa % (2UL << 20) == 0);
	page_stats(&st);
	must(st.total == (192UL << 8) - ((pa - FAKE_RAM_START) >> PAGE_SHIFT));
}
END_TEST

START_TEST(test_freed_pages_are_reused_and_zeroed_on_demand)
{
	struct page *p = page_alloc(0, 0);
	paddr_t pa = page_pa(p);

	memset(page_va(p), 0xaa, PAGE_SIZE);
	page_put(p);
	p = page_alloc(0, GFP_ZERO);
	must(page_pa(p) == pa);
	must(all_bytes(page_va(p), 0, PAGE_SIZE));
	page_put(p);
}
END_TEST

START_TEST(test_blocks_are_aligned)
{
	for (u32 order = 0; order <= PAGE_ORDER_MAX; order++) {
		struct page *p = page_alloc(order, GFP_ZERO);

		must((p) != NULL);
		must((page_pa(p) & ((PAGE_SIZE << order) - 1)) == 0);
		must(all_bytes(page_va(p), 0, PAGE_SIZE << order));
		memset(page_va(p), 0x55, PAGE_SIZE << order);
		page_free(p, order);
	}
	must((page_alloc(PAGE_ORDER_MAX + 1, 0)) == NULL);
}
END_TEST

#define HELD 2000
START_TEST(test_random_allocations_never_overlap)
{
	static struct {
		struct page *p;
		u32 order;
		u8 tag;
	} held[HELD];
	struct page_stats before, after;

	memset(held, 0, sizeof(held));
	srand(1);
	page_stats(&before);
	for (int i = 0; i < 60000; i++) {
		u32 slot = (u32)rand() % HELD;

		fake_cpu = (u32)rand() % 2;
		if (held[slot].p) {
			must(all_bytes(page_va(held[slot].p), held[slot].tag, PAGE_SIZE));
			page_free(held[slot].p, held[slot].order);
			held[slot].p = NULL;
			continue;
		}
		held[slot].order = rand() % 20 ? 0 : (u32)rand() % 6;
		held[slot].tag = (u8)rand();
		held[slot].p = page_alloc(held[slot].order, 0);
		if (held[slot].p)
			memset(page_va(held[slot].p), held[slot].tag,
				PAGE_SIZE << held[slot].order);
	}
	for (int i = 0; i < HELD; i++) {
		if (held[i].p)
			page_free(held[i].p, held[i].order);
	}
	page_stats(&after);
	must(before.free == after.free);
}
END_TEST

START_TEST(test_user_allocations_leave_a_reserve)
{
	u64 n = 0;
	struct page *p;

	while (page_alloc(0, GFP_USER))
		n++;
	must(n > 14000);
	p = page_alloc(0, 0);
	must((p) != NULL);
	page_put(p);
	while (page_alloc(0, 0))
		n++;
	must((page_alloc(3, 0)) == NULL);
}
END_TEST

START_TEST(test_free_memory_goes_back_in_large_blocks)
{
	static struct page *held[8192];
	u32 n = 0;
	struct page *p;

	while (n < ARRAY_SIZE(held) && (held[n] = page_alloc(0, 0)))
		n++;
	for (u32 i = 0; i < n; i++)
		page_put(held[i]);
	must(page_unreported() > 6000);
	fake_released_pages = 0;
	must(page_report(1024) > 4000);
	must(fake_released_pages > 4000);
	must(page_unreported() <= 2048);
	must(page_report(1024) == 0);
	/* what the host took back holds anything: zeroing must not be skipped */
	for (u32 i = 0; i < n; i++) {
		p = page_alloc(0, GFP_ZERO);
		must(all_bytes(page_va(p), 0, PAGE_SIZE));
		held[i] = p;
	}
	for (u32 i = 0; i < n; i++)
		page_put(held[i]);
}
END_TEST

START_TEST(test_kernel_pages_do_not_break_up_application_memory)
{
	static struct page *held[8192];
	u32 n = 0;

	while (n < ARRAY_SIZE(held) && (held[n] = page_alloc(0, GFP_USER)))
		must(n++ % 400 || page_alloc(0, 0)); /* page tables come in between, and stay */
	for (u32 i = 0; i < n; i++)
		page_put(held[i]);
	must(page_unreported() > 7000);
}
END_TEST

static u64 shrink_calls;
static struct page *shrink_page;
static u64 shrink_fake(u64 want)
{
	(void)want;
	shrink_calls++;
	if (!shrink_page)
		return 0;
	page_put(shrink_page);
	shrink_page = NULL;
	return 1;
}

START_TEST(test_allocation_shrinks_caches_before_it_fails)
{
	shrink_page = page_alloc(0, 0);
	shrink_calls = 0;
	while (page_alloc(0, 0))
		;
	page_set_reclaim(shrink_fake);
	must((page_alloc(0, 0)) != NULL);
	must((page_alloc(0, 0)) == NULL);
	page_set_reclaim(NULL);
	must(shrink_calls == 2);
}
END_TEST

START_TEST(test_double_free_panics)
{
	struct page *p = page_alloc(0, 0);

	page_free(p, 0);
	page_free(p, 0);
}
END_TEST

START_TEST(test_slab_objects_do_not_overlap)
{
	static struct {
		unsigned char *p;
		size_t size;
		u8 tag;
	} held[HELD];

	memset(held, 0, sizeof(held));
	srand(2);
	for (int i = 0; i < 100000; i++) {
		u32 slot = (u32)rand() % HELD;

		fake_cpu = (u32)rand() % 2;
		if (held[slot].p) {
			must(all_bytes(held[slot].p, held[slot].tag, held[slot].size));
			kfree(held[slot].p);
			held[slot].p = NULL;
			continue;
		}
		held[slot].size = rand() % 50 ? (size_t)(rand() % 3000) : (size_t)(rand() % 40000);
		held[slot].tag = (u8)rand();
		held[slot].p = kmalloc(held[slot].size);
		must((held[slot].p) != NULL);
		must(((u64)held[slot].p % 16) == 0);
		memset(held[slot].p, held[slot].tag, held[slot].size);
	}
	for (int i = 0; i < HELD; i++)
		kfree(held[i].p);
}
END_TEST

struct thing {
	u64 a[5];
};
static struct kcache things = KCACHE("thing", struct thing);

START_TEST(test_typed_cache)
{
	struct thing *t[500];

	for (int i = 0; i < 500; i++) {
		t[i] = kcache_zalloc(&things);
		must(all_bytes(t[i], 0, sizeof(*t[i])));
		memset(t[i], i & 255, sizeof(*t[i]));
	}
	for (int i = 0; i < 500; i++) {
		must(all_bytes(t[i], i & 255, sizeof(*t[i])));
		kcache_free(&things, t[i]);
	}
}
END_TEST

START_TEST(test_big_objects_and_limits)
{
	char *p = kmalloc(4UL << 20), *q;

	must((p) != NULL);
	p[(4UL << 20) - 1] = 1;
	kfree(p);
	must((kmalloc((4UL << 20) + 1)) == NULL);
	must((kmalloc(~0UL)) == NULL);
	p = kstrdup("hello");
	q = krealloc(p, 6, 20000);
	ck_assert_str_eq(q, "hello");
	kfree(q);
	kfree(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm_page");
	TCase *tc = tcase_create("page");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_never_used_metadata_is_untouched);
	tcase_add_test(tc, test_the_arrays_end_is_left_alone);
	tcase_add_test(tc, test_freed_pages_are_reused_and_zeroed_on_demand);
	tcase_add_test(tc, test_blocks_are_aligned);
	tcase_add_test(tc, test_random_allocations_never_overlap);
	tcase_add_test(tc, test_user_allocations_leave_a_reserve);
	tcase_add_test(tc, test_free_memory_goes_back_in_large_blocks);
	tcase_add_test(tc, test_kernel_pages_do_not_break_up_application_memory);
	tcase_add_test(tc, test_allocation_shrinks_caches_before_it_fails);
	tcase_add_test_raise_signal(tc, test_double_free_panics, 6);
	tcase_add_test(tc, test_slab_objects_do_not_overlap);
	tcase_add_test(tc, test_typed_cache);
	tcase_add_test(tc, test_big_objects_and_limits);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
