/* SPDX-License-Identifier: Apache-2.0 */
/* connect to nothing (AF_UNSPEC) dissolves a TCP connection; IPV6_ADDRFORM turns a socket of IPv6 into one of IPv4. */
#define _GNU_SOURCE
#include <pthread.h>

#include "net_tap.h"

static int leave(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none)) ? errno : 0;
}

static int again(int fd, const char *host, unsigned port)
{
	struct name n = name_of(host, port);

	return connect(fd, &n.sa, n.len) ? errno : 0;
}

static int so_error(int fd)
{
	return get_int(fd, SOL_SOCKET, SO_ERROR);
}

/* What recv without waiting says: bytes, or -errno. */
static int got(int fd)
{
	char buf[16];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	return n < 0 ? -errno : (int)n;
}

static int sent(int fd)
{
	return send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? -errno : 1;
}

static void test_both_ends(const char *host)
{
	int s[2];

	tcp_pair(host, s);
	ok(sent(s[1]) == 1 && leave(s[0]) == 0, "a connection is left");
	ok(ready(s[0]) == (POLLERR | POLLHUP | POLLOUT), "as poll sees it");
	ok(so_error(s[0]) == ECONNRESET && so_error(s[0]) == 0, "its error is told once");
	ok(ready(s[0]) == (POLLHUP | POLLOUT), "and poll sees none");
	ok(got(s[0]) == -ENOTCONN && sent(s[0]) == -EPIPE, "nothing is read, nothing sent");
	is_text(text_of(s[0], 1), "none", "no peer");
	is_text(text_of(s[0], 0), strchr(host, ':') ? "::" : "0.0.0.0", "no address");
	ok(got(s[1]) == -ECONNRESET && got(s[1]) == 0 && sent(s[1]) == -EPIPE,
		"the peer sees a reset");
	ok(leave(s[1]) == 0 && so_error(s[1]) == 0, "and leaves what was reset");
	ok(shutdown(s[0], SHUT_RDWR) == -1 && errno == ENOTCONN, "no shutdown");
	close(s[0]);
	close(s[1]);
}

static void test_again(const char *host)
{
	int l = listener(host, 5), c = dial(host, port_of(l)), a = accept(l, NULL, NULL), b;

	for (int i = 0; i < 3; i++) {
		ok(sent(a) == 1 && leave(c) == 0 && again(c, host, port_of(l)) == 0,
			"left and made again");
		b = accept(l, NULL, NULL);
		ok(got(c) == -EAGAIN && sent(b) == 1 && await(c, POLLIN) == POLLIN && got(c) == 1 &&
				sent(c) == 1 && got(b) == 1,
			"with nothing of the old one");
		ok(got(a) == -ECONNRESET, "which is reset");
		close(a);
		a = b;
	}
	ok(leave(c) == 0 && got(c) == -ECONNRESET && got(c) == -ENOTCONN,
		"recv tells the error once");
	close(a);
	close(c);
	close(l);
}

static void test_after_shutdown(void)
{
	int s[2];

	tcp_pair("127.0.0.1", s);
	shutdown(s[0], SHUT_WR);
	ok(leave(s[0]) == 0 && so_error(s[0]) == ECONNRESET, "left after a shutdown");
	ok(got(s[1]) == 0, "the peer saw the end before");
	close(s[0]);
	close(s[1]);
	tcp_pair("127.0.0.1", s);
	shutdown(s[0], SHUT_WR);
	shutdown(s[1], SHUT_WR);
	ok(got(s[0]) == 0 && got(s[1]) == 0 && leave(s[0]) == 0 && so_error(s[0]) == 0,
		"left when both had ended");
	close(s[0]);
	close(s[1]);
}

/* One end of a connection becomes a listener of its own. */
static void test_listens(void)
{
	int s[2], c, a;

	tcp_pair("127.0.0.1", s);
	ok(leave(s[0]) == 0 && listen(s[0], 2) == 0, "what was left listens");
	c = dial("127.0.0.1", port_of(s[0]));
	a = accept(s[0], NULL, NULL);
	ok(c >= 0 && a >= 0 && sent(c) == 1 && got(a) == 1, "and is connected to");
	ok(leave(s[0]) == 0 && accept(s[0], NULL, NULL) == -1 && errno == EINVAL,
		"until it is left again");
	ok(sent(c) == 1 && got(a) == 1, "what it accepted goes on");
	close(a);
	close(c);
	close(s[0]);
	close(s[1]);
}

/* The name that bind gave stays. */
static void test_bound(void)
{
	struct name n = name_of("127.0.0.5", 0);
	int l = listener("127.0.0.1", 5), c = socket(AF_INET, SOCK_STREAM, 0), a;
	unsigned port;

	bind(c, &n.sa, n.len);
	port = port_of(c);
	ok(again(c, "127.0.0.1", port_of(l)) == 0 && leave(c) == 0, "a bound socket");
	is_text(text_of(c, 0), "127.0.0.5", "keeps its address");
	a = accept(l, NULL, NULL);
	ok(again(c, "127.0.0.1", port_of(l)) == 0 && port != 0, "and is connected again");
	close(accept(l, NULL, NULL));
	close(a);
	close(c);
	close(l);
}

