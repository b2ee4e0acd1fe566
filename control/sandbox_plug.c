/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox process: file servers of further containers. A client starts casemate-fsd, which opens nothing by itself and knows the trees that it was
 * started with, and gives us a socket to it. We make it a device: the ends of a connection and two doorbells, one to the VMM and the other to the
 * server, and the arena to the server. When the VMM has plugged it in, START goes to the guest. The server ends when its socket does.
 * #syscalls:sandbox eventfd2 socketpair sendmsg sendto recvfrom close
 */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "casemate/fsdev.h"
#include "control/call.h"

int sandbox_send_fds(int to, const void *data, size_t len, const int *fds, int n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(CM_FSDEV_SERVER_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)),
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, (size_t)n * sizeof(int));
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Both ends get theirs; ours are closed by the caller. */
static int plug_tell(struct sandbox *s, const struct sandbox_container *k, const int device[4])
{
	const struct cm_fsdev_plug m = { .version = CM_FSDEV_VERSION, .device = k->number - 1 };
	const int server[CM_FSDEV_SERVER_FDS] = { s->l.arena, device[1], device[2], device[3] };
	const int vmm[CM_FSDEV_PLUG_FDS] = { device[0], device[2], device[3] };
	int r = sandbox_send_fds(k->server_fd, &m, sizeof(m), server, CM_FSDEV_SERVER_FDS);

	return r < 0 ? r : sandbox_send_fds(s->l.plug_fd, &m, sizeof(m), vmm, CM_FSDEV_PLUG_FDS);
}

int sandbox_plug(struct sandbox *s, struct sandbox_container *k, struct cm_err *err)
{
	int device[4] = { -1, -1, -1, -1 }; /* the VMM's end, the server's, kick, call */
	int r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, device) < 0 ? -errno : 0;

	if (r == 0) {
		device[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		device[3] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r = device[2] < 0 || device[3] < 0 ? -errno : plug_tell(s, k, device);
	}
	for (int i = 0; i < 4; i++) {
		if (device[i] >= 0)
			close(device[i]);
	}
	k->plugging = r == 0;
	return r < 0 ? cm_err_set(err, -r, "give the file server a device") : 0;
}

void sandbox_plug_serve(struct sandbox *s)
{
	struct cm_fsdev_plug m;
	ssize_t n = recv(s->l.plug_fd, &m, sizeof(m), MSG_DONTWAIT);
	struct sandbox_container *k;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(m) || m.version != CM_FSDEV_VERSION) {
		/* The VMM is gone, or not itself; its end is seen elsewhere. */
		close(s->l.plug_fd);
		s->l.plug_fd = -1;
		return;
	}
	k = m.device < CM_RPC_CONTAINERS ? sandbox_container_at(s, m.device + 1) : NULL;
	if (!k || !k->plugging)
		return;
	k->plugging = false;
	call_plugged(s, k, m.status);
}

/* What a file server says about an image; from whichever socket. -EAGAIN, -EPIPE at its end and for nonsense. */
static int plug_image(struct sandbox *s, int sock)
{
	struct cm_fsdev_image m;
	ssize_t n = recv(sock, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n != (ssize_t)sizeof(m) || m.version != CM_FSDEV_VERSION)
		return -EPIPE;
	call_image_taken(s, sock, &m);
	return 0;
}

void sandbox_image_serve(struct sandbox *s)
{
	if (plug_image(s, s->l.image_fd) != -EPIPE)
		return;
	close(s->l.image_fd);
	s->l.image_fd = -1;
}

void sandbox_server_serve(struct sandbox *s, struct sandbox_container *k)
{
	if (plug_image(s, k->server_fd) == -EPIPE)
		sandbox_server_hangup(s, k);
}

void sandbox_server_hangup(struct sandbox *s, struct sandbox_container *k)
{
	const struct cm_fsdev_plug m = { .version = CM_FSDEV_VERSION, .device = k->number - 1 };

	close(k->server_fd);
	k->server_fd = -1;
	/* One that only sleeps would not hang up by itself. */
	(void)send(s->l.plug_fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
	/* Without files there is nothing left to do for it but to end. */
	sandbox_signal(s, k, SIGKILL, 0, CM_RPC_SIGNAL_ALL);
}
