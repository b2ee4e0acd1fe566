/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of processes, names, System V and POSIX IPC, and mounts: clone, unshare, setns, /proc/PID/ns. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define NS_GET_USERNS	 _IO(0xb7, 1)
#define NS_GET_PARENT	 _IO(0xb7, 2)
#define NS_GET_NSTYPE	 _IO(0xb7, 3)
#define NS_GET_OWNER_UID _IO(0xb7, 4)

/* fork into new namespaces. */
static pid_t clone_with(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

/* Runs fn in a child in new namespaces: its exit status, or -1. */
static int in_new(unsigned long flags, int (*fn)(void))
{
	pid_t pid = clone_with(flags);
	int status;

	if (pid == 0)
		_exit(fn());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int ns_open(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- names ---- */
static int uts_child(void)
{
	struct utsname u;

	if (sethostname("inner", 5) || setdomainname("dom", 3))
		return 1;
	uname(&u);
	return strcmp(u.nodename, "inner") || strcmp(u.domainname, "dom");
}

static void test_uts(void)
{
	struct utsname before, after;

	uname(&before);
	ok(in_new(CLONE_NEWUTS, uts_child) == 0, "names are changed in a new namespace");
	uname(&after);
	ok(!strcmp(before.nodename, after.nodename) && !strcmp(before.domainname, after.domainname),
		"and stay what they were outside");
}

/* ---- processes ---- */
static volatile sig_atomic_t got_pid = -1, got_count;

static void on_signal(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	got_pid = info->si_pid;
	got_count++;
}

static int pid_child(void)
{
	pid_t child;
	int status;

	if (getpid() != 1 || getppid() != 0 || syscall(SYS_gettid) != 1)
		return 1;
	if (getpgid(0) != 0 || getsid(0) != 0)
		return 2;
	if (setsid() != 1 || getpgid(0) != 1 || getsid(0) != 1)
		return 3;
	child = fork();
	if (child == 0)
		_exit(getpid() == 2 && getppid() == 1 ? 0 : 1);
	if (child != 2 || waitpid(2, &status, 0) != 2 || status)
		return 4;
	if (kill(getpid() + 1000, 0) != -1 || errno != ESRCH)
		return 5;
	/* The first process is immune against its own. */
	if (kill(1, SIGTERM) || kill(1, SIGKILL) || raise(SIGUSR1))
		return 6;
	return 0;
}

/* A grandchild whose parent ends becomes a child of the first process. */
static int orphan_child(void)
{
	int fds[2], status;
	char text[8] = "";
	pid_t child;

	if (pipe(fds))
		return 1;
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			while (getppid() != 1)
				usleep(1000);
			dprintf(fds[1], "%d", getppid());
			_exit(7);
		}
		_exit(0);
	}
	close(fds[1]);
	if (waitpid(child, &status, 0) != child)
		return 2;
	if (read(fds[0], text, 7) != 1 || text[0] != '1')
		return 3;
	if (waitpid(-1, &status, 0) != 3 || WEXITSTATUS(status) != 7)
		return 4;
	return 0;
}

static int init_signals(void)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &act, NULL);
	for (int i = 0; i < 5000 && got_count < 1; i++)
		usleep(1000);
	return got_pid == 0 ? 0 : 1;
}

static void test_init_signals(void)
{
	pid_t pid = clone_with(CLONE_NEWPID);
	int status;

	if (pid == 0)
		_exit(init_signals());
	usleep(50000);
	ok(kill(pid, SIGTERM) == 0 && waitpid(pid, &status, WNOHANG) == 0,
		"SIGTERM from outside does not end the first process");
	for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0; i++) {
		kill(pid, SIGUSR1);
		usleep(50000);
	}
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"it handles a signal whose sender it cannot see: pid 0");
	pid = clone_with(CLONE_NEWPID);
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGKILL);
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		"SIGKILL from outside ends it");
}

