/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that go to swap space and come back, on fake page tables, with somebody else at every point where one could be. */
#include <linux/mman.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "fake_pgtable.h"
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/core_map.h"
#include "mm/swap.h"
#include "mm/usercopy.h"
#include "must.h"

#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define SLOTS 512u /* of the file, its header too */
#define PAGES 100u

static char *store;
static int write_error, read_error, reads, writes;
static void (*write_hook)(void), (*read_hook)(void); /* what others do meanwhile, once */
static struct mapping map;
static struct inode inode;
static struct file file;
static struct as *as;
static uaddr_t mem;
static u64 free_before;

static void once(void (**hook)(void))
{
	void (*fn)(void) = *hook;

	*hook = NULL;
	if (fn)
		fn();
}

static void tlb_once(void)
{
	once(&write_hook);
}

static int store_write(struct inode *i, u64 index, struct page **pages, u32 n)
{
	must(i == &inode && index && index + n <= SLOTS && n && n <= SWAP_BATCH);
	must(fake_spin_held == 0);
	writes++;
	if (!fake_tlb_hook)
		once(&write_hook);
	for (u32 k = 0; k < n && !write_error; k++)
		memcpy(store + (index + k) * PAGE_SIZE, page_va(pages[k]), PAGE_SIZE);
	return write_error;
}

static int store_read(struct inode *i, u64 index, struct page **pages, u32 n)
{
	must(i == &inode && index + n <= SLOTS && n && n <= SWAP_BATCH);
	must(fake_spin_held == 0);
	reads++;
	for (u32 k = 0; k < n; k++)
		memcpy(page_va(pages[k]), store + (index + k) * PAGE_SIZE, PAGE_SIZE);
	once(&read_hook);
	return read_error;
}

static int store_check(struct inode *i, u64 pages)
{
	must(i == &inode);
	return pages <= SLOTS ? 0 : -EINVAL;
}

static int store_fsync(struct file *f, u64 from, u64 to, bool data_only)
{
	(void)f;
	(void)from;
	(void)to;
	(void)data_only;
	return 0;
}

static int map_pages(struct mapping *m, struct page **pages, u32 n)
{
	(void)m;
	(void)pages;
	(void)n;
	return -EIO;
}

static const struct mapping_ops map_ops = { .read_pages = map_pages, .write_pages = map_pages };
static const struct swap_io store_swap = { store_read, store_write, store_check };
static const struct file_ops store_ops = { .fsync = store_fsync, .swap = &store_swap };

static u64 free_now(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.free + s.slab;
}

static u64 used(void)
{
	struct swap_stats s;

	swap_stats(&s);
	return s.total - s.free;
}

