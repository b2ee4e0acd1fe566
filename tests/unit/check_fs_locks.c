/* SPDX-License-Identifier: Apache-2.0 */
/* Record locks of several owners against a map of bytes; pipes against a plain queue; descriptors against an array. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fake_fs.h"

#define OWNERS 4
#define BYTES  48

static unsigned rnd(unsigned n)
{
	return (unsigned)rand() % n;
}

static void setup(void)
{
	srand(1);
	fake_fs_boot();
}

static void teardown(void)
{
	fake_fs_shutdown();
}

static long sys(long nr, long a, long b, long c)
{
	return fake_fs_call(nr, a, b, c, 0, 0);
}

/* ---- locks ---- */
static short model[OWNERS][BYTES];

static bool model_conflict(int owner, short type, int from, int to)
{
	for (int o = 0; o < OWNERS; o++) {
		for (int i = from; o != owner && i < to; i++) {
			if (model[o][i] == F_WRLCK || (model[o][i] == F_RDLCK && type == F_WRLCK))
				return true;
		}
	}
	return false;
}

START_TEST(locks)
{
	static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK };
	long fd[OWNERS];

	for (int o = 0; o < OWNERS; o++) {
		fd[o] = sys(SYS_open, (long)"k", O_RDWR | O_CREAT, 0600);
		for (int i = 0; i < BYTES; i++)
			model[o][i] = F_UNLCK;
	}
	for (int step = 0; step < 20000; step++) {
		int o = (int)rnd(OWNERS), from = (int)rnd(BYTES),
		    len = (int)rnd((unsigned)(BYTES - from)) + 1;
		short type = types[rnd(3)];
		struct flock l = {
			.l_type = type, .l_start = from, .l_len = from + len == BYTES ? 0 : len
		};
		bool clash = type != F_UNLCK && model_conflict(o, type, from, from + len);
		long ret = sys(SYS_fcntl, fd[o], F_OFD_SETLK, (long)&l);

		ck_assert_int_eq(ret, clash ? -EAGAIN : 0);
		for (int i = from; !clash && i < from + len; i++)
			model[o][i] = type;
		if (type == F_UNLCK)
			continue;
		ck_assert_int_eq(sys(SYS_fcntl, fd[o], F_OFD_GETLK, (long)&l), 0);
		ck_assert_int_eq(l.l_type != F_UNLCK, clash);
	}
	for (int o = 0; o < OWNERS; o++)
		ck_assert_int_eq(sys(SYS_close, fd[o], 0, 0), 0);
}
END_TEST

/* ---- pipes: every byte comes out once, in order, and no more than fits goes in ---- */
START_TEST(pipes)
{
	static unsigned char buf[70000];
	unsigned char in = 0, out = 0;
	unsigned long used = 0;
	int p[2], wrong = 0;

	ck_assert_int_eq(sys(SYS_pipe2, (long)p, O_NONBLOCK, 0), 0);
	for (int step = 0; step < 5000; step++) {
		unsigned n = rnd(8) ? rnd(5000) + 1 : rnd(60000) + 1;
		long got;

		if (rnd(2)) {
			for (unsigned i = 0; i < n; i++)
				buf[i] = (unsigned char)(in + i);
			got = sys(SYS_write, p[1], (long)buf, n);
			ck_assert(got == -EAGAIN || (got > 0 && got <= (long)n));
			ck_assert_msg(
				n > 4096 || got == (long)n || got == -EAGAIN, "PIPE_BUF is atomic");
			in = (unsigned char)(in + (got > 0 ? got : 0));
			used += got > 0 ? (unsigned long)got : 0;
			ck_assert_uint_le(used, 65536);
		} else {
			got = sys(SYS_read, p[0], (long)buf, n);
			ck_assert_int_eq(got, used ? (long)(used < n ? used : n) : -EAGAIN);
			for (long i = 0; i < got; i++)
				wrong += buf[i] != out++;
			ck_assert_int_eq(wrong, 0);
			used -= got > 0 ? (unsigned long)got : 0;
		}
	}
	sys(SYS_close, p[0], 0, 0);
	ck_assert_int_eq(sys(SYS_write, p[1], (long)buf, 1), -EPIPE);
	ck_assert_int_eq(fake_fs_signal(), 13);
	sys(SYS_close, p[1], 0, 0);
}
END_TEST

/* ---- descriptors: always the lowest free one ---- */
START_TEST(descriptors)
{
	static bool open_fds[600];
	long base = sys(SYS_eventfd2, 0, 0, 0);

	ck_assert_int_eq(base, 0);
	open_fds[0] = true;
	for (int step = 0; step < 30000; step++) {
		int fd = (int)rnd(599) + 1, want = fd;

		switch (rnd(4)) {
		case 0:
			ck_assert_int_eq(sys(SYS_close, fd, 0, 0), open_fds[fd] ? 0 : -EBADF);
			open_fds[fd] = false;
			break;
		case 1:
			ck_assert_int_eq(sys(SYS_dup2, 0, fd, 0), fd);
			open_fds[fd] = true;
			break;
		case 2:
			while (want < 600 && open_fds[want])
				want++;
			if (want == 600)
				break;
			ck_assert_int_eq(sys(SYS_fcntl, 0, F_DUPFD, fd), want);
			open_fds[want] = true;
			break;
		default:
			for (want = 0; want < 600 && open_fds[want]; want++)
				;
			if (want == 600)
				break;
			ck_assert_int_eq(sys(SYS_dup, 0, 0, 0), want);
			open_fds[want] = true;
		}
	}
}
END_TEST

/* ---- nothing is left of a task's files and mounts ---- */
START_TEST(leaks)
{
	unsigned long before;
	struct stat st;
	long ep;
	int p[2];

	ck_assert_int_eq(sys(SYS_mkdir, (long)"/m", 0755, 0), 0);
	before = fake_fs_objects();
	fake_fs_mount("devtmpfs", "/m", "");
	ck_assert_int_eq(sys(SYS_stat, (long)"/m/null", (long)&st, 0), 0);
	ep = sys(SYS_epoll_create1, 0, 0, 0);
	ck_assert_int_eq(sys(SYS_pipe2, (long)p, 0, 0), 0);
	ck_assert_int_eq(sys(SYS_write, p[1], (long)"abc", 3), 3);
	ck_assert_int_ge(ep, 0);
	sys(SYS_close, ep, 0, 0);
	sys(SYS_close, p[0], 0, 0);
	sys(SYS_close, p[1], 0, 0);
	ck_assert_int_eq(sys(SYS_umount2, (long)"/m", 0, 0), 0);
	ck_assert_uint_eq(fake_fs_objects(), before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_locks");
	TCase *tc = tcase_create("models");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, locks);
	tcase_add_test(tc, pipes);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, leaks);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
