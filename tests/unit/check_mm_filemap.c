/* SPDX-License-Identifier: Apache-2.0 */
/* The page cache over a fake backing store: contents, read-ahead, write-back and its errors, truncation, reclaim, limits. */
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "fake_pgtable.h"
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/filemap.h"
#include "mm/reclaim.h"
#include "must.h"

#define STORE_PAGES 4096UL
#define STORE_SIZE  (STORE_PAGES * PAGE_SIZE)

static char *store;
static struct inode inode;
static struct mapping map;
static int read_error, write_error, reads, writes;
static s64 charged, charge_limit;

static int store_read(struct mapping *m, struct page **pages, u32 n)
{
	reads++;
	if (read_error)
		return read_error;
	for (u32 i = 0; i < n; i++) {
		u64 at = (pages[0]->index + i) * PAGE_SIZE;
		u64 have = at < m->inode->size ? MIN(PAGE_SIZE, m->inode->size - at) : 0;

		must(pages[i]->index == (pages[0]->index + i));
		memcpy(page_va(pages[i]), store + at, have);
		memset((char *)page_va(pages[i]) + have, 0, PAGE_SIZE - have);
	}
	return 0;
}

static int store_write(struct mapping *m, struct page **pages, u32 n)
{
	writes++;
	if (write_error)
		return write_error;
	for (u32 i = 0; i < n; i++) {
		u64 at = pages[i]->index * PAGE_SIZE;
		u64 have = at < m->inode->size ? MIN(PAGE_SIZE, m->inode->size - at) : 0;

		must(pages[i]->index == (pages[0]->index + i));
		memcpy(store + at, page_va(pages[i]), have);
	}
	return 0;
}

static int count_charge(struct mapping *m, s64 pages)
{
	(void)m;
	if (pages > 0 && charged + pages > charge_limit)
		return -ENOSPC;
	charged += pages;
	return 0;
}

static const struct mapping_ops store_ops = { .read_pages = store_read,
	.write_pages = store_write };
static const struct mapping_ops memory_ops = { .charge = count_charge };

static void setup(void)
{
	fake_ram(16);
	store = malloc(STORE_SIZE);
	for (u64 i = 0; i < STORE_SIZE; i++)
		store[i] = (char)(i * 7 + i / PAGE_SIZE);
	memset(&inode, 0, sizeof(inode));
	inode.size = 100 * PAGE_SIZE + 123;
	inode.mapping = &map;
	mapping_init(&map, &inode, &store_ops);
	charge_limit = 1000;
}

static void teardown(void)
{
	mapping_destroy(&map);
	must(((int)charged) == 0);
	must(fake_spin_held == 0);
	free(store);
}

static s64 do_read(u64 pos, char *buf, size_t n)
{
	struct iov v;
	struct uio u;

	uio_init_kernel(&u, &v, buf, n);
	return filemap_read(&map, &pos, &u);
}

static s64 do_write(u64 pos, char *buf, size_t n)
{
	struct iov v;
	struct uio u;

	uio_init_kernel(&u, &v, buf, n);
	return filemap_write(&map, &pos, &u);
}

static char buf[300000];

START_TEST(test_reads_with_readahead)
{
	must(do_read(5, buf, 200000) == 200000);
	must(memcmp(buf, store + 5, 200000) == 0);
	must(reads <= 3);
	must(do_read(inode.size - 10, buf, 100) == 10);
	must(do_read(inode.size, buf, 100) == 0);
	must(do_read(~0UL - 5, buf, 100) == 0);
}
END_TEST

