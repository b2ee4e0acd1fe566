/* SPDX-License-Identifier: Apache-2.0 */
/* Leases, directory notification, the order in which F_GETLK reports locks. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

static char name[128], dir[64];

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static bool child_ok(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The signal, which is blocked, within five seconds. */
static bool told(int sig, int *fd)
{
	struct timespec limit = { 5, 0 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	if (sigtimedwait(&set, &info, &limit) != sig)
		return false;
	*fd = info.si_fd;
	return true;
}

static void test_lease_rules(void)
{
	int rd = open(name, O_RDONLY), wr = open(name, O_RDWR);

	ok(fails(fcntl(rd, F_SETLEASE, F_RDLCK), EAGAIN),
		"no read lease while it is open for writing");
	close(wr);
	ok(!fcntl(rd, F_SETLEASE, F_RDLCK) && fcntl(rd, F_GETLEASE) == F_RDLCK, "a read lease");
	ok(!fcntl(rd, F_SETLEASE, F_WRLCK) && fcntl(rd, F_GETLEASE) == F_WRLCK,
		"becomes a write lease while nobody else has the file");
	ok(!fcntl(rd, F_SETLEASE, F_UNLCK) && fcntl(rd, F_GETLEASE) == F_UNLCK, "and ends");
	ok(fails(fcntl(rd, F_SETLEASE, F_UNLCK), EAGAIN), "once");
	ok(fails(fcntl(rd, F_SETLEASE, 77), EINVAL), "an unknown type: EINVAL");
	wr = open(name, O_RDONLY);
	ok(fails(fcntl(rd, F_SETLEASE, F_WRLCK), EAGAIN), "no write lease while somebody reads");
	close(wr);
	close(rd);
	rd = open(dir, O_RDONLY);
	ok(fails(fcntl(rd, F_SETLEASE, F_RDLCK), EINVAL), "directories have none: EINVAL");
	close(rd);
}

static void test_lease_break(void)
{
	int fd = open(name, O_RDONLY), got = -1, ready[2];
	pid_t pid;
	char c;

	fcntl(fd, F_SETSIG, SIGUSR1);
	ok(!fcntl(fd, F_SETLEASE, F_RDLCK), "a lease");
	ok(fails(open(name, O_WRONLY | O_NONBLOCK), EAGAIN),
		"an opener that does not wait: EAGAIN");
	ok(told(SIGUSR1, &got) && got == fd, "the holder is told by its signal");
	ok(fcntl(fd, F_GETLEASE) == F_UNLCK, "what the lease must become");
	ok(!fcntl(fd, F_SETLEASE, F_UNLCK), "the holder gives it up");
	got = open(name, O_WRONLY | O_NONBLOCK);
	ok(got >= 0, "and others may open");
	close(got);
	fcntl(fd, F_SETSIG, SIGUSR1);
	ok(!fcntl(fd, F_SETLEASE, F_WRLCK), "a write lease");
	if (pipe(ready))
		exit(1);
	pid = fork();
	if (pid == 0) {
		close(fd);
		got = open(name, O_RDONLY);
		_exit(got < 0 || write(ready[1], "x", 1) != 1);
	}
	ok(told(SIGUSR1, &got), "is broken by a reader");
	close(fd);
	ok(read(ready[0], &c, 1) == 1 && child_ok(pid), "who goes on when the file is closed");
	close(ready[0]);
	close(ready[1]);
}

static void test_notify(void)
{
	int fd = open(dir, O_RDONLY), got = -1;
	char path[128], inside[128], other[128];
	sigset_t set;

	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(inside, sizeof(inside), "%s/b", dir);
	snprintf(other, sizeof(other), "%s-other", dir);
	fcntl(fd, F_SETSIG, SIGUSR1);
	ok(!fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT), "F_NOTIFY");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ok(told(SIGUSR1, &got) && got == fd, "tells of a new file");
	unlink(path);
	ok(told(SIGUSR1, &got), "and of its end");
	chmod(dir, 0711);
	fcntl(fd, F_NOTIFY, 0);
	ok(!fcntl(fd, F_NOTIFY, DN_RENAME | DN_ATTRIB | DN_MULTISHOT) && !chmod(dir, 0700) &&
			told(SIGUSR1, &got),
		"DN_ATTRIB tells of the directory itself");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	rename(path, other);
	rename(other, path);
	sigpending(&set);
	ok(!sigismember(&set, SIGUSR1), "DN_RENAME not of moves into and out of it");
	rename(path, inside);
	ok(told(SIGUSR1, &got) && !unlink(inside), "but of one within");
	ok(!fcntl(fd, F_NOTIFY, 0), "until it is called off");
	mkdir(path, 0700);
	rmdir(path);
	sigpending(&set);
	ok(!sigismember(&set, SIGUSR1), "and then no more");
	close(fd);
	fd = open(name, O_RDONLY);
	ok(fails(fcntl(fd, F_NOTIFY, DN_CREATE), ENOTDIR), "a file: ENOTDIR");
	close(fd);
}

static void test_lock_order(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };
	int fd = open(name, O_RDWR);
	pid_t pid;

	fcntl(fd, F_SETLK, &fl);
	fl = (struct flock){ .l_type = F_RDLCK, .l_start = 1, .l_len = 5 };
	fcntl(fd, F_SETLK, &fl);
	pid = fork();
	if (pid == 0) {
		fl = (struct flock){ .l_type = F_WRLCK };
		_exit(fcntl(fd, F_GETLK, &fl) || fl.l_start != 1 || fl.l_type != F_RDLCK);
	}
	ok(child_ok(pid), "F_GETLK reports the first lock by place");
	close(fd);
}

int main(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	snprintf(dir, sizeof(dir), "/tmp/casemate-lease-%d", (int)getpid());
	snprintf(name, sizeof(name), "%s/file", dir);
	mkdir(dir, 0700);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	test_lease_rules();
	test_lease_break();
	test_notify();
	test_lock_order();
	unlink(name);
	rmdir(dir);
	return tap_end();
}
