/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the virtio-mmio transport's state machine, and of the rng and console devices through it. */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "casemate/virtio_abi.h"
#include "tests/lib/fake_ring.h"
#include "vmm/eventloop.h"
#include "vmm/guestlog.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/mmio.h"

#define QSIZE 16
#define RING  0x10000
#define DATA  0x40000

#define S_ACK	  VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER  VIRTIO_CONFIG_S_DRIVER
#define S_FEAT	  VIRTIO_CONFIG_S_FEATURES_OK
#define S_OK	  VIRTIO_CONFIG_S_DRIVER_OK
#define S_RESET	  VIRTIO_CONFIG_S_NEEDS_RESET
#define S_RUNNING (S_ACK | S_DRIVER | S_FEAT | S_OK)

static struct fake_mem mem;
static struct fake_ring ring;
static struct eventloop *loop;
static struct virtio_dev *dev;
static int raised;

/* A device that only counts what happens to it. */
static struct {
	int activated, reset, notified[VIRTIO_QUEUES_MAX];
} seen;

static void probe_activate(struct virtio_dev *d)
{
	seen.activated++;
}

static void probe_reset(struct virtio_dev *d)
{
	seen.reset++;
}

static void probe_notify(struct virtio_dev *d, unsigned int q)
{
	seen.notified[q]++;
}

static void probe_destroy(struct virtio_dev *d)
{
	virtio_dev_fini(d);
}

static const struct virtio_dev_ops probe_ops = {
	.name = "probe",
	.id = 42,
	.nqueues = 2,
	.queue_size = QSIZE,
	.features = 1ull << 5 | 1ull << 36,
	.activate = probe_activate,
	.reset = probe_reset,
	.notify = probe_notify,
	.destroy = probe_destroy,
};

static void raise(void *arg, unsigned int index)
{
	ck_assert_ptr_eq(arg, &raised);
	ck_assert_uint_eq(index, 7);
	raised++;
}

static struct virtio_env env(void)
{
	return (struct virtio_env){
		.loop = loop,
		.mem = &mem.gmem,
		.index = 7,
		.raise = raise,
		.raise_arg = &raised,
	};
}

static void setup(void)
{
	static struct virtio_dev probe;
	struct virtio_env e;

	fake_mem_init(&mem);
	fake_ring_init(&ring, &mem, RING, QSIZE);
	memset(&seen, 0, sizeof(seen));
	raised = 0;
	loop = eventloop_create();
	ck_assert_ptr_nonnull(loop);
	e = env();
	memset(&probe, 0, sizeof(probe));
	ck_assert_int_eq(virtio_dev_init(&probe, &probe_ops, &e), 0);
	probe.config = "0123456789";
	probe.config_len = 10;
	dev = &probe;
}

static void teardown(void)
{
	virtio_dev_destroy(dev);
	eventloop_destroy(loop);
	fake_mem_fini(&mem);
}

static uint32_t rd(uint64_t offset)
{
	uint64_t v = 0xdead;

	virtio_mmio_access(dev, offset, 4, false, &v);
	return (uint32_t)v;
}

static void wr(uint64_t offset, uint32_t value)
{
	uint64_t v = value;

	virtio_mmio_access(dev, offset, 4, true, &v);
}

static void pump(void)
{
	while (eventloop_step(loop, 0) > 0)
		;
}

static void features_ok(void)
{
	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	wr(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER | S_FEAT);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER | S_FEAT);
}

static void program_queue(uint32_t q, struct fake_ring *r)
{
	wr(VIRTIO_MMIO_QUEUE_SEL, q);
	wr(VIRTIO_MMIO_QUEUE_NUM, r->size);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)r->desc_gpa);
	wr(VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(r->desc_gpa >> 32));
	wr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)r->driver_gpa);
	wr(VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(r->driver_gpa >> 32));
	wr(VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)r->device_gpa);
	wr(VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(r->device_gpa >> 32));
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void bring_up(uint32_t q)
{
	features_ok();
	program_queue(q, &ring);
	wr(VIRTIO_MMIO_STATUS, S_RUNNING);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_RUNNING);
	pump();
}

