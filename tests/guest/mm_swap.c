/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Swap space: what swapon takes, what becomes of the file, and that pages that were out are what they were, whatever is done to them meanwhile. Where it cannot be
 * (natively without the right, or where files are memory) the points pass unlooked at. Natively the machine is not filled.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "fs_tap.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define PAGE  4096UL
#define PAGES 256u /* of the small area */
#define MEM   128u /* pages that go there */
#define WORDS 7u /* every so many is looked at: the last one, too */
#define TMPFS 0x01021994
#define RAMFS 0x858458f6

static bool can;

/* Looked at only where there can be swap. */
#define on(expr, want) \
	is_result(can ? ({ \
		errno = 0; \
		long r_ = (long)(expr); \
		r_ < 0 ? -(long)errno : r_; \
	}) \
		      : (long)(want), \
		want, #expr)

/* ---- files ---- */
static void put32(char *page, size_t at, uint32_t v)
{
	memcpy(page + at, &v, sizeof(v));
}

/* A file of so many pages with a header that says what is given. */
static int make(const char *name, unsigned pages, uint32_t version, uint32_t last, uint32_t bad,
	const char *magic, bool holes)
{
	static char page[PAGE];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(page, 0, sizeof(page));
	for (unsigned i = 1; i < pages && !holes; i++) {
		if (pwrite(fd, page, PAGE, (off_t)(i * PAGE)) != (ssize_t)PAGE)
			return -1;
	}
	if (holes && ftruncate(fd, (off_t)(pages * PAGE)))
		return -1;
	put32(page, 1024, version);
	put32(page, 1028, last);
	put32(page, 1032, bad);
	memcpy(page + PAGE - 10, magic, 10);
	if (pwrite(fd, page, PAGE, 0) != (ssize_t)PAGE || fsync(fd))
		return -1;
	return close(fd);
}

static int good(const char *name, unsigned pages)
{
	return make(name, pages, 1, pages - 1, 0, "SWAPSPACE2", false);
}

static bool possible(void)
{
	struct statfs fs;
	bool memory = !statfs(".", &fs) && (fs.f_type == TMPFS || fs.f_type == RAMFS);

	if (good("probe", 32) || (swapon("probe", 0) && (errno == EPERM || memory)))
		return false;
	swapoff("probe");
	unlink("probe");
	return true;
}

/* ---- what is refused ---- */
static void try_header(
	uint32_t version, uint32_t last, uint32_t bad, const char *magic, bool holes, int want)
{
	make("hostile", 64, version, last, bad, magic, holes);
	on(swapon("hostile", 0), want);
	on(swapoff("hostile"), want ? -EINVAL : 0);
	unlink("hostile");
}

static void headers(void)
{
	int fd;

	try_header(1, 63, 0, "SWAPSPACE2", false, 0);
	try_header(1, 1, 0, "SWAPSPACE2", false, 0);
	try_header(0x01000000, 0x3f000000, 0, "SWAPSPACE2", false, 0);
	try_header(0x01000000, 63, 0, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 0, 0, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 64, 0, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 0xffffffff, 0, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 0x7fffffff, 0, "SWAPSPACE2", false, -EINVAL);
	try_header(0, 63, 0, "SWAPSPACE2", false, -EINVAL);
	try_header(2, 63, 0, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 63, 1, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 63, 637, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 63, 0xffffffff, "SWAPSPACE2", false, -EINVAL);
	try_header(1, 63, 0, "SWAP-SPACE", false, -EINVAL);
	try_header(1, 63, 0, "SWAPSPACE2", true, -EINVAL);
	fd = open("short", O_RDWR | O_CREAT, 0600);
	on(swapon("short", 0), -EINVAL);
	is(pwrite(fd, "x", 1, 100), 1);
	on(swapon("short", 0), -EINVAL);
	close(fd);
	unlink("short");
}

static void drop_admin(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	syscall(SYS_capget, &h, d);
	d[0].effective &= ~(1u << CAP_SYS_ADMIN);
	syscall(SYS_capset, &h, d);
}

static void errors(void)
{
	int status = 0;
	pid_t pid;

	is(swapon("nothing", 0x80000), -EINVAL);
	on(swapon("nothing", 0), -ENOENT);
	on(swapoff("nothing"), -ENOENT);
	on(swapon("", 0), -ENOENT);
	on(swapon((char *)8, 0), -EFAULT);
	on(swapon(".", 0), -EISDIR);
	on(swapon("/dev/null", 0), -EINVAL);
	on(swapoff("/dev/null"), -EINVAL);
	is(good("area", 64), 0);
	on(swapoff("area"), -EINVAL);
	pid = fork();
	if (!pid) {
		drop_admin();
		_exit((swapon("area", 0) == -1 && errno == EPERM ? 0 : 1) |
			(swapoff("area") == -1 && errno == EPERM ? 0 : 2) |
			(swapon("area", 0x80000) == -1 && errno == EINVAL ? 0 : 4));
	}
	waitpid(pid, &status, 0);
	is(WEXITSTATUS(status), 0);
	unlink("area");
}

/* ---- the file while it is swap space ---- */
static int listed(const char *name, int *prio, unsigned long *size)
{
	FILE *f = fopen("/proc/swaps", "r");
	char path[256], type[32], line[512];
	unsigned long used, kib;
	int n = 0, p;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%255s %31s %lu %lu %d", path, type, &kib, &used, &p) != 5 ||
			!strrchr(path, '/') || strcmp(strrchr(path, '/') + 1, name))
			continue;
		*prio = p;
		*size = kib;
		n += strcmp(type, "file") ? 100 : 1;
	}
	if (f)
		fclose(f);
	return n;
}

