/* SPDX-License-Identifier: Apache-2.0 */
/* AF_NETLINK, the protocol NETLINK_ROUTE alone: sockets that ask the sentry. Groups never hear anything. See netlink(7). */
#include <linux/capability.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "net/netlink.h"
#include "net/rtnl.h"
#include "net/scm.h"
#include "net/socket.h"
#include "task/task.h"
#include "task/user_ns.h"

#define REQUEST_MAX 32768u /* bytes of one send */
#define ANSWERS_MAX 64u /* datagrams that wait to be read */

struct nl_msg {
	struct list_head link;
	u32 len;
	u8 data[];
};

struct nl_sock {
	struct spinlock lock; /* protects: queue, nqueued, overrun */
	struct list_head queue;
	u32 nqueued;
	bool overrun; /* an answer was dropped: told once as ENOBUFS */
	u32 net; /* number of the network namespace; constant */
	u32 portid, groups; /* lock: names_lock */
	struct list_head link; /* lock: names_lock */
	struct mutex read_lock; /* one reader at a time consumes the queue */
	struct waitq wq;
};

static struct spinlock names_lock; /* protects: names */
static struct list_head names = LIST_HEAD_INIT(names); /* sockets with a portid */
static u32 next_portid = 0xf0000000u; /* for the second socket of a process */

static struct nl_sock *nl_of(struct socket *s)
{
	return s->impl;
}

/* ---- names ---- */

static bool portid_taken(u32 net, u32 id)
{
	struct nl_sock *n;

	list_for_each_entry (n, &names, link) {
		if (n->net == net && n->portid == id)
			return true;
	}
	return false;
}

/* id 0: the process's number, or any other. 0, -EINVAL (has one), -EADDRINUSE. */
static int name_set(struct nl_sock *n, u32 id)
{
	int r = 0;

	spin_lock(&names_lock);
	if (n->portid) {
		r = id && id != n->portid ? -EINVAL : 0;
	} else {
		if (!id)
			id = (u32)task_current()->group->pid;
		else if (portid_taken(n->net, id))
			r = -EADDRINUSE;
		while (!r && portid_taken(n->net, id))
			id = next_portid++;
		if (!r) {
			n->portid = id;
			list_add(&names, &n->link);
		}
	}
	spin_unlock(&names_lock);
	return r;
}

static int nl_bind(struct socket *s, const struct sock_addr *addr)
{
	struct sockaddr_nl nl;
	int r;

	if (addr->len < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, addr->raw, sizeof(nl));
	if (nl.nl_family != AF_NETLINK)
		return -EINVAL;
	r = name_set(nl_of(s), nl.nl_pid);
	if (!r)
		nl_of(s)->groups = nl.nl_groups;
	return r;
}

/* There is nobody to talk to but the kernel, port 0. */
static int nl_connect(struct socket *s, const struct sock_addr *addr)
{
	struct sockaddr_nl nl;

	if (addr->len >= sizeof(addr->family) && addr->family == AF_UNSPEC)
		return 0;
	if (addr->len < sizeof(nl))
		return -EINVAL;
	memcpy(&nl, addr->raw, sizeof(nl));
	if (nl.nl_family != AF_NETLINK)
		return -EINVAL;
	if (nl.nl_pid || nl.nl_groups)
		return -EPERM;
	return name_set(nl_of(s), 0);
}

static int nl_getname(struct socket *s, struct sock_addr *out, bool peer)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };

	if (!peer) {
		nl.nl_pid = nl_of(s)->portid;
		nl.nl_groups = nl_of(s)->groups;
	}
	memcpy(out->raw, &nl, out->len = sizeof(nl));
	return 0;
}

/* ---- requests ---- */

static void queue_put(struct nl_sock *n, const void *data, u32 len)
{
	struct nl_msg *msg = kmalloc(sizeof(*msg) + len);

	spin_lock(&n->lock);
	if (msg && n->nqueued < ANSWERS_MAX) {
		msg->len = len;
		memcpy(msg->data, data, len);
		list_add_tail(&n->queue, &msg->link);
		n->nqueued++;
		msg = NULL;
	} else {
		n->overrun = true;
	}
	spin_unlock(&n->lock);
	kfree(msg);
	waitq_wake(&n->wq, 1, POLLIN | POLLRDNORM | TELL_IN);
}

int netlink_get(int fd, struct file **out)
{
	int err;
	struct socket *s = socket_of_fd(fd, out, &err);

	if (!s)
		return err;
	if (s->family == AF_NETLINK)
		return 0;
	file_put(*out);
	*out = NULL;
	return -EINVAL;
}

void netlink_tell(struct file *f, const void *data, u32 len)
{
	const struct socket *s = f->priv;

	queue_put(s->impl, data, len);
}

/* A request may change whether the loopback interface is up. */
static void request(const struct socket *s, const u8 *msg, struct rtnl_answer *a)
{
	struct rtnl_net net = {
		.admin = ns_capable(s->net->ns.owner, CAP_NET_ADMIN),
		.lo_up = READ_ONCE(s->net->lo_up),
		.lo_mtu = READ_ONCE(s->net->lo_mtu),
	};
	const struct nl_sock *n = s->impl;
	bool was = net.lo_up;

	rtnl_request(msg, n->portid, &net, a);
	if (net.lo_up != was)
		WRITE_ONCE(s->net->lo_up, net.lo_up);
}

