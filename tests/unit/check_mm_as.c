/* SPDX-License-Identifier: Apache-2.0 */
/* Address spaces on fake page tables: VMAs against a naive model, faults, files, fork, limits. */
#include <linux/mman.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "fake_pgtable.h"
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/fault.h"
#include "mm/rmap.h"
#include "mm/usercopy.h"
#include "must.h"

#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHANON (MAP_SHARED | MAP_ANONYMOUS)

static struct as *as;
static u64 free_before;

/* A file with a page cache over a buffer. */
#define FILE_PAGES 64UL
static char *file_store;
static struct inode file_inode;
static struct mapping file_map;
static const struct file_ops file_fops;
static struct file the_file;

static int file_read_pages(struct mapping *m, struct page **pages, u32 n)
{
	(void)m;
	for (u32 i = 0; i < n; i++)
		memcpy(page_va(pages[i]), file_store + pages[i]->index * PAGE_SIZE, PAGE_SIZE);
	return 0;
}

static int file_write_pages(struct mapping *m, struct page **pages, u32 n)
{
	(void)m;
	for (u32 i = 0; i < n; i++)
		memcpy(file_store + pages[i]->index * PAGE_SIZE, page_va(pages[i]), PAGE_SIZE);
	return 0;
}

static const struct mapping_ops file_map_ops = { .read_pages = file_read_pages,
	.write_pages = file_write_pages };

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
	file_store = malloc(FILE_PAGES * PAGE_SIZE);
	for (u64 i = 0; i < FILE_PAGES * PAGE_SIZE; i++)
		file_store[i] = (char)(i / 64);
	memset(&file_inode, 0, sizeof(file_inode));
	memset(&the_file, 0, sizeof(the_file));
	file_inode.size = FILE_PAGES * PAGE_SIZE;
	file_inode.mapping = &file_map;
	mapping_init(&file_map, &file_inode, &file_map_ops);
	ref_init(&the_file.ref);
	the_file.ops = &file_fops;
	the_file.inode = &file_inode;
	the_file.mode = FMODE_READ | FMODE_WRITE;
	as = as_create();
	fake_as = as;
}

/* Whatever a test did: everything is given back. */
static void teardown(void)
{
	struct page_stats s;

	as_put(as);
	mapping_destroy(&file_map);
	must(the_file.ref.count == 1);
	must(fake_spin_held == 0);
	must(fake_sem_held == 0);
	must(free_now() == free_before);
	page_stats(&s);
	must(s.anon == 0);
	must(s.cached == 0);
	free(file_store);
}

static char get8(uaddr_t at)
{
	char c = 0;

	must(copy_from_user(&c, at, 1) == 0);
	return c;
}

static void put8(uaddr_t at, char c)
{
	must(copy_to_user(at, &c, 1) == 0);
}

static bool can_read(uaddr_t at)
{
	char c;

	return !copy_from_user(&c, at, 1);
}

static bool can_write(uaddr_t at)
{
	char c = 1;

	return !copy_to_user(at, &c, 1);
}

static uaddr_t map_anon(u64 pages)
{
	s64 at = as_mmap(as, 0, pages * PAGE_SIZE, RW, ANON, NULL, 0);

	must(at > 0);
	return (uaddr_t)at;
}

static uaddr_t map_file(u32 prot, u32 flags, u64 pages, u64 pgoff)
{
	s64 at = as_mmap(as, 0, pages * PAGE_SIZE, prot, flags, &the_file, pgoff);

	must(at > 0);
	return (uaddr_t)at;
}

/* ---- VMAs against a model: one entry a page ---- */

#define MODEL_BASE  0x10000000UL
#define MODEL_PAGES 96

struct model_page {
	bool mapped;
	u32 prot;
	s64 value; /* what a read must give; -1 = not written: zero */
};

