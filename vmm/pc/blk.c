/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio block device (virtio 1.2, 5.2): read, write, flush and the identity. Requests are served in order on the io thread, straight between
 * guest memory and the file. What the driver asks for is copied once and bounded by the disk and by one request's limit.
 */
#include <config.h>
#include "vmm/pc/blk.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/virtio/device.h"

#define BLK_SECTOR    512u
#define BLK_SEG_MAX   62u
#define BLK_BYTES_MAX (4u << 20) /* of one request */
#define BLK_ROUND_MAX (8u << 20) /* bytes before other devices get their turn */
#define BLK_ID	      "casemate"

struct blk {
	struct virtio_dev dev;
	int fd;
	bool readonly;
	uint64_t bytes;
	struct virtio_blk_config config;
	struct virtio_dev_ops ops; /* features depend on the file */
	struct vq_chain chain;
};

/* Bytes moved, or -errno. `len` bytes from `off` of the chain's part, at `pos` of the file. */
static int64_t blk_move(struct blk *b, bool in, size_t off, size_t len, uint64_t pos)
{
	struct iovec iov[BLK_SEG_MAX + 2];
	size_t bytes;
	unsigned n =
		vq_chain_slice(&b->chain, in, off, len, iov, sizeof(iov) / sizeof(iov[0]), &bytes);
	ssize_t r;

	if (bytes != len)
		return -EIO;
	if (len == 0)
		return 0;
	/* #syscalls:io preadv pwritev */
	r = in ? preadv(b->fd, iov, (int)n, (off_t)pos) : pwritev(b->fd, iov, (int)n, (off_t)pos);
	if (r < 0)
		return -errno;
	return (size_t)r == len ? r : -EIO;
}

static int64_t blk_rw(struct blk *b, bool in, uint64_t sector, uint32_t len)
{
	uint64_t pos = sector * BLK_SECTOR;

	if (len % BLK_SECTOR || len > BLK_BYTES_MAX || sector > b->bytes / BLK_SECTOR ||
		len > b->bytes - pos || (!in && b->readonly))
		return -EIO;
	return blk_move(b, in, in ? 0 : sizeof(struct virtio_blk_outhdr), len, pos);
}

static int64_t blk_identity(struct blk *b, uint32_t len)
{
	char id[VIRTIO_BLK_ID_BYTES] = BLK_ID;

	return (int64_t)vq_chain_write(&b->chain, 0, id, len < sizeof(id) ? len : sizeof(id));
}

/* Serve the chain; returns the bytes written into its writable part, the last of which is the status. -EPROTO without room for that. */
static int64_t blk_request(struct blk *b)
{
	struct vq_chain *c = &b->chain;
	struct virtio_blk_outhdr h;
	uint8_t status = VIRTIO_BLK_S_OK;
	int64_t done = 0;
	uint32_t room;

	if (vq_chain_read(c, 0, &h, sizeof(h)) != sizeof(h) || c->write_len == 0)
		return -EPROTO;
	room = c->write_len - 1;
	switch (h.type) {
	case VIRTIO_BLK_T_IN:
		done = blk_rw(b, true, h.sector, room);
		break;
	case VIRTIO_BLK_T_OUT:
		done = blk_rw(b, false, h.sector, c->read_len - (uint32_t)sizeof(h));
		break;
	case VIRTIO_BLK_T_FLUSH:
		/* #syscalls:io fdatasync */
		done = fdatasync(b->fd) < 0 ? -errno : 0;
		break;
	case VIRTIO_BLK_T_GET_ID:
		done = blk_identity(b, room);
		break;
	default:
		status = VIRTIO_BLK_S_UNSUPP;
		break;
	}
	if (done < 0)
		status = VIRTIO_BLK_S_IOERR;
	vq_chain_write(c, room, &status, 1);
	return done < 0 || h.type == VIRTIO_BLK_T_OUT ? 1 : done + 1;
}

static void blk_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct blk *b = (struct blk *)dev;
	struct vq *q = &dev->queue[queue];
	uint64_t total = 0;
	int r;

	while (total < BLK_ROUND_MAX && (r = vq_pop(q, &b->chain)) != 0) {
		int64_t n = r < 0 ? r : blk_request(b);

		if (r < 0)
			virtio_dev_fail_queue(dev, queue);
		else if (n < 0)
			virtio_dev_fail(dev, "a request without header or status");
		if (n < 0)
			return;
		vq_push(q, b->chain.head, (uint32_t)n);
		total += (uint64_t)b->chain.read_len + b->chain.write_len + 1;
	}
	virtio_dev_used(dev, queue);
	if (total >= BLK_ROUND_MAX) {
		atomic_fetch_or(&dev->notified, 1u << queue);
		eventloop_post(&dev->work);
	}
}

static void blk_activate(struct virtio_dev *dev)
{
	blk_notify(dev, 0);
}

static void blk_reset(struct virtio_dev *dev)
{
}

static void blk_destroy(struct virtio_dev *dev)
{
	struct blk *b = (struct blk *)dev;

	virtio_dev_fini(dev);
	close(b->fd);
	free(b);
}

static const struct virtio_dev_ops blk_ops = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.nqueues = 1,
	.queue_size = 64,
	.activate = blk_activate,
	.reset = blk_reset,
	.notify = blk_notify,
	.destroy = blk_destroy,
};

int pc_blk_create(const struct virtio_env *env, int fd, bool readonly, struct virtio_dev **out)
{
	off_t size = lseek(fd, 0, SEEK_END);
	struct blk *b;
	int r;

	if (size < 0)
		return -errno;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->fd = fd;
	b->readonly = readonly;
	b->bytes = (uint64_t)size / BLK_SECTOR * BLK_SECTOR;
	b->config.capacity = b->bytes / BLK_SECTOR;
	b->config.seg_max = BLK_SEG_MAX;
	b->ops = blk_ops;
	b->ops.features = 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_FLUSH |
			  (readonly ? 1ull << VIRTIO_BLK_F_RO : 0);
	r = virtio_dev_init(&b->dev, &b->ops, env);
	if (r < 0) {
		free(b);
		return r;
	}
	b->dev.config = &b->config;
	b->dev.config_len = sizeof(b->config);
	*out = &b->dev;
	return 0;
}
