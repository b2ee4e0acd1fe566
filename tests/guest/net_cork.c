/* SPDX-License-Identifier: Apache-2.0 */
/* TCP_CORK and MSG_MORE: what is held back, and what lets it go. */
#define _GNU_SOURCE
#include <linux/sockios.h>
#include <pthread.h>
#include <stdbool.h>
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

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double sent_at;

static ssize_t send_held(int fd, const char *byte, int flags)
{
	sent_at = seconds();
	return send(fd, byte, 1, flags);
}

/* Nothing comes within 20 ms of the 200 for which a byte is held back; a machine that stood still meanwhile says nothing about it. */
static bool held(int fd)
{
	return arrives(fd, 20) == 0 || seconds() - sent_at > 0.15;
}

/* A connection on which a byte has just been held back. */
static void pair_that_holds(const char *host, int s[2])
{
	for (int tries = 0; tries < 50; tries++) {
		tcp_pair(host, s);
		send_held(s[0], "a", MSG_MORE);
		if (arrives(s[1], 20) == 0 || seconds() - sent_at < 0.15)
			return;
		close(s[0]);
		close(s[1]);
	}
	tcp_pair(host, s);
	send_held(s[0], "a", MSG_MORE);
}

static void test_more(const char *host)
{
	char buf[8];
	int s[2];

	pair_that_holds(host, s);
	is(number(s[1], FIONREAD), 0);
	is(number(s[0], SIOCOUTQ), 1);
	is(recv(s[1], buf, 8, MSG_DONTWAIT), -EAGAIN);
	is(send(s[0], "b", 1, 0), 1);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 2);
	ok(!memcmp(buf, "ab", 2), "both come together");
	/* Not for ever. */
	is(send_held(s[0], "c", MSG_MORE), 1);
	ok(held(s[1]), "held back by MSG_MORE");
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
	is(send_held(s[0], "b", 0), 1);
	ok(held(s[1]), "held back by TCP_CORK");
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 0), 0);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 2);
	is(set_int(s[0], IPPROTO_TCP, TCP_CORK, 1), 0);
	is(send_held(s[0], "c", 0), 1);
	ok(held(s[1]), "held back until TCP_NODELAY");
	is(set_int(s[0], IPPROTO_TCP, TCP_NODELAY, 1), 0);
	is(arrives(s[1], 5000), 1);
	is(recv(s[1], buf, 8, 0), 1);
	is(send_held(s[0], "d", 0), 1);
	ok(held(s[1]), "held back until shutdown");
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
