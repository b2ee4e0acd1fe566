/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces: maps and who may write them, ids as each side sees them, capabilities in a namespace and their end at its border. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_tap.h"

#define NS_GET_OWNER_UID _IO(0xb7, 4)
#define USER		 1234u
#define GROUP		 4321u

/* A file that only the outer root may read, and a read-only mount. */
static char secret[] = "/tmp/nsu-secret-XXXXXX", place[] = "/tmp/nsu-mount-XXXXXX";

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), ret;

	if (fd < 0)
		return errno;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
	close(fd);
	return ret;
}

static int become_user(void)
{
	return setgroups(0, NULL) || setresgid(GROUP, GROUP, GROUP) ||
	       setresuid(USER, USER, USER) || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* ---- without privilege ---- */
static int unmapped(void)
{
	if (become_user() || unshare(CLONE_NEWUSER))
		return 1;
	if (getuid() != 65534 || getgid() != 65534)
		return 2;
	return setuid(0) != -1 || errno != EINVAL;
}

static int map_self(void)
{
	if (become_user() || unshare(CLONE_NEWUSER))
		return 1;
	if (write_file("/proc/self/gid_map", "0 4321 1") != EPERM)
		return 2;
	if (write_file("/proc/self/setgroups", "deny"))
		return 3;
	if (write_file("/proc/self/uid_map", "0 1234 2") != EPERM)
		return 4;
	if (write_file("/proc/self/uid_map", "0 0 1") != EPERM)
		return 5;
	if (write_file("/proc/self/uid_map", "0 1234 1") ||
		write_file("/proc/self/gid_map", "0 4321 1"))
		return 6;
	if (write_file("/proc/self/uid_map", "0 1234 1") != EPERM)
		return 7;
	return 0;
}

static int mapped(void)
{
	char text[64] = "";
	FILE *f;
	unsigned a = 9, b = 9, c = 9;

	if (map_self())
		return 1;
	if (getuid() != 0 || geteuid() != 0 || getgid() != 0)
		return 2;
	f = fopen("/proc/self/uid_map", "r");
	if (!f || fscanf(f, "%u %u %u", &a, &b, &c) != 3 || a != 0 || b != USER || c != 1)
		return 3;
	fclose(f);
	f = fopen("/proc/self/setgroups", "r");
	if (!f || !fgets(text, sizeof(text), f) || strcmp(text, "deny\n"))
		return 4;
	fclose(f);
	if (setgroups(0, NULL) != -1 || errno != EPERM)
		return 5;
	return setuid(1) != -1 || errno != EINVAL;
}

static int files(void)
{
	char name[] = "/tmp/nsu-XXXXXX";
	struct stat st;
	int fd;

	if (map_self())
		return 1;
	fd = mkstemp(name);
	if (fd < 0 || fstat(fd, &st) || st.st_uid != 0 || st.st_gid != 0)
		return 2;
	if (fchown(fd, 1, -1) != -1 || errno != EINVAL)
		return 3;
	if (stat("/proc/sys", &st) || st.st_uid != 65534)
		return 4;
	/* The capability ends at what is mapped: a file of the outer root stays closed. */
	if (open(secret, O_RDONLY) != -1 || errno != EACCES)
		return 5;
	unlink(name);
	return 0;
}

static int powers(void)
{
	char host[65];

	if (map_self())
		return 1;
	if (sethostname("x", 1) != -1 || errno != EPERM)
		return 2;
	if (mount("none", "/tmp", "tmpfs", 0, NULL) != -1 || errno != EPERM)
		return 3;
	if (unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS))
		return 4;
	if (sethostname("inner", 5) || gethostname(host, sizeof(host)) || strcmp(host, "inner"))
		return 5;
	if (mount("none", "/tmp", "tmpfs", 0, "size=64k"))
		return 6;
	if (mknod("/tmp/null", S_IFCHR | 0666, 1 << 8 | 3) != -1 || errno != EPERM)
		return 7;
	if (chroot("/tmp"))
		return 8;
	return 0;
}

