/* SPDX-License-Identifier: Apache-2.0 */
/* poll, select, epoll, eventfd, timerfd, signalfd, inotify. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "fs_tap.h"

static char buf[4096];

static long elapsed_ms(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

static void *write_later(void *arg)
{
	usleep(50000);
	return write(*(int *)arg, "x", 1) == 1 ? NULL : arg;
}

static void test_poll(void)
{
	int p[2];
	struct timespec start;
	struct pollfd f[3];
	pthread_t t;

	is(pipe(p), 0);
	f[0] = (struct pollfd){ p[0], POLLIN, 0 };
	f[1] = (struct pollfd){ p[1], POLLOUT, 0 };
	f[2] = (struct pollfd){ -1, POLLIN, 77 };
	is(poll(f, 3, 0), 1);
	ok(!f[0].revents && f[1].revents == POLLOUT && !f[2].revents,
		"only the write end is ready");
	clock_gettime(CLOCK_MONOTONIC, &start);
	is(poll(f, 1, 60), 0);
	ok(elapsed_ms(&start) >= 59 && elapsed_ms(&start) < 2000, "poll times out");
	pthread_create(&t, NULL, write_later, &p[1]);
	is(poll(f, 1, 5000), 1);
	pthread_join(t, NULL);
	f[1] = (struct pollfd){ 999, POLLIN, 0 };
	is(poll(f, 2, -1), 2);
	is(f[1].revents, POLLNVAL);
	close(p[1]);
	is(poll(f, 1, -1), 1);
	is(f[0].revents, POLLIN | POLLHUP);
	is(read(p[0], buf, 10), 1);
	is(poll(f, 1, -1), 1);
	is(f[0].revents, POLLHUP);
	close(p[0]);
}

static volatile sig_atomic_t caught;

static void handler(int sig)
{
	caught = sig;
}

static void test_interrupt(void)
{
	struct sigaction sa = { .sa_handler = handler };
	struct timespec ts = { 5, 0 };
	sigset_t none, block;

	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	ualarm(50000, 0);
	is(poll(NULL, 0, 5000), -EINTR);
	is(caught, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, NULL);
	caught = 0;
	raise(SIGALRM);
	is(ppoll(NULL, 0, &ts, &none), -EINTR);
	is(caught, SIGALRM);
	caught = 0;
	raise(SIGALRM);
	is(pselect(0, NULL, NULL, NULL, &ts, &none), -EINTR);
	ts = (struct timespec){ 0, 0 };
	is(ppoll(NULL, 0, &ts, &block), 0);
	sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void test_select(void)
{
	struct timeval tv = { 0, 20000 };
	int p[2];
	fd_set r, w;

	is(pipe(p), 0);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	is(select(p[1] + 1, &r, &w, NULL, &tv), 1);
	ok(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w), "select reports the write end");
	FD_SET(p[0], &r);
	is(select(p[0] + 1, &r, NULL, NULL, &tv), 0);
	FD_ZERO(&r);
	FD_SET(40, &r);
	is(select(41, &r, NULL, NULL, &tv), -EBADF);
	is(select(-1, NULL, NULL, NULL, &tv), -EINVAL);
	close(p[0]);
	close(p[1]);
}

static void test_epoll_modes(void)
{
	struct epoll_event ev = { EPOLLIN, { .u64 = 42 } }, out[4];
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2];

	is(pipe2(p, O_NONBLOCK), 0);
	is(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	is(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), -EEXIST);
	is(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &ev), -EBADF);
	is(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &ev), -ENOENT);
	is(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), -EINVAL);
	is(epoll_wait(ep, out, 4, 0), 0);
	is(write(p[1], "ab", 2), 2);
	is(epoll_wait(ep, out, 4, -1), 1);
	ok(out[0].events == EPOLLIN && out[0].data.u64 == 42, "level: event and data");
	is(epoll_wait(ep, out, 4, 0), 1);
	ev.events = EPOLLIN | EPOLLET;
	is(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	is(epoll_wait(ep, out, 4, 0), 1);
	is(epoll_wait(ep, out, 4, 0), 0);
	is(write(p[1], "c", 1), 1);
	is(epoll_wait(ep, out, 4, 0), 1);
	ev.events = EPOLLIN | EPOLLONESHOT;
	is(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	is(epoll_wait(ep, out, 4, 0), 1);
	is(write(p[1], "d", 1), 1);
	is(epoll_wait(ep, out, 4, 0), 0);
	is(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), 0);
	is(epoll_wait(ep, out, 4, 0), 1);
	is(epoll_wait(ep, out, 0, 0), -EINVAL);
	is(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), 0);
	is(epoll_wait(ep, out, 4, 0), 0);
	ev.events = EPOLLIN;
	is(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	close(p[0]);
	close(p[1]);
	is(epoll_wait(ep, out, 4, 0), 0);
	close(ep);
}

static void test_epoll_nested(void)
{
	struct epoll_event ev = { EPOLLIN, { .fd = 1 } }, out[2];
	int a = epoll_create1(0), b = epoll_create1(0), e = eventfd(0, 0), file;
	pthread_t t;
	int p[2];

	is(epoll_ctl(a, EPOLL_CTL_ADD, b, &ev), 0);
	is(epoll_ctl(b, EPOLL_CTL_ADD, a, &ev), -ELOOP);
	is(epoll_ctl(b, EPOLL_CTL_ADD, e, &ev), 0);
	is(epoll_wait(a, out, 2, 0), 0);
	is(eventfd_write(e, 1), 0);
	is(epoll_wait(a, out, 2, 1000), 1);
	is(pipe(p), 0);
	is(epoll_ctl(b, EPOLL_CTL_ADD, p[0], &ev), 0);
	is(eventfd_read(e, (eventfd_t *)buf), 0);
	is(epoll_wait(a, out, 2, 0), 0);
	pthread_create(&t, NULL, write_later, &p[1]);
	is(epoll_wait(a, out, 2, 5000), 1);
	pthread_join(t, NULL);
	file = open("plain", O_RDWR | O_CREAT, 0600);
	is(epoll_ctl(a, EPOLL_CTL_ADD, file, &ev), -EPERM);
	close(file);
	close(a);
	close(b);
	close(e);
	close(p[0]);
	close(p[1]);
}

/* One of several that watch the same pipe with EPOLLEXCLUSIVE, each by an epoll of its own. */
struct exclusive {
	int ep;
	volatile pid_t tid; /* set before it waits */
	int events; /* of epoll_wait */
};