static void model_check(struct model_page *m)
{
	uaddr_t at = MODEL_BASE;
	u64 pages = 0;

	for (struct vma *v = as_find_vma(as, 0); v; v = vma_next(v)) {
		struct vma *next = vma_next(v);

		must(v->start < v->end);
		must(!next || v->end <= next->start);
		/* equal neighbours must have been merged */
		must(!next || v->end != next->start || v->flags != next->flags);
		pages += (v->end - v->start) >> PAGE_SHIFT;
	}
	must(as->total_vm == pages);
	for (int i = 0; i < MODEL_PAGES; i++, at += PAGE_SIZE) {
		struct vma *v = vma_find_exact(as, at);

		must((v != NULL) == m[i].mapped);
		if (v)
			must((v->flags & VMA_PROT_MASK) == vma_flags_from_prot(m[i].prot));
	}
}

START_TEST(test_vma_fuzz)
{
	static struct model_page m[MODEL_PAGES];

	memset(m, 0, sizeof(m));
	srand(21);
	for (int round = 0; round < 12000; round++) {
		int first = rand() % MODEL_PAGES, n = 1 + rand() % 12;
		uaddr_t at = MODEL_BASE + (u64)first * PAGE_SIZE;
		u32 prot = (u32)(rand() % 4);
		bool hole = false;

		n = MIN(n, MODEL_PAGES - first);
		for (int i = first; i < first + n; i++)
			hole |= !m[i].mapped;
		switch (rand() % 6) {
		case 0:
			must((as_munmap(as, at, (u64)n * PAGE_SIZE)) == 0);
			for (int i = first; i < first + n; i++)
				m[i].mapped = false;
			break;
		case 1:
			must((as_mmap(as, at, (u64)n * PAGE_SIZE, prot, ANON | MAP_FIXED, NULL,
				     0)) == ((s64)at));
			for (int i = first; i < first + n; i++)
				m[i] = (struct model_page){ true, prot, 0 };
			break;
		case 2:
			must((as_mprotect(as, at, (u64)n * PAGE_SIZE, prot)) ==
				(hole ? -ENOMEM : 0));
			for (int i = first; i < first + n && m[i].mapped; i++)
				m[i].prot = prot;
			break;
		case 3:
			must((as_madvise(as, at, (u64)n * PAGE_SIZE, MADV_DONTNEED)) ==
				(hole ? -ENOMEM : 0));
			for (int i = first; i < first + n; i++)
				m[i].value = 0;
			break;
		default:
			if (m[first].mapped && (m[first].prot & PROT_WRITE)) {
				m[first].value = (char)(rand() & 127);
				put8(at + 7, (char)m[first].value);
			} else {
				must(!can_write(at));
			}
			if (m[first].mapped && m[first].prot)
				must(get8(at + 7) == ((int)m[first].value));
			else
				must(!can_read(at));
		}
		if (round % 8 == 0)
			model_check(m);
	}
}
END_TEST

START_TEST(test_mmap_arguments)
{
	uaddr_t at = map_anon(4);

	must(as_mmap(as, 0, 0, RW, ANON, NULL, 0) == -EINVAL);
	must(as_mmap(as, 0, 4096, RW, MAP_ANONYMOUS, NULL, 0) == -EINVAL);
	must(as_mmap(as, 0, ~0UL - 5, RW, ANON, NULL, 0) == -ENOMEM);
	must(as_mmap(as, 0, USER_TOP, PROT_NONE, ANON, NULL, 0) == -ENOMEM);
	must(as_mmap(as, at + 1, 4096, RW, ANON | MAP_FIXED, NULL, 0) == -EINVAL);
	must(as_mmap(as, USER_TOP - 4096, 8192, RW, ANON | MAP_FIXED, NULL, 0) == -ENOMEM);
	must(as_mmap(as, 0, 4096, RW, ANON | MAP_FIXED, NULL, 0) == -EPERM);
	must(as_mmap(as, at, 4096, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0) == -EEXIST);
	must(as_mmap(as, 0, 4096, RW, MAP_PRIVATE, &the_file, ~0UL >> 12 << 12) ==
		((s64)as_mmap(as, 0, 4096, RW, MAP_PRIVATE, &the_file, ~0UL >> 12 << 12) + 4096));
	must(as_mmap(as, 0, 8192, RW, MAP_PRIVATE, &the_file, ~0UL) == -EOVERFLOW);
	must(as_mmap(as, 0, 4096, RW, ANON | MAP_32BIT, NULL, 0) < (1L << 31));
	the_file.mode = FMODE_READ;
	must(as_mmap(as, 0, 4096, RW, MAP_SHARED, &the_file, 0) == -EACCES);
	at = map_file(PROT_READ, MAP_SHARED, 1, 0);
	must(as_mprotect(as, at, 4096, RW) == -EACCES);
	the_file.mode = FMODE_WRITE;
	must(as_mmap(as, 0, 4096, PROT_READ, MAP_PRIVATE, &the_file, 0) == -EACCES);
}
END_TEST

