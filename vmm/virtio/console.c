/* SPDX-License-Identifier: Apache-2.0 */
/* virtio console device, output only: blocks of the sentry's log. The receive queue exists and stays silent. */
#include <config.h>

#include "vmm/virtio/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <linux/virtio_ids.h>

#include "vmm/guestlog.h"
#include "vmm/virtio/device.h"

#define CONSOLE_RX	  0
#define CONSOLE_TX	  1
#define CONSOLE_BLOCK	  4096
#define CONSOLE_ROUND_MAX (256u << 10) /* bytes before other devices get their turn */

struct console {
	struct virtio_dev dev;
	struct guestlog *log;
	struct vq_chain chain;
	char block[CONSOLE_BLOCK];
};

static uint32_t console_output(struct console *con)
{
	size_t off = 0, n;

	while ((n = vq_chain_read(&con->chain, off, con->block, sizeof(con->block))) > 0) {
		guestlog_write(con->log, con->block, n);
		off += n;
		if (off >= CONSOLE_ROUND_MAX)
			break; /* one request cannot hold the thread for gigabytes */
	}
	return (uint32_t)off;
}

static void console_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct console *con = (struct console *)dev;
	struct vq *q = &dev->queue[CONSOLE_TX];
	uint32_t total = 0;
	int r;

	if (queue != CONSOLE_TX)
		return;
	while (total < CONSOLE_ROUND_MAX && (r = vq_pop(q, &con->chain)) != 0) {
		if (r < 0) {
			virtio_dev_fail_queue(dev, CONSOLE_TX);
			return;
		}
		total += console_output(con) + 1;
		vq_push(q, con->chain.head, 0);
	}
	virtio_dev_used(dev, CONSOLE_TX);
	if (total >= CONSOLE_ROUND_MAX) {
		atomic_fetch_or(&dev->notified, 1u << CONSOLE_TX);
		eventloop_post(&dev->work);
	}
}

static void console_activate(struct virtio_dev *dev)
{
	console_notify(dev, CONSOLE_TX);
}

static void console_reset(struct virtio_dev *dev)
{
}

static void console_destroy(struct virtio_dev *dev)
{
	virtio_dev_fini(dev);
	free(dev);
}

static const struct virtio_dev_ops console_ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.nqueues = 2,
	.queue_size = 64,
	.activate = console_activate,
	.reset = console_reset,
	.notify = console_notify,
	.destroy = console_destroy,
};

int virtio_console_create(
	const struct virtio_env *env, struct guestlog *log, struct virtio_dev **out)
{
	struct console *con = calloc(1, sizeof(*con));
	int r;

	if (!con)
		return -ENOMEM;
	con->log = log;
	r = virtio_dev_init(&con->dev, &console_ops, env);
	if (r) {
		free(con);
		return r;
	}
	*out = &con->dev;
	return 0;
}