static void *exclusive_wait(void *arg)
{
	struct exclusive *x = arg;
	struct epoll_event ev;

	x->tid = (pid_t)syscall(SYS_gettid);
	x->events = epoll_wait(x->ep, &ev, 1, 3000);
	return NULL;
}

static void exclusive_watch(struct exclusive *x, int fd)
{
	struct epoll_event ev = { EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, { .fd = fd } };

	x->ep = epoll_create1(0);
	is(epoll_ctl(x->ep, EPOLL_CTL_ADD, fd, &ev), 0);
}

static bool sleeps(pid_t tid)
{
	char path[64], line[200] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		line[0] = 0;
	close(fd);
	return atoi(line) == SYS_epoll_wait;
}

/* An event wakes one that waits: not one that nobody waits in, although it came first, and not one that was woken before and is not back. */
static void test_epoll_exclusive(void)
{
	struct exclusive idle = { 0 }, a = { 0 }, b = { 0 };
	struct timespec start;
	pthread_t ta, tb;
	int p[2];

	is(pipe(p), 0);
	exclusive_watch(&idle, p[0]);
	exclusive_watch(&a, p[0]);
	exclusive_watch(&b, p[0]);
	pthread_create(&ta, NULL, exclusive_wait, &a);
	pthread_create(&tb, NULL, exclusive_wait, &b);
	while (!a.tid || !sleeps(a.tid) || !b.tid || !sleeps(b.tid))
		usleep(1000);
	clock_gettime(CLOCK_MONOTONIC, &start);
	is(write(p[1], "a", 1), 1);
	is(write(p[1], "b", 1), 1);
	pthread_join(ta, NULL);
	pthread_join(tb, NULL);
	ok(a.events == 1 && b.events == 1 && elapsed_ms(&start) < 2500,
		"two events wake the two that wait");
	close(idle.ep);
	close(a.ep);
	close(b.ep);
	close(p[0]);
	close(p[1]);
}