static int all_at_once(void)
{
	pid_t pid;
	int status;

	if (become_user())
		return 1;
	pid = (pid_t)syscall(
		SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(getpid() == 1 && sethostname("y", 1) == 0 ? 0 : 1);
	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static int locked_mounts(void)
{
	if (map_self() || unshare(CLONE_NEWNS))
		return 1;
	if (umount2("/proc", MNT_DETACH) != -1 || errno != EINVAL)
		return 2;
	/* A read-only mount that came along stays read-only. */
	if (mount("none", place, NULL, MS_REMOUNT | MS_BIND, NULL) != -1 || errno != EPERM)
		return 3;
	/* What they hide cannot be bound without them. */
	if (mount("/", place, NULL, MS_BIND, NULL) != -1 || errno != EINVAL)
		return 4;
	return mount("/", place, NULL, MS_BIND | MS_REC, NULL) ? 5 : 0;
}

static int signals(void)
{
	int fds[2], status;
	pid_t pid, victim = getppid();
	char c;

	if (pipe(fds))
		return 1;
	pid = fork();
	if (pid == 0) {
		if (map_self())
			_exit(1);
		/* CAP_KILL is no power over the outer root's process. */
		_exit(kill(victim, 0) == -1 && errno == EPERM ? 0 : 2);
	}
	close(fds[1]);
	(void)!read(fds[0], &c, 1);
	return waitpid(pid, &status, 0) != pid || status;
}

/* ---- with privilege ---- */
static int range(void)
{
	int ready[2], go[2], status;
	struct stat st;
	char path[64], c;
	pid_t pid;

	if (pipe(ready) || pipe(go))
		return 1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) || write(ready[1], "x", 1) != 1 ||
			read(go[0], &c, 1) != 1)
			_exit(1);
		if (getuid() != 0 || setgroups(1, (gid_t[]){ 5 }) || setresgid(7, 7, 7) ||
			setresuid(6, 6, 6))
			_exit(2);
		if (getuid() != 6 || getgid() != 7)
			_exit(3);
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(4);
		_exit(0);
	}
	if (read(ready[0], &c, 1) != 1)
		return 2;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (write_file(path, "0 0 1\n1 100000 1000\n") || write_file(path, "0 0 1") != EPERM)
		return 3;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (write_file(path, "0 100 50\n40 500 2\n") != EINVAL ||
		write_file(path, "0 200000 1000\n"))
		return 4;
	if (write(go[1], "x", 1) != 1 || read(ready[0], &c, 1) != 1)
		return 5;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	/* Outside they are other numbers. */
	if (stat(path, &st) || st.st_uid != 100005 || st.st_gid != 200007)
		return 6;
	if (write(go[1], "x", 1) != 1 || waitpid(pid, &status, 0) != pid)
		return 7;
	return WEXITSTATUS(status);
}

static int owner(void)
{
	unsigned uid = 9;
	int fd;

	if (become_user() || unshare(CLONE_NEWUSER))
		return 1;
	fd = open("/proc/self/ns/user", O_RDONLY);
	if (ioctl(fd, NS_GET_OWNER_UID, &uid) || uid != 65534)
		return 2;
	if (setns(fd, CLONE_NEWUSER) != -1 || errno != EINVAL)
		return 3;
	return 0;
}

static int creds(void)
{
	int sv[2], status, on = 1, ready[2];
	struct ucred u;
	socklen_t len = sizeof(u);
	pid_t pid;
	char c, data, control[CMSG_SPACE(sizeof(u))];
	struct iovec iov = { &data, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) || pipe(ready))
		return 1;
	setsockopt(sv[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	pid = fork();
	if (pid == 0) {
		if (map_self() || getsockopt(sv[1], SOL_SOCKET, SO_PEERCRED, &u, &len))
			_exit(1);
		if (u.uid != 65534)
			_exit(2);
		_exit(write(sv[1], "x", 1) != 1);
	}
	if (recvmsg(sv[0], &m, 0) != 1)
		return 2;
	memcpy(&u, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(u));
	close(ready[1]);
	(void)!read(ready[0], &c, 1);
	if (waitpid(pid, &status, 0) != pid || status)
		return 3;
	return u.uid != USER || u.gid != GROUP || u.pid != pid;
}

int main(void)
{
	close(mkstemp(secret));
	if (!mkdtemp(place))
		return 1;
	PART(unmapped, "before the maps: the overflow ids, and none can be set");
	PART(mapped, "a user maps itself, once, with setgroups off");
	PART(files, "files: owners inside and outside of the map");
	PART(powers, "capabilities over namespaces that are owned, and over no others");
	PART(all_at_once, "clone: the user namespace first, the others in it");
	ok(mount(place, place, NULL, MS_BIND, NULL) == 0 &&
			mount("none", place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0 &&
			in_child(locked_mounts) == 0,
		"mounts that came along cannot be removed or changed");
	umount(place);
	rmdir(place);
	PART(signals, "no signal to processes outside");
	PART(range, "root maps ranges, and ids follow them");
	PART(owner, "the owner, and no second entrance");
	PART(creds, "credentials of messages and peers are translated");
	unlink(secret);
	return tap_end();
}