static void busy_file(void)
{
	struct sysinfo before, after;
	unsigned long size = 0;
	int prio = 0, fd, other;
	char buf[8];

	is(good("area", PAGES), 0);
	fd = open("area", O_RDWR);
	other = open("other", O_RDWR | O_CREAT, 0600);
	sysinfo(&before);
	on(swapon("area", SWAP_FLAG_PREFER | 77), 0);
	sysinfo(&after);
	on((after.totalswap - before.totalswap) * after.mem_unit, (long)((PAGES - 1) * PAGE));
	on(listed("area", &prio, &size), 1);
	on(prio, 77);
	on(size, (PAGES - 1) * 4);
	on(swapon("area", 0), -EBUSY);
	on(write(fd, "x", 1), -ETXTBSY);
	on(pwrite(fd, "x", 1, PAGES * PAGE), -ETXTBSY);
	on(ftruncate(fd, 0), -ETXTBSY);
	on(ftruncate(fd, PAGES * PAGE), -ETXTBSY);
	on(truncate("area", 4096), -ETXTBSY);
	on(open("area", O_RDWR | O_TRUNC), -ETXTBSY);
	on(fallocate(fd, 0, 0, 4096), -ETXTBSY);
	on(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -ETXTBSY);
	on(copy_file_range(other, NULL, fd, NULL, 1, 0), -ETXTBSY);
	on(copy_file_range(fd, NULL, other, NULL, 1, 0), -ETXTBSY);
	on((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == -1 ? -errno : 0,
		-ETXTBSY);
	on(unlink("area"), -EPERM);
	on(rename("area", "elsewhere"), -EPERM);
	on(rename("other", "area"), -EPERM);
	on(pread(fd, buf, 8, PAGE - 10), 8);
	on(memcmp(buf, "SWAPSPAC", 8), 0);
	on(swapoff("area"), 0);
	on(listed("area", &prio, &size), 0);
	on(swapoff("area"), -EINVAL);
	on(pwrite(fd, "x", 1, 0), 1);
	on(ftruncate(fd, 4096), 0);
	close(fd);
	close(other);
	is(unlink("area"), 0);
	unlink("other");
}

static void priorities(void)
{
	unsigned long size;
	int a = 0, b = 0, c = 0;

	good("one", 64);
	good("two", 64);
	good("three", 64);
	on(swapon("one", 0), 0);
	on(swapon("two", 0), 0);
	on(swapon("three", SWAP_FLAG_PREFER | SWAP_FLAG_DISCARD), 0);
	on(listed("one", &a, &size) + listed("two", &b, &size) + listed("three", &c, &size), 3);
	on(a < 0 && b == a - 1 && c == 0, 1);
	on(swapoff("one"), 0);
	on(listed("two", &b, &size), 1);
	on(b == a, 1);
	on(swapoff("two"), 0);
	on(swapoff("three"), 0);
	unlink("one");
	unlink("two");
	unlink("three");
}

/* ---- pages ---- */
static uint64_t word(unsigned page, unsigned at, unsigned seed)
{
	return (page * 0x9e3779b97f4a7c15UL) ^ (at * 0xc2b2ae3d27d4eb4fUL) ^
	       seed * 0x165667b19e3779f9UL;
}

static void fill(char *mem, unsigned page, unsigned seed)
{
	uint64_t *p = (uint64_t *)(mem + page * PAGE);

	for (unsigned i = 0; i < PAGE / 8; i += WORDS)
		p[i] = word(page, i, seed);
}

static bool check(const char *mem, unsigned page, unsigned seed)
{
	const uint64_t *p = (const uint64_t *)(mem + page * PAGE);

	for (unsigned i = 0; i < PAGE / 8; i += WORDS) {
		if (p[i] != word(page, i, seed))
			return false;
	}
	return true;
}

static unsigned bad_pages(const char *mem, unsigned n, unsigned seed)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < n; i++)
		bad += !check(mem, i, seed);
	return bad;
}

