/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of swap files, good and hostile, and the slots of an area against a plain array. */
#include <stdlib.h>
#include <string.h>

#include "lib/swapmap.h"
#include "must.h"

static unsigned char *page;

static void header(u32 version, u32 last, u32 bad)
{
	memset(page, 0xa5, 4096);
	memcpy(page + 1024, &version, 4);
	memcpy(page + 1028, &last, 4);
	memcpy(page + 1032, &bad, 4);
	memcpy(page + 4086, "SWAPSPACE2", 10);
}

static u32 ask(u32 version, u32 last, u32 bad, u64 file)
{
	header(version, last, bad);
	return swap_header_pages(page, file);
}

START_TEST(test_headers)
{
	page = malloc(4096); /* exactly: reading beyond it is seen */
	must(ask(1, 255, 0, 256) == 256);
	must(ask(1, 255, 0, 1000) == 256);
	must(ask(1, 1, 0, 2) == 2);
	must(ask(1, 255, 0, 255) == 0);
	must(ask(1, 0, 0, 256) == 0);
	must(ask(1, 1, 0, 1) == 0);
	must(ask(1, 1, 0, 0) == 0);
	must(ask(0, 255, 0, 256) == 0);
	must(ask(2, 255, 0, 256) == 0);
	must(ask(1, 255, 1, 256) == 0);
	must(ask(1, 255, 0xffffffff, 256) == 0);
	must(ask(1, 0xffffffff, 0, 256) == 0);
	must(ask(1, 0xffffffff, 0, 1UL << 40) == SWAP_SLOTS_MAX);
	must(ask(1, SWAP_SLOTS_MAX, 0, 1UL << 40) == SWAP_SLOTS_MAX);
	must(ask(1, SWAP_SLOTS_MAX - 1, 0, SWAP_SLOTS_MAX) == SWAP_SLOTS_MAX);
	must(ask(1, SWAP_SLOTS_MAX, 0, SWAP_SLOTS_MAX - 1) == 0);
	must(ask(0x01000000, 0xff000000, 0, 256) == 256);
	must(ask(0x01000000, 255, 0, 256) == 0);
	must(ask(0x01000000, 0xff000000, 0x01000000, 256) == 0);
	for (u32 i = 4086; i < 4096; i++) {
		header(1, 255, 0);
		page[i] ^= 1;
		must(swap_header_pages(page, 256) == 0);
	}
	free(page);
}
END_TEST

static struct swap_map map;
static u32 *users, *owner; /* what should be */

static void make(u32 nslots)
{
	u32 n = swap_map_chunks(nslots);
	struct swap_chunk *chunk = calloc(n, sizeof(*chunk));

	for (u32 i = 0; i < n; i++)
		chunk[i].slot = calloc(SWAP_CHUNK_SLOTS, sizeof(u32));
	swap_map_init(&map, nslots, chunk);
	users = calloc(nslots, sizeof(*users));
	owner = calloc(nslots, sizeof(*owner));
}

static void destroy(void)
{
	for (u32 i = 0; i < swap_map_chunks(map.nslots); i++)
		free(map.chunk[i].slot);
	free(map.chunk);
	free(users);
	free(owner);
}

static void take(u32 want)
{
	u32 first = ~0u, n = swap_map_take(&map, want, &first), i;

	must(n <= want);
	must(n || map.used == map.nslots - 1);
	for (i = 0; i < n; i++) {
		must(first + i > 0 && first + i < map.nslots);
		must(!users[first + i]);
		users[first + i] = 1;
	}
}

static void same(void)
{
	u32 used = 0;

	for (u32 i = 0; i < map.nslots; i++) {
		used += users[i] != 0;
		must(swap_map_has(&map, i) == (users[i] != 0));
		must(swap_map_owner(&map, i) == owner[i]);
	}
	must(map.used == used);
	must(swap_map_free(&map) == map.nslots - 1 - used);
	must(!swap_map_has(&map, map.nslots));
	must(!swap_map_has(&map, ~0u));
}

static void random_step(void)
{
	u32 slot = 1 + (u32)rand() % (map.nslots - 1);

	switch (rand() % 6) {
	case 0:
		take(1 + (u32)rand() % 64);
		break;
	case 1:
		if (users[slot] && swap_map_get(&map, slot))
			users[slot]++;
		break;
	case 2:
		if (users[slot]) {
			owner[slot] = (u32)rand() & SWAP_OWNER_MAX;
			swap_map_set_owner(&map, slot, owner[slot]);
		}
		break;
	default:
		if (users[slot]) {
			bool last = --users[slot] == 0;

			must(swap_map_put(&map, slot) == last);
			owner[slot] = last ? 0 : owner[slot];
		}
	}
}

START_TEST(test_random)
{
	static const u32 sizes[] = { 2, 3, 64, 1023, 1024, 1025, 5000 };

	srand(11);
	for (u32 s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		make(sizes[s]);
		for (int i = 0; i < 40000; i++) {
			random_step();
			if (i % 500 == 0)
				same();
		}
		while (swap_map_free(&map))
			take(64);
		same();
		take(1);
		destroy();
	}
}
END_TEST

START_TEST(test_too_many_users)
{
	u32 first;

	make(16);
	must(swap_map_take(&map, 1, &first) == 1);
	swap_map_set_owner(&map, first, SWAP_OWNER_MAX);
	for (u32 i = 1; i < SWAP_USERS_MAX; i++)
		must(swap_map_get(&map, first));
	must(!swap_map_get(&map, first));
	must(swap_map_owner(&map, first) == SWAP_OWNER_MAX);
	for (u32 i = 1; i < SWAP_USERS_MAX; i++)
		must(!swap_map_put(&map, first));
	must(swap_map_put(&map, first));
	must(map.used == 0);
	destroy();
}
END_TEST

/* What is full is passed by as a whole, and a run does not go round the end. */
START_TEST(test_runs)
{
	u32 first;

	make(3000);
	for (u32 n = 0; n < 2999;) {
		u32 k = swap_map_take(&map, 64, &first);

		must(first == n + 1);
		n += k;
	}
	must(swap_map_take(&map, 64, &first) == 0);
	must(swap_map_put(&map, 2500));
	must(swap_map_put(&map, 10));
	must(swap_map_put(&map, 11));
	must(swap_map_take(&map, 64, &first) == 2 && first == 10);
	must(swap_map_take(&map, 64, &first) == 1 && first == 2500);
	must(swap_map_take(&map, 64, &first) == 0);
	must(swap_map_put(&map, 2999));
	must(swap_map_put(&map, 1));
	must(swap_map_take(&map, 64, &first) == 1 && first == 2999);
	must(swap_map_take(&map, 64, &first) == 1 && first == 1);
	destroy();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("swapmap");
	TCase *t = tcase_create("swapmap");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_headers);
	tcase_add_test(t, test_random);
	tcase_add_test(t, test_too_many_users);
	tcase_add_test(t, test_runs);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
