/* SPDX-License-Identifier: Apache-2.0 */
/* Anonymous memory: mmap, munmap, mprotect, mremap, brk, madvise, mincore, mlock, the stack. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "mm_tap.h"

#define PAGE 4096UL
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t pages, int prot, int flags)
{
	char *p = mmap(NULL, pages * PAGE, prot, flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool fails(void *p, int err)
{
	return p == MAP_FAILED && errno == err;
}

static void test_mmap(void)
{
	char *p = map(16, RW, ANON), *q;
	bool zero = true;

	for (size_t i = 0; i < 16 * PAGE; i++)
		zero = zero && !p[i];
	ok(zero, "anonymous memory is zero");
	memset(p, 7, 16 * PAGE);
	ok(!munmap(p + 4 * PAGE, 2 * PAGE) && probe_read(p + 4 * PAGE) == SIGSEGV,
		"munmap in the middle leaves a hole");
	ok(probe_code == SEGV_MAPERR && probe_addr == p + 4 * PAGE,
		"the hole gives SEGV_MAPERR with its address");
	ok(p[3 * PAGE] == 7 && p[6 * PAGE] == 7, "the parts beside the hole keep their content");
	ok(!munmap(p + 4 * PAGE, 2 * PAGE), "munmap of nothing succeeds");
	q = mmap(p + 4 * PAGE, PAGE, RW, ANON, -1, 0);
	ok(q == p + 4 * PAGE, "a free hint is taken");
	q = mmap(p + 2 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	ok(q == p + 2 * PAGE && q[0] == 0 && p[PAGE] == 7, "MAP_FIXED replaces what was there");
	ok(fails(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST),
		"MAP_FIXED_NOREPLACE on a mapping gives EEXIST");
	munmap(p, 16 * PAGE);
	q = mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	ok(q == p, "MAP_FIXED_NOREPLACE on free addresses works");
	munmap(p, PAGE);
	q = map(4, RW, ANON | MAP_32BIT);
	ok(q && (uintptr_t)q < 1UL << 31, "MAP_32BIT stays below 2 GiB");
	q = map(64, RW, ANON | MAP_POPULATE);
	ok(q != NULL, "MAP_POPULATE maps");
	munmap(q, 64 * PAGE);
}

static void test_mmap_errors(void)
{
	ok(fails(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL), "length 0 gives EINVAL");
	ok(fails(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL),
		"neither MAP_PRIVATE nor MAP_SHARED gives EINVAL");
	ok(fails(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL),
		"MAP_FIXED at an odd address gives EINVAL");
	ok(fails(mmap(NULL, ~0UL - PAGE, RW, ANON, -1, 0), ENOMEM),
		"more than the address space gives ENOMEM");
	ok(fails(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF), "a bad descriptor gives EBADF");
	ok(fails(mmap(NULL, PAGE, RW, MAP_PRIVATE, 0, 1), EINVAL), "an odd offset gives EINVAL");
	errno = 0;
	ok(munmap((void *)1, PAGE) == -1 && errno == EINVAL,
		"munmap of an odd address gives EINVAL");
	ok(munmap((void *)PAGE, 0) == -1 && errno == EINVAL, "munmap of length 0 gives EINVAL");
	ok(!munmap((void *)((1UL << 47) - 2 * PAGE), PAGE), "munmap up to the last page but one");
	ok(munmap((void *)((1UL << 47) - 2 * PAGE), 2 * PAGE) == -1 && errno == EINVAL,
		"munmap beyond it gives EINVAL");
}

static void test_reservation(void)
{
	char *p = mmap(NULL, 1UL << 40, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

	ok(p != MAP_FAILED, "1 TiB can be reserved");
	ok(!mprotect(p + (1UL << 39), 1 << 20, RW), "a part of it can be made usable");
	memset(p + (1UL << 39), 3, 1 << 20);
	ok(p[(1UL << 39) + 12345] == 3 && probe_read(p) == SIGSEGV,
		"the part works and the rest does not");
	ok(!munmap(p, 1UL << 40), "the reservation can be given back");
}

static void test_mprotect(void)
{
	char *p = map(8, RW, ANON);

	memset(p, 9, 8 * PAGE);
	ok(!mprotect(p + 2 * PAGE, 2 * PAGE, PROT_READ), "mprotect to read-only");
	ok(!probe_read(p + 2 * PAGE) && probe_write(p + 3 * PAGE) == SIGSEGV, "writes are refused");
	ok(probe_code == SEGV_ACCERR, "with SEGV_ACCERR");
	ok(!probe_write(p + 4 * PAGE) && !probe_write(p + PAGE), "the neighbours stay writable");
	ok(!mprotect(p, 8 * PAGE, PROT_NONE) && probe_read(p) == SIGSEGV &&
			probe_code == SEGV_ACCERR,
		"PROT_NONE refuses reads");
	ok(!mprotect(p, 8 * PAGE, RW) && p[2 * PAGE] == 9 && p[7 * PAGE] == 9,
		"the content is back with the rights");
	ok(!probe_write(p + 3 * PAGE), "and can be written");
	munmap(p + 4 * PAGE, PAGE);
	ok(mprotect(p, 8 * PAGE, PROT_READ) == -1 && errno == ENOMEM, "a hole gives ENOMEM");
	ok(probe_write(p) == SIGSEGV, "what lies before the hole is changed");
	ok(mprotect(p + 1, PAGE, RW) == -1 && errno == EINVAL, "an odd address gives EINVAL");
	munmap(p, 8 * PAGE);
}

static void test_exec(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov eax, 42; ret */
	char *p = map(1, RW, ANON);
	int (*fn)(void);

	memcpy(p, code, sizeof(code));
	memcpy(&fn, &p, sizeof(fn));
	ok(!mprotect(p, PAGE, PROT_READ | PROT_EXEC) && fn() == 42, "made-up code runs");
	munmap(p, PAGE);
}