static char *fresh(unsigned seed)
{
	char *mem =
		mmap(NULL, MEM * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; i < MEM; i++)
		fill(mem, i, seed);
	return mem;
}

/* How many of n pages are out, by /proc/self/pagemap. */
static unsigned gone(const char *mem, unsigned n)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	unsigned sum = 0;
	uint64_t e;

	for (unsigned i = 0; i < n; i++)
		sum += pread(fd, &e, 8, (off_t)(((uintptr_t)mem / PAGE + i) * 8)) == 8 &&
		       e >> 62 == 1;
	close(fd);
	return sum;
}

/* Out with them; Linux may need more than one try. */
static long out(char *mem)
{
	for (int i = 0; i < 100 && gone(mem, MEM) < MEM; i++) {
		if (madvise(mem, MEM * PAGE, MADV_PAGEOUT))
			return -errno;
		if (i)
			usleep(10000);
	}
	return gone(mem, MEM);
}

static long vmswap(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmSwap: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

static long smaps_swap(const char *mem)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long from, to;
	bool here = false;
	long kib = -1, v;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)mem >= from && (uintptr_t)mem < to;
		else if (here && sscanf(line, "Swap: %ld", &v) == 1)
			kib = v;
	}
	if (f)
		fclose(f);
	return kib;
}

static void counted(void)
{
	char *mem = fresh(1);
	long swap;

	is(madvise(mem, MEM * PAGE, MADV_COLD), 0);
	on(out(mem), MEM);
	swap = vmswap();
	on(swap >= (long)MEM * 4, 1);
	on(smaps_swap(mem) >= (long)MEM * 4, 1);
	is(bad_pages(mem, MEM, 1), 0);
	is(gone(mem, MEM), 0);
	on(swap - vmswap() >= (long)MEM * 4, 1);
	is(mlock(mem, MEM * PAGE), 0);
	is(madvise(mem, MEM * PAGE, MADV_PAGEOUT), -EINVAL);
	is(gone(mem, MEM), 0);
	is(munlock(mem, MEM * PAGE), 0);
	on(out(mem), MEM);
	is(mlock(mem, MEM * PAGE), 0);
	is(gone(mem, MEM), 0);
	is(bad_pages(mem, MEM, 1), 0);
	munmap(mem, MEM * PAGE);
}

