/* SPDX-License-Identifier: Apache-2.0 */
/* Mapped files: private and shared, coherence with read and write, truncation, msync, rights. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "mm_tap.h"

#define PAGE  4096UL
#define PAGES 40UL
#define RW    (PROT_READ | PROT_WRITE)

static int fd;

static void fill(void)
{
	char page[PAGE];

	for (size_t i = 0; i < PAGES; i++) {
		memset(page, (int)('A' + i), PAGE);
		if (pwrite(fd, page, PAGE, (off_t)(i * PAGE)) != (ssize_t)PAGE)
			exit(1);
	}
}

static char *map(int prot, int flags, off_t off)
{
	return mmap(NULL, PAGES * PAGE, prot, flags, fd, off);
}

static void test_private(void)
{
	char *p = map(RW, MAP_PRIVATE, 0), c;

	ok(p != MAP_FAILED && p[0] == 'A' && p[5 * PAGE + 9] == 'F',
		"a private mapping shows the file");
	p[PAGE] = 'x';
	ok(p[PAGE] == 'x' && p[PAGE + 1] == 'B', "a store changes one byte");
	ok(pread(fd, &c, 1, PAGE) == 1 && c == 'B', "and not the file");
	ok(pwrite(fd, "y", 1, 7 * PAGE) == 1 && p[7 * PAGE] == 'y',
		"a write to the file shows where nothing was stored");
	munmap(p, PAGES * PAGE);
	p = map(PROT_READ, MAP_PRIVATE, 3 * PAGE);
	ok(p[0] == 'D', "an offset is respected");
	ok(!mprotect(p, PAGE, RW) && !probe_write(p) && p[1] == 'D',
		"a read-only private mapping can be made writable");
	munmap(p, PAGES * PAGE);
}

static void test_shared(void)
{
	char *p = map(RW, MAP_SHARED, 0), *q = map(PROT_READ, MAP_SHARED, 0), c;
	pid_t pid;
	int status;

	p[2 * PAGE] = 's';
	ok(q[2 * PAGE] == 's', "two shared mappings see one page");
	ok(pread(fd, &c, 1, 2 * PAGE) == 1 && c == 's', "read sees a store");
	ok(pwrite(fd, "t", 1, 2 * PAGE) == 1 && p[2 * PAGE] == 't', "a mapping sees a write");
	ok(!msync(p, PAGES * PAGE, MS_SYNC), "msync works");
	p[2 * PAGE] = 'u';
	ok(!msync(p, PAGES * PAGE, MS_SYNC) && pread(fd, &c, 1, 2 * PAGE) == 1 && c == 'u',
		"a store after msync is noticed");
	pid = fork();
	if (!pid) {
		p[9 * PAGE] = 'z';
		_exit(p[2 * PAGE] == 'u' ? 0 : 1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0 && q[9 * PAGE] == 'z',
		"a child's store reaches the parent");
	ok(msync(p, PAGE, MS_SYNC | MS_ASYNC) == -1 && errno == EINVAL,
		"contradicting msync flags give EINVAL");
	munmap(p, PAGES * PAGE);
	ok(msync(p, PAGE, MS_SYNC) == -1 && errno == ENOMEM, "msync of nothing gives ENOMEM");
	ok(q[2 * PAGE] == 'u', "the other mapping lives on");
	munmap(q, PAGES * PAGE);
}

static void test_end_of_file(void)
{
	char *p, *q;

	fill();
	p = map(RW, MAP_SHARED, 0);
	q = map(RW, MAP_PRIVATE, 0);
	q[20 * PAGE] = 'q';
	p[10 * PAGE] = 'p';
	ok(!ftruncate(fd, 5 * PAGE + 100), "truncate a mapped file");
	ok(probe_read(p + 10 * PAGE) == SIGBUS && probe_addr == p + 10 * PAGE,
		"a page beyond the end gives SIGBUS with its address");
	ok(probe_code == BUS_ADRERR, "and BUS_ADRERR");
	ok(probe_read(q + 20 * PAGE) == SIGBUS, "also where a private copy was");
	ok(p[5 * PAGE + 99] == 'F' && p[5 * PAGE + 100] == 0,
		"the last page is zero behind the end");
	ok(!ftruncate(fd, PAGES * PAGE) && p[10 * PAGE] == 0, "a longer file reads as zeroes");
	munmap(p, PAGES * PAGE);
	munmap(q, PAGES * PAGE);
	fill();
	p = map(RW, MAP_SHARED, 0);
	ok(!close(fd) && p[PAGE] == 'B', "a mapping outlives the descriptor");
	munmap(p, PAGES * PAGE);
}

static void test_rights(const char *name)
{
	int ro = open(name, O_RDONLY), wo = open(name, O_WRONLY);

	ok(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES,
		"a shared writable mapping needs a writable descriptor");
	ok(mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0) != MAP_FAILED, "a private one does not");
	ok(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0) == MAP_FAILED && errno == EACCES,
		"a write-only descriptor cannot be mapped");
	close(ro);
	close(wo);
	ro = open("/", O_RDONLY | O_DIRECTORY);
	ok(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0) == MAP_FAILED && errno == ENODEV,
		"a directory gives ENODEV");
	close(ro);
}

static void test_zero_device(void)
{
	int z = open("/dev/zero", O_RDWR);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, z, 0);

	ok(p != MAP_FAILED && p[0] == 0, "/dev/zero maps as zeroes");
	p[PAGE] = 1;
	ok(p[PAGE] == 1 && p[2 * PAGE] == 0, "that can be written");
	munmap(p, 4 * PAGE);
	close(z);
}

int main(void)
{
	char name[] = "/tmp/mm_file.XXXXXX";

	probe_setup();
	fd = mkstemp(name);
	if (fd < 0) {
		printf("Bail out! no file in /tmp\n");
		return 1;
	}
	fill();
	test_private();
	fill();
	test_shared();
	test_end_of_file();
	test_rights(name);
	test_zero_device();
	unlink(name);
	return tap_end();
}
