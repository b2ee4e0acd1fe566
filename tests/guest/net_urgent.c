/* SPDX-License-Identifier: Apache-2.0 */
/* Urgent data of TCP: the byte out of band, the mark, SO_OOBINLINE, readiness, SIGURG. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "net_tap.h"

static volatile sig_atomic_t urgent_signals;
static siginfo_t urgent_info;

static void on_urgent(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	urgent_info = *info;
	urgent_signals++;
}

static int at_mark(int fd)
{
	int n = -1;

	return ioctl(fd, SIOCATMARK, &n) ? -errno : n;
}

static int waiting(int fd)
{
	int n = -1;

	return ioctl(fd, FIONREAD, &n) ? -errno : n;
}

/* What recv gives, as text. */
static const char *got(int fd, size_t len, int flags)
{
	static char text[64];
	ssize_t n = recv(fd, text, len, flags | MSG_DONTWAIT);

	if (n < 0)
		return strerror(errno);
	text[n] = 0;
	return text;
}

static void test_byte(const char *host)
{
	struct msghdr m = { 0 };
	struct iovec v;
	char buf[8];
	int s[2];

	tcp_pair(host, s);
	is(recv(s[1], buf, 1, MSG_OOB), -EINVAL);
	is(send(s[0], "ab", 2, 0), 2);
	is(send(s[0], "cD", 2, MSG_OOB), 2);
	is(send(s[0], "ef", 2, 0), 2);
	is(await(s[1], POLLPRI), POLLPRI);
	is(ready(s[1]), POLLIN | POLLOUT | POLLPRI);
	is(waiting(s[1]), 3);
	is(at_mark(s[1]), 0);
	is_text(got(s[1], 8, MSG_PEEK), "abc", "a peek stops at the mark");
	is_text(got(s[1], 8, 0), "abc", "a read stops at the mark");
	is(at_mark(s[1]), 1);
	is(waiting(s[1]), 0);
	is(ready(s[1]), POLLIN | POLLOUT | POLLPRI);
	is_text(got(s[1], 8, MSG_OOB | MSG_PEEK), "D", "the urgent byte may be looked at");
	v = (struct iovec){ buf, sizeof(buf) };
	m = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1 };
	is(recvmsg(s[1], &m, MSG_OOB), 1);
	ok(buf[0] == 'D' && m.msg_flags == MSG_OOB, "it comes with MSG_OOB");
	is(recv(s[1], buf, 1, MSG_OOB), -EINVAL);
	is(at_mark(s[1]), 1);
	is(ready(s[1]), POLLIN | POLLOUT);
	is_text(got(s[1], 8, MSG_PEEK), "ef", "a peek passes over it");
	is(at_mark(s[1]), 1);
	is_text(got(s[1], 8, 0), "ef", "so does a read");
	is(at_mark(s[1]), 0);
	is(recv(s[1], buf, 1, MSG_OOB), -EINVAL);
	is(recv(s[1], buf, 1, MSG_DONTWAIT), -EAGAIN);
	close(s[0]);
	close(s[1]);
}

static void test_unread(void)
{
	struct msghdr m = { 0 };
	char buf[8];
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(send(s[0], "X", 1, MSG_OOB), 1);
	is(await(s[1], POLLPRI), POLLPRI);
	is(ready(s[1]), POLLOUT | POLLPRI);
	is(at_mark(s[1]), 1);
	is(recv(s[1], buf, 8, MSG_DONTWAIT), -EAGAIN);
	is(at_mark(s[1]), 0);
	is(recv(s[1], buf, 8, MSG_OOB), -EINVAL);
	is(ready(s[1]), POLLOUT);

	is(send(s[0], "Y", 1, MSG_OOB), 1);
	is(await(s[1], POLLPRI), POLLPRI);
	m = (struct msghdr){ .msg_iovlen = 0 };
	is(recvmsg(s[1], &m, MSG_OOB), 0);
	is(m.msg_flags, MSG_OOB | MSG_TRUNC);
	is(recv(s[1], buf, 8, MSG_OOB), -EINVAL);

	/* A second urgent byte, while the reader stands before the first: that one is gone. */
	is(send(s[0], "zZ", 2, MSG_OOB), 2);
	is(await(s[1], POLLIN), POLLIN);
	is_text(got(s[1], 8, 0), "z", "what stands between");
	is(recv(s[1], buf, 8, MSG_OOB), 1);
	is(buf[0], 'Z');
	close(s[0]);
	close(s[1]);
}