START_TEST(identity)
{
	ck_assert_uint_eq(rd(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_VERSION), 2);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_DEVICE_ID), 42);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_DEVICE_FEATURES), 1u << 5 | 1u << 28);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_DEVICE_FEATURES), 1u | 1u << 4);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_DEVICE_FEATURES), 0);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_QUEUE_NUM_MAX), QSIZE);
	wr(VIRTIO_MMIO_QUEUE_SEL, 2);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	wr(VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	wr(VIRTIO_MMIO_SHM_SEL, 0);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_SHM_LEN_HIGH), UINT32_MAX);
}
END_TEST

START_TEST(normal_start_and_reset)
{
	bring_up(0);
	ck_assert_int_eq(seen.activated, 1);
	ck_assert_uint_eq(dev->queue[0].size, QSIZE);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	pump();
	ck_assert_int_eq(seen.notified[0], 1);
	ck_assert_int_eq(seen.notified[1], 1);
	wr(VIRTIO_MMIO_STATUS, 0);
	/* The io thread has not let go yet: the driver has to see that. */
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_RUNNING);
	pump();
	ck_assert_int_eq(seen.reset, 1);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), 0);
	ck_assert_uint_eq(dev->queue[0].size, 0);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	pump();
	ck_assert_int_eq(seen.notified[0], 1);
	bring_up(0);
	ck_assert_int_eq(seen.activated, 2);
}
END_TEST

START_TEST(reset_before_the_io_thread_started_the_device)
{
	features_ok();
	program_queue(0, &ring);
	wr(VIRTIO_MMIO_STATUS, S_RUNNING);
	wr(VIRTIO_MMIO_STATUS, 0);
	pump();
	ck_assert_int_eq(seen.activated, 0);
	ck_assert_int_eq(seen.reset, 1);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), 0);
}
END_TEST

START_TEST(queue_registers_freeze_at_driver_ok)
{
	struct virtio_queue_regs before;
	struct vq q;

	bring_up(0);
	before = dev->regs[0];
	q = dev->queue[0];
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_READY, 0);
	wr(VIRTIO_MMIO_QUEUE_NUM, 4);
	for (uint64_t o = VIRTIO_MMIO_QUEUE_DESC_LOW; o <= VIRTIO_MMIO_QUEUE_USED_HIGH; o += 4)
		wr(o, 0x41414141);
	wr(VIRTIO_MMIO_STATUS, S_RUNNING);
	pump();
	ck_assert_mem_eq(&before, &dev->regs[0], sizeof(before));
	ck_assert_mem_eq(&q, &dev->queue[0], sizeof(q));
	ck_assert_int_eq(seen.activated, 1);
}
END_TEST

START_TEST(queue_registers_need_features_ok)
{
	wr(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER);
	program_queue(0, &ring);
	ck_assert_uint_eq(dev->regs[0].size, 0);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_QUEUE_READY), 0);
	features_ok();
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_NUM, QSIZE * 2);
	ck_assert_uint_eq(dev->regs[0].size, 0);
	program_queue(2, &ring);
	program_queue(UINT32_MAX, &ring);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	wr(VIRTIO_MMIO_QUEUE_NUM, 4);
	ck_assert_uint_eq(dev->regs[0].size, 0);
}
END_TEST

/* Status writes in order; after them Status reads `want`. */
static const struct {
	uint32_t write[4];
	uint32_t want;
} status_cases[] = {
	{ { S_DRIVER }, 0 },
	{ { S_FEAT }, 0 },
	{ { S_OK }, 0 },
	{ { S_ACK, S_DRIVER }, S_ACK }, /* bits must be kept */
	{ { S_ACK, S_ACK | S_FEAT }, S_ACK },
	{ { S_ACK | S_DRIVER, S_ACK | S_DRIVER | S_OK }, S_ACK | S_DRIVER },
	{ { S_ACK | S_DRIVER, S_RUNNING }, S_ACK | S_DRIVER }, /* FEATURES_OK must be seen first */
	{ { S_ACK | S_DRIVER | S_FEAT }, S_ACK | S_DRIVER }, /* no VERSION_1 negotiated */
	{ { 0xffffffff }, 0 },
	{ { S_ACK | 0x100 }, 0 },
	{ { S_ACK, S_ACK | VIRTIO_CONFIG_S_FAILED }, S_ACK | VIRTIO_CONFIG_S_FAILED },
};

