/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the vsock device: streams both ways, ends of streams, credit, and a guest that does not play by the rules. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "casemate/virtio_abi.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_vsock.h"
#include "vmm/eventloop.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/mmio.h"
#include "vmm/virtio/vsock_internal.h"

#define RCV  VIRTIO_VSOCK_SHUTDOWN_RCV
#define SEND VIRTIO_VSOCK_SHUTDOWN_SEND

static struct fake_vsock v;
static struct virtio_vsock_hdr hdr;
static char text[FAKE_VSOCK_BUF];

static void setup(void)
{
	fake_vsock_init(&v);
}

static void teardown(void)
{
	fake_vsock_fini(&v);
}

/* The next packet must be `op`. */
static void expect(uint16_t op)
{
	memset(text, 0, sizeof(text));
	ck_assert_msg(fake_vsock_recv(&v, &hdr, text, sizeof(text)), "no packet, want op %u", op);
	ck_assert_uint_eq(hdr.op, op);
	ck_assert_uint_eq(hdr.src_cid, CM_VSOCK_HOST_CID);
	ck_assert_uint_eq(hdr.dst_cid, CM_VSOCK_GUEST_CID);
	ck_assert_uint_eq(hdr.type, VIRTIO_VSOCK_TYPE_STREAM);
	ck_assert_uint_eq(v.last_len, sizeof(hdr) + hdr.len);
}

static void expect_nothing(void)
{
	bool got = fake_vsock_recv(&v, &hdr, NULL, 0);

	ck_assert_msg(!got, "unexpected packet, op %u", hdr.op);
}

static void say(int fd, const char *s)
{
	ck_assert_int_eq(write(fd, s, strlen(s)), (ssize_t)strlen(s));
	fake_vsock_pump(&v);
}

static void hear(int fd, const char *want)
{
	char buf[256] = "";
	ssize_t r = read(fd, buf, sizeof(buf) - 1);

	ck_assert_msg(r == (ssize_t)strlen(want) && !strcmp(buf, want), "got '%s' (%zd), want '%s'",
		buf, r, want);
}

static void hear_eof(int fd)
{
	char c;

	ck_assert_int_eq(read(fd, &c, 1), 0);
}

/* A client connects to guest port 1024 and the guest accepts. Returns its socket; hdr.src_port is the host port. */
static int open_from_host(void)
{
	char want[32];
	int fd = fake_vsock_client(&v);

	say(fd, "CONNECT 1024\n");
	expect(VIRTIO_VSOCK_OP_REQUEST);
	ck_assert_uint_eq(hdr.dst_port, 1024);
	ck_assert_uint_eq(hdr.buf_alloc, VSOCK_BUF);
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RESPONSE, 1024, hdr.src_port, 0, NULL, 0);
	snprintf(want, sizeof(want), "OK %u\n", hdr.src_port);
	hear(fd, want);
	return fd;
}

/* The guest connects from port 5000 to a host program on port 80. Returns the accepted socket. */
static int open_from_guest(void)
{
	int l = fake_vsock_listen(&v, 80), fd;

	fake_vsock_send(&v, VIRTIO_VSOCK_OP_REQUEST, 5000, 80, 0, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RESPONSE);
	ck_assert_uint_eq(hdr.src_port, 80);
	ck_assert_uint_eq(hdr.dst_port, 5000);
	fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	close(l);
	return fd;
}

static unsigned int connections(void)
{
	return ((struct vsock *)v.dev)->nconns;
}

START_TEST(client_talks_to_guest)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port;

	say(fd, "ping");
	expect(VIRTIO_VSOCK_OP_RW);
	ck_assert_str_eq(text, "ping");
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, "pong!", 5);
	hear(fd, "pong!");
	expect_nothing();
	ck_assert_int_gt(v.interrupts, 0);
	close(fd);
}
END_TEST

START_TEST(guest_connects_out)
{
	int fd = open_from_guest();

	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 5000, 80, 0, "GET", 3);
	hear(fd, "GET");
	say(fd, "200");
	expect(VIRTIO_VSOCK_OP_RW);
	ck_assert_str_eq(text, "200");
	close(fd);
	fake_vsock_pump(&v);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN);
	ck_assert_uint_eq(hdr.flags, RCV | SEND);
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RST, 5000, 80, 0, NULL, 0);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