START_TEST(test_huge_reservations)
{
	s64 big = as_mmap(as, 0, 1UL << 42, PROT_NONE, ANON | MAP_NORESERVE, NULL, 0);

	must(big > 0);
	must((as_mprotect(as, (uaddr_t)big + (1UL << 40), 1UL << 20, RW)) == 0);
	put8((uaddr_t)big + (1UL << 40) + 5, 'x');
	must((get8((uaddr_t)big + (1UL << 40) + 5)) == ('x'));
	must(as_mmap(as, 0, 1UL << 36, RW, ANON | MAP_NORESERVE, NULL, 0) > 0);
	must(as_mmap(as, 0, 1UL << 36, RW, ANON, NULL, 0) == -ENOMEM);
	must((as_munmap(as, (uaddr_t)big, 1UL << 42)) == 0);
}
END_TEST

START_TEST(test_limits)
{
	as->limit_as = (as->total_vm + 10) << PAGE_SHIFT;
	must(as_mmap(as, 0, 11 * PAGE_SIZE, RW, ANON, NULL, 0) == -ENOMEM);
	map_anon(10);
	as->limit_as = ~0UL;
	as->limit_data = (as->data_vm + 5) << PAGE_SHIFT;
	must(as_mmap(as, 0, 6 * PAGE_SIZE, RW, ANON, NULL, 0) == -ENOMEM);
	must(as_mmap(as, 0, 6 * PAGE_SIZE, PROT_READ, ANON, NULL, 0) > 0);
	as->limit_data = ~0UL;
	as->limit_memlock = 4 * PAGE_SIZE;
	must((as_mlock(as, map_anon(5), 5 * PAGE_SIZE, AS_LOCK)) == -ENOMEM);
	must((as_mlock(as, map_anon(4), 4 * PAGE_SIZE, AS_LOCK)) == 0);
	must(as->locked_vm == 4);
	must(as_mlockall(as, false, false, false) == 0);
	must(as->locked_vm == 0);
}
END_TEST

START_TEST(test_sequential_faults_are_batched)
{
	uaddr_t at = map_anon(1024);

	fake_faults = 0;
	for (u64 i = 0; i < 1024; i++)
		put8(at + i * PAGE_SIZE, (char)i);
	must(fake_faults < 40);
	for (u64 i = 0; i < 1024; i++)
		must(get8(at + i * PAGE_SIZE) == ((char)i));
	must(((int)as->rss_anon) == 1024);
	must(as_munmap(as, at, 1024 * PAGE_SIZE) == 0);
	must(((int)as->rss_anon) == 0);
}
END_TEST

START_TEST(test_prot_none_keeps_content)
{
	uaddr_t at = map_anon(3);

	put8(at + PAGE_SIZE, 'k');
	must(as_mprotect(as, at, 3 * PAGE_SIZE, PROT_NONE) == 0);
	must(!can_read(at + PAGE_SIZE));
	must(fake_last_fault == -EACCES);
	must(as_mprotect(as, at, 3 * PAGE_SIZE, PROT_READ) == 0);
	must(get8(at + PAGE_SIZE) == ('k'));
	must(!can_write(at + PAGE_SIZE));
	must(as_mprotect(as, at, 3 * PAGE_SIZE, RW) == 0);
	put8(at + PAGE_SIZE, 'l');
	must(get8(at + PAGE_SIZE) == ('l'));
}
END_TEST

