/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the sentry's vsock sockets against the VMM's vsock device: both ends of the protocol are ours and must agree. */
#include <config.h>

#include <asm/poll.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arch.h"
#include "drivers/vsock.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "tests/lib/fake_machine.h"

#define PORT  1024u
#define TOTAL (100u << 20)

static struct vsock_listener *listener;
static int host_fd; /* what the host thread talks through */

static void setup(void)
{
	fake_machine_init();
	ck_assert_int_eq(vsock_init(fake_fdt()), 0);
	ck_assert_int_eq(vsock_listen(PORT, 4, &listener), 0);
	ck_assert_int_eq(vsock_start(), 0);
}

static void teardown(void)
{
	fake_machine_fini();
}

static s64 k_recv(struct vsock *s, void *buf, size_t len, u32 flags)
{
	struct iov iov;
	struct uio u;

	uio_init_kernel(&u, &iov, buf, len);
	return vsock_recv(s, &u, flags);
}

static s64 k_send(struct vsock *s, const void *buf, size_t len, u32 flags)
{
	struct iov iov;
	struct uio u;

	uio_init_kernel(&u, &iov, (void *)(uintptr_t)buf, len);
	return vsock_send(s, &u, flags);
}

/* Host side: blocking-looking calls on non-blocking sockets, for threads. */
static ssize_t h_read(int fd, void *buf, size_t len)
{
	ssize_t n;

	while ((n = read(fd, buf, len)) < 0)
		fake_yield();
	return n;
}

