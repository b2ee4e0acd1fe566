/* SPDX-License-Identifier: Apache-2.0 */
/* User notification of seccomp(2): receiving, answering, descriptors, signals, ends; and filters as a tracer sees them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/guest/ptrace_tap.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void need(bool cond)
{
	if (!cond)
		_exit(99);
}

static long on_call(int nr, uint32_t action, unsigned flags)
{
	struct sock_filter f[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					   offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog p = { LEN(f), f };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

static int listen_for(int nr, unsigned flags)
{
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	return (int)on_call(nr, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags);
}

/* A child whose exit status is 0 when its getppid(7) gives `want` (or fails with -want). */
static pid_t asker(long want)
{
	pid_t pid = fork();

	if (pid == 0) {
		long got = syscall(SYS_getppid, 7);

		_exit(got == want || (got == -1 && errno == -want) ? 0 : 1);
	}
	return pid;
}

static bool ended_well(pid_t pid)
{
	return wait_pid(pid) == 0;
}

static struct seccomp_notif request;

static long receive(int fd)
{
	memset(&request, 0, sizeof(request));
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request);
}

static long answer(int fd, int64_t val, int error, unsigned flags)
{
	struct seccomp_notif_resp resp = { request.id, val, error, flags };

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static short poll_now(int fd, int wait_ms)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	poll(&p, 1, wait_ms);
	return p.revents;
}

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static void basic(int fd)
{
	pid_t pid = asker(4711);

	ok(poll_now(fd, 10000) == POLLIN, "a call that waits makes the listener readable");
	request.pid = 1;
	ok(fails(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request), EINVAL),
		"RECV wants zeroed memory");
	ok(fails(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, NULL), EFAULT), "RECV of bad memory");
	ok(receive(fd) == 0 && request.pid == (uint32_t)pid && request.flags == 0 &&
			request.data.nr == SYS_getppid && request.data.args[0] == 7,
		"RECV tells who makes which call");
	ok(poll_now(fd, 0) == POLLOUT, "a received call makes the listener writable");
	ok(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) == 0, "its id is valid");
	ok(fails(answer(fd, 1, 0, 2), EINVAL), "SEND with unknown flags");
	ok(fails(answer(fd, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL),
		"SEND of a value and CONTINUE");
	ok(answer(fd, 4711, 0, 0) == 0 && ended_well(pid), "SEND of a value");
	ok(fails(answer(fd, 4711, 0, 0), ENOENT) &&
			fails(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id), ENOENT),
		"an answered call is no more");
	ok(poll_now(fd, 0) == 0, "nothing to do: nothing to poll");
	pid = asker(-EXDEV);
	ok(receive(fd) == 0 && answer(fd, 0, -EXDEV, 0) == 0 && ended_well(pid),
		"SEND of an error");
	pid = asker(-512);
	ok(receive(fd) == 0 && answer(fd, 0, -512, 0) == 0 && ended_well(pid),
		"an answer that looks like a restart is a number");
	pid = asker(getpid());
	ok(receive(fd) == 0 && answer(fd, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE) == 0 &&
			ended_well(pid),
		"CONTINUE lets the call run");
	ok(fails(ioctl(fd, 0x1234, NULL), EINVAL), "an unknown ioctl is EINVAL");
}

static long add(int fd, int src, unsigned newfd, unsigned newfd_flags, unsigned flags)
{
	struct seccomp_notif_addfd a = { request.id, flags, (unsigned)src, newfd, newfd_flags };

	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
}

/* The asker's getppid gives a descriptor: does it have it? */
static pid_t fd_asker(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = (int)syscall(SYS_getppid);

		_exit(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(77, F_GETFD) == 0 ? 0
											     : 1);
	}
	return pid;
}

