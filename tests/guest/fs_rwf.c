/* SPDX-License-Identifier: Apache-2.0 */
/* What one call may ask for: RWF_NOWAIT, RWF_APPEND; openat2 with RESOLVE_CACHED; the modes of fallocate; RENAME_WHITEOUT. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fs_tap.h"
#include "release_tap.h"

static char buf[64];

static ssize_t read_flags(int fd, size_t len, off_t off, int flags)
{
	struct iovec v = { buf, len };

	return preadv2(fd, &v, 1, off, flags);
}

static ssize_t write_flags(int fd, const char *text, off_t off, int flags)
{
	struct iovec v = { buf, strlen(text) };

	memcpy(buf, text, v.iov_len);
	return pwritev2(fd, &v, 1, off, flags);
}

static int open_cached(const char *name, unsigned flags)
{
	struct open_how how = { .flags = flags,
		.mode = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? 0600 : 0,
		.resolve = RESOLVE_CACHED };

	return (int)syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof(how));
}

/* To a directory on a disk, where there is one; whether it is none. Inside, /tmp is in memory, and /tests on the host or in memory. */
static bool in_memory(void)
{
	struct statfs s;

	if (!getenv("TMPDIR") && chdir("/tests"))
		return true;
	return statfs(".", &s) || s.f_type == TMPFS_MAGIC;
}

static void test_append(void)
{
	int fd = open("append", O_CREAT | O_TRUNC | O_RDWR, 0600);

	is(write(fd, "hello", 5), 5);
	is(lseek(fd, 2, SEEK_SET), 2);
	is(write_flags(fd, " world", 0, RWF_APPEND), 6);
	is(lseek(fd, 0, SEEK_CUR), 2);
	is(write_flags(fd, "!", -1, RWF_APPEND), 1);
	is(lseek(fd, 0, SEEK_CUR), 12);
	is(write_flags(fd, "H", 0, 0), 1);
	is(read_flags(fd, 64, 0, RWF_APPEND), 12);
	ok(!memcmp(buf, "Hello world!", 12), "written at the end");
	is(write_flags(fd, "x", 0, 0x8000), -EOPNOTSUPP);
	close(fd);
	unlink("append");
}

/* Linux may hold on to a page for a moment. */
static ssize_t read_dropped(int fd)
{
	ssize_t n = 0;

	for (int i = 0; i < 200 && n >= 0; i++) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		n = read_flags(fd, 10, 0, RWF_NOWAIT);
		if (n >= 0)
			usleep(10000);
	}
	return n;
}

static void test_nowait_file(bool memory)
{
	int fd = open("nowait", O_CREAT | O_TRUNC | O_RDWR, 0600);

	is(write(fd, "hello", 5), 5);
	is(read_flags(fd, 10, 0, RWF_NOWAIT), memory ? -EOPNOTSUPP : 5);
	is(read_flags(fd, 10, 100, RWF_NOWAIT), memory ? -EOPNOTSUPP : 0);
	is(fsync(fd), 0);
	is(read_dropped(fd), memory ? -EOPNOTSUPP : -EAGAIN);
	is(read_flags(fd, 10, 0, 0), 5);
	is(read_flags(fd, 10, 0, RWF_NOWAIT), memory ? -EOPNOTSUPP : 5);
	is(write_flags(fd, "x", 0, RWF_NOWAIT), -EOPNOTSUPP);
	close(fd);
	fd = open("nowait", O_WRONLY);
	is(read_flags(fd, 10, 0, RWF_NOWAIT), -EBADF);
	close(fd);
	unlink("nowait");
}

