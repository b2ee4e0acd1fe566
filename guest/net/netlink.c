/* SPDX-License-Identifier: Apache-2.0 */
/* AF_NETLINK: sockets that ask the sentry, by NETLINK_ROUTE and NETLINK_GENERIC. Groups never hear anything. See netlink(7). */
#include "net/netlink.h"

#include <linux/capability.h>

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/genl.h"
#include "net/net_ns.h"
#include "net/nl_queue.h"
#include "net/rtnl.h"
#include "net/socket.h"
#include "net/taskstats.h"
#include "task/task.h"
#include "task/user_ns.h"

#define REQUEST_MAX 32768u /* bytes of one send */

struct nl_sock {
	struct socket *s; /* whose impl this is */
	struct nl_queue queue;
	u32 net; /* number of the network namespace; constant */
	u32 portid, groups; /* lock: names_lock */
	struct list_head link; /* lock: names_lock */
	u32 options; /* 1 << NETLINK_*, those that are on; atomic */
	struct exit_listener exits;
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

static bool option_on(const struct nl_sock *n, int opt)
{
	return atomic_load(&n->options) & (1u << opt);
}

static void queue_put(struct nl_sock *n, struct nl_msg *msg)
{
	nl_queue_put(&n->queue, msg, READ_ONCE(n->s->rcvbuf), option_on(n, NETLINK_NO_ENOBUFS));
}

static void queue_copy(struct nl_sock *n, const void *data, u32 len)
{
	nl_queue_copy(
		&n->queue, data, len, READ_ONCE(n->s->rcvbuf), option_on(n, NETLINK_NO_ENOBUFS));
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

	queue_copy(s->impl, data, len);
}

void netlink_tell_exit(struct exit_listener *l, const void *data, u32 len)
{
	queue_copy(container_of(l, struct nl_sock, exits), data, len);
}

/* A request on its way. */
struct nl_call {
	struct nl_sock *n;
	bool named; /* sent with an address: then it does not matter who opened the socket */
	struct nl_answer answer;
};

static bool may_admin(const struct nl_call *c, const struct user_ns *ns)
{
	return (c->named || file_ns_capable(c->n->s->file, ns, CAP_NET_ADMIN)) &&
	       ns_capable(ns, CAP_NET_ADMIN);
}

/* A request may change whether the loopback interface is up. */
static s32 ask_route(struct nl_call *c, const struct nlmsghdr *h)
{
	struct nl_sock *n = c->n;
	struct net_ns *ns = n->s->net;
	struct rtnl_net net = {
		.admin = may_admin(c, ns->ns.owner),
		.lo_up = READ_ONCE(ns->lo_up),
		.lo_mtu = READ_ONCE(ns->lo_mtu),
	};
	bool was = net.lo_up;
	s32 err = rtnl_request(h, n->portid, &net, &c->answer);

	if (net.lo_up != was)
		WRITE_ONCE(ns->lo_up, net.lo_up);
	return err;
}

static s32 ask_generic(struct nl_call *c, const struct nlmsghdr *h)
{
	struct genl_kernel k = { .admin = may_admin(c, &user_ns_root), .listener = &c->n->exits };

	return genl_request(h, c->n->portid, taskstats_ask(&k), &c->answer);
}

/* Not 0: with the whole request, unless the socket wants none of it (NETLINK_CAP_ACK). */
static void answer_error(struct nl_sock *n, const struct nlmsghdr *h, s32 error)
{
	bool whole = error && !option_on(n, NETLINK_CAP_ACK);
	u32 len = (u32)NLMSG_LENGTH(sizeof(s32)) + (whole ? h->nlmsg_len : NLMSG_HDRLEN);
	struct nl_msg *msg = nl_msg_new(NLMSG_ALIGN(len));
	struct nlmsghdr *head = msg ? (struct nlmsghdr *)msg->data : NULL;

	if (head) {
		memset(msg->data + msg->len - NLMSG_ALIGNTO, 0, NLMSG_ALIGNTO);
		*head = (struct nlmsghdr){ .nlmsg_len = len,
			.nlmsg_type = NLMSG_ERROR,
			.nlmsg_flags = whole ? 0 : NLM_F_CAPPED,
			.nlmsg_seq = h->nlmsg_seq,
			.nlmsg_pid = n->portid };
		memcpy(NLMSG_DATA(head), &error, sizeof(error));
		memcpy((u8 *)NLMSG_DATA(head) + sizeof(error), h,
			len - NLMSG_LENGTH(sizeof(error)));
	}
	queue_put(n, msg);
}

static void answer_done(struct nl_sock *n, const struct nlmsghdr *h)
{
	struct {
		struct nlmsghdr h;
		s32 error;
	} end = {
		.h = { .nlmsg_len = sizeof(end),
			.nlmsg_type = NLMSG_DONE,
			.nlmsg_flags = NLM_F_MULTI,
			.nlmsg_seq = h->nlmsg_seq,
			.nlmsg_pid = n->portid },
	};

	queue_copy(n, &end, sizeof(end));
}

/* An answer, the end of a dump, an error or an acknowledgement: each is a datagram. */
static void request(struct nl_call *c, const struct nlmsghdr *h)
{
	struct nl_sock *n = c->n;
	struct nl_answer *a = &c->answer;
	s32 err = 0;

	a->len = 0;
	a->done = false;
	if ((h->nlmsg_flags & NLM_F_REQUEST) && h->nlmsg_type >= NLMSG_MIN_TYPE)
		err = n->s->protocol == NETLINK_ROUTE ? ask_route(c, h) : ask_generic(c, h);
	if (!err && a->len)
		queue_copy(n, a->buf, a->len);
	if (a->done)
		answer_done(n, h);
	else if (err || (h->nlmsg_flags & NLM_F_ACK))
		answer_error(n, h, err);
}

/* Each message of a request is answered on its own. */
static int nl_requests(struct nl_sock *n, const u8 *buf, u32 len, bool named)
{
	struct nl_call *c = kmalloc(sizeof(*c));
	u32 at = 0;

	if (!c)
		return -ENOBUFS;
	c->n = n;
	c->named = named;
	while (len - at >= NLMSG_HDRLEN) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(buf + at);

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len - at)
			break;
		request(c, h);
		at += MIN((u32)NLMSG_ALIGN(h->nlmsg_len), len - at);
	}
	kfree(c);
	return 0;
}