/* Every way to look at a page or to change its mapping, with pages that are out. */
static void changed(void)
{
	char *mem = fresh(2), *to, buf[PAGE];
	unsigned char vec[MEM];
	struct iovec here = { buf, PAGE }, there = { NULL, PAGE };
	int fd, p[2];

	on(out(mem), MEM);
	is(mprotect(mem, MEM * PAGE, PROT_NONE), 0);
	is(mprotect(mem, MEM * PAGE, PROT_READ), 0);
	is(bad_pages(mem, MEM, 2), 0);
	is(mprotect(mem, MEM * PAGE, PROT_READ | PROT_WRITE), 0);
	on(out(mem), MEM);
	to = mremap(mem, MEM * PAGE, 2 * MEM * PAGE, MREMAP_MAYMOVE);
	ok(to != MAP_FAILED, "mremap");
	is(bad_pages(to, MEM, 2), 0);
	ok(!to[MEM * PAGE] && !to[(2 * MEM - 1) * PAGE], "what is new is empty");
	mem = to;
	on(out(mem), MEM);
	is(madvise(mem, MEM / 2 * PAGE, MADV_DONTNEED), 0);
	ok(!mem[0] && !mem[(MEM / 2 - 1) * PAGE], "MADV_DONTNEED");
	is(bad_pages(mem + MEM / 2 * PAGE, 0, 2), 0);
	ok(check(mem, MEM / 2, 2) && check(mem, MEM - 1, 2), "and only there");
	is(munmap(mem, 2 * MEM * PAGE), 0);

	mem = fresh(3);
	on(out(mem), MEM);
	fd = open("/proc/self/mem", O_RDWR);
	is(pread(fd, buf, PAGE, (off_t)(uintptr_t)(mem + 5 * PAGE)), PAGE);
	ok(!memcmp(buf, mem + 5 * PAGE, PAGE) && check(mem, 5, 3), "/proc/self/mem reads");
	is(pwrite(fd, buf, PAGE, (off_t)(uintptr_t)(mem + 6 * PAGE)), PAGE);
	ok(!memcmp(buf, mem + 6 * PAGE, PAGE), "and writes");
	there.iov_base = mem + 7 * PAGE;
	is(process_vm_readv(getpid(), &here, 1, &there, 1, 0), PAGE);
	ok(!memcmp(buf, mem + 7 * PAGE, PAGE) && check(mem, 7, 3), "process_vm_readv");
	is(pipe(p), 0);
	is(write(p[1], mem + 8 * PAGE, PAGE), PAGE);
	is(read(p[0], mem + 9 * PAGE, PAGE), PAGE);
	ok(!memcmp(mem + 8 * PAGE, mem + 9 * PAGE, PAGE) && check(mem, 8, 3), "through a pipe");
	close(p[0]);
	close(p[1]);
	close(fd);
	munmap(mem, MEM * PAGE);
	mem = mmap(NULL, MEM * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	is(mincore(mem, MEM * PAGE, vec), 0);
	is(vec[0] & 1, 0);
	munmap(mem, MEM * PAGE);
}

/* Parent and child have the same pages out, and go their own ways. */
static void forked(void)
{
	char *mem = fresh(4);
	int status = 1;
	pid_t pid;

	on(out(mem), MEM);
	pid = fork();
	if (!pid) {
		pid_t grandchild = fork();

		if (!grandchild)
			_exit(bad_pages(mem, MEM, 4) ? 1 : 0);
		waitpid(grandchild, &status, 0);
		if (status || bad_pages(mem, MEM / 2, 4))
			_exit(1);
		for (unsigned i = 0; i < MEM; i++)
			fill(mem, i, 5);
		if (can && out(mem) < 0)
			_exit(2);
		_exit(bad_pages(mem, MEM, 5) ? 3 : 0);
	}
	fill(mem, 0, 6);
	waitpid(pid, &status, 0);
	is(status, 0);
	ok(check(mem, 0, 6), "the parent's page is its own");
	fill(mem, 0, 4);
	is(bad_pages(mem, MEM, 4), 0);
	on(out(mem), MEM);
	pid = fork();
	if (!pid)
		_exit(bad_pages(mem, MEM, 4) ? 1 : 0);
	is(munmap(mem, MEM * PAGE), 0);
	waitpid(pid, &status, 0);
	is(status, 0);
}

static void switched_off(const char *name)
{
	char *mem = fresh(7);
	int status = 1, p[2];
	pid_t pid;

	is(pipe(p), 0);
	on(out(mem), MEM);
	pid = fork();
	if (!pid) {
		char c;

		_exit(read(p[0], &c, 1) != 1 || bad_pages(mem, MEM, 7));
	}
	on(swapoff(name), 0);
	is(gone(mem, MEM), 0);
	is(bad_pages(mem, MEM, 7), 0);
	is(write(p[1], "", 1), 1);
	waitpid(pid, &status, 0);
	is(status, 0);
	on(swapon(name, 0), 0);
	munmap(mem, MEM * PAGE);
}

/* Killed in the middle of it, again and again; swapoff finds nothing that is left. */
static void killed(const char *name)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid) {
			char *mem = fresh(8);

			for (;;) {
				madvise(mem, MEM * PAGE, MADV_PAGEOUT);
				if (bad_pages(mem, MEM, 8))
					_exit(1);
				if (!fork()) {
					madvise(mem, MEM * PAGE, MADV_PAGEOUT);
					_exit(0);
				}
				waitpid(-1, NULL, 0);
			}
		}
		usleep(3000 + (useconds_t)i * 1000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	on(swapoff(name), 0);
	on(swapon(name, 0), 0);
}

