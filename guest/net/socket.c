/* SPDX-License-Identifier: Apache-2.0 */
/* The socket object: families, files, read and write. */
#include "net/socket.h"

#include <asm/ioctls.h>

#include "fs/fdtable.h"
#include "fs/lease.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "mm/slab.h"
#include "mm/page.h"
#include "net/net_ns.h"
#include "net/netdev.h"
#include "net/stream.h"
#include "net/scm.h"
#include "net/inet.h"
#include "net/unix.h"
#include "task/task.h"

#define SOCKET_BUF_DEFAULT 212992u
#define RAM_SHARE \
	8u /* at most this part of the memory holds bytes of TCP streams, and the same of UDP datagrams */

static const struct sock_family *const families[] = { &unix_family, &inet_family, &inet6_family,
	&netlink_family };

static const struct sock_family *family_find(u32 family)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (families[i]->family == family)
			return families[i];
	}
	return NULL;
}

bool socket_nonblock(const struct socket *s, u32 msg_flags)
{
	return (msg_flags & MSG_DONTWAIT) || (READ_ONCE(s->file->flags) & O_NONBLOCK);
}

void socket_tell_urgent(struct spinlock *lock, struct file *const *file, struct waitq *wq)
{
	struct file *f;

	spin_lock(lock);
	f = *file;
	if (f && !ref_get_unless_zero(&f->ref))
		f = NULL;
	spin_unlock(lock);
	if (!f)
		return;
	file_signal_urgent(f);
	waitq_wake(wq, 0, POLLPRI | TELL_PRI);
	file_put(f);
}

u64 socket_deadline(u64 timeo)
{
	return timeo ? clock_monotonic() + timeo : WAIT_FOREVER;
}

static s64 socket_file_read(struct file *f, struct uio *u, u64 *pos)
{
	struct socket *s = f->priv;
	struct scm scm;
	struct sock_msg m = { .uio = u, .scm = &scm, .flags = u->nowait ? MSG_DONTWAIT : 0 };
	s64 n;

	if (!u->left)
		return 0;
	scm_init(&scm);
	n = s->ops->recv(s, &m);
	scm_fini(&scm);
	return n;
}

static s64 socket_file_write(struct file *f, struct uio *u, u64 *pos)
{
	struct socket *s = f->priv;
	struct scm scm;
	struct sock_msg m = { .uio = u, .scm = &scm, .flags = u->nowait ? MSG_DONTWAIT : 0 };
	s64 n;

	scm_init(&scm);
	n = s->ops->send(s, &m);
	scm_fini(&scm);
	return n;
}

static u32 socket_file_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;
	u32 ev = s->ops->poll(s, f, pt);

	if (!(ev & POLLOUT))
		file_async_full(f);
	return ev;
}

static s64 socket_file_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct socket *s = f->priv;
	s64 n;

	if (cmd == FIONREAD)
		n = s->ops->inq(s);
	else if (cmd == TIOCOUTQ)
		n = s->ops->outq(s);
	else if (cmd == SIOCATMARK && s->ops->atmark)
		n = s->ops->atmark(s);
	else
		return netdev_ioctl(s->net, cmd, arg);
	if (n < 0)
		return n;
	return put_user((s32)n, arg);
}

static void socket_file_release(struct file *f)
{
	struct socket *s = f->priv;

	s->ops->release(s);
	net_ns_put(s->net);
	kfree(s);
}

static const struct file_ops socket_file_ops = {
	.read = socket_file_read,
	.write = socket_file_write,
	.nowait = MAY_READ | MAY_WRITE,
	.poll = socket_file_poll,
	.ioctl = socket_file_ioctl,
	.async = file_async_plain,
	.release = socket_file_release,
};

int socket_create(
	struct net_ns *net, u32 family, u32 type, u32 protocol, u32 flags, struct file **out)
{
	const struct sock_family *fam = family_find(family);
	struct socket *s;
	int r;

	if (family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type > SOCK_TYPE_LAST)
		return -EINVAL;
	if (!fam)
		return -EAFNOSUPPORT;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->sndbuf = s->rcvbuf = SOCKET_BUF_DEFAULT;
	s->rcvlowat = 1;
	s->net = net;
	net_ns_get(net);
	r = fam->create(s);
	if (r)
		goto err_free;
	s->file = file_create_anon(
		&socket_file_ops, s, O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0), "socket");
	if (!s->file) {
		r = -ENOMEM;
		goto err_release;
	}
	*out = s->file;
	return 0;
err_release:
	s->ops->release(s);
err_free:
	net_ns_put(net);
	kfree(s);
	return r;
}

struct socket *socket_of_fd(int fd, struct file **file, int *err)
{
	struct file *f = fd_get(fd);

	*err = -EBADF;
	if (!f)
		return NULL;
	if (f->ops != &socket_file_ops) {
		file_put(f);
		*err = -ENOTSOCK;
		return NULL;
	}
	*file = f;
	return f->priv;
}

void net_init(void)
{
	struct page_stats s;

	waitq_init(&unix_dgram_space);
	port_table_init(tcp_proto.table);
	port_table_init(udp_proto.table);
	port_table_init(udplite_proto.table);
	page_stats(&s);
	stream_pages_max = s.total / RAM_SHARE;
}
