/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and file systems by descriptor: open_tree, move_mount, mount_setattr, fsopen, fspick, fsconfig, fsmount. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/child_tap.h"

/* <sys/mount.h> and <linux/mount.h> of Debian 12 do not go together. */
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
#define MNT_DETACH 2

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static char base[] = "/tmp/nsf-XXXXXX";

static const char *at(const char *name)
{
	static char text[8][128];
	static unsigned i;

	i = (i + 1) % 8;
	snprintf(text[i], sizeof(text[i]), "%s/%s", base, name);
	return text[i];
}

static int open_tree(const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
}

static int move_to(int fd, const char *path)
{
	return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static int config(int fd, unsigned cmd, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fd, cmd, key, value, 0);
}

static int fsmount(int fd, unsigned attr)
{
	return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attr);
}

static int setattr(
	int fd, const char *path, unsigned flags, uint64_t set, uint64_t clr, uint64_t kind)
{
	struct mount_attr a = { .attr_set = set, .attr_clr = clr, .propagation = kind };

	return (int)syscall(SYS_mount_setattr, fd, path, flags, &a, sizeof(a));
}

/* The line of mountinfo with this mount point has all the words; how many lines there are. */
static int line_has(const char *name, const char *word)
{
	char line[1024], where[512];
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %*s %*s %511s", where) == 1 && !strcmp(where, at(name)))
			n += strstr(line, word) != NULL;
	}
	if (f)
		fclose(f);
	return n;
}

static int fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

/* A mount namespace of its own, and what the parts need in it. */
static int apart(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("nsf", base, "tmpfs", 0, NULL) || mkdir(at("a"), 0755) ||
		mkdir(at("b"), 0755) || mkdir(at("c"), 0755) ||
		mount("one", at("a"), "tmpfs", 0, "size=64k") || mkdir(at("a/in"), 0755) ||
		mount("two", at("a/in"), "tmpfs", 0, "size=64k") || mkdir(at("a/in/deep"), 0755))
		return 1;
	return 0;
}

/* A tree in no namespace: it can be walked into, not mounted on, and goes with its descriptor or is moved. */
static int trees(void)
{
	int fd = open_tree(at("a"), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE), other;
	struct stat st;

	if (fd < 0 || fcntl(fd, F_GETFD) != FD_CLOEXEC || !(fcntl(fd, F_GETFL) & O_PATH))
		return 1;
	if (fstatat(fd, "in/deep", &st, 0) || line_has("b", " "))
		return 2;
	if (move_to(fd, at("b")) || line_has("b", " tmpfs one ") != 1 ||
		line_has("b/in", " tmpfs two ") != 1)
		return 3;
	/* It is an attached one now: it can be moved on, and is not lost with the descriptor. */
	if (move_to(fd, at("c")) || line_has("b", " ") || close(fd) || stat(at("c/in/deep"), &st))
		return 4;
	/* Not recursive. */
	fd = open_tree(at("a"), OPEN_TREE_CLONE);
	if (fd < 0 || !fails(fstatat(fd, "in/deep", &st, 0), ENOENT))
		return 5;
	other = openat(fd, "in", O_RDONLY | O_DIRECTORY);
	close(fd);
	if (other < 0 || fstat(other, &st))
		return 6;
	close(other);
	/* Without CLONE: an O_PATH descriptor; a directory below a mount's root is no mount to move. */
	fd = open_tree(at("a/in/deep"), OPEN_TREE_CLOEXEC);
	if (fd < 0 || !fails(move_to(fd, at("b")), EINVAL))
		return 7;
	close(fd);
	if (!fails(open_tree(at("a"), AT_RECURSIVE), EINVAL) ||
		!fails(open_tree(at("a"), 2), EINVAL) ||
		!fails(open_tree(at("none"), OPEN_TREE_CLONE), ENOENT))
		return 8;
	/* A directory does not go on a file. */
	close(open(at("file"), O_CREAT | O_WRONLY, 0600));
	fd = open_tree(at("a"), OPEN_TREE_CLONE);
	return fails(move_to(fd, at("file")), EINVAL) &&
			       fails(syscall(SYS_move_mount, fd, "", AT_FDCWD, at("b"), 0), ENOENT)
		       ? 0
		       : 9;
}