/* Each message of a request is answered on its own. */
static int nl_requests(struct socket *s, const u8 *buf, u32 len)
{
	struct nl_sock *n = nl_of(s);
	struct rtnl_answer *a = kmalloc(sizeof(*a));
	u32 at = 0;

	if (!a)
		return -ENOBUFS;
	while (len - at >= NLMSG_HDRLEN) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(buf + at);

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len - at)
			break;
		request(s, buf + at, a);
		if (a->len)
			queue_put(n, a->buf, a->len);
		if (a->done)
			queue_put(n, &a->end, sizeof(a->end));
		at += MIN((u32)NLMSG_ALIGN(h->nlmsg_len), len - at);
	}
	kfree(a);
	return 0;
}

static s64 nl_send(struct socket *s, struct sock_msg *m)
{
	u32 len = (u32)MIN(m->uio->left, (u64)REQUEST_MAX + 1);
	struct sockaddr_nl nl;
	u8 *buf;
	int r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len > REQUEST_MAX)
		return -EMSGSIZE;
	if (m->name && m->name->len) {
		if (m->name->len < sizeof(nl) || m->name->family != AF_NETLINK)
			return -EINVAL;
		memcpy(&nl, m->name->raw, sizeof(nl));
		if (nl.nl_pid || nl.nl_groups)
			return -EPERM; /* other programs are not reached this way */
	}
	r = name_set(nl_of(s), 0);
	if (r)
		return r;
	buf = kmalloc(len ? len : 1);
	if (!buf)
		return -ENOBUFS;
	r = uio_read(m->uio, buf, len) < len ? -EFAULT : nl_requests(s, buf, len);
	kfree(buf);
	return r ? r : (s64)len;
}

/* ---- answers ---- */

static bool recv_ready(struct nl_sock *n)
{
	bool ready;

	spin_lock(&n->lock);
	ready = !list_empty(&n->queue) || n->overrun;
	spin_unlock(&n->lock);
	return ready;
}

/* One datagram; read_lock held. *got: there was one, or an error. */
static s64 recv_one(struct nl_sock *n, struct sock_msg *m, bool *got)
{
	struct nl_msg *msg = NULL;
	bool overrun;
	s64 r;

	spin_lock(&n->lock);
	overrun = n->overrun;
	n->overrun = false;
	if (!list_empty(&n->queue))
		msg = list_first_entry(&n->queue, struct nl_msg, link);
	spin_unlock(&n->lock);
	*got = msg || overrun;
	if (overrun)
		return -ENOBUFS;
	if (!msg)
		return 0;
	r = (s64)MIN(m->uio->left, (u64)msg->len);
	if (uio_write(m->uio, msg->data, (size_t)r) < (size_t)r)
		return -EFAULT;
	if (r < msg->len)
		m->out_flags |= MSG_TRUNC;
	if (m->flags & MSG_TRUNC)
		r = msg->len;
	if (!(m->flags & MSG_PEEK)) {
		spin_lock(&n->lock);
		list_del(&msg->link);
		n->nqueued--;
		spin_unlock(&n->lock);
		kfree(msg);
	}
	return r;
}

static s64 nl_recv(struct socket *s, struct sock_msg *m)
{
	struct nl_sock *n = nl_of(s);
	u64 deadline = socket_deadline(s->rcvtimeo);

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	for (;;) {
		bool got;
		s64 r;

		mutex_lock(&n->read_lock);
		r = recv_one(n, m, &got);
		mutex_unlock(&n->read_lock);
		if (got) {
			if (m->name)
				nl_getname(s, m->name, true);
			return r;
		}
		if (socket_nonblock(s, m->flags))
			return -EAGAIN;
		r = wait_event_intr_deadline(&n->wq, recv_ready(n), deadline);
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : r;
	}
}

/* ---- the rest ---- */

static int nl_shutdown(struct socket *s, int how)
{
	(void)s;
	(void)how;
	return -EOPNOTSUPP;
}

static u32 nl_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct nl_sock *n = nl_of(s);

	poll_wait(f, &n->wq, pt);
	return POLLOUT | POLLWRNORM | (recv_ready(n) ? POLLIN | POLLRDNORM : 0);
}

static s64 nl_queued(struct socket *s)
{
	(void)s;
	return -ENOTTY;
}

/* Options that promise nothing which a silent network could break. */
static int nl_setsockopt(struct socket *s, int level, int opt, uaddr_t val, u32 len)
{
	s32 v;

	(void)s;
	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user(v, val))
		return -EFAULT;
	switch (opt) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
	case NETLINK_NO_ENOBUFS:
	case NETLINK_CAP_ACK:
	case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static void nl_release(struct socket *s)
{
	struct nl_sock *n = nl_of(s);

	spin_lock(&names_lock);
	list_del(&n->link);
	spin_unlock(&names_lock);
	while (!list_empty(&n->queue)) {
		struct nl_msg *msg = list_first_entry(&n->queue, struct nl_msg, link);

		list_del(&msg->link);
		kfree(msg);
	}
	kfree(n);
}

static const struct sock_ops nl_ops = {
	.bind = nl_bind,
	.connect = nl_connect,
	.getname = nl_getname,
	.send = nl_send,
	.recv = nl_recv,
	.shutdown = nl_shutdown,
	.poll = nl_poll,
	.inq = nl_queued,
	.outq = nl_queued,
	.setsockopt = nl_setsockopt,
	.release = nl_release,
};

static int nl_create(struct socket *s)
{
	struct nl_sock *n;

	if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (s->protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOBUFS;
	n->net = s->net->ns.inum;
	list_init(&n->queue);
	list_init(&n->link);
	waitq_init(&n->wq);
	s->ops = &nl_ops;
	s->impl = n;
	return 0;
}

const struct sock_family netlink_family = { .family = AF_NETLINK, .create = nl_create };
