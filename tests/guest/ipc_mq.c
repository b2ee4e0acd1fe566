/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues; mq_setattr and mq_getattr are mq_getsetattr. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

static char name[64];

static bool fails(long ret, int err)
{
	return ret == -1 && errno == err;
}

static struct timespec soon(long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static void test_open(void)
{
	struct mq_attr attr = { .mq_maxmsg = 0, .mq_msgsize = 16 };
	mqd_t q;

	ok(fails(mq_open(name, O_RDWR), ENOENT), "a queue that is not there: ENOENT");
	ok(fails(mq_open(name, O_RDWR | O_CREAT, 0600, &attr), EINVAL), "no room: EINVAL");
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
	ok(q >= 0 && !mq_getattr(q, &attr) && attr.mq_maxmsg == 10 && attr.mq_msgsize == 8192 &&
			attr.mq_curmsgs == 0 && attr.mq_flags == 0,
		"the default attributes");
	ok(fcntl(q, F_GETFD) == FD_CLOEXEC, "the descriptor is closed by exec");
	ok(fails(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST), "O_EXCL: EEXIST");
	ok(fails(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES),
		"a name with a slash: EACCES");
	mq_close(q);
	ok(!mq_unlink(name) && fails(mq_unlink(name), ENOENT), "mq_unlink");
}

static void test_messages(void)
{
	struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 16 }, old;
	struct timespec ts = soon(20);
	struct pollfd p;
	unsigned prio;
	char buf[16];
	mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	mqd_t in = mq_open(name, O_RDONLY | O_NONBLOCK);

	p = (struct pollfd){ .fd = q, .events = POLLIN | POLLOUT };
	ok(q >= 0 && in >= 0 && poll(&p, 1, 0) == 1 && p.revents == POLLOUT, "an empty queue");
	ok(fails(mq_receive(in, buf, 16, NULL), EAGAIN), "O_NONBLOCK: EAGAIN");
	ok(!mq_send(q, "low", 4, 1) && !mq_send(q, "high", 5, 9), "two messages");
	ok(poll(&p, 1, 0) == 1 && p.revents == POLLIN, "fill it");
	ok(fails(mq_timedsend(q, "x", 1, 0, &ts), ETIMEDOUT), "mq_timedsend: ETIMEDOUT");
	ok(fails(mq_receive(q, buf, 15, NULL), EMSGSIZE), "a short buffer: EMSGSIZE");
	ok(mq_receive(q, buf, 16, &prio) == 5 && prio == 9 && !strcmp(buf, "high"),
		"the highest priority first");
	ok(mq_receive(q, buf, 16, &prio) == 4 && prio == 1, "then the other");
	ts = soon(20);
	ok(fails(mq_timedreceive(q, buf, 16, NULL, &ts), ETIMEDOUT), "mq_timedreceive: ETIMEDOUT");
	ts.tv_nsec = -1;
	ok(fails(mq_timedreceive(q, buf, 16, NULL, &ts), EINVAL), "a time that is none: EINVAL");
	ok(fails(mq_send(q, buf, 17, 0), EMSGSIZE), "a long message: EMSGSIZE");
	ok(fails(mq_send(q, buf, 1, 32768), EINVAL), "a priority too high: EINVAL");
	ok(fails(mq_send(in, buf, 1, 0), EBADF), "a descriptor for reading: EBADF");
	ok(fails(mq_send(0, buf, 1, 0), EBADF), "one that is no queue: EBADF");
	attr.mq_flags = O_NONBLOCK;
	ok(!mq_setattr(q, &attr, &old) && old.mq_flags == 0 && old.mq_maxmsg == 2 &&
			fails(mq_receive(q, buf, 16, NULL), EAGAIN),
		"mq_setattr sets O_NONBLOCK");
	mq_close(in);
	mq_close(q);
	mq_unlink(name);
}

static void test_sleep(void)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 16 };
	mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	char buf[16];
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(mq_receive(q, buf, 16, NULL) != 3);
	ok(!mq_send(q, "abc", 3, 0) && waitpid(pid, &status, 0) == pid && status == 0,
		"mq_receive sleeps until there is a message");
	mq_close(q);
	mq_unlink(name);
}

