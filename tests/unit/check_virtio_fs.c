/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the virtio-fs front: messages to and from a file server that may lie. */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_mmio.h>

#include "casemate/fsdev.h"
#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_ring.h"
#include "vmm/eventloop.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/mmio.h"

#define WINDOW	   0x100000u
#define WINDOW_GPA 0x80000000u
#define PAGE	   4096u

static struct fake_mem mem;
static struct fake_ring rings[2];
static struct eventloop *loop;
static struct virtio_dev *dev;
static uint8_t *window;
static int sock, kick, call, raised; /* fsd's ends */
static int file;

static void raise(void *arg, unsigned int index)
{
	raised++;
}

static void setup_device(bool writable)
{
	struct virtio_env env;
	struct virtio_fs_params p = { .tag = "rootfs", .writable = writable };
	char name[] = "/tmp/casemate-fs-XXXXXX";
	int pair[2];

	fake_mem_init(&mem);
	fake_ring_init(&rings[0], &mem, 0x10000, 16);
	fake_ring_init(&rings[1], &mem, 0x20000, 128);
	loop = eventloop_create();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	sock = pair[0];
	p.sock_fd = pair[1];
	kick = eventfd(0, EFD_NONBLOCK);
	call = eventfd(0, EFD_NONBLOCK);
	p.kick_fd = dup(kick);
	p.call_fd = dup(call);
	window = mmap(NULL, WINDOW + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	ck_assert_ptr_ne(window, MAP_FAILED);
	window += PAGE; /* a page of ours on either side */
	ck_assert_int_eq(mprotect(window, WINDOW, PROT_NONE), 0);
	p.window = window;
	p.window_gpa = WINDOW_GPA;
	p.window_len = WINDOW;
	env = (struct virtio_env){ .loop = loop, .mem = &mem.gmem, .raise = raise };
	raised = 0;
	ck_assert_int_eq(virtio_fs_create(&env, &p, &dev), 0);
	file = mkstemp(name);
	ck_assert_int_ge(file, 0);
	unlink(name);
	ck_assert_int_eq(ftruncate(file, 4 * PAGE), 0);
	ck_assert_int_eq(pwrite(file, "page one", 8, PAGE), 8);
}

static void setup(void)
{
	setup_device(false);
}

static void teardown(void)
{
	virtio_dev_destroy(dev);
	eventloop_destroy(loop);
	fake_mem_fini(&mem);
}

static void pump(void)
{
	while (eventloop_step(loop, 0) > 0)
		;
}

static uint32_t status(void)
{
	return fake_driver_read(dev, VIRTIO_MMIO_STATUS);
}

static void fsd_send(const void *m, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)m, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	ck_assert_int_eq(sendmsg(sock, &msg, 0), (ssize_t)len);
	pump();
}

static struct cm_fsdev_msg fsd_recv(void)
{
	struct cm_fsdev_msg m = { 0 };

