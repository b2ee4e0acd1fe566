/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard streams of a container: files whose bytes go over vsock streams. They behave as pipes do: end of file, SIGPIPE, O_NONBLOCK,
 * poll; /dev/stdout and /proc/self/fd/1 can be opened anew.
 */
#include "agent/internal.h"

#include <asm/ioctls.h>

#include "fs/poll.h"
#include "fs/super.h"
#include "kernel/clock.h"
#include "mm/usercopy.h"

#define STREAM_WAIT_NS (10 * NSEC_PER_SEC)

static struct agent_stream streams[AGENT_STREAMS];
static struct spinlock streams_lock; /* protects: every member but sent */

int agent_recv_all(struct vsock *s, void *buf, size_t len)
{
	struct iov iov;
	struct uio u;

	uio_init_kernel(&u, &iov, buf, len);
	while (u.left > 0) {
		s64 n = vsock_recv(s, &u, 0);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return (int)n;
	}
	return 0;
}

int agent_send_all(struct vsock *s, struct iov *iov, u32 niov)
{
	struct uio u = { .iov = iov, .niov = niov, .kernel = true };
	u32 i;

	for (i = 0; i < niov; i++)
		u.left += iov[i].len;
	while (u.left > 0) {
		s64 n = vsock_send(s, &u, 0);

		if (n < 0)
			return (int)n;
	}
	return 0;
}

static struct agent_stream *stream_find_locked(u64 token)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		if (streams[i].sock && streams[i].token == token)
			return &streams[i];
	}
	return NULL;
}

/* Take a user's share of the stream; fresh: only one that nobody has, else only one that somebody has. */
static struct agent_stream *stream_take(u64 token, bool fresh)
{
	struct agent_stream *s;

	spin_lock(&streams_lock);
	s = stream_find_locked(token);
	if (s && fresh == (s->opens == 0))
		s->opens++;
	else
		s = NULL;
	spin_unlock(&streams_lock);
	return s;
}

void agent_stream_put(struct agent_stream *s)
{
	struct vsock *sock = NULL;

	spin_lock(&streams_lock);
	if (--s->opens == 0) {
		sock = s->sock;
		s->sock = NULL;
	}
	spin_unlock(&streams_lock);
	if (!sock)
		return;
	vsock_shutdown(sock, VSOCK_SHUT_RD | VSOCK_SHUT_WR);
	vsock_put(sock);
}

void agent_stream_drop(const u64 token[3])
{
	u32 i;

	for (i = 0; i < 3; i++) {
		struct agent_stream *s = token[i] ? stream_take(token[i], true) : NULL;

		if (s)
			agent_stream_put(s);
	}
}

void agent_stream_drop_all(const struct rpc_start *s)
{
	agent_stream_drop(s->fixed.token);
	for (u32 i = 0; i < s->fixed.nfds; i++) {
		const u64 token[3] = { s->fds[i].token };

		agent_stream_drop(token);
	}
}

u64 agent_stream_sent(u64 token)
{
	struct agent_stream *s;
	u64 sent;

	spin_lock(&streams_lock);
	s = token ? stream_find_locked(token) : NULL;
	sent = s ? atomic_load(&s->sent) : CM_RPC_SENT_ALL;
	spin_unlock(&streams_lock);
	return sent;
}

/* One that nobody took before the host hung up: its container failed to start. */
static struct vsock *stream_stale_locked(struct agent_stream *s)
{
	struct vsock *sock = s->sock;

	if (!sock || s->opens || !(vsock_events(sock) & POLLHUP))
		return NULL;
	s->sock = NULL;
	return sock;
}

static void stream_sweep(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(streams); i++) {
		struct vsock *sock;

		spin_lock(&streams_lock);
		sock = stream_stale_locked(&streams[i]);
		spin_unlock(&streams_lock);
		if (sock)
			vsock_put(sock);
	}
}

