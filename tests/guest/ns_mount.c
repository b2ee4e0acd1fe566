/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount propagation: peer groups, slaves, private and unbindable mounts, what mountinfo says of them, moving, pivot_root, other namespaces.
 * Every part runs in a mount namespace of its own below a private tmpfs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/child_tap.h"

static char base[] = "/tmp/nsm-XXXXXX";

static const char *at(const char *name)
{
	static char text[8][128];
	static unsigned i;

	i = (i + 1) % 8;
	snprintf(text[i], sizeof(text[i]), "%s/%s", base, name);
	return text[i];
}

static int dir(const char *name)
{
	return mkdir(at(name), 0755);
}

static int tmpfs(const char *name)
{
	return mount("nsm", at(name), "tmpfs", 0, "size=64k");
}

static int bind(const char *from, const char *to, unsigned long flags)
{
	return mount(at(from), at(to), NULL, MS_BIND | flags, NULL);
}

static int kind(const char *name, unsigned long type)
{
	return mount(NULL, at(name), NULL, type, NULL);
}

struct info {
	int mounts; /* lines of the path */
	int shared, master, unbindable; /* of the last one */
};

static struct info info(const char *name)
{
	struct info i = { 0, 0, 0, 0 };
	char line[1024], where[512];
	FILE *f = fopen("/proc/self/mountinfo", "r");

	while (f && fgets(line, sizeof(line), f)) {
		char *p;

		if (sscanf(line, "%*d %*d %*s %*s %511s", where) != 1 || strcmp(where, at(name)))
			continue;
		i.mounts++;
		i.shared = (p = strstr(line, " shared:")) ? atoi(p + 8) : 0;
		i.master = (p = strstr(line, " master:")) ? atoi(p + 8) : 0;
		i.unbindable = strstr(line, " unbindable ") != NULL;
	}
	if (f)
		fclose(f);
	return i;
}

static int mounted(const char *name)
{
	return info(name).mounts;
}

/* A mount namespace of its own, and what the parts need in it. */
static int apart(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("nsm", base, "tmpfs", 0, NULL) || dir("a") || dir("b") || dir("c") ||
		dir("d") || tmpfs("a") || dir("a/x") || dir("a/y"))
		return 1;
	return 0;
}

static int kinds(void)
{
	struct info i = info("a");

	if (i.mounts != 1 || i.shared || i.master || i.unbindable)
		return 1;
	if (kind("a", MS_SHARED) || !info("a").shared)
		return 2;
	if (kind("a", MS_UNBINDABLE) || !info("a").unbindable || info("a").shared)
		return 3;
	if (kind("a", MS_SHARED) || info("a").unbindable || !info("a").shared)
		return 4;
	/* The only member of its group has nobody to hear from. */
	if (kind("a", MS_SLAVE) || info("a").shared || info("a").master)
		return 5;
	if (kind("a", MS_SHARED | MS_PRIVATE) != -1 || errno != EINVAL)
		return 6;
	if (kind("a", MS_SHARED | MS_RDONLY) != -1 || errno != EINVAL)
		return 7;
	if (kind("b", MS_SHARED) != -1 || errno != EINVAL)
		return 8;
	return 0;
}

static int peers(void)
{
	if (kind("a", MS_SHARED) || bind("a", "b", 0) || info("a").shared != info("b").shared)
		return 1;
	if (tmpfs("a/x") || mounted("b/x") != 1 || !info("b/x").shared ||
		info("a/x").shared != info("b/x").shared)
		return 2;
	/* And in the other direction. */
	if (tmpfs("b/y") || mounted("a/y") != 1 || umount(at("a/y")) || mounted("b/y"))
		return 3;
	if (umount(at("b/x")) || mounted("a/x"))
		return 4;
	/* The last of a group: alone with its number. */
	if (umount(at("b")) || !info("a").shared || tmpfs("a/x") || mounted("a/x") != 1)
		return 5;
	return 0;
}