static void descriptors(int fd)
{
	int null = open("/dev/null", O_RDONLY);
	struct rlimit none = { 0, 0 };
	pid_t pid = fd_asker();
	long got;

	ok(receive(fd) == 0, "a call that wants a descriptor");
	ok(fails(add(fd, null, 0, ~(unsigned)O_CLOEXEC, 0), EINVAL) &&
			fails(add(fd, null, 0, 0, 0xf0), EINVAL) &&
			fails(add(fd, null, 5, 0, 0), EINVAL) &&
			fails(add(fd, 999, 0, 0, 0), EBADF),
		"bad arguments of ADDFD");
	ok(add(fd, null, 77, 0, SECCOMP_ADDFD_FLAG_SETFD) == 77, "ADDFD at a given number");
	ok(add(fd, null, 77, 0, SECCOMP_ADDFD_FLAG_SETFD) == 77, "ADDFD in the place of another");
	got = add(fd, null, 0, O_CLOEXEC, SECCOMP_ADDFD_FLAG_SEND);
	ok(got > null && ended_well(pid), "ADDFD that is the answer");
	close(null);
	null = open("/dev/null", O_RDONLY);
	pid = asker(5);
	ok(receive(fd) == 0 && prlimit(pid, RLIMIT_NOFILE, &none, NULL) == 0,
		"no descriptors left");
	ok(fails(add(fd, null, 0, 0, 0), EMFILE) &&
			fails(add(fd, null, 0, 0, SECCOMP_ADDFD_FLAG_SEND), EMFILE) &&
			fails(add(fd, null, 7, 0, SECCOMP_ADDFD_FLAG_SETFD), EBADF),
		"ADDFD is bound by the limit of the task");
	ok(answer(fd, 5, 0, 0) == 0 && ended_well(pid), "and the call still waits for an answer");
	ok(fails(add(fd, null, 0, 0, 0), ENOENT), "ADDFD to a call that is no more");
	close(null);
}

static volatile sig_atomic_t interruptions;

static void on_signal(int sig)
{
	(void)sig;
	interruptions++;
}

static pid_t interrupted_asker(int sa_flags, long want)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = on_signal, .sa_flags = sa_flags };
		long got;

		sigaction(SIGUSR1, &sa, NULL);
		got = syscall(SYS_getppid, 7);
		_exit(interruptions == 1 && (got == want || (got == -1 && errno == -want)) ? 0 : 1);
	}
	return pid;
}

static void signals(int fd)
{
	uint64_t first;
	pid_t pid = interrupted_asker(SA_RESTART, 31);

	need(receive(fd) == 0);
	first = request.id;
	kill(pid, SIGUSR1);
	ok(receive(fd) == 0 && request.id != first && request.pid == (uint32_t)pid,
		"a signal takes the call back, and it comes again");
	ok(fails(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &first), ENOENT), "the old one is gone");
	ok(answer(fd, 31, 0, 0) == 0 && ended_well(pid), "its second time is answered");
	pid = interrupted_asker(0, -EINTR);
	need(receive(fd) == 0);
	kill(pid, SIGUSR1);
	ok(ended_well(pid), "EINTR without SA_RESTART");
	pid = asker(1);
	need(receive(fd) == 0);
	kill(pid, SIGKILL);
	ok(wait_pid(pid) == SIGKILL, "SIGKILL ends who waits");
	ok(fails(answer(fd, 1, 0, 0), ENOENT), "the dead want no answer");
}

static void killable(void)
{
	int fd = listen_for(SYS_getppid, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	pid_t pid = interrupted_asker(0, 31);

	need(fd >= 0 && receive(fd) == 0);
	need(kill(pid, SIGUSR1) == 0);
	usleep(100000);
	need(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.id) == 0);
	need(answer(fd, 31, 0, 0) == 0 && ended_well(pid));
	pid = asker(1);
	need(receive(fd) == 0);
	kill(pid, SIGKILL);
	need(wait_pid(pid) == SIGKILL);
}