START_TEST(guest_connects_where_nobody_listens)
{
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_REQUEST, 5000, 81, 0, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
	ck_assert_uint_eq(hdr.src_port, 81);
	ck_assert_uint_eq(hdr.dst_port, 5000);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

START_TEST(refused_client_sees_eof_without_ok)
{
	int fd = fake_vsock_client(&v);

	say(fd, "CONNECT 7\n");
	expect(VIRTIO_VSOCK_OP_REQUEST);
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RST, 7, hdr.src_port, 0, NULL, 0);
	hear_eof(fd);
	close(fd);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

static const char *const bad_lines[] = {
	"CONNECT\n",
	"CONNECT \n",
	"CONNECT x\n",
	"CONNECT 12x\n",
	"CONNECT -1\n",
	"CONNECT 4294967296\n",
	"CONNECT 99999999999999999999999\n",
	"connect 12\n",
	"\n",
	"CONNECT 12                           \n",
	"GET / HTTP/1.1\r\nHost: a\r\n\r\nxxxxxxxxxxxxxxxx",
};

START_TEST(bad_first_line_closes)
{
	int fd = fake_vsock_client(&v);
	char c;

	say(fd, bad_lines[_i]);
	ck_assert_int_le(read(fd, &c, 1), 0);
	ck_assert_int_ne(errno, EAGAIN);
	expect_nothing();
	ck_assert_uint_eq(connections(), 0);
	close(fd);
}
END_TEST

START_TEST(first_line_in_pieces_and_early_data)
{
	int fd = fake_vsock_client(&v);
	char want[32];

	say(fd, "CONN");
	say(fd, "ECT 42949");
	expect_nothing();
	say(fd, "67295\nearly");
	expect(VIRTIO_VSOCK_OP_REQUEST);
	ck_assert_uint_eq(hdr.dst_port, UINT32_MAX);
	expect_nothing();
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RESPONSE, UINT32_MAX, hdr.src_port, 0, NULL, 0);
	snprintf(want, sizeof(want), "OK %u\n", hdr.src_port);
	hear(fd, want);
	expect(VIRTIO_VSOCK_OP_RW);
	ck_assert_str_eq(text, "early");
	close(fd);
}
END_TEST

START_TEST(client_gives_up_before_the_answer)
{
	int fd = fake_vsock_client(&v);

	say(fd, "CONNECT 7\n");
	expect(VIRTIO_VSOCK_OP_REQUEST);
	close(fd);
	fake_vsock_pump(&v);
	expect(VIRTIO_VSOCK_OP_RST);
	ck_assert_uint_eq(connections(), 0);
	/* The late answer finds nothing. */
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RESPONSE, 7, hdr.src_port, 0, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
}
END_TEST

START_TEST(half_close_by_client)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port;

	ck_assert_int_eq(write(fd, "last", 4), 4);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	fake_vsock_pump(&v);
	expect(VIRTIO_VSOCK_OP_RW);
	ck_assert_str_eq(text, "last");
	expect(VIRTIO_VSOCK_OP_SHUTDOWN);
	ck_assert_uint_eq(hdr.flags, SEND);
	/* The other direction still works. */
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, "answer", 6);
	hear(fd, "answer");
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_SHUTDOWN, 1024, port, RCV | SEND, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
	hear_eof(fd);
	close(fd);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

START_TEST(half_close_by_guest)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port;

	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, "bye", 3);
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_SHUTDOWN, 1024, port, SEND, NULL, 0);
	hear(fd, "bye");
	hear_eof(fd);
	say(fd, "more");
	expect(VIRTIO_VSOCK_OP_RW);
	ck_assert_str_eq(text, "more");
	/* Sending after the announced end breaks the rules. */
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, "x", 1);
	expect(VIRTIO_VSOCK_OP_RST);
	ck_assert_uint_eq(connections(), 0);
	close(fd);
}
END_TEST

START_TEST(guest_stops_receiving)
{
	int fd = open_from_host();

	fake_vsock_send(&v, VIRTIO_VSOCK_OP_SHUTDOWN, 1024, hdr.src_port, RCV, NULL, 0);
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(fd);
	fake_vsock_pump(&v);
}
END_TEST