static int slaves(void)
{
	int group;

	if (kind("a", MS_SHARED) || bind("a", "b", 0) || kind("b", MS_SLAVE))
		return 1;
	group = info("a").shared;
	if (info("b").shared || info("b").master != group)
		return 2;
	if (tmpfs("a/x") || mounted("b/x") != 1 || info("b/x").shared ||
		info("b/x").master != info("a/x").shared)
		return 3;
	if (tmpfs("b/y") || mounted("a/y"))
		return 4;
	if (umount(at("a/x")) || mounted("b/x"))
		return 5;
	/* A slave that is shared tells its own peers, and these do not tell the master. */
	if (kind("b", MS_SHARED) || !info("b").shared || info("b").master != group ||
		bind("b", "c", 0) || info("c").master != group ||
		info("c").shared != info("b").shared)
		return 6;
	if (tmpfs("a/x") || mounted("b/x") != 1 || mounted("c/x") != 1 ||
		info("c/x").shared != info("b/x").shared ||
		info("c/x").master != info("a/x").shared)
		return 7;
	/* A slave of the slave. */
	if (bind("c", "d", 0) || kind("d", MS_SLAVE) || info("d").master != info("b").shared ||
		umount(at("a/x")) || tmpfs("a/x") || mounted("d/x") != 1 ||
		info("d/x").master != info("b/x").shared)
		return 8;
	/* Its masters go: it hears from theirs. */
	if (umount(at("a/x")) || umount2(at("b"), MNT_DETACH) ||
		info("d").master != info("c").shared || umount2(at("c"), MNT_DETACH) ||
		info("d").master != group || tmpfs("a/x") || mounted("d/x") != 1)
		return 9;
	if (kind("d", MS_PRIVATE) || info("d").master || umount(at("a/x")) || mounted("d/x") != 1)
		return 10;
	return 0;
}

static int unbindable(void)
{
	if (kind("a", MS_UNBINDABLE) || bind("a", "b", 0) != -1 || errno != EINVAL)
		return 1;
	/* Left out of a recursive copy. */
	if (mount(base, at("b"), NULL, MS_BIND | MS_REC, NULL) || mounted("b") != 1 ||
		mounted("b/a"))
		return 2;
	/* It may not be moved below a shared mount. */
	if (tmpfs("c") || kind("c", MS_SHARED) || mkdir(at("c/in"), 0755) ||
		mount(at("a"), at("c/in"), NULL, MS_MOVE, NULL) != -1 || errno != EINVAL)
		return 3;
	return 0;
}

static int recursive(void)
{
	if (tmpfs("a/x") || kind("a", MS_REC | MS_SHARED) || !info("a").shared ||
		!info("a/x").shared || info("a").shared == info("a/x").shared)
		return 1;
	if (bind("a", "b", MS_REC) || info("b/x").shared != info("a/x").shared)
		return 2;
	if (kind("b", MS_REC | MS_SLAVE) || info("b/x").master != info("a/x").shared ||
		info("b/x").shared)
		return 3;
	/* Only its top. */
	if (kind("b", MS_PRIVATE) || info("b").master || !info("b/x").master)
		return 4;
	/* A tree that is bound below a shared mount becomes shared as a whole, and so do its copies. */
	if (tmpfs("d") || dir("d/m") || tmpfs("d/m") || bind("a", "c", 0) ||
		bind("d", "a/y", MS_REC) || mounted("c/y/m") != 1 || !info("a/y/m").shared ||
		info("c/y/m").shared != info("a/y/m").shared)
		return 5;
	/* The original does not: it was private. */
	if (info("d").shared || info("d/m").shared)
		return 6;
	/* Lazily removed as a whole, everywhere. */
	if (umount2(at("c/y"), MNT_DETACH) || mounted("a/y") || mounted("a/y/m"))
		return 7;
	return 0;
}

static int moving(void)
{
	if (tmpfs("a/x") || kind("a", MS_SHARED))
		return 1;
	/* From below a shared mount nothing is moved away. */
	if (mount(at("a/x"), at("c"), NULL, MS_MOVE, NULL) != -1 || errno != EINVAL)
		return 2;
	if (bind("a", "b", 0) || tmpfs("c") || mount(at("c"), at("b/y"), NULL, MS_MOVE, NULL))
		return 3;
	if (mounted("c") || mounted("a/y") != 1 || info("a/y").shared != info("b/y").shared ||
		!info("a/y").shared)
		return 4;
	return 0;
}

