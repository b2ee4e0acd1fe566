/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-fs device, the VMM's part: registers, interrupts and the DAX window. The queues are served by casemate-fsd, which this file
 * tells where they are and whose mapping requests it checks: fsd parses hostile input, so its messages are treated as hostile too.
 *
 * A server that lives may be in the middle of a request, and when it goes on, it writes its answer: into pages that the driver has long put to another
 * use, if the driver were told that all is over. So a reset ends when the server has answered RESET, between two requests, or has hung up, which
 * it cannot do while it still has memory. One that is cut off is not heard any more, but waited for like that.
 *
 * A spare device has no server until one is plugged in, and none again when that hangs up. KVM carries nothing for it, so that all its
 * descriptors are the io thread's, but for the doorbell's, which vCPUs write to: its number is never given back, a later server's takes its place.
 */
#include <config.h>

#include "vmm/virtio/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>

#include "casemate/fsdev.h"
#include "casemate/virtio_abi.h"
#include "vmm/virtio/device.h"

#define FS_PAGE	     4096u
#define FS_ROUND_MAX 64 /* messages before other devices get their turn */

struct fsdev {
	struct virtio_dev dev;
	struct virtio_fs_config config;
	struct ev_source sock, call;
	_Atomic int kick_fd; /* -1 = a spare device that never had a server */
	bool spare;
	uint8_t *window;
	uint64_t window_len;
	bool writable;
	_Atomic bool connected; /* fsd is there, and is believed */
	bool watched; /* sock is watched: fsd is there */
	uint64_t next_id, reset_id; /* of the RESET that has no answer yet, or 0 */
};