START_TEST(slow_client_is_buffered_up_to_the_credit)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port, sent = 0, got = 0, told = 0, wrong = 0;
	static uint8_t block[0x10000];
	uint8_t buf[0x4000];

	for (uint32_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7 + (i >> 8));
	/* Nobody reads: the guest may use its whole credit on top of what the socket takes. */
	while (sent - told + sizeof(block) <= VSOCK_BUF) {
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, block, sizeof(block));
		sent += (uint32_t)sizeof(block);
		while (fake_vsock_recv(&v, &hdr, NULL, 0)) {
			ck_assert_uint_eq(hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
			told = hdr.fwd_cnt;
		}
	}
	ck_assert_uint_gt(sent, VSOCK_BUF);
	/* Then all of it arrives, in order, and the credit comes back. */
	while (got < sent) {
		ssize_t r = read(fd, buf, sizeof(buf));

		if (r < 0) {
			fake_vsock_pump(&v);
			continue;
		}
		for (ssize_t i = 0; i < r; i++)
			wrong += buf[i] != block[(got + (uint32_t)i) % sizeof(block)];
		got += (uint32_t)r;
	}
	ck_assert_uint_eq(wrong, 0);
	fake_vsock_pump(&v);
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		told = hdr.fwd_cnt;
	ck_assert_uint_le(sent - told, VSOCK_BUF / 2);
	ck_assert_ptr_null(TAILQ_FIRST(&((struct vsock *)v.dev)->conns)->buf);
	close(fd);
}
END_TEST

START_TEST(sending_beyond_the_credit_is_a_reset)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port;
	static uint8_t block[0x10000];
	bool reset = false;

	for (int i = 0; i < 100 && !reset; i++) {
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, block, sizeof(block));
		while (fake_vsock_recv(&v, &hdr, NULL, 0))
			reset |= hdr.op == VIRTIO_VSOCK_OP_RST;
	}
	ck_assert(reset);
	ck_assert_uint_eq(connections(), 0);
	close(fd);
}
END_TEST

START_TEST(device_never_exceeds_the_guests_credit)
{
	int fd;
	uint32_t total = 0, port;
	static char block[0x8000];

	v.buf_alloc = 10000;
	fd = open_from_host();
	port = hdr.src_port;
	while (write(fd, block, sizeof(block)) > 0)
		;
	fake_vsock_pump(&v);
	while (fake_vsock_recv(&v, &hdr, NULL, 0)) {
		total += hdr.len;
		fake_vsock_pump(&v);
	}
	ck_assert_uint_eq(total, 10000);
	ck_assert_uint_eq(hdr.op, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	v.fwd_cnt = 4000;
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 1024, port, 0, NULL, 0);
	while (fake_vsock_recv(&v, &hdr, NULL, 0)) {
		total += hdr.len;
		fake_vsock_pump(&v);
	}
	ck_assert_uint_eq(total, 14000);
	close(fd);
}
END_TEST

/* buf_alloc and fwd_cnt after 10000 bytes were sent under a credit of 10000, and the bytes that may follow. */
static const struct {
	uint32_t alloc, fwd, more;
} credit_cases[] = {
	{ 10000, 0, 0 }, { 10000, 10000, 10000 },
	{ 5000, 0, 0 }, /* shrinking below what is in flight must not wrap */
	{ 5000, 7000, 2000 }, { 0, 10000, 0 },
	{ 10000, 10001, 0 }, /* more than was ever sent: ignored */
	{ 10000, UINT32_MAX, 0 }, { 10000, 0x80000000, 0 },
	{ UINT32_MAX, 0, 100000 }, /* as much as there is */
};

START_TEST(credit_arithmetic)
{
	int fd;
	uint32_t total = 0, port;
	static char block[100000];

	v.buf_alloc = 10000;
	fd = open_from_host();
	port = hdr.src_port;
	ck_assert_int_eq(write(fd, block, 10000), 10000);
	fake_vsock_pump(&v);
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		fake_vsock_pump(&v);
	ck_assert_int_eq(write(fd, block, sizeof(block)), sizeof(block));
	fake_vsock_pump(&v);
	v.buf_alloc = credit_cases[_i].alloc;
	v.fwd_cnt = credit_cases[_i].fwd;
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 1024, port, 0, NULL, 0);
	while (fake_vsock_recv(&v, &hdr, NULL, 0)) {
		total += hdr.len;
		fake_vsock_pump(&v);
	}
	ck_assert_uint_eq(total, credit_cases[_i].more);
	close(fd);
}
END_TEST

