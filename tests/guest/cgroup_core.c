/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups of version 2: directories, members, events, freezing, killing, rights. Natively in the hierarchy wherever it is mounted, inside
 * on a mount of its own; nothing here needs a controller.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "cgroup_tap.h"
#include "fs_tap.h"

#define CGROUP2_MAGIC 0x63677270

static char top[200]; /* the directory of this test */

static const char *at(const char *name)
{
	static char path[4][600];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", top, name);
	return p;
}

static bool make_top(const char *mnt)
{
	snprintf(top, sizeof(top), "%s/casemate-test-%d", mnt, getpid());
	return mkdir(top, 0755) == 0;
}

static ssize_t get(const char *name, char *buf, size_t size)
{
	int fd = open(at(name), O_RDONLY), e;
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	e = errno;
	buf[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
	errno = e;
	return n;
}

static int put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY), e;
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	return n < 0 ? -1 : 0;
}

static void shows(const char *name, const char *want)
{
	char buf[4096], line[300];

	get(name, buf, sizeof(buf));
	snprintf(line, sizeof(line), "%s is as expected", name);
	if (strcmp(buf, want))
		snprintf(line, sizeof(line), "%s begins with \"%.100s\"", name, buf);
	ok(!strcmp(buf, want), line);
}

static bool becomes(const char *name, const char *want)
{
	char buf[4096];

	for (int i = 0; i < 1000; i++) {
		get(name, buf, sizeof(buf));
		if (strstr(buf, want))
			return true;
		usleep(5000);
	}
	return false;
}

/* A child that counts in shared memory until it is killed. */
static pid_t counter(volatile uint64_t *count)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;) {
			++*count;
			usleep(1000);
		}
	}
	return pid;
}

static void put_pid(const char *name, pid_t pid, int want)
{
	char text[20];

	snprintf(text, sizeof(text), "%d", pid);
	is(put(name, text), want);
}

static void test_tree(void)
{
	struct statfs st;
	struct stat s;
	char name[300];

	ok(statfs(top, &st) == 0 && st.f_type == CGROUP2_MAGIC, "is a cgroup2 file system");
	is(mkdir(at("a"), 0755), 0);
	is(mkdir(at("a"), 0755), -EEXIST);
	is(mkdir(at("a/cgroup.procs"), 0755), -EEXIST);
	is(mkdir(at("a/x\ny"), 0755), -EINVAL);
	is(open(at("a/new"), O_CREAT | O_WRONLY, 0644), -EACCES);
	is(unlink(at("a/cgroup.procs")), -EPERM);
	is(symlink("x", at("a/link")), -EPERM);
	is(rename(at("a"), at("b")), -EPERM);
	is(link(at("a/cgroup.procs"), at("a/p2")), -EPERM);
	is(stat(at("a/cgroup.kill"), &s), 0);
	ok((s.st_mode & 07777) == 0200 && S_ISREG(s.st_mode), "cgroup.kill is for writing alone");
	is(put("a/cgroup.events", "1"), -EINVAL);
	is(get("a/cgroup.kill", name, sizeof(name)), -EINVAL);
	shows("a/cgroup.type", "domain\n");
	shows("a/cgroup.events", "populated 0\nfrozen 0\n");
	shows("a/cgroup.procs", "");
	shows("a/cgroup.subtree_control", "");
	shows("a/cgroup.max.depth", "max\n");
	shows("a/cgroup.freeze", "0\n");
	is(mkdir(at("a/b"), 0755), 0);
	is(stat(at("a"), &s), 0);
	ok(s.st_nlink == 3, "a directory counts its children as links");
	is(rmdir(at("a")), -EBUSY);
	is(rmdir(at("a/b")), 0);
	is(rmdir(at("a/b")), -ENOENT);
	is(rmdir(at("a")), 0);
}

