/* SPDX-License-Identifier: Apache-2.0 */
/* Open files: flags, positions, descriptors, locks, times, seals, holes, copies. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "fs_tap.h"

static char buf[65536];

static void test_positions(void)
{
	int fd = open("p", O_RDWR | O_CREAT | O_TRUNC, 0600), fd2;
	static char ab[] = "ab", cdef[] = "cdef";
	static struct iovec v[2000] = { { ab, 2 }, { ab, 0 }, { cdef, 4 } };

	is(write(fd, "hello", 5), 5);
	is(lseek(fd, 0, SEEK_CUR), 5);
	is(pwrite(fd, "HE", 2, 0), 2);
	is(lseek(fd, -3, SEEK_END), 2);
	is(read(fd, buf, 10), 3);
	ok(!memcmp(buf, "llo", 3), "read from the position");
	is(lseek(fd, -1, SEEK_SET), -EINVAL);
	is(lseek(fd, 0, 77), -EINVAL);
	is(writev(fd, v, 3), 6);
	is(pread(fd, buf, 20, 0), 11);
	ok(!memcmp(buf, "HElloabcdef", 11), "writev appends its parts");
	is(pread(fd, buf, 1, -1), -EINVAL);
	is(writev(fd, v, 2000), -EINVAL);
	fd2 = dup(fd);
	is(lseek(fd, 3, SEEK_SET), 3);
	is(lseek(fd2, 0, SEEK_CUR), 3);
	is(lseek(fd, 100, SEEK_DATA), -ENXIO);
	is(lseek(fd, 0, SEEK_HOLE), 11);
	is(lseek(fd, 0, SEEK_SET), 0);
	is(syscall(SYS_read, fd, 8L, 3L), -EFAULT);
	is(close(fd2), 0);
	is(close(fd2), -EBADF);
	close(fd);
}

// Memory knows page by page what was written.
static void test_holes(void)
{
	int fd = memfd_create("holes", 0);

	is(ftruncate(fd, (1 << 20) + 1), 0);
	is(lseek(fd, 0, SEEK_DATA), -ENXIO);
	is(lseek(fd, 5, SEEK_HOLE), 5);
	is(pwrite(fd, "x", 1, (1 << 19) + 7), 1);
	is(lseek(fd, 100, SEEK_DATA), 1 << 19);
	is(lseek(fd, (1 << 19) + 3, SEEK_DATA), (1 << 19) + 3);
	is(lseek(fd, (1 << 19) + 3, SEEK_HOLE), (1 << 19) + 4096);
	is(lseek(fd, (1 << 19) + 4096, SEEK_DATA), -ENXIO);
	is(pwrite(fd, "x", 1, 1 << 20), 1);
	is(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1);
	is(lseek(fd, (1 << 20) + 1, SEEK_DATA), -ENXIO);
	is(lseek(fd, 0, SEEK_CUR), (1 << 20) + 1);
	close(fd);
}

static void test_flags(void)
{
	int fd = open("f", O_WRONLY | O_CREAT | O_APPEND, 0600), rd;

	is(write(fd, "one", 3), 3);
	is(lseek(fd, 0, SEEK_SET), 0);
	is(write(fd, "two", 3), 3);
	is(lseek(fd, 0, SEEK_CUR), 6);
	is(read(fd, buf, 1), -EBADF);
	is(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
	is(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	is(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), O_NONBLOCK);
	is(open("f", O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
	is(open("f", O_RDONLY | O_DIRECTORY), -ENOTDIR);
	is(open(".", O_RDWR), -EISDIR);
	is(open("no/f", O_RDONLY | O_CREAT, 0600), -ENOENT);
	is(open("f/g", O_RDONLY), -ENOTDIR);
	is(symlink("f", "link"), 0);
	is(open("link", O_RDONLY | O_NOFOLLOW), -ELOOP);
	rd = open("link", O_PATH | O_NOFOLLOW);
	ok(rd >= 0, "O_PATH|O_NOFOLLOW opens a link");
	is(read(rd, buf, 1), -EBADF);
	is(readlinkat(rd, "", buf, 10), 1);
	close(rd);
	rd = open("f", O_RDONLY | O_TRUNC);
	is(lseek(rd, 0, SEEK_END), 0);
	close(rd);
	close(fd);
	is(unlink("link"), 0);
}

static void test_descriptors(void)
{
	struct rlimit lim, low;
	int fd = open("/dev/null", O_RDONLY);

	is(fcntl(fd, F_DUPFD, 100), 100);
	is(fcntl(100, F_GETFD), 0);
	is(fcntl(fd, F_DUPFD_CLOEXEC, 100), 101);
	is(fcntl(101, F_GETFD), FD_CLOEXEC);
	is(dup2(fd, 200), 200);
	is(dup2(fd, fd), fd);
	is(dup3(fd, fd, 0), -EINVAL);
	is(dup3(fd, 102, O_CLOEXEC), 102);
	is(dup2(999, 5), -EBADF);
	is(syscall(SYS_close_range, 100, 150, 0), 0);
	is(fcntl(101, F_GETFD), -EBADF);
	is(fcntl(200, F_GETFD), 0);
	is(syscall(SYS_close_range, 200, 100, 0), -EINVAL);
	getrlimit(RLIMIT_NOFILE, &lim);
	low = lim;
	low.rlim_cur = (rlim_t)fd + 1;
	setrlimit(RLIMIT_NOFILE, &low);
	is(dup(fd), -EMFILE);
	is(fcntl(fd, F_DUPFD, fd + 1), -EINVAL);
	is(dup2(fd, fd + 1), -EBADF);
	setrlimit(RLIMIT_NOFILE, &lim);
	is(close(200), 0);
	close(fd);
}

static void test_limit(void)
{
	struct rlimit lim, low;
	int fd = open("l", O_RDWR | O_CREAT, 0600);
	long within, beyond, longer;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &lim);
	low = lim;
	low.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &low);
	within = pwrite(fd, buf, 20, 5);
	beyond = pwrite(fd, buf, 20, 10) < 0 ? -errno : 0;
	longer = ftruncate(fd, 11) < 0 ? -errno : 0;
	setrlimit(RLIMIT_FSIZE, &lim); /* before anything is printed */
	is(within, 5);
	ok(beyond == -EFBIG, "a write beyond RLIMIT_FSIZE");
	ok(longer == -EFBIG, "ftruncate beyond RLIMIT_FSIZE");
	is(ftruncate(fd, 4096), 0);
	is(pread(fd, buf, 1, 4095), 1);
	ok(buf[0] == 0, "ftruncate fills with zeroes");
	close(fd);
}