static int attributes(void)
{
	int fd;

	if (setattr(AT_FDCWD, at("a"), 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 0, 0) ||
		!line_has("a", " ro,noexec") || line_has("a/in", " ro"))
		return 1;
	if (!fails(mkdir(at("a/x"), 0755), EROFS) || mkdir(at("a/in/x"), 0755))
		return 2;
	if (setattr(AT_FDCWD, at("a"), AT_RECURSIVE, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		    MOUNT_ATTR_RDONLY, 0) ||
		!line_has("a", " rw,nosuid,nodev,noexec") || !line_has("a/in", " rw,nosuid,nodev"))
		return 3;
	if (setattr(AT_FDCWD, at("a"), 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0) ||
		!line_has("a", ",noatime") || line_has("a", ",relatime"))
		return 4;
	if (!fails(setattr(AT_FDCWD, at("a"), 0, MOUNT_ATTR_NOATIME, 0, 0), EINVAL) ||
		!fails(setattr(AT_FDCWD, at("a"), 0, 0, MOUNT_ATTR_NOATIME, 0), EINVAL) ||
		!fails(setattr(AT_FDCWD, at("a"), 0, 1ull << 40, 0, 0), EINVAL))
		return 5;
	/* Kinds of propagation. */
	if (setattr(AT_FDCWD, at("a"), AT_RECURSIVE, 0, 0, MS_SHARED) ||
		!line_has("a", " shared:") || !line_has("a/in", " shared:"))
		return 6;
	if (!fails(setattr(AT_FDCWD, at("a"), 0, 0, 0, MS_SHARED | MS_SLAVE), EINVAL) ||
		!fails(setattr(AT_FDCWD, at("a"), 0, 0, 0, MS_RDONLY), EINVAL) ||
		!fails(setattr(AT_FDCWD, at("b"), 0, MOUNT_ATTR_RDONLY, 0, 0), EINVAL))
		return 7;
	/* Of a detached tree. */
	fd = open_tree(at("a"), OPEN_TREE_CLONE);
	if (fd < 0 || setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE) ||
		move_to(fd, at("c")) || !line_has("c", " ro,") || line_has("c", "shared:") ||
		!line_has("a", " rw,"))
		return 8;
	return 0;
}