static void test_limits(void)
{
	char buf[300];

	mkdir(at("l"), 0755);
	is(put("l/cgroup.max.descendants", "1"), 0);
	shows("l/cgroup.max.descendants", "1\n");
	is(put("l/cgroup.max.descendants", "-1"), -ERANGE);
	is(put("l/cgroup.max.descendants", "x"), -EINVAL);
	is(mkdir(at("l/1"), 0755), 0);
	is(mkdir(at("l/2"), 0755), -EAGAIN);
	is(put("l/cgroup.max.descendants", "max"), 0);
	is(put("l/cgroup.max.depth", "1\n"), 0);
	is(mkdir(at("l/2"), 0755), 0);
	is(mkdir(at("l/2/3"), 0755), -EAGAIN);
	get("l/cgroup.stat", buf, sizeof(buf));
	ok(!strncmp(buf, "nr_descendants 2\n", 17), "cgroup.stat counts descendants");
	is(put("l/cgroup.subtree_control", "+nothing"), -EINVAL);
	is(put("l/cgroup.subtree_control", "memory"), -EINVAL);
	is(put("l/cgroup.freeze", "2"), -ERANGE);
	is(put("l/cgroup.freeze", " "), -EINVAL);
	is(put("l/cgroup.kill", "0"), -ERANGE);
	rmdir(at("l/1"));
	rmdir(at("l/2"));
	rmdir(at("l"));
}

static bool holds(const char *name, pid_t pid)
{
	char buf[4096], line[20];

	snprintf(line, sizeof(line), "%d\n", pid);
	get(name, buf, sizeof(buf));
	return !strncmp(buf, line, strlen(line)) || strstr(buf, line);
}