static void test_mremap(void)
{
	char *p = map(4, RW, ANON), *q;

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = (char)('a' + i);
	q = mremap(p, 4 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE);
	ok(q != MAP_FAILED && q[0] == 'a' && q[3 * PAGE] == 'd' && q[999 * PAGE] == 0,
		"mremap grows and keeps the content");
	ok(mremap(q, 1000 * PAGE, 2 * PAGE, 0) == q && probe_read(q + 2 * PAGE) == SIGSEGV,
		"mremap shrinks in place");
	p = map(8, PROT_NONE, ANON);
	ok(mremap(q, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE) == p + PAGE &&
			p[PAGE] == 'a' && p[2 * PAGE] == 'b' && probe_read(q) == SIGSEGV,
		"MREMAP_FIXED moves onto a mapping");
	ok(mremap(p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE) == MAP_FAILED &&
			errno == EINVAL,
		"overlapping ranges give EINVAL");
	ok(mremap((void *)(PAGE * 16), PAGE, 2 * PAGE, 0) == MAP_FAILED && errno == EFAULT,
		"an unmapped range gives EFAULT");
	munmap(p, 8 * PAGE);
	p = map(4, RW, ANON);
	memset(p, 5, 4 * PAGE);
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	ok(q != MAP_FAILED && q != p && q[3 * PAGE] == 5, "MREMAP_DONTUNMAP moves the pages");
	ok(p[0] == 0 && p[3 * PAGE] == 0, "and leaves the mapping without them");
	ok(mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL) == MAP_FAILED &&
			errno == EINVAL,
		"which does not go with another size");
	munmap(p, 4 * PAGE);
	munmap(q, 4 * PAGE);
}

static void test_brk(void)
{
	char *start = sbrk(0);

	ok(sbrk(100000) == start, "sbrk grows from the old break");
	memset(start, 5, 100000);
	ok(sbrk(-100000) == start + 100000 && sbrk(0) == start, "and shrinks again");
	ok((char *)syscall(SYS_brk, 1) == start,
		"an impossible break is answered with the old one");
	ok(sbrk(100000) == start && start[50000] == 0, "memory given back comes again as zeroes");
	(void)!sbrk(-100000);
}

static void test_madvise(void)
{
	char *p = map(16, RW, ANON);
	unsigned char vec[16];

	memset(p, 1, 16 * PAGE);
	ok(!madvise(p + PAGE, PAGE, MADV_DONTNEED) && p[PAGE] == 0 && p[0] == 1 && p[2 * PAGE] == 1,
		"MADV_DONTNEED drops one page");
	ok(!madvise(p, 16 * PAGE, MADV_DONTNEED) && !mincore(p, 16 * PAGE, vec) && !(vec[8] & 1),
		"mincore sees that pages are gone");
	p[8 * PAGE] = 1;
	ok(!mincore(p, 16 * PAGE, vec) && (vec[8] & 1), "and that one is back");
	ok(!madvise(p, 16 * PAGE, MADV_WILLNEED) && !madvise(p, 16 * PAGE, MADV_NORMAL),
		"harmless advice is taken");
	ok(madvise(p, PAGE, 4711) == -1 && errno == EINVAL, "unknown advice gives EINVAL");
	ok(madvise(p + 1, PAGE, MADV_DONTNEED) == -1 && errno == EINVAL,
		"an odd address gives EINVAL");
	munmap(p + 4 * PAGE, PAGE);
	ok(madvise(p, 16 * PAGE, MADV_DONTNEED) == -1 && errno == ENOMEM, "a hole gives ENOMEM");
	ok(mincore(p, 16 * PAGE, vec) == -1 && errno == ENOMEM, "also from mincore");
	munmap(p, 16 * PAGE);
}