static struct flock range(short type, off_t start, off_t len)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};
}

static void test_locks(void)
{
	int fd = open("k", O_RDWR | O_CREAT, 0600), fd2 = open("k", O_RDWR), status;
	struct flock l = range(F_WRLCK, 10, 10);
	pid_t pid;

	is(fcntl(fd, F_SETLK, &l), 0);
	l = range(F_UNLCK, 14, 2);
	is(fcntl(fd, F_SETLK, &l), 0);
	pid = fork();
	if (!pid) {
		l = range(F_WRLCK, 0, 0);
		if (fcntl(fd, F_GETLK, &l) || l.l_start != 10 || l.l_len != 4 ||
			l.l_pid != getppid())
			_exit(1);
		l = range(F_WRLCK, 14, 2);
		if (fcntl(fd, F_SETLK, &l))
			_exit(2);
		l = range(F_RDLCK, 12, 1);
		_exit(fcntl(fd, F_SETLK, &l) == -1 && errno == EAGAIN ? 0 : 3);
	}
	waitpid(pid, &status, 0);
	is(status, 0);
	l = range(F_WRLCK, 0, 0);
	is(fcntl(fd2, F_OFD_SETLK, &l), -EAGAIN);
	close(open("k", O_RDONLY)); /* drops every POSIX lock of the process */
	is(fcntl(fd2, F_OFD_SETLK, &l), 0);
	is(flock(fd, LOCK_EX), 0);
	is(flock(fd2, LOCK_SH | LOCK_NB), -EAGAIN);
	is(flock(fd, LOCK_SH), 0);
	is(flock(fd2, LOCK_SH | LOCK_NB), 0);
	is(flock(fd, LOCK_EX | LOCK_NB), -EAGAIN);
	is(flock(fd, 77), -EINVAL);
	close(fd);
	close(fd2);
}

