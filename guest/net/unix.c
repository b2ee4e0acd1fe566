/* SPDX-License-Identifier: Apache-2.0 */
/* AF_UNIX: creation, connection, shutdown, poll, close. See unix(7). */
#include "net/net_ns.h"
#include "net/unix.h"

#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/pid.h"

static struct kcache unix_cache = KCACHE("unix_sock", struct unix_sock);

static struct spinlock unix_all_lock; /* protects: unix_all */
static struct list_head unix_all = LIST_HEAD_INIT(unix_all);

struct unix_sock *unix_alloc(u32 type, u32 net)
{
	struct unix_sock *u = kcache_zalloc(&unix_cache);

	if (!u)
		return NULL;
	ref_init(&u->ref);
	u->type = type;
	u->net = net;
	list_init(&u->queue);
	list_init(&u->pending);
	list_init(&u->pending_link);
	waitq_init(&u->wq);
	waitq_init(&u->space);
	scm_fill_cred(&u->cred);
	spin_lock(&unix_all_lock);
	list_add_tail(&unix_all, &u->all);
	spin_unlock(&unix_all_lock);
	return u;
}

void unix_get(struct unix_sock *u)
{
	ref_get(&u->ref);
}

void unix_put(struct unix_sock *u)
{
	if (!ref_put(&u->ref))
		return;
	spin_lock(&unix_all_lock);
	list_del(&u->all);
	spin_unlock(&unix_all_lock);
	unix_name_put(u->name);
	pid_put(u->cred.pid);
	pid_put(u->peercred.pid);
	kcache_free(&unix_cache, u);
}

void unix_each(u32 net, void (*fn)(const struct unix_info *i, void *arg), void *arg)
{
	struct unix_sock *u;

	spin_lock(&unix_all_lock);
	list_for_each_entry (u, &unix_all, all) {
		struct unix_info i = { .refs = (u32)u->ref.count, .type = u->type, .ino = u->ino };

		if (u->net != net)
			continue;
		spin_lock(&u->lock);
		i.listening = u->state == UNIX_LISTENING;
		i.connected = u->state == UNIX_CONNECTED;
		if (u->name)
			i.addr = u->name->addr;
		spin_unlock(&u->lock);
		fn(&i, arg);
	}
	spin_unlock(&unix_all_lock);
}

struct unix_sock *unix_peer(struct unix_sock *u)
{
	struct unix_sock *peer;

	spin_lock(&u->lock);
	peer = u->peer;
	if (peer)
		unix_get(peer);
	spin_unlock(&u->lock);
	return peer;
}

/* ---- connections ---- */

/* Sets u's peer (a reference is taken) when u is free. 0 or -EISCONN. */
static int set_peer(struct unix_sock *u, struct unix_sock *peer, const struct scm_cred *cred)
{
	int r = -EISCONN;

	spin_lock(&u->lock);
	if (u->state == UNIX_FREE && !u->peer) {
		unix_get(peer);
		u->peer = peer;
		scm_copy_cred(&u->peercred, cred);
		u->state = UNIX_CONNECTED;
		r = 0;
	}
	spin_unlock(&u->lock);
	return r;
}

static void set_file(struct unix_sock *u, struct file *f)
{
	spin_lock(&u->lock);
	u->ino = f->inode->ino;
	u->file = f;
	spin_unlock(&u->lock);
}

static int unix_pair(struct socket *sa, struct socket *sb)
{
	struct unix_sock *a = unix_of(sa), *b = unix_of(sb);

	set_file(a, sa->file);
	set_file(b, sb->file);
	set_peer(a, b, &b->cred);
	set_peer(b, a, &a->cred);
	return 0;
}

/* A datagram socket may change its peer at any time; AF_UNSPEC takes it away. */
static int connect_dgram(struct unix_sock *u, const struct sock_addr *addr)
{
	struct unix_sock *peer = NULL, *old;
	int r;

	if (addr->family != AF_UNSPEC) {
		r = unix_lookup(u->net, addr, u->type, &peer);
		if (r)
			return r;
	}
	spin_lock(&u->lock);
	old = u->peer;
	u->peer = peer;
	u->peer_gone = false;
	spin_unlock(&u->lock);
	if (old)
		unix_put(old);
	return 0;
}