/* ---- several threads ---- */

static int busy_fd;
static volatile int busy_stop;

static void *busy(void *arg)
{
	while (!busy_stop) {
		ready(busy_fd);
		got(busy_fd);
		sent(busy_fd);
		so_error(busy_fd);
	}
	return arg;
}

static void test_threads(void)
{
	int l = listener("127.0.0.1", 5), bad = 0, left = 0;
	unsigned port = port_of(l);
	pthread_t th[2];

	fcntl(l, F_SETFL, O_NONBLOCK);
	busy_fd = socket(AF_INET, SOCK_STREAM, 0);
	for (int i = 0; i < 2; i++)
		pthread_create(&th[i], NULL, busy, NULL);
	for (int i = 0; i < 200; i++) {
		int r = again(busy_fd, "127.0.0.1", port), a;

		bad += r != 0 && r != EISCONN && r != ECONNRESET && r != EALREADY;
		while ((a = accept(l, NULL, NULL)) >= 0)
			close(a);
		r = leave(busy_fd);
		left += r == 0;
		bad += r != 0 && r != EBUSY;
	}
	busy_stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(th[i], NULL);
	ok(!bad && left > 0, "left and made again while others use it");
	close(busy_fd);
	close(l);
}

/* ---- IPV6_ADDRFORM ---- */

static int to_v4(int fd)
{
	return set_int(fd, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET) ? errno : 0;
}

static void test_addrform_rules(void)
{
	int l = listener("::", 5), fd = socket(AF_INET6, SOCK_STREAM, 0), v = AF_INET;

	ok(to_v4(fd) == ENOTCONN && get_int(fd, IPPROTO_IPV6, IPV6_ADDRFORM) == -ENOTCONN,
		"IPV6_ADDRFORM without a connection");
	close(fd);
	fd = dial("::1", port_of(l));
	ok(to_v4(fd) == EADDRNOTAVAIL, "with one of IPv6");
	ok(set_int(fd, IPPROTO_IPV6, IPV6_ADDRFORM, AF_INET6) == -1 && errno == EINVAL, "to IPv6");
	ok(setsockopt(fd, IPPROTO_IPV6, IPV6_ADDRFORM, &v, 3) == -1 && errno == EINVAL, "short");
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ok(to_v4(fd) == ENOPROTOOPT, "on a socket of IPv4");
	close(fd);
	close(l);
}

static void test_addrform(void)
{
	struct name n = name_of("::ffff:127.0.0.1", 0);
	int l = listener("::", 5), fd, a;

	n.in6.sin6_port = htons((unsigned short)port_of(l));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	ok(connect(fd, &n.sa, n.len) == 0 && get_int(fd, IPPROTO_IPV6, IPV6_ADDRFORM) == AF_INET6,
		"connected to a mapped address");
	a = accept(l, NULL, NULL);
	ok(to_v4(fd) == 0 && get_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET, "it is of IPv4 now");
	is_text(text_of(fd, 0), "127.0.0.1", "its name");
	is_text(text_of(fd, 1), "127.0.0.1", "the peer's");
	ok(sent(fd) == 1 && got(a) == 1 && to_v4(fd) == ENOPROTOOPT, "the connection goes on");
	ok(leave(fd) == 0, "and is left");
	is_text(text_of(fd, 0), "0.0.0.0", "for a name of IPv4");
	n = name_of("127.0.0.1", 0);
	ok(bind(fd, &n.sa, n.len) == 0 && listen(fd, 2) == 0, "that can be bound");
	close(a);
	a = dial("127.0.0.1", port_of(fd));
	ok(a >= 0 && sent(a) == 1, "and listens");
	close(a);
	a = accept(fd, NULL, NULL);
	ok(a >= 0 && got(a) == 1 && get_int(a, SOL_SOCKET, SO_DOMAIN) == AF_INET, "for IPv4");
	close(a);
	close(fd);
	close(l);
}

static void test_addrform_udp(void)
{
	struct name n = name_of("::ffff:127.0.0.1", 9), six = name_of("::1", 9);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	ok(to_v4(fd) == ENOTCONN, "UDP without a peer");
	ok(connect(fd, &six.sa, six.len) == 0 && to_v4(fd) == EADDRNOTAVAIL, "with one of IPv6");
	ok(connect(fd, &n.sa, n.len) == 0 && to_v4(fd) == 0, "with one of IPv4");
	is_text(text_of(fd, 1), "127.0.0.1", "the peer");
	close(fd);
}

int main(void)
{
	test_both_ends("127.0.0.1");
	test_both_ends("::1");
	test_again("127.0.0.1");
	test_again("::1");
	test_after_shutdown();
	test_listens();
	test_bound();
	test_threads();
	test_addrform_rules();
	test_addrform();
	test_addrform_udp();
	return tap_end();
}
