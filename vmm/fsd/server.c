/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of casemate-fsd. */
#include <config.h>
#include "vmm/fsd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <casemate/guestmem.h>

#define SERVER_BATCH 256 /* requests between two looks at the socket */

int fsd_server_map_arena(struct fsd_server *s, int arena_fd)
{
	const int need = F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(arena_fd, F_GET_SEALS);
	struct stat st;
	void *p;

	if (seals < 0 || fstat(arena_fd, &st) < 0)
		return -errno;
	/* A file that shrinks under a mapping kills its user. */
	if ((seals & need) != need || st.st_size <= 0 || (uint64_t)st.st_size > CM_ARENA_MAX)
		return -EINVAL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, arena_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	return gmem_add(&s->mem, CM_GPA_ARENA, (uint64_t)st.st_size, p, true);
}

static int server_watch(struct fsd_server *s, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int fsd_server_init(struct fsd_server *s)
{
	int r;

	s->poll_ns = FSD_POLL_NS;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return -errno;
	r = server_watch(s, s->sock);
	if (r == 0)
		r = server_watch(s, s->kick);
	return r < 0 || s->plug < 0 ? r : server_watch(s, s->plug);
}

/* ---- the device socket */

static void server_reply(struct fsd_server *s, uint64_t id, int status)
{
	struct cm_fsdev_msg m = {
		.version = CM_FSDEV_VERSION, .op = CM_FSDEV_REPLY, .id = id, .status = status
	};

	if (send(s->sock, &m, sizeof(m), MSG_NOSIGNAL) != (ssize_t)sizeof(m))
		s->hangup = true;
}

static int server_queue_start(struct fsd_server *s, const struct cm_fsdev_msg *m)
{
	if (m->queue >= CM_FSDEV_QUEUES || m->size > VQ_SIZE_MAX)
		return -EINVAL;
	return vq_setup(
		&s->queue[m->queue], &s->mem, (uint16_t)m->size, m->desc, m->driver, m->device);
}

/* No request is inside the engine: it may forget, and nothing of the client's is touched from here on. */
static void server_reset(struct fsd_server *s)
{
	fsd_engine_reset(s->engine);
	s->reset_pending = false;
	server_reply(s, s->reset_id, 0);
}

/* A message that is not a reply. RESET stops the queues at once; a request that is inside the engine still has its answer to write. */
static void server_control(struct fsd_server *s, const struct cm_fsdev_msg *m)
{
	int r = 0;

	switch (m->op) {
	case CM_FSDEV_QUEUE_START:
		r = server_queue_start(s, m);
		break;
	case CM_FSDEV_RESET:
		for (unsigned int i = 0; i < CM_FSDEV_QUEUES; i++)
			vq_off(&s->queue[i]);
		s->reset_pending = true;
		s->reset_id = m->id;
		if (!s->serving)
			server_reset(s);
		return;
	default:
		s->hangup = true; /* not our protocol */
		return;
	}
	server_reply(s, m->id, r);
}

/* One message: 1, 0 when there is none (only with MSG_DONTWAIT), -EPIPE at hangup or nonsense. #syscalls:fsd recvfrom sendto */
static int server_recv(struct fsd_server *s, struct cm_fsdev_msg *m, int flags)
{
	ssize_t n;

	do
		n = recv(s->sock, m, sizeof(*m), flags | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n != (ssize_t)sizeof(*m) || m->version != CM_FSDEV_VERSION) {
		s->hangup = true;
		return -EPIPE;
	}
	return 1;
}

static void server_messages(struct fsd_server *s)
{
	struct cm_fsdev_msg m;

	while (!s->hangup && server_recv(s, &m, MSG_DONTWAIT) > 0)
		server_control(s, &m);
}

/* ---- images, from the sandbox process, which is trusted. #syscalls:fsd recvmsg */

/* One message with its descriptor (-1: none): 1, 0 when there is none, -EPIPE at hangup or nonsense. */
static int server_recv_image(struct fsd_server *s, struct cm_fsdev_image *m, int *fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(*fd))];
	} control;
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr h = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(s->plug, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n != (ssize_t)sizeof(*m) || m->version != CM_FSDEV_VERSION ||
		(h.msg_flags & MSG_CTRUNC))
		return -EPIPE;
	*fd = -1;
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(*fd)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 1;
}

static void server_images(struct fsd_server *s)
{
	struct cm_fsdev_image m;
	int fd, r;

	while (!s->hangup && (r = server_recv_image(s, &m, &fd)) != 0) {
		if (r < 0) {
			s->hangup = true;
		} else if (fd < 0) {
			fsd_engine_image_drop(s->engine, m.image);
		} else {
			m.status = fsd_engine_image(s->engine, m.image, fd);
			if (send(s->plug, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) !=
				(ssize_t)sizeof(m))
				s->hangup = true;
		}
	}
}

/* ---- DAX: ask the VMM and wait for its answer, obeying it meanwhile. #syscalls:fsd sendmsg */