static bool backlog_room(struct unix_sock *l)
{
	bool room;

	spin_lock(&l->lock);
	room = l->state != UNIX_LISTENING || l->npending <= l->backlog;
	spin_unlock(&l->lock);
	return room;
}

/* Puts the server's end on the listener's list, which takes over its reference. 0, -EAGAIN or -ECONNREFUSED. */
static int backlog_add(struct unix_sock *l, struct unix_sock *end)
{
	int r = 0;

	spin_lock(&l->lock);
	if (l->state != UNIX_LISTENING)
		r = -ECONNREFUSED;
	else if (l->npending > l->backlog)
		r = -EAGAIN;
	if (!r) {
		scm_copy_cred(&end->cred, &l->cred);
		if (l->name) {
			unix_name_get(l->name);
			end->name = l->name;
		}
		list_add_tail(&l->pending, &end->pending_link);
		l->npending++;
	}
	spin_unlock(&l->lock);
	return r;
}

/* Ties u and the fresh server end together and queues the end. */
static int connect_to(struct unix_sock *u, struct unix_sock *l, struct unix_sock *end)
{
	int r = set_peer(u, end, &l->cred);

	if (r)
		return r;
	set_peer(end, u, &u->cred);
	r = backlog_add(l, end);
	if (!r) {
		waitq_wake(&l->wq, 1, POLLIN | POLLRDNORM | TELL_IN);
		return 0;
	}
	spin_lock(&u->lock);
	u->state = UNIX_FREE;
	u->peer = NULL;
	spin_unlock(&u->lock);
	unix_put(end);
	spin_lock(&end->lock);
	end->peer = NULL;
	spin_unlock(&end->lock);
	unix_put(u);
	return r;
}

