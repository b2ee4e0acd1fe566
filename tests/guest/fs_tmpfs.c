/* SPDX-License-Identifier: Apache-2.0 */
/* What a tmpfs has of a file: pages that were allocated and never looked for, holes, and what an allocation that fails leaves. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "fs_tap.h"

#define PAGE  4096L
#define PAGES 16L

static char dir[] = "/tmp/fs-tmpfs-XXXXXX";

/* "0010": which pages are there. */
static const char *present(char *p)
{
	static char text[PAGES + 1];
	unsigned char vec[PAGES];

	if (mincore(p, PAGES * PAGE, vec))
		return "none";
	for (int i = 0; i < PAGES; i++)
		text[i] = vec[i] & 1 ? '1' : '0';
	return text;
}

/* Memory is set aside by fallocate, but a page is there only when somebody wanted its content. */
static void test_allocated(void)
{
	int fd = memfd_create("allocated", 0);
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), c = 1;
	struct stat st;

	is(fallocate(fd, 0, 0, PAGES * PAGE), 0);
	ok(!fstat(fd, &st) && st.st_blocks == PAGES * PAGE / 512, "all of it is allocated");
	ok(!strcmp(present(p), "0000000000000000"), "no page is there");
	ok(pread(fd, &c, 1, 3 * PAGE) == 1 && !c && !strcmp(present(p), "0000000000000000"),
		"none after a read");
	p[8 * PAGE] = 1;
	ok(!strcmp(present(p), "0000000010000000"), "one was touched");
	ok(p[11 * PAGE] == 0 && !strcmp(present(p), "0000000010010000"), "another");
	ok(pwrite(fd, "a", 1, 2 * PAGE + 9) == 1 && !strcmp(present(p), "0010000010010000"),
		"one was written to");
	ok(!fallocate(fd, 0, 5 * PAGE, PAGE) && !strcmp(present(p), "0010010010010000"),
		"one was allocated twice");
	ok(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8 * PAGE, 8 * PAGE) &&
			!strcmp(present(p), "0010010000000000"),
		"a hole takes them away");
	ok(p[2 * PAGE + 9] == 'a' && !p[2 * PAGE] && !p[5 * PAGE] && !p[8 * PAGE],
		"what was not written to is zero");
	munmap(p, PAGES * PAGE);
	close(fd);
}

static void test_seek(void)
{
	int fd = memfd_create("seek", 0);

	is(lseek(fd, 0, SEEK_DATA), -ENXIO);
	is(lseek(fd, 0, SEEK_HOLE), -ENXIO);
	is(ftruncate(fd, 10 * PAGE + 100), 0);
	is(lseek(fd, 0, SEEK_DATA), -ENXIO);
	is(lseek(fd, 7, SEEK_HOLE), 7);
	is(pwrite(fd, "a", 1, 3 * PAGE + 10), 1);
	is(pwrite(fd, "a", 1, 4 * PAGE), 1);
	is(pwrite(fd, "a", 1, 10 * PAGE), 1);
	is(fallocate(fd, 0, 6 * PAGE, PAGE), 0);
	is(lseek(fd, 0, SEEK_DATA), 3 * PAGE);
	is(lseek(fd, 0, SEEK_CUR), 3 * PAGE);
	is(lseek(fd, 3 * PAGE + 5, SEEK_DATA), 3 * PAGE + 5);
	is(lseek(fd, 3 * PAGE + 5, SEEK_HOLE), 5 * PAGE);
	is(lseek(fd, 2 * PAGE, SEEK_HOLE), 2 * PAGE);
	is(lseek(fd, 5 * PAGE, SEEK_DATA), 10 * PAGE);
	is(lseek(fd, 6 * PAGE + 1, SEEK_HOLE), 6 * PAGE + 1);
	is(lseek(fd, 10 * PAGE + 1, SEEK_HOLE), 10 * PAGE + 100);
	is(lseek(fd, 10 * PAGE + 100, SEEK_DATA), -ENXIO);
	is(lseek(fd, 10 * PAGE + 100, SEEK_HOLE), -ENXIO);
	is(lseek(fd, -1, SEEK_DATA), -ENXIO);
	is(lseek(fd, -1, SEEK_HOLE), -ENXIO);
	is(lseek(fd, 0, SEEK_CUR), 10 * PAGE + 100);
	close(fd);
}

static long blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_blocks * 512 / PAGE;
}

static long free_pages(void)
{
	struct statfs s;

	return statfs(".", &s) ? -1 : (long)s.f_bfree;
}

/* 256 pages for two files. */
static void test_full(void)
{
	int a = open("a", O_RDWR | O_CREAT, 0600), b = open("b", O_RDWR | O_CREAT, 0600);
	struct stat st;

	is(fallocate(a, 0, 0, 150 * PAGE), 0);
	is(free_pages(), 106);
	is(fallocate(b, 0, 0, 150 * PAGE), -ENOSPC);
	ok(!blocks(b) && free_pages() == 106, "an allocation that failed leaves nothing");
	ok(!fstat(b, &st) && !st.st_size, "nor a size");
	is(fallocate(b, FALLOC_FL_KEEP_SIZE, 0, 50 * PAGE), 0);
	is(pwrite(b, "a", 1, 60 * PAGE), 1);
	is(fallocate(b, 0, 0, 150 * PAGE), -ENOSPC);
	ok(blocks(b) == 51 && free_pages() == 55, "what there was before it stays");
	is(fallocate(b, 0, 0, 105 * PAGE), 0);
	is(free_pages(), 1);
	close(a);
	close(b);
}

int main(void)
{
	test_allocated();
	test_seek();
	mkdir("/tmp", 01777);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		!mkdtemp(dir) || mount("none", dir, "tmpfs", 0, "size=1m") || chdir(dir)) {
		printf("Bail out! no tmpfs\n");
		return 1;
	}
	test_full();
	if (chdir("/") || umount(dir) || rmdir(dir))
		return 1;
	return tap_end();
}