static bool proc_says(pid_t pid, const char *end)
{
	char path[64], buf[4096];
	FILE *f;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "r");
	while (f && fgets(buf, sizeof(buf), f)) {
		size_t n = strcspn(buf, "\n"), m = strlen(end);

		buf[n] = 0;
		if (!strncmp(buf, "0::/", 4) && n >= m && !strcmp(buf + n - m, end))
			found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static void test_members(void)
{
	static volatile uint64_t dummy;
	pid_t pid;

	mkdir(at("m"), 0755);
	mkdir(at("m/n"), 0755);
	pid = counter(&dummy);
	put_pid("m/n/cgroup.procs", pid, 0);
	ok(holds("m/n/cgroup.procs", pid) && holds("m/n/cgroup.threads", pid),
		"the process is there");
	ok(proc_says(pid, "/m/n"), "/proc/PID/cgroup says where");
	ok(becomes("m/cgroup.events", "populated 1"), "the parent is populated");
	is(rmdir(at("m/n")), -EBUSY);
	put_pid("m/n/cgroup.procs", 99999999, -ESRCH);
	is(put("m/n/cgroup.procs", "abc"), -EINVAL);
	put_pid("m/cgroup.threads", pid, -EOPNOTSUPP);
	kill(pid, SIGKILL);
	ok(becomes("m/cgroup.events", "populated 0"), "nobody is left");
	ok(proc_says(pid, "/m/n"), "a zombie is still known there");
	ok(!holds("m/n/cgroup.procs", pid), "but not listed");
	is(rmdir(at("m/n")), 0);
	ok(proc_says(pid, "/m/n (deleted)"), "until its cgroup is removed");
	waitpid(pid, NULL, 0);
	rmdir(at("m"));
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

/* A child moves itself with "0", has two threads and two children, one of which it makes in another cgroup. */
static void test_fork(void)
{
	int up[2];
	char c;
	pid_t pid;

	mkdir(at("f"), 0755);
	mkdir(at("f2"), 0755);
	if (pipe(up))
		return;
	pid = fork();
	if (pid == 0) {
		struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
		pthread_t t;
		int fd = open(at("f2"), O_RDONLY | O_DIRECTORY);

		if (put("f/cgroup.procs", "0") == 0 && !pthread_create(&t, NULL, sleeper, NULL) &&
			fork() == 0)
			pause();
		args.cgroup = (uint64_t)fd;
		if (syscall(SYS_clone3, &args, sizeof(args)) == 0)
			pause();
		(void)!write(up[1], "x", 1);
		pause();
		_exit(0);
	}
	(void)!read(up[0], &c, 1);
	ok(holds("f/cgroup.procs", pid), "writing 0 moves the writer");
	{
		char procs[500], threads[500], other[500];
		int np = 0, nt = 0, no = 0;

		get("f/cgroup.procs", procs, sizeof(procs));
		get("f/cgroup.threads", threads, sizeof(threads));
		get("f2/cgroup.procs", other, sizeof(other));
		for (char *p = procs; *p; p++)
			np += *p == '\n';
		for (char *p = threads; *p; p++)
			nt += *p == '\n';
		for (char *p = other; *p; p++)
			no += *p == '\n';
		ok(np == 2 && nt == 3, "threads and children stay with it");
		ok(no == 1, "CLONE_INTO_CGROUP makes one elsewhere");
	}
	put_pid("f2/cgroup.procs", pid, 0);
	ok(holds("f2/cgroup.procs", pid) && !holds("f/cgroup.threads", pid),
		"all threads move at once");
	is(put("f/cgroup.kill", "1"), 0);
	is(put("f2/cgroup.kill", "1"), 0);
	waitpid(pid, NULL, 0);
	ok(becomes("f/cgroup.events", "populated 0") && becomes("f2/cgroup.events", "populated 0"),
		"cgroup.kill ends all");
	{
		struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
		int fd = open("/", O_RDONLY | O_DIRECTORY);

		args.cgroup = (uint64_t)fd;
		is(syscall(SYS_clone3, &args, sizeof(args)), -EBADF);
		close(fd);
		args.cgroup = 9999;
		is(syscall(SYS_clone3, &args, sizeof(args)), -EBADF);
	}
	close(up[0]);
	close(up[1]);
	is(rmdir(at("f")), 0);
	is(rmdir(at("f2")), 0);
}

static void test_freeze(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile uint64_t *count = page;
	uint64_t before;
	pid_t pid;
	int status;

	mkdir(at("z"), 0755);
	mkdir(at("z/y"), 0755);
	pid = counter(count);
	put_pid("z/y/cgroup.procs", pid, 0);
	is(put("z/cgroup.freeze", "1"), 0);
	shows("z/cgroup.freeze", "1\n");
	shows("z/y/cgroup.freeze", "0\n");
	ok(becomes("z/cgroup.events", "frozen 1") && becomes("z/y/cgroup.events", "frozen 1"),
		"a tree freezes");
	before = *count;
	usleep(50000);
	ok(*count == before, "its processes stand still");
	is(put("z/cgroup.freeze", "0"), 0);
	ok(becomes("z/cgroup.events", "frozen 0"), "and are thawed");
	for (int i = 0; i < 1000 && *count == before; i++)
		usleep(5000);
	ok(*count != before, "so that they go on");
	is(put("z/cgroup.freeze", "1"), 0);
	ok(becomes("z/cgroup.events", "frozen 1"), "frozen once more");
	kill(pid, SIGTERM);
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
		"a deadly signal does not wait");
	is(put("z/cgroup.freeze", "0"), 0);

	is(put("z/cgroup.freeze", "1"), 0);
	pid = counter(count);
	put_pid("z/y/cgroup.procs", pid, 0);
	ok(becomes("z/y/cgroup.events", "frozen 1"), "who comes in is frozen");
	before = *count;
	put_pid("cgroup.procs", pid, 0);
	for (int i = 0; i < 1000 && *count == before; i++)
		usleep(5000);
	ok(*count != before, "who leaves goes on");
	put_pid("z/y/cgroup.procs", pid, 0);
	ok(becomes("z/y/cgroup.events", "frozen 1"), "frozen again");
	is(put("z/cgroup.kill", "1"), 0);
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		"what is frozen can be killed");
	is(rmdir(at("z/y")), 0);
	is(rmdir(at("z")), 0);
	munmap(page, 4096);
}