static int connect_stream(struct socket *s, const struct sock_addr *addr)
{
	struct unix_sock *u = unix_of(s), *l, *end;
	u64 deadline = socket_deadline(s->sndtimeo);
	int r;

	if (READ_ONCE(u->state) != UNIX_FREE)
		return u->state == UNIX_LISTENING ? -EINVAL : -EISCONN;
	r = unix_lookup(u->net, addr, u->type, &l);
	if (r)
		return r;
	end = unix_alloc(u->type, l->net);
	r = end ? -EAGAIN : -ENOMEM;
	while (r == -EAGAIN) {
		if (READ_ONCE(l->state) != UNIX_LISTENING) {
			r = -ECONNREFUSED;
			break;
		}
		r = connect_to(u, l, end);
		if (r != -EAGAIN || socket_nonblock(s, 0))
			break;
		r = wait_event_intr_deadline(&l->space, backlog_room(l), deadline);
		if (!r)
			r = -EAGAIN;
		else if (r == -ETIMEDOUT)
			break;
	}
	if (r && end)
		unix_put(end);
	unix_put(l);
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

static int unix_connect(struct socket *s, const struct sock_addr *addr)
{
	struct unix_sock *u = unix_of(s);

	if (addr->len < sizeof(addr->family))
		return -EINVAL;
	set_file(u, s->file);
	return u->type == SOCK_DGRAM ? connect_dgram(u, addr) : connect_stream(s, addr);
}

static int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	int r = 0;

	if (u->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	spin_lock(&u->lock);
	if (!u->name || (u->state != UNIX_FREE && u->state != UNIX_LISTENING))
		r = -EINVAL;
	if (!r) {
		u->state = UNIX_LISTENING;
		u->backlog = (u32)MIN((u32)backlog, 4096u);
		scm_fill_cred(&u->cred);
	}
	spin_unlock(&u->lock);
	if (!r)
		waitq_wake_all(&u->space);
	return r;
}

/* First pending connection, with the list's reference; NULL when there is none. */
static struct unix_sock *pending_take(struct unix_sock *l, bool *closed)
{
	struct unix_sock *end = NULL;

	spin_lock(&l->lock);
	*closed = l->state != UNIX_LISTENING || l->read_shut;
	if (!list_empty(&l->pending)) {
		end = list_first_entry(&l->pending, struct unix_sock, pending_link);
		list_del(&end->pending_link);
		l->npending--;
	}
	spin_unlock(&l->lock);
	return end;
}

static bool pending_ready(struct unix_sock *l)
{
	bool ready;

	spin_lock(&l->lock);
	ready = !list_empty(&l->pending) || l->state != UNIX_LISTENING || l->read_shut;
	spin_unlock(&l->lock);
	return ready;
}

static int unix_accept(struct socket *s, struct socket *fresh, bool nonblock)
{
	struct unix_sock *l = unix_of(s), *end;
	u64 deadline = socket_deadline(s->rcvtimeo);
	bool closed;
	int r;

	while (!(end = pending_take(l, &closed))) {
		if (closed)
			return -EINVAL;
		if (nonblock)
			return -EAGAIN;
		r = wait_event_intr_deadline(&l->wq, pending_ready(l), deadline);
		if (r)
			return r == -ETIMEDOUT ? -EAGAIN : r;
	}
	waitq_wake_one(&l->space);
	unix_put(fresh->impl);
	fresh->impl = end;
	set_file(end, fresh->file);
	return 0;
}

/* ---- end of life ---- */

/* Tell the peer that this end is gone; `reset` = data of the peer was never read. */
static void peer_hangup(struct unix_sock *u, bool reset)
{
	struct unix_sock *peer;

	spin_lock(&u->lock);
	peer = u->peer;
	u->peer = NULL;
	spin_unlock(&u->lock);
	if (!peer)
		return;
	if (u->type != SOCK_DGRAM) {
		spin_lock(&peer->lock);
		peer->peer_gone = true;
		peer->peer_reset = reset;
		spin_unlock(&peer->lock);
		waitq_wake(&peer->wq, INT_MAX, POLLIN | POLLOUT | POLLHUP | TELL_HUP);
	}
	unix_put(peer);
}

static void unix_close(struct unix_sock *u)
{
	struct list_head msgs = LIST_HEAD_INIT(msgs), pending = LIST_HEAD_INIT(pending);
	bool reset;

	unix_unbind(u);
	spin_lock(&u->lock);
	u->state = UNIX_CLOSED;
	list_splice_tail(&msgs, &u->queue);
	list_splice_tail(&pending, &u->pending);
	u->queued = u->nqueued = u->npending = 0;
	u->oob = NULL;
	spin_unlock(&u->lock);
	reset = !list_empty(&msgs);
	waitq_wake_all(&u->space);
	waitq_wake_all(&u->wq);
	if (u->type == SOCK_DGRAM)
		waitq_wake_all(&unix_dgram_space);
	peer_hangup(u, reset);
	while (!list_empty(&pending)) {
		struct unix_sock *end = list_first_entry(&pending, struct unix_sock, pending_link);

		list_del(&end->pending_link);
		/* Never accepted: has no pending list of its own, so this goes one level deep. */
		unix_close(end);
	}
	unix_purge(&msgs);
	unix_put(u);
}

static void unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s);

	spin_lock(&u->lock);
	u->file = NULL;
	spin_unlock(&u->lock);
	unix_close(u);
}

static int unix_shutdown(struct socket *s, int how)
{
	struct unix_sock *u = unix_of(s), *peer;
	bool rd = how != SHUT_WR, wr = how != SHUT_RD;

	if (u->type != SOCK_DGRAM && READ_ONCE(u->state) == UNIX_FREE)
		return -ENOTCONN;
	spin_lock(&u->lock);
	u->read_shut |= rd;
	u->write_shut |= wr;
	peer = u->peer;
	if (peer)
		unix_get(peer);
	spin_unlock(&u->lock);
	waitq_wake_all(&u->wq);
	waitq_wake_all(&u->space);
	if (!peer)
		return 0;
	if (u->type != SOCK_DGRAM) {
		spin_lock(&peer->lock);
		peer->read_shut |= wr;
		peer->write_shut |= rd;
		spin_unlock(&peer->lock);
		waitq_wake(&peer->wq, INT_MAX,
			POLLIN | POLLOUT | POLLRDHUP | POLLHUP |
				(rd && wr    ? TELL_HUP
					: wr ? TELL_IN
					     : 0));
		waitq_wake_all(&peer->space);
	}
	unix_put(peer);
	return 0;
}

/* ---- questions ---- */