/* A peer shows a part of the file system only. */
static int part(void)
{
	if (mkdir(at("a/x/deep"), 0755) || kind("a", MS_SHARED) || bind("a/x", "b", 0) ||
		info("b").shared != info("a").shared)
		return 1;
	if (tmpfs("a/x/deep") || mounted("b/deep") != 1 || tmpfs("a/y") || mounted("b/y") ||
		info("b").mounts != 1)
		return 2;
	/* Its root itself is a place. */
	if (umount(at("a/x/deep")) || tmpfs("a/x") || mounted("b") != 2)
		return 3;
	return 0;
}

/* Something lies where the copy would go: the copy goes below it. */
static int below(void)
{
	struct stat st;

	if (kind("a", MS_SHARED) || bind("a", "b", 0) || kind("b", MS_SLAVE) || tmpfs("b/x") ||
		close(open(at("b/x/mine"), O_CREAT | O_WRONLY, 0600)) || tmpfs("a/x"))
		return 1;
	if (mounted("b/x") != 2 || stat(at("b/x/mine"), &st))
		return 2;
	/* And it is taken away from below. */
	if (umount(at("a/x")) || mounted("b/x") != 1 || stat(at("b/x/mine"), &st))
		return 3;
	return 0;
}

static int busy(void)
{
	int fd;

	if (kind("a", MS_SHARED) || bind("a", "b", 0) || tmpfs("a/x"))
		return 1;
	fd = open(at("b/x"), O_RDONLY | O_DIRECTORY);
	if (fd < 0 || umount(at("a/x")) != -1 || errno != EBUSY || mounted("b/x") != 1)
		return 2;
	if (umount2(at("a/x"), MNT_DETACH) || mounted("b/x"))
		return 3;
	close(fd);
	/* A copy with something on it stays when that came in another way. */
	if (tmpfs("a/x") || kind("b/x", MS_PRIVATE) || mkdir(at("b/x/in"), 0755) || tmpfs("b/x/in"))
		return 4;
	if (umount(at("a/x")) || mounted("a/x") || mounted("b/x") != 1)
		return 5;
	return 0;
}

static int wait_status(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* Between namespaces, both ways, and one way when the new one makes itself a slave. */
static int spaces(void)
{
	int up[2], down[2];
	char c;
	pid_t pid;

	if (kind("a", MS_SHARED) || pipe(up) || pipe(down))
		return 1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) || !info("a").shared)
			_exit(1);
		if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1 || mounted("a/x") != 1)
			_exit(2);
		if (tmpfs("a/y") || write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1)
			_exit(3);
		if (kind("a", MS_SLAVE) || umount(at("a/x")) || umount(at("a/y")))
			_exit(4);
		if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1 || mounted("a/x") != 1)
			_exit(5);
		_exit(0);
	}
	if (read(up[0], &c, 1) != 1 || tmpfs("a/x") || write(down[1], "x", 1) != 1 ||
		read(up[0], &c, 1) != 1 || mounted("a/y") != 1 || write(down[1], "x", 1) != 1 ||
		read(up[0], &c, 1) != 1 || mounted("a/x") != 1 || mounted("a/y") != 1)
		return 2;
	if (umount(at("a/x")) || tmpfs("a/x") || write(down[1], "x", 1) != 1)
		return 3;
	if (wait_status(pid))
		return 4;
	/* The other namespace is gone, its mounts of the group with it. */
	return umount(at("a/x")) || umount(at("a/y")) ? 5 : 0;
}

/* A namespace of another user namespace hears and tells nothing. */
static int less_privileged(void)
{
	pid_t pid;

	if (kind("a", MS_SHARED))
		return 1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
			_exit(1);
		_exit(info("a").shared || !info("a").master ? 2 : 0);
	}
	return wait_status(pid) ? 2 : 0;
}

static int pivot(void)
{
	if (dir("a/old") || chdir(at("a")))
		return 1;
	if (kind("a", MS_SHARED) || syscall(SYS_pivot_root, ".", "old") == 0)
		return 2;
	if (kind("a", MS_PRIVATE) || syscall(SYS_pivot_root, ".", "old"))
		return 3;
	return access("/old/proc", F_OK) ? 4 : 0;
}