START_TEST(test_private_file_copies)
{
	uaddr_t a = map_file(RW, MAP_PRIVATE, 8, 4), b = map_file(PROT_READ, MAP_SHARED, 8, 4);

	must(get8(a + 70) == (file_store[4 * PAGE_SIZE + 70]));
	put8(a + 70, 'p');
	must(get8(a + 70) == ('p'));
	must(get8(b + 70) == (file_store[4 * PAGE_SIZE + 70]));
	put8(a + 5 * PAGE_SIZE, 'q');
	must(get8(b + 5 * PAGE_SIZE) == (file_store[9 * PAGE_SIZE]));
	must(get8(a + 5 * PAGE_SIZE + 1) == (file_store[9 * PAGE_SIZE + 1]));
	must(file_map.ndirty == 0);
}
END_TEST

START_TEST(test_shared_file_dirty_tracking)
{
	uaddr_t a = map_file(RW, MAP_SHARED, 8, 0);

	must(get8(a) == file_store[0]);
	must(file_map.ndirty == 0);
	put8(a, 'd');
	must(file_map.ndirty == 1);
	must(as_msync(as, a, 8 * PAGE_SIZE, MS_SYNC) == 0);
	must(file_store[0] == ('d'));
	must(file_map.ndirty == 0);
	/* write-back protected the entry: the next store is noticed */
	put8(a, 'e');
	must(file_map.ndirty == 1);
	must(mapping_writeback(&file_map, 0, ~0UL) == 0);
	must(file_store[0] == ('e'));
	must(as_msync(as, a + 100 * PAGE_SIZE, PAGE_SIZE, MS_SYNC) == -ENOMEM);
}
END_TEST

START_TEST(test_truncation_unmaps)
{
	uaddr_t a = map_file(RW, MAP_SHARED, 16, 0), p = map_file(RW, MAP_PRIVATE, 16, 0);

	put8(a + 9 * PAGE_SIZE, 'x');
	put8(p + 9 * PAGE_SIZE, 'y');
	must(get8(a + 2 * PAGE_SIZE) == (file_store[2 * PAGE_SIZE]));
	file_inode.size = 3 * PAGE_SIZE - 10;
	mapping_truncate(&file_map, file_inode.size, ~0UL);
	must(!can_read(a + 9 * PAGE_SIZE));
	must(fake_last_fault == -EIO);
	must(!can_read(p + 9 * PAGE_SIZE));
	must(get8(a + 3 * PAGE_SIZE - 1) == 0);
	must(get8(a + 2 * PAGE_SIZE) == (file_store[2 * PAGE_SIZE]));
	must(file_map.npages <= 3);
	must(file_map.ndirty == 0);
}
END_TEST

static struct as *ending;

/* Its last user goes. Whoever is in the middle of a flush must not be the one that closes its files. */
static void end_address_space(void)
{
	int files = the_file.ref.count;

	fake_tlb_hook = NULL;
	as_put(ending);
	must(the_file.ref.count == files - 1);
}

START_TEST(test_reverse_map_ends_no_address_space)
{
	s64 at;

	ending = as_create();
	at = as_mmap(ending, 0, PAGE_SIZE, RW, MAP_SHARED, &the_file, 0);
	must(at > 0);
	fake_as = ending;
	put8((uaddr_t)at, 1);
	fake_as = as;
	fake_tlb_hook = end_address_space;
	rmap_wrprotect(&file_map, 0, 1);
	must(fake_tlb_hook == NULL);
	must(the_file.ref.count == 1);
}
END_TEST

START_TEST(test_unmap_of_many_spaces)
{
	struct as *others[20];
	int err;

	uaddr_t a = map_file(PROT_READ, MAP_SHARED, 32, 0);

	for (u64 i = 0; i < 32; i++)
		(void)get8(a + i * PAGE_SIZE);
	for (int i = 0; i < 20; i++)
		others[i] = as_fork(as, &err);
	rmap_unmap(&file_map, 0, 32, false);
	for (u64 i = 0; i < 32; i++) {
		struct page *p;

		must(mapping_find_pages(&file_map, i, 1, &p) == 1);
		must(p->mapcount == 0);
		must(p->ref.count == 2);
		page_put(p);
	}
	for (int i = 0; i < 20; i++) {
		must(((int)others[i]->rss_file) == 0);
		as_put(others[i]);
	}
}
END_TEST