static int server_ask(struct fsd_server *s, struct cm_fsdev_msg *m, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(fd))];
		struct cmsghdr align;
	} u = { 0 };
	struct iovec iov = { .iov_base = m, .iov_len = sizeof(*m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint64_t id = ++s->map_id;

	m->version = CM_FSDEV_VERSION;
	m->id = id;
	if (fd >= 0) {
		struct cmsghdr *c;

		h.msg_control = u.buf;
		h.msg_controllen = sizeof(u.buf);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(s->sock, &h, MSG_NOSIGNAL) < 0)
		return -EIO;
	while (!s->hangup) {
		if (server_recv(s, m, 0) < 0)
			break;
		if (m->op == CM_FSDEV_REPLY && m->id == id)
			return m->status > 0 ? -EIO : m->status;
		server_control(s, m);
	}
	return -EIO;
}

static int server_map(void *ctx, int fd, uint64_t foff, uint64_t len, uint64_t moff, bool write)
{
	struct cm_fsdev_msg m = {
		.op = CM_FSDEV_MAP,
		.prot = CM_FSDEV_READ | (write ? CM_FSDEV_WRITE : 0),
		.file_offset = foff,
		.len = len,
		.window_offset = moff,
	};

	return server_ask(ctx, &m, fd);
}

static int server_unmap(void *ctx, uint64_t moff, uint64_t len)
{
	struct cm_fsdev_msg m = { .op = CM_FSDEV_UNMAP, .len = len, .window_offset = moff };

	return server_ask(ctx, &m, -1);
}

const struct fsd_dax_ops fsd_server_dax = { .map = server_map, .unmap = server_unmap };

/* ---- the queues */

/* From the vDSO where the clock allows it. #syscalls:fsd clock_gettime */
static uint64_t server_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* #syscalls:fsd write */
static void server_interrupt(struct fsd_server *s)
{
	const uint64_t one = 1;

	if (write(s->call, &one, sizeof(one)) < 0 && errno != EAGAIN)
		s->hangup = true;
}

/* Serve what a queue holds, at most `max` requests; returns how many. A broken ring is empty until it is set up anew. */
static unsigned int server_drain(struct fsd_server *s, struct vq *q, unsigned int max)
{
	struct vq_chain *c = &s->chain;
	unsigned int done = 0;

	while (done < max && !s->hangup && vq_pop(q, c) > 0) {
		size_t n;

		s->serving = true;
		n = fsd_engine_handle(s->engine, c->iov, c->nread, c->iov + c->nread, c->nwrite);
		s->serving = false;
		vq_push(q, c->head, (uint32_t)n);
		if (vq_wants_interrupt(q))
			server_interrupt(s);
		if (s->reset_pending)
			server_reset(s);
		done++;
	}
	return done;
}

static unsigned int server_drain_all(struct fsd_server *s)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < CM_FSDEV_QUEUES; i++)
		done += server_drain(s, &s->queue[i], SERVER_BATCH);
	return done;
}

static bool server_doorbells_on(struct fsd_server *s)
{
	bool more = false;

	for (unsigned int i = 0; i < CM_FSDEV_QUEUES; i++)
		more |= vq_doorbell_on(&s->queue[i]);
	return more;
}

/* After a poll: paid back, or to be shorter the next time. A short one cannot notice that longer ones would pay again, hence the probes. */
static void server_poll_paid(struct fsd_server *s, bool paid)
{
	s->polls++;
	if (paid || s->polls % FSD_POLL_PROBE == 0)
		s->poll_ns = FSD_POLL_NS;
	else
		s->poll_ns = s->poll_ns / 2 > FSD_POLL_MIN_NS ? s->poll_ns / 2 : FSD_POLL_MIN_NS;
}

/* Serve and watch the rings until they stay empty (false: sleep), or a batch is over (true: look at the socket and come back). */
static bool server_serve(struct fsd_server *s)
{
	uint64_t idle_since = 0;
	unsigned int done = 0;

	for (unsigned int i = 0; i < CM_FSDEV_QUEUES; i++)
		vq_doorbell_off(&s->queue[i]);
	while (!s->hangup && done < SERVER_BATCH) {
		unsigned int n = server_drain_all(s);
		uint64_t now;

		if (n) {
			if (idle_since)
				server_poll_paid(s, true);
			done += n;
			idle_since = 0;
			continue;
		}
		now = server_now();
		if (!idle_since)
			idle_since = now;
		if (now - idle_since > s->poll_ns) {
			server_poll_paid(s, false);
			return server_doorbells_on(s);
		}
		for (unsigned int i = 0; i < 16; i++)
			__builtin_ia32_pause();
	}
	return true;
}

/* #syscalls:fsd epoll_wait read */
int fsd_server_run(struct fsd_server *s)
{
	bool more = true; /* chains may be there from before */

	while (!s->hangup) {
		struct epoll_event ev[3];
		int n = epoll_wait(s->epoll, ev, 3, more ? 0 : -1);
		uint64_t count;

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == s->sock)
				server_messages(s);
			else if (ev[i].data.fd == s->plug)
				server_images(s);
			else if (read(s->kick, &count, sizeof(count)) < 0 && errno != EAGAIN)
				return -errno;
		}
		more = server_serve(s);
	}
	return 0;
}