/* The old root lies on the new one afterwards, and the working directory below it. */
static int pivot_on_itself(void)
{
	if (dir("a/inner") || chdir(at("a")) || kind("a", MS_PRIVATE))
		return 1;
	if (syscall(SYS_pivot_root, ".", ".") || access("/inner", F_OK))
		return 2;
	if (umount2(".", MNT_DETACH))
		return 3;
	return access("/inner", F_OK) || access("/proc", F_OK) == 0 ? 4 : 0;
}

/* A copy bound into the group that it came from. */
static int itself(void)
{
	if (kind("a", MS_SHARED) || bind("a", "a/x", 0) || mounted("a/x") != 1 ||
		info("a/x").shared != info("a").shared)
		return 1;
	if (tmpfs("a/y") || mounted("a/x/y") != 1)
		return 2;
	/* What lies on the copy goes with it, and with that its peer. */
	return umount2(at("a/x"), MNT_DETACH) || mounted("a/x/y") || mounted("a/y") ? 3 : 0;
}

/* Each bind of the whole into itself doubles the tree: there is an end to that. */
static int limit(void)
{
	char name[16];
	int i;

	if (kind("a", MS_SHARED))
		return 1;
	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "a/%d", i);
		if (dir(name))
			return 2;
		if (bind("a", name, MS_REC))
			break;
	}
	return i < 30 && errno == ENOSPC && mounted(name) == 0 ? 0 : 3;
}

static int ramfs(void)
{
	struct statfs fs;
	struct stat st;

	if (mount("nsm", at("b"), "ramfs", 0, "mode=711,whatever") || stat(at("b"), &st) ||
		st.st_mode != (S_IFDIR | 0711) || statfs(at("b"), &fs) || fs.f_type != 0x858458f6)
		return 1;
	return close(open(at("b/file"), O_CREAT | O_WRONLY, 0600)) || stat(at("b/file"), &st) ? 2
											      : 0;
}

static int expire_errno(unsigned flags)
{
	return umount2(at("b"), (int)flags) ? errno : 0;
}

/* A mount that nobody used between two calls goes at the second. */
static int expire(void)
{
	struct stat st;
	int fd;

	if (mount("nsm", at("b"), "tmpfs", 0, NULL))
		return 1;
	if (expire_errno(MNT_EXPIRE | MNT_DETACH) != EINVAL)
		return 2;
	if (expire_errno(MNT_EXPIRE) != EAGAIN || stat(at("b"), &st))
		return 3;
	if (expire_errno(MNT_EXPIRE) != EAGAIN)
		return 4; /* it was used */
	fd = open(at("b"), O_RDONLY);
	if (expire_errno(MNT_EXPIRE) != EBUSY || close(fd))
		return 5;
	if (expire_errno(MNT_EXPIRE) != EAGAIN || !mounted("b"))
		return 6;
	if (expire_errno(MNT_EXPIRE) || mounted("b"))
		return 7;
	return 0;
}

int main(void)
{
	alarm(250);
	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	if (!mkdtemp(base))
		return 1;
	PART_AFTER(apart, kinds, "kinds, and what mountinfo says");
	PART_AFTER(apart, peers, "peers tell each other");
	PART_AFTER(apart, slaves, "slaves hear, and do not tell");
	PART_AFTER(apart, unbindable, "unbindable mounts");
	PART_AFTER(apart, recursive, "whole trees");
	PART_AFTER(apart, moving, "moving");
	PART_AFTER(apart, part, "peers that show a part");
	PART_AFTER(apart, below, "a copy goes below what lies there");
	PART_AFTER(apart, busy, "busy copies, copies with something on them");
	PART_AFTER(apart, spaces, "between namespaces");
	PART_AFTER(apart, less_privileged, "a user namespace below is a slave");
	PART_AFTER(apart, pivot, "pivot_root refuses shared mounts");
	PART_AFTER(apart, pivot_on_itself,
		"pivot_root onto the new root itself, then the old one goes");
	PART_AFTER(apart, itself, "a copy below itself");
	PART_AFTER(apart, ramfs, "ramfs");
	PART_AFTER(apart, expire, "MNT_EXPIRE");
	PART_AFTER(apart, limit, "the number of mounts has a limit");
	rmdir(base);
	return tap_end();
}
