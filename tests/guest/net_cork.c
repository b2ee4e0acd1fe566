/* SPDX-License-Identifier: Apache-2.0 */
/* TCP_CORK and MSG_MORE: what is held back, and what lets it go. */
#define _GNU_SOURCE
#include <linux/sockios.h>
#include <pthread.h>
#include <time.h>

#include "net_tap.h"

static char big[1 << 20];

static int arrives(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms);
}

static int number(int fd, unsigned long what)
{
	int n = -1;

	return ioctl(fd, what, &n) ? -errno : n;
}

static void test_more(const char *host)
{
	char buf[8];
	int s[2];

	tcp_pair(host, s);
	is(send(s[0], "a", 1, MSG_MORE), 1);
	is(arrives(s[1], 20), 0);
	is(number(s[1], FIONREAD), 0);
	is(number(s[0], SIOCOUTQ), 1);
	is(recv(s[1], buf, 8, MSG_DONTWAIT), -EAGAIN);
	is(send(s[0], "b", 1, 0), 1);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 2);
	ok(!memcmp(buf, "ab", 2), "both come together");
	/* Not for ever. */
	is(send(s[0], "c", 1, MSG_MORE), 1);
	is(arrives(s[1], 50), 0);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 1);
	close(s[0]);
	close(s[1]);
}

static void test_cork(void)
{
	char buf[8];
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 1), 0);
	is(send(s[0], "a", 1, 0), 1);
	is(send(s[0], "b", 1, 0), 1);
	is(arrives(s[1], 20), 0);
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 0), 0);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 2);
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 1), 0);
	is(send(s[0], "c", 1, 0), 1);
	is(arrives(s[1], 20), 0);
	is(set_int(s[0], IPPROTO_TCP, TCP_NODELAY, 1), 0);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 1);
	is(send(s[0], "d", 1, 0), 1);
	is(arrives(s[1], 20), 0);
	is(shutdown(s[0], SHUT_WR), 0);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 1);
	is(recv(s[1], buf, 8, 0), 0);
	close(s[0]);
	close(s[1]);
}

static void test_close(void)
{
	char buf[8];
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(send(s[0], "abc", 3, MSG_MORE), 3);
	is(close(s[0]), 0);
	is(recv(s[1], buf, 8, MSG_WAITALL), 3);
	is(recv(s[1], buf, 8, 0), 0);
	close(s[1]);
}

/* Whole segments go out. */
static void test_segments(void)
{
	ssize_t got = 0, n;
	int s[2];

	tcp_pair("127.0.0.1", s);
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 1), 0);
	is(send(s[0], big, 200001, 0), 200001);
	is(arrives(s[1], 5000), 1);
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 0), 0);
	while (got < 200001 && (n = recv(s[1], big, sizeof(big), 0)) > 0)
		got += n;
	is(got, 200001);
	close(s[0]);
	close(s[1]);
}

static void *writer(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 4; i++)
		send(fd, big, sizeof(big), MSG_MORE);
	return NULL;
}

/* A writer that waits for room does not wait for itself. */
static void test_full(void)
{
	static char in[1 << 16];
	ssize_t got = 0, n;
	pthread_t t;
	int s[2];

	tcp_pair("127.0.0.1", s);
	pthread_create(&t, NULL, writer, &s[0]);
	while (got < 4 << 20 && (n = recv(s[1], in, sizeof(in), 0)) > 0)
		got += n;
	is(got, 4 << 20);
	pthread_join(t, NULL);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	test_more("127.0.0.1");
	test_more("::1");
	test_cork();
	test_close();
	test_segments();
	test_full();
	return tap_end();
}
