/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals whose screen and keyboard are on the host: a pseudo-terminal of the container, and two threads that carry the bytes between
 * its master side and a vsock stream. The host's hang-up hangs the terminal up; the terminal's (its session ended, or the last program
 * closed it) ends the stream.
 */
#include "agent/internal.h"

#include "fs/tty/tty.h"
#include "mm/slab.h"

#define TTY_CHUNK 2048u

struct agent_tty {
	struct ref ref; /* the two threads */
	struct agent_stream *stream; /* taken */
	struct file *master; /* reference */
	u8 in[TTY_CHUNK], out[TTY_CHUNK];
};

static void agent_tty_put(struct agent_tty *t)
{
	if (!ref_put(&t->ref))
		return;
	agent_stream_put(t->stream);
	file_put(t->master);
	kfree(t);
}

/* Output of programs, to the host. */
static void agent_tty_screen(void *arg)
{
	struct agent_tty *t = arg;

	for (;;) {
		struct iov iov;
		struct uio u;
		u64 pos = 0;
		s64 n;

		uio_init_kernel(&u, &iov, t->out, sizeof(t->out));
		n = t->master->ops->read(t->master, &u, &pos);
		if (n <= 0)
			break;
		iov = (struct iov){ (u64)t->out, (u64)n };
		if (agent_send_all(t->stream->sock, &iov, 1) < 0)
			break;
	}
	vsock_shutdown(t->stream->sock, VSOCK_SHUT_RD | VSOCK_SHUT_WR);
	agent_tty_put(t);
}

/* Keys, from the host. */
static void agent_tty_keyboard(void *arg)
{
	struct agent_tty *t = arg;

	for (;;) {
		struct iov iov;
		struct uio u;
		u64 pos = 0;
		s64 n;

		uio_init_kernel(&u, &iov, t->in, sizeof(t->in));
		n = vsock_recv(t->stream->sock, &u, 0);
		if (n <= 0)
			break;
		uio_init_kernel(&u, &iov, t->in, (size_t)n);
		if (t->master->ops->write(t->master, &u, &pos) < 0)
			break;
	}
	tty_hangup(t->master->priv);
	agent_tty_put(t);
}

int agent_tty_create(const struct agent_container *c, struct agent_stream *s, u32 uid, u16 rows,
	u16 cols, struct file **master, struct file *stdio[3])
{
	struct agent_tty *t = kzalloc(sizeof(*t));
	struct file *slave;
	struct path root;
	int ret = -ENOENT;
	u32 i;

	if (t && mount_ns_root(c->ns, &root)) {
		ret = pty_create(&root, master, &slave);
		path_put(&root);
	}
	if (!t || ret < 0) {
		kfree(t);
		agent_stream_put(s);
		return t ? ret : -ENOMEM;
	}
	slave->inode->uid = uid;
	pty_set_size(*master, rows, cols);
	for (i = 0; i < 3; i++) {
		stdio[i] = slave;
		if (i > 0)
			file_get(slave);
	}
	t->ref.count = 2;
	t->stream = s;
	t->master = *master;
	file_get(*master);
	if (agent_thread_run(agent_tty_screen, t, "tty-screen")) {
		if (agent_thread_run(agent_tty_keyboard, t, "tty-keyboard"))
			return 0;
	} else {
		agent_tty_put(t);
	}
	/* The screen's thread ends when the slave's files do. */
	agent_tty_put(t);
	return -ENOMEM;
}
