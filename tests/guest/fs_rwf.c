/* SPDX-License-Identifier: Apache-2.0 */
/* What one call may ask for: RWF_NOWAIT, RWF_APPEND; openat2 with RESOLVE_CACHED; the modes of fallocate; RENAME_WHITEOUT. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fs_tap.h"

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

static void test_nowait_others(void)
{
	static char big[1 << 17];
	struct iovec v = { big, sizeof(big) };
	int p[2], s[2], e = eventfd(0, 0), z = open("/dev/zero", O_RDWR);

	is(pipe(p), 0);
	is(read_flags(p[0], 1, -1, RWF_NOWAIT), -EAGAIN);
	is(pwritev2(p[1], &v, 1, -1, RWF_NOWAIT), 65536);
	is(pwritev2(p[1], &v, 1, -1, RWF_NOWAIT), -EAGAIN);
	is(read_flags(p[0], 1, -1, RWF_NOWAIT), 1);
	is(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	is(read_flags(s[0], 1, -1, RWF_NOWAIT), -EAGAIN);
	is(write_flags(s[1], "x", -1, RWF_NOWAIT), 1);
	is(read_flags(s[0], 1, -1, RWF_NOWAIT), 1);
	is(read_flags(e, 8, -1, RWF_NOWAIT), -EAGAIN);
	is(read_flags(z, 8, -1, RWF_NOWAIT), 8);
	is(write_flags(z, "x", -1, RWF_NOWAIT), 1);
	close(p[0]);
	close(p[1]);
	close(s[0]);
	close(s[1]);
	close(e);
	close(z);
	z = open("/proc/self/stat", O_RDONLY);
	is(read_flags(z, 8, -1, RWF_NOWAIT), -EOPNOTSUPP);
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

int main(void)
{
	bool memory;

	umask(022);
	scratch();
	test_append();
	test_cached();
	test_nowait_others();
	memory = in_memory();
	test_append();
	test_nowait_file(memory);
	return tap_end();
}
