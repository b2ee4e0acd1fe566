/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Micro-benchmarks of system calls: an ordinary static program, run natively and inside each runtime. Prints one line a row:
 * NAME MEDIAN_NS, the median of 5 rounds of about 100 ms. Arguments: names of rows to run (default: all).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	 5
#define ROUND_NS 100000000ULL

static const char *self_path;
static int zero_fd, data_fd;
static char block[4096];

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static void row_getppid(uint64_t n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void row_read(uint64_t n)
{
	char c;

	while (n--) {
		if (read(zero_fd, &c, 1) != 1)
			die("read /dev/zero");
	}
}

static void row_stat(uint64_t n)
{
	struct stat st;

	while (n--) {
		if (stat("/bin/bench", &st))
			die("stat");
	}
}

static void row_open_close(uint64_t n)
{
	while (n--) {
		int fd = open("/bin/bench", O_RDONLY);

		if (fd < 0)
			die("open");
		close(fd);
	}
}

static void row_create_unlink(uint64_t n)
{
	while (n--) {
		int fd = open("/tmp/bench.new", O_CREAT | O_EXCL | O_WRONLY, 0600);

		if (fd < 0)
			die("create");
		close(fd);
		if (unlink("/tmp/bench.new"))
			die("unlink");
	}
}

static void echo_child(int in, int out, size_t size)
{
	while (read(in, block, size) == (ssize_t)size) {
		if (write(out, block, size) != (ssize_t)size)
			break;
	}
	_exit(0);
}

static void ping_pong(int to, int from, size_t size, uint64_t n)
{
	while (n--) {
		if (write(to, block, size) != (ssize_t)size ||
			read(from, block, size) != (ssize_t)size)
			die("ping-pong");
	}
}

static void row_pipe(uint64_t n)
{
	int a[2], b[2];
	pid_t pid;

	if (pipe(a) || pipe(b))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(a[1]);
		close(b[0]);
		echo_child(a[0], b[1], 1);
	}
	close(a[0]);
	close(b[1]);
	ping_pong(a[1], b[0], 1, n);
	close(a[1]);
	close(b[0]);
	waitpid(pid, NULL, 0);
}

static void row_unix_4k(uint64_t n)
{
	int s[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		die("socketpair");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(s[0]);
		echo_child(s[1], s[1], sizeof(block));
	}
	close(s[1]);
	ping_pong(s[0], s[0], sizeof(block), n);
	close(s[0]);
	waitpid(pid, NULL, 0);
}

static uint32_t turn;

static void futex_pass(uint32_t mine, uint64_t n)
{
	while (n--) {
		uint32_t v;

		while ((v = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine)
			syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
		__atomic_store_n(&turn, !mine, __ATOMIC_RELEASE);
		syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

static void *futex_peer(void *arg)
{
	futex_pass(1, *(uint64_t *)arg);
	return NULL;
}

static void row_futex(uint64_t n)
{
	pthread_t t;

	turn = 0;
	if (pthread_create(&t, NULL, futex_peer, &n))
		die("pthread_create");
	futex_pass(0, n);
	pthread_join(t, NULL);
}

static void row_fork_wait(uint64_t n)
{
	while (n--) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void row_fork_exec_wait(uint64_t n)
{
	while (n--) {
		pid_t pid = fork();
		int status;

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			execl(self_path, "bench", "--exit", (char *)NULL);
			_exit(1);
		}
		waitpid(pid, &status, 0);
		if (status)
			die("exec of itself");
	}
}

/* Pages of fresh memory, in order; advice: 0 or that of madvise. */
static void touch_pages(uint64_t n, int advice)
{
	size_t pages = n > 16384 ? 16384 : (size_t)n;

	while (n) {
		size_t k = n < pages ? (size_t)n : pages;
		char *p = mmap(NULL, pages << 12, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			die("mmap");
		if (advice)
			madvise(p, pages << 12, advice);
		for (size_t i = 0; i < k; i++)
			((volatile char *)p)[i << 12] = 1;
		munmap(p, pages << 12);
		n -= k;
	}
}

static void row_page_touch(uint64_t n)
{
	touch_pages(n, MADV_NOHUGEPAGE);
}

/* As the kernel likes it. */
static void row_page_fill(uint64_t n)
{
	touch_pages(n, 0);
}

static void row_read_4k(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		if (pread(data_fd, block, sizeof(block), (off_t)(i % 256) << 12) != sizeof(block))
			die("pread");
	}
}

static void row_write_4k(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		if (pwrite(data_fd, block, sizeof(block), (off_t)(i % 256) << 12) != sizeof(block))
			die("pwrite");
	}
}

static void row_clock_gettime(uint64_t n)
{
	struct timespec ts;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &ts);
}

static void row_cpu(uint64_t n)
{
	volatile uint64_t sink;
	uint64_t x = 88172645463325252ULL;

	while (n--) {
		for (int i = 0; i < 1000; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
		}
	}
	sink = x;
	(void)sink;
}

static const struct row {
	const char *name;
	void (*run)(uint64_t n);
} rows[] = {
	{ "getppid", row_getppid },
	{ "read", row_read },
	{ "stat", row_stat },
	{ "open+close", row_open_close },
	{ "create+unlink", row_create_unlink },
	{ "pipe-ping-pong", row_pipe },
	{ "unix-4k-ping-pong", row_unix_4k },
	{ "futex-ping-pong", row_futex },
	{ "fork+wait", row_fork_wait },
	{ "fork+exec+wait", row_fork_exec_wait },
	{ "page-touch", row_page_touch },
	{ "page-fill", row_page_fill },
	{ "read-4k", row_read_4k },
	{ "write-4k", row_write_4k },
	{ "clock_gettime", row_clock_gettime },
	{ "cpu", row_cpu },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static uint64_t timed(const struct row *r, uint64_t n)
{
	uint64_t t = now_ns();

	r->run(n);
	return now_ns() - t;
}

static void measure(const struct row *r)
{
	double ns[ROUNDS];
	uint64_t n = 1, t;

	while ((t = timed(r, n)) < ROUND_NS / 10)
		n *= t < ROUND_NS / 1000 ? 8 : 2;
	n = n * ROUND_NS / t + 1;
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = (double)timed(r, n) / (double)n;
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	printf("%s %.1f\n", r->name, ns[ROUNDS / 2]);
	fflush(stdout);
}

static bool wanted(const char *name, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exit"))
		_exit(0);
	self_path = "/bin/bench";
	zero_fd = open("/dev/zero", O_RDONLY);
	data_fd = open("/tmp/bench.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (zero_fd < 0 || data_fd < 0)
		die("open /dev/zero and /tmp/bench.data");
	for (int i = 0; i < 256; i++) {
		if (pwrite(data_fd, block, sizeof(block), (off_t)i << 12) != sizeof(block))
			die("write /tmp/bench.data");
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (wanted(rows[i].name, argc, argv))
			measure(&rows[i]);
	}
	close(data_fd);
	unlink("/tmp/bench.data");
	return 0;
}