static void test_second(void)
{
	char buf[8];
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(send(s[0], "aB", 2, MSG_OOB), 2);
	is(send(s[0], "cD", 2, MSG_OOB), 2);
	is(send(s[0], "e", 1, 0), 1);
	usleep(20000);
	is(waiting(s[1]), 3);
	is_text(got(s[1], 8, 0), "aBc", "the first of two becomes an ordinary byte");
	is(at_mark(s[1]), 1);
	is(recv(s[1], buf, 8, MSG_OOB), 1);
	is(buf[0], 'D');
	is_text(got(s[1], 8, 0), "e", "the rest");

	is(send(s[0], "aB", 2, MSG_OOB), 2);
	is(await(s[1], POLLPRI), POLLPRI);
	is_text(got(s[1], 8, 0), "a", "up to the first");
	is(send(s[0], "cD", 2, MSG_OOB), 2);
	usleep(20000);
	is(at_mark(s[1]), 0);
	is(waiting(s[1]), 1);
	is_text(got(s[1], 8, 0), "c", "the first, at which the reader stood, is gone");
	is(at_mark(s[1]), 1);
	close(s[0]);
	close(s[1]);
}

static void test_inline(void)
{
	char buf[8];
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(set_int(s[1], SOL_SOCKET, SO_OOBINLINE, 1), 0);
	is(send(s[0], "ab", 2, 0), 2);
	is(send(s[0], "C", 1, MSG_OOB), 1);
	is(send(s[0], "de", 2, 0), 2);
	is(await(s[1], POLLPRI), POLLPRI);
	usleep(20000);
	is(recv(s[1], buf, 8, MSG_OOB), -EINVAL);
	is(waiting(s[1]), 5);
	is(at_mark(s[1]), 0);
	is_text(got(s[1], 8, 0), "ab", "a read stops at the mark in line, too");
	is(at_mark(s[1]), 1);
	is(ready(s[1]), POLLIN | POLLOUT | POLLPRI);
	is_text(got(s[1], 8, MSG_PEEK), "Cde", "the urgent byte is in line");
	is(at_mark(s[1]), 1);
	is_text(got(s[1], 8, 0), "Cde", "and read with what follows");
	is(at_mark(s[1]), 0);
	is(ready(s[1]), POLLOUT);
	close(s[0]);
	close(s[1]);
}

static void test_inherited(void)
{
	struct name n;
	int l = listener("127.0.0.1", 5), c, a;

	is(set_int(l, SOL_SOCKET, SO_OOBINLINE, 1), 0);
	n = name_of("127.0.0.1", port_of(l));
	c = socket(AF_INET, SOCK_STREAM, 0);
	is(connect(c, &n.sa, n.len), 0);
	is(send(c, "U", 1, MSG_OOB), 1);
	a = accept(l, NULL, NULL);
	is(get_int(a, SOL_SOCKET, SO_OOBINLINE), 1);
	is(await(a, POLLPRI), POLLPRI);
	is(at_mark(a), 1);
	is_text(got(a, 8, 0), "U", "an accepted socket has its listener's SO_OOBINLINE");
	close(a);
	close(c);
	close(l);
}

static void test_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLPRI | EPOLLET };
	int s[2], ep = epoll_create1(0);
	char c;

	tcp_pair("127.0.0.1", s);
	is(epoll_ctl(ep, EPOLL_CTL_ADD, s[1], &ev), 0);
	is(epoll_wait(ep, &ev, 1, 0), 0);
	is(send(s[0], "a", 1, 0), 1);
	is(epoll_wait(ep, &ev, 1, 50), 0);
	is(send(s[0], "U", 1, MSG_OOB), 1);
	is(epoll_wait(ep, &ev, 1, 5000), 1);
	is(ev.events, EPOLLPRI);
	is(epoll_wait(ep, &ev, 1, 0), 0);
	is(recv(s[1], &c, 1, MSG_OOB), 1);
	close(s[0]);
	close(s[1]);
	close(ep);
}