/* A point for kernels from some release on: on an older one it is left out, under the same words. */
#define is_since(old, expr, want) \
	do { \
		long got_ = (want); \
		errno = 0; \
		if (!(old)) \
			got_ = (long)(expr); \
		if (!(old) && got_ < 0) \
			got_ = -(long)errno; \
		is_result(got_, want, #expr); \
	} while (0)

/* Pipes, sockets and memory devices have it since Linux 6.5 or a little before. */
static void test_nowait_others(void)
{
	static char big[1 << 17];
	struct iovec v = { big, sizeof(big) };
	int p[2], s[2], e = eventfd(0, 0), z = open("/dev/zero", O_RDWR);
	bool old = linux_before(6, 5);

	is(pipe(p), 0);
	is_since(old, read_flags(p[0], 1, -1, RWF_NOWAIT), -EAGAIN);
	is_since(old, pwritev2(p[1], &v, 1, -1, RWF_NOWAIT), 65536);
	is_since(old, pwritev2(p[1], &v, 1, -1, RWF_NOWAIT), -EAGAIN);
	is_since(old, read_flags(p[0], 1, -1, RWF_NOWAIT), 1);
	is(pwritev2(p[0], &v, 1, 0, 0), -ESPIPE); /* nor may it be written to */
	is(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	is_since(old, read_flags(s[0], 1, -1, RWF_NOWAIT), -EAGAIN);
	is_since(old, write_flags(s[1], "x", -1, RWF_NOWAIT), 1);
	is_since(old, read_flags(s[0], 1, -1, RWF_NOWAIT), 1);
	is_since(old, read_flags(e, 8, -1, RWF_NOWAIT), -EAGAIN);
	is_since(old, read_flags(z, 8, -1, RWF_NOWAIT), 8);
	is_since(old, write_flags(z, "x", -1, RWF_NOWAIT), 1);
	close(p[0]);
	close(p[1]);
	close(s[0]);
	close(s[1]);
	close(e);
	close(z);
	z = open("/proc/self/stat", O_RDONLY);
	is_since(old, read_flags(z, 8, -1, RWF_NOWAIT), -EOPNOTSUPP);
	close(z);
}

static void test_cached(void)
{
	int fd = open("cached", O_CREAT | O_TRUNC | O_RDWR, 0600), again;

	again = open_cached("cached", O_RDONLY);
	ok(again >= 0, "a name that is in use is cached");
	close(again);
	is(open_cached("never-seen", O_RDONLY), -EAGAIN);
	is(open_cached("cached", O_RDWR | O_CREAT), -EAGAIN);
	is(open_cached("cached", O_RDWR | O_TRUNC), -EAGAIN);
	is(open_cached(".", O_RDWR | O_TMPFILE), -EAGAIN);
	again = open_cached(".", O_RDONLY | O_DIRECTORY);
	ok(again >= 0, "the directory itself, too");
	close(again);
	close(fd);
	unlink("cached");
}

#define BLOCK 4096

/* "abcd": what the blocks of a file begin with; '-' for zero. */
static const char *blocks(int fd)
{
	static char text[16];
	int n = 0;
	char c;

	while (n < 15 && pread(fd, &c, 1, n * BLOCK) == 1)
		text[n++] = c ? c : '-';
	text[n] = 0;
	return text;
}

/* A directory of the host may be in its memory, which statfs does not say inside. */
static bool cannot_move(void)
{
	int fd = open("move", O_CREAT | O_TRUNC | O_RDWR, 0600);
	bool no = ftruncate(fd, 2 * BLOCK) == 0 &&
		  fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, BLOCK) == -1 && errno == EOPNOTSUPP;

	close(fd);
	unlink("move");
	return no;
}

/* No call below does anything in memory, as on Linux's tmpfs; what follows is then left alone, and its points hold. */
static void test_moves(bool memory)
{
	int fd = open("moves", O_CREAT | O_TRUNC | O_RDWR, 0600);
	int no = memory ? -EOPNOTSUPP : 0, bad = memory ? -EOPNOTSUPP : -EINVAL;
	static char block[BLOCK];
	struct stat st;
	char *map;

	for (int i = 0; i < 4; i++) {
		memset(block, "abcd"[i], BLOCK);
		is(write(fd, block, BLOCK), BLOCK);
	}
	map = mmap(NULL, 8 * BLOCK, PROT_READ, MAP_SHARED, fd, 0);
	ok(map[BLOCK] == 'b', "mapped");
	is(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, BLOCK, BLOCK), no);
	ok(!strcmp(blocks(fd), memory ? "abcd" : "acd"), "a block is out");
	is(fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, BLOCK), no);
	ok(fstat(fd, &st) == 0 && st.st_size == 4 * BLOCK, "four blocks again");
	ok(memory || !strcmp(blocks(fd), "a-cd"), "a hole was put in");
	ok(memory || map[BLOCK] == 0, "as the mapping shows");
	is(fallocate(fd, FALLOC_FL_ZERO_RANGE, 2 * BLOCK + 1, 10), no);
	ok(pread(fd, block, 20, 2 * BLOCK) == 20 && block[0] == 'c' && block[11] == 'c' &&
			block[5] == (memory ? 'c' : 0),
		"zeroes in a range");
	is(fallocate(fd, FALLOC_FL_ZERO_RANGE, 4 * BLOCK, BLOCK), no);
	is(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 8 * BLOCK, BLOCK), no);
	ok(fstat(fd, &st) == 0 && st.st_size == (memory ? 4 : 5) * BLOCK,
		"which may grow the file");
	is(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 100, BLOCK), bad);
	is(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 100 * BLOCK), bad);
	is(fallocate(fd, FALLOC_FL_INSERT_RANGE, 100 * BLOCK, BLOCK), bad);
	/* Linux before 6.12 left it to the file system, which says EINVAL. */
	is_since(linux_before(6, 12),
		fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, BLOCK),
		-EOPNOTSUPP);
	is_since(linux_before(6, 12),
		fallocate(fd, FALLOC_FL_INSERT_RANGE | FALLOC_FL_COLLAPSE_RANGE, 0, BLOCK),
		-EOPNOTSUPP);
	is(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, BLOCK), -EOPNOTSUPP);
	is(fallocate(
		   fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 0, BLOCK),
		-EOPNOTSUPP);
	is(fallocate(fd, 0x1000, 0, BLOCK), -EOPNOTSUPP);
	munmap(map, 8 * BLOCK);
	close(fd);
	unlink("moves");
}