START_TEST(credit_request_is_answered)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port;

	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, "12345", 5);
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 1024, port, 0, NULL, 0);
	expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	ck_assert_uint_eq(hdr.fwd_cnt, 5);
	ck_assert_uint_eq(hdr.buf_alloc, VSOCK_BUF);
	close(fd);
}
END_TEST

START_TEST(guest_reset_still_delivers_what_it_sent)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port, got = 0;
	static char block[0x10000];
	ssize_t r;

	for (int i = 0; i < 4; i++)
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, block, sizeof(block));
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RST, 1024, port, 0, NULL, 0);
	while ((r = read(fd, block, sizeof(block))) != 0) {
		if (r > 0)
			got += (uint32_t)r;
		fake_vsock_pump(&v);
	}
	ck_assert_uint_eq(got, 4 * sizeof(block));
	ck_assert_uint_eq(connections(), 0);
	close(fd);
}
END_TEST

START_TEST(orderly_end_is_confirmed_after_delivery)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port, got = 0;
	static char block[0x10000];
	bool reset = false;
	ssize_t r;

	for (int i = 0; i < 4; i++)
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, block, sizeof(block));
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_SHUTDOWN, 1024, port, RCV | SEND, NULL, 0);
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		ck_assert_uint_ne(hdr.op, VIRTIO_VSOCK_OP_RST);
	while ((r = read(fd, block, sizeof(block))) != 0) {
		if (r > 0)
			got += (uint32_t)r;
		fake_vsock_pump(&v);
	}
	ck_assert_uint_eq(got, 4 * sizeof(block));
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		reset |= hdr.op == VIRTIO_VSOCK_OP_RST;
	ck_assert(reset);
	close(fd);
}
END_TEST

START_TEST(client_that_went_away_does_not_stall_the_guest)
{
	int fd = open_from_host();
	uint32_t port = hdr.src_port, sent = 0;
	static char block[0x8000];
	uint32_t told = 0;

	close(fd);
	fake_vsock_pump(&v);
	expect(VIRTIO_VSOCK_OP_SHUTDOWN);
	ck_assert_uint_eq(hdr.flags, RCV | SEND);
	/* A guest that has not noticed yet goes on; its bytes are dropped, its credit returns. */
	for (int i = 0; i < 64; i++) {
		ck_assert_uint_le(sent - told + sizeof(block), VSOCK_BUF);
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, block, sizeof(block));
		sent += (uint32_t)sizeof(block);
		while (fake_vsock_recv(&v, &hdr, NULL, 0)) {
			ck_assert_uint_eq(hdr.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
			told = hdr.fwd_cnt;
		}
	}
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_SHUTDOWN, 1024, port, RCV | SEND, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

START_TEST(flood_without_receive_buffers_recovers)
{
	int fd = open_from_host(), n = 0;
	uint32_t got = 0;
	static char block[0x4000];
	ssize_t sent = 0, r;

	v.buf_alloc = 1u << 30;
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 1024, hdr.src_port, 0, NULL, 0);
	v.no_refill = true;
	while ((r = write(fd, block, sizeof(block))) > 0) {
		sent += r;
		fake_vsock_pump(&v);
	}
	while (fake_vsock_recv(&v, &hdr, NULL, 0)) {
		got += hdr.len;
		n++;
	}
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(got, sent);
	/* Resets pile up as well; the intake stops instead of forgetting one. */
	for (int i = 0; i < FAKE_VSOCK_QSIZE / 4; i++)
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 9, 9, 0, NULL, 0);
	v.no_refill = false;
	fake_vsock_refill(&v, (unsigned int)n);
	fake_vsock_pump(&v);
	n = 0;
	while (fake_vsock_recv(&v, &hdr, NULL, 0)) {
		got += hdr.len;
		n += hdr.op == VIRTIO_VSOCK_OP_RST;
		fake_vsock_pump(&v);
	}
	ck_assert_int_eq(got, sent);
	ck_assert_int_eq(n, FAKE_VSOCK_QSIZE / 4);
	close(fd);
}
END_TEST

