/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets under load from several threads: streams keep their bytes, connections come and go, ends close while the other side works. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "net_tap.h"

#define STREAM_BYTES (4L << 20)
#define STORM	     400

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 8;
}

static unsigned char pattern(long pos)
{
	return (unsigned char)(pos * 131 >> 4);
}

static void *stream_writer(void *arg)
{
	unsigned char buf[20000];
	int fd = *(int *)arg;
	unsigned seed = (unsigned)fd;
	long sent = 0;

	while (sent < STREAM_BYTES) {
		long n = 1 + next_random(&seed) % sizeof(buf);

		for (long i = 0; i < n; i++)
			buf[i] = pattern(sent + i);
		n = write(fd, buf, (size_t)n);
		if (n <= 0)
			break;
		sent += n;
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static long read_all(int fd)
{
	unsigned char buf[30000];
	unsigned seed = (unsigned)fd;
	long got = 0, n, bad = 0;

	while ((n = read(fd, buf, 1 + next_random(&seed) % sizeof(buf))) > 0) {
		for (long i = 0; i < n; i++)
			bad += buf[i] != pattern(got + i);
		got += n;
	}
	return bad ? -bad : got;
}

/* Both directions of three connections at once. */
static void test_streams(void)
{
	pthread_t t[6];
	int s[6];
	long good = 0;

	for (int i = 0; i < 6; i += 2)
		tcp_pair(i ? "127.0.0.1" : "::1", s + i);
	for (int i = 0; i < 6; i++)
		pthread_create(&t[i], NULL, stream_writer, &s[i]);
	for (int i = 0; i < 6; i++) {
		int from = i ^ 1;
		pid_t pid = fork();

		if (!pid)
			_exit(read_all(s[from]) < STREAM_BYTES);
	}
	for (int i = 0; i < 6; i++) {
		int status;

		good += wait(&status) > 0 && status == 0;
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(t[i], NULL);
		close(s[i]);
	}
	ok(good == 6, "six streams arrive as they were sent");
}

static int storm_listener;
static unsigned storm_port;

static void *storm_client(void *arg)
{
	long good = 0;

	(void)arg;
	for (int i = 0; i < STORM; i++) {
		int fd = dial("127.0.0.1", storm_port);
		char c = (char)i, back;

		good += fd >= 0 && write(fd, &c, 1) == 1 && read(fd, &back, 1) == 1 && back == c;
		close(fd);
	}
	return (void *)good;
}

static void *storm_server(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(storm_listener, NULL, NULL);
		char c;

		if (fd < 0)
			return NULL;
		if (read(fd, &c, 1) == 1 && write(fd, &c, 1) != 1)
			perror("write");
		close(fd);
	}
}

static void test_storm(void)
{
	pthread_t server[3], client[3];
	long good = 0;

	storm_listener = listener("127.0.0.1", 16);
	storm_port = port_of(storm_listener);
	for (int i = 0; i < 3; i++) {
		pthread_create(&server[i], NULL, storm_server, NULL);
		pthread_create(&client[i], NULL, storm_client, NULL);
	}
	for (int i = 0; i < 3; i++) {
		void *n;

		pthread_join(client[i], &n);
		good += (long)n;
	}
	shutdown(storm_listener, SHUT_RDWR);
	for (int i = 0; i < 3; i++)
		pthread_join(server[i], NULL);
	close(storm_listener);
	ok(good == 3 * STORM, "every short connection is answered");
}

static void *abrupt_writer(void *arg)
{
	static char buf[5000];
	int fd = *(int *)arg;

	while (send(fd, buf, sizeof(buf), MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

/* The reader goes at a moment of its own: the writer, asleep or copying, ends with an error. */
static void test_abrupt(void)
{
	unsigned seed = 1;
	int i;

	for (i = 0; i < 150; i++) {
		char buf[3000];
		pthread_t t;
		int s[2];

		tcp_pair("127.0.0.1", s);
		pthread_create(&t, NULL, abrupt_writer, &s[0]);
		for (unsigned n = next_random(&seed) % 40; n; n--) {
			if (read(s[1], buf, sizeof(buf)) < 0)
				break;
		}
		close(s[1]);
		pthread_join(t, NULL);
		close(s[0]);
	}
	ok(i == 150, "writers survive readers that close");
}

static void *dial_forever(void *arg)
{
	unsigned *port = arg;

	for (int i = 0; i < 300; i++) {
		int fd = dial("127.0.0.1", __atomic_load_n(port, __ATOMIC_RELAXED));

		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

/* Listeners that go while others connect to them. */
static void test_listeners(void)
{
	unsigned port = 1;
	pthread_t t[2];
	int i;

	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, dial_forever, &port);
	for (i = 0; i < 200; i++) {
		int l = listener("127.0.0.1", i % 3), a;

		__atomic_store_n(&port, port_of(l), __ATOMIC_RELAXED);
		fcntl(l, F_SETFL, O_NONBLOCK);
		sched_yield();
		a = accept(l, NULL, NULL);
		if (a >= 0)
			close(a);
		close(l);
	}
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ok(i == 2, "listeners come and go");
}

static void *datagram_sender(void *arg)
{
	unsigned port = *(unsigned *)arg;
	struct name n = name_of("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	long data[2] = { (long)pthread_self(), 0 };

	for (; data[1] < 2000; data[1]++)
		sendto(fd, data, sizeof(data), 0, &n.sa, n.len);
	close(fd);
	return NULL;
}

/* Some may be dropped; those that come are whole, and in order for each sender. */
static void test_datagrams(void)
{
	struct name n = name_of("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), got = 0, bad = 0;
	long data[4], last[2] = { -1, -1 }, who[2] = { 0, 0 };
	pthread_t t[2];
	unsigned port;

	bind(fd, &n.sa, n.len);
	port = port_of(fd);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, datagram_sender, &port);
	while (got < 200 && await(fd, POLLIN)) {
		long r = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		int w;

		if (r < 0)
			continue;
		w = data[0] == who[0] || !who[0] ? 0 : 1;
		who[w] = data[0];
		bad += r != 16 || data[1] <= last[w];
		last[w] = data[1];
		got++;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	close(fd);
	ok(got == 200 && !bad, "datagrams stay whole and in order");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_streams();
	test_storm();
	test_abrupt();
	test_listeners();
	test_datagrams();
	return tap_end();
}
