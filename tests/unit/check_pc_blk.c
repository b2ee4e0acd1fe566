/* SPDX-License-Identifier: Apache-2.0 */
/* The block device: requests that are served, and requests of a hostile driver. */
#include <config.h>

#include <check.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_ring.h"
#include "vmm/pc/blk.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/mmio.h"

#define RING   0
#define HEAD   0x8000 /* of requests */
#define DATA   0x10000
#define SECTOR 512

static struct fake_mem mem;
static struct fake_ring ring;
static struct virtio_dev *dev;
static struct eventloop *loop;
static int file;

static void raise_nothing(void *arg, unsigned int index)
{
}

static void begin(bool readonly)
{
	struct virtio_env env = { .mem = &mem.gmem, .raise = raise_nothing };
	char content[3 * SECTOR + 100];

	memset(content, 'a', SECTOR);
	memset(content + SECTOR, 'b', SECTOR);
	memset(content + 2 * SECTOR, 'c', SECTOR + 100);
	file = memfd_create("disk", MFD_CLOEXEC);
	ck_assert_int_eq(write(file, content, sizeof(content)), sizeof(content));
	loop = env.loop = eventloop_create();
	fake_mem_init(&mem);
	fake_ring_init(&ring, &mem, RING, 16);
	ck_assert_int_eq(pc_blk_create(&env, dup(file), readonly, &dev), 0);
	fake_driver_start(dev, &ring, 1);
	eventloop_step(loop, 0);
}

static void end(void)
{
	virtio_dev_destroy(dev);
	eventloop_destroy(loop);
	fake_mem_fini(&mem);
	close(file);
}

/* A request of `rlen` readable bytes behind its header and `wlen` writable ones; returns its status byte, or -1 when it did not come back. */
static int request(uint32_t type, uint64_t sector, uint32_t rlen, uint32_t wlen, uint32_t *len)
{
	struct virtio_blk_outhdr *h = fake_ptr(&mem, HEAD);
	uint8_t *status = fake_ptr(&mem, DATA + wlen - 1);
	uint32_t id;

	*h = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*status = 99;
	fake_ring_add(&ring, HEAD, (uint32_t)sizeof(*h) + rlen, DATA, wlen);
	virtio_doorbell(dev, 0);
	eventloop_step(loop, 0);
	return fake_ring_take(&ring, &id, len) ? *status : -1;
}

START_TEST(read_write)
{
	uint32_t len;
	char *data;
	char c;

	begin(false);
	data = fake_ptr(&mem, DATA);
	ck_assert_int_eq(request(VIRTIO_BLK_T_IN, 1, 0, SECTOR + 1, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, SECTOR + 1);
	ck_assert(data[0] == 'b' && data[SECTOR - 1] == 'b');
	ck_assert_int_eq(request(VIRTIO_BLK_T_IN, 0, 0, 3 * SECTOR + 1, &len), VIRTIO_BLK_S_OK);
	ck_assert(data[0] == 'a' && data[3 * SECTOR - 1] == 'c');
	memset((char *)fake_ptr(&mem, HEAD) + sizeof(struct virtio_blk_outhdr), 'x', SECTOR);
	ck_assert_int_eq(request(VIRTIO_BLK_T_OUT, 2, SECTOR, 1, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 1);
	ck_assert(pread(file, &c, 1, 2 * SECTOR) == 1 && c == 'x');
	ck_assert(pread(file, &c, 1, 2 * SECTOR - 1) == 1 && c == 'b');
	ck_assert_int_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, 1, &len), VIRTIO_BLK_S_OK);
	ck_assert_int_eq(
		request(VIRTIO_BLK_T_GET_ID, 0, 0, VIRTIO_BLK_ID_BYTES + 1, &len), VIRTIO_BLK_S_OK);
	ck_assert_str_eq(data, "casemate");
	end();
}
END_TEST

START_TEST(out_of_bounds)
{
	uint32_t len;

	begin(false);
	/* The disk has three whole sectors. */
	ck_assert_int_eq(request(VIRTIO_BLK_T_IN, 3, 0, SECTOR + 1, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_int_eq(request(VIRTIO_BLK_T_IN, 2, 0, 2 * SECTOR + 1, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_int_eq(
		request(VIRTIO_BLK_T_IN, UINT64_MAX, 0, SECTOR + 1, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_int_eq(request(VIRTIO_BLK_T_IN, UINT64_MAX / SECTOR + 1, 0, SECTOR + 1, &len),
		VIRTIO_BLK_S_IOERR);
	ck_assert_int_eq(request(VIRTIO_BLK_T_IN, 0, 0, 100, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_int_eq(request(VIRTIO_BLK_T_OUT, 3, SECTOR, 1, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_int_eq(request(77, 0, 0, 1, &len), VIRTIO_BLK_S_UNSUPP);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), 3 * SECTOR + 100);
	end();
}
END_TEST

START_TEST(read_only)
{
	uint32_t len;
	char c;

	begin(true);
	ck_assert_uint_ne(fake_driver_read(dev, 0x10) & 1u << VIRTIO_BLK_F_RO, 0);
	ck_assert_int_eq(request(VIRTIO_BLK_T_OUT, 0, SECTOR, 1, &len), VIRTIO_BLK_S_IOERR);
	ck_assert(pread(file, &c, 1, 0) == 1 && c == 'a');
	end();
}
END_TEST

START_TEST(no_room_for_a_status)
{
	uint32_t id, len;

	begin(false);
	fake_ring_add(&ring, HEAD, sizeof(struct virtio_blk_outhdr), 0, 0);
	virtio_doorbell(dev, 0);
	eventloop_step(loop, 0);
	ck_assert(!fake_ring_take(&ring, &id, &len));
	/* NEEDS_RESET */
	ck_assert_uint_ne(fake_driver_read(dev, 0x70) & 0x40, 0);
	end();
}
END_TEST

START_TEST(header_too_short)
{
	uint32_t id, len;

	begin(false);
	fake_ring_add(&ring, HEAD, 15, DATA, 1);
	virtio_doorbell(dev, 0);
	eventloop_step(loop, 0);
	ck_assert(!fake_ring_take(&ring, &id, &len));
	ck_assert_uint_ne(fake_driver_read(dev, 0x70) & 0x40, 0);
	end();
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pc_blk");
	Suite *s = suite_create("pc_blk");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, read_write);
	tcase_add_test(tc, out_of_bounds);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, no_room_for_a_status);
	tcase_add_test(tc, header_too_short);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