/* ---- more than there is ---- */

static unsigned next_random(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static int ready[2], go[2]; /* pipes: all have their memory before one goes on */

static int worker(unsigned pages, unsigned seed)
{
	char c;
	char *mem = mmap(
		NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *version = calloc(pages, 1);
	unsigned state = seed;

	if (mem == MAP_FAILED || !version)
		return 1;
	for (unsigned i = 0; i < pages; i++)
		fill(mem, i, seed);
	if (write(ready[1], "", 1) != 1 || read(go[0], &c, 1) != 1)
		return 4;
	for (unsigned n = 0; n < pages / 2; n++) {
		/* here and there, and everywhere where little has to be read */
		unsigned i = next_random(&state) % 4 ? next_random(&state) % 512 % pages
						     : next_random(&state) % pages;

		if (!check(mem, i, seed + version[i]))
			return 2;
		fill(mem, i, seed + ++version[i]);
		if (next_random(&state) % 2048 == 0)
			madvise(mem + i * PAGE, PAGE, MADV_PAGEOUT);
	}
	for (unsigned i = 0; i < pages; i++) {
		if (!check(mem, i, seed + version[i]))
			return 3;
	}
	return 0;
}

#define WORKERS 3u
static void together(void)
{
	char c[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		if (read(ready[0], c, 1) != 1)
			return;
	}
	is(write(go[1], c, WORKERS), WORKERS);
}

static void pressed(void)
{
	struct sysinfo si;
	struct statvfs fs;
	unsigned long bytes = 12 << 20, room = 16 << 20;
	unsigned bad = 0;
	int fd = open("large", O_RDWR | O_CREAT | O_TRUNC, 0600);

	sysinfo(&si);
	statvfs(".", &fs);
	if (si.totalram * si.mem_unit <= 1UL << 30 && fs.f_bavail * fs.f_frsize > 2UL << 30) {
		bytes = si.totalram * si.mem_unit + (16UL << 20);
		room = 256UL << 20;
	}
	is(fallocate(fd, 0, 0, (off_t)room), 0);
	close(fd);
	fd = open("large", O_RDWR);
	{
		static char page[PAGE];

		put32(page, 1024, 1);
		put32(page, 1028, (uint32_t)(room / PAGE - 1));
		memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
		is(pwrite(fd, page, PAGE, 0), PAGE);
	}
	close(fd);
	on(swapon("large", 0), 0);
	is(pipe(ready) | pipe(go), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		if (!fork())
			_exit(worker((unsigned)(bytes / PAGE / WORKERS), 100 * (i + 1)));
	}
	close(ready[1]);
	together();
	for (unsigned i = 0; i < WORKERS; i++) {
		int status = -1;

		wait(&status);
		bad += status != 0;
		if (status)
			fprintf(stderr, "# worker: status %#x\n", status);
	}
	is(bad, 0);
	on(swapoff("large"), 0);
	is(unlink("large"), 0);
}

int main(void)
{
	setenv("TMPDIR", "/", 0); /* inside /tmp is memory */
	scratch();
	can = possible();
	errors();
	headers();
	busy_file();
	priorities();
	good("area", PAGES);
	on(swapon("area", 0), 0);
	counted();
	changed();
	forked();
	switched_off("area");
	killed("area");
	on(swapoff("area"), 0);
	unlink("area");
	pressed();
	return tap_end();
}
