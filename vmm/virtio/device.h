/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What transport and device models share: a device type is a constant struct virtio_dev_ops, a device a struct virtio_dev that the
 * model embeds as its first member.
 *
 * Threads. vCPU threads come in through mmio.h alone and touch registers under `lock`, or post. Everything else, the ops included,
 * runs on the io thread. `phase` says who owns the queues: the register side while IDLE, the io thread otherwise.
 *
 *   IDLE      registers can be written in the order that virtio demands; DRIVER_OK sets the queues up and moves to
 *   STARTING  the io thread will call ops->activate and move to
 *   RUNNING   queue registers are frozen; a write of 0 to Status moves to
 *   STOPPING  the io thread will call ops->reset and move to IDLE, once ops->busy says that the device is silent; until then Status reads as
 *             before and registers ignore writes
 */
#ifndef CM_VMM_VIRTIO_DEVICE_H
#define CM_VMM_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/eventloop.h"
#include "vmm/virtio/queue.h"

#define VIRTIO_QUEUES_MAX 4

struct virtio_dev;

struct virtio_dev_ops {
	const char *name;
	uint32_t id; /* VIRTIO_ID_* */
	uint32_t nqueues;
	uint16_t queue_size; /* QueueNumMax of every queue */
	uint64_t features; /* offered beside VIRTIO_F_VERSION_1 and VIRTIO_RING_F_INDIRECT_DESC */
	void (*activate)(struct virtio_dev *dev); /* queues that the driver enabled are set up */
	void (*reset)(struct virtio_dev *
			dev); /* forget what came from the driver; may come without activate; the queues are turned off afterwards */
	/* Optional, after reset: may somebody still touch the driver's memory? virtio_dev_silent follows then. */
	bool (*busy)(struct virtio_dev *dev);
	void (*notify)(
		struct virtio_dev *dev, unsigned int queue); /* the driver rang; RUNNING only */
	void (*doorbell)(struct virtio_dev *dev,
		unsigned int queue); /* optional, on the vCPU thread, instead of notify */
	void (*wired)(struct virtio_dev *
			dev); /* with a call_fd: KVM has taken it over, no virtio_dev_interrupt on its account any more */
	void (*destroy)(struct virtio_dev *dev); /* free the device; its threads are gone */
};

/* What every device needs of its VMM. */
struct virtio_env {
	struct eventloop *loop;
	const struct gmem *mem; /* where rings and buffers of this device may lie */
	unsigned int index; /* number of its register page */
	void (*raise)(
		void *arg, unsigned int index); /* inject the device's interrupt; any thread */
	void *raise_arg;
};

enum virtio_phase {
	VIRTIO_IDLE,
	VIRTIO_STARTING,
	VIRTIO_RUNNING,
	VIRTIO_STOPPING
};

/* Queue registers as the driver wrote them. */
struct virtio_queue_regs {
	uint32_t size;
	uint32_t ready;
	uint64_t desc, driver, device;
};

struct virtio_dev {
	/* Constant after creation. */
	const struct virtio_dev_ops *ops;
	struct virtio_env env;
	const void *config; /* device-specific config space */
	size_t config_len;
	uint64_t shm_gpa, shm_len; /* shared memory region 0; len 0 = none */
	struct ev_work work;
	/*
	 * Eventfds of a device whose queues another process serves, else -1: doorbells are written to the one, interrupts come from the
	 * other. KVM may do both by itself (wire.h).
	 */
	int kick_fd, call_fd;

	_Atomic uint32_t notified; /* bit = queue that rang */
	_Atomic uint32_t isr;
	_Atomic bool wired; /* interrupts come past us: any may be one of a queue */

	pthread_mutex_t lock; /* protects: the members below, and queue[] while IDLE */
	enum virtio_phase phase;
	uint32_t status;
	uint32_t device_features_sel, driver_features_sel, queue_sel, shm_sel;
	uint64_t driver_features;
	struct virtio_queue_regs regs[VIRTIO_QUEUES_MAX];
	/* For people: what went wrong last, a constant text, and the queue that it is about or -1. Outlives a reset. */
	const char *error;
	int error_queue;

	/* The io thread's while not IDLE. */
	struct vq queue[VIRTIO_QUEUES_MAX];
	bool failed; /* NEEDS_RESET was set: the device rests */
};

/* Called by the models' create functions; `ops`, `config` and `shm` stay the caller's. 0 or -errno. */
int virtio_dev_init(
	struct virtio_dev *dev, const struct virtio_dev_ops *ops, const struct virtio_env *env);
void virtio_dev_fini(struct virtio_dev *dev);

/* End of a device: ops->destroy. NULL is fine. */
void virtio_dev_destroy(struct virtio_dev *dev);

/* io thread: chains went back on queue q; interrupt the driver if it wants that. */
void virtio_dev_used(struct virtio_dev *dev, unsigned int q);

/* io thread: a device that was busy is no more. Nothing happens when nobody waits for that. */
void virtio_dev_silent(struct virtio_dev *dev);

/* io thread: is the device as after power-on, with no driver that uses it? */
bool virtio_dev_idle(struct virtio_dev *dev);

/* Interrupt the driver without looking at a ring. Any thread. */
void virtio_dev_interrupt(struct virtio_dev *dev);

/* io thread: KVM has taken call_fd over. */
void virtio_dev_wired(struct virtio_dev *dev);

/* io thread: the driver broke a rule, or the device cannot go on. Sets NEEDS_RESET; no op but reset is called until the driver resets the device. */
void virtio_dev_fail(struct virtio_dev *dev, const char *why);

/* The same for the rule that queue q says was broken. */
void virtio_dev_fail_queue(struct virtio_dev *dev, unsigned int q);

#endif
