/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-mmio transport: registers, the device state machine, and the hand-over between vCPU threads and the io thread. */
#include <config.h>

#include "vmm/virtio/mmio.h"

#include <errno.h>
#include <string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "vmm/virtio/device.h"

#define MMIO_MAGIC   0x74726976u /* "virt" */
#define MMIO_VERSION 2u
#define MMIO_VENDOR  0x454d5343u /* "CSME" */

#define STATUS_KNOWN \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK | \
		VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED)

static void virtio_dev_work(struct ev_work *w);

int virtio_dev_init(
	struct virtio_dev *dev, const struct virtio_dev_ops *ops, const struct virtio_env *env)
{
	dev->ops = ops;
	dev->env = *env;
	dev->kick_fd = dev->call_fd = dev->error_queue = -1;
	dev->work = (struct ev_work){ .fn = virtio_dev_work, .arg = dev };
	pthread_mutex_init(&dev->lock, NULL);
	return eventloop_work_add(env->loop, &dev->work);
}

void virtio_dev_fini(struct virtio_dev *dev)
{
	pthread_mutex_destroy(&dev->lock);
}

void virtio_dev_destroy(struct virtio_dev *dev)
{
	if (dev)
		dev->ops->destroy(dev);
}

void virtio_dev_interrupt(struct virtio_dev *dev)
{
	atomic_fetch_or(&dev->isr, VIRTIO_MMIO_INT_VRING);
	dev->env.raise(dev->env.raise_arg, dev->env.index);
}

void virtio_dev_used(struct virtio_dev *dev, unsigned int q)
{
	if (vq_wants_interrupt(&dev->queue[q]))
		virtio_dev_interrupt(dev);
}

static void virtio_error_locked(struct virtio_dev *dev, const char *why, int queue)
{
	dev->error = why;
	dev->error_queue = queue;
}

/* #syscalls:io futex -- dev->lock under contention with a register access */
static void virtio_fail(struct virtio_dev *dev, const char *why, int queue)
{
	if (dev->failed)
		return;
	dev->failed = true;
	pthread_mutex_lock(&dev->lock);
	virtio_error_locked(dev, why, queue);
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	pthread_mutex_unlock(&dev->lock);
	atomic_fetch_or(&dev->isr, VIRTIO_MMIO_INT_CONFIG);
	dev->env.raise(dev->env.raise_arg, dev->env.index);
}

void virtio_dev_fail(struct virtio_dev *dev, const char *why)
{
	virtio_fail(dev, why, -1);
}

void virtio_dev_fail_queue(struct virtio_dev *dev, unsigned int q)
{
	virtio_fail(dev, dev->queue[q].fault, (int)q);
}

static uint64_t virtio_features(const struct virtio_dev *dev)
{
	return dev->ops->features | 1ull << VIRTIO_F_VERSION_1 |
	       1ull << VIRTIO_RING_F_INDIRECT_DESC;
}

/* Back to the state after power-on. Caller holds the lock or is alone. */
static void virtio_regs_clear_locked(struct virtio_dev *dev)
{
	dev->phase = VIRTIO_IDLE;
	dev->status = 0;
	dev->device_features_sel = 0;
	dev->driver_features_sel = 0;
	dev->queue_sel = 0;
	dev->shm_sel = 0;
	dev->driver_features = 0;
	memset(dev->regs, 0, sizeof(dev->regs));
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++)
		vq_off(&dev->queue[i]);
	dev->failed = false;
	atomic_store(&dev->isr, 0);
	atomic_store(&dev->notified, 0);
}

void virtio_dev_silent(struct virtio_dev *dev)
{
	pthread_mutex_lock(&dev->lock);
	if (dev->phase == VIRTIO_STOPPING)
		virtio_regs_clear_locked(dev);
	pthread_mutex_unlock(&dev->lock);
}

bool virtio_dev_idle(struct virtio_dev *dev)
{
	bool idle;

	pthread_mutex_lock(&dev->lock);
	idle = dev->phase == VIRTIO_IDLE;
	pthread_mutex_unlock(&dev->lock);
	return idle;
}