static void test_namespace_end(void)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe(fds))
		return;
	pid = clone_with(CLONE_NEWPID);
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			/* The last is in a namespace below. */
			pid_t p = i < 2 ? fork() : clone_with(CLONE_NEWPID);

			if (p == 0) {
				signal(SIGTERM, SIG_IGN);
				for (;;)
					pause();
			}
		}
		_exit(9);
	}
	close(fds[1]);
	waitpid(pid, NULL, 0);
	ok(read(fds[0], &c, 1) == 0, "with the first process all others end, also those below");
	close(fds[0]);
}

static void test_unshare_pid(void)
{
	pid_t before = getpid(), pid, child;
	int status, good = 1;

	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWPID) || getpid() == 1)
			_exit(1);
		child = fork();
		if (child == 0)
			_exit(getpid() == 1 && getppid() == 0 ? 3 : 4);
		if (child <= 1 || waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 3)
			_exit(2);
		child = fork();
		_exit(child == -1 && errno == ENOMEM ? 0 : 5);
	}
	good = waitpid(pid, &status, 0) == pid && status == 0 && getpid() == before;
	ok(good, "unshare: the next child is the first there, after its end there is none");
}

static int levels_child(void)
{
	char line[128] = "";
	pid_t child = clone_with(CLONE_NEWPID);
	int status, a = 0, b = 0, n = 0;
	FILE *f;

	if (child == 0) {
		pause();
		_exit(0);
	}
	/* /proc is that of the namespace outside, which sees both numbers. */
	f = fopen("/proc/thread-self/status", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "NSpid:", 6))
			n = sscanf(line + 6, "%d %d", &a, &b);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return !f || n != 2 || a <= 1 || b != 1;
}

static int proc_child(void)
{
	char text[16] = "";
	struct stat st;

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("proc", "/proc", "proc", 0, NULL))
		return 1;
	if (readlink("/proc/self", text, sizeof(text) - 1) != 1 || strcmp(text, "1"))
		return 2;
	return stat("/proc/1", &st) || stat("/proc/2", &st) == 0;
}

static void test_pid(void)
{
	ok(in_new(CLONE_NEWPID, pid_child) == 0, "numbers in a new pid namespace");
	ok(in_new(CLONE_NEWPID, orphan_child) == 0, "the first process adopts");
	test_init_signals();
	test_namespace_end();
	test_unshare_pid();
	ok(in_new(CLONE_NEWPID, levels_child) == 0, "NSpid has a number for each level");
	ok(in_new(CLONE_NEWPID | CLONE_NEWNS, proc_child) == 0,
		"proc shows the namespace that it was mounted in");
}

