/* SPDX-License-Identifier: Apache-2.0 */
/* Details of calls that have their main tests elsewhere, and calls of old. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tap.h"

#define PAGE 4096L
#define RW   (PROT_READ | PROT_WRITE)

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static void test_old(void)
{
	char name[64] = "";
	long types = syscall(SYS_sysfs, 3), tmpfs = syscall(SYS_sysfs, 1, "tmpfs");
	struct {
		int tfree;
		unsigned long tinode;
		char fname[6], fpack[6];
	} us;
	struct stat st;

	ok(types > 0 && tmpfs >= 0 && tmpfs < types, "sysfs numbers the types");
	ok(!syscall(SYS_sysfs, 2, tmpfs, name) && !strcmp(name, "tmpfs"), "and names them");
	ok(fails(syscall(SYS_sysfs, 2, types, name), EINVAL), "no such number: EINVAL");
	ok(fails(syscall(SYS_sysfs, 1, "nothing"), EINVAL), "no such name: EINVAL");
	ok(fails(syscall(SYS_sysfs, 1, (void *)1), EFAULT), "nowhere: EFAULT");
	ok(fails(syscall(SYS_sysfs, 9), EINVAL), "no such option: EINVAL");
	ok(!stat("/", &st) && !syscall(SYS_ustat, st.st_dev, &us), "ustat of a mounted device");
	ok(fails(syscall(SYS_ustat, 0xfff00, &us), EINVAL), "another: EINVAL");
	ok(fails(syscall(SYS_ustat, st.st_dev, (void *)1), EFAULT), "nowhere: EFAULT");
}

static void test_vmsplice(void)
{
	long size, got;
	struct iovec iov;
	char *mem, c;
	int p[2];

	if (pipe(p))
		exit(1);
	size = fcntl(p[1], F_GETPIPE_SZ);
	mem = mmap(NULL, 2 * (size_t)size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	iov = (struct iovec){ mem, 2 * (size_t)size };
	got = vmsplice(p[1], &iov, 1, 0);
	ok(got == size, "vmsplice takes what fits");
	ok(fails(vmsplice(p[1], &iov, 1, SPLICE_F_NONBLOCK), EAGAIN), "a full pipe: EAGAIN");
	ok(read(p[0], &c, 1) == 1, "the pipe can be read");
	munmap(mem, 2 * (size_t)size);
	close(p[0]);
	close(p[1]);
}

static void test_memory(void)
{
	char *mem = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to;

	mem[2 * PAGE] = 5;
	to = mremap(mem + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, mem + PAGE);
	ok(to == mem + PAGE && *to == 5,
		"mremap onto the page before, which is of the same mapping");
	ok(!mlock(mem, PAGE) && fails(msync(mem, PAGE, MS_INVALIDATE), EBUSY),
		"msync(MS_INVALIDATE) of locked memory: EBUSY");
	munmap(mem, 4 * PAGE);
}

static void test_remap(void)
{
	char name[] = "/tmp/casemate-abi-XXXXXX", *mem;
	int fd = mkstemp(name);

	unlink(name);
	if (ftruncate(fd, 3 * PAGE) || pwrite(fd, "a", 1, 0) != 1 ||
		pwrite(fd, "c", 1, 2 * PAGE) != 1)
		exit(1);
	mem = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	ok(!syscall(SYS_remap_file_pages, mem, PAGE, 0, 2, 0) && mem[0] == 'c' &&
			mem[2 * PAGE] == 'c',
		"remap_file_pages shows another page");
	ok(fails(syscall(SYS_remap_file_pages, mem, 9 * PAGE, 0, 0, 0), EINVAL),
		"beyond the mapping: EINVAL");
	ok(fails(syscall(SYS_remap_file_pages, mem, PAGE, 1, 0, 0), EINVAL),
		"a protection: EINVAL");
	munmap(mem, 3 * PAGE);
	mem = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ok(fails(syscall(SYS_remap_file_pages, mem, PAGE, 0, 0, 0), EINVAL),
		"private memory: EINVAL");
	munmap(mem, PAGE);
	close(fd);
}

static void test_termio(void)
{
	struct termios t;
	struct termio old;
	int fd;

	if (access("/dev/pts/ptmx", F_OK)) {
		mkdir("/dev/pts", 0755);
		mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666,mode=620");
	}
	fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	ok(fd >= 0 && !tcgetattr(fd, &t) && !ioctl(fd, TCGETA, &old) &&
			old.c_lflag == (unsigned short)t.c_lflag && old.c_cc[VMIN] == t.c_cc[VMIN],
		"TCGETA is TCGETS cut short");
	old.c_lflag &= (unsigned short)~ECHO;
	ok(!ioctl(fd, TCSETA, &old) && !tcgetattr(fd, &t) && !(t.c_lflag & ECHO), "TCSETA");
	ok(fails(ioctl(fd, TCGETA, 1), EFAULT), "nowhere: EFAULT");
	close(fd);
}

static void test_inotify(void)
{
	char dir[] = "/tmp/casemate-abi-XXXXXX", path[64], buf[4096];
	int fd = inotify_init1(IN_NONBLOCK), file;

	if (!mkdtemp(dir))
		exit(1);
	strcpy(path, dir);
	strcat(path, "/f");
	file = open(path, O_CREAT | O_RDWR, 0600);
	inotify_add_watch(fd, dir, IN_MODIFY | IN_EXCL_UNLINK);
	ok(write(file, "x", 1) == 1 && read(fd, buf, sizeof(buf)) > 0,
		"a change of a file is told");
	unlink(path);
	ok(write(file, "x", 1) == 1 && fails(read(fd, buf, sizeof(buf)), EAGAIN),
		"with IN_EXCL_UNLINK not once it lost its name");
	close(file);
	close(fd);
	rmdir(dir);
}

static void test_checks(void)
{
	struct timeval tv = { -1, 0 };
	struct timex tx = { .modes = 0x8000 };

	ok(fails(settimeofday(&tv, NULL), EINVAL), "settimeofday checks its time first");
	ok(fails(adjtimex(&tx), EINVAL), "adjtimex its mode");
	ok(fails(unshare(1), EINVAL), "unshare its flags");
}

static void test_sigwait(void)
{
	sigset_t set;
	pid_t parent = getpid(), pid = fork();

	sigemptyset(&set);
	if (pid == 0) {
		usleep(50000);
		kill(parent, SIGUSR2);
		_exit(0);
	}
	ok(fails(sigwaitinfo(&set, NULL), EINTR), "sigwaitinfo ends with EINTR at another signal");
	waitpid(pid, NULL, 0);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void test_aio_overflow(void)
{
	int efd = eventfd(0, EFD_NONBLOCK), z = open("/dev/zero", O_RDONLY);
	struct pollfd p = { .fd = efd, .events = POLLIN };
	struct iocb io, *list[1] = { &io };
	uint64_t v = UINT64_MAX - 1;
	aio_context_t ctx = 0;
	char c;

	ok(write(efd, &v, sizeof(v)) == sizeof(v), "a full eventfd");
	memset(&io, 0, sizeof(io));
	io.aio_fildes = (unsigned)z;
	io.aio_lio_opcode = IOCB_CMD_PREAD;
	io.aio_buf = (uint64_t)(uintptr_t)&c;
	io.aio_nbytes = 1;
	io.aio_flags = IOCB_FLAG_RESFD;
	io.aio_resfd = (unsigned)efd;
	syscall(SYS_io_setup, 1, &ctx);
	ok(syscall(SYS_io_submit, ctx, 1L, list) == 1 && poll(&p, 1, 0) == 1 &&
			(p.revents & POLLERR),
		"is in error after one more result");
	syscall(SYS_io_destroy, ctx);
	close(efd);
	close(z);
}

/* The number of a call is in the lower half of RAX. */
static void test_number(void)
{
	const unsigned long upper[] = { 1UL << 32, 0xffffffffUL << 32, 0x40000000UL << 32 };
	int right = 0;

	for (int i = 0; i < 3; i++) {
		long ret;

		__asm__ volatile("syscall"
				 : "=a"(ret)
				 : "a"(upper[i] | SYS_getpid)
				 : "rcx", "r11", "memory");
		right += ret == getpid();
	}
	ok(right == 3, "the upper half of RAX does not count");
}

static void test_ramfs(void)
{
	pid_t pid = fork();
	int status = -1;
	struct statfs st;

	if (pid == 0) {
		int fd;

		if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
			mount("ramfs", "/tmp", "ramfs", 256, "mode=700") || statfs("/tmp", &st))
			_exit(1);
		fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);
		_exit(st.f_type != 0x858458f6 || !(st.f_flags & 0x2000) || write(fd, "x", 1) != 1 ||
					umount2("/tmp", MNT_DETACH)
				? 2
				: 0);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "ramfs, nosymfollow in statfs");
}

int main(void)
{
	signal(SIGUSR2, on_signal);
	test_old();
	test_vmsplice();
	test_memory();
	test_remap();
	test_termio();
	test_inotify();
	test_checks();
	test_sigwait();
	test_aio_overflow();
	test_number();
	test_ramfs();
	return tap_end();
}
