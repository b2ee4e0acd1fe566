/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/pagemap and clear_refs; duplicates of shared mappings, which mremap makes of length 0. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "child_tap.h"
#include "mm_tap.h"

#define PAGE	  4096UL
#define RW	  (PROT_READ | PROT_WRITE)
#define ANON	  (MAP_PRIVATE | MAP_ANONYMOUS)
#define PRESENT	  (1UL << 63)
#define SWAPPED	  (1UL << 62)
#define SHARED	  (1UL << 61)
#define EXCLUSIVE (1UL << 56)
#define DIRTY	  (1UL << 55) /* since the last clear_refs; Linux may say so of mappings that are new */
#define NUMBER	  ((1UL << 55) - 1)

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

/* The entry of the page at p; ~0: it cannot be read. */
static uint64_t entry(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t e = ~0UL;

	if (pread(fd, &e, sizeof(e), (off_t)((uintptr_t)p / PAGE * 8)) != sizeof(e))
		e = ~0UL;
	close(fd);
	return e;
}

static bool number_of(const void *p)
{
	return (entry(p) & NUMBER) != 0;
}

static int without_rights(void)
{
	char *p = mmap(NULL, PAGE, RW, ANON, -1, 0);

	p[0] = 1;
	if (setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1))
		return 1;
	return !(entry(p) & PRESENT) || number_of(p);
}

static void test_entries(void)
{
	char *p = mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);
	char *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t v[3] = { 0 };
	void *volatile out_of_reach = (void *)8;
	struct stat st;
	pid_t pid;
	int fd;

	madvise(p, 3 * PAGE, MADV_NOHUGEPAGE);
	mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
	p[0] = s[0] = 1;
	ok((entry(p) & (PRESENT | SWAPPED | SHARED | EXCLUSIVE)) == (PRESENT | EXCLUSIVE),
		"pagemap: a page of the program's own");
	ok((entry(p + 2 * PAGE) & ~DIRTY) == 0, "one that is not there");
	ok((entry(s) & (PRESENT | SHARED)) == (PRESENT | SHARED), "one of shared memory");
	mprotect(p, PAGE, PROT_NONE);
	ok(entry(p) & PRESENT, "one that may not be touched is there");
	mprotect(p, PAGE, RW);
	ok(number_of(p), "numbers of pages for those who may know");
	pid = fork();
	if (pid == 0)
		_exit(without_rights());
	ok(child_status(pid) == 0, "for others 0");
	pid = fork();
	if (pid == 0)
		_exit(!s[0] || (entry(s) & (PRESENT | EXCLUSIVE)) != PRESENT);
	ok(child_status(pid) == 0, "a page that two map is not one's own");
	fd = open("/proc/self/pagemap", O_RDONLY);
	ok(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0400, "the file is its owner's");
	ok(fails(pread(fd, v, 7, 0), EINVAL) && fails(pread(fd, v, 8, 4), EINVAL),
		"it has entries of 8 bytes");
	ok(pread(fd, v, 24, (off_t)((uintptr_t)p / PAGE * 8)) == 24 && (v[0] & PRESENT) &&
			!(v[2] & ~DIRTY),
		"several at once");
	ok(pread(fd, v, 8, (off_t)((1UL << 47) / PAGE * 8)) == 0, "it ends with the address space");
	ok(fails(pread(fd, out_of_reach, 8, (off_t)((uintptr_t)p / PAGE * 8)), EFAULT),
		"nowhere to put them");
	close(fd);
	munmap(p, 3 * PAGE);
	munmap(s, PAGE);
}

/* kB of a field of a file of /proc/self, for the mapping at p (NULL: the first such field). */
static long field(const char *file, const void *p, const char *name)
{
	char line[600], start[24];
	FILE *f = fopen(file, "r");
	bool there = !p;
	long v = -1;

	snprintf(start, sizeof(start), "%lx-", (unsigned long)p);
	while (f && v < 0 && fgets(line, sizeof(line), f)) {
		there |= !strncmp(line, start, strlen(start));
		if (there && !strncmp(line, name, strlen(name)))
			v = atol(line + strlen(name));
	}
	if (f)
		fclose(f);
	return v;
}

static int clear(const char *what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	int ret = write(fd, what, strlen(what)) < 0 ? -errno : 0;

	close(fd);
	return ret;
}

static void test_clear(void)
{
	char *p = mmap(NULL, 6 * PAGE, RW, ANON, -1, 0), *big;
	long peak;

	madvise(p, 6 * PAGE, MADV_NOHUGEPAGE);
	mprotect(p, PAGE, PROT_NONE);
	mprotect(p + 5 * PAGE, PAGE, PROT_NONE);
	p += PAGE;
	memset(p, 1, 4 * PAGE);
	ok(field("/proc/self/smaps", p, "Referenced:") == 16, "pages were accessed");
	ok(clear("3") == 0 && field("/proc/self/smaps", p, "Referenced:") == 16,
		"clear_refs of what has a file");
	ok(clear("2\n") == 0 && field("/proc/self/smaps", p, "Referenced:") == 0,
		"of what has none");
	p[PAGE] = 2;
	ok(clear("1") == 0 && field("/proc/self/smaps", p, "Referenced:") == 0, "of all");
	ok(clear("4") == 0, "soft-dirty marks");
	big = mmap(NULL, 4096 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	munmap(big, 4096 * PAGE);
	peak = field("/proc/self/status", NULL, "VmHWM:");
	ok(peak > 16384 && clear("5") == 0 &&
			field("/proc/self/status", NULL, "VmHWM:") < peak - 8192,
		"the peak of resident memory");
	ok(clear("0") == -EINVAL && clear("6") == -EINVAL && clear("x") == -EINVAL,
		"anything else");
	munmap(p - PAGE, 6 * PAGE);
}

/* ---- duplicates ---- */
static void test_duplicate(void)
{
	char *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *d;
	char *p = mmap(NULL, PAGE, RW, ANON, -1, 0), *at;

	s[PAGE] = 'd';
	d = mremap(s + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
	ok(d != MAP_FAILED && d[0] == 'd', "mremap of length 0 shows the same pages elsewhere");
	d[PAGE] = 'e';
	ok(s[2 * PAGE] == 'e' && s[PAGE] == 'd', "and leaves the others where they were");
	munmap(d, 2 * PAGE);
	ok(s[2 * PAGE] == 'e', "they stay when the duplicate goes");
	at = mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0);
	d = mremap(s, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	d[0] = 'f';
	ok(d == at && s[0] == 'f', "at a place of one's choice");
	munmap(d, PAGE);
	d = mremap(s + 3 * PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
	ok(d != MAP_FAILED && probe_read(d) == 0 && probe_read(d + PAGE) == SIGBUS,
		"beyond the end of the object is SIGBUS");
	munmap(d, 2 * PAGE);
	ok(mremap(s, 0, PAGE, 0) == MAP_FAILED && errno == ENOMEM, "it has to be allowed to move");
	ok(mremap(p, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL,
		"private memory has no duplicate");
	ok(mremap(s, 0, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) == MAP_FAILED && errno == EINVAL,
		"MREMAP_DONTUNMAP is not for this");
	munmap(p, PAGE);
	ok(mremap(p, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT,
		"nor has what is not mapped");
	munmap(s, 4 * PAGE);
}

int main(void)
{
	probe_setup();
	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	test_entries();
	test_clear();
	test_duplicate();
	return tap_end();
}