START_TEST(status_transitions)
{
	for (int i = 0; i < 4 && status_cases[_i].write[i]; i++)
		wr(VIRTIO_MMIO_STATUS, status_cases[_i].write[i]);
	pump();
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), status_cases[_i].want);
	ck_assert_int_eq(seen.activated, 0);
	wr(VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), 0);
}
END_TEST

START_TEST(feature_that_was_not_offered)
{
	wr(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1u << 6);
	wr(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER | S_FEAT);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1u << 5);
	wr(VIRTIO_MMIO_STATUS, S_ACK | S_DRIVER | S_FEAT);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_ACK | S_DRIVER | S_FEAT);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1u << 6);
	ck_assert_uint_eq(dev->driver_features & 0xffffffff, 1u << 5);
}
END_TEST

START_TEST(bad_queue_address_asks_for_a_reset)
{
	features_ok();
	ring.device_gpa = FAKE_GPA + FAKE_SIZE - 8;
	program_queue(0, &ring);
	wr(VIRTIO_MMIO_STATUS, S_RUNNING);
	pump();
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_RUNNING | S_RESET);
	ck_assert_int_eq(seen.activated, 0);
	ck_assert_str_eq(dev->error, "a ring does not lie in memory");
	ck_assert_int_eq(dev->error_queue, 0);
	wr(VIRTIO_MMIO_STATUS, S_RUNNING);
	pump();
	ck_assert_int_eq(seen.activated, 0);
	wr(VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), 0);
}
END_TEST

START_TEST(every_offset_and_size)
{
	static const unsigned int sizes[] = { 0, 1, 2, 3, 4, 5, 8, 16, UINT32_MAX };

	bring_up(0);
	for (unsigned int s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (uint64_t o = 0; o < 0x1010; o++) {
			uint64_t v = 0x5555555555555555;
			bool reg = sizes[s] == 4 && o % 4 == 0 && o < 0x100;

			if (reg && o == VIRTIO_MMIO_STATUS)
				continue;
			virtio_mmio_access(dev, o, sizes[s], false, &v);
			if (v && (o >= 0x10a || (o < 0x100 && !reg)))
				ck_abort_msg("offset %#lx size %u", (unsigned long)o, sizes[s]);
			v = UINT64_MAX;
			virtio_mmio_access(dev, o, sizes[s], true, &v);
		}
	}
	for (uint64_t o = UINT64_MAX - 16; o != 0; o++) {
		uint64_t v = 1;

		virtio_mmio_access(dev, o, 8, false, &v);
		ck_assert_uint_eq(v, 0);
	}
	pump();
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_RUNNING);
	ck_assert_int_eq(seen.reset, 0);
}
END_TEST

START_TEST(config_space)
{
	static const struct {
		uint64_t offset;
		unsigned int size;
		uint64_t want;
	} t[] = {
		{ 0x100, 1, '0' },
		{ 0x109, 1, '9' },
		{ 0x10a, 1, 0 },
		{ 0x101, 2, '1' | '2' << 8 },
		{ 0x109, 2, 0 },
		{ 0x102, 8, 0x3938373635343332 },
		{ 0x103, 8, 0 },
		{ 0x106, 4, 0x39383736 },
		{ 0x107, 4, 0 },
	};
	uint64_t v = 1;

	virtio_mmio_access(dev, t[_i].offset, t[_i].size, false, &v);
	ck_assert_uint_eq(v, t[_i].want);
}
END_TEST