static volatile sig_atomic_t told_code, told_value;

static void on_message(int sig, siginfo_t *info, void *ctx)
{
	(void)sig;
	(void)ctx;
	told_code = info->si_code;
	told_value = info->si_value.sival_int;
}

static void test_notify(void)
{
	struct sigaction sa = { .sa_sigaction = on_message, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
	char buf[8192];

	sigaction(SIGUSR1, &sa, NULL);
	ev.sigev_value.sival_int = 42;
	ok(!mq_notify(q, &ev), "mq_notify");
	ok(fails(mq_notify(q, &ev), EBUSY), "once: EBUSY");
	ok(!mq_send(q, "a", 1, 0) && told_code == SI_MESGQ && told_value == 42,
		"a message raises the signal");
	told_code = 0;
	mq_receive(q, buf, sizeof(buf), NULL);
	ok(!mq_send(q, "a", 1, 0) && told_code == 0, "and ends the registration");
	ok(!mq_notify(q, &ev) && !mq_notify(q, NULL) && !mq_notify(q, &ev), "NULL ends it, too");
	ev.sigev_signo = 65;
	ok(fails(mq_notify(q, &ev), EINVAL), "a signal that is none: EINVAL");
	mq_close(q);
	mq_unlink(name);
}

/* ---- SIGEV_THREAD: a cookie comes to a netlink socket ---- */

static int thread_arg;

static void on_thread(union sigval v)
{
	__atomic_store_n(&thread_arg, v.sival_int, __ATOMIC_SEQ_CST);
}

static void test_notify_thread(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread };
	mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);

	ev.sigev_value.sival_int = 7;
	ok(!mq_notify(q, &ev), "SIGEV_THREAD through the C library");
	ok(!mq_send(q, "a", 1, 0), "a message");
	for (int i = 0; i < 200 && !__atomic_load_n(&thread_arg, __ATOMIC_SEQ_CST); i++)
		usleep(10000);
	ok(thread_arg == 7, "starts the function");
	mq_close(q);
	mq_unlink(name);
}

static void test_notify_netlink(void)
{
	char cookie[32] = "the cookie", got[64];
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD };
	int nl = socket(AF_NETLINK, SOCK_RAW, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0);
	mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);

	ev.sigev_value.sival_ptr = cookie;
	ev.sigev_signo = -1;
	ok(fails(syscall(SYS_mq_notify, q, &ev), EBADF), "no descriptor: EBADF");
	ev.sigev_signo = (int)q;
	ok(fails(syscall(SYS_mq_notify, q, &ev), ENOTSOCK), "no socket: ENOTSOCK");
	ev.sigev_signo = other;
	ok(fails(syscall(SYS_mq_notify, q, &ev), EINVAL), "no netlink socket: EINVAL");
	ev.sigev_signo = nl;
	ok(!syscall(SYS_mq_notify, q, &ev), "a netlink socket");
	ok(fails(syscall(SYS_mq_notify, q, &ev), EBUSY), "once: EBUSY");
	ok(fails(recv(nl, got, sizeof(got), MSG_DONTWAIT), EAGAIN), "nothing happened yet");
	ok(!mq_send(q, "a", 1, 0) && recv(nl, got, sizeof(got), MSG_DONTWAIT) == 32 &&
			!strcmp(got, cookie) && got[31] == 1,
		"a message sends the cookie: woken up");
	ok(!syscall(SYS_mq_notify, q, &ev) && !syscall(SYS_mq_notify, q, NULL) &&
			recv(nl, got, sizeof(got), MSG_DONTWAIT) == 32 && got[31] == 2,
		"NULL sends it: removed");
	ok(!syscall(SYS_mq_notify, q, &ev) && !mq_close(q) &&
			recv(nl, got, sizeof(got), MSG_DONTWAIT) == 32 && got[31] == 2,
		"so does a close");
	close(nl);
	close(other);
	mq_unlink(name);
}

int main(void)
{
	snprintf(name, sizeof(name), "/casemate-test-%d", (int)getpid());
	test_open();
	test_messages();
	test_sleep();
	test_notify();
	test_notify_netlink();
	test_notify_thread();
	return tap_end();
}