	ck_assert_int_eq(recv(sock, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
	ck_assert_uint_eq(m.version, CM_FSDEV_VERSION);
	return m;
}

static int request(struct cm_fsdev_msg m, int fd)
{
	struct cm_fsdev_msg r;

	m.version = CM_FSDEV_VERSION;
	m.id = 77;
	fsd_send(&m, sizeof(m), fd);
	r = fsd_recv();
	ck_assert_uint_eq(r.op, CM_FSDEV_REPLY);
	ck_assert_uint_eq(r.id, 77);
	return r.status;
}

/* Is the byte at `offset` of the window accessible? */
static bool readable(uint64_t offset)
{
	int fd[2];
	bool ok;

	ck_assert_int_eq(pipe(fd), 0);
	ok = write(fd[1], window + offset, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return ok;
}

static bool writable(uint64_t offset)
{
	int fd[2];
	bool ok;

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], "W", 1), 1);
	ok = read(fd[0], window + offset, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return ok;
}

START_TEST(queues_are_announced)
{
	struct cm_fsdev_msg m;
	uint64_t count;

	fake_driver_start(dev, rings, 2);
	pump();
	m = fsd_recv();
	ck_assert_uint_eq(m.op, CM_FSDEV_QUEUE_START);
	ck_assert_uint_eq(m.queue, 0);
	m = fsd_recv();
	ck_assert_uint_eq(m.queue, 1);
	ck_assert_uint_eq(m.size, 128);
	ck_assert_uint_eq(m.desc, rings[1].desc_gpa);
	ck_assert_uint_eq(m.driver, rings[1].driver_gpa);
	ck_assert_uint_eq(m.device, rings[1].device_gpa);
	ck_assert_uint_eq(m.features, 1ull << VIRTIO_F_VERSION_1);
	ck_assert_int_eq(read(kick, &count, sizeof(count)), sizeof(count));
	virtio_doorbell(dev, 1);
	ck_assert_int_eq(read(kick, &count, sizeof(count)), sizeof(count));
	count = 1;
	ck_assert_int_eq(write(call, &count, sizeof(count)), sizeof(count));
	pump();
	ck_assert_int_eq(raised, 1);
	ck_assert_int_eq(fake_driver_read(dev, VIRTIO_MMIO_SHM_BASE_LOW), WINDOW_GPA);
	ck_assert_int_eq(fake_driver_read(dev, VIRTIO_MMIO_SHM_LEN_LOW), WINDOW);
}
END_TEST

/* KVM takes both eventfds over: what is written to them is not ours, and any interrupt may be a queue's. */
START_TEST(wires_go_past_the_io_thread)
{
	uint64_t count = 1;

	fake_driver_start(dev, rings, 2);
	pump();
	ck_assert_uint_eq(fake_driver_read(dev, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	ck_assert_int_eq(write(call, &count, sizeof(count)), sizeof(count));
	pump();
	ck_assert_int_eq(raised, 1);
	virtio_dev_wired(dev);
	ck_assert_int_eq(write(dev->call_fd, &count, sizeof(count)), sizeof(count));
	pump();
	ck_assert_int_eq(raised, 1);
	ck_assert_int_eq(read(call, &count, sizeof(count)), sizeof(count));
	ck_assert_int_eq(write(dev->kick_fd, &count, sizeof(count)), sizeof(count));
	ck_assert_int_eq(read(kick, &count, sizeof(count)), sizeof(count));
	ck_assert_uint_eq(
		fake_driver_read(dev, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
}
END_TEST

/* Reset the device; its server, which is at the end of `sock`, answers. */
static void reset(void)
{
	struct cm_fsdev_msg m;

	fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
	pump();
	m = fsd_recv();
	ck_assert_uint_eq(m.op, CM_FSDEV_RESET);
	m.op = CM_FSDEV_REPLY;
	fsd_send(&m, sizeof(m), -1);
	ck_assert_uint_eq(status(), 0);
}

START_TEST(reset_is_announced_and_empties_the_window)
{
	struct cm_fsdev_msg m = { .version = CM_FSDEV_VERSION, .op = CM_FSDEV_REPLY };

	fake_driver_start(dev, rings, 2);
	pump();
	fsd_recv();
	fsd_recv();
	ck_assert_int_eq(request(
				 (struct cm_fsdev_msg){
					 .op = CM_FSDEV_MAP, .prot = CM_FSDEV_READ, .len = PAGE },
				 file),
		0);
	ck_assert(readable(0));
	fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
	pump();
	ck_assert(!readable(0));
	/* The server may be inside a request until it says otherwise, and is asked once. */
	ck_assert_uint_ne(status(), 0);
	fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
	fsd_send(&m, sizeof(m), -1); /* to something else */
	ck_assert_uint_ne(status(), 0);
	m = fsd_recv();
	ck_assert_uint_eq(m.op, CM_FSDEV_RESET);
	ck_assert_int_lt(recv(sock, &m, sizeof(m), MSG_DONTWAIT | MSG_PEEK), 0);
	m.op = CM_FSDEV_REPLY;
	fsd_send(&m, sizeof(m), -1);
	ck_assert_uint_eq(status(), 0);
	fake_driver_start(dev, rings, 2);
	pump();
	ck_assert_uint_eq(fsd_recv().op, CM_FSDEV_QUEUE_START);
	ck_assert_uint_eq(fsd_recv().op, CM_FSDEV_QUEUE_START);
	reset();
}
END_TEST

START_TEST(map_and_unmap)
{
	ck_assert(!readable(0) && !readable(WINDOW - 1));
	ck_assert_int_eq(request((struct cm_fsdev_msg){ .op = CM_FSDEV_MAP,
					 .prot = CM_FSDEV_READ,
					 .file_offset = PAGE,
					 .len = 2 * PAGE,
					 .window_offset = WINDOW - 2 * PAGE },
				 file),
		0);
	ck_assert_mem_eq(window + WINDOW - 2 * PAGE, "page one", 8);
	ck_assert(!writable(WINDOW - PAGE));
	ck_assert_int_eq(request((struct cm_fsdev_msg){ .op = CM_FSDEV_UNMAP,
					 .len = PAGE,
					 .window_offset = WINDOW - PAGE },
				 -1),
		0);
	ck_assert(!readable(WINDOW - 1));
	ck_assert(readable(WINDOW - 2 * PAGE));
	/* A replaced mapping is gone as well. */
	ck_assert_int_eq(request((struct cm_fsdev_msg){ .op = CM_FSDEV_MAP,
					 .prot = CM_FSDEV_READ,
					 .len = PAGE,
					 .window_offset = WINDOW - 2 * PAGE },
				 file),
		0);
	ck_assert_mem_ne(window + WINDOW - 2 * PAGE, "page one", 8);
}
END_TEST

START_TEST(write_mappings_need_permission)
{
	const struct cm_fsdev_msg m = {
		.op = CM_FSDEV_MAP, .prot = CM_FSDEV_READ | CM_FSDEV_WRITE, .len = PAGE
	};

	ck_assert_int_eq(request(m, file), -EACCES);
	teardown();
	setup_device(true);
	ck_assert_int_eq(request(m, file), 0);
	ck_assert(writable(0));
}
END_TEST

static const struct {
	uint32_t op, prot;
	uint64_t file_offset, len, window_offset;
	int want;
} bad_requests[] = {
	{ CM_FSDEV_MAP, 1, 0, 0, 0, -EINVAL },
	{ CM_FSDEV_MAP, 1, 0, 100, 0, -EINVAL },
	{ CM_FSDEV_MAP, 1, 1, PAGE, 0, -EINVAL },
	{ CM_FSDEV_MAP, 1, 0, PAGE, 1, -EINVAL },
	{ CM_FSDEV_MAP, 1, 0, PAGE, WINDOW, -EINVAL },
	{ CM_FSDEV_MAP, 1, 0, WINDOW + PAGE, 0, -EINVAL },
	{ CM_FSDEV_MAP, 1, 0, 2 * PAGE, WINDOW - PAGE, -EINVAL },
	{ CM_FSDEV_MAP, 1, 0, PAGE, UINT64_MAX - PAGE + 1, -EINVAL },
	{ CM_FSDEV_MAP, 1, 0, UINT64_MAX - PAGE + 1, PAGE, -EINVAL },
	{ CM_FSDEV_MAP, 1, UINT64_MAX - PAGE + 1, PAGE, 0, -EINVAL },
	{ CM_FSDEV_MAP, 1, INT64_MAX - PAGE + 1, PAGE, 0, -EINVAL },
	{ CM_FSDEV_MAP, 0, 0, PAGE, 0, -EINVAL },
	{ CM_FSDEV_MAP, 2, 0, PAGE, 0, -EINVAL },
	{ CM_FSDEV_MAP, 4 | 1, 0, PAGE, 0, -EINVAL },
	{ CM_FSDEV_UNMAP, 0, 0, 0, 0, -EINVAL },
	{ CM_FSDEV_UNMAP, 0, 0, PAGE, WINDOW, -EINVAL },
	{ CM_FSDEV_UNMAP, 0, 0, UINT64_MAX - PAGE + 1, PAGE, -EINVAL },
	{ CM_FSDEV_UNMAP, 0, 0, PAGE + 1, 0, -EINVAL },
};

START_TEST(bad_request_is_refused_and_changes_nothing)
{
	struct cm_fsdev_msg m = {
		.op = bad_requests[_i].op,
		.prot = bad_requests[_i].prot,
		.file_offset = bad_requests[_i].file_offset,
		.len = bad_requests[_i].len,
		.window_offset = bad_requests[_i].window_offset,
	};

	ck_assert_int_eq(request(m, file), bad_requests[_i].want);
	ck_assert(!readable(0) && !readable(WINDOW - 1));
	window[-1] = 1;
	window[WINDOW] = 1;
}
END_TEST

START_TEST(map_needs_a_regular_file)
{
	const struct cm_fsdev_msg m = { .op = CM_FSDEV_MAP, .prot = CM_FSDEV_READ, .len = PAGE };
	int null = open("/dev/zero", O_RDWR);

	ck_assert_int_eq(request(m, -1), -EBADF);
	ck_assert_int_eq(request(m, null), -ENODEV);
	ck_assert_int_eq(request(m, loop ? sock : -1), -ENODEV);
}
END_TEST

static void expect_dropped(void)
{
	ck_assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	ck_assert_int_gt(raised, 0);
}

START_TEST(nonsense_ends_the_connection)
{
	struct cm_fsdev_msg m = { .version = CM_FSDEV_VERSION, .op = CM_FSDEV_UNMAP, .len = PAGE };
	char big[sizeof(m) + 1] = "";

	fake_driver_start(dev, rings, 2);
	pump();
	switch (_i) {
	case 0:
		m.version++;
		fsd_send(&m, sizeof(m), -1);
		break;
	case 1:
		fsd_send(&m, sizeof(m) - 1, -1);
		break;
	case 2:
		memcpy(big, &m, sizeof(m));
		fsd_send(big, sizeof(big), -1);
		break;
	case 3:
		m.op = 99;
		fsd_send(&m, sizeof(m), file);
		break;
	case 4:
		m.op = CM_FSDEV_QUEUE_START;
		fsd_send(&m, sizeof(m), -1);
		break;
	case 5:
		m.op = CM_FSDEV_REPLY;
		m.status = -EIO;
		fsd_send(&m, sizeof(m), -1);
		break;
	default:
		close(sock);
		pump();
		break;
	}
	expect_dropped();
	/* What comes later does no harm. */
	virtio_doorbell(dev, 1);
	if (_i == 5) { /* it is believed otherwise */
		fsd_recv();
		fsd_recv();
		reset();
		return;
	}
	fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
	pump();
	ck_assert_uint_eq(status(), 0);
}
END_TEST

START_TEST(descriptors_do_not_leak)
{
	struct cm_fsdev_msg m = {
		.version = CM_FSDEV_VERSION,
		.op = CM_FSDEV_UNMAP,
		.len = PAGE,
	};
	int before = dup(file), after;

	for (int i = 0; i < 100; i++) {
		m.op = i % 2 ? CM_FSDEV_UNMAP : CM_FSDEV_REPLY;
		fsd_send(&m, sizeof(m), file);
		while (recv(sock, &m, sizeof(m), MSG_DONTWAIT) > 0)
			;
	}
	after = dup(file);
	ck_assert_int_eq(after, before + 1);
}
END_TEST

/* ---- a spare device */

static void setup_spare(void)
{
	struct virtio_fs_params p = { .tag = "s1", .sock_fd = -1, .kick_fd = -1, .call_fd = -1 };
	struct virtio_env env;

	fake_mem_init(&mem);
	fake_ring_init(&rings[0], &mem, 0x10000, 16);
	fake_ring_init(&rings[1], &mem, 0x20000, 128);
	loop = eventloop_create();
	env = (struct virtio_env){ .loop = loop, .mem = &mem.gmem, .raise = raise };
	raised = 0;
	sock = -1;
	ck_assert_int_eq(virtio_fs_create(&env, &p, &dev), 0);
}

static void plug(void)
{
	int pair[2];

	close(sock);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	sock = pair[0];
	kick = eventfd(0, EFD_NONBLOCK);
	call = eventfd(0, EFD_NONBLOCK);
	ck_assert_int_eq(virtio_fs_plug(dev, pair[1], dup(kick), dup(call)), 0);
}

/* Queues are announced, a doorbell and an interrupt go through. */
static void expect_service(void)
{
	uint64_t n = 1;

	fake_driver_start(dev, rings, 2);
	pump();
	ck_assert_uint_eq(fsd_recv().op, CM_FSDEV_QUEUE_START);
	ck_assert_uint_eq(fsd_recv().op, CM_FSDEV_QUEUE_START);
	while (read(kick, &n, sizeof(n)) > 0)
		;
	virtio_doorbell(dev, 1);
	ck_assert_int_eq(read(kick, &n, sizeof(n)), sizeof(n));
	raised = 0;
	ck_assert_int_eq(write(call, &n, sizeof(n)), sizeof(n));
	pump();
	ck_assert_int_eq(raised, 1);
}

START_TEST(spare_device_waits_for_a_server)
{
	fake_driver_start(dev, rings, 2);
	pump();
	ck_assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	/* Who asks a device without a server is told so each time. */
	raised = 0;
	virtio_doorbell(dev, 1);
	ck_assert_int_eq(raised, 1);
	fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
	pump();
	plug();
	expect_service();
}
END_TEST

START_TEST(spare_device_outlives_servers)
{
	int before = dup(STDERR_FILENO), after;

	for (int i = 0; i < 50; i++) {
		plug();
		expect_service();
		/* Every other server dies before its driver lets go; one more is replaced alive. */
		if (i % 2) {
			if (i % 4 == 1)
				ck_assert_int_eq(virtio_fs_unplug(dev), 0);
			close(sock);
			sock = -1;
			pump();
			ck_assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
			fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
			pump();
			ck_assert_uint_eq(status(), 0);
		} else {
			reset();
		}
		close(kick);
		close(call);
	}
	close(sock);
	pump();
	after = dup(STDERR_FILENO);
	/* The number of the doorbell is kept. */
	ck_assert_int_le(after, before + 2);
}
END_TEST

/* One that stands still when it is cut off has requests in its hands: until it is gone, nobody gets its device. */
START_TEST(server_that_is_cut_off_is_waited_for)
{
	struct cm_fsdev_msg m = { .version = CM_FSDEV_VERSION, .op = CM_FSDEV_UNMAP, .len = PAGE };
	int pair[2];

	plug();
	expect_service();
	ck_assert_int_eq(virtio_fs_unplug(dev), 0);
	ck_assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
	for (int i = 0; i < 3; i++) {
		fake_driver_write(dev, VIRTIO_MMIO_STATUS, 0);
		pump();
		ck_assert_uint_ne(status(), 0);
	}
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(virtio_fs_plug(dev, pair[1], kick, call), -EBUSY);
	/* It goes on: what it says is not heard, what it hears is the end. */
	fsd_send(&m, sizeof(m), -1);
	ck_assert_int_eq(recv(sock, &m, sizeof(m), MSG_DONTWAIT), 0);
	ck_assert_uint_ne(status(), 0);
	close(sock);
	pump();
	ck_assert_uint_eq(status(), 0);
	sock = -1;
	plug();
	expect_service();
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(only_spare_devices_are_plugged)
{
	ck_assert_int_eq(virtio_fs_plug(dev, sock, kick, call), -EINVAL);
	ck_assert_int_eq(virtio_fs_unplug(dev), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio_fs");
	TCase *tc = tcase_create("fs"), *spare = tcase_create("spare");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, queues_are_announced);
	tcase_add_test(tc, wires_go_past_the_io_thread);
	tcase_add_test(tc, reset_is_announced_and_empties_the_window);
	tcase_add_test(tc, map_and_unmap);
	tcase_add_test(tc, write_mappings_need_permission);
	tcase_add_loop_test(tc, bad_request_is_refused_and_changes_nothing, 0,
		sizeof(bad_requests) / sizeof(bad_requests[0]));
	tcase_add_test(tc, map_needs_a_regular_file);
	tcase_add_loop_test(tc, nonsense_ends_the_connection, 0, 7);
	tcase_add_test(tc, descriptors_do_not_leak);
	tcase_add_test(tc, only_spare_devices_are_plugged);
	tcase_add_checked_fixture(spare, setup_spare, teardown);
	tcase_add_test(spare, spare_device_waits_for_a_server);
	tcase_add_test(spare, spare_device_outlives_servers);
	tcase_add_test(spare, server_that_is_cut_off_is_waited_for);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, spare);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