static s64 nl_send(struct socket *s, struct sock_msg *m)
{
	u32 len = (u32)MIN(m->uio->left, (u64)REQUEST_MAX + 1);
	bool named = m->name && m->name->len;
	struct sockaddr_nl nl;
	u8 *buf;
	int r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (len > REQUEST_MAX)
		return -EMSGSIZE;
	if (named) {
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
	r = uio_read(m->uio, buf, len) < len ? -EFAULT : nl_requests(nl_of(s), buf, len, named);
	kfree(buf);
	return r ? r : (s64)len;
}

/* ---- answers ---- */

/* One datagram; the queue's read_lock held. *got: there was one, or an error. */
static s64 recv_one(struct nl_queue *q, struct sock_msg *m, bool *got)
{
	s64 error = nl_queue_error(q);
	struct nl_msg *msg = error ? NULL : nl_queue_first(q);
	s64 r;

	*got = msg || error;
	if (!msg)
		return error;
	r = (s64)MIN(m->uio->left, (u64)msg->len);
	if (uio_write(m->uio, msg->data, (size_t)r) < (size_t)r)
		return -EFAULT;
	if (r < msg->len)
		m->out_flags |= MSG_TRUNC;
	if (m->flags & MSG_TRUNC)
		r = msg->len;
	if (!(m->flags & MSG_PEEK))
		nl_queue_drop(q, msg);
	return r;
}

static s64 nl_recv(struct socket *s, struct sock_msg *m)
{
	struct nl_queue *q = &nl_of(s)->queue;
	u64 deadline = socket_deadline(s->rcvtimeo);

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	for (;;) {
		bool got;
		s64 r;

		mutex_lock(&q->read_lock);
		r = recv_one(q, m, &got);
		mutex_unlock(&q->read_lock);
		if (got) {
			if (m->name)
				nl_getname(s, m->name, true);
			return r;
		}
		if (socket_nonblock(s, m->flags))
			return -EAGAIN;
		r = wait_event_intr_deadline(&q->wq, nl_queue_ready(q), deadline);
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
	struct nl_queue *q = &nl_of(s)->queue;

	poll_wait(f, &q->wq, pt);
	return POLLOUT | POLLWRNORM | nl_queue_poll(q);
}

static s64 nl_queued(struct socket *s)
{
	(void)s;
	return -ENOTTY;
}

static int nl_take_error(struct socket *s)
{
	return -nl_queue_error(&nl_of(s)->queue);
}

/* What Linux has that is on or off, though most promise nothing that a silent network could break. */
static bool option_is_flag(int opt)
{
	return opt == NETLINK_NO_ENOBUFS || opt == NETLINK_CAP_ACK || opt == NETLINK_EXT_ACK ||
	       opt == NETLINK_GET_STRICT_CHK;
}

static int nl_setsockopt(struct socket *s, int level, int opt, uaddr_t val, u32 len)
{
	struct nl_sock *n = nl_of(s);
	s32 v;

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	if (get_user(v, val))
		return -EFAULT;
	if (opt == NETLINK_ADD_MEMBERSHIP || opt == NETLINK_DROP_MEMBERSHIP)
		return 0;
	if (!option_is_flag(opt))
		return -ENOPROTOOPT;
	if (v)
		atomic_or(&n->options, 1u << opt);
	else
		atomic_and(&n->options, ~(1u << opt));
	return 0;
}

static int nl_getsockopt(struct socket *s, int level, int opt, struct sock_optval *out)
{
	s32 v;

	if (level != SOL_NETLINK || !option_is_flag(opt))
		return -ENOPROTOOPT;
	v = option_on(nl_of(s), opt);
	memcpy(out->buf, &v, out->len = sizeof(v));
	return 0;
}

static void nl_release(struct socket *s)
{
	struct nl_sock *n = nl_of(s);

	spin_lock(&names_lock);
	list_del(&n->link);
	spin_unlock(&names_lock);
	taskstats_unlisten(&n->exits);
	nl_queue_free(&n->queue);
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
	.take_error = nl_take_error,
	.setsockopt = nl_setsockopt,
	.getsockopt = nl_getsockopt,
	.release = nl_release,
};

static int nl_create(struct socket *s)
{
	struct nl_sock *n;

	if (s->type != SOCK_RAW && s->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (s->protocol != NETLINK_ROUTE && s->protocol != NETLINK_GENERIC)
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOBUFS;
	n->s = s;
	n->net = s->net->ns.inum;
	nl_queue_init(&n->queue);
	list_init(&n->link);
	list_init(&n->exits.link);
	s->ops = &nl_ops;
	s->impl = n;
	return 0;
}

const struct sock_family netlink_family = { .family = AF_NETLINK, .create = nl_create };
