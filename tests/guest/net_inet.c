/* SPDX-License-Identifier: Apache-2.0 */
/* TCP over loopback: connections, their ends, readiness, names and ports, options. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "net_tap.h"

static const char *const hosts[] = { "127.0.0.1", "::1" };

static void test_stream(const char *host)
{
	char buf[64];
	int s[2], n = 0;

	tcp_pair(host, s);
	is_text(text_of(s[0], 1), host, "the client's peer");
	is_text(text_of(s[1], 1), host, "the server's peer");
	ok(port_of(s[0]) >= 1024, "the client has a port");
	is(write(s[0], "hello", 5), 5);
	is(write(s[0], "world", 5), 5);
	ok(await(s[1], POLLIN) == POLLIN, "the server can read");
	ok(!ioctl(s[1], FIONREAD, &n) && n == 10, "FIONREAD counts what is there");
	ok(!ioctl(s[1], SIOCATMARK, &n) && n == 0, "SIOCATMARK: not at the mark");
	is(ioctl(s[1], SIOCATMARK, NULL), -EFAULT);
	is(recv(s[1], buf, 3, MSG_PEEK), 3);
	is(recv(s[1], buf, 64, MSG_PEEK), 10);
	is(recv(s[1], buf, 3, MSG_TRUNC), 3);
	is(recv(s[1], buf, 64, 0), 7);
	ok(!memcmp(buf, "loworld", 7), "bytes arrive in order");
	is(recv(s[1], buf, 1, MSG_DONTWAIT), -EAGAIN);
	is(recv(s[1], buf, 0, MSG_DONTWAIT), -EAGAIN);
	is(read(s[1], buf, 0), 0);
	is(send(s[0], "x", 0, 0), 0);
	is(recv(s[1], buf, 1, MSG_OOB), -EINVAL);
	is(get_int(s[0], 500, 1), strchr(host, ':') ? -ENOPROTOOPT : -EOPNOTSUPP);
	is(set_int(s[0], 500, 1, 1), -ENOPROTOOPT);
	n = 8;
	is(write(s[0], "x", 1), 1);
	is(recvfrom(s[1], buf, 1, 0, (struct sockaddr *)-1L, (socklen_t *)&n), 1);
	ok(n == 0, "a stream names no sender");
	ok(ready(s[0]) == POLLOUT, "an idle connection is writable");
	close(s[0]);
	close(s[1]);
}

static void test_half_close(void)
{
	char buf[8];
	int s[2];

	tcp_pair(hosts[0], s);
	is(write(s[0], "end", 3), 3);
	is(shutdown(s[0], SHUT_WR), 0);
	is(send(s[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	ok(ready(s[1]) == (POLLIN | POLLOUT | POLLRDHUP),
		"a FIN is readable and a hang-up of reading");
	is(read(s[1], buf, sizeof(buf)), 3);
	is(read(s[1], buf, sizeof(buf)), 0);
	is(write(s[1], "back", 4), 4);
	is(read(s[0], buf, sizeof(buf)), 4);
	ok(ready(s[0]) == POLLOUT, "a half that was shut counts as writable");
	is(shutdown(s[1], SHUT_WR), 0);
	ok(ready(s[1]) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP), "both halves shut: hung up");
	is(read(s[0], buf, sizeof(buf)), 0);
	is(get_int(s[0], SOL_SOCKET, SO_ERROR), 0);
	close(s[0]);
	close(s[1]);

	tcp_pair(hosts[0], s);
	is(shutdown(s[0], SHUT_RD), 0);
	is(read(s[0], buf, 1), 0);
	is(write(s[1], "x", 1), 1);
	is(read(s[0], buf, 1), 1);
	is(read(s[0], buf, 1), 0);
	is(shutdown(s[0], 3), -EINVAL);
	close(s[0]);
	close(s[1]);
}

static void test_closed_peer(void)
{
	char c;
	int s[2];

	tcp_pair(hosts[0], s);
	close(s[1]);
	ok(ready(s[0]) == (POLLIN | POLLOUT | POLLRDHUP),
		"a closed peer leaves the socket writable");
	is(read(s[0], &c, 1), 0);
	is(write(s[0], "x", 1), 1);
	ok(ready(s[0]) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR),
		"after a write into the void: error and hang-up");
	is(read(s[0], &c, 1), 0);
	is(send(s[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	is(send(s[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	close(s[0]);
}

/* The reset comes while the bytes go out: some of them were taken, the next call hears of it. */
static void test_much_to_closed_peer(void)
{
	static char much[16 << 20];
	int s[2], err = 0;
	socklen_t len = sizeof(err);
	ssize_t n;

	for (int flags = MSG_NOSIGNAL; flags >= 0;
		flags = flags & MSG_DONTWAIT ? -1 : flags | MSG_DONTWAIT) {
		tcp_pair(hosts[0], s);
		close(s[1]);
		n = send(s[0], much, sizeof(much), flags);
		ok(n > 0 && n < (ssize_t)sizeof(much), "a part is sent into the void");
		if (flags & MSG_DONTWAIT) {
			is(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &err, &len), 0);
			is(err, EPIPE);
		}
		is(send(s[0], "x", 1, flags), -EPIPE);
		close(s[0]);
	}
	tcp_pair(hosts[0], s);
	if (fork() == 0) {
		close(s[0]);
		poll(NULL, 0, 50);
		exit(0); /* with bytes unread: a reset */
	}
	close(s[1]);
	n = send(s[0], much, sizeof(much), MSG_NOSIGNAL);
	ok(n > 0 && n < (ssize_t)sizeof(much),
		"a reset ends a send that waits, with what was sent");
	is(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &err, &len), 0);
	is(err, ECONNRESET);
	is(send(s[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	close(s[0]);
	wait(NULL);
}

static void test_reset(void)
{
	struct linger hard = { 1, 0 };
	char c;
	int s[2];

	tcp_pair(hosts[0], s);
	is(write(s[0], "x", 1), 1);
	is(write(s[1], "yz", 2), 2);
	await(s[1], POLLIN);
	close(s[1]);
	ok(ready(s[0]) == (POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR),
		"closing with unread data resets");
	is(read(s[0], &c, 1), 1);
	is(read(s[0], &c, 1), 1);
	is(read(s[0], &c, 1), -ECONNRESET);
	is(read(s[0], &c, 1), 0);
	is(send(s[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	is(shutdown(s[0], SHUT_WR), -ENOTCONN);
	is_text(text_of(s[0], 1), "none", "the peer of a reset socket");
	close(s[0]);

	tcp_pair(hosts[0], s);
	is(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(s[0]);
	is(get_int(s[1], SOL_SOCKET, SO_ERROR), ECONNRESET);
	is(get_int(s[1], SOL_SOCKET, SO_ERROR), 0);
	is(read(s[1], &c, 1), 0);
	close(s[1]);
}

static volatile sig_atomic_t pipes;

static void count_pipe(int sig)
{
	(void)sig;
	pipes++;
}

static void test_unconnected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char c;

	ok(ready(fd) == (POLLOUT | POLLHUP), "a new socket is hung up");
	signal(SIGPIPE, count_pipe);
	is(write(fd, "x", 1), -EPIPE);
	ok(pipes == 1, "with SIGPIPE");
	is(send(fd, "x", 1, MSG_NOSIGNAL), -EPIPE);
	ok(pipes == 1, "without a signal");
	signal(SIGPIPE, SIG_DFL);
	is(read(fd, &c, 1), -ENOTCONN);
	is(shutdown(fd, SHUT_RDWR), -ENOTCONN);
	is(accept(fd, NULL, NULL), -EINVAL);
	is_text(text_of(fd, 0), "0.0.0.0", "name of an unbound socket");
	is_text(text_of(fd, 1), "none", "its peer");
	close(fd);
	is(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
	is(socket(AF_INET, 0, 0), -ESOCKTNOSUPPORT);
	is(socket(AF_INET, 11, 0), -EINVAL);
	is(socket(AF_INET, SOCK_SEQPACKET, 0), -ESOCKTNOSUPPORT);
	is(socket(77, SOCK_STREAM, 0), -EAFNOSUPPORT);
	is(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0, 0 }), -EOPNOTSUPP);
}

static void test_refused(const char *host)
{
	int l = listener(host, 1), fd, err;
	unsigned port = port_of(l);
	struct name n = name_of(host, port);

	close(l);
	is(dial(host, port), -ECONNREFUSED);
	fd = socket(n.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	is(connect(fd, &n.sa, n.len), -EINPROGRESS);
	ok((await(fd, POLLOUT) & (POLLOUT | POLLERR | POLLHUP)) == (POLLOUT | POLLERR | POLLHUP),
		"a refused attempt ends with an error");
	is_text(text_of(fd, 1), "none", "its peer");
	err = get_int(fd, SOL_SOCKET, SO_ERROR);
	is(err, ECONNREFUSED);
	close(fd);
	fd = socket(n.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	is(connect(fd, &n.sa, n.len), -EINPROGRESS);
	await(fd, POLLOUT);
	is(connect(fd, &n.sa, n.len), -ECONNREFUSED);
	close(fd);
	fd = socket(n.sa.sa_family, SOCK_STREAM, 0);
	is(connect(fd, &n.sa, n.len), -ECONNREFUSED);
	is(connect(fd, &n.sa, n.len), -ECONNREFUSED);
	is(get_int(fd, SOL_SOCKET, SO_ERROR), 0);
	close(fd);
}

static void test_nonblocking_connect(void)
{
	int l = listener(hosts[0], 5), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct name n = name_of(hosts[0], port_of(l)), from = { .len = sizeof(from.in) };
	int a;

	is(connect(fd, &n.sa, 1), -EINVAL);
	is(connect(fd, &n.sa, 8), -EINVAL);
	is(connect(fd, &n.sa, n.len), -EINPROGRESS);
	ok(await(fd, POLLOUT) == POLLOUT, "the attempt succeeds");
	is(get_int(fd, SOL_SOCKET, SO_ERROR), 0);
	is(connect(fd, &n.sa, n.len), 0);
	is(connect(fd, &n.sa, n.len), -EISCONN);
	ok(await(l, POLLIN) == POLLIN, "the listener is readable");
	a = accept4(l, &from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ok(a >= 0 && (fcntl(a, F_GETFL) & O_NONBLOCK) && (fcntl(a, F_GETFD) & FD_CLOEXEC),
		"accept4 sets the flags");
	ok(from.len == sizeof(from.in) && ntohs(from.in.sin_port) == port_of(fd),
		"and tells who it is");
	is(accept4(l, NULL, NULL, 1), -EINVAL);
	is(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	is(accept(l, NULL, NULL), -EAGAIN);
	is(listen(fd, 1), -EINVAL);
	is(connect(l, &n.sa, n.len), -EISCONN);
	is(get_int(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
	is(get_int(a, SOL_SOCKET, SO_ACCEPTCONN), 0);
	is(send(l, "x", 1, MSG_NOSIGNAL), -EPIPE);
	is(recv(l, &a, 1, 0), -ENOTCONN);
	close(a);
	close(fd);
	close(l);
}

/* More attempts than the backlog takes: they wait, and come through as connections are accepted. */
static void test_backlog(void)
{
	int l = listener(hosts[0], 1), fd[3], got = 0, connected = 0, a[3];
	struct name n = name_of(hosts[0], port_of(l));

	for (int i = 0; i < 3; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fd[i], &n.sa, n.len);
	}
	usleep(20000);
	for (int i = 0; i < 3; i++)
		connected += (ready(fd[i]) & POLLOUT) != 0;
	ok(connected == 2, "a backlog of one takes two connections");
	while (got < 3 && await(l, POLLIN))
		a[got++] = accept(l, NULL, NULL);
	connected = 0;
	for (int i = 0; i < 3; i++)
		connected += await(fd[i], POLLOUT) == POLLOUT;
	ok(got == 3 && connected == 3, "all of them come through");
	for (int i = 0; i < 3; i++) {
		close(fd[i]);
		close(a[i]);
	}
	close(l);
}

static void test_listener_close(void)
{
	int l = listener(hosts[0], 5), fd = dial(hosts[0], port_of(l));
	char c;

	close(l);
	is(read(fd, &c, 1), -ECONNRESET);
	close(fd);
	l = listener(hosts[0], 5);
	is(shutdown(l, SHUT_RDWR), 0);
	is(accept(l, NULL, NULL), -EINVAL);
	is(dial(hosts[0], port_of(l)), -ECONNREFUSED);
	is(listen(l, 5), 0);
	fd = dial(hosts[0], port_of(l));
	ok(fd >= 0, "a listener that was shut down listens again");
	close(fd);
	close(l);
}

static int bound(const char *host, unsigned port, int reuse, int reuseport, int v6only)
{
	struct name n = name_of(host, port);
	int fd = socket(n.sa.sa_family, SOCK_STREAM, 0), err;

	set_int(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
	set_int(fd, SOL_SOCKET, SO_REUSEPORT, reuseport);
	if (n.sa.sa_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	if (!bind(fd, &n.sa, n.len))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static void test_bind(void)
{
	struct name n = name_of("127.0.0.1", 0), outside = name_of("192.0.2.1", 0);
	int fd = bound("127.0.0.1", 0, 0, 0, 0), b;
	unsigned port = port_of(fd);

	ok(port >= 32768 && port <= 60999, "a free port is an ephemeral one");
	is(bind(fd, &n.sa, n.len), -EINVAL);
	is(bound("127.0.0.1", port, 0, 0, 0), -EADDRINUSE);
	is(bound("0.0.0.0", port, 0, 0, 0), -EADDRINUSE);
	is(bound("::", port, 0, 0, 0), -EADDRINUSE);
	b = bound("::", port, 0, 0, 1);
	ok(b >= 0, "a v6only wildcard is beside an IPv4 address");
	close(b);
	b = bound("127.0.0.2", port, 0, 0, 0);
	ok(b >= 0, "another address may have the same port");
	close(b);
	b = bound("::1", port, 0, 0, 0);
	ok(b >= 0, "and so may ::1");
	close(b);
	close(fd);
	fd = bound("127.0.0.1", port, 1, 0, 0);
	b = bound("127.0.0.1", port, 1, 0, 0);
	ok(fd >= 0 && b >= 0, "SO_REUSEADDR shares what nobody listens on");
	is(listen(fd, 5), 0);
	is(listen(b, 5), -EADDRINUSE);
	close(b);
	is(bound("127.0.0.1", port, 1, 0, 0), -EADDRINUSE);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	is(bind(fd, &outside.sa, outside.len), -EADDRNOTAVAIL);
	is(bind(fd, &n.sa, 8), -EINVAL);
	n.in.sin_family = AF_INET6;
	is(bind(fd, &n.sa, n.len), -EAFNOSUPPORT);
	close(fd);
	if (!fork()) {
		_exit(seteuid(1000) || bound("127.0.0.1", 999, 0, 0, 0) >= 0 || errno != EACCES);
	}
	b = -1;
	ok(wait(&b) > 0 && b == 0, "ports below 1024 want CAP_NET_BIND_SERVICE");
}

/* The name of a connection that ended here first stays in the way of bind, but not of one with SO_REUSEADDR. */
static void test_time_wait(void)
{
	int l = listener(hosts[0], 5), fd, a;
	unsigned port = port_of(l);
	char c;

	fd = dial(hosts[0], port);
	a = accept(l, NULL, NULL);
	close(l);
	is(bound(hosts[0], port, 0, 0, 0), -EADDRINUSE);
	close(a);
	is(read(fd, &c, 1), 0);
	close(fd);
	is(bound(hosts[0], port, 0, 0, 0), -EADDRINUSE);
	l = bound(hosts[0], 0, 1, 0, 0);
	port = port_of(l);
	listen(l, 5);
	fd = dial(hosts[0], port);
	a = accept(l, NULL, NULL);
	close(l);
	close(a);
	is(read(fd, &c, 1), 0);
	close(fd);
	is(bound(hosts[0], port, 0, 0, 0), -EADDRINUSE);
	fd = bound(hosts[0], port, 1, 0, 0);
	ok(fd >= 0 && !listen(fd, 1), "a server with SO_REUSEADDR starts again at once");
	close(fd);
}

static void test_reuseport(void)
{
	int l[2], hits[2] = { 0, 0 };
	unsigned port;

	l[0] = bound(hosts[0], 0, 0, 1, 0);
	port = port_of(l[0]);
	l[1] = bound(hosts[0], port, 0, 1, 0);
	ok(l[1] >= 0 && !listen(l[0], 64) && !listen(l[1], 64), "SO_REUSEPORT: two listen");
	is(bound(hosts[0], port, 1, 0, 0), -EADDRINUSE);
	for (int i = 0; i < 64; i++)
		close(dial(hosts[0], port));
	for (int i = 0; i < 2; i++) {
		while (await(l[i], POLLIN) && hits[i] < 64) {
			close(accept(l[i], NULL, NULL));
			hits[i]++;
			if (hits[0] + hits[1] == 64 || !(ready(l[i]) & POLLIN))
				break;
		}
		close(l[i]);
	}
	ok(hits[0] + hits[1] == 64 && hits[0] && hits[1], "and share the connections");
}

static void test_dual_stack(void)
{
	int l = listener("::", 5), fd, a, v6;
	struct name n;

	fd = dial("127.0.0.1", port_of(l));
	a = accept(l, NULL, NULL);
	ok(fd >= 0 && a >= 0, "a wildcard of IPv6 hears IPv4");
	is_text(text_of(a, 1), "::ffff:127.0.0.1", "the peer's name");
	is_text(text_of(a, 0), "::ffff:127.0.0.1", "its own name");
	close(fd);
	close(a);
	fd = dial("::1", port_of(l));
	a = accept(l, NULL, NULL);
	is_text(text_of(a, 1), "::1", "the peer of IPv6");
	close(fd);
	close(a);
	n = name_of("::ffff:127.0.0.1", port_of(l));
	v6 = socket(AF_INET6, SOCK_STREAM, 0);
	is(connect(v6, &n.sa, n.len), 0);
	is_text(text_of(v6, 0), "::ffff:127.0.0.1", "a mapped address from an IPv6 socket");
	close(v6);
	v6 = socket(AF_INET6, SOCK_STREAM, 0);
	is(set_int(v6, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	is(get_int(v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	is(connect(v6, &n.sa, n.len), -ENETUNREACH);
	n = name_of("::", 0);
	is(bind(v6, &n.sa, n.len), 0);
	is(set_int(v6, IPPROTO_IPV6, IPV6_V6ONLY, 0), -EINVAL);
	is(listen(v6, 1), 0);
	is(dial("127.0.0.1", port_of(v6)), -ECONNREFUSED);
	close(v6);
	fd = dial("0.0.0.0", port_of(l));
	is_text(text_of(fd, 1), "127.0.0.1", "a wildcard destination is loopback");
	close(fd);
	fd = dial("127.1.2.3", port_of(l));
	is_text(text_of(fd, 0), "127.0.0.1", "the source for another address of loopback");
	close(fd);
	close(l);
}

/* Fills a connection to the brim; the bytes are those that arrive. */
static void test_full(void)
{
	static char buf[65536], back[65536];
	struct pollfd p;
	int s[2], bad = 0;
	long sent = 0, got = 0, n;

	tcp_pair(hosts[0], s);
	fcntl(s[0], F_SETFL, O_NONBLOCK);
	for (;;) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (char)((sent + (long)i) * 31 >> 3);
		n = write(s[0], buf, sizeof(buf));
		if (n < 0)
			break;
		sent += n;
	}
	ok(n == -1 && errno == EAGAIN && sent >= 65536, "a connection takes so much and no more");
	ok(!(ready(s[0]) & POLLOUT), "it is not writable then");
	p = (struct pollfd){ .fd = s[1], .events = POLLIN };
	while (got < sent && poll(&p, 1, 5000) == 1) {
		n = read(s[1], back, sizeof(back));
		for (long i = 0; i < n; i++)
			bad += back[i] != (char)((got + i) * 31 >> 3);
		got += n;
	}
	ok(got == sent && !bad, "all bytes arrive");
	ok(await(s[0], POLLOUT) == POLLOUT, "it is writable again");
	close(s[0]);
	close(s[1]);
}

static void *late_writer(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 5; i++) {
		usleep(5000);
		if (write(fd, "0123456789", 10) != 10)
			break;
	}
	return NULL;
}

static void test_wait(void)
{
	struct timeval tv = { 0, 20000 };
	char buf[64];
	pthread_t t;
	int s[2], l;

	tcp_pair(hosts[1], s);
	pthread_create(&t, NULL, late_writer, &s[0]);
	is(recv(s[1], buf, 50, MSG_WAITALL), 50);
	pthread_join(t, NULL);
	is(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	is(read(s[1], buf, 1), -EAGAIN);
	is(write(s[0], "abc", 3), 3);
	is(recv(s[1], buf, 50, MSG_WAITALL), 3);
	is(set_int(s[1], SOL_SOCKET, SO_RCVLOWAT, 4), 0);
	is(write(s[0], "abc", 3), 3);
	ok(!(ready(s[1]) & POLLIN), "less than SO_RCVLOWAT is not readable");
	is(write(s[0], "d", 1), 1);
	ok(await(s[1], POLLIN) == POLLIN, "as much is");
	close(s[0]);
	close(s[1]);
	l = listener(hosts[0], 1);
	is(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	is(accept(l, NULL, NULL), -EAGAIN);
	close(l);
}

static void test_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int ep = epoll_create1(0), s[2];
	char c;

	tcp_pair(hosts[0], s);
	is(epoll_ctl(ep, EPOLL_CTL_ADD, s[1], &ev), 0);
	is(epoll_wait(ep, &ev, 1, 1000), 1);
	ok(ev.events == EPOLLOUT, "writable first");
	is(epoll_wait(ep, &ev, 1, 0), 0);
	is(write(s[0], "x", 1), 1);
	is(epoll_wait(ep, &ev, 1, 1000), 1);
	ok(ev.events == (EPOLLIN | EPOLLOUT), "an edge for each arrival");
	is(epoll_wait(ep, &ev, 1, 0), 0);
	is(read(s[1], &c, 1), 1);
	is(shutdown(s[0], SHUT_WR), 0);
	is(epoll_wait(ep, &ev, 1, 1000), 1);
	ok(ev.events == (EPOLLIN | EPOLLOUT | EPOLLRDHUP), "EPOLLRDHUP");
	close(s[0]);
	close(s[1]);
	close(ep);
}

static void test_options(void)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	char name[16] = "";
	int s[2];

	tcp_pair(hosts[0], s);
	is(get_int(s[0], SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	is(get_int(s[0], SOL_SOCKET, SO_DOMAIN), AF_INET);
	is(get_int(s[0], SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	is(get_int(s[0], IPPROTO_TCP, TCP_NODELAY), 0);
	is(set_int(s[0], IPPROTO_TCP, TCP_NODELAY, 7), 0);
	is(get_int(s[0], IPPROTO_TCP, TCP_NODELAY), 1);
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 1), 0);
	is(get_int(s[0], IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	is(get_int(s[0], IPPROTO_TCP, TCP_KEEPINTVL), 75);
	is(get_int(s[0], IPPROTO_TCP, TCP_KEEPCNT), 9);
	is(set_int(s[0], IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
	is(get_int(s[0], IPPROTO_TCP, TCP_KEEPIDLE), 10);
	is(set_int(s[0], IPPROTO_TCP, TCP_KEEPIDLE, 0), -EINVAL);
	is(set_int(s[0], IPPROTO_TCP, TCP_KEEPCNT, 128), -EINVAL);
	is(set_int(s[0], IPPROTO_TCP, TCP_USER_TIMEOUT, -1), -EINVAL);
	is(set_int(s[0], IPPROTO_TCP, 999, 1), -ENOPROTOOPT);
	is(set_int(s[0], IPPROTO_IPV6, IPV6_V6ONLY, 1), -ENOPROTOOPT);
	is(setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, name, 1), -EINVAL);
	is(set_int(s[0], SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	is(get_int(s[0], SOL_SOCKET, SO_KEEPALIVE), 1);
	is(get_int(s[0], IPPROTO_IP, IP_TTL), 64);
	is(set_int(s[0], IPPROTO_IP, IP_TTL, 0), -EINVAL);
	is(set_int(s[0], IPPROTO_IP, IP_TTL, 9), 0);
	is(get_int(s[0], IPPROTO_IP, IP_TTL), 9);
	is(set_int(s[0], IPPROTO_IP, IP_TOS, 0x10), 0);
	is(get_int(s[0], IPPROTO_IP, IP_TOS), 0x10);
	is(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	ok(info.tcpi_state == TCP_ESTABLISHED, "TCP_INFO says ESTABLISHED");
	shutdown(s[1], SHUT_WR);
	len = sizeof(info);
	getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &len);
	ok(info.tcpi_state == TCP_CLOSE_WAIT, "and CLOSE_WAIT after the peer's FIN");
	len = 4;
	is(setsockopt(s[0], IPPROTO_TCP, TCP_CONGESTION, "nope", 4), -ENOENT);
	is(setsockopt(s[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	len = sizeof(name);
	is(getsockopt(s[0], IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	is_text(name, "reno", "congestion control");
	is(set_int(s[0], SOL_SOCKET, SO_RCVBUF, 20000), 0);
	is(get_int(s[0], SOL_SOCKET, SO_RCVBUF), 40000);
	close(s[0]);
	close(s[1]);
}

/* What a listener was told holds for what it accepts. */
static void test_inherit(void)
{
	int l = listener(hosts[0], 5), fd, a;

	set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(l, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(l, IPPROTO_TCP, TCP_KEEPIDLE, 33);
	set_int(l, SOL_SOCKET, SO_RCVBUF, 30000);
	fd = dial(hosts[0], port_of(l));
	a = accept(l, NULL, NULL);
	is(get_int(a, SOL_SOCKET, SO_KEEPALIVE), 1);
	is(get_int(a, IPPROTO_TCP, TCP_NODELAY), 1);
	is(get_int(a, IPPROTO_TCP, TCP_KEEPIDLE), 33);
	is(get_int(a, SOL_SOCKET, SO_RCVBUF), 60000);
	close(a);
	close(fd);
	close(l);
}

static void test_moves(void)
{
	struct iovec iov[2] = { { (char[]){ "ab" }, 2 }, { (char[]){ "cde" }, 3 } };
	struct mmsghdr mm[3];
	char buf[3][8], line[16];
	int s[2], p[2], f;

	tcp_pair(hosts[0], s);
	is(writev(s[0], iov, 2), 5);
	is(read(s[1], line, sizeof(line)), 5);
	scratch();
	f = open("file", O_RDWR | O_CREAT, 0600);
	is(write(f, "contents", 8), 8);
	lseek(f, 0, SEEK_SET);
	is(sendfile(s[0], f, NULL, 8), 8);
	is(read(s[1], line, sizeof(line)), 8);
	ok(!memcmp(line, "contents", 8), "sendfile sends the file");
	is(pipe(p), 0);
	is(write(s[0], "spliced", 7), 7);
	is(splice(s[1], NULL, p[1], NULL, 16, 0), 7);
	is(splice(p[0], NULL, s[1], NULL, 7, 0), 7);
	is(read(s[0], line, sizeof(line)), 7);
	ok(!memcmp(line, "spliced", 7), "splice there and back");
	memset(mm, 0, sizeof(mm));
	for (int i = 0; i < 3; i++) {
		static struct iovec one[3];

		one[i] = (struct iovec){ buf[i], 4 };
		memcpy(buf[i], "1234", 4);
		mm[i].msg_hdr.msg_iov = &one[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	is(sendmmsg(s[0], mm, 3, 0), 3);
	is(recv(s[1], line, 12, MSG_PEEK | MSG_WAITALL), 12);
	is(recvmmsg(s[1], mm, 3, MSG_WAITFORONE, NULL), 3);
	is(lseek(s[0], 0, SEEK_SET), -ESPIPE);
	unlink("file");
	close(f);
	close(p[0]);
	close(p[1]);
	close(s[0]);
	close(s[1]);
}

/* A server with several processes that wait in accept, and clients from another: every request is answered once. */
static void serve(int l, int requests)
{
	for (int i = 0; i < requests; i++) {
		int a = accept(l, NULL, NULL);
		char buf[16];
		long n = read(a, buf, sizeof(buf));

		if (n > 0 && write(a, buf, (size_t)n) != n)
			_exit(1);
		close(a);
	}
	_exit(0);
}

static void test_processes(void)
{
	int l = listener(hosts[0], 64), status, good = 0, done = 0;
	unsigned port = port_of(l);

	for (int i = 0; i < 4; i++) {
		if (!fork())
			serve(l, 50);
	}
	for (int i = 0; i < 200; i++) {
		char out[16], in[16] = "";
		int fd = dial(hosts[0], port);

		snprintf(out, sizeof(out), "request %d", i);
		if (write(fd, out, sizeof(out)) == sizeof(out) && read(fd, in, sizeof(in)) > 0)
			good += !strcmp(in, out);
		close(fd);
	}
	for (int i = 0; i < 4; i++)
		done += wait(&status) > 0 && status == 0;
	ok(good == 200 && done == 4, "four processes answer two hundred requests");
	close(l);
}

int main(void)
{
	for (int i = 0; i < 2; i++) {
		test_stream(hosts[i]);
		test_refused(hosts[i]);
	}
	test_half_close();
	test_closed_peer();
	test_much_to_closed_peer();
	test_reset();
	test_unconnected();
	test_nonblocking_connect();
	test_backlog();
	test_listener_close();
	test_bind();
	test_time_wait();
	test_reuseport();
	test_dual_stack();
	test_full();
	test_wait();
	test_epoll();
	test_options();
	test_inherit();
	test_moves();
	test_processes();
	return tap_end();
}