static void deadlock_child(int fd, int held)
{
	struct flock l = range(F_WRLCK, 1, 1);

	alarm(60);
	fcntl(fd, F_SETLKW, &l);
	if (write(held, "x", 1) != 1)
		_exit(1);
	l = range(F_WRLCK, 0, 1);
	if (!fcntl(fd, F_SETLKW, &l))
		_exit(0);
	_exit(errno == EDEADLK ? 3 : 2);
}

/* Of two that wait for each other, the one that comes last gets the error; which one that is, nobody knows. */
static void test_deadlock(void)
{
	int fd = open("dl", O_RDWR | O_CREAT, 0600), p[2], status, ret;
	struct flock l = range(F_WRLCK, 0, 1);
	pid_t pid;
	char c;

	is(fcntl(fd, F_SETLK, &l), 0);
	is(pipe(p), 0);
	pid = fork();
	if (!pid)
		deadlock_child(fd, p[1]);
	is(read(p[0], &c, 1), 1);
	l = range(F_WRLCK, 1, 1);
	ret = fcntl(fd, F_SETLKW, &l) ? errno : 0;
	close(fd);
	waitpid(pid, &status, 0);
	ok((ret == EDEADLK && status == 0) || (ret == 0 && status == 3 << 8),
		"a circle of lock waiters gives EDEADLK");
	close(p[0]);
	close(p[1]);
}