/* "0010": which pages are there. */
static const char *present(const char *p, int n)
{
	static char text[33];
	unsigned char vec[32];

	if (mincore((void *)(uintptr_t)p, (size_t)n * PAGE, vec))
		return "none";
	for (int i = 0; i < n; i++)
		text[i] = vec[i] & 1 ? '1' : '0';
	text[n] = 0;
	return text;
}

/* A process that has asked once sees no pages but those that it touched. */
static void test_mincore(void)
{
	char *p = map(16, RW, ANON), *s = map(16, RW, MAP_SHARED | MAP_ANONYMOUS);

	ok(!strcmp(present(p, 16), "0000000000000000"), "nothing is there at first");
	p[8 * PAGE] = 1;
	ok(!strcmp(present(p, 16), "0000000010000000"), "one page was written to");
	ok(p[3 * PAGE] == 0 && !strcmp(present(p, 16), "0001000010000000"), "one was read");
	p[9 * PAGE] = 1;
	p[10 * PAGE] = 1;
	ok(!strcmp(present(p, 16), "0001000011100000"), "a sequence of pages");
	ok(!strcmp(present(s, 16), "0000000000000000"), "nothing of shared memory");
	s[5 * PAGE] = 1;
	ok(!strcmp(present(s, 16), "0000010000000000"), "one page of it");
	munmap(p, 16 * PAGE);
	munmap(s, 16 * PAGE);
}

static void test_mlock(void)
{
	char *p = map(4, RW, ANON);
	unsigned char vec[4];

	ok(!mlock(p, 4 * PAGE) && !mincore(p, 4 * PAGE, vec) && (vec[0] & vec[3] & 1),
		"mlock makes pages present");
	ok(madvise(p, 4 * PAGE, MADV_DONTNEED) == -1 && errno == EINVAL,
		"locked pages cannot be dropped");
	ok(!munlock(p, 4 * PAGE) && !madvise(p, 4 * PAGE, MADV_DONTNEED), "until munlock");
	ok(mlock((void *)PAGE, PAGE) == -1 && errno == ENOMEM, "mlock of nothing gives ENOMEM");
	ok(mlockall(64) == -1 && errno == EINVAL, "mlockall with unknown flags gives EINVAL");
	munmap(p, 4 * PAGE);
}

static int deep(int n)
{
	volatile char frame[4096];

	frame[0] = (char)n;
	return n ? deep(n - 1) + frame[0] : 0;
}

static void test_stack(void)
{
	struct rlimit rl;
	char alt[65536];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	volatile char *here = (char *)__builtin_frame_address(0);

	ok(deep(300) != -1, "the stack grows by more than 1 MiB");
	getrlimit(RLIMIT_STACK, &rl);
	sigaltstack(&ss, NULL);
	if (rl.rlim_cur == RLIM_INFINITY)
		ok(true, "the stack has no limit here # SKIP");
	else
		ok(probe_write(here - rl.rlim_cur - (1 << 20)) == SIGSEGV,
			"it does not grow beyond RLIMIT_STACK");
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

static void test_large(void)
{
	const size_t n = 32UL << 20;
	char *p = map(n / PAGE, RW, ANON);
	bool good = true;

	for (size_t i = 0; i < n; i += PAGE)
		p[i] = (char)(i / PAGE);
	for (size_t i = 0; i < n; i += PAGE)
		good = good && p[i] == (char)(i / PAGE);
	ok(good, "32 MiB hold what was written");
	munmap(p, n);
	for (int i = 0; i < 200; i++) {
		p = map(64, RW, ANON);
		memset(p, i, 64 * PAGE);
		good = good && p[63 * PAGE] == (char)i;
		munmap(p, 64 * PAGE);
	}
	ok(good, "mapping and unmapping 200 times");
}

int main(void)
{
	probe_setup();
	test_mmap();
	test_mmap_errors();
	test_reservation();
	test_mprotect();
	test_exec();
	test_mremap();
	test_brk();
	test_madvise();
	test_mincore();
	test_mlock();
	test_stack();
	test_large();
	return tap_end();
}