START_TEST(slow_stream_does_not_block_another)
{
	int slow = open_from_host();
	uint32_t slow_port = hdr.src_port, fast_port;
	static char block[0x10000];
	int fast;

	for (int i = 0; i < 4; i++)
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, slow_port, 0, block, sizeof(block));
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		;
	fast = open_from_host();
	fast_port = hdr.src_port;
	for (int i = 0; i < 100; i++) {
		fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, fast_port, 0, "tick", 4);
		hear(fast, "tick");
	}
	close(fast);
	close(slow);
}
END_TEST

START_TEST(too_many_connections)
{
	static int fd[VSOCK_CONNS + 20];
	unsigned int requests = 0;

	for (unsigned int i = 0; i < VSOCK_CONNS + 20; i++) {
		fd[i] = fake_vsock_client(&v);
		say(fd[i], "CONNECT 1\n");
		while (fake_vsock_recv(&v, &hdr, NULL, 0))
			requests++;
	}
	ck_assert_uint_eq(requests, VSOCK_CONNS);
	ck_assert_uint_eq(connections(), VSOCK_CONNS);
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_REQUEST, 5, 5, 0, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
	/* Slots that become free are taken by those who wait. */
	for (unsigned int i = 0; i < 20; i++)
		close(fd[i]);
	fake_vsock_pump(&v);
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		requests += hdr.op == VIRTIO_VSOCK_OP_REQUEST;
	fake_vsock_pump(&v);
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		requests += hdr.op == VIRTIO_VSOCK_OP_REQUEST;
	ck_assert_uint_eq(requests, VSOCK_CONNS + 20);
	for (unsigned int i = 20; i < VSOCK_CONNS + 20; i++)
		close(fd[i]);
	fake_vsock_pump(&v);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

START_TEST(ten_thousand_half_open_then_one_that_works)
{
	for (int i = 0; i < 10000; i++) {
		int fd = fake_vsock_client(&v);

		if (i % 3)
			ck_assert_int_gt(write(fd, "CONNECT 1\n", 10), 0);
		if (i % 3 == 1)
			eventloop_step(v.loop, 0);
		close(fd);
		if (i % 16 == 0) {
			fake_vsock_pump(&v);
			while (fake_vsock_recv(&v, &hdr, NULL, 0))
				;
		}
	}
	fake_vsock_pump(&v);
	while (fake_vsock_recv(&v, &hdr, NULL, 0))
		fake_vsock_pump(&v);
	ck_assert_uint_eq(connections(), 0);
	close(open_from_host());
}
END_TEST

START_TEST(packet_for_nobody_gets_a_reset)
{
	static const uint16_t ops[] = { VIRTIO_VSOCK_OP_RESPONSE, VIRTIO_VSOCK_OP_SHUTDOWN,
		VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_OP_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_REQUEST,
		VIRTIO_VSOCK_OP_INVALID, 8, 0xffff };

	fake_vsock_send(&v, ops[_i], 1, 2, 0, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
	ck_assert_uint_eq(hdr.src_port, 2);
	ck_assert_uint_eq(hdr.dst_port, 1);
	/* But a reset is never answered. */
	fake_vsock_send(&v, VIRTIO_VSOCK_OP_RST, 1, 2, 0, NULL, 0);
	expect_nothing();
}
END_TEST

START_TEST(op_in_the_wrong_state_is_a_reset)
{
	static const uint16_t ops[] = { VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_INVALID, 8, 0xffff };
	int fd = open_from_host();

	fake_vsock_send(&v, ops[_i], 1024, hdr.src_port, 0, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
	hear_eof(fd);
	ck_assert_uint_eq(connections(), 0);
	close(fd);
}
END_TEST

START_TEST(foreign_addresses_are_dropped)
{
	struct virtio_vsock_hdr h = {
		.src_cid = 4,
		.dst_cid = CM_VSOCK_HOST_CID,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_REQUEST,
	};

	fake_vsock_raw(&v, &h, NULL, 0);
	h.src_cid = CM_VSOCK_GUEST_CID;
	h.dst_cid = 1ull << 32 | CM_VSOCK_HOST_CID;
	fake_vsock_raw(&v, &h, NULL, 0);
	expect_nothing();
	h.dst_cid = CM_VSOCK_HOST_CID;
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	fake_vsock_raw(&v, &h, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST);
}
END_TEST

START_TEST(header_length_against_chain)
{
	static const uint32_t lens[] = { 1, 5, 6, 0x7fffffff, 0x80000000, UINT32_MAX - 44,
		UINT32_MAX };
	int fd = open_from_host();
	struct virtio_vsock_hdr h = {
		.src_cid = CM_VSOCK_GUEST_CID,
		.dst_cid = CM_VSOCK_HOST_CID,
		.src_port = 1024,
		.dst_port = hdr.src_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_RW,
		.len = lens[_i],
	};
	uint32_t status;

	fake_vsock_raw(&v, &h, "12345", 5);
	status = fake_driver_read(v.dev, VIRTIO_MMIO_STATUS);
	ck_assert_int_eq(!!(status & VIRTIO_CONFIG_S_NEEDS_RESET), lens[_i] > 5);
	if (lens[_i] <= 5)
		hear(fd, lens[_i] == 1 ? "1" : "12345");
	close(fd);
	fake_vsock_pump(&v);
}
END_TEST

START_TEST(short_buffers_break_the_device)
{
	/* _i: 0 = a packet shorter than its header, 1 = a receive buffer without room for payload. */
	int fd;

	v.no_refill = true;
	if (_i == 0) {
		fake_ring_add(&v.ring[1], 0x90000, 43, 0, 0);
		virtio_doorbell(v.dev, 1);
	} else {
		for (int i = 0; i < FAKE_VSOCK_QSIZE / 2; i++) {
			fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1, 2, 0, NULL, 0);
			expect(VIRTIO_VSOCK_OP_RST);
		}
		fake_ring_add(&v.ring[0], 0, 0, 0x40000, 44);
		fd = fake_vsock_client(&v);
		say(fd, "CONNECT 5\n");
	}
	fake_vsock_pump(&v);
	ck_assert(fake_driver_read(v.dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
}
END_TEST

START_TEST(reset_with_everything_in_flight)
{
	int fd[8];
	static char block[0x10000];

	for (int i = 0; i < 8; i++) {
		fd[i] = open_from_host();
		fake_vsock_send(
			&v, VIRTIO_VSOCK_OP_RW, 1024, hdr.src_port, 0, block, sizeof(block));
		fake_vsock_send(
			&v, VIRTIO_VSOCK_OP_RW, 1024, hdr.src_port, 0, block, sizeof(block));
		while (fake_vsock_recv(&v, &hdr, NULL, 0))
			;
	}
	for (int i = 0; i < 8; i++)
		ck_assert_int_gt(write(fd[i], block, sizeof(block)), 0);
	eventloop_step(v.loop, 0);
	fake_driver_write(v.dev, VIRTIO_MMIO_STATUS, 0);
	fake_vsock_pump(&v);
	ck_assert_uint_eq(connections(), 0);
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	for (unsigned int i = 0; i < 3; i++)
		fake_ring_init(&v.ring[i], &v.mem, 0x10000 + 0x4000 * i, FAKE_VSOCK_QSIZE);
	fake_driver_start(v.dev, v.ring, 3);
	fake_vsock_pump(&v);
	fake_vsock_refill(&v, 8);
	close(open_from_host());
	fake_vsock_pump(&v);
}
END_TEST

static uint32_t pattern(uint32_t i)
{
	return i * 2654435761u;
}

/* A guest that echoes: what is pushed through comes back, all of it. */
START_TEST(hundred_megabytes_arrive_intact)
{
	const uint32_t total = 100u << 20;
	uint32_t port, sent = 0, echoed = 0, got = 0, told = 0, wrong = 0;
	static uint32_t out[0x4000], in[0x4000];
	static uint8_t queue[VSOCK_BUF];
	uint32_t qhead = 0, qlen = 0;
	struct rusage before, after;
	int fd;

	v.buf_alloc = VSOCK_BUF / 2;
	fd = open_from_host();
	port = hdr.src_port;
	getrusage(RUSAGE_SELF, &before);
	while (got < total) {
		ssize_t r;

		if (sent < total) {
			uint32_t off = sent % sizeof(out);

			if (off == 0)
				for (uint32_t i = 0; i < 0x4000; i++)
					out[i] = pattern(sent / 4 + i);
			r = write(fd, (uint8_t *)out + off, sizeof(out) - off);
			sent += r > 0 ? (uint32_t)r : 0;
		}
		eventloop_step(v.loop, 0);
		while (qlen + FAKE_VSOCK_BUF <= sizeof(queue) &&
			fake_vsock_recv(&v, &hdr, text, sizeof(text))) {
			told = hdr.fwd_cnt;
			for (uint32_t i = 0; i < hdr.len; i++)
				queue[(qhead + qlen++) % sizeof(queue)] = (uint8_t)text[i];
		}
		if (qlen && echoed - told < VSOCK_BUF) {
			uint32_t n = qlen < VSOCK_BUF - (echoed - told)
					     ? qlen
					     : VSOCK_BUF - (echoed - told);

			n = n < sizeof(queue) - qhead ? n : (uint32_t)sizeof(queue) - qhead;
			n = n < 0x10000 ? n : 0x10000;
			v.fwd_cnt += n;
			fake_vsock_send(&v, VIRTIO_VSOCK_OP_RW, 1024, port, 0, queue + qhead, n);
			qhead = (qhead + n) % (uint32_t)sizeof(queue);
			qlen -= n;
			echoed += n;
		}
		while (got < total && (r = read(fd, (uint8_t *)in + got % sizeof(in),
					       sizeof(in) - got % sizeof(in))) > 0) {
			got += (uint32_t)r;
			if (got % sizeof(in))
				continue;
			for (uint32_t i = 0; i < 0x4000; i++)
				wrong += in[i] != pattern((got - (uint32_t)sizeof(in)) / 4 + i);
		}
	}
	getrusage(RUSAGE_SELF, &after);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 8192);
	close(fd);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, client_talks_to_guest);
	tcase_add_test(tc, guest_connects_out);
	tcase_add_test(tc, guest_connects_where_nobody_listens);
	tcase_add_test(tc, refused_client_sees_eof_without_ok);
	tcase_add_loop_test(tc, bad_first_line_closes, 0, sizeof(bad_lines) / sizeof(bad_lines[0]));
	tcase_add_test(tc, first_line_in_pieces_and_early_data);
	tcase_add_test(tc, client_gives_up_before_the_answer);
	tcase_add_test(tc, half_close_by_client);
	tcase_add_test(tc, half_close_by_guest);
	tcase_add_test(tc, guest_stops_receiving);
	tcase_add_test(tc, slow_client_is_buffered_up_to_the_credit);
	tcase_add_test(tc, sending_beyond_the_credit_is_a_reset);
	tcase_add_test(tc, device_never_exceeds_the_guests_credit);
	tcase_add_loop_test(
		tc, credit_arithmetic, 0, sizeof(credit_cases) / sizeof(credit_cases[0]));
	tcase_add_test(tc, credit_request_is_answered);
	tcase_add_test(tc, guest_reset_still_delivers_what_it_sent);
	tcase_add_test(tc, orderly_end_is_confirmed_after_delivery);
	tcase_add_test(tc, client_that_went_away_does_not_stall_the_guest);
	tcase_add_test(tc, flood_without_receive_buffers_recovers);
	tcase_add_test(tc, slow_stream_does_not_block_another);
	tcase_add_test(tc, too_many_connections);
	tcase_add_test(tc, ten_thousand_half_open_then_one_that_works);
	tcase_add_loop_test(tc, packet_for_nobody_gets_a_reset, 0, 8);
	tcase_add_loop_test(tc, op_in_the_wrong_state_is_a_reset, 0, 5);
	tcase_add_test(tc, foreign_addresses_are_dropped);
	tcase_add_loop_test(tc, header_length_against_chain, 0, 7);
	tcase_add_loop_test(tc, short_buffers_break_the_device, 0, 2);
	tcase_add_test(tc, reset_with_everything_in_flight);
	tcase_add_test(tc, hundred_megabytes_arrive_intact);
}

int main(void)
{
	Suite *s = suite_create("virtio_vsock");
	TCase *tc = tcase_create("vsock");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	add_tests(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