static int rename_flags(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void test_whiteout(void)
{
	struct stat st;

	close(open("old", O_CREAT | O_WRONLY, 0600));
	close(open("other", O_CREAT | O_WRONLY, 0600));
	is(rename_flags("old", "other", RENAME_WHITEOUT | RENAME_EXCHANGE), -EINVAL);
	is(rename_flags("old", "other", RENAME_WHITEOUT | RENAME_NOREPLACE), -EEXIST);
	is(rename_flags("old", "new", RENAME_WHITEOUT), 0);
	ok(!stat("new", &st) && S_ISREG(st.st_mode), "renamed");
	ok(!stat("old", &st) && S_ISCHR(st.st_mode) && !st.st_rdev && !(st.st_mode & 07777),
		"and a whiteout in its place");
	is(open("old", O_RDONLY), -ENXIO);
	is(mkdir("dir", 0700), 0);
	is(rename_flags("dir", "old", RENAME_WHITEOUT), -ENOTDIR);
	is(rename_flags("new", "other", RENAME_WHITEOUT), 0);
	is(unlink("old"), 0);
	is(rename_flags("dir", "old", RENAME_WHITEOUT), 0);
	is(rmdir("old"), 0);
	is(unlink("dir"), 0);
	is(unlink("new"), 0);
	is(unlink("other"), 0);
}

int main(void)
{
	bool memory;

	umask(022);
	scratch();
	test_append();
	test_cached();
	test_nowait_others();
	test_whiteout();
	memory = in_memory();
	test_append();
	test_nowait_file(memory);
	test_moves(memory || cannot_move());
	test_whiteout();
	return tap_end();
}
