/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous I/O by raw system calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "release_tap.h"

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static void fill(struct iocb *io, int op, int fd, void *buf, size_t n, long off)
{
	memset(io, 0, sizeof(*io));
	io->aio_lio_opcode = (unsigned short)op;
	io->aio_fildes = (unsigned)fd;
	io->aio_buf = (uint64_t)(uintptr_t)buf;
	io->aio_nbytes = n;
	io->aio_offset = off;
}

static void test_setup(void)
{
	aio_context_t ctx = 0, other = 1;

	ok(fails(syscall(SYS_io_setup, 0, &ctx), EINVAL), "no room: EINVAL");
	ok(fails(syscall(SYS_io_setup, 4, &other), EINVAL), "a name that is not zero: EINVAL");
	ok(fails(syscall(SYS_io_setup, 4, (void *)1), EFAULT), "nowhere: EFAULT");
	ok(!syscall(SYS_io_setup, 4, &ctx) && ctx, "io_setup");
	ok(!syscall(SYS_io_destroy, ctx) && fails(syscall(SYS_io_destroy, ctx), EINVAL),
		"io_destroy, once");
}

static void test_transfers(int fd)
{
	aio_context_t ctx = 0;
	char out[8] = "abcdefg", in[8] = "", vec[4] = "";
	struct iovec iov = { vec, 3 };
	struct iocb io[4], *list[4] = { &io[0], &io[1], &io[2], &io[3] };
	struct io_event ev[4];
	struct timespec none = { 0, 0 };
	int efd = eventfd(0, EFD_NONBLOCK);
	eventfd_t count = 0;

	syscall(SYS_io_setup, 8, &ctx);
	fill(&io[0], IOCB_CMD_PWRITE, fd, out, 8, 100);
	fill(&io[1], IOCB_CMD_FSYNC, fd, NULL, 0, 0);
	fill(&io[2], IOCB_CMD_PREAD, fd, in, 8, 100);
	fill(&io[3], IOCB_CMD_PREADV, fd, &iov, 1, 103);
	io[0].aio_data = 77;
	io[3].aio_flags = IOCB_FLAG_RESFD;
	io[3].aio_resfd = (unsigned)efd;
	ok(syscall(SYS_io_submit, ctx, 1L, list) == 1, "io_submit of a write");
	ok(syscall(SYS_io_getevents, ctx, 1L, 4L, ev, NULL) == 1 && ev[0].data == 77 &&
			ev[0].obj == (uint64_t)(uintptr_t)&io[0] && ev[0].res == 8,
		"io_getevents says what became of it");
	ok(syscall(SYS_io_submit, ctx, 3L, list + 1) == 3, "sync and reads");
	ok(syscall(SYS_io_getevents, ctx, 3L, 4L, ev, NULL) == 3, "three results");
	ok(!strcmp(in, out) && !strcmp(vec, "def"), "the data");
	ok(!eventfd_read(efd, &count) && count == 1, "the eventfd was told");
	ok(syscall(SYS_io_getevents, ctx, 1L, 4L, ev, &none) == 0, "nothing is left");
	ok(syscall(SYS_io_pgetevents, ctx, 0L, 4L, ev, &none, NULL) == 0, "by io_pgetevents");
	ok(fails(syscall(SYS_io_getevents, ctx, 5L, 4L, ev, &none), EINVAL),
		"min above max: EINVAL");
	ok(fails(syscall(SYS_io_getevents, ctx + 1, 1L, 4L, ev, &none), EINVAL),
		"another context: EINVAL");
	ok(fails(syscall(SYS_io_cancel, ctx, &io[0], ev), EINVAL), "nothing to cancel: EINVAL");
	close(efd);
	syscall(SYS_io_destroy, ctx);
}

static void test_errors(int fd)
{
	aio_context_t ctx = 0;
	char buf[8];
	struct iocb io, *list[2] = { &io, (struct iocb *)1 };

	syscall(SYS_io_setup, 2, &ctx);
	fill(&io, IOCB_CMD_PREAD, fd, buf, 8, 0);
	ok(syscall(SYS_io_submit, ctx, 2L, list) == 1, "those before a fault are done");
	ok(fails(syscall(SYS_io_submit, ctx, 1L, list + 1), EFAULT), "a fault: EFAULT");
	ok(syscall(SYS_io_submit, ctx, 0L, list) == 0, "none");
	ok(fails(syscall(SYS_io_submit, ctx, -1L, list), EINVAL), "a negative number: EINVAL");
	fill(&io, 99, fd, buf, 8, 0);
	ok(fails(syscall(SYS_io_submit, ctx, 1L, list), EINVAL), "an unknown operation: EINVAL");
	fill(&io, IOCB_CMD_PREAD, 99, buf, 8, 0);
	ok(fails(syscall(SYS_io_submit, ctx, 1L, list), EBADF), "no file: EBADF");
	syscall(SYS_io_destroy, ctx);
}

/* A pipe has no positions, and RWF_NOWAIT keeps the call from waiting. */
static void test_pipe(void)
{
	aio_context_t ctx = 0;
	struct iocb io, *list[1] = { &io };
	struct io_event ev[1];
	char buf[4] = "";
	bool old = linux_before(6, 5); /* pipes have RWF_NOWAIT since then */
	int p[2];

	ok(!pipe(p) && !syscall(SYS_io_setup, 8, &ctx), "a pipe");
	fill(&io, IOCB_CMD_PREAD, p[0], buf, 4, 0);
	io.aio_rw_flags = RWF_NOWAIT;
	ok(old || (syscall(SYS_io_submit, ctx, 1L, list) == 1 &&
			  syscall(SYS_io_getevents, ctx, 1L, 1L, ev, NULL) == 1 &&
			  ev[0].res == -EAGAIN),
		"nothing there: EAGAIN as the result");
	ok(old || (write(p[1], "x", 1) == 1 && syscall(SYS_io_submit, ctx, 1L, list) == 1 &&
			  syscall(SYS_io_getevents, ctx, 1L, 1L, ev, NULL) == 1 && ev[0].res == 1 &&
			  buf[0] == 'x'),
		"a byte");
	syscall(SYS_io_destroy, ctx);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	char name[] = "/tmp/casemate-aio-XXXXXX";
	int fd = mkstemp(name);

	ok(fd >= 0, "a file");
	unlink(name);
	test_setup();
	test_transfers(fd);
	test_errors(fd);
	test_pipe();
	return tap_end();
}