static void test_memfd(void)
{
	int fd = memfd_create("m", MFD_ALLOW_SEALING), plain = memfd_create("p", 0);
	char *p;

	is(ftruncate(fd, 8192), 0);
	is(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
	is(fcntl(fd, F_GET_SEALS), 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p[5] = 'x';
	is(pread(fd, buf, 1, 5), 1);
	ok(buf[0] == 'x', "a shared mapping of a memfd is its content");
	is(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -EBUSY);
	munmap(p, 4096);
	is(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	is(ftruncate(fd, 4096), -EPERM);
	is(ftruncate(fd, 16384), -EPERM);
	is(pwrite(fd, "a", 1, 8192), -EPERM);
	is(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	is(pwrite(fd, "a", 1, 0), -EPERM);
	ok(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM,
		"no writable shared mapping of a sealed memfd");
	is(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
	is(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -EPERM);
	close(fd);
	close(plain);
}

static void test_holes_and_copies(void)
{
	int fd = open("h", O_RDWR | O_CREAT, 0600), out = open("o", O_RDWR | O_CREAT, 0600);
	off_t off = 100;
	struct stat st;

	memset(buf, 'q', sizeof(buf));
	is(write(fd, buf, 65536), 65536);
	is(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 10000), 0);
	is(pread(fd, buf, 3, 4999), 3);
	ok(buf[0] == 'q' && !buf[1] && !buf[2], "a punched hole reads as zeroes");
	is(fallocate(fd, 0, 65536, 4096), 0);
	fstat(fd, &st);
	is(st.st_size, 69632);
	is(fallocate(fd, 0, 0, 0), -EINVAL);
	is(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), -EOPNOTSUPP);
	is(sendfile(out, fd, &off, 1000), 1000);
	is(off, 1100);
	is(lseek(out, 0, SEEK_CUR), 1000);
	is(lseek(fd, 0, SEEK_SET), 0);
	is(copy_file_range(fd, NULL, out, NULL, 50000, 0), 50000);
	is(lseek(out, 0, SEEK_END), 51000);
	is(copy_file_range(fd, NULL, out, NULL, 1, 1), -EINVAL);
	is(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	is(fsync(fd), 0);
	close(fd);
	close(out);
}

/* What cannot seek is no source, but that a pipe takes from a stream; what is in it stays. */
static void test_sendfile_of_streams(void)
{
	int out = open("sent", O_RDWR | O_CREAT, 0600), p[2], other[2], s[2], event = eventfd(1, 0);
	char c[4];

	is(pipe2(p, O_NONBLOCK), 0);
	is(pipe2(other, O_NONBLOCK), 0);
	is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s), 0);
	is(sendfile(s[0], p[0], NULL, 4), -EINVAL);
	is(write(p[1], "pipe", 4), 4);
	is(write(s[1], "unix", 4), 4);
	is(sendfile(s[0], p[0], NULL, 4), -EINVAL);
	is(sendfile(out, p[0], NULL, 4), -EINVAL);
	is(sendfile(other[1], p[0], NULL, 4), -EINVAL);
	is(sendfile(out, s[0], NULL, 4), -EINVAL);
	is(sendfile(s[1], s[0], NULL, 4), -EINVAL);
	is(sendfile(out, event, NULL, 8), -EINVAL);
	is(read(p[0], c, 4), 4);
	is(sendfile(other[1], s[0], NULL, 4), 4);
	is(read(other[0], c, 4), 4);
	ok(!memcmp(c, "unix", 4), "a pipe gets what is in a socket");
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(other[i]);
		close(s[i]);
	}
	close(event);
	close(out);
}

static void test_modes_and_times(void)
{
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 6 } },
			omit[2] = { { 0, UTIME_OMIT }, { 7, 8 } };
	struct statx sx;
	struct stat st;
	int fd = open("t", O_RDWR | O_CREAT, 04755);

	is(utimensat(AT_FDCWD, "t", ts, 0), 0);
	fstat(fd, &st);
	ok(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_nsec == 6, "utimensat sets both times");
	is(futimens(fd, omit), 0);
	fstat(fd, &st);
	ok(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 7, "UTIME_OMIT keeps one");
	ts[0].tv_nsec = 2000000000;
	is(utimensat(AT_FDCWD, "t", ts, 0), -EINVAL);
	is(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &sx), 0);
	ok(sx.stx_mtime.tv_sec == 7 && (sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS,
		"statx by descriptor");
	is(fchmod(fd, 06711), 0);
	is(fchown(fd, 12, 34), 0);
	fstat(fd, &st);
	is(st.st_mode & 07777, 0711);
	ok(st.st_uid == 12 && st.st_gid == 34, "fchown sets the owner");
	is(setxattr("t", "trusted.a", "val", 3, 0), 0);
	is(getxattr("t", "trusted.a", buf, 10), 3);
	is(getxattr("t", "trusted.a", buf, 2), -ERANGE);
	is(setxattr("t", "trusted.a", "v", 1, XATTR_CREATE), -EEXIST);
	is(setxattr("t", "trusted.b", "v", 1, XATTR_REPLACE), -ENODATA);
	is(removexattr("t", "trusted.a"), 0);
	is(getxattr("t", "trusted.a", buf, 10), -ENODATA);
	close(fd);
}

static long openat2_(int dfd, const char *path, unsigned long flags, unsigned long resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };
	long fd = syscall(SYS_openat2, dfd, path, &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? fd : 0;
}

/* Not every file system gives out handles; what is wrong with the name is told by all. */
static void test_handle_names(void)
{
	struct file_handle h = { .handle_bytes = 0 };
	int id, fd = open("h", O_RDWR | O_CREAT, 0600);

	is(name_to_handle_at(-1, "h", &h, &id, 0), -EBADF);
	is(name_to_handle_at(fd, "h", &h, &id, 0), -ENOTDIR);
	is(name_to_handle_at(AT_FDCWD, "none", &h, &id, 0), -ENOENT);
	is(name_to_handle_at(AT_FDCWD, "", &h, &id, 0), -ENOENT);
	is(name_to_handle_at(AT_FDCWD, "h", &h, &id, 0x10), -EINVAL);
	is(name_to_handle_at(AT_FDCWD, (char *)-1, &h, &id, 0), -EFAULT);
	close(fd);
}

