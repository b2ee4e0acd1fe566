/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes change one small tree at once; afterwards it must still be a tree that can be walked, emptied and counted. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>

#include "fs_tap.h"

#define WORKERS 6
#define STEPS	4000

static unsigned long seed;

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(seed >> 33) % n;
}

/* Without "..": the workers stay inside their tree. */
static void rnd_path(char *p)
{
	static const char *const part[] = { "a", "b", "c", "d", "l", "." };
	unsigned n = rnd(4) + 1;

	*p = 0;
	while (n--) {
		strcat(p, part[rnd(5 + (n > 0))]);
		if (n)
			strcat(p, "/");
	}
}

static void use_file(const char *path)
{
	char buf[8192];
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_NONBLOCK | (rnd(4) ? 0 : O_APPEND), 0644);
	char *m;

	if (fd < 0)
		return;
	memset(buf, 'w', sizeof(buf));
	if (write(fd, buf, rnd(sizeof(buf))) < 0 && errno != EAGAIN && errno != EPIPE)
		_exit(10);
	if (fstat(fd, &st))
		_exit(11);
	if (S_ISREG(st.st_mode) && rnd(3) == 0) {
		m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (m == MAP_FAILED)
			_exit(12);
		munmap(m, 4096);
	}
	if (rnd(3) == 0 && S_ISREG(st.st_mode) && ftruncate(fd, rnd(20000)))
		_exit(13);
	pread(fd, buf, sizeof(buf), 0);
	close(fd);
}

static void list_dir(const char *path)
{
	DIR *d = opendir(path);

	while (d && readdir(d))
		;
	if (d)
		closedir(d);
}

static void worker(unsigned long s)
{
	char p[64], q[64];
	struct stat st;

	signal(SIGPIPE, SIG_IGN);
	seed = s;
	alarm(50);
	for (int i = 0; i < STEPS; i++) {
		rnd_path(p);
		rnd_path(q);
		switch (rnd(12)) {
		case 0:
			mkdir(p, 0755);
			break;
		case 1:
			rmdir(p);
			break;
		case 2:
			unlink(p);
			break;
		case 3:
			rename(p, q);
			break;
		case 4:
			link(p, q);
			break;
		case 5:
			symlink(q, p);
			break;
		case 6:
			stat(p, &st);
			break;
		case 7:
			list_dir(p);
			break;
		case 8:
			if (rnd(2))
				mkfifo(p, 0600);
			else
				renameat2(AT_FDCWD, p, AT_FDCWD, q, RENAME_EXCHANGE);
			break;
		default:
			use_file(p);
		}
	}
	_exit(0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)f;
	return flag == FTW_DP ? strcmp(path, ".") && rmdir(path) : unlink(path);
}

static void test_tree(void)
{
	int failed = 0, status;
	bool own;
	struct statvfs before, after;

	mkdir("tree", 0755);
	own = mount("stress", "tree", "tmpfs", 0, "size=64m") == 0;
	if (chdir("tree"))
		return;
	statvfs(".", &before);
	for (int i = 0; i < WORKERS; i++) {
		if (!fork())
			worker((unsigned long)i * 7919 + 1);
	}
	while (wait(&status) > 0) {
		if (status) {
			printf("# worker: %x\n", (unsigned)status);
			failed++;
		}
	}
	is(failed, 0);
	is(nftw(".", remove_one, 20, FTW_DEPTH | FTW_PHYS), 0);
	statvfs(".", &after);
	if (chdir("..") == 0 && own)
		is(umount("tree"), 0);
	/* A file system of its own can be counted; elsewhere others work at the same time. */
	if (own)
		ok(before.f_ffree == after.f_ffree && before.f_bfree == after.f_bfree,
			"nothing is left of what was removed");
	else
		ok(true, "no file system of its own to count");
}

/* Writers and readers of the same descriptors from many sides, with epoll in between. */
static void pipe_worker(const int *p, unsigned long s)
{
	int ep = epoll_create1(0);
	struct epoll_event ev = { EPOLLIN | EPOLLET, { .fd = 1 } };
	char c[256];

	seed = s;
	alarm(50);
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev);
	for (int i = 0; i < STEPS; i++) {
		struct pollfd f = { p[rnd(2)], POLLIN | POLLOUT, 0 };

		switch (rnd(6)) {
		case 0:
			read(p[0], c, sizeof(c));
			break;
		case 1:
			write(p[1], c, rnd(sizeof(c)));
			break;
		case 2:
			epoll_wait(ep, &ev, 1, 1);
			break;
		case 3:
			poll(&f, 1, 1);
			break;
		case 4:
			close(dup(p[0]));
			break;
		default:
			ev.events = EPOLLIN | (rnd(2) ? EPOLLET : EPOLLONESHOT);
			epoll_ctl(ep, rnd(2) ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, p[rnd(2)], &ev);
		}
	}
	_exit(0);
}

static void test_pipes(void)
{
	int p[2], failed = 0, status;

	is(pipe2(p, O_NONBLOCK), 0);
	for (int i = 0; i < WORKERS; i++) {
		if (!fork())
			pipe_worker(p, (unsigned long)i * 31 + 5);
	}
	close(p[0]);
	close(p[1]);
	while (wait(&status) > 0)
		failed += status != 0;
	is(failed, 0);
}

int main(void)
{
	scratch();
	test_tree();
	test_pipes();
	return tap_end();
}