/* The pid of the sender of one message, as the receiver sees it. */
static int receive_pid(int fd)
{
	char data, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { &data, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred u = { -1, 0, 0 };

	if (recvmsg(fd, &m, 0) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&u, CMSG_DATA(c), sizeof(u));
	return u.pid;
}

static int pair[2];

static int cred_child(void)
{
	/* The parent is not visible here. */
	if (receive_pid(pair[1]) != 0)
		return 1;
	return send(pair[1], "x", 1, 0) != 1;
}

static void test_credentials(void)
{
	int on = 1, status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		return;
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	pid = clone_with(CLONE_NEWPID);
	if (pid == 0)
		_exit(cred_child());
	ok(send(pair[0], "x", 1, 0) == 1 && receive_pid(pair[0]) == pid &&
			waitpid(pid, &status, 0) == pid && status == 0,
		"SCM_CREDENTIALS: each side sees the other's number");
	close(pair[0]);
	close(pair[1]);
}

static void test_locks(void)
{
	char name[] = "/tmp/ns-XXXXXX";
	struct flock l = { .l_type = F_WRLCK };
	int fd = mkstemp(name), fds[2], status;
	pid_t pid;
	char c;

	if (fd < 0 || pipe(fds))
		return;
	pid = clone_with(CLONE_NEWPID);
	if (pid == 0) {
		if (fcntl(fd, F_SETLK, &l) || fcntl(fd, F_SETOWN, 1) || fcntl(fd, F_GETOWN) != 1)
			_exit(1);
		if (write(fds[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	if (read(fds[0], &c, 1) != 1)
		return;
	ok(fcntl(fd, F_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_pid == pid,
		"F_GETLK: the holder's number outside");
	ok(fcntl(fd, F_GETOWN) == pid, "F_GETOWN: the owner's number outside");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(fcntl(fd, F_SETOWN, 1 << 21) == -1 && errno == ESRCH, "F_SETOWN: nobody");
	unlink(name);
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

/* ---- IPC ---- */
#define KEY 0x5e11ca5e

static int ipc_child(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	mqd_t q;

	if (shmget(KEY, 4096, 0) != -1 || errno != ENOENT)
		return 1;
	if (msgget(KEY, IPC_CREAT | IPC_EXCL | 0600) < 0)
		return 2;
	if (mq_open("/ns-test", O_RDONLY) != -1 || errno != ENOENT)
		return 3;
	q = mq_open("/ns-test", O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
	return q == -1 ? 4 : 0;
}

static void test_ipc(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	int id = shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0600);
	mqd_t q = mq_open("/ns-test", O_CREAT | O_EXCL | O_RDWR, 0600, &attr);
	pid_t pid;
	int status;

	ok(id >= 0 && q != -1 && in_new(CLONE_NEWIPC, ipc_child) == 0,
		"keys and names of another IPC namespace are not seen");
	ok(msgget(KEY, 0) == -1 && errno == ENOENT, "and theirs are not seen here");
	/* What is attached stays when the namespace is left, also by its last process. */
	pid = fork();
	if (pid == 0) {
		char *p;
		int own;

		if (unshare(CLONE_NEWIPC))
			_exit(1);
		own = shmget(IPC_PRIVATE, 4096, 0600);
		p = shmat(own, NULL, 0);
		if (p == (char *)-1)
			_exit(2);
		strcpy(p, "kept");
		if (unshare(CLONE_NEWIPC) || strcmp(p, "kept") || shmdt(p))
			_exit(3);
		_exit(shmget(KEY, 4096, 0) == -1 ? 0 : 4);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0,
		"an attached segment outlives its namespace");
	shmctl(id, IPC_RMID, NULL);
	mq_close(q);
	mq_unlink("/ns-test");
}

/* ---- mounts ---- */
static char dir[] = "/tmp/ns-XXXXXX";

static int mount_child(void)
{
	struct stat st;
	char path[64];

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	if (mount("none", dir, "tmpfs", 0, "size=64k"))
		return 2;
	snprintf(path, sizeof(path), "%s/file", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	return stat(path, &st);
}

static int mountinfo_has(const char *where)
{
	char line[1024], at[512];
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int found = 0;

	while (f && fgets(line, sizeof(line), f))
		found |= sscanf(line, "%*d %*d %*s %*s %511s", at) == 1 && !strcmp(at, where);
	if (f)
		fclose(f);
	return found;
}

static int mountinfo_child(void)
{
	return mount_child() || !mountinfo_has(dir);
}

static void test_mnt(void)
{
	char path[64];
	struct stat st;

	if (!mkdtemp(dir))
		return;
	snprintf(path, sizeof(path), "%s/file", dir);
	ok(in_new(CLONE_NEWNS, mount_child) == 0, "mounting in a new mount namespace");
	ok(stat(path, &st) == -1 && errno == ENOENT && !mountinfo_has(dir), "is not seen outside");
	ok(in_new(CLONE_NEWNS, mountinfo_child) == 0, "mountinfo is that of the namespace");
	rmdir(dir);
}

/* ---- /proc/PID/ns, setns ---- */
static int setns_child(void)
{
	struct utsname u;
	int old = ns_open("uts"), own;

	if (unshare(CLONE_NEWUTS) || sethostname("entered", 7))
		return 1;
	own = ns_open("uts");
	if (old < 0 || own < 0 || setns(old, CLONE_NEWIPC) != -1 || errno != EINVAL)
		return 2;
	if (setns(old, CLONE_NEWUTS))
		return 3;
	uname(&u);
	if (!strcmp(u.nodename, "entered"))
		return 4;
	if (setns(own, 0))
		return 5;
	uname(&u);
	return strcmp(u.nodename, "entered") ? 6 : 0;
}

static void test_setns(void)
{
	static const char *const names[] = { "ipc", "mnt", "pid", "uts" };
	int fd = open("/dev/null", O_RDONLY), i, good = 1, pidfd, status;
	char a[64], b[64], path[64];
	struct stat sa, sb;
	pid_t pid;

	ok(in_new(0, setns_child) == 0, "setns: there and back, with the right type only");
	ok(setns(fd, 0) == -1 && errno == EINVAL, "setns: not a namespace");
	close(fd);
	ok(setns(-1, 0) == -1 && errno == EBADF, "setns: no descriptor");
	pid = clone_with(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	for (i = 0; i < 4; i++) {
		int na, nb;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		na = (int)readlink(path, a, sizeof(a));
		good &= stat(path, &sa) == 0;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, names[i]);
		nb = (int)readlink(path, b, sizeof(b));
		good &= stat(path, &sb) == 0 && na > 0 && nb > 0 && sa.st_ino != sb.st_ino &&
			sa.st_dev == sb.st_dev && strncmp(a, names[i], strlen(names[i])) == 0;
		a[na > 0 ? na : 0] = b[nb > 0 ? nb : 0] = 0;
		good &= strcmp(a, b) != 0 && strtoul(strchr(b, '[') + 1, NULL, 10) == sb.st_ino;
	}
	ok(good, "links and numbers of namespaces");
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	fd = fork();
	if (fd == 0) {
		struct utsname u;
		int child;

		if (setns(pidfd, 0) != -1 || errno != EINVAL)
			_exit(1);
		if (setns(pidfd, CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNS))
			_exit(2);
		child = fork();
		if (child == 0)
			_exit(getpid() == 2 && getppid() == 0 ? 0 : 1);
		waitpid(child, &status, 0);
		uname(&u);
		_exit(status ? 3 : 0);
	}
	waitpid(fd, &status, 0);
	ok(status == 0, "setns with a pidfd enters several at once");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
}

/* The user namespace of a child: NS_GET_USERNS and NS_GET_PARENT lead to ours. */
static void test_user_parent(void)
{
	int own = ns_open("user"), fd, above;
	pid_t pid = clone_with(CLONE_NEWUSER);
	struct stat st, mine;
	char path[64];

	if (pid == 0)
		_exit(pause());
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	fstat(own, &mine);
	above = ioctl(fd, NS_GET_USERNS);
	ok(above >= 0 && !fstat(above, &st) && st.st_ino == mine.st_ino,
		"NS_GET_USERNS of a user namespace: the one above");
	close(above);
	above = ioctl(fd, NS_GET_PARENT);
	ok(above >= 0 && !fstat(above, &st) && st.st_ino == mine.st_ino, "so does NS_GET_PARENT");
	close(above);
	ok(ioctl(own, NS_GET_USERNS) == -1 && errno == EPERM,
		"what is above our own is not for us");
	close(fd);
	close(own);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_ioctls(void)
{
	int uts = ns_open("uts"), pid = ns_open("pid"), user = ns_open("user"), fd;
	struct stat st, own;
	unsigned uid = 99;

	ok(ioctl(uts, NS_GET_NSTYPE) == CLONE_NEWUTS && ioctl(pid, NS_GET_NSTYPE) == CLONE_NEWPID &&
			ioctl(user, NS_GET_NSTYPE) == CLONE_NEWUSER,
		"NS_GET_NSTYPE");
	fd = ioctl(uts, NS_GET_USERNS);
	ok(fd >= 0 && fstat(fd, &st) == 0 && fstat(user, &own) == 0 && st.st_ino == own.st_ino,
		"NS_GET_USERNS: the owner");
	close(fd);
	ok(ioctl(uts, NS_GET_PARENT) == -1 && errno == EINVAL, "NS_GET_PARENT: not of this kind");
	ok(ioctl(pid, NS_GET_PARENT) == -1 && errno == EPERM, "NS_GET_PARENT: not visible");
	ok(ioctl(user, NS_GET_OWNER_UID, &uid) == 0 && uid == 0, "NS_GET_OWNER_UID");
	ok(ioctl(uts, NS_GET_OWNER_UID, &uid) == -1 && errno == EINVAL,
		"NS_GET_OWNER_UID: user namespaces only");
	close(uts);
	close(pid);
	close(user);
	test_user_parent();
}

/* ---- refusals ---- */
static int nobody_child(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return 1;
	if (unshare(CLONE_NEWUTS) != -1 || errno != EPERM)
		return 2;
	if (clone_with(CLONE_NEWPID) != -1 || errno != EPERM)
		return 3;
	return 0;
}

static int refused(unsigned long flags, int error)
{
	pid_t pid = clone_with(flags);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid == -1 && errno == error;
}

static void test_refusals(void)
{
	ok(in_new(0, nobody_child) == 0, "without CAP_SYS_ADMIN: EPERM");
	ok(refused(CLONE_NEWNS | CLONE_FS, EINVAL), "CLONE_NEWNS | CLONE_FS");
	ok(refused(CLONE_NEWIPC | CLONE_SYSVSEM, EINVAL), "CLONE_NEWIPC | CLONE_SYSVSEM");
	ok(refused(CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, EINVAL),
		"CLONE_NEWPID | CLONE_THREAD");
	ok(unshare(0x10) == -1 && errno == EINVAL, "unshare: an unknown flag");
}

/* How deep pid namespaces go: the number of levels below, at the end of the chain. */
static int depth_child(void)
{
	int n;

	for (n = 0; n < 40; n++) {
		pid_t pid = clone_with(CLONE_NEWPID);
		int status;

		if (pid < 0)
			return errno == ENOSPC || errno == EINVAL ? n : 99;
		if (pid > 0) {
			waitpid(pid, &status, 0);
			_exit(WEXITSTATUS(status));
		}
	}
	return 98;
}

/* ---- nothing is left ---- */
static long mem_free(void)
{
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "MemFree: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

static int churn_child(void)
{
	/* Linux 6.1 takes milliseconds to free an IPC namespace, one after the other. */
	for (int i = 0; i < 1000; i++) {
		if (unshare(CLONE_NEWUTS | CLONE_NEWNS | (i % 16 ? 0 : CLONE_NEWIPC)))
			return 1;
	}
	return 0;
}

/* Linux frees them when it likes, and keeps what they were made of. */
static int frees_at_once(void)
{
	char line[256] = "";
	FILE *f = fopen("/proc/version", "r");

	if (!f || !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	return strstr(line, "(casemate)") != NULL;
}

static void test_churn(void)
{
	int good = 1, flat = !frees_at_once();

	for (int i = 0; i < 6 && (i == 0 || !flat); i++) {
		long before = mem_free();

		good &= in_new(0, churn_child) == 0;
		usleep(200000);
		flat |= i > 0 && before - mem_free() < 2048;
	}
	ok(good, "a thousand sets of namespaces");
	ok(flat, "leave the memory as it was");
}

/* The last field is of the reader's namespace, whichever instance of procfs it reads. */
static int loadavg_child(void)
{
	FILE *f = fopen("/proc/loadavg", "r");
	int last = 0;

	if (!f || fscanf(f, "%*s %*s %*s %*s %d", &last) != 1)
		return 1;
	fclose(f);
	return last == 1 ? 7 : 2;
}

int main(void)
{
	int depth;

	test_uts();
	test_pid();
	test_credentials();
	test_locks();
	test_ipc();
	test_mnt();
	test_setns();
	test_ioctls();
	test_refusals();
	ok(in_new(CLONE_NEWPID, loadavg_child) == 7, "/proc/loadavg names the last process here");
	depth = in_new(0, depth_child);
	ok(depth > 20 && depth <= 32, "pid namespaces are nested to a depth");
	test_churn();
	return tap_end();
}
