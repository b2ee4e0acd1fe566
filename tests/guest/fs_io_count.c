/* SPDX-License-Identifier: Apache-2.0 */
/* What a process reads and writes, counted: /proc/PID/io, proc_pid_io(5). What reaches a disk is looked at where the working directory is on one. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "fs_tap.h"

#define MIB (1l << 20)

struct io {
	long rchar, wchar, syscr, syscw, read, written, cancelled;
	long text; /* bytes of the file itself, whose reading counts next time */
};

static char block[1 << 20];

static struct io io_of(const char *path)
{
	struct io io = { 0 };
	char buf[512];
	int fd = open(path, O_RDONLY);

	io.text = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[io.text > 0 ? io.text : 0] = 0;
	if (sscanf(buf,
		    "rchar: %ld\nwchar: %ld\nsyscr: %ld\nsyscw: %ld\nread_bytes: %ld\nwrite_bytes: %ld\ncancelled_write_bytes: %ld\n",
		    &io.rchar, &io.wchar, &io.syscr, &io.syscw, &io.read, &io.written,
		    &io.cancelled) != 7)
		memset(&io, -1, sizeof(io));
	return io;
}

/* From one look to the next: exactly that many bytes and calls, but for the looks themselves. */
static bool moved(
	const struct io *from, const struct io *to, long rchar, long syscr, long wchar, long syscw)
{
	return to->rchar - from->rchar == rchar + from->text &&
	       to->syscr - from->syscr == syscr + 1 && to->wchar - from->wchar == wchar &&
	       to->syscw - from->syscw == syscw;
}

static void test_calls(void)
{
	struct iovec v[2] = { { block, 300 }, { block, 700 } };
	struct io a = io_of("/proc/self/io"), b;
	int p[2];

	pipe(p);
	ok(a.syscr >= 0, "/proc/self/io");
	a = io_of("/proc/self/io");
	for (int i = 0; i < 10; i++) {
		write(p[1], block, 1000);
		read(p[0], block, 5000);
	}
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 10000, 10, 10000, 10), "read and write");
	a = io_of("/proc/self/io");
	writev(p[1], v, 2);
	readv(p[0], v, 2);
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 1000, 1, 1000, 1), "a vector is one call");
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	a = io_of("/proc/self/io");
	read(p[0], block, 10);
	read(p[1], block, 10);
	write(p[0], block, 10);
	read(-1, block, 10);
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 0, 1, 0, 0),
		"one without a result counts as a call, one of a wrong descriptor does not");
	close(p[0]);
	close(p[1]);
}

static void test_others(void)
{
	int s[2], fd = memfd_create("io", 0), to = memfd_create("io", 0), p[2];
	struct io a, b;
	off_t off = 0;
	loff_t loff = 0;

	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	pipe(p);
	pwrite(fd, block, 5000, 0);
	a = io_of("/proc/self/io");
	send(s[0], block, 100, 0);
	recv(s[1], block, 100, 0);
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 0, 0, 0, 0), "send and recv are none of it");
	a = io_of("/proc/self/io");
	write(s[0], block, 100);
	read(s[1], block, 100);
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 100, 1, 100, 1), "but write and read of a socket are");
	a = io_of("/proc/self/io");
	pread(fd, block, 200, 0);
	pwritev(to, &(struct iovec){ block, 300 }, 1, 0);
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 200, 1, 300, 1), "at a position");
	a = io_of("/proc/self/io");
	sendfile(to, fd, &off, 5000);
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 5000, 1, 5000, 1), "sendfile is both");
	a = io_of("/proc/self/io");
	splice(fd, &loff, p[1], NULL, 1000, 0);
	b = io_of("/proc/self/io");
	ok(moved(&a, &b, 0, 0, 0, 0), "splice is not");
	close(fd);
	close(to);
	close(s[0]);
	close(s[1]);
	close(p[0]);
	close(p[1]);
}

static void *thread_fn(void *arg)
{
	int fd = memfd_create("io", 0);

	(void)arg;
	write(fd, block, 7777);
	close(fd);
	return NULL;
}

static void test_threads(void)
{
	struct io a = io_of("/proc/self/io"), b, own = io_of("/proc/thread-self/io"), child;
	bool same;
	pthread_t th;
	int fd, pid;
	char path[64];

	pthread_create(&th, NULL, thread_fn, NULL);
	pthread_join(th, NULL);
	b = io_of("/proc/self/io");
	same = io_of("/proc/thread-self/io").wchar == own.wchar;
	ok(b.wchar - a.wchar == 7777 && b.syscw - a.syscw == 1, "what a thread did that has ended");
	ok(same, "is not another's");
	b = io_of("/proc/self/io");
	pid = fork();
	if (!pid) {
		fd = memfd_create("io", 0);
		write(fd, block, 3333);
		pause();
	}
	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	for (int i = 0; i < 5000 && !(child = io_of(path)).wchar; i++)
		usleep(1000);
	a = io_of("/proc/self/io");
	ok(child.wchar == 3333 && child.rchar == 0, "a child begins at nothing");
	ok(a.wchar == b.wchar, "its own is not the parent's");
	a = io_of("/proc/self/io");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	b = io_of("/proc/self/io");
	ok(b.wchar - a.wchar == 3333, "until it is collected");
}

static void test_access(void)
{
	int status = -1, pid = fork();
	char path[64];

	if (!pid) {
		snprintf(path, sizeof(path), "/proc/%d/io", getppid());
		setgid(1000);
		setuid(1000);
		_exit(open(path, O_RDONLY) < 0 && errno == EACCES ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ok(!status, "it is nobody else's business");
}

static bool on_disk(void)
{
	struct statfs s;

	statfs(".", &s);
	return s.f_type != TMPFS_MAGIC && s.f_type != RAMFS_MAGIC;
}

static void test_disk(void)
{
	char name[64];
	struct io a, b;
	bool disk = on_disk();
	int fd;

	snprintf(name, sizeof(name), "fs_io_count.%d", getpid());
	fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	a = io_of("/proc/self/io");
	pwrite(fd, block, sizeof(block), 0);
	b = io_of("/proc/self/io");
	ok(fd >= 0 && (!disk || b.written - a.written >= MIB), "what will be written to a disk");
	a = io_of("/proc/self/io");
	ftruncate(fd, 0);
	b = io_of("/proc/self/io");
	ok(!disk || (b.cancelled > a.cancelled && b.cancelled - a.cancelled <= MIB),
		"but for what is cut off before");
	pwrite(fd, block, sizeof(block), 0);
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	a = io_of("/proc/self/io");
	pread(fd, block, sizeof(block), 0);
	b = io_of("/proc/self/io");
	ok(!disk || (b.read - a.read >= MIB && b.rchar - a.rchar == MIB + a.text),
		"what came from it");
	a = io_of("/proc/self/io");
	pread(fd, block, sizeof(block), 0);
	b = io_of("/proc/self/io");
	ok(b.read == a.read && b.rchar - a.rchar == MIB + a.text, "or from the cache");
	close(fd);
	unlink(name);
	fd = memfd_create("io", 0);
	a = io_of("/proc/self/io");
	pwrite(fd, block, sizeof(block), 0);
	b = io_of("/proc/self/io");
	ok(b.written == a.written && b.wchar - a.wchar == MIB, "memory is no disk");
	close(fd);
}

int main(void)
{
	test_calls();
	test_others();
	test_threads();
	test_access();
	test_disk();
	return tap_end();
}