START_TEST(doorbell_of_any_number)
{
	static const uint32_t n[] = { 2, 31, 32, 33, 64, 0x7fffffff, 0x80000000, UINT32_MAX };

	bring_up(0);
	for (unsigned int i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		virtio_doorbell(dev, n[i]);
		wr(VIRTIO_MMIO_QUEUE_NOTIFY, n[i]);
	}
	pump();
	ck_assert_int_eq(seen.notified[0] + seen.notified[1], 0);
}
END_TEST

START_TEST(failed_device_rests_until_reset)
{
	bring_up(0);
	virtio_dev_fail(dev, "a reason");
	ck_assert_int_eq(raised, 1);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_RUNNING | S_RESET);
	ck_assert_uint_eq(rd(VIRTIO_MMIO_INTERRUPT_STATUS), 2);
	virtio_doorbell(dev, 0);
	pump();
	ck_assert_int_eq(seen.notified[0], 0);
	wr(VIRTIO_MMIO_STATUS, 0);
	pump();
	bring_up(0);
	virtio_doorbell(dev, 0);
	pump();
	ck_assert_int_eq(seen.notified[0], 1);
	/* What it was is still known. */
	ck_assert_str_eq(dev->error, "a reason");
	ck_assert_int_eq(dev->error_queue, -1);
}
END_TEST

static void use_rng(void)
{
	struct virtio_env e = env();

	ck_assert_int_eq(virtio_rng_create(&e, &dev), 0);
}

START_TEST(rng_fills_at_most_64_kib)
{
	uint32_t id, len;
	unsigned int zero = 0;

	use_rng();
	bring_up(0);
	fake_ring_add(&ring, 0, 0, DATA, 100);
	fake_ring_add(&ring, 0, 0, DATA + 0x1000, 0x40000);
	virtio_doorbell(dev, 0);
	pump();
	ck_assert(fake_ring_take(&ring, &id, &len));
	ck_assert_uint_eq(len, 100);
	for (int i = 0; i < 100; i++)
		zero += !*((uint8_t *)fake_ptr(&mem, DATA) + i);
	ck_assert_uint_lt(zero, 20);
	ck_assert(fake_ring_take(&ring, &id, &len));
	ck_assert_uint_eq(len, CM_VIRTIO_RNG_MAX);
	ck_assert_uint_eq(*(uint64_t *)fake_ptr(&mem, DATA + 0x1000 + CM_VIRTIO_RNG_MAX), 0);
	ck_assert_int_ge(raised, 1);
}
END_TEST

START_TEST(rng_serves_a_full_queue_and_survives_nonsense)
{
	uint32_t id, len;

	use_rng();
	bring_up(0);
	for (int i = 0; i < QSIZE / 2; i++)
		fake_ring_add(&ring, 0, 0, DATA, 0x10000);
	virtio_doorbell(dev, 0);
	pump();
	for (int i = 0; i < QSIZE / 2; i++)
		ck_assert(fake_ring_take(&ring, &id, &len));
	/* A request without writable bytes gets 0 of them. */
	fake_ring_add(&ring, DATA, 8, 0, 0);
	virtio_doorbell(dev, 0);
	pump();
	ck_assert(fake_ring_take(&ring, &id, &len));
	ck_assert_uint_eq(len, 0);
	fake_ring_publish(&ring, 999);
	virtio_doorbell(dev, 0);
	pump();
	ck_assert_uint_eq(rd(VIRTIO_MMIO_STATUS), S_RUNNING | S_RESET);
	ck_assert_str_eq(dev->error, "a chain that begins beyond the table");
}
END_TEST

static int log_pipe[2];
static struct guestlog *glog;

static void use_console(void)
{
	struct virtio_env e = env();

	ck_assert_int_eq(pipe(log_pipe), 0);
	ck_assert_int_eq(fcntl(log_pipe[0], F_SETFL, O_NONBLOCK), 0);
	glog = guestlog_create(log_pipe[1]);
	ck_assert_ptr_nonnull(glog);
	ck_assert_int_eq(virtio_console_create(&e, glog, &dev), 0);
}