/* Nothing becomes read-only under who writes to it; a tree changes as a whole or not at all. */
static int writers(void)
{
	int fd = open(at("a/in/file"), O_CREAT | O_WRONLY, 0600);

	if (fd < 0 || !fails(setattr(AT_FDCWD, at("a/in"), 0, MOUNT_ATTR_RDONLY, 0, 0), EBUSY) ||
		!fails(setattr(AT_FDCWD, at("a"), AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0), EBUSY) ||
		line_has("a", " ro,"))
		return 1;
	if (!fails(mount(NULL, at("a/in"), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY) ||
		setattr(AT_FDCWD, at("a"), AT_RECURSIVE, MOUNT_ATTR_NODEV, 0, 0))
		return 2;
	close(fd);
	fd = open(at("a/in/file"), O_RDONLY);
	return fd < 0 || setattr(AT_FDCWD, at("a"), AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0) ? 3 : 0;
}

static int no_links(void)
{
	struct statfs s;

	if (symlink("in", at("a/link")) ||
		setattr(AT_FDCWD, at("a"), 0, MOUNT_ATTR_NOSYMFOLLOW, 0, 0) ||
		statfs(at("a"), &s) || !(s.f_flags & 0x2000))
		return 1;
	return fails(open(at("a/link"), O_RDONLY), ELOOP) ? 0 : 2;
}

static int sizes(void)
{
	struct {
		struct mount_attr a;
		uint64_t more;
	} x = { .a = { .attr_set = MOUNT_ATTR_RDONLY } };

	if (syscall(SYS_mount_setattr, AT_FDCWD, at("a"), 0, &x, sizeof(x)))
		return 1;
	x.more = 1;
	if (!fails(syscall(SYS_mount_setattr, AT_FDCWD, at("a"), 0, &x, sizeof(x)), E2BIG) ||
		!fails(syscall(SYS_mount_setattr, AT_FDCWD, at("a"), 0, &x, 24), EINVAL) ||
		!fails(syscall(SYS_mount_setattr, AT_FDCWD, at("a"), 0, &x, 8192), E2BIG) ||
		!fails(syscall(SYS_mount_setattr, AT_FDCWD, at("a"), 0, NULL, sizeof(x)), EFAULT))
		return 2;
	/* Nothing to do: nothing is looked at. */
	memset(&x, 0, sizeof(x));
	return syscall(SYS_mount_setattr, AT_FDCWD, "/none", 0, &x, sizeof(x)) ? 3 : 0;
}

static int file_systems(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), fd;
	struct statfs s;
	struct stat st;

	if (fs < 0 || fcntl(fs, F_GETFD) != FD_CLOEXEC)
		return 1;
	if (config(fs, FSCONFIG_SET_STRING, "source", "three") ||
		!fails(config(fs, FSCONFIG_SET_STRING, "source", "four"), EINVAL) ||
		config(fs, FSCONFIG_SET_STRING, "size", "128k") ||
		config(fs, FSCONFIG_SET_STRING, "mode", "0711"))
		return 2;
	if (!fails(config(fs, FSCONFIG_SET_STRING, "none", "x"), EINVAL) ||
		!fails(config(fs, FSCONFIG_SET_STRING, "size", "x"), EINVAL) ||
		!fails(config(fs, FSCONFIG_SET_STRING, "size", NULL), EINVAL) ||
		!fails(config(fs, FSCONFIG_SET_FLAG, "ro", "x"), EINVAL) ||
		!fails(config(fs, 99, NULL, NULL), EOPNOTSUPP))
		return 3;
	if (!fails(fsmount(fs, 0), EINVAL) ||
		!fails(config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL), EBUSY))
		return 4;
	if (config(fs, FSCONFIG_CMD_CREATE, NULL, NULL) ||
		!fails(config(fs, FSCONFIG_CMD_CREATE, NULL, NULL), EBUSY) ||
		!fails(config(fs, FSCONFIG_SET_FLAG, "ro", NULL), EBUSY))
		return 5;
	fd = fsmount(fs, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	if (fd < 0 || fstat(fd, &st) || st.st_mode != (S_IFDIR | 0711) || mkdirat(fd, "d", 0700))
		return 6;
	if (move_to(fd, at("b")) || !line_has("b", " rw,nodev,noatime - tmpfs three rw") ||
		statfs(at("b"), &s) || (uint64_t)s.f_blocks * (uint64_t)s.f_bsize != 128 * 1024 ||
		stat(at("b/d"), &st))
		return 7;
	/* The same descriptor changes it afterwards. */
	if (config(fs, FSCONFIG_SET_FLAG, "ro", NULL) ||
		config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL) ||
		!line_has("b", " - tmpfs three ro") || !fails(mkdir(at("b/e"), 0755), EROFS))
		return 8;
	close(fs);
	/* Picked by path, with the mount still free to go. */
	fs = (int)syscall(SYS_fspick, AT_FDCWD, at("b"), FSPICK_CLOEXEC);
	if (fs < 0 || config(fs, FSCONFIG_SET_FLAG, "rw", NULL) ||
		config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL) || mkdir(at("b/e"), 0755))
		return 9;
	close(fd);
	if (umount2(at("b"), 0))
		return 10;
	close(fs);
	return 0;
}

