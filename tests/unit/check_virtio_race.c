/* SPDX-License-Identifier: Apache-2.0 */
/* Storms: several "vCPUs" hammer registers, doorbells and the rings themselves while the io thread runs the devices. */
#include <config.h>

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "tests/lib/fake_driver.h"
#include "tests/lib/fake_vsock.h"
#include "vmm/eventloop.h"
#include "vmm/virtio/device.h"
#include "vmm/virtio/mmio.h"

#define STORM_NS 300000000ull

static struct fake_vsock v;
static _Atomic bool over;

static void *io_thread(void *arg)
{
	ck_assert_int_eq(eventloop_run(v.loop), 0);
	return NULL;
}

/* Everything a vCPU can do to a device from outside of its memory. */
static void *register_thread(void *arg)
{
	unsigned int seed = *(unsigned int *)arg;

	while (!atomic_load(&over)) {
		uint64_t value = (uint64_t)rand_r(&seed);
		uint64_t offset = (uint64_t)rand_r(&seed) % 0x110;

		switch (rand_r(&seed) % 8) {
		case 0:
			fake_driver_start(v.dev, v.ring, 3);
			break;
		case 1:
			fake_driver_write(v.dev, VIRTIO_MMIO_STATUS, 0);
			break;
		case 2:
		case 3:
		case 4:
			virtio_doorbell(v.dev, (uint32_t)value % 5);
			break;
		default:
			virtio_mmio_access(
				v.dev, offset, 1u << value % 4, rand_r(&seed) % 2, &value);
			break;
		}
	}
	return NULL;
}

/* A second vCPU that rewrites descriptors and indices under the parser's hands. */
static void *scribble_thread(void *arg)
{
	unsigned int seed = 77;

	while (!atomic_load(&over)) {
		struct fake_ring *r = &v.ring[rand_r(&seed) % 2];
		uint32_t *word = (uint32_t *)r->desc + (unsigned int)rand_r(&seed) % 256;

		__atomic_store_n(word, (uint32_t)rand_r(&seed), __ATOMIC_RELAXED);
		if (rand_r(&seed) % 4 == 0)
			__atomic_store_n(&r->avail->idx, (uint16_t)rand_r(&seed), __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *client_thread(void *arg)
{
	while (!atomic_load(&over)) {
		int fd = fake_vsock_client(&v);

		/* The device may have closed it already. */
		send(fd, "CONNECT 5\nhello", 15, MSG_NOSIGNAL);
		usleep(200);
		close(fd);
	}
	return NULL;
}

static void storm(void *(*third)(void *))
{
	static unsigned int seeds[2] = { 1, 2 };
	pthread_t io, t[4];
	uint64_t end = eventloop_now() + STORM_NS;

	atomic_store(&over, false);
	ck_assert_int_eq(pthread_create(&io, NULL, io_thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, register_thread, &seeds[i]), 0);
	ck_assert_int_eq(pthread_create(&t[2], NULL, client_thread, NULL), 0);
	ck_assert_int_eq(pthread_create(&t[3], NULL, third, NULL), 0);
	while (eventloop_now() < end)
		usleep(10000);
	atomic_store(&over, true);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	/* Whatever happened: a reset makes the device whole again. */
	fake_driver_write(v.dev, VIRTIO_MMIO_STATUS, 0);
	for (int i = 0; i < 1000 && fake_driver_read(v.dev, VIRTIO_MMIO_STATUS); i++)
		usleep(1000);
	ck_assert_uint_eq(fake_driver_read(v.dev, VIRTIO_MMIO_STATUS), 0);
	eventloop_stop(v.loop);
	pthread_join(io, NULL);
}

static void setup(void)
{
	fake_vsock_init(&v);
}

static void teardown(void)
{
	fake_vsock_fini(&v);
}

static void *idle_thread(void *arg)
{
	return NULL;
}

START_TEST(registers_doorbells_and_clients)
{
	storm(idle_thread);
}
END_TEST

START_TEST(rings_rewritten_meanwhile)
{
	storm(scribble_thread);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio_race");
	TCase *tc = tcase_create("race");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, registers_doorbells_and_clients);
	tcase_add_test(tc, rings_rewritten_meanwhile);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