static void one_listener(void)
{
	int fd = listen_for(SYS_getppid, 0);

	need(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	need(fails(listen_for(SYS_getuid, 0), EBUSY));
	need(syscall(SYS_getuid) != (long)-1);
	close(fd);
	need(fails(syscall(SYS_getppid), ENOSYS));
}

static void listener_closes(void)
{
	int fd = listen_for(SYS_getppid, 0);
	pid_t pid = fork();

	if (pid == 0) {
		close(fd);
		_exit(fails(syscall(SYS_getppid), ENOSYS) ? 0 : 1);
	}
	need(poll_now(fd, 10000) == POLLIN);
	close(fd);
	need(ended_well(pid));
}

/* Who shares the descriptor table learns that nobody has the filter any more. */
static void filter_ends(void)
{
	int pair[2], fd = -1;
	pid_t pid;

	need(pipe(pair) == 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		fd = listen_for(SYS_getppid, 0);
		need(write(pair[1], &fd, sizeof(fd)) == sizeof(fd));
		_exit(0);
	}
	need(read(pair[0], &fd, sizeof(fd)) == sizeof(fd) && ended_well(pid));
	need(poll_now(fd, 10000) & POLLHUP);
}

static void old_action(void)
{
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	need(on_call(SYS_getppid, SECCOMP_RET_USER_NOTIF, 0) == 0);
	need(fails(syscall(SYS_getppid), ENOSYS));
}

static void arguments(void)
{
	unsigned both = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC;
	struct seccomp_notif_sizes sizes = { 0 };
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	need(fails(on_call(SYS_getppid, action, both), EINVAL));
	need(fails(on_call(SYS_getppid, action, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), EINVAL));
	need(on_call(SYS_getppid, action, both | SECCOMP_FILTER_FLAG_TSYNC_ESRCH) >= 0);
	need(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
	need(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0);
	need(sizes.seccomp_notif == sizeof(struct seccomp_notif) &&
		sizes.seccomp_notif_resp == sizeof(struct seccomp_notif_resp) &&
		sizes.seccomp_data == sizeof(struct seccomp_data));
	need(fails(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &sizes), EINVAL));
}

static void *wait_in_thread(void *arg)
{
	pthread_barrier_t *b = arg;

	pthread_barrier_wait(b);
	pthread_barrier_wait(b);
	return (void *)(intptr_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void tsync_nnp(void)
{
	pthread_barrier_t b;
	pthread_t thread;
	void *got = NULL;

	pthread_barrier_init(&b, NULL, 2);
	need(pthread_create(&thread, NULL, wait_in_thread, &b) == 0);
	pthread_barrier_wait(&b);
	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	need(on_call(SYS_getppid, SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_TSYNC) == 0);
	pthread_barrier_wait(&b);
	need(pthread_join(thread, &got) == 0 && got == (void *)1);
}

static pid_t filtered_tracee(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
		need(on_call(SYS_getppid, SECCOMP_RET_ERRNO | 3, SECCOMP_FILTER_FLAG_LOG) == 0);
		need(on_call(SYS_getuid, SECCOMP_RET_ERRNO | 4, 0) == 0);
		need(trace(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		_exit(0);
	}
	return pid;
}

static void tracer(void)
{
	struct sock_filter f[8];
	struct seccomp_metadata md = { 0, 0 };
	pid_t pid = filtered_tracee(), plain = fork();

	if (plain == 0) {
		need(trace(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		_exit(0);
	}
	need(stopped_by(wait_pid(pid), SIGSTOP) && stopped_by(wait_pid(plain), SIGSTOP));
	ok(trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 0) == 4, "GET_FILTER counts instructions");
	ok(trace(PTRACE_SECCOMP_GET_FILTER, pid, 1, (unsigned long)f) == 4 &&
			f[1].k == SYS_getuid && f[2].k == (SECCOMP_RET_ERRNO | 4),
		"GET_FILTER copies them, the oldest filter is 0");
	ok(fails(trace(PTRACE_SECCOMP_GET_FILTER, pid, 2, 0), ENOENT), "there is no third");
	ok(fails(trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 8), EFAULT), "GET_FILTER to nowhere");
	ok(fails(trace(PTRACE_SECCOMP_GET_FILTER, plain, 0, 0), EINVAL), "a task without filters");
	ok(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(md), (unsigned long)&md) == sizeof(md) &&
			md.flags == SECCOMP_FILTER_FLAG_LOG,
		"GET_METADATA tells of LOG");
	md.filter_off = 1;
	ok(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(md), (unsigned long)&md) == sizeof(md) &&
			md.flags == 0,
		"GET_METADATA of the other");
	ok(fails(trace(PTRACE_SECCOMP_GET_METADATA, pid, 4, (unsigned long)&md), EINVAL),
		"GET_METADATA of too few bytes");
	md.filter_off = 2;
	ok(fails(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(md), (unsigned long)&md), ENOENT),
		"GET_METADATA of none");
	kill(pid, SIGKILL);
	kill(plain, SIGKILL);
	wait_pid(pid);
	wait_pid(plain);
}

static bool in_child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	return ended_well(pid);
}

int main(void)
{
	int fd;

	tracer();
	ok(in_child(old_action), "USER_NOTIF without a listener is ENOSYS");
	ok(in_child(arguments), "flags, sizes, availability");
	ok(in_child(one_listener), "one listener a chain; its end is ENOSYS");
	ok(in_child(listener_closes), "who waits learns that the listener is gone");
	ok(in_child(filter_ends), "POLLHUP when nobody has the filter any more");
	ok(in_child(killable), "WAIT_KILLABLE_RECV: only fatal signals");
	ok(in_child(tsync_nnp), "TSYNC hands no_new_privs on");
	fd = listen_for(SYS_getppid, 0);
	ok(fd >= 0, "a listener");
	basic(fd);
	descriptors(fd);
	signals(fd);
	return tap_end();
}
