/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup namespaces: what is the root in /proc/PID/cgroup, in mountinfo and in a mount, for whom. Natively in the hierarchy of version 2 wherever it is
 * mounted, inside on a mount of its own.
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cgroup_tap.h"
#include "child_tap.h"
#include "fs_tap.h"

#define NS_GET_NSTYPE _IO(0xb7, 3)

static char mnt[200], top[300], a_dir[310];

/* A directory of our own in the hierarchy. */
static bool make_top(const char *where)
{
	snprintf(mnt, sizeof(mnt), "%s", where);
	snprintf(top, sizeof(top), "%s/casemate-ns-%d", where, getpid());
	snprintf(a_dir, sizeof(a_dir), "%s/a", top);
	return mkdir(top, 0755) == 0 && mkdir(a_dir, 0755) == 0;
}

/* The path of the hierarchy of version 2 in /proc/PID/cgroup. */
static const char *cgroup_of(const char *pid)
{
	static char path[400];
	char name[64], line[400];
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%s/cgroup", pid);
	f = fopen(name, "r");
	path[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "0::", 3))
			strcpy(path, line + 3);
	}
	if (f)
		fclose(f);
	return path;
}

static const char *cgroup_of_pid(pid_t pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	return cgroup_of(name);
}

/* Root of the mount at `where`, in /proc/self/mountinfo. */
static const char *mount_root(const char *where)
{
	static char root[400];
	char line[900], at[400], r[400];
	FILE *f = fopen("/proc/self/mountinfo", "r");

	root[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %*s %399s %399s", r, at) == 2 && !strcmp(at, where))
			strcpy(root, r);
	}
	if (f)
		fclose(f);
	return root;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* pid 0: the caller. */
static bool enter(const char *dir, pid_t pid)
{
	char name[400], text[16];
	int fd, n = snprintf(text, sizeof(text), "%d", pid);
	bool done;

	snprintf(name, sizeof(name), "%s/cgroup.procs", dir);
	fd = open(name, O_WRONLY);
	done = fd >= 0 && write(fd, text, (size_t)n) == n;
	close(fd);
	return done;
}

/* fn in a child that is in the group `a`: its exit status, or -1. */
static int in_a(int (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter(a_dir, 0) ? fn() : 99);
	return child_status(pid);
}

static uint64_t ns_number(const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/cgroup", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* ---- who sees what ---- */
static int unshared_view(void)
{
	uint64_t before = ns_number("self");
	char above[16];

	snprintf(above, sizeof(above), "%d", getppid());
	if (!ends_with(cgroup_of("self"), "/a"))
		return 1;
	if (unshare(CLONE_NEWCGROUP))
		return 2;
	if (ns_number("self") == before || ns_number(above) != before)
		return 3;
	if (strcmp(cgroup_of("self"), "/"))
		return 4;
	/* the parent is above the root of ours */
	return strncmp(cgroup_of(above), "/..", 3) != 0;
}

static int forked_view(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWCGROUP | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (pid == 0) {
		snprintf(a_dir + strlen(a_dir), 4, "/b");
		if (strcmp(cgroup_of("self"), "/") || mkdir(a_dir, 0755) || !enter(a_dir, 0))
			_exit(1);
		/* the root stays where it was */
		_exit(strcmp(cgroup_of("self"), "/b") != 0);
	}
	status = child_status(pid);
	snprintf(a_dir + strlen(a_dir), 4, "/b");
	rmdir(a_dir);
	return status;
}

static void test_outside_view(void)
{
	int up[2], down[2];
	pid_t pid;
	char c = 0;

	if (pipe(up) || pipe(down))
		return;
	pid = fork();
	if (pid == 0) {
		bool done = enter(a_dir, 0) && unshare(CLONE_NEWCGROUP) == 0;

		done &= write(up[1], "", 1) == 1 && read(down[0], &c, 1) == 1;
		_exit(!done);
	}
	if (read(up[0], &c, 1) != 1)
		c = 1;
	ok(c == 0 && ends_with(cgroup_of_pid(pid), "/a"),
		"others see where it is from the root of theirs");
	if (write(down[1], "", 1) != 1)
		c = 1;
	ok(child_status(pid) == 0 && c == 0, "which it does not change");
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
}

static int into_cgroup(void)
{
	struct clone_args args = { .flags = CLONE_NEWCGROUP | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD };
	int fd = open(top, O_RDONLY | O_DIRECTORY);
	char above[16];
	pid_t pid;

	snprintf(above, sizeof(above), "%d", getpid());
	args.cgroup = (uint64_t)fd;
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	/* its root is the group that it is put into, not its maker's */
	if (pid == 0)
		_exit(strcmp(cgroup_of("self"), "/") || strcmp(cgroup_of(above), "/a"));
	return child_status(pid);
}

/* ---- mounts ---- */
static int mount_view(void)
{
	char before[400];

	strcpy(before, mount_root(mnt));
	if (unshare(CLONE_NEWCGROUP | CLONE_NEWNS) ||
		mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	/* the mount begins above the root */
	if (strncmp(before, "/..", 3) == 0 || strncmp(mount_root(mnt), "/..", 3))
		return 2;
	if (mount("none", "/tmp", "cgroup2", 0, NULL))
		return 3;
	if (strcmp(mount_root("/tmp"), "/") || mkdir("/tmp/c", 0755))
		return 4;
	strcat(a_dir, "/c");
	if (access(a_dir, F_OK) || rmdir(a_dir))
		return 5;
	return 0;
}

static int bind_view(void)
{
	char file[400];
	int fd;

	if (unshare(CLONE_NEWCGROUP | CLONE_NEWNS) ||
		mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	if (mount("none", "/tmp", "tmpfs", 0, NULL) || mkdir("/tmp/d", 0755))
		return 2;
	fd = open("/tmp/f", O_CREAT | O_RDWR, 0600);
	close(fd);
	snprintf(file, sizeof(file), "%s/cgroup.procs", a_dir);
	if (mount(top, "/tmp/d", NULL, MS_BIND, NULL) || mount(file, "/tmp/f", NULL, MS_BIND, NULL))
		return 3;
	if (strcmp(mount_root("/tmp/d"), "/.."))
		return 4;
	return strcmp(mount_root("/tmp/f"), "/cgroup.procs") != 0;
}

/* ---- entering, rights ---- */
static int back_again(void)
{
	char path[400];
	int fd = open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC), other;

	strcpy(path, cgroup_of("self"));
	if (unshare(CLONE_NEWCGROUP) || strcmp(cgroup_of("self"), "/"))
		return 1;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWCGROUP)
		return 2;
	if (setns(fd, CLONE_NEWUTS) != -1 || errno != EINVAL)
		return 3;
	other = (int)syscall(SYS_pidfd_open, getppid(), 0);
	if (setns(other, CLONE_NEWCGROUP) || strcmp(cgroup_of("self"), path))
		return 4;
	if (unshare(CLONE_NEWCGROUP) || setns(fd, 0) || strcmp(cgroup_of("self"), path))
		return 5;
	return 0;
}

static int unprivileged(void)
{
	int fd = open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC);

	if (setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1))
		return 1;
	if (unshare(CLONE_NEWCGROUP) != -1 || errno != EPERM)
		return 2;
	if (syscall(SYS_clone, CLONE_NEWCGROUP | SIGCHLD, 0, 0, 0, 0) != -1 || errno != EPERM)
		return 3;
	if (setns(fd, CLONE_NEWCGROUP) != -1 || errno != EPERM)
		return 4;
	if (unshare(CLONE_NEWUSER | CLONE_NEWCGROUP) || strcmp(cgroup_of("self"), "/"))
		return 5;
	/* over the old one there is no right */
	return setns(fd, CLONE_NEWCGROUP) != -1 || errno != EPERM;
}