static size_t log_read(char *buf, size_t size)
{
	ssize_t r = read(log_pipe[0], buf, size - 1);

	buf[r > 0 ? r : 0] = 0;
	return r > 0 ? (size_t)r : 0;
}

START_TEST(console_escapes_and_prefixes)
{
	static const char text[] = "hello\n\x1b[2Jevil\x80\n";
	char buf[256];
	uint32_t id, len;

	use_console();
	bring_up(1);
	memcpy(fake_ptr(&mem, DATA), text, sizeof(text) - 1);
	fake_ring_add(&ring, DATA, sizeof(text) - 1, 0, 0);
	virtio_doorbell(dev, 1);
	pump();
	ck_assert(fake_ring_take(&ring, &id, &len));
	ck_assert_uint_eq(len, 0);
	log_read(buf, sizeof(buf));
	ck_assert_str_eq(buf, "guest: hello\nguest: \\x1b[2Jevil\\x80\n");
}
END_TEST

START_TEST(console_drops_what_nobody_reads)
{
	char buf[8192];
	uint32_t id, len;
	size_t total = 0, n;

	use_console();
	bring_up(1);
	memset(fake_ptr(&mem, DATA), 'x', 0x80000);
	/* 4 MiB into a pipe of 64 KiB: must come back at once. */
	for (int i = 0; i < 8; i++) {
		fake_ring_add(&ring, DATA, 0x80000, 0, 0);
		virtio_doorbell(dev, 1);
		pump();
		ck_assert(fake_ring_take(&ring, &id, &len));
	}
	while ((n = log_read(buf, sizeof(buf))) > 0)
		total += n;
	ck_assert_uint_le(total, 65536);
	fake_ring_add(&ring, DATA, 4, 0, 0);
	virtio_doorbell(dev, 1);
	pump();
	log_read(buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "bytes of log dropped]\n"));
	ck_assert_ptr_nonnull(strstr(buf, "guest: xxxx"));
}
END_TEST

START_TEST(log_rate_is_bounded)
{
	struct guestlog *l;
	char file[] = "/tmp/casemate-log-XXXXXX";
	int f = mkstemp(file);
	static char text[65536];

	ck_assert_int_ge(f, 0);
	l = guestlog_create(f);
	memset(text, 'y', sizeof(text));
	for (int i = 0; i < 64; i++)
		guestlog_write(l, text, sizeof(text));
	ck_assert_int_le(lseek(f, 0, SEEK_END), GUESTLOG_BURST + GUESTLOG_RATE);
	ck_assert_int_ge(lseek(f, 0, SEEK_END), GUESTLOG_BURST / 2);
	guestlog_destroy(l);
	unlink(file);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio_mmio");
	TCase *tc = tcase_create("mmio");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, normal_start_and_reset);
	tcase_add_test(tc, reset_before_the_io_thread_started_the_device);
	tcase_add_test(tc, queue_registers_freeze_at_driver_ok);
	tcase_add_test(tc, queue_registers_need_features_ok);
	tcase_add_loop_test(
		tc, status_transitions, 0, sizeof(status_cases) / sizeof(status_cases[0]));
	tcase_add_test(tc, feature_that_was_not_offered);
	tcase_add_test(tc, bad_queue_address_asks_for_a_reset);
	tcase_add_test(tc, every_offset_and_size);
	tcase_add_loop_test(tc, config_space, 0, 9);
	tcase_add_test(tc, doorbell_of_any_number);
	tcase_add_test(tc, failed_device_rests_until_reset);
	tcase_add_test(tc, rng_fills_at_most_64_kib);
	tcase_add_test(tc, rng_serves_a_full_queue_and_survives_nonsense);
	tcase_add_test(tc, console_escapes_and_prefixes);
	tcase_add_test(tc, console_drops_what_nobody_reads);
	tcase_add_test(tc, log_rate_is_bounded);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