/* #syscalls:io mmap[2&PROT_EXEC=0] -- empty the slice, or part of it */
static int fsdev_unmap(struct fsdev *fs, uint64_t offset, uint64_t len)
{
	void *p = mmap(fs->window + offset, len, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static void fsdev_silent(struct fsdev *fs)
{
	fs->reset_id = 0;
	virtio_dev_silent(&fs->dev);
}

/* fsd hung up, or breaks every rule and is not waited for. */
static void fsdev_unwatch(struct fsdev *fs)
{
	if (!fs->watched)
		return;
	fs->watched = false;
	eventloop_del(fs->dev.env.loop, &fs->sock);
	if (fs->spare) {
		eventloop_del(fs->dev.env.loop, &fs->call);
		close(fs->sock.fd);
		close(fs->call.fd);
	}
	fsdev_silent(fs);
}

/* Without fsd there is no file system: the driver must see that. */
static void fsdev_fail(struct fsdev *fs, const char *why)
{
	if (!fs->connected)
		return;
	fs->connected = false;
	virtio_dev_fail(&fs->dev, why);
}

static void fsdev_disconnect(struct fsdev *fs, const char *why)
{
	fsdev_fail(fs, why);
	fsdev_unwatch(fs);
}

/* It sees an end of file and hangs up, as soon as it looks. #syscalls:io shutdown */
static void fsdev_cut(struct fsdev *fs, const char *why)
{
	if (!fs->connected)
		return;
	(void)shutdown(fs->sock.fd, SHUT_WR);
	fsdev_fail(fs, why);
}

/* The socket holds far more messages than are ever outstanding: full means that fsd is stuck. */
static void fsdev_send(struct fsdev *fs, struct cm_fsdev_msg *msg)
{
	if (!fs->connected)
		return;
	msg->version = CM_FSDEV_VERSION;
	/* #syscalls:io sendto */
	if (send(fs->sock.fd, msg, sizeof(*msg), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(*msg))
		fsdev_cut(fs, "casemate-fsd takes no messages");
}

/* #syscalls:vcpu write */
static void fsdev_doorbell(struct virtio_dev *dev, unsigned int queue)
{
	struct fsdev *fs = (struct fsdev *)dev;
	uint64_t one = 1;

	/* A driver that missed the failure looks again. */
	if (!fs->connected)
		virtio_dev_interrupt(dev);
	else if (write(fs->kick_fd, &one, sizeof(one)) < 0)
		return; /* a full counter is a doorbell that fsd has not heard yet */
}

static void fsdev_activate(struct virtio_dev *dev)
{
	struct fsdev *fs = (struct fsdev *)dev;

	for (uint32_t i = 0; i < dev->ops->nqueues; i++) {
		/* Frozen since DRIVER_OK: no lock needed. */
		const struct virtio_queue_regs *r = &dev->regs[i];
		struct cm_fsdev_msg msg = {
			.op = CM_FSDEV_QUEUE_START,
			.id = ++fs->next_id,
			.queue = i,
			.size = r->size,
			.desc = r->desc,
			.driver = r->driver,
			.device = r->device,
			.features = dev->driver_features,
		};

		if (r->ready)
			fsdev_send(fs, &msg);
	}
	if (!fs->connected)
		virtio_dev_fail(dev, "there is no casemate-fsd");
	/* Requests that were queued before fsd knew the ring. */
	fsdev_doorbell(dev, 0);
}

static void fsdev_reset(struct virtio_dev *dev)
{
	struct fsdev *fs = (struct fsdev *)dev;
	struct cm_fsdev_msg msg = { .op = CM_FSDEV_RESET };

	/* A driver that waits writes the register again and again. */
	if (fs->connected && !fs->reset_id) {
		msg.id = fs->reset_id = ++fs->next_id;
		fsdev_send(fs, &msg);
	}
	if (fs->window_len)
		fsdev_unmap(fs, 0, fs->window_len);
}

static bool fsdev_busy(struct virtio_dev *dev)
{
	const struct fsdev *fs = (struct fsdev *)dev;

	return fs->watched;
}

/* Doorbells go to fsd on the vCPU thread. */
static void fsdev_notify(struct virtio_dev *dev, unsigned int queue)
{
}

static bool fsdev_aligned(const struct cm_fsdev_msg *m)
{
	return m->len && m->len % FS_PAGE == 0 && m->window_offset % FS_PAGE == 0 &&
	       m->file_offset % FS_PAGE == 0;
}

static bool fsdev_in_window(const struct fsdev *fs, const struct cm_fsdev_msg *m)
{
	return m->len <= fs->window_len && m->window_offset <= fs->window_len - m->len;
}

static int fsdev_map(struct fsdev *fs, const struct cm_fsdev_msg *m, int fd)
{
	int prot = PROT_READ;
	uint64_t end;
	struct stat st;
	void *p;

	if (fd < 0)
		return -EBADF;
	if (!fsdev_aligned(m) || !fsdev_in_window(fs, m) ||
		__builtin_add_overflow(m->file_offset, m->len, &end) || end > INT64_MAX)
		return -EINVAL;
	if ((m->prot & ~(CM_FSDEV_READ | CM_FSDEV_WRITE)) || !(m->prot & CM_FSDEV_READ))
		return -EINVAL;
	if (m->prot & CM_FSDEV_WRITE) {
		if (!fs->writable)
			return -EACCES;
		prot |= PROT_WRITE;
	}
	/* #syscalls:io fstat newfstatat -- only files have pages that can be mapped without surprises */
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	p = mmap(fs->window + m->window_offset, m->len, prot, MAP_SHARED | MAP_FIXED, fd,
		(off_t)m->file_offset);
	return p == MAP_FAILED ? -errno : 0;
}

/* One message of fsd. 0, or -EPROTO when it must not be believed any more. */
static int fsdev_message(struct fsdev *fs, const struct cm_fsdev_msg *m, int fd)
{
	struct cm_fsdev_msg reply = { .op = CM_FSDEV_REPLY, .id = m->id };

	switch (m->op) {
	case CM_FSDEV_MAP:
		reply.status = fsdev_map(fs, m, fd);
		break;
	case CM_FSDEV_UNMAP:
		if (!fsdev_aligned(m) || !fsdev_in_window(fs, m))
			reply.status = -EINVAL;
		else
			reply.status = fsdev_unmap(fs, m->window_offset, m->len);
		break;
	case CM_FSDEV_REPLY:
		/* We ask for nothing that may fail with a driver that works. */
		if (m->status)
			virtio_dev_fail(&fs->dev, "casemate-fsd refused a queue");
		if (fs->reset_id && m->id == fs->reset_id)
			fsdev_silent(fs);
		return 0;
	default:
		return -EPROTO;
	}
	fsdev_send(fs, &reply);
	return 0;
}

/* Receive one message and at most one descriptor. 1, 0 when there is none, -EPROTO on a peer that is gone or talks nonsense. */
static int fsdev_recv(struct fsdev *fs, struct cm_fsdev_msg *m, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t r;

	*fd = -1;
	/* #syscalls:io recvmsg */
	r = recvmsg(fs->sock.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (r > 0) {
		c = CMSG_FIRSTHDR(&msg);
		if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
			c->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	}
	if (r != sizeof(*m) || (msg.msg_flags & MSG_TRUNC) || m->version != CM_FSDEV_VERSION)
		return -EPROTO;
	return 1;
}

static void fsdev_sock_event(struct ev_source *src, uint32_t events)
{
	struct fsdev *fs = src->arg;

	for (unsigned int i = 0; i < FS_ROUND_MAX && fs->watched; i++) {
		struct cm_fsdev_msg m;
		int fd, r = fsdev_recv(fs, &m, &fd);

		/* What one says that was cut off is of no interest. */
		if (r > 0)
			r = fs->connected ? fsdev_message(fs, &m, fd) : 0;
		else if (r == 0)
			i = FS_ROUND_MAX;
		if (fd >= 0)
			close(fd);
		if (r < 0)
			fsdev_disconnect(fs, "casemate-fsd is gone or broke the protocol");
	}
}

static void fsdev_call_event(struct ev_source *src, uint32_t events)
{
	struct fsdev *fs = src->arg;
	uint64_t count;

	/* #syscalls:io read */
	if (read(src->fd, &count, sizeof(count)) == sizeof(count))
		virtio_dev_interrupt(&fs->dev);
}

static void fsdev_wired(struct virtio_dev *dev)
{
	struct fsdev *fs = (struct fsdev *)dev;

	eventloop_del(dev->env.loop, &fs->call);
}

static void fsdev_destroy(struct virtio_dev *dev)
{
	struct fsdev *fs = (struct fsdev *)dev;

	if (fs->watched)
		eventloop_del(dev->env.loop, &fs->sock);
	if (fs->watched || !fs->spare) {
		eventloop_del(dev->env.loop, &fs->call);
		close(fs->sock.fd);
		close(fs->call.fd);
	}
	if (fs->kick_fd >= 0)
		close(fs->kick_fd);
	virtio_dev_fini(dev);
	free(fs);
}

static const struct virtio_dev_ops fsdev_ops = {
	.name = "fs",
	.id = VIRTIO_ID_FS,
	.nqueues = CM_FSDEV_QUEUES,
	.queue_size = CM_VIRTIO_QUEUE_MAX,
	.activate = fsdev_activate,
	.reset = fsdev_reset,
	.busy = fsdev_busy,
	.notify = fsdev_notify,
	.doorbell = fsdev_doorbell,
	.wired = fsdev_wired,
	.destroy = fsdev_destroy,
};

/* Watch fsd's descriptors. 0 or -errno with nothing left behind. #syscalls:io fcntl[1=F_SETFL] epoll_ctl */
static int fsdev_watch(struct fsdev *fs, struct eventloop *loop)
{
	int r;

	/* A descriptor that fsd fills on purpose must not block a vCPU. */
	if (fcntl(fs->kick_fd, F_SETFL, O_NONBLOCK) < 0 ||
		fcntl(fs->call.fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = eventloop_add(loop, &fs->sock, EPOLLIN);
	if (r)
		return r;
	r = eventloop_add(loop, &fs->call, EPOLLIN);
	if (r)
		eventloop_del(loop, &fs->sock);
	fs->watched = r == 0;
	return r;
}

int virtio_fs_create(const struct virtio_env *env, const struct virtio_fs_params *params,
	struct virtio_dev **out)
{
	size_t tag_len = strlen(params->tag);
	struct fsdev *fs;
	int r;

	if (tag_len == 0 || tag_len > sizeof(fs->config.tag))
		return -EINVAL;
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	memcpy(fs->config.tag, params->tag, tag_len);
	fs->config.num_request_queues = CM_FSDEV_QUEUES - 1;
	fs->sock = (struct ev_source){ .fd = params->sock_fd, .fn = fsdev_sock_event, .arg = fs };
	fs->call = (struct ev_source){
		.fd = params->call_fd, .fn = fsdev_call_event, .arg = fs, .brief = true
	};
	fs->kick_fd = params->kick_fd;
	fs->writable = params->writable;
	fs->spare = params->sock_fd < 0;
	r = fs->spare ? 0 : fsdev_watch(fs, env->loop);
	if (r)
		goto err_free;
	r = virtio_dev_init(&fs->dev, &fsdev_ops, env);
	if (r)
		goto err_unwatch;
	if (!fs->spare) {
		fs->dev.kick_fd = fs->kick_fd;
		fs->dev.call_fd = fs->call.fd;
		fs->connected = true;
	}
	fs->dev.config = &fs->config;
	fs->dev.config_len = sizeof(fs->config);
	if (params->window) {
		fs->window = params->window;
		fs->window_len = params->window_len;
		fs->dev.shm_gpa = params->window_gpa;
		fs->dev.shm_len = params->window_len;
	}
	*out = &fs->dev;
	return 0;

err_unwatch:
	if (!fs->spare) {
		eventloop_del(env->loop, &fs->sock);
		eventloop_del(env->loop, &fs->call);
	}
err_free:
	free(fs);
	return r;
}

int virtio_fs_plug(struct virtio_dev *dev, int sock_fd, int kick_fd, int call_fd)
{
	struct fsdev *fs = (struct fsdev *)dev;
	int old, r;

	if (dev->ops != &fsdev_ops || !fs->spare)
		return -EINVAL;
	/* Perhaps it hung up, and was not looked at since. */
	if (fs->watched)
		fsdev_sock_event(&fs->sock, 0);
	if (fs->watched && !virtio_dev_idle(dev))
		return -EBUSY;
	fsdev_disconnect(fs, "another casemate-fsd takes its place");
	old = fs->kick_fd;
	fs->sock.fd = sock_fd;
	fs->call.fd = call_fd;
	fs->kick_fd = kick_fd;
	r = fsdev_watch(fs, dev->env.loop);
	/* #syscalls:io dup3 close */
	if (r == 0 && old >= 0) {
		r = dup3(kick_fd, old, O_CLOEXEC) < 0 ? -errno : 0;
		if (r < 0) {
			eventloop_del(dev->env.loop, &fs->sock);
			eventloop_del(dev->env.loop, &fs->call);
			fs->watched = false;
		}
	}
	if (r < 0) {
		fs->kick_fd = old;
		return r;
	}
	if (old >= 0) {
		fs->kick_fd = old;
		close(kick_fd);
	}
	fs->connected = true;
	return 0;
}

int virtio_fs_unplug(struct virtio_dev *dev)
{
	struct fsdev *fs = (struct fsdev *)dev;

	if (dev->ops != &fsdev_ops || !fs->spare)
		return -EINVAL;
	fsdev_cut(fs, "casemate-fsd was cut off");
	return 0;
}