/* io thread: carry out the phase change that a register write asked for, then serve doorbells. */
static void virtio_dev_work(struct ev_work *w)
{
	struct virtio_dev *dev = w->arg;
	enum virtio_phase phase;
	uint32_t rang;

	pthread_mutex_lock(&dev->lock);
	phase = dev->phase;
	if (phase == VIRTIO_STARTING)
		dev->phase = VIRTIO_RUNNING;
	pthread_mutex_unlock(&dev->lock);

	if (phase == VIRTIO_STOPPING) {
		dev->ops->reset(dev);
		if (!dev->ops->busy || !dev->ops->busy(dev))
			virtio_dev_silent(dev);
		return;
	}
	if (phase == VIRTIO_STARTING)
		dev->ops->activate(dev);
	else if (phase != VIRTIO_RUNNING)
		return;
	rang = atomic_exchange(&dev->notified, 0);
	for (; rang && !dev->failed; rang &= rang - 1)
		dev->ops->notify(dev, (unsigned int)__builtin_ctz(rang));
}

void virtio_doorbell(struct virtio_dev *dev, uint32_t queue)
{
	if (queue >= dev->ops->nqueues)
		return;
	if (dev->ops->doorbell) {
		dev->ops->doorbell(dev, queue);
		return;
	}
	atomic_fetch_or(&dev->notified, 1u << queue);
	eventloop_post(&dev->work);
}

void virtio_dev_wired(struct virtio_dev *dev)
{
	atomic_store(&dev->wired, true);
	dev->ops->wired(dev);
}

/* DRIVER_OK: freeze what was programmed. A queue that cannot work means NEEDS_RESET and no activation. */
static void virtio_start_locked(struct virtio_dev *dev)
{
	for (unsigned int i = 0; i < dev->ops->nqueues; i++) {
		const struct virtio_queue_regs *r = &dev->regs[i];

		if (!r->ready)
			continue;
		if (vq_setup(&dev->queue[i], dev->env.mem, (uint16_t)r->size, r->desc, r->driver,
			    r->device)) {
			virtio_error_locked(dev, dev->queue[i].fault, (int)i);
			dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
			return;
		}
	}
	dev->phase = VIRTIO_STARTING;
	eventloop_post(&dev->work);
}

static void virtio_write_status_locked(struct virtio_dev *dev, uint32_t v)
{
	uint32_t old = dev->status & STATUS_KNOWN;

	if (v == 0) {
		if (dev->phase == VIRTIO_IDLE) {
			virtio_regs_clear_locked(dev);
		} else {
			dev->phase = VIRTIO_STOPPING;
			eventloop_post(&dev->work);
		}
		return;
	}
	/* Bits are only ever added, each after the one before it. */
	if ((v & ~(uint32_t)(STATUS_KNOWN | VIRTIO_CONFIG_S_NEEDS_RESET)) || (v & old) != old ||
		dev->phase != VIRTIO_IDLE)
		return;
	v &= STATUS_KNOWN;
	if (((v & VIRTIO_CONFIG_S_DRIVER) && !(v & VIRTIO_CONFIG_S_ACKNOWLEDGE)) ||
		((v & VIRTIO_CONFIG_S_FEATURES_OK) && !(v & VIRTIO_CONFIG_S_DRIVER)) ||
		((v & VIRTIO_CONFIG_S_DRIVER_OK) && !(old & VIRTIO_CONFIG_S_FEATURES_OK)))
		return;
	if ((v & ~old & VIRTIO_CONFIG_S_FEATURES_OK) &&
		((dev->driver_features & ~virtio_features(dev)) ||
			!(dev->driver_features & 1ull << VIRTIO_F_VERSION_1))) {
		virtio_error_locked(dev, "features that cannot be accepted", -1);
		v &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	}
	if (v & ~old & VIRTIO_CONFIG_S_FAILED)
		virtio_error_locked(dev, "the driver gave up", -1);
	dev->status |= v;
	if ((v & ~old & VIRTIO_CONFIG_S_DRIVER_OK) &&
		!(dev->status & (VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED)))
		virtio_start_locked(dev);
}

static void virtio_set_half(uint64_t *reg, bool high, uint32_t v)
{
	unsigned int shift = high ? 32 : 0;

	*reg = (*reg & ~(0xffffffffull << shift)) | (uint64_t)v << shift;
}