static void fork_check(u64 pages)
{
	uaddr_t at = map_anon(pages), sh = (uaddr_t)as_mmap(as, 0, 4096, RW, SHANON, NULL, 0);
	struct as *child;
	int err;

	for (u64 i = 0; i < pages; i++)
		put8(at + i * PAGE_SIZE, (char)(i + 1));
	put8(sh, 's');
	child = as_fork(as, &err);
	must((child) != NULL);
	for (u64 i = 0; i < pages; i += 3)
		put8(at + i * PAGE_SIZE, 'P');
	put8(sh, 't');
	fake_as = child;
	for (u64 i = 0; i < pages; i++)
		must(get8(at + i * PAGE_SIZE) == ((char)(i + 1)));
	must(get8(sh) == ('t'));
	for (u64 i = 0; i < pages; i += 2)
		put8(at + i * PAGE_SIZE, 'C');
	fake_as = as;
	for (u64 i = 0; i < pages; i++)
		must(get8(at + i * PAGE_SIZE) == (i % 3 ? (char)(i + 1) : 'P'));
	as_put(child);
	/* alone again: written in place */
	for (u64 i = 0; i < pages; i++)
		put8(at + i * PAGE_SIZE, 'Z');
	must(((int)as->rss_anon) == ((int)pages));
	must(as->pt_lock.locked == 0);
}

START_TEST(test_fork_small_is_copied)
{
	fake_tlb_flushes = 0;
	fork_check(100);
	must(fake_tlb_flushes == 0);
}
END_TEST

START_TEST(test_fork_large_is_shared)
{
	fork_check(2000);
}
END_TEST

START_TEST(test_fork_advice)
{
	uaddr_t a = map_anon(2), b = map_anon(2);
	struct as *child;
	int err;

	put8(a, 'a');
	put8(b, 'b');
	must(as_madvise(as, a, 2 * PAGE_SIZE, MADV_DONTFORK) == 0);
	must(as_madvise(as, b, 2 * PAGE_SIZE, MADV_WIPEONFORK) == 0);
	child = as_fork(as, &err);
	fake_as = child;
	must(!can_read(a));
	must(get8(b) == 0);
	fake_as = as;
	as_put(child);
	must(as_madvise(as, a, 2 * PAGE_SIZE, MADV_DOFORK) == 0);
	must(as_madvise(as, b, 2 * PAGE_SIZE, MADV_KEEPONFORK) == 0);
	must(as_madvise(as, a, PAGE_SIZE, 12345) == -EINVAL);
}
END_TEST

START_TEST(test_fork_without_memory)
{
	uaddr_t at = map_anon(3000);
	struct as *child;
	int err = 0, made = 0;

	for (u64 i = 0; i < 3000; i++)
		put8(at + i * PAGE_SIZE, 1);
	while (page_alloc(0, 0))
		made++;
	child = as_fork(as, &err);
	if (child)
		as_put(child);
	else
		must(err == -ENOMEM);
	must(get8(at) == 1);
	free_before -= (u64)made;
}
END_TEST