START_TEST(test_read_ahead_fills_gaps_in_few_requests)
{
	must(do_read(70 * PAGE_SIZE, buf, 1) == 1);
	reads = 0;
	mapping_read_ahead(&map, 64, 1000);
	must(reads == 2); /* [64, 70), and behind what the first read brought */
	must(map.npages == 101 - 64);
	must(do_read(64 * PAGE_SIZE, buf, 37 * PAGE_SIZE) == 36 * PAGE_SIZE + 123);
	must(!memcmp(buf, store + 64 * PAGE_SIZE, 36 * PAGE_SIZE + 123));
	must(reads == 2);
	read_error = -EIO;
	mapping_read_ahead(&map, 0, 64);
	read_error = 0;
	must(reads == 3 && map.npages == 101 - 64);
}
END_TEST

START_TEST(test_read_error_is_passed_on_and_not_kept)
{
	read_error = -EIO;
	must(do_read(0, buf, 100) == -EIO);
	must(map.npages == 0);
	read_error = 0;
	must(do_read(0, buf, 100) == 100);
	must(memcmp(buf, store, 100) == 0);
}
END_TEST

START_TEST(test_random_writes_against_a_model)
{
	char *model = malloc(STORE_SIZE);
	u64 size = inode.size;

	memcpy(model, store, size);
	memset(model + size, 0, STORE_SIZE - size);
	srand(11);
	for (int round = 0; round < 3000; round++) {
		u64 pos = (u64)rand() % (200 * PAGE_SIZE), n = 1 + (u64)rand() % 20000;

		switch (rand() % 8) {
		case 0:
			must(mapping_writeback(&map, 0, ~0UL) == 0);
			must(memcmp(store, model, size) == 0);
			break;
		case 1:
			inode.size = size = MIN(size, pos);
			memset(model + size, 0, STORE_SIZE - size);
			mapping_truncate(&map, size, ~0UL);
			/* the file system would have cut the file too */
			memset(store + size, 0, STORE_SIZE - size);
			break;
		case 2:
			mapping_invalidate(&map, 0, ~0UL);
			break;
		case 3: {
			s64 got = do_read(pos, buf, n);
			u64 want = pos >= size ? 0 : MIN(n, size - pos);

			must(got == ((s64)want));
			must(memcmp(buf, model + pos, want) == 0);
			break;
		}
		default:
			for (u64 i = 0; i < n; i++)
				buf[i] = (char)rand();
			must(do_write(pos, buf, n) == ((s64)n));
			memcpy(model + pos, buf, n);
			size = MAX(size, pos + n);
		}
		must(inode.size == size);
	}
	must(filemap_sync_all() == 0);
	must(map.ndirty == 0);
	must(memcmp(store, model, size) == 0);
	free(model);
}
END_TEST

START_TEST(test_whole_page_writes_read_nothing)
{
	memset(buf, 'x', 4 * PAGE_SIZE);
	must(do_write(0, buf, 4 * PAGE_SIZE) == (4 * PAGE_SIZE));
	must(reads == 0);
	must(do_write(200 * PAGE_SIZE + 5, buf, 100) == 100);
	must(reads == 0);
}
END_TEST

START_TEST(test_write_back_error_is_reported_once)
{
	write_error = -ENOSPC;
	must(do_write(0, buf, 10) == 10);
	must(mapping_writeback(&map, 0, ~0UL) == -ENOSPC);
	must(mapping_writeback(&map, 0, ~0UL) == 0);
	write_error = 0;
}
END_TEST

START_TEST(test_write_back_goes_in_runs)
{
	must(do_write(0, buf, 60 * PAGE_SIZE) == (60 * PAGE_SIZE));
	writes = 0;
	must(mapping_writeback(&map, 0, 30 * PAGE_SIZE) == 0);
	must(map.ndirty == 30);
	must(writes == 1);
	mapping_truncate(&map, 0, ~0UL);
	must(map.ndirty == 0);
	must(filemap_sync_all() == 0);
}
END_TEST