/* Registers of the selected queue: only between FEATURES_OK and DRIVER_OK, and addresses only while the queue is not ready. */
static void virtio_write_queue_locked(struct virtio_dev *dev, uint64_t offset, uint32_t v)
{
	struct virtio_queue_regs *r;

	if (dev->queue_sel >= dev->ops->nqueues || dev->phase != VIRTIO_IDLE ||
		!(dev->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
		(dev->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET)))
		return;
	r = &dev->regs[dev->queue_sel];
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		r->ready = v & 1;
		return;
	}
	if (r->ready)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		if (v <= dev->ops->queue_size)
			r->size = v;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		virtio_set_half(&r->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, v);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		virtio_set_half(&r->driver, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, v);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		virtio_set_half(&r->device, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, v);
		break;
	default:
		break;
	}
}

static void virtio_write_features_locked(struct virtio_dev *dev, uint32_t v)
{
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER) ||
		(dev->status & VIRTIO_CONFIG_S_FEATURES_OK) || dev->driver_features_sel > 1)
		return;
	virtio_set_half(&dev->driver_features, dev->driver_features_sel == 1, v);
}

static void virtio_write_locked(struct virtio_dev *dev, uint64_t offset, uint32_t v)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		dev->device_features_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		dev->driver_features_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		virtio_write_features_locked(dev, v);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		dev->queue_sel = v;
		break;
	case VIRTIO_MMIO_SHM_SEL:
		dev->shm_sel = v;
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		atomic_fetch_and(&dev->isr, ~v);
		break;
	case VIRTIO_MMIO_STATUS:
		virtio_write_status_locked(dev, v);
		break;
	default:
		virtio_write_queue_locked(dev, offset, v);
		break;
	}
}

/* A shared memory region that does not exist has length and base of all ones. */
static uint32_t virtio_read_shm_locked(const struct virtio_dev *dev, uint64_t offset)
{
	bool have = dev->shm_sel == 0 && dev->shm_len;
	uint64_t len = have ? dev->shm_len : UINT64_MAX;
	uint64_t base = have ? dev->shm_gpa : UINT64_MAX;

	switch (offset) {
	case VIRTIO_MMIO_SHM_LEN_LOW:
		return (uint32_t)len;
	case VIRTIO_MMIO_SHM_LEN_HIGH:
		return (uint32_t)(len >> 32);
	case VIRTIO_MMIO_SHM_BASE_LOW:
		return (uint32_t)base;
	default:
		return (uint32_t)(base >> 32);
	}
}

static uint32_t virtio_read_locked(struct virtio_dev *dev, uint64_t offset)
{
	bool queue = dev->queue_sel < dev->ops->nqueues;

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return MMIO_VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return dev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return MMIO_VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		if (dev->device_features_sel > 1)
			return 0;
		return (uint32_t)(virtio_features(dev) >> (32 * dev->device_features_sel));
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? dev->ops->queue_size : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue ? dev->regs[dev->queue_sel].ready : 0;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return atomic_load(&dev->isr) |
		       (atomic_load(&dev->wired) ? VIRTIO_MMIO_INT_VRING : 0);
	case VIRTIO_MMIO_STATUS:
		return dev->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return virtio_read_shm_locked(dev, offset);
	default:
		return 0;
	}
}

/* Config space is constant: read-only, any size inside it. */
static uint64_t virtio_read_config(const struct virtio_dev *dev, uint64_t offset, unsigned int size)
{
	uint64_t v = 0;

	if (size <= sizeof(v) && offset < dev->config_len && size <= dev->config_len - offset)
		memcpy(&v, (const uint8_t *)dev->config + offset, size);
	return v;
}

void virtio_mmio_access(
	struct virtio_dev *dev, uint64_t offset, unsigned int size, bool write, uint64_t *value)
{
	if (offset >= VIRTIO_MMIO_CONFIG) {
		if (!write)
			*value = virtio_read_config(dev, offset - VIRTIO_MMIO_CONFIG, size);
		return;
	}
	if (size != 4 || offset % 4) {
		if (!write)
			*value = 0;
		return;
	}
	if (write && offset == VIRTIO_MMIO_QUEUE_NOTIFY) {
		virtio_doorbell(dev, (uint32_t)*value);
		return;
	}
	pthread_mutex_lock(&dev->lock);
	if (write)
		virtio_write_locked(dev, offset, (uint32_t)*value);
	else
		*value = virtio_read_locked(dev, offset);
	pthread_mutex_unlock(&dev->lock);
}