/* A group that is gone is still the root of those whose namespace it was. */
static int removed_root(void)
{
	int up[2], down[2];
	pid_t pid;
	char c;

	if (pipe(up) || pipe(down))
		return 1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWCGROUP) || write(up[1], "", 1) != 1 ||
			read(down[0], &c, 1) != 1)
			_exit(1);
		_exit(strcmp(cgroup_of("self"), "/..") != 0);
	}
	if (read(up[0], &c, 1) != 1 || !enter(top, 0) || !enter(top, pid) || rmdir(a_dir))
		return 2;
	if (write(down[1], "", 1) != 1 || child_status(pid))
		return 3;
	return mkdir(a_dir, 0755);
}

int main(void)
{
	if (!cgroup2_find(make_top)) {
		printf("1..0 # SKIP no cgroup2\n");
		return 0;
	}
	ok(ns_number("self") != 0, "/proc/PID/ns/cgroup");
	ok(in_a(unshared_view) == 0,
		"unshare: the group becomes the root, and what is above has /..");
	ok(in_a(forked_view) == 0, "clone: the child's, and it stays when the child moves");
	test_outside_view();
	ok(in_a(into_cgroup) == 0, "clone3 into a group: that is the root");
	ok(in_a(mount_view) == 0, "mountinfo and a new mount begin at the root");
	ok(in_a(bind_view) == 0, "binds of a directory and a file in mountinfo");
	ok(in_a(back_again) == 0, "setns by file and by pidfd");
	ok(in_a(unprivileged) == 0, "without CAP_SYS_ADMIN: EPERM, but in a user namespace");
	ok(in_a(removed_root) == 0, "a root that was removed");
	rmdir(a_dir);
	rmdir(top);
	return tap_end();
}
