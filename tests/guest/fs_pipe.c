/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, fifos, splice, tee. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "fs_tap.h"

static char buf[1 << 17];

static void test_basics(void)
{
	int p[2], n;

	is(pipe2(p, O_NONBLOCK), 0);
	is(read(p[0], buf, 1), -EAGAIN);
	is(write(p[1], "abc", 3), 3);
	is(write(p[1], "defg", 4), 4);
	is(ioctl(p[0], FIONREAD, &n), 0);
	is(n, 7);
	is(read(p[0], buf, 5), 5);
	ok(!memcmp(buf, "abcde", 5), "bytes come in order across writes");
	is(read(p[0], buf, 5), 2);
	is(lseek(p[0], 0, SEEK_CUR), -ESPIPE);
	is(pread(p[0], buf, 1, 0), -ESPIPE);
	is(write(p[0], "x", 1), -EBADF);
	is(read(p[1], buf, 1), -EBADF);
	is(fcntl(p[0], F_GETPIPE_SZ), 65536);
	is(write(p[1], buf, sizeof(buf)), 65536);
	is(write(p[1], buf, 1), -EAGAIN);
	is(fcntl(p[1], F_SETPIPE_SZ, 4096), -EBUSY);
	is(fcntl(p[1], F_SETPIPE_SZ, 100000), 131072);
	is(write(p[1], buf, sizeof(buf)), 65536);
	close(p[1]);
	is(read(p[0], buf, sizeof(buf)), 131072);
	is(read(p[0], buf, 1), 0);
	close(p[0]);
	is(pipe2(p, 0x40000000), -EINVAL);
}

static void test_atomic(void)
{
	int p[2];

	is(pipe2(p, O_NONBLOCK), 0);
	is(write(p[1], buf, 65536 - 4096), 65536 - 4096);
	is(write(p[1], buf, 4096), 4096);
	is(read(p[0], buf, 100), 100);
	is(write(p[1], buf, 4096), -EAGAIN);
	is(write(p[1], buf, 100), -EAGAIN);
	is(read(p[0], buf, 3996), 3996);
	is(write(p[1], buf, 4096), 4096);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	is(write(p[1], "x", 1), -EPIPE);
	close(p[1]);
}

static void test_packets(void)
{
	int p[2];

	is(pipe2(p, O_DIRECT), 0);
	is(write(p[1], "12345", 5), 5);
	is(write(p[1], "678", 3), 3);
	is(read(p[0], buf, 3), 3);
	is(read(p[0], buf, 100), 3);
	ok(!memcmp(buf, "678", 3), "a packet's rest is dropped");
	close(p[0]);
	close(p[1]);
}

static void *pump(void *arg)
{
	int *p = arg;
	static char out[300000];

	memset(out, 7, sizeof(out));
	if (write(p[1], out, sizeof(out)) != sizeof(out))
		return arg;
	close(p[1]);
	return NULL;
}

static void test_blocking(void)
{
	int p[2], total = 0, n;
	pthread_t t;
	void *bad;

	is(pipe(p), 0);
	pthread_create(&t, NULL, pump, p);
	while ((n = (int)read(p[0], buf, 1000)) > 0)
		total += n;
	pthread_join(t, &bad);
	ok(!bad, "a big blocking write ends");
	is(total, 300000);
	close(p[0]);
}

static void test_ping_pong(void)
{
	int a[2], b[2], status;
	char c = 0;
	pid_t pid;
	bool good = true;

	is(pipe(a), 0);
	is(pipe(b), 0);
	pid = fork();
	if (!pid) {
		close(a[1]);
		close(b[0]);
		while (read(a[0], &c, 1) == 1 && write(b[1], &c, 1) == 1)
			;
		_exit(0);
	}
	for (int i = 0; i < 2000; i++)
		good = good && write(a[1], &c, 1) == 1 && read(b[0], &c, 1) == 1;
	ok(good, "2000 round trips");
	close(a[1]);
	waitpid(pid, &status, 0);
	is(status, 0);
	close(a[0]);
	close(b[0]);
	close(b[1]);
}

static void test_fifo(void)
{
	struct pollfd pf;
	int r, w, status;
	pid_t pid;

	is(mkfifo("ff", 0600), 0);
	is(open("ff", O_WRONLY | O_NONBLOCK), -ENXIO);
	r = open("ff", O_RDONLY | O_NONBLOCK);
	ok(r >= 0, "a reader opens without a writer");
	is(read(r, buf, 1), 0);
	pf = (struct pollfd){ r, POLLIN, 0 };
	is(poll(&pf, 1, 0), 0);
	w = open("ff", O_WRONLY | O_NONBLOCK);
	is(write(w, "hi", 2), 2);
	is(poll(&pf, 1, 0), 1);
	is(read(r, buf, 10), 2);
	is(read(r, buf, 10), -EAGAIN);
	close(w);
	is(poll(&pf, 1, 0), 1);
	is(pf.revents, POLLHUP);
	close(r);
	pid = fork();
	if (!pid) {
		w = open("ff", O_WRONLY);
		_exit(write(w, "late", 4) != 4);
	}
	r = open("ff", O_RDONLY);
	is(read(r, buf, 10), 4);
	waitpid(pid, &status, 0);
	is(status, 0);
	close(r);
	r = open("ff", O_RDWR);
	is(write(r, "self", 4), 4);
	is(read(r, buf, 10), 4);
	close(r);
}

