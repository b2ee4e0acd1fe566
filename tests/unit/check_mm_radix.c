/* SPDX-License-Identifier: Apache-2.0 */
/* The radix tree against an array: dense and far indexes, tags, ordered walks, and no node left at the end. */
#include <stdlib.h>

#include "fake_guest.h"
#include "kernel/errno.h"
#include "mm/page.h"
#include "mm/radix.h"
#include "must.h"

#define KEYS 600
static u64 keys[KEYS];
static bool in[KEYS], tagged[KEYS];

static int key_compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void make_keys(void)
{
	static const u64 bases[] = { 0, 4000, 1UL << 20, 1UL << 36, ~0UL - 200 };

	for (int i = 0; i < KEYS; i++)
		keys[i] = bases[i % 5] + (u64)(i / 5);
	qsort(keys, KEYS, sizeof(keys[0]), key_compare);
}

static void check_walk(struct radix *r, bool tag)
{
	u64 at = 0;
	int i = 0;

	for (;;) {
		void *item = radix_next(r, &at, tag);

		while (i < KEYS && !(tag ? tagged[i] : in[i]))
			i++;
		if (i == KEYS) {
			must((item) == NULL);
			break;
		}
		must(item == (&keys[i]));
		must(at == keys[i]);
		i++;
		if (at == ~0UL)
			break;
		at++;
	}
}

START_TEST(test_random_against_array)
{
	struct radix r = { NULL, 0 };

	fake_ram(64);
	make_keys();
	srand(5);
	for (int round = 0; round < 30000; round++) {
		int i = rand() % KEYS;

		switch (rand() % 3) {
		case 0:
			must(radix_insert(&r, keys[i], &keys[i]) == (in[i] ? -EEXIST : 0));
			in[i] = true;
			break;
		case 1:
			must(radix_remove(&r, keys[i]) == (in[i] ? &keys[i] : NULL));
			in[i] = tagged[i] = false;
			break;
		default:
			if (in[i]) {
				tagged[i] = rand() & 1;
				radix_tag(&r, keys[i], tagged[i]);
			}
		}
		must(radix_get(&r, keys[i]) == (in[i] ? &keys[i] : NULL));
		if (round % 64 == 0) {
			check_walk(&r, false);
			check_walk(&r, true);
		}
	}
	for (int i = 0; i < KEYS; i++)
		radix_remove(&r, keys[i]);
	must((r.root) == NULL);
	must(r.height == 0);
}
END_TEST

START_TEST(test_no_memory_leaves_the_tree_as_it_was)
{
	struct radix r = { NULL, 0 };
	u64 at = 0;

	fake_ram(16);
	must(radix_insert(&r, 5, &keys[0]) == 0);
	while (page_alloc(0, 0))
		;
	/* nodes may still come from half-used slabs: use them up */
	for (u64 i = 1; i < 4000 && radix_insert(&r, i << 30, &keys[1]) == 0; i++)
		;
	must(radix_insert(&r, 1UL << 62, &keys[2]) == -ENOMEM);
	must((radix_get(&r, 1UL << 62)) == NULL);
	must(radix_get(&r, 5) == (&keys[0]));
	must(radix_next(&r, &at, false) == (&keys[0]));
	must(at == 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm_radix");
	TCase *tc = tcase_create("radix");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_random_against_array);
	tcase_add_test(tc, test_no_memory_leaves_the_tree_as_it_was);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