static void test_eventfd(void)
{
	uint64_t v = 0;
	int e = eventfd(3, EFD_NONBLOCK), s = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);

	is(read(e, &v, 8), 8);
	is((long)v, 3);
	is(read(e, &v, 8), -EAGAIN);
	is(read(e, &v, 4), -EINVAL);
	v = ~0UL;
	is(write(e, &v, 8), -EINVAL);
	v = ~0UL - 1;
	is(write(e, &v, 8), 8);
	v = 1;
	is(write(e, &v, 8), -EAGAIN);
	is(read(s, &v, 8), 8);
	is((long)v, 1);
	is(read(s, &v, 8), 8);
	is(read(s, &v, 8), -EAGAIN);
	close(e);
	close(s);
}

static void test_timerfd(void)
{
	struct itimerspec its = { { 0, 20000000 }, { 0, 20000000 } }, cur;
	int t = timerfd_create(CLOCK_MONOTONIC, 0);
	struct pollfd f = { t, POLLIN, 0 };
	uint64_t n = 0;

	is(timerfd_settime(t, 0, &its, NULL), 0);
	is(poll(&f, 1, 2000), 1);
	is(read(t, &n, 8), 8);
	ok(n >= 1, "one expiration or more");
	usleep(110000);
	is(read(t, &n, 8), 8);
	ok(n >= 4, "missed expirations are counted");
	is(timerfd_gettime(t, &cur), 0);
	ok(cur.it_interval.tv_nsec == 20000000 && cur.it_value.tv_nsec <= 20000000,
		"timerfd_gettime tells what is left");
	its = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	is(timerfd_settime(t, 0, &its, NULL), 0);
	is(fcntl(t, F_SETFL, O_NONBLOCK), 0);
	is(read(t, &n, 8), -EAGAIN);
	its.it_value.tv_nsec = 1000000000;
	is(timerfd_settime(t, 0, &its, NULL), -EINVAL);
	is(timerfd_create(99, 0), -EINVAL);
	its.it_value = (struct timespec){ 0, 1 };
	is(timerfd_settime(t, TFD_TIMER_ABSTIME, &its, NULL), 0);
	is(poll(&f, 1, 1000), 1);
	close(t);
}

static void test_signalfd(void)
{
	struct signalfd_siginfo si;
	sigset_t set;
	int s;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s = signalfd(-1, &set, SFD_NONBLOCK);
	is(read(s, &si, sizeof(si)), -EAGAIN);
	kill(getpid(), SIGUSR2);
	is(poll(&(struct pollfd){ s, POLLIN, 0 }, 1, 1000), 1);
	is(read(s, &si, sizeof(si)), sizeof(si));
	ok(si.ssi_signo == SIGUSR2 && si.ssi_pid == (unsigned)getpid(),
		"the record names signal and sender");
	is(read(s, &si, 10), -EINVAL);
	close(s);
}

static void test_inotify(void)
{
	int n = inotify_init1(IN_NONBLOCK), wd, fd;
	struct inotify_event *e = (struct inotify_event *)buf;
	long len;

	mkdir("watched", 0755);
	wd = inotify_add_watch(n, "watched", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_TO);
	ok(wd > 0, "inotify_add_watch");
	is(read(n, buf, sizeof(buf)), -EAGAIN);
	fd = open("watched/a", O_CREAT | O_WRONLY, 0600);
	is(write(fd, "x", 1), 1);
	close(fd);
	is(rename("watched/a", "watched/b"), 0);
	is(unlink("watched/b"), 0);
	len = read(n, buf, sizeof(buf));
	is(len, 4 * 32);
	ok(e->wd == wd && e->mask == IN_CREATE && !strcmp(e->name, "a"), "IN_CREATE a");
	e = (struct inotify_event *)(buf + 32);
	ok(e->mask == IN_MODIFY, "IN_MODIFY");
	e = (struct inotify_event *)(buf + 64);
	ok(e->mask == IN_MOVED_TO && e->cookie && !strcmp(e->name, "b"), "IN_MOVED_TO b");
	e = (struct inotify_event *)(buf + 96);
	ok(e->mask == IN_DELETE, "IN_DELETE");
	is(inotify_rm_watch(n, wd), 0);
	is(read(n, buf, sizeof(buf)), 16);
	ok(((struct inotify_event *)buf)->mask == IN_IGNORED, "IN_IGNORED");
	is(inotify_rm_watch(n, wd), -EINVAL);
	close(n);
}

int main(void)
{
	scratch();
	test_poll();
	test_interrupt();
	test_select();
	test_epoll_modes();
	test_epoll_nested();
	test_epoll_exclusive();
	test_eventfd();
	test_timerfd();
	test_signalfd();
	test_inotify();
	return tap_end();
}