/* A pipe that is opened once more by its descriptor's name: unlike a fifo it waits for nobody, not even for a writer that has gone. */
static void test_reopen(void)
{
	char name[64];
	struct pollfd pf;
	int p[2], r, w;

	alarm(20); /* for an open that waits */
	is(pipe(p), 0);
	is(write(p[1], "abc", 3), 3);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[1]);
	w = open(name, O_WRONLY);
	is(write(w, "def", 3), 3);
	close(p[1]);
	close(w);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	r = open(name, O_RDONLY);
	close(p[0]);
	is(read(r, buf, 10), 6);
	is(read(r, buf, 10), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", r);
	p[0] = open(name, O_RDONLY | O_NONBLOCK);
	pf = (struct pollfd){ p[0], POLLIN, 0 };
	is(poll(&pf, 1, 0), 1);
	is(pf.revents, POLLHUP);
	w = open(name, O_WRONLY | O_NONBLOCK);
	is(write(w, "x", 1), 1);
	is(read(r, buf, 10), 1);
	close(r);
	close(p[0]);
	r = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	snprintf(name, sizeof(name), "%d", w);
	w = openat(r, name, O_WRONLY | O_NONBLOCK); /* no reader is left */
	ok(w >= 0, "a writer opens without a reader");
	is(write(w, "x", 1), -EPIPE);
	alarm(0);
	close(r);
	close(w);
}

static void test_splice(void)
{
	int p[2], q[2], dir, fd = open("s", O_RDWR | O_CREAT, 0600);
	char text[] = "vector";
	struct iovec v = { text, 6 };
	loff_t off = 2;

	is(pipe2(p, O_NONBLOCK), 0);
	is(pipe2(q, O_NONBLOCK), 0);
	is(write(fd, "0123456789", 10), 10);
	is(splice(fd, &off, p[1], NULL, 5, 0), 5);
	is(off, 7);
	is(tee(p[0], q[1], 100, 0), 5);
	is(read(q[0], buf, 100), 5);
	ok(!memcmp(buf, "23456", 5), "tee copies");
	is(splice(p[0], NULL, q[1], NULL, 3, 0), 3);
	is(read(p[0], buf, 100), 2);
	off = 0;
	is(splice(q[0], NULL, fd, &off, 100, 0), 3);
	is(pread(fd, buf, 10, 0), 10);
	ok(!memcmp(buf, "2343456789", 10), "splice from a pipe writes the file");
	is(vmsplice(p[1], &v, 1, 0), 6);
	is(read(p[0], buf, 100), 6);
	is(splice(fd, NULL, fd, NULL, 1, 0), -EINVAL);
	is(splice(p[0], NULL, q[1], NULL, 3, SPLICE_F_NONBLOCK), -EAGAIN);
	dir = open(".", O_RDONLY);
	is(splice(dir, NULL, p[1], NULL, 1, 0), -EINVAL);
	close(dir);
	dir = eventfd(1, 0);
	is(splice(p[0], NULL, dir, NULL, 8, 0), -EINVAL);
	is(splice(dir, NULL, p[1], NULL, 8, 0), -EINVAL);
	close(dir);
	is(tee(fd, p[1], 1, 0), -EINVAL);
	close(fd);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

/* A user without privileges gets small pipes beyond a number of pages. Over the first limit of Linux: 1024 pipes of 16 pages. */
static void test_user_limit(void)
{
	static int p[1100][2];
	struct rlimit lim = { 4096, 4096 };
	int status, n = 0, size;
	pid_t child = fork();

	if (!child) {
		setrlimit(RLIMIT_NOFILE, &lim);
		if (setresgid(12345, 12345, 12345) || setresuid(12345, 12345, 12345))
			_exit(1);
		for (n = 0; n < 1024; n++) {
			if (pipe(p[n]) || fcntl(p[n][0], F_GETPIPE_SZ) != 65536)
				_exit(2);
		}
		if (pipe(p[n]) || fcntl(p[n][0], F_GETPIPE_SZ) != 8192)
			_exit(3);
		if (fcntl(p[n][0], F_SETPIPE_SZ, 65536) != -1 || errno != EPERM)
			_exit(4);
		if (fcntl(p[0][0], F_SETPIPE_SZ, 4096) != 4096)
			_exit(5);
		size = fcntl(p[n][0], F_SETPIPE_SZ, 16384);
		_exit(size == 16384 ? 0 : 6);
	}
	is(waitpid(child, &status, 0), child);
	is(status, 0);
	ok(access("/proc/sys/fs/pipe-user-pages-soft", R_OK) == 0 ||
			access("/proc/self", R_OK) != 0,
		"the limit is in /proc");
}

int main(void)
{
	scratch();
	test_basics();
	test_atomic();
	test_packets();
	test_blocking();
	test_ping_pong();
	test_fifo();
	test_reopen();
	test_splice();
	test_user_limit();
	return tap_end();
}