static int refusals(void)
{
	int fs = (int)syscall(SYS_fsopen, "tmpfs", 0), fd = open("/", O_RDONLY);
	char text[64];

	if (!fails(syscall(SYS_fsopen, "nonesuch", 0), ENODEV) ||
		!fails(syscall(SYS_fsopen, "tmpfs", 2), EINVAL) ||
		!fails(syscall(SYS_fsopen, NULL, 0), EFAULT))
		return 1;
	if (!fails(config(fd, FSCONFIG_SET_FLAG, "ro", NULL), EINVAL) ||
		!fails(config(fd, FSCONFIG_CMD_CREATE, NULL, NULL), EINVAL) ||
		!fails(config(-1, FSCONFIG_CMD_CREATE, NULL, NULL), EINVAL) ||
		!fails(config(999, FSCONFIG_CMD_CREATE, NULL, NULL), EBADF))
		return 2;
	if (!fails(fsmount(fd, 0), EINVAL) || !fails(fsmount(999, 0), EBADF) ||
		!fails(fsmount(fs, MOUNT_ATTR__ATIME), EINVAL) ||
		!fails(fsmount(fs, 1 << 30), EINVAL))
		return 3;
	if (!fails(syscall(SYS_fspick, AT_FDCWD, at("b"), 0), EINVAL) ||
		!fails(syscall(SYS_fspick, AT_FDCWD, at("a"), 16), EINVAL))
		return 4;
	if (config(fs, FSCONFIG_CMD_CREATE, NULL, NULL) ||
		!fails(read(fs, text, sizeof(text)), ENODATA))
		return 5;
	/* Made, never mounted: it goes with the descriptor. */
	close(fs);
	if (setresuid(1, 1, 1) || !fails(syscall(SYS_fsopen, "tmpfs", 0), EPERM) ||
		!fails(open_tree(at("a"), OPEN_TREE_CLONE), EPERM) ||
		!fails(setattr(AT_FDCWD, at("a"), 0, MOUNT_ATTR_RDONLY, 0, 0), EPERM))
		return 6;
	return 0;
}

static int proc_options(void)
{
	int fs = (int)syscall(SYS_fsopen, "proc", 0), fd;
	struct stat st;

	if (fs < 0 || !fails(config(fs, FSCONFIG_SET_STRING, "hidepid", "3"), EINVAL) ||
		!fails(config(fs, FSCONFIG_SET_STRING, "subset", "all"), EINVAL) ||
		config(fs, FSCONFIG_SET_STRING, "hidepid", "invisible") ||
		config(fs, FSCONFIG_SET_STRING, "subset", "pid") ||
		config(fs, FSCONFIG_CMD_CREATE, NULL, NULL))
		return 1;
	fd = fsmount(fs, 0);
	if (fd < 0 || fstatat(fd, "self/stat", &st, 0) || fstatat(fd, "thread-self/stat", &st, 0) ||
		!fails(fstatat(fd, "uptime", &st, 0), ENOENT) ||
		!fails(fstatat(fd, "sys", &st, 0), ENOENT))
		return 2;
	return fails(mount("proc", at("b"), "proc", 0, "nonesuch=1"), EINVAL) ? 0 : 3;
}

static int group_of(const char *name)
{
	char line[1024], where[512];
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		const char *p = strstr(line, " shared:");

		if (sscanf(line, "%*d %*d %*s %*s %511s", where) == 1 && !strcmp(where, at(name)))
			n = p ? atoi(p + 8) : 0;
	}
	if (f)
		fclose(f);
	return n;
}

static int set_group(const char *from, const char *to)
{
	return (int)syscall(
		SYS_move_mount, AT_FDCWD, at(from), AT_FDCWD, at(to), MOVE_MOUNT_SET_GROUP);
}

static int groups(void)
{
	if (mount(at("a"), at("b"), NULL, MS_BIND, NULL) ||
		mount(NULL, at("a"), NULL, MS_SHARED, NULL) || group_of("b") ||
		set_group("a", "b") || group_of("a") != group_of("b"))
		return 1;
	/* Shared already; another file system; no mount. */
	return fails(set_group("a", "b"), EINVAL) && fails(set_group("a", "a/in"), EINVAL) &&
			       fails(set_group("a", "c"), EINVAL)
		       ? 0
		       : 2;
}

int main(void)
{
	alarm(250);
	if (access("/proc/self", F_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	if (!mkdtemp(base))
		return 1;
	PART_AFTER(apart, trees, "detached trees");
	PART_AFTER(apart, attributes, "attributes of mounts");
	PART_AFTER(apart, writers, "a mount that is written to");
	PART_AFTER(apart, no_links, "a mount whose links are not followed");
	PART_AFTER(apart, sizes, "sizes of struct mount_attr");
	PART_AFTER(apart, file_systems, "a file system step by step");
	PART_AFTER(apart, refusals, "what is refused");
	PART_AFTER(apart, proc_options, "options of proc");
	PART_AFTER(apart, groups, "entering a peer group");
	rmdir(base);
	return tap_end();
}