START_TEST(test_mremap)
{
	uaddr_t at = map_anon(6), to;

	for (u64 i = 0; i < 6; i++)
		put8(at + i * PAGE_SIZE, (char)('a' + i));
	must(as_mremap(as, at, 6 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0) == ((s64)at));
	must(!can_read(at + 4 * PAGE_SIZE));
	must(as_mmap(as, at + 4 * PAGE_SIZE, PAGE_SIZE, PROT_NONE, ANON | MAP_FIXED, NULL, 0) > 0);
	must(as_mremap(as, at, 4 * PAGE_SIZE, 700 * PAGE_SIZE, 0, 0) == -ENOMEM);
	to = (uaddr_t)as_mremap(as, at, 4 * PAGE_SIZE, 700 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
	must(to != at);
	must(!can_read(at));
	for (u64 i = 0; i < 4; i++)
		must(get8(to + i * PAGE_SIZE) == ((char)('a' + i)));
	must(get8(to + 600 * PAGE_SIZE) == 0);
	/* to an address whose tables are cut elsewhere */
	must(as_mremap(as, to, 700 * PAGE_SIZE, 700 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     0x20055000) == 0x20055000);
	for (u64 i = 0; i < 4; i++)
		must(get8(0x20055000 + i * PAGE_SIZE) == ((char)('a' + i)));
	must(as_mremap(as, 0x20055000, PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     0x20055000) == -EINVAL);
	must(as_mremap(as, 0x50000000, PAGE_SIZE, 2 * PAGE_SIZE, 0, 0) == -EFAULT);
}
END_TEST

START_TEST(test_brk)
{
	uaddr_t start;

	as_set_brk(as, 0x600123);
	start = as->brk_start;
	must(as_brk(as, 0) == start);
	must(as_brk(as, start + 100) == (start + 100));
	put8(start + 50, 'h');
	must(as_brk(as, start + 100000) == (start + 100000));
	put8(start + 99999, 'i');
	must(as->nvmas == 1);
	must(as_brk(as, start + 10) == (start + 10));
	must(!can_read(start + 99999));
	must(get8(start + 50) == ('h'));
	must(as_brk(as, start - 1) == (start + 10));
	as->limit_data = 8192;
	must(as_brk(as, start + 100000) == (start + 10));
}
END_TEST

START_TEST(test_stack_grows_to_its_limit)
{
	const uaddr_t top = USER_TOP - (1UL << 32);
	s64 at = as_mmap(as, top - 4 * PAGE_SIZE, 4 * PAGE_SIZE, RW,
		ANON | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, NULL, 0);

	must(at > 0);
	as->limit_stack = 1UL << 20;
	for (uaddr_t a = top - 8; a > top - (1UL << 20); a -= PAGE_SIZE / 2)
		put8(a, 's');
	must(!can_write(top - (1UL << 20) - 8));
	must(as->stack_vm == 256);
	/* a mapping below keeps its distance */
	ck_assert_str_eq(vma_name(as_find_vma(as, top - 8)), "[stack]");
}
END_TEST

START_TEST(test_out_of_memory_fails_the_fault)
{
	uaddr_t at = (uaddr_t)as_mmap(as, 0, 20000 * PAGE_SIZE, RW, ANON | MAP_NORESERVE, NULL, 0);
	u64 i = 0;

	while (i < 20000 && can_write(at + i * PAGE_SIZE))
		i++;
	must(i > 10000);
	must(i < 20000);
	must(fake_last_fault == -ENOMEM);
	must(as_madvise(as, at, 20000 * PAGE_SIZE, MADV_DONTNEED) == 0);
	put8(at, 'x');
}
END_TEST

START_TEST(test_read_only_pages_share_one_zero_page)
{
	uaddr_t at = (uaddr_t)as_mmap(as, 0, 100 * PAGE_SIZE, PROT_READ, ANON, NULL, 0);

	for (u64 i = 0; i < 100; i++)
		must(get8(at + i * PAGE_SIZE) == 0);
	must(((int)as->rss_anon) == 0);
	must(as_mprotect(as, at, 100 * PAGE_SIZE, RW) == 0);
	put8(at + 50 * PAGE_SIZE, 'z');
	must(get8(at + 51 * PAGE_SIZE) == 0);
	must(get8(at + 50 * PAGE_SIZE) == ('z'));
}
END_TEST

START_TEST(test_access_from_outside)
{
	uaddr_t at = map_anon(3), file = map_file(PROT_READ, MAP_PRIVATE, 2, 0);
	char in[6000], out[6000];

	memset(in, 'o', sizeof(in));
	must(as_mprotect(as, at, 3 * PAGE_SIZE, PROT_NONE) == 0);
	must((as_copy_to(as, at + 4000, in, sizeof(in))) == sizeof(in));
	must((as_copy_from(as, out, at + 4000, sizeof(out))) == sizeof(out));
	must((memcmp(in, out, sizeof(in))) == 0);
	must(!can_read(at));
	/* a breakpoint in read-only text: a private copy */
	must(as_copy_to(as, file + 10, "\xcc", 1) == 1);
	must(get8(file + 10) == ('\xcc'));
	must(!can_write(file + 10));
	must(as_copy_to(as, at + 3 * PAGE_SIZE - 2, in, 10) == 2);
}
END_TEST

START_TEST(test_futex_keys)
{
	uaddr_t priv = map_anon(1), f = map_file(RW, MAP_SHARED, 4, 2);
	struct futex_key a, b;

	must(as_futex_key(as, priv, false, &a) == 0);
	must(a.object == as);
	must(as_futex_key(as, priv, true, &b) == 0);
	must(a.object == b.object && a.offset == b.offset);
	must(as_futex_key(as, f + PAGE_SIZE + 8, true, &a) == 0);
	must(a.object == (&file_map));
	must(a.offset == (3 * PAGE_SIZE + 8));
	must(as_futex_key(as, f + 2, true, &a) == -EINVAL);
	must(as_futex_key(as, 0x1000, true, &a) == -EFAULT);
}
END_TEST

START_TEST(test_mincore_and_populate)
{
	uaddr_t at = map_anon(40), vec = map_anon(1);
	char v[40];

	put8(vec, 0);
	must(as_madvise(as, at + 8 * PAGE_SIZE, 8 * PAGE_SIZE, MADV_POPULATE_WRITE) == 0);
	must(as_mincore(as, at, 40 * PAGE_SIZE, vec) == 0);
	must(copy_from_user(v, vec, 40) == 0);
	for (int i = 8; i < 16; i++)
		must(v[i] == 1);
	must(v[25] == 0);
	must(v[30] == 0);
	must(as_mincore(as, at + 1, 1, vec) == -EINVAL);
	must(as_mincore(as, 0x1000, 4096, vec) == -ENOMEM);
}
END_TEST

START_TEST(test_many_small_mappings)
{
	static uaddr_t at[5000];

	for (int i = 0; i < 5000; i++)
		at[i] = (uaddr_t)as_mmap(as, 0, PAGE_SIZE, i & 1 ? RW : PROT_READ, ANON, NULL, 0);
	for (int i = 0; i < 5000; i += 7)
		must(as_munmap(as, at[i], PAGE_SIZE) == 0);
	for (int i = 0; i < 5000; i++)
		must(as_mmap(as, 0, PAGE_SIZE, i & 1 ? RW : PROT_READ, ANON, NULL, 0) > 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mm_as");
	TCase *tc = tcase_create("as");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_vma_fuzz);
	tcase_add_test(tc, test_mmap_arguments);
	tcase_add_test(tc, test_huge_reservations);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_sequential_faults_are_batched);
	tcase_add_test(tc, test_prot_none_keeps_content);
	tcase_add_test(tc, test_private_file_copies);
	tcase_add_test(tc, test_shared_file_dirty_tracking);
	tcase_add_test(tc, test_truncation_unmaps);
	tcase_add_test(tc, test_reverse_map_ends_no_address_space);
	tcase_add_test(tc, test_unmap_of_many_spaces);
	tcase_add_test(tc, test_fork_small_is_copied);
	tcase_add_test(tc, test_fork_large_is_shared);
	tcase_add_test(tc, test_fork_advice);
	tcase_add_test(tc, test_fork_without_memory);
	tcase_add_test(tc, test_mremap);
	tcase_add_test(tc, test_brk);
	tcase_add_test(tc, test_stack_grows_to_its_limit);
	tcase_add_test(tc, test_out_of_memory_fails_the_fault);
	tcase_add_test(tc, test_read_only_pages_share_one_zero_page);
	tcase_add_test(tc, test_access_from_outside);
	tcase_add_test(tc, test_futex_keys);
	tcase_add_test(tc, test_mincore_and_populate);
	tcase_add_test(tc, test_many_small_mappings);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