static void test_notify(void)
{
	static volatile uint64_t dummy;
	struct pollfd p = { .events = POLLPRI };
	struct inotify_event ev;
	char buf[100];
	int in, wd;
	pid_t pid;

	mkdir(at("e"), 0755);
	p.fd = open(at("e/cgroup.events"), O_RDONLY);
	is(read(p.fd, buf, sizeof(buf)), 21);
	is(poll(&p, 1, 0), 0);
	in = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(in, at("e/cgroup.events"), IN_MODIFY);
	pid = counter(&dummy);
	put_pid("e/cgroup.procs", pid, 0);
	ok(poll(&p, 1, 5000) == 1 && (p.revents & (POLLPRI | POLLERR)) == (POLLPRI | POLLERR),
		"poll hears of the first member");
	is(pread(p.fd, buf, sizeof(buf), 0), 21);
	ok(!strncmp(buf, "populated 1", 11), "reading shows it");
	is(poll(&p, 1, 0), 0);
	p.fd = in;
	p.events = POLLIN;
	ok(poll(&p, 1, 5000) == 1 && read(in, &ev, sizeof(ev)) == sizeof(ev) && ev.wd == wd &&
			ev.mask == IN_MODIFY,
		"so does inotify");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(poll(&p, 1, 5000) == 1, "and of its end");
	close(in);
	is(rmdir(at("e")), 0);
}

/* Delegation: what a user was given it may use, what is above it not. */
static void test_rights(void)
{
	static volatile uint64_t dummy;
	pid_t inside = counter(&dummy), outside = counter(&dummy), pid;
	int status;

	mkdir(at("d"), 0755);
	mkdir(at("d/src"), 0755);
	is(chown(at("d"), 1000, 1000), 0);
	is(chown(at("d/cgroup.procs"), 1000, 1000), 0);
	is(chown(at("d/src"), 1000, 1000), 0);
	is(chown(at("d/src/cgroup.procs"), 1000, 1000), 0);
	put_pid("d/src/cgroup.procs", inside, 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct stat s;
		char in[20], out[20];
		int bad = 0;

		snprintf(in, sizeof(in), "%d", inside);
		snprintf(out, sizeof(out), "%d", outside);
		if (setgid(1000) || setuid(1000))
			_exit(100);
		bad |= mkdir(at("d/own"), 0755) != 0;
		bad |= (stat(at("d/own/cgroup.procs"), &s) || s.st_uid != 1000) << 1;
		bad |= (put("d/own/cgroup.procs", in) != 0) << 2;
		bad |= (put("d/own/cgroup.procs", out) == 0 || errno != EACCES) << 3;
		bad |= (put("cgroup.procs", in) == 0 || errno != EACCES) << 4;
		bad |= (mkdir(at("other"), 0755) == 0 || errno != EACCES) << 5;
		bad |= (put("d/cgroup.max.depth", "1") == 0 || errno != EACCES) << 6;
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	is(WIFEXITED(status) ? WEXITSTATUS(status) : 255, 0);
	kill(inside, SIGKILL);
	kill(outside, SIGKILL);
	waitpid(inside, NULL, 0);
	waitpid(outside, NULL, 0);
	is(rmdir(at("d/own")), 0);
	is(rmdir(at("d/src")), 0);
	is(rmdir(at("d")), 0);
}

static void test_list(void)
{
	static const char *const want[] = { "cgroup.controllers", "cgroup.events", "cgroup.freeze",
		"cgroup.kill", "cgroup.max.depth", "cgroup.max.descendants", "cgroup.procs",
		"cgroup.stat", "cgroup.subtree_control", "cgroup.threads", "cgroup.type",
		"cpu.stat", "child" };
	unsigned found = 0;
	struct dirent *e;
	DIR *d;

	mkdir(at("r"), 0755);
	mkdir(at("r/child"), 0755);
	d = opendir(at("r"));
	while (d && (e = readdir(d))) {
		for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
			found |= strcmp(e->d_name, want[i]) ? 0 : 1u << i;
	}
	ok(found == (1u << sizeof(want) / sizeof(want[0])) - 1, "the files of the core are listed");
	if (d)
		closedir(d);
	rmdir(at("r/child"));
	rmdir(at("r"));
}

int main(void)
{
	if (!cgroup2_find(make_top)) {
		perror("cgroup2");
		return 1;
	}
	test_tree();
	test_list();
	test_limits();
	test_members();
	test_fork();
	test_freeze();
	test_notify();
	test_rights();
	is(rmdir(top), 0);
	return tap_end();
}