static u32 poll_own(struct unix_sock *u)
{
	u32 ev = 0;

	spin_lock(&u->lock);
	if (u->state == UNIX_LISTENING) {
		if (!list_empty(&u->pending))
			ev |= POLLIN | POLLRDNORM;
		spin_unlock(&u->lock);
		return ev;
	}
	if (!list_empty(&u->queue))
		ev |= POLLIN | POLLRDNORM;
	if (u->read_shut || u->peer_gone)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (u->peer_gone || (u->read_shut && u->write_shut))
		ev |= POLLHUP;
	if (u->oob)
		ev |= POLLPRI;
	if (u->peer_reset)
		ev |= POLLERR;
	if (u->type != SOCK_DGRAM && u->state == UNIX_FREE)
		ev |= POLLHUP | POLLOUT | POLLWRNORM;
	spin_unlock(&u->lock);
	return ev;
}

static u32 unix_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct unix_sock *u = unix_of(s), *peer;
	bool room = true;
	u32 ev;

	poll_wait(f, &u->wq, pt);
	ev = poll_own(u);
	if (READ_ONCE(u->state) == UNIX_LISTENING)
		return ev;
	peer = unix_peer(u);
	if (peer) {
		/* The poller stays queued after we drop the peer. A stream keeps its peer until its own end; a datagram socket
		 * may change it, so its pollers wait in a queue that belongs to nobody. */
		if (u->type != SOCK_DGRAM)
			poll_wait(f, &peer->space, pt);
		else if (!pt || !pt->own)
			poll_wait(f, &unix_dgram_space, pt);
		room = unix_writable(peer, s);
		unix_put(peer);
	}
	if (room)
		ev |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return ev;
}

static int unix_getname(struct socket *s, struct sock_addr *out, bool want_peer)
{
	struct unix_sock *u = unix_of(s), *peer = NULL, *of = u;

	if (want_peer) {
		of = peer = unix_peer(u);
		if (!peer)
			return -ENOTCONN;
	}
	memset(out, 0, sizeof(*out));
	out->family = AF_UNIX;
	out->len = sizeof(out->family);
	spin_lock(&of->lock);
	if (of->name)
		*out = of->name->addr;
	spin_unlock(&of->lock);
	if (peer)
		unix_put(peer);
	return 0;
}

static s64 unix_inq(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	s64 n = 0;

	spin_lock(&u->lock);
	if (u->state == UNIX_LISTENING)
		n = -EINVAL;
	else if (u->type == SOCK_STREAM)
		n = (s64)u->queued;
	else if (!list_empty(&u->queue))
		n = list_first_entry(&u->queue, struct unix_msg, link)->len;
	spin_unlock(&u->lock);
	return n;
}

static s64 unix_outq(struct socket *s)
{
	struct unix_sock *peer = unix_peer(unix_of(s));
	s64 n = 0;

	if (peer) {
		spin_lock(&peer->lock);
		n = (s64)peer->queued;
		spin_unlock(&peer->lock);
		unix_put(peer);
	}
	return n;
}

static int unix_peercred(struct socket *s, struct ucred *out)
{
	struct unix_sock *u = unix_of(s);

	spin_lock(&u->lock);
	if (u->state == UNIX_CONNECTED)
		*out = scm_user_cred(&u->peercred);
	else if (u->state == UNIX_LISTENING)
		*out = scm_user_cred(&u->cred);
	else
		*out = (struct ucred){ 0, ~0u, ~0u };
	spin_unlock(&u->lock);
	return 0;
}

static bool unix_listening(struct socket *s)
{
	return READ_ONCE(unix_of(s)->state) == UNIX_LISTENING;
}

static const struct sock_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.pair = unix_pair,
	.getname = unix_getname,
	.send = unix_send,
	.recv = unix_recv,
	.shutdown = unix_shutdown,
	.poll = unix_poll,
	.inq = unix_inq,
	.outq = unix_outq,
	.atmark = unix_atmark,
	.peercred = unix_peercred,
	.take_error = unix_take_error,
	.listening = unix_listening,
	.release = unix_release,
};

static int unix_create(struct socket *s)
{
	if (s->type == SOCK_RAW)
		s->type = SOCK_DGRAM;
	if (s->type != SOCK_STREAM && s->type != SOCK_DGRAM && s->type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	if (s->protocol && s->protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	s->impl = unix_alloc(s->type, s->net->ns.inum);
	if (!s->impl)
		return -ENOMEM;
	s->ops = &unix_ops;
	return 0;
}

const struct sock_family unix_family = { .family = AF_UNIX, .create = unix_create };
