/* SPDX-License-Identifier: Apache-2.0 */
/* fork, vfork, clone, threads, exit, wait4, waitid, reparenting, process groups and sessions. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/tap.h"

static int wait_status(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void test_fork_exit(void)
{
	int status;
	pid_t pid = fork();
	struct rusage ru;

	if (pid == 0)
		_exit(42);
	ok(pid > 0, "fork gives a child");
	status = wait_status(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 42, "its exit status arrives");
	ok(waitpid(pid, &status, 0) == -1 && errno == ECHILD, "a second wait gives ECHILD");
	pid = fork();
	if (pid == 0) {
		raise(SIGKILL);
		_exit(0);
	}
	ok(wait4(pid, &status, 0, &ru) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		"death by SIGKILL is reported");
	pid = fork();
	if (pid == 0)
		syscall(SYS_exit, 0x1ff);
	ok(wait_status(pid) == 0xff00, "only 8 bits of the status count");
	ok(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "no children: ECHILD");
	ok(wait4(0x7fffffff, &status, 0, NULL) == -1 && errno == ECHILD, "unknown pid: ECHILD");
	ok(wait4(-1, &status, 0x10000000, NULL) == -1 && errno == EINVAL, "unknown option: EINVAL");
}

static void test_memory_is_copied(void)
{
	volatile int *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int private = 1;
	pid_t pid = fork();

	if (pid == 0) {
		private = 2;
		*shared = 3;
		_exit(private == 2 ? 0 : 1);
	}
	ok(wait_status(pid) == 0, "the child sees its own write");
	ok(private == 1, "private memory of the parent is untouched");
	ok(*shared == 3, "shared memory is shared");
	munmap((void *)(uintptr_t)shared, 4096);
}

static void test_wait_options(void)
{
	siginfo_t info;
	int p[2], status;
	pid_t pid;
	char c;

	if (pipe(p) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		if (read(p[0], &c, 1) != 1)
			_exit(1);
		_exit(7);
	}
	ok(waitpid(pid, &status, WNOHANG) == 0, "WNOHANG of a running child gives 0");
	ok(write(p[1], "x", 1) == 1, "let it end");
	memset(&info, 0, sizeof(info));
	ok(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid &&
			info.si_code == CLD_EXITED && info.si_status == 7 &&
			info.si_signo == SIGCHLD,
		"waitid with WNOWAIT describes the child");
	ok(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0 && info.si_pid == pid,
		"it can still be waited for");
	ok(waitid(P_PID, (id_t)pid, &info, WEXITED) == -1 && errno == ECHILD, "and then not again");
	ok(waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL, "waitid wants an event kind");
	close(p[0]);
	close(p[1]);
}

static void test_stop_continue(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	kill(pid, SIGSTOP);
	ok(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
			WSTOPSIG(status) == SIGSTOP,
		"a stop is reported with WUNTRACED");
	ok(waitpid(pid, &status, WNOHANG | WUNTRACED) == 0, "only once");
	kill(pid, SIGCONT);
	ok(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status),
		"SIGCONT is reported with WCONTINUED");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGKILL);
	ok(wait_status(pid) == SIGKILL, "SIGKILL ends a stopped process");
}

static void test_wait_groups(void)
{
	int status, p[2];
	pid_t a, b;
	char c;

	if (pipe(p) < 0)
		return;
	a = fork();
	if (a == 0) {
		setpgid(0, 0);
		_exit(read(p[0], &c, 1) == 1 ? 1 : 99);
	}
	b = fork();
	if (b == 0)
		_exit(2);
	setpgid(a, a);
	ok(waitpid(0, &status, 0) == b, "wait for the own process group");
	ok(write(p[1], "x", 1) == 1 && waitpid(-a, &status, 0) == a,
		"wait for another process group");
	close(p[0]);
	close(p[1]);
}

static int vfork_value;

static void test_vfork(void)
{
	pid_t pid;

	vfork_value = 1;
	pid = vfork();
	if (pid == 0) {
		vfork_value = 2;
		_exit(5);
	}
	ok(vfork_value == 2, "vfork shares memory and waits for the child");
	ok(WEXITSTATUS(wait_status(pid)) == 5, "a vfork child is waited for");
}

struct thread_arg {
	pid_t pid, tid;
};

static void *thread_fn(void *arg)
{
	struct thread_arg *a = arg;

	a->pid = getpid();
	a->tid = (pid_t)syscall(SYS_gettid);
	return (void *)99;
}

static void test_threads(void)
{
	pthread_t t[20];
	struct thread_arg a[20];
	void *ret = NULL;
	bool same = true, distinct = true;
	int i;

	for (i = 0; i < 20; i++)
		pthread_create(&t[i], NULL, thread_fn, &a[i]);
	for (i = 0; i < 20; i++) {
		pthread_join(t[i], &ret);
		same = same && a[i].pid == getpid() && ret == (void *)99;
		distinct = distinct && a[i].tid != getpid();
	}
	ok(same, "20 threads share the process id and can be joined");
	ok(distinct, "they have ids of their own");
	ok(syscall(SYS_tgkill, getpid(), a[0].tid, 0) == -1 && errno == ESRCH,
		"a joined thread's id is gone");
}

static void *exit_thread(void *arg)
{
	usleep(20000);
	_exit((int)(intptr_t)arg);
}

static void *last_thread(void *arg)
{
	usleep(30000);
	return NULL;
}

static void test_group_exit(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, exit_thread, (void *)33);
		for (;;)
			pause();
	}
	ok(WEXITSTATUS(wait_status(pid)) == 33, "exit_group of a thread ends the process");
	pid = fork();
	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, last_thread, NULL);
		syscall(SYS_exit, 44);
	}
	ok(waitpid(pid, NULL, WNOHANG) == 0, "a process whose leader ended lives on");
	ok(WIFEXITED(wait_status(pid)), "it ends with its last thread");
}

static void test_reparent(void)
{
	int p[2];
	pid_t pid, grand = 0;
	int status;

	if (pipe(p) < 0)
		return;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0) {
		pid_t g = fork();

		if (g == 0) {
			while (getppid() != 1 && getppid() == (pid_t)0)
				;
			usleep(30000);
			_exit(9);
		}
		_exit(write(p[1], &g, sizeof(g)) == sizeof(g) ? 0 : 1);
	}
	ok(read(p[0], &grand, sizeof(grand)) == sizeof(grand), "grandchild exists");
	ok(wait_status(pid) == 0, "its parent ended");
	ok(waitpid(grand, &status, 0) == grand && WEXITSTATUS(status) == 9,
		"a subreaper inherits it");
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(p[0]);
	close(p[1]);
}

static void test_sessions(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid_t sid = setsid();
		int r = 0;

		r |= sid != getpid() || getsid(0) != getpid() || getpgrp() != getpid();
		r |= (setsid() != -1 || errno != EPERM) << 1;
		r |= (setpgid(0, 0) != -1 || errno != EPERM) << 2;
		_exit(r);
	}
	ok(wait_status(pid) == 0, "setsid makes a session and group leader, once");
	ok(setpgid(0x3fffffff, 0) == -1 && errno == ESRCH, "setpgid of a stranger: ESRCH");
	ok(setpgid(0, -1) == -1 && errno == EINVAL, "negative group: EINVAL");
	ok(getpgid(0x3fffffff) == -1 && errno == ESRCH, "getpgid of nobody: ESRCH");
	ok(getsid(0x3fffffff) == -1 && errno == ESRCH, "getsid of nobody: ESRCH");
	pid = fork();
	if (pid == 0)
		_exit(setpgid(0, 0) == 0 && getpgid(0) == getpid() ? 0 : 1);
	ok(wait_status(pid) == 0, "a child can lead a new group");
}

static void test_ignored_children(void)
{
	int status;
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (pid == 0)
		_exit(1);
	ok(waitpid(pid, &status, 0) == -1 && errno == ECHILD,
		"with SIGCHLD ignored children leave no zombie");
	signal(SIGCHLD, SIG_DFL);
}

static void test_clone3(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(3);
	ok(pid > 0 && WEXITSTATUS(wait_status(pid)) == 3, "clone3 as fork");
	args.exit_signal = 65;
	ok(syscall(SYS_clone3, &args, sizeof(args)) == -1 && errno == EINVAL,
		"clone3 with a bad signal: EINVAL");
	ok(syscall(SYS_clone3, &args, 8) == -1 && errno == EINVAL,
		"clone3 with a short size: EINVAL");
	ok(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0) == -1 && errno == EINVAL,
		"CLONE_THREAD without CLONE_SIGHAND: EINVAL");
	ok(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0) == -1 && errno == EINVAL,
		"CLONE_SIGHAND without CLONE_VM: EINVAL");
}

static void test_pidfd(void)
{
	struct pollfd pfd;
	siginfo_t info;
	int fd, fd2 = -1;
	struct clone_args args = {
		.exit_signal = SIGCHLD, .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&fd2
	};
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "pidfd_open of a child");
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	ok(poll(&pfd, 1, 0) == 0, "not readable while it lives");
	ok(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0, "pidfd_send_signal");
	ok(poll(&pfd, 1, 5000) == 1 && pfd.revents == POLLIN, "readable when it ended");
	ok(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == pid &&
			info.si_status == SIGTERM,
		"waitid with P_PIDFD");
	ok(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -1 && errno == ESRCH,
		"a collected process: ESRCH");
	ok(syscall(SYS_pidfd_open, -1, 0) == -1 && errno == EINVAL, "pidfd_open -1: EINVAL");
	ok(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0) == -1 && errno == EBADF,
		"another kind of descriptor: EBADF");
	close(fd);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(6);
	ok(pid > 0 && fd2 >= 0 && waitid(P_PIDFD, (id_t)fd2, &info, WEXITED) == 0 &&
			info.si_status == 6,
		"CLONE_PIDFD");
	close(fd2);
}

static void test_files_shared(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int fd = open("/dev/null", O_RDONLY);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	(void)stack;
	if (pid == 0) {
		close(fd);
		_exit(0);
	}
	wait_status(pid);
	ok(fcntl(fd, F_GETFD) == -1 && errno == EBADF, "CLONE_FILES shares the table");
	fd = open("/dev/null", O_RDONLY);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		if (unshare(CLONE_FILES) < 0)
			_exit(1);
		close(fd);
		_exit(0);
	}
	ok(wait_status(pid) == 0 && fcntl(fd, F_GETFD) == 0, "unshare(CLONE_FILES) separates it");
	close(fd);
}

static void test_many(void)
{
	int i, alive = 0;
	pid_t pid[100];

	for (i = 0; i < 100; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(i);
		alive += pid[i] > 0;
	}
	for (i = 0; i < 100; i++)
		alive -= WEXITSTATUS(wait_status(pid[i])) == i;
	ok(alive == 0, "100 children at once, each with its status");
}

static void test_pdeath(void)
{
	int p[2], q[2];
	pid_t pid, g = 0;
	int status;
	char c = 0;

	if (pipe(p) < 0 || pipe(q) < 0)
		return;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0) {
		g = fork();
		if (g == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			g = getpid();
			if (write(p[1], &g, sizeof(g)) != sizeof(g))
				_exit(1);
			for (;;)
				pause();
		}
		_exit(read(q[0], &c, 1) != 1);
	}
	ok(read(p[0], &g, sizeof(g)) == sizeof(g) && write(q[1], &c, 1) == 1,
		"grandchild is ready");
	wait_status(pid);
	ok(waitpid(g, &status, 0) == g && WTERMSIG(status) == SIGTERM, "PR_SET_PDEATHSIG kills it");
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	test_fork_exit();
	test_memory_is_copied();
	test_wait_options();
	test_stop_continue();
	test_wait_groups();
	test_vfork();
	test_threads();
	test_group_exit();
	test_reparent();
	test_sessions();
	test_ignored_children();
	test_clone3();
	test_pidfd();
	test_files_shared();
	test_many();
	test_pdeath();
	ok(syscall(SYS_getpgrp) == getpgid(0), "getpgrp and getpgid agree");
	ok(syscall(SYS_set_tid_address, 0) == syscall(SYS_gettid), "set_tid_address gives the id");
	return tap_end();
}
