/* SPDX-License-Identifier: Apache-2.0 */
/* virtio entropy device: fills the driver's buffers from the host's generator, a bounded amount a request and a round. */
#include <config.h>

#include "vmm/virtio/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <linux/virtio_ids.h>

#include "casemate/virtio_abi.h"
#include "vmm/virtio/device.h"

#define RNG_ROUND_MAX (1u << 20) /* bytes before other devices get their turn */

struct rng {
	struct virtio_dev dev;
	struct vq_chain chain;
};

/* Fill the start of the writable part, straight into guest memory. Bytes written. */
static uint32_t rng_fill(const struct vq_chain *c)
{
	uint32_t done = 0;

	while (done < CM_VIRTIO_RNG_MAX) {
		struct iovec v;
		size_t n;
		ssize_t r;

		if (!vq_chain_slice(c, true, done, CM_VIRTIO_RNG_MAX - done, &v, 1, &n))
			break;
		/* #syscalls:io getrandom */
		r = getrandom(v.iov_base, n, 0);
		if (r <= 0)
			break;
		done += (uint32_t)r;
	}
	return done;
}

static void rng_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct rng *rng = (struct rng *)dev;
	struct vq *q = &dev->queue[queue];
	uint32_t total = 0;
	int r;

	while (total < RNG_ROUND_MAX && (r = vq_pop(q, &rng->chain)) != 0) {
		uint32_t n;

		if (r < 0) {
			virtio_dev_fail_queue(dev, queue);
			return;
		}
		n = rng_fill(&rng->chain);
		vq_push(q, rng->chain.head, n);
		total += n ? n : 1;
	}
	virtio_dev_used(dev, queue);
	if (total >= RNG_ROUND_MAX) {
		atomic_fetch_or(&dev->notified, 1u << queue);
		eventloop_post(&dev->work);
	}
}

static void rng_activate(struct virtio_dev *dev)
{
	rng_notify(dev, 0);
}

static void rng_reset(struct virtio_dev *dev)
{
}

static void rng_destroy(struct virtio_dev *dev)
{
	virtio_dev_fini(dev);
	free(dev);
}

static const struct virtio_dev_ops rng_ops = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.nqueues = 1,
	.queue_size = 16,
	.activate = rng_activate,
	.reset = rng_reset,
	.notify = rng_notify,
	.destroy = rng_destroy,
};

int virtio_rng_create(const struct virtio_env *env, struct virtio_dev **out)
{
	struct rng *rng = calloc(1, sizeof(*rng));
	int r;

	if (!rng)
		return -ENOMEM;
	r = virtio_dev_init(&rng->dev, &rng_ops, env);
	if (r) {
		free(rng);
		return r;
	}
	*out = &rng->dev;
	return 0;
}