static void test_select(void)
{
	struct timeval tv = { .tv_sec = 5 };
	fd_set rd, ex;
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(send(s[0], "U", 1, MSG_OOB), 1);
	FD_ZERO(&rd);
	FD_ZERO(&ex);
	FD_SET(s[1], &rd);
	FD_SET(s[1], &ex);
	is(select(s[1] + 1, &rd, NULL, &ex, &tv), 1);
	ok(FD_ISSET(s[1], &ex) && !FD_ISSET(s[1], &rd), "select: an exception, nothing to read");
	close(s[0]);
	close(s[1]);
}

static void test_signal(void)
{
	struct sigaction sa = { .sa_sigaction = on_urgent, .sa_flags = SA_SIGINFO };
	int s[2];
	char c;

	sigaction(SIGURG, &sa, NULL);
	tcp_pair("127.0.0.1", s);
	is(send(s[0], "A", 1, MSG_OOB), 1);
	is(await(s[1], POLLPRI), POLLPRI);
	is(urgent_signals, 0);
	is(fcntl(s[1], F_SETOWN, getpid()), 0);
	is(recv(s[1], &c, 1, MSG_OOB), 1);
	is(send(s[0], "B", 1, MSG_OOB), 1);
	is(await(s[1], POLLPRI), POLLPRI);
	is(urgent_signals, 1);
	is(urgent_info.si_signo, SIGURG);
	is(urgent_info.si_code, SI_KERNEL);
	/* The connecting end, too. */
	is(fcntl(s[0], F_SETOWN, getpid()), 0);
	is(send(s[1], "C", 1, MSG_OOB), 1);
	is(await(s[0], POLLPRI), POLLPRI);
	is(urgent_signals, 2);
	is(fcntl(s[0], F_SETOWN, 0), 0);
	is(send(s[1], "D", 1, MSG_OOB), 1);
	usleep(20000);
	is(urgent_signals, 2);
	close(s[0]);
	close(s[1]);
}

static void test_ends(void)
{
	char buf[4];
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(send(s[0], "aU", 2, MSG_OOB), 2);
	is(shutdown(s[0], SHUT_WR), 0);
	is(await(s[1], POLLPRI), POLLPRI);
	usleep(20000);
	is_text(got(s[1], 4, 0), "a", "before the urgent byte");
	is(recv(s[1], buf, 4, MSG_OOB), 1);
	is(recv(s[1], buf, 4, 0), 0);
	is(send(s[0], "x", 1, MSG_OOB | MSG_NOSIGNAL), -EPIPE);
	close(s[0]);
	close(s[1]);
}

/* A writer and a reader at once: every byte of the band arrives in order, and each mark stands where its byte was. */
#define ROUNDS 300

static void *band_writer(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		send(fd, "....", 4, 0);
		if (i % 10 == 9)
			send(fd, "!", 1, MSG_OOB);
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void test_race(void)
{
	long dots = 0, marks = 0, odd = 0;
	char buf[64];
	pthread_t t;
	ssize_t n;
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(set_int(s[1], SOL_SOCKET, SO_OOBINLINE, 1), 0);
	pthread_create(&t, NULL, band_writer, &s[0]);
	while ((n = recv(s[1], buf, sizeof(buf), 0)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			dots += buf[i] == '.';
			marks += buf[i] == '!';
			odd += buf[i] != '.' && buf[i] != '!';
		}
	}
	pthread_join(t, NULL);
	ok(dots == 4 * ROUNDS && marks == ROUNDS / 10 && !odd, "in line nothing is lost");
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	test_byte("127.0.0.1");
	test_byte("::1");
	test_unread();
	test_second();
	test_inline();
	test_inherited();
	test_epoll();
	test_select();
	test_signal();
	test_ends();
	test_race();
	return tap_end();
}
