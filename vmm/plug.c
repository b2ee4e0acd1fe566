/* SPDX-License-Identifier: Apache-2.0 */
/* Servers for the spare file devices, which the sandbox process brings one by one (casemate/fsdev.h). io thread. */
#include <config.h>
#include "vmm/plug.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/virtio/devices.h"
#include "vmm/vm.h"

/* One message and its descriptors: how many came, -EAGAIN, or -EPIPE at hang-up. #syscalls:io recvmsg sendto close */
static int plug_recv(int sock, struct cm_fsdev_plug *m, int fds[CM_FSDEV_PLUG_FDS])
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(CM_FSDEV_PLUG_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;
	size_t len = 0;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EPIPE;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		len = c->cmsg_len - CMSG_LEN(0);
	if (len)
		memcpy(fds, CMSG_DATA(c), len);
	if (n != (ssize_t)sizeof(*m) || m->version != CM_FSDEV_VERSION)
		m->device = 0;
	return (int)(len / sizeof(int));
}

static void plug_event(struct ev_source *src, uint32_t events)
{
	struct vm *vm = src->arg;
	struct cm_fsdev_plug m;
	int fds[CM_FSDEV_PLUG_FDS];
	int n = plug_recv(src->fd, &m, fds);

	if (n == -EPIPE)
		eventloop_del(vm->loop, src);
	if (n < 0)
		return;
	m.status = -EINVAL;
	if (m.device < 1 || m.device > CM_FSDEV_SPARES)
		m.device = 0;
	else if (n == CM_FSDEV_PLUG_FDS)
		m.status = virtio_fs_plug(vm->spare[m.device - 1], fds[0], fds[1], fds[2]);
	else if (n == 0)
		m.status = virtio_fs_unplug(vm->spare[m.device - 1]);
	for (int i = 0; m.status < 0 && i < n; i++)
		close(fds[i]);
	/* One that does not read its answers has no room for them. */
	if (send(src->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		eventloop_del(vm->loop, src);
}

int plug_init(struct vm *vm)
{
	if (vm->opts->plug_fd < 0)
		return 0;
	vm->plug = (struct ev_source){ .fd = vm->opts->plug_fd, .fn = plug_event, .arg = vm };
	return eventloop_add(vm->loop, &vm->plug, EPOLLIN);
}