static void header(u32 last)
{
	const u32 info[] = { 1, last, 0 };

	memset(store, 0, PAGE_SIZE);
	memcpy(store + 1024, info, sizeof(info));
	memcpy(store + PAGE_SIZE - 10, "SWAPSPACE2", 10);
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

static uaddr_t page_at(u32 i)
{
	return mem + i * PAGE_SIZE;
}

static void fill(u32 n)
{
	for (u32 i = 0; i < n; i++) {
		put64(page_at(i), i * 3 + 1);
		put64(page_at(i) + PAGE_SIZE - 8, i * 5 + 2);
	}
}

static bool good(u32 i)
{
	return get64(page_at(i)) == i * 3 + 1 && get64(page_at(i) + PAGE_SIZE - 8) == i * 5 + 2;
}

static void all_good(u32 n)
{
	for (u32 i = 0; i < n; i++)
		must(good(i));
}

static int out(u32 first, u32 n)
{
	return as_madvise(as, page_at(first), n * PAGE_SIZE, MADV_PAGEOUT);
}

static void setup(void)
{
	fake_ram(64);
	zero_page();
	store = calloc(SLOTS, PAGE_SIZE);
	header(SLOTS - 1);
	free_before = free_now();
	inode = (struct inode){ .mode = S_IFREG | 0600, .nlink = 1, .size = SLOTS * PAGE_SIZE };
	mapping_init(&map, &inode, &map_ops);
	inode.mapping = &map;
	file = (struct file){ .ops = &store_ops, .inode = &inode };
	ref_init(&file.ref);
	as = as_create();
	fake_as = as;
	mem = (uaddr_t)as_mmap(as, 0, PAGES * PAGE_SIZE, RW, ANON, NULL, 0);
	must(swap_on(&file, 0) == 0);
	must(inode.swapfile && used() == 0);
	fill(PAGES);
}

/* Whatever a test did: everything is given back, and no slot has a user left. */
static void teardown(void)
{
	struct page_stats s;

	as_put(as);
	must(used() == 0);
	must(swap_off(&file) == 0);
	must(!inode.swapfile);
	must(as_count() == 0);
	must(fake_spin_held == 0);
	must(fake_sem_held == 0);
	must(free_now() == free_before);
	page_stats(&s);
	must(s.anon == 0);
	must(file.ref.count == 1);
	free(store);
}

START_TEST(test_out_and_in)
{
	struct vma_stats s;
	struct page_place place;

	must(out(0, PAGES) == 0);
	must(as->swapped == PAGES && as->rss_anon == 0 && used() == PAGES);
	must(writes == 2);
	vma_stats(as_find_vma(as, mem), &s);
	must(s.swap == PAGES && s.rss == 0);
	as_page_place(as, page_at(3), &place);
	must(!place.there && place.out && place.area == 0 && place.slot == 4);
	must(reads == 1); /* the header */
	all_good(PAGES);
	must(reads == 1 + PAGES);
	must(as->swapped == 0 && as->rss_anon == PAGES && used() == 0);
	must(out(0, PAGES) == 0);
	must(as->swapped == PAGES);
}
END_TEST

START_TEST(test_access_from_outside)
{
	u64 v = 0;

	must(out(0, PAGES) == 0);
	must(as_copy_from(as, &v, page_at(7), 8) == 8 && v == 7 * 3 + 1);
	v = 99;
	must(as_copy_to(as, page_at(8), &v, 8) == 8);
	must(get64(page_at(8)) == 99 && get64(page_at(8) + PAGE_SIZE - 8) == 8 * 5 + 2);
	must(as_mprotect(as, mem, PAGES * PAGE_SIZE, PROT_READ) == 0);
	must(as->swapped == PAGES - 2);
	v = 77;
	must(as_copy_to(as, page_at(9), &v, 8) == 8);
	must(get64(page_at(9)) == 77 && get64(page_at(9) + PAGE_SIZE - 8) == 9 * 5 + 2);
	must(as_populate(as, mem, PAGES * PAGE_SIZE, false) == 0);
	must(as->swapped == 0);
}
END_TEST

/* ---- somebody else while pages are written */
static void store_to_page_5(void)
{
	put64(page_at(5), 555);
}

/* It and the three that are copied with it stay. */
static void check_page_5(void)
{
	must(as->swapped == 60);
	must(used() == 60);
	must(get64(page_at(5)) == 555 && get64(page_at(5) + PAGE_SIZE - 8) == 5 * 5 + 2);
	put64(page_at(5), 5 * 3 + 1);
	all_good(PAGES);
}

START_TEST(test_store_while_written)
{
	write_hook = store_to_page_5;
	must(out(0, 64) == 0);
	check_page_5();
}
END_TEST

START_TEST(test_store_before_flush)
{
	write_hook = store_to_page_5;
	fake_tlb_hook = tlb_once;
	must(out(0, 64) == 0);
	fake_tlb_hook = NULL;
	check_page_5();
}
END_TEST

static void debugger_writes(void)
{
	u64 v = 555;

	must(as_copy_to(as, page_at(5), &v, 8) == 8);
}

START_TEST(test_debugger_while_written)
{
	write_hook = debugger_writes;
	must(out(0, 64) == 0);
	check_page_5();
}
END_TEST

static struct page *held;

static void debugger_looks(void)
{
	struct page_place place;

	as_page_place(as, page_at(5), &place);
	must(place.there);
	held = page_of(place.pa);
	page_get(held);
}

/* Who has the page in his hands keeps it. */
START_TEST(test_held_while_written)
{
	write_hook = debugger_looks;
	must(out(0, 64) == 0);
	must(as->swapped == 63 && used() == 63);
	page_put(held);
	all_good(PAGES);
}
END_TEST

static void make_writable(void)
{
	/* what a fault of a neighbour does to entries whose pages nobody shares */
	put64(page_at(4), 4 * 3 + 1);
	put64(page_at(6), 6 * 3 + 1);
	put64(page_at(5), 555);
}

START_TEST(test_neighbours_while_written)
{
	write_hook = make_writable;
	must(out(0, 64) == 0);
	must(as->swapped <= 60 && used() == (u64)as->swapped);
	put64(page_at(5), 5 * 3 + 1);
	all_good(PAGES);
}
END_TEST

static void discard(void)
{
	must(as_madvise(as, page_at(10), 20 * PAGE_SIZE, MADV_DONTNEED) == 0);
	put64(page_at(12), 1212);
}

START_TEST(test_discard_while_written)
{
	write_hook = discard;
	must(out(0, 64) == 0);
	must(as->swapped == 44 && used() == 44);
	must(get64(page_at(12)) == 1212);
	for (u32 i = 10; i < 30; i++)
		must(i == 12 || get64(page_at(i)) == 0);
	for (u32 i = 30; i < PAGES; i++)
		must(good(i));
	all_good(10);
}
END_TEST

START_TEST(test_write_error)
{
	write_error = -ENOSPC;
	must(out(0, PAGES) == 0);
	must(as->swapped == 0 && used() == 0);
	write_error = 0;
	all_good(PAGES);
	fill(PAGES);
	must(out(0, PAGES) == 0);
	must(as->swapped == PAGES);
}
END_TEST

/* ---- somebody else while a page is read */

/* Another thread was faster, changed the page, and it went out again: not to where the first one reads. */
static void back_and_forth(void)
{
	must(good(5));
	put64(page_at(5), 555);
	must(out(5, 1) == 0);
	must(as->swapped == PAGES);
}

START_TEST(test_back_and_forth_while_read)
{
	must(out(0, PAGES) == 0);
	read_hook = back_and_forth;
	must(get64(page_at(5)) == 555);
	must(used() == PAGES - 1);
}
END_TEST

static void in_before(void)
{
	must(good(5));
	put64(page_at(5), 555);
}

START_TEST(test_in_before_while_read)
{
	must(out(0, PAGES) == 0);
	read_hook = in_before;
	must(get64(page_at(5)) == 555);
	must(used() == PAGES - 1 && as->swapped == PAGES - 1);
}
END_TEST

static void discard_5(void)
{
	must(as_madvise(as, page_at(5), PAGE_SIZE, MADV_DONTNEED) == 0);
	must(used() == PAGES); /* who reads keeps the slot */
}

START_TEST(test_discard_while_read)
{
	must(out(0, PAGES) == 0);
	read_hook = discard_5;
	must(get64(page_at(5)) == 0);
	must(used() == PAGES - 1 && as->swapped == PAGES - 1);
}
END_TEST

START_TEST(test_read_error)
{
	u64 v;

	must(out(0, PAGES) == 0);
	read_error = -EIO;
	must(copy_from_user(&v, page_at(5), 8) == -EFAULT);
	must(fake_last_fault == -EIO);
	must(as->swapped == PAGES && used() == PAGES);
	must(swap_off(&file) == -EIO);
	read_error = 0;
	all_good(PAGES);
}
END_TEST

/* ---- what does not go, and changes of the mapping */
START_TEST(test_stays)
{
	int err;
	uaddr_t shared =
		(uaddr_t)as_mmap(as, 0, PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
	struct as *child;

	put64(shared, 1);
	must(as_madvise(as, shared, PAGE_SIZE, MADV_PAGEOUT) == 0);
	must(as->swapped == 0 && used() == 0);
	must(as_mlock(as, mem, 10 * PAGE_SIZE, AS_LOCK) == -EPERM ||
		as_mlock(as, mem, 10 * PAGE_SIZE, AS_LOCK) == 0);
	must(as_find_vma(as, mem)->flags & VMA_LOCKED);
	must(out(0, 1) == -EINVAL);
	must(as_mlock(as, mem, 10 * PAGE_SIZE, AS_UNLOCK) == 0);
	must(as->swapped == 0);
	/* what two have stays; what one has of it later goes */
	as->rss_anon += 1000; /* too large to be copied outright */
	child = as_fork(as, &err);
	as->rss_anon -= 1000;
	must(child);
	must(out(0, PAGES) == 0);
	must(as->swapped == 0 && used() == 0);
	as_put(child);
	must(out(0, PAGES) == 0);
	must(as->swapped == PAGES);
	all_good(PAGES);
}
END_TEST

START_TEST(test_fork)
{
	struct as *child;
	int err;

	must(out(0, PAGES) == 0);
	child = as_fork(as, &err);
	must(child && child->swapped == PAGES && used() == PAGES);
	put64(page_at(5), 555);
	must(used() == PAGES && as->swapped == PAGES - 1);
	fake_as = child;
	all_good(PAGES);
	must(child->swapped == 0 && used() == PAGES - 1);
	fake_as = as;
	must(get64(page_at(5)) == 555);
	as_put(child);
	must(used() == PAGES - 1);
	child = as_fork(as, &err);
	must(child);
	must(as_munmap(as, mem, PAGES * PAGE_SIZE) == 0);
	must(as->swapped == 0 && used() == PAGES - 1);
	fake_as = child;
	for (u32 i = 0; i < PAGES; i++)
		must(i == 5 || good(i));
	fake_as = as;
	as_put(child);
}
END_TEST

START_TEST(test_mapping_changes)
{
	uaddr_t old = mem;

	must(out(0, PAGES) == 0);
	must(as_mprotect(as, mem, PAGES * PAGE_SIZE, PROT_NONE) == 0);
	must(as_mprotect(as, mem, PAGES * PAGE_SIZE, PROT_READ) == 0);
	must(as->swapped == PAGES);
	must(as_mprotect(as, mem, PAGES * PAGE_SIZE, RW) == 0);
	mem = (uaddr_t)as_mremap(as, old, PAGES * PAGE_SIZE, 2 * PAGES * PAGE_SIZE, 1, 0);
	must(mem < USER_TOP && as->swapped == PAGES && used() == PAGES);
	all_good(PAGES);
	must(get64(page_at(PAGES)) == 0);
	must(out(0, PAGES) == 0);
	must(as_munmap(as, page_at(10), 10 * PAGE_SIZE) == 0);
	must(as->swapped == PAGES - 10 && used() == PAGES - 10);
	all_good(10);
	must(good(20));
	as_clear_accessed(as, true, true);
	must(good(21));
}
END_TEST

/* A core file has what is out. */
START_TEST(test_core)
{
	struct core_map core;
	uaddr_t from = mem, to;
	u64 sum = 0;

	must(out(0, PAGES) == 0);
	must(as_core_map(as, 1, &core) == 0);
	must(core.n == 1 && core.area[0].start == mem);
	must(core.area[0].dump == PAGES * PAGE_SIZE);
	/* a run ends where a page table does */
	for (to = mem; as_core_run(as, &from, &to, mem + PAGES * PAGE_SIZE); from = to)
		sum += (to - from) >> PAGE_SHIFT;
	must(sum == PAGES);
	as_core_unmap(&core);
}
END_TEST

/* ---- areas */
START_TEST(test_off)
{
	struct page *hold = NULL, *p;

	must(out(0, PAGES) == 0);
	while (free_now() > PAGES / 2 && (p = page_alloc(0, 0))) {
		p->mapping = (void *)hold;
		hold = p;
	}
	must(swap_off(&file) == -ENOMEM);
	must(as->swapped == PAGES && inode.swapfile);
	while (hold) {
		p = hold;
		hold = (void *)p->mapping;
		page_put(p);
	}
	must(swap_off(&file) == 0);
	must(as->swapped == 0 && as->rss_anon == PAGES && !inode.swapfile);
	must(swap_off(&file) == -EINVAL);
	all_good(PAGES);
	must(out(0, PAGES) == 0);
	must(as->swapped == 0);
	must(swap_on(&file, 0) == 0);
	must(swap_on(&file, 0) == -EBUSY);
}
END_TEST

static void no_more(void)
{
	must(out(0, PAGES) == 0); /* the area that is switched off takes nothing */
}

START_TEST(test_others_while_switched_off)
{
	must(out(0, PAGES) == 0);
	read_hook = no_more;
	must(swap_off(&file) == 0);
	must(as->swapped == 0);
	all_good(PAGES);
	must(swap_on(&file, 0) == 0);
}
END_TEST

START_TEST(test_full)
{
	must(swap_off(&file) == 0);
	header(10);
	must(swap_on(&file, 0) == 0);
	must(out(0, PAGES) == 0);
	must(as->swapped == 10 && used() == 10);
	all_good(PAGES);
	must(out(20, 5) == 0 && out(40, 10) == 0);
	must(as->swapped == 10);
	all_good(PAGES);
}
END_TEST

START_TEST(test_refused)
{
	must(swap_off(&file) == 0);
	inode.nlink = 0;
	must(swap_on(&file, 0) == -ENOENT);
	inode.nlink = 1;
	inode.mode = S_IFDIR;
	must(swap_on(&file, 0) == -EINVAL);
	inode.mode = S_IFREG;
	inode.size = 100;
	must(swap_on(&file, 0) == -EINVAL);
	inode.size = 4 * PAGE_SIZE;
	must(swap_on(&file, 0) == -EINVAL);
	inode.size = SLOTS * PAGE_SIZE;
	read_error = -EIO;
	must(swap_on(&file, 0) == -EIO);
	read_error = 0;
	store[PAGE_SIZE - 1] = 'x';
	must(swap_on(&file, 0) == -EINVAL);
	header(SLOTS - 1);
	must(swap_on(&file, SWAP_PREFER | 5) == 0);
}
END_TEST

/* A generator of everything at once against what the memory should hold. */
START_TEST(test_random)
{
	u64 want[PAGES];

	srand(3);
	for (u32 i = 0; i < PAGES; i++)
		want[i] = get64(page_at(i));
	for (u32 step = 0; step < 20000; step++) {
		u32 i = (u32)rand() % PAGES, n = 1 + (u32)rand() % (PAGES - i);
		struct as *child;
		int err;

		switch (rand() % 8) {
		case 0:
			must(out(i, n) == 0);
			break;
		case 1:
			must(as_madvise(as, page_at(i), PAGE_SIZE, MADV_DONTNEED) == 0);
			want[i] = 0;
			break;
		case 2:
			if (step % 16 == 0) {
				child = as_fork(as, &err);
				fake_as = child;
				must(get64(page_at(i)) == want[i]);
				put64(page_at(i), 1);
				fake_as = as;
				must(get64(page_at(i)) == want[i]);
				as_put(child);
			}
			break;
		case 3:
			must(as_mprotect(as, page_at(i), n * PAGE_SIZE,
				     rand() % 2 ? PROT_READ : RW) == 0);
			must(as_mprotect(as, mem, PAGES * PAGE_SIZE, RW) == 0);
			break;
		case 4:
			want[i] = step;
			put64(page_at(i), step);
			break;
		default:
			must(get64(page_at(i)) == want[i]);
		}
	}
	for (u32 i = 0; i < PAGES; i++)
		must(get64(page_at(i)) == want[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm_swap");
	TCase *tc = tcase_create("swap");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_out_and_in);
	tcase_add_test(tc, test_access_from_outside);
	tcase_add_test(tc, test_store_while_written);
	tcase_add_test(tc, test_store_before_flush);
	tcase_add_test(tc, test_debugger_while_written);
	tcase_add_test(tc, test_held_while_written);
	tcase_add_test(tc, test_neighbours_while_written);
	tcase_add_test(tc, test_discard_while_written);
	tcase_add_test(tc, test_write_error);
	tcase_add_test(tc, test_back_and_forth_while_read);
	tcase_add_test(tc, test_in_before_while_read);
	tcase_add_test(tc, test_discard_while_read);
	tcase_add_test(tc, test_read_error);
	tcase_add_test(tc, test_stays);
	tcase_add_test(tc, test_fork);
	tcase_add_test(tc, test_mapping_changes);
	tcase_add_test(tc, test_core);
	tcase_add_test(tc, test_off);
	tcase_add_test(tc, test_others_while_switched_off);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_random);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