static bool stream_insert(struct vsock *sock, const struct cm_rpc_stream_hello *h)
{
	bool done = false;
	size_t i;

	stream_sweep();

	spin_lock(&streams_lock);
	for (i = 0; !stream_find_locked(h->token) && i < ARRAY_SIZE(streams); i++) {
		if (streams[i].sock)
			continue;
		streams[i] = (struct agent_stream){
			.sock = sock,
			.token = h->token,
			.kind = h->kind,
		};
		done = true;
		break;
	}
	spin_unlock(&streams_lock);
	return done;
}

/* A connection becomes a stream by its first bytes; anything else is hung up. */
static void stream_adopt(struct vsock *sock)
{
	struct cm_rpc_stream_hello h;

	if (agent_recv_all(sock, &h, sizeof(h)) != 0 || h.magic != CM_RPC_STREAM_MAGIC ||
		h.version != CM_RPC_VERSION || h.kind >= CM_RPC_STREAM_KINDS || h.token == 0 ||
		!stream_insert(sock, &h))
		vsock_put(sock);
}

struct agent_stream *agent_stream_get(struct vsock_listener *l, u64 token)
{
	u64 deadline = clock_monotonic() + STREAM_WAIT_NS;
	struct agent_stream *s;

	while (!(s = stream_take(token, true))) {
		struct vsock *sock;

		if (wait_event_intr_deadline(vsock_listener_waitq(l),
			    vsock_listener_events(l) & POLLIN, deadline) < 0)
			return NULL;
		if (vsock_accept(l, VSOCK_NONBLOCK, &sock) == 0)
			stream_adopt(sock);
	}
	return s;
}

static u32 stream_flags(const struct file *f)
{
	return READ_ONCE(f->flags) & O_NONBLOCK ? VSOCK_NONBLOCK : 0;
}

static s64 stream_read(struct file *f, struct uio *u, u64 *pos)
{
	struct agent_stream *s = f->priv;
	s64 n = vsock_recv(s->sock, u, stream_flags(f));

	/* A host that is gone is the end of the input. */
	return n == -ECONNRESET ? 0 : n;
}

static s64 stream_write(struct file *f, struct uio *u, u64 *pos)
{
	struct agent_stream *s = f->priv;
	s64 n = vsock_send(s->sock, u, stream_flags(f));

	if (n > 0)
		atomic_add(&s->sent, (u64)n);
	if (n == -ECONNRESET)
		n = -EPIPE;
	if (n == -EPIPE && task_current())
		signal_send_task(task_current(), SIGPIPE, NULL);
	return n;
}

static u32 stream_poll(struct file *f, struct poll_table *pt)
{
	struct agent_stream *s = f->priv;

	poll_wait(f, vsock_waitq(s->sock), pt);
	return vsock_events(s->sock) & (f->mode & FMODE_WRITE ? ~0u : ~(u32)POLLOUT);
}

static s64 stream_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct agent_stream *s = f->priv;
	int n = (int)vsock_readable(s->sock);

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user(n, arg);
}

static void stream_release(struct file *f)
{
	agent_stream_put(f->priv);
}

static const struct file_ops stream_file_ops = {
	.read = stream_read,
	.write = stream_write,
	.poll = stream_poll,
	.ioctl = stream_ioctl,
	.release = stream_release,
};

/* A second open through /proc/PID/fd: as long as somebody has it open. */
static int stream_open(struct inode *inode, struct file *f)
{
	struct agent_stream *s = stream_take((u64)inode->priv, false);

	if (!s)
		return -ENXIO;
	f->ops = &stream_file_ops;
	f->priv = s;
	f->mode |= FMODE_STREAM;
	return 0;
}

static const struct inode_ops stream_inode_ops = {
	.open = stream_open,
};

struct file *agent_stream_file(struct agent_stream *s, u32 flags, u32 uid)
{
	struct file *f = file_create_anon(&stream_file_ops, s, flags, "pipe");

	if (!f) {
		agent_stream_put(s);
		return NULL;
	}
	f->inode->uid = uid;
	f->inode->ops = &stream_inode_ops;
	f->inode->fops = &stream_file_ops;
	f->inode->priv = (void *)s->token;
	return f;
}