static void h_write(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void h_expect(int fd, const char *want)
{
	char buf[128];
	size_t n = 0;

	while (n < strlen(want)) {
		ssize_t r = h_read(fd, buf + n, strlen(want) - n);

		ck_assert_int_gt(r, 0);
		n += (size_t)r;
	}
	ck_assert_mem_eq(buf, want, n);
}

/* Connect to the guest and take the OK line. */
static int h_open(void)
{
	char c = 0;
	int fd = fake_vsock_connect();

	h_write(fd, "CONNECT 1024\n");
	while (c != '\n')
		ck_assert_int_eq(h_read(fd, &c, 1), 1);
	return fd;
}

static struct vsock *g_accept(void)
{
	struct vsock *s;

	ck_assert_int_eq(vsock_accept(listener, 0, &s), 0);
	return s;
}

static void run2(void (*guest)(void *), void (*host)(void *))
{
	fake_thread(guest, NULL);
	fake_thread(host, NULL);
	fake_expect(2);
	fake_run();
}

/* ---- small talk ---- */

static void talk_guest(void *arg)
{
	struct vsock *s = g_accept();
	char buf[64];

	ck_assert_int_eq(k_recv(s, buf, sizeof(buf), 0), 4);
	ck_assert_mem_eq(buf, "ping", 4);
	ck_assert_int_eq(k_send(s, "pong", 4, 0), 4);
	ck_assert_int_eq(k_recv(s, buf, sizeof(buf), 0), 0); /* end of file */
	vsock_put(s);
	fake_done();
}

static void talk_host(void *arg)
{
	int fd = h_open();
	char c;

	h_write(fd, "ping");
	h_expect(fd, "pong");
	shutdown(fd, SHUT_WR);
	ck_assert_int_eq(h_read(fd, &c, 1), 0);
	close(fd);
	fake_done();
}

START_TEST(ping_pong_and_end)
{
	run2(talk_guest, talk_host);
	/* Set-up and a handful of doorbells, not one a byte. */
	ck_assert_uint_lt(fake_exits, 20);
}
END_TEST

/* A client that comes before the driver is live waits. */
static void early_host(void *arg)
{
	h_expect(host_fd, "OK ");
	fake_done();
}

static void early_guest(void *arg)
{
	vsock_put(g_accept());
	fake_done();
}

START_TEST(client_before_the_guest_is_up)
{
	fake_machine_init();
	host_fd = fake_vsock_connect();
	h_write(host_fd, "CONNECT 1024\n");
	ck_assert_int_eq(vsock_init(fake_fdt()), 0);
	ck_assert_int_eq(vsock_listen(PORT, 4, &listener), 0);
	ck_assert_int_eq(vsock_listen(PORT, 4, &listener), -EADDRINUSE);
	ck_assert_int_eq(vsock_start(), 0);
	run2(early_guest, early_host);
	fake_machine_fini();
}
END_TEST

/* ---- refusals ---- */

static void nobody_host(void *arg)
{
	int fd = fake_vsock_connect();
	char c;

	h_write(fd, "CONNECT 99\n");
	ck_assert_int_eq(h_read(fd, &c, 1), 0);
	fake_done();
}

static void nobody_guest(void *arg)
{
	struct vsock *s;

	ck_assert_int_eq(vsock_connect(77, &s), -ECONNREFUSED);
	ck_assert_int_eq(vsock_accept(listener, VSOCK_NONBLOCK, &s), -EAGAIN);
	fake_done();
}

START_TEST(nobody_listens)
{
	run2(nobody_guest, nobody_host);
}
END_TEST

static void backlog_host(void *arg)
{
	int fd[6];
	int refused = 0;

	for (int i = 0; i < 6; i++) {
		fd[i] = fake_vsock_connect();
		h_write(fd[i], "CONNECT 1024\n");
	}
	for (int i = 0; i < 6; i++) {
		char c;

		refused += h_read(fd[i], &c, 1) == 0;
	}
	ck_assert_int_eq(refused, 2);
	fake_done();
}

START_TEST(backlog_is_bounded)
{
	fake_thread(backlog_host, NULL);
	fake_expect(1);
	fake_run();
}
END_TEST

/* ---- guest connects ---- */

static int l80;

static void out_guest(void *arg)
{
	struct vsock *s;
	char buf[16];

	ck_assert_int_eq(vsock_connect(80, &s), 0);
	ck_assert_int_eq(k_send(s, "hello", 5, 0), 5);
	ck_assert_int_eq(vsock_shutdown(s, VSOCK_SHUT_WR), 0);
	ck_assert_int_eq(k_send(s, "x", 1, 0), -EPIPE);
	ck_assert_int_eq(k_recv(s, buf, sizeof(buf), 0), 3);
	ck_assert_int_eq(k_recv(s, buf, sizeof(buf), 0), 0);
	vsock_put(s);
	fake_done();
}

static void out_host(void *arg)
{
	int fd;
	char c;

	while ((fd = accept4(l80, NULL, NULL, SOCK_NONBLOCK)) < 0)
		fake_yield();
	h_expect(fd, "hello");
	ck_assert_int_eq(h_read(fd, &c, 1), 0);
	h_write(fd, "bye");
	close(fd);
	fake_done();
}

START_TEST(guest_connects_to_host)
{
	l80 = fake_vsock_bind_port(80);
	run2(out_guest, out_host);
}
END_TEST

/* ---- bulk ---- */

static u32 pattern(u32 i)
{
	return i * 2654435761u ^ i >> 7;
}

static void bulk_out_guest(void *arg)
{
	static u32 block[12345];
	struct vsock *s = g_accept();
	u32 sent = 0;

	while (sent < TOTAL) {
		u32 n = MIN(TOTAL - sent, (u32)sizeof(block));

		for (u32 i = 0; i < n / 4; i++)
			block[i] = pattern(sent / 4 + i);
		ck_assert_int_eq(k_send(s, block, n, 0), n);
		sent += n;
	}
	vsock_shutdown(s, VSOCK_SHUT_RD | VSOCK_SHUT_WR);
	ck_assert_int_eq(vsock_drain(s, clock_monotonic() + 10 * NSEC_PER_SEC), 0);
	vsock_put(s);
	fake_done();
}

static void bulk_out_host(void *arg)
{
	static u32 block[4096];
	int fd = h_open();
	u32 got = 0, wrong = 0, fill = 0;
	ssize_t n;

	while ((n = h_read(fd, (u8 *)block + fill, sizeof(block) - fill)) > 0) {
		fill += (u32)n;
		if (fill < sizeof(block) && got + fill < TOTAL)
			continue;
		for (u32 i = 0; i < fill / 4; i++)
			wrong += block[i] != pattern(got / 4 + i);
		got += fill;
		fill = 0;
	}
	ck_assert_uint_eq(got, TOTAL);
	ck_assert_uint_eq(wrong, 0);
	fake_done();
}

START_TEST(hundred_megabytes_to_the_host)
{
	run2(bulk_out_guest, bulk_out_host);
}
END_TEST

static void bulk_in_guest(void *arg)
{
	static u32 block[9999];
	struct vsock *s = g_accept();
	u32 got = 0, wrong = 0, fill = 0;
	s64 n;

	while ((n = k_recv(s, (u8 *)block + fill, sizeof(block) - fill, 0)) > 0) {
		fill += (u32)n;
		if (fill < sizeof(block) && got + fill < TOTAL)
			continue;
		for (u32 i = 0; i < fill / 4; i++)
			wrong += block[i] != pattern(got / 4 + i);
		got += fill;
		fill = 0;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(got, TOTAL);
	ck_assert_uint_eq(wrong, 0);
	vsock_put(s);
	fake_done();
}

static void bulk_in_host(void *arg)
{
	static u32 block[16384];
	int fd = h_open();
	u32 sent = 0;

	while (sent < TOTAL) {
		u32 off = sent % (u32)sizeof(block);
		ssize_t n;

		if (off == 0)
			for (u32 i = 0; i < ARRAY_SIZE(block); i++)
				block[i] = pattern(sent / 4 + i);
		n = write(fd, (u8 *)block + off, MIN(sizeof(block) - off, TOTAL - sent));
		if (n < 0)
			fake_yield();
		else
			sent += (u32)n;
	}
	close(fd);
	fake_done();
}

START_TEST(hundred_megabytes_to_the_guest)
{
	run2(bulk_in_guest, bulk_in_host);
}
END_TEST

/* ---- back-pressure ---- */

static void slow_host_guest(void *arg)
{
	static u8 block[65536];
	struct vsock *s = g_accept();
	u32 sent = 0;
	s64 n;

	/* Until nothing goes any more. */
	for (int idle = 0; idle < 50; idle++) {
		while ((n = k_send(s, block, sizeof(block), VSOCK_NONBLOCK)) > 0) {
			sent += (u32)n;
			idle = 0;
		}
		ck_assert_int_eq(n, -EAGAIN);
		ck_assert_uint_eq(vsock_events(s) & POLLOUT, 0);
		fake_yield();
	}
	ck_assert_uint_lt(sent, 1u << 20);
	/* Other streams still work while this one is stuck: the host opens a second one. */
	fake_done();
	s = g_accept();
	ck_assert_int_eq(k_send(s, "alive", 5, 0), 5);
	fake_done();
}

static void slow_host_host(void *arg)
{
	int stuck = h_open(), fd;

	fd = h_open();
	h_expect(fd, "alive");
	close(fd);
	close(stuck);
	fake_done();
}

START_TEST(slow_reader_on_the_host)
{
	fake_thread(slow_host_guest, NULL);
	fake_thread(slow_host_host, NULL);
	fake_expect(3);
	fake_run();
}
END_TEST

static void slow_guest_guest(void *arg)
{
	struct vsock *s = g_accept();
	u8 c;

	/* Wait until the host cannot write any more. */
	while (vsock_readable(s) < VSOCK_RXBUF)
		fake_yield();
	for (int i = 0; i < 100; i++)
		fake_yield();
	ck_assert_uint_eq(vsock_readable(s), VSOCK_RXBUF);
	ck_assert_int_eq(k_recv(s, &c, 1, 0), 1);
	vsock_put(s);
	fake_done();
}

static void slow_guest_host(void *arg)
{
	static u8 block[65536];
	int fd = h_open();
	u32 sent = 0;

	for (;;) {
		ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			fake_yield();
			continue;
		}
		if (n < 0)
			break; /* the guest closed */
		sent += (u32)n;
		ck_assert_uint_lt(sent, 4u << 20);
	}
	fake_done();
}

START_TEST(slow_reader_in_the_guest)
{
	run2(slow_guest_guest, slow_guest_host);
}
END_TEST

/* ---- ends ---- */

static void gone_guest(void *arg)
{
	struct vsock *s = g_accept();
	char buf[8];
	s64 n;

	ck_assert_int_eq(k_recv(s, buf, sizeof(buf), 0), 4);
	ck_assert_int_eq(k_recv(s, buf, sizeof(buf), 0), 0);
	while ((n = k_send(s, "x", 1, 0)) == 1)
		fake_yield();
	ck_assert_int_eq(n, -EPIPE);
	ck_assert(vsock_events(s) & POLLHUP);
	ck_assert(vsock_events(s) & POLLIN);
	vsock_put(s);
	fake_done();
}

static void gone_host(void *arg)
{
	int fd = h_open();

	h_write(fd, "last");
	close(fd);
	fake_done();
}

START_TEST(host_goes_away)
{
	run2(gone_guest, gone_host);
}
END_TEST

static void many_guest(void *arg)
{
	for (int i = 0; i < 500; i++) {
		struct vsock *s = g_accept();
		char c;

		ck_assert_int_eq(k_recv(s, &c, 1, 0), 1);
		ck_assert_int_eq(k_send(s, &c, 1, 0), 1);
		vsock_put(s);
	}
	fake_done();
}

static void many_host(void *arg)
{
	for (int i = 0; i < 500; i++) {
		char c = (char)i, d = 0;
		int fd = h_open();

		ck_assert_int_eq(write(fd, &c, 1), 1);
		ck_assert_int_eq(h_read(fd, &d, 1), 1);
		ck_assert_int_eq(c, d);
		ck_assert_int_eq(h_read(fd, &d, 1), 0);
		close(fd);
	}
	fake_done();
}

START_TEST(five_hundred_connections_in_a_row)
{
	run2(many_guest, many_host);
}
END_TEST

static void echo_one(void *arg)
{
	struct vsock *s = arg;
	char buf[3000];
	s64 n;

	while ((n = k_recv(s, buf, sizeof(buf), 0)) > 0)
		ck_assert_int_eq(k_send(s, buf, (size_t)n, 0), n);
	ck_assert_int_eq(n, 0);
	vsock_put(s);
}

static void echo_guest(void *arg)
{
	for (int i = 0; i < 8; i++)
		fake_thread(echo_one, g_accept());
	fake_done();
}

static void echo_host(void *arg)
{
	u32 id = *(u32 *)arg, sent = 0, got = 0, total = 2u << 20;
	int fd = h_open();
	u8 buf[5000];

	while (got < total) {
		u32 n = MIN((u32)sizeof(buf), total - sent);
		ssize_t r = 0;

		for (u32 i = 0; i < n; i++)
			buf[i] = (u8)((sent + i) * 31 + id);
		if (n)
			r = write(fd, buf, n);
		sent += r > 0 ? (u32)r : 0;
		r = read(fd, buf, sizeof(buf));
		for (ssize_t i = 0; i < r; i++)
			if (buf[i] != (u8)((got + (u32)i) * 31 + id))
				ck_abort_msg("stream %u differs at %u", id, got);
		got += r > 0 ? (u32)r : 0;
		fake_yield();
	}
	close(fd);
	fake_done();
}

START_TEST(eight_echo_streams_at_once)
{
	static u32 id[8];

	vsock_unlisten(listener);
	ck_assert_int_eq(vsock_listen(PORT, 8, &listener), 0);
	fake_thread(echo_guest, NULL);
	for (u32 i = 0; i < 8; i++) {
		id[i] = i;
		fake_thread(echo_host, &id[i]);
	}
	fake_expect(9);
	fake_run();
}
END_TEST

static void fault_guest(void *arg)
{
	struct vsock *s = g_accept();
	struct iov iov;
	struct uio u;
	char buf[8];

	/* User memory of the fake machine always faults. */
	uio_init_user(&u, &iov, 0x1000, 100);
	ck_assert_int_eq(vsock_send(s, &u, 0), -EFAULT);
	ck_assert_int_eq(k_send(s, "after", 5, 0), 5);
	while (!vsock_readable(s))
		fake_yield();
	uio_init_user(&u, &iov, 0x1000, 100);
	ck_assert_int_eq(vsock_recv(s, &u, 0), -EFAULT);
	ck_assert_int_eq(k_recv(s, buf, sizeof(buf), 0), 4);
	vsock_put(s);
	fake_done();
}

static void fault_host(void *arg)
{
	int fd = h_open();

	h_expect(fd, "after");
	h_write(fd, "data");
	fake_done();
}

START_TEST(faults_lose_nothing)
{
	run2(fault_guest, fault_host);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("drivers_vsock");
	TCase *tc = tcase_create("vsock"), *bare = tcase_create("boot");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, ping_pong_and_end);
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, backlog_is_bounded);
	tcase_add_test(tc, guest_connects_to_host);
	tcase_add_test(tc, hundred_megabytes_to_the_host);
	tcase_add_test(tc, hundred_megabytes_to_the_guest);
	tcase_add_test(tc, slow_reader_on_the_host);
	tcase_add_test(tc, slow_reader_in_the_guest);
	tcase_add_test(tc, host_goes_away);
	tcase_add_test(tc, five_hundred_connections_in_a_row);
	tcase_add_test(tc, eight_echo_streams_at_once);
	tcase_add_test(tc, faults_lose_nothing);
	tcase_add_test(bare, client_before_the_guest_is_up);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, bare);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