START_TEST(test_hole_punch_zeroes_edges)
{
	must(do_read(0, buf, 5 * PAGE_SIZE) == (5 * PAGE_SIZE));
	mapping_truncate(&map, PAGE_SIZE + 100, 3 * PAGE_SIZE + 50);
	memset(store + PAGE_SIZE + 100, 0, 2 * PAGE_SIZE - 50);
	must(do_read(0, buf, 5 * PAGE_SIZE) == (5 * PAGE_SIZE));
	must(memcmp(buf, store, 5 * PAGE_SIZE) == 0);
	mapping_truncate(&map, 10, 20);
	memset(store + 10, 0, 10);
	must(do_read(0, buf, PAGE_SIZE) == PAGE_SIZE);
	must(memcmp(buf, store, PAGE_SIZE) == 0);
}
END_TEST

static struct page *under_write;

static void write_ends(void)
{
	must(buf[0] == 0);
	buf[0] = 1;
	atomic_and(&under_write->flags, ~PG_WRITEBACK);
}

START_TEST(test_truncation_waits_for_the_write_of_the_page_it_cuts)
{
	must(do_write(0, buf, 4000) == 4000);
	must(mapping_find_pages(&map, 0, 1, &under_write) == 1);
	atomic_or(&under_write->flags, PG_WRITEBACK);
	buf[0] = 0;
	fake_sleep = write_ends;
	inode.size = 50;
	mapping_truncate(&map, 50, ~0UL);
	fake_sleep = NULL;
	must(buf[0] == 1);
	page_put(under_write);
}
END_TEST

START_TEST(test_file_larger_than_memory)
{
	struct page_stats s;

	inode.size = STORE_SIZE;
	for (int round = 0; round < 3; round++) {
		for (u64 pos = 0; pos < STORE_SIZE; pos += 50000) {
			s64 want = (s64)MIN(50000, STORE_SIZE - pos);

			must(do_read(pos, buf, 50000) == want);
			must((memcmp(buf, store + pos, (size_t)want)) == 0);
		}
		/* somebody else takes most of the memory */
		for (int i = 0; i < 1800 && !round; i++)
			must((page_alloc(0, 0)) != NULL);
	}
	page_stats(&s);
	must(map.npages < STORE_PAGES);
}
END_TEST

START_TEST(test_memory_mapping_charges_and_reads_holes_without_pages)
{

	mapping_destroy(&map);
	mapping_init(&map, &inode, &memory_ops);
	inode.size = 50 * PAGE_SIZE;
	must(do_read(0, buf, 10 * PAGE_SIZE) == (10 * PAGE_SIZE));
	must(map.npages == 0);
	must(do_write(PAGE_SIZE, buf, 2 * PAGE_SIZE + 1) == (2 * PAGE_SIZE + 1));
	must(((int)charged) == 3);
	charge_limit = 4;
	must(do_write(20 * PAGE_SIZE, buf, 3 * PAGE_SIZE) == PAGE_SIZE);
	must(do_write(30 * PAGE_SIZE, buf, PAGE_SIZE) == -ENOSPC);
	mapping_invalidate(&map, 0, ~0UL);
	must(map.npages == 4);
	mapping_truncate(&map, 0, 2 * PAGE_SIZE);
	must(((int)charged) == 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm_filemap");
	TCase *tc = tcase_create("filemap");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_reads_with_readahead);
	tcase_add_test(tc, test_read_ahead_fills_gaps_in_few_requests);
	tcase_add_test(tc, test_read_error_is_passed_on_and_not_kept);
	tcase_add_test(tc, test_random_writes_against_a_model);
	tcase_add_test(tc, test_whole_page_writes_read_nothing);
	tcase_add_test(tc, test_write_back_error_is_reported_once);
	tcase_add_test(tc, test_write_back_goes_in_runs);
	tcase_add_test(tc, test_hole_punch_zeroes_edges);
	tcase_add_test(tc, test_truncation_waits_for_the_write_of_the_page_it_cuts);
	tcase_add_test(tc, test_file_larger_than_memory);
	tcase_add_test(tc, test_memory_mapping_charges_and_reads_holes_without_pages);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