static void *exchange(void *stop)
{
	while (!*(volatile bool *)stop)
		syscall(SYS_renameat2, AT_FDCWD, "jail/in/c", AT_FDCWD, "jail/b", RENAME_EXCHANGE);
	return NULL;
}

/* 1: the walk ended outside of the directory that it was to stay below; 0: it did not, or was refused. */
static int escapes(int in, unsigned long resolve)
{
	struct open_how how = { .flags = O_PATH, .resolve = resolve };
	struct stat a, b;
	int fd = (int)syscall(SYS_openat2, in,
		"c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../../c/../..",
		&how, sizeof(how));
	bool same;

	if (fd < 0)
		return errno != EAGAIN && errno != EXDEV;
	same = !fstat(in, &a) && !fstat(fd, &b) && a.st_ino == b.st_ino;
	close(fd);
	return !same;
}

/* A directory that is moved out of the one below which a walk has to stay, while the walk is in it. */
static void test_openat2_moves(void)
{
	bool stop = false;
	int in, beneath = 0, root = 0;
	pthread_t t;

	mkdir("jail", 0755);
	mkdir("jail/in", 0755);
	mkdir("jail/in/c", 0755);
	mkdir("jail/b", 0755);
	in = open("jail/in", O_PATH | O_DIRECTORY);
	pthread_create(&t, NULL, exchange, &stop);
	for (int i = 0; i < 40000; i++) {
		beneath += escapes(in, RESOLVE_BENEATH);
		root += escapes(in, RESOLVE_IN_ROOT);
	}
	*(volatile bool *)&stop = true;
	pthread_join(t, NULL);
	ok(!beneath, "no way out with RESOLVE_BENEATH");
	ok(!root, "nor with RESOLVE_IN_ROOT");
	close(in);
}

static void test_openat2(void)
{
	int d;

	mkdir("d", 0755);
	mkdir("d/e", 0755);
	close(open("d/e/f", O_CREAT | O_WRONLY, 0600));
	is(symlink("../../x", "d/e/up"), 0);
	is(symlink("/e/f", "d/e/abs"), 0);
	d = open("d", O_RDONLY | O_DIRECTORY);
	is(openat2_(d, "e/f", O_RDONLY, RESOLVE_BENEATH), 0);
	is(openat2_(d, "../x", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	is(openat2_(d, "e/up", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	is(openat2_(d, "/e", O_RDONLY, RESOLVE_BENEATH), -EXDEV);
	is(openat2_(d, "e/abs", O_RDONLY, RESOLVE_IN_ROOT), 0);
	is(openat2_(d, "/../../e/f", O_RDONLY, RESOLVE_IN_ROOT), 0);
	is(openat2_(d, "e/abs", O_RDONLY, RESOLVE_NO_SYMLINKS), -ELOOP);
	is(openat2_(d, "e/f", O_RDONLY, 0x8000), -EINVAL);
	is(openat2_(d, "e/f", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), -EINVAL);
	close(d);
}

static void test_readdir(void)
{
	DIR *d;
	struct dirent *e;
	int seen = 0, again = 0;
	char name[300];
	long mark = -1;

	mkdir("many", 0755);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "many/%03d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	d = opendir("many");
	while ((e = readdir(d))) {
		if (++seen == 250)
			mark = telldir(d);
		snprintf(name, sizeof(name), "many/%s", e->d_name);
		if (seen % 7 == 0)
			unlink(name);
	}
	is(seen, 502);
	seekdir(d, mark);
	while (readdir(d))
		again++;
	ok(again > 150 && again <= 252, "seekdir goes back to a place");
	closedir(d);
	is(rmdir("many"), -ENOTEMPTY);
}

int main(void)
{
	umask(022);
	scratch();
	test_positions();
	test_holes();
	test_flags();
	test_descriptors();
	test_limit();
	test_locks();
	test_deadlock();
	test_memfd();
	test_holes_and_copies();
	test_sendfile_of_streams();
	test_handle_names();
	test_modes_and_times();
	test_openat2();
	test_openat2_moves();
	test_readdir();
	return tap_end();
}
