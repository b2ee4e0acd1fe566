/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of AF_UNIX sockets: queueing, reading, descriptors in flight. See unix(7), send(2), recv(2). */
#include "net/unix.h"

#include "mm/slab.h"
#include "task/task.h"

#define CHUNK_MAX 32768u /* of a stream: what one allocation holds */
#define DGRAM_MAX 10u /* datagrams that wait in one queue, as net.unix.max_dgram_qlen */

static struct spinlock purge_lock; /* protects: purging, garbage */
static struct list_head garbage = LIST_HEAD_INIT(garbage);
static bool purging;

struct waitq unix_dgram_space;

static void msg_free(struct unix_msg *msg)
{
	scm_fini(&msg->scm);
	unix_name_put(msg->from);
	kfree(msg);
}

/*
 * Dropping a message may close a socket whose queue holds messages that close sockets, and so on: whoever comes while somebody
 * purges only leaves his messages to him.
 */
void unix_purge(struct list_head *msgs)
{
	spin_lock(&purge_lock);
	list_splice_tail(&garbage, msgs);
	if (purging) {
		spin_unlock(&purge_lock);
		return;
	}
	purging = true;
	while (!list_empty(&garbage)) {
		struct unix_msg *msg = list_first_entry(&garbage, struct unix_msg, link);

		list_del(&msg->link);
		spin_unlock(&purge_lock);
		msg_free(msg);
		spin_lock(&purge_lock);
	}
	purging = false;
	spin_unlock(&purge_lock);
}

/* ---- sending ---- */

static struct unix_msg *msg_read(struct sock_msg *m, u32 len, int *err)
{
	struct unix_msg *msg = kmalloc(sizeof(*msg) + len);

	*err = -ENOBUFS;
	if (!msg)
		return NULL;
	list_init(&msg->link);
	scm_init(&msg->scm);
	msg->from = NULL;
	msg->off = 0;
	msg->len = (u32)uio_read(m->uio, msg->data, len);
	if (msg->len < len) {
		kfree(msg);
		*err = -EFAULT;
		return NULL;
	}
	return msg;
}

/* May the sender queue len more bytes at `to`? Also true when sending would fail for good. */
static bool has_room(struct unix_sock *to, const struct socket *s, u32 len)
{
	bool room;

	spin_lock(&to->lock);
	if (to->type == SOCK_DGRAM)
		room = to->nqueued < DGRAM_MAX;
	else
		room = to->queued == 0 || to->queued + len <= s->sndbuf;
	room = room || to->state == UNIX_CLOSED || to->read_shut;
	spin_unlock(&to->lock);
	return room;
}

bool unix_writable(struct unix_sock *to, const struct socket *s)
{
	bool room;

	spin_lock(&to->lock);
	room = to->type == SOCK_DGRAM ? to->nqueued < DGRAM_MAX : to->queued * 2 < s->sndbuf;
	spin_unlock(&to->lock);
	return room;
}

static int wait_room(struct socket *s, struct unix_sock *to, u32 len, u32 flags)
{
	int r;

	if (has_room(to, s, len))
		return 0;
	file_async_full(s->file);
	if (socket_nonblock(s, flags))
		return -EAGAIN;
	r = wait_event_intr_deadline(
		&to->space, has_room(to, s, len), socket_deadline(s->sndtimeo));
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* Consumes msg on success. */
static int msg_queue(struct unix_sock *to, struct unix_msg *msg, bool urgent)
{
	int r = 0;

	spin_lock(&to->lock);
	if (to->state == UNIX_CLOSED)
		r = to->type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	else if (to->read_shut)
		r = -EPIPE;
	if (!r) {
		list_add_tail(&to->queue, &msg->link);
		to->queued += msg->len;
		to->nqueued++;
		if (urgent)
			to->oob = msg;
	}
	spin_unlock(&to->lock);
	if (!r && urgent)
		socket_tell_urgent(&to->lock, &to->file, &to->wq);
	if (!r)
		waitq_wake(&to->wq, 1, POLLIN | POLLRDNORM | (urgent ? POLLPRI : 0) | TELL_IN);
	return r;
}

/* One message of len bytes to `to`; urgent: its one byte is. Takes over m->scm. Bytes or -errno. */
static s64 send_one(
	struct socket *s, struct unix_sock *to, struct sock_msg *m, u32 len, bool urgent)
{
	struct unix_sock *u = unix_of(s);
	struct unix_msg *msg;
	int r = wait_room(s, to, len, m->flags);

	if (r)
		return r;
	msg = msg_read(m, len, &r);
	if (!msg)
		return r;
	if (!m->scm->has_cred)
		scm_fill_cred(&m->scm->cred);
	scm_move(&msg->scm, m->scm);
	if (to->type == SOCK_DGRAM && u->name) {
		unix_name_get(u->name);
		msg->from = u->name;
	}
	r = msg_queue(to, msg, urgent);
	if (r) {
		msg_free(msg);
		return r;
	}
	return len;
}

static s64 send_stream(struct socket *s, struct unix_sock *to, struct sock_msg *m)
{
	bool urgent = m->flags & MSG_OOB;
	s64 done = 0, r;

	if (urgent && !m->uio->left)
		return -EOPNOTSUPP;
	/* What was queued before a failure counts. What a chunk that failed had taken from the caller does not. */
	while (m->uio->left) {
		u64 plain = m->uio->left - urgent;
		u32 len = (u32)MIN(plain, (u64)MIN(CHUNK_MAX, s->sndbuf / 2));

		r = send_one(s, to, m, plain ? len : 1, !plain);
		if (r < 0)
			return done ? done : r;
		done += r;
	}
	return done;
}

static int send_target(struct socket *s, struct sock_msg *m, struct unix_sock **to)
{
	struct unix_sock *u = unix_of(s);

	if (m->name && m->name->len) {
		if (u->type != SOCK_DGRAM)
			return READ_ONCE(u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
		return unix_lookup(u->net, m->name, u->type, to);
	}
	*to = unix_peer(u);
	if (*to)
		return 0;
	if (u->type == SOCK_DGRAM)
		return -ENOTCONN;
	return READ_ONCE(u->state) == UNIX_CONNECTED ? -EPIPE : -ENOTCONN;
}

s64 unix_send(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s), *to = NULL;
	s64 r;

	if ((m->flags & MSG_OOB) && u->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	r = send_target(s, m, &to);
	if (!r && u->write_shut)
		r = -EPIPE;
	if (!r && u->type == SOCK_STREAM)
		r = send_stream(s, to, m);
	else if (!r && m->uio->left > s->sndbuf - 32)
		r = -EMSGSIZE;
	else if (!r)
		r = send_one(s, to, m, (u32)m->uio->left, false);
	if (to)
		unix_put(to);
	if (r == -EPIPE && u->type == SOCK_STREAM && !(m->flags & MSG_NOSIGNAL))
		signal_send_task(task_current(), SIGPIPE, NULL);
	return r;
}

/* ---- receiving ---- */

/* The first message, or NULL; *end = no more will come. */
static struct unix_msg *queue_head(struct unix_sock *u, bool *end)
{
	struct unix_msg *msg = NULL;

	spin_lock(&u->lock);
	*end = u->read_shut || u->peer_gone;
	if (!list_empty(&u->queue))
		msg = list_first_entry(&u->queue, struct unix_msg, link);
	spin_unlock(&u->lock);
	return msg;
}

int unix_take_error(struct socket *s)
{
	struct unix_sock *u = unix_of(s);
	int err;

	spin_lock(&u->lock);
	err = u->peer_reset ? ECONNRESET : 0;
	u->peer_reset = false;
	spin_unlock(&u->lock);
	return err;
}

static bool queue_ready(struct unix_sock *u)
{
	bool ready;

	spin_lock(&u->lock);
	ready = !list_empty(&u->queue) || u->read_shut || u->peer_gone;
	spin_unlock(&u->lock);
	return ready;
}

/* Removes n bytes of the head message; the whole message when it is used up or `all`. read_lock held. */
static void queue_consume(struct unix_sock *u, struct unix_msg *msg, u32 n, bool all)
{
	struct list_head done = LIST_HEAD_INIT(done);
	bool gone;

	spin_lock(&u->lock);
	gone = all || msg->off + n >= msg->len;
	if (gone) {
		u->queued -= msg->len - msg->off;
		u->nqueued--;
		list_del(&msg->link);
		list_add(&done, &msg->link);
	} else {
		u->queued -= n;
		msg->off += n;
	}
	spin_unlock(&u->lock);
	waitq_wake(&u->space, INT_MAX, POLLOUT | POLLWRNORM | POLLWRBAND | TELL_SPACE);
	if (gone && u->type == SOCK_DGRAM)
		waitq_wake(&unix_dgram_space, INT_MAX, POLLOUT | POLLWRNORM);
	if (gone)
		unix_purge(&done);
}

/* Ancillary data of msg for the receiver: moved, or copied for a peek. */
static int take_scm(struct unix_msg *msg, struct scm *out, bool peek)
{
	scm_copy_cred(&out->cred, &msg->scm.cred);
	if (!msg->scm.nfiles)
		return 0;
	if (peek)
		return scm_copy(out, &msg->scm);
	scm_move(out, &msg->scm);
	return 0;
}

static bool same_sender(const struct scm_cred *a, const struct scm_cred *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* Whether msg may be glued to what was already read from the stream. */
static bool may_join(struct socket *s, const struct unix_msg *msg, const struct sock_msg *m)
{
	if (m->scm->nfiles || msg->scm.nfiles)
		return false;
	return !s->passcred || same_sender(&msg->scm.cred, &m->scm->cred);
}

/* Reads what is queued; peeks walk the list without consuming. read_lock held. Bytes or -errno. */
static s64 recv_stream_queued(struct socket *s, struct sock_msg *m, u64 already)
{
	struct unix_sock *u = unix_of(s);
	bool peek = m->flags & MSG_PEEK;
	u64 done = 0;
	struct unix_msg *msg = NULL;
	int err;

	while (m->uio->left) {
		size_t want, n;

		msg = peek && msg ? unix_stream_peek(s, msg)
				  : unix_stream_head(s, already || done, peek);
		if (!msg)
			break;
		if ((already || done) && !may_join(s, msg, m))
			break;
		want = MIN(m->uio->left, (u64)(msg->len - msg->off));
		n = uio_write(m->uio, msg->data + msg->off, want);
		if (n < want && !n && !done && !already)
			return -EFAULT;
		done += n;
		err = take_scm(msg, m->scm, peek);
		if (err)
			return err;
		if (!peek)
			queue_consume(u, msg, (u32)n, false);
		if (n < want)
			break;
	}
	return (s64)done;
}

static bool stream_ready(struct socket *s)
{
	struct unix_sock *u = unix_of(s);

	return unix_stream_more(s) || READ_ONCE(u->read_shut) || READ_ONCE(u->peer_gone);
}

static s64 recv_stream(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	u64 deadline = socket_deadline(s->rcvtimeo), total = 0;

	for (;;) {
		s64 n;
		bool end;
		int err;

		mutex_lock(&u->read_lock);
		n = recv_stream_queued(s, m, total);
		mutex_unlock(&u->read_lock);
		if (n < 0)
			return n;
		total += (u64)n;
		if (!m->uio->left || (total && !(m->flags & MSG_WAITALL)) ||
			(n && (m->flags & MSG_PEEK)) || m->scm->nfiles)
			return (s64)total;
		if (queue_head(u, &end)) {
			if (total)
				return (s64)total;
			if (unix_stream_more(s))
				continue;
		}
		if (end)
			return total ? (s64)total : -unix_take_error(s);
		if (READ_ONCE(u->state) != UNIX_CONNECTED)
			return -EINVAL;
		if (socket_nonblock(s, m->flags))
			return total ? (s64)total : -EAGAIN;
		err = wait_event_intr_deadline(&u->wq, stream_ready(s), deadline);
		if (err)
			return total ? (s64)total : err == -ETIMEDOUT ? -EAGAIN : err;
	}
}

static int recv_wait(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	int r;

	if (u->type == SOCK_SEQPACKET && READ_ONCE(u->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	if (queue_ready(u))
		return 0;
	if (socket_nonblock(s, m->flags))
		return -EAGAIN;
	r = wait_event_intr_deadline(&u->wq, queue_ready(u), socket_deadline(s->rcvtimeo));
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* One message with its boundary. read_lock held. Bytes, or -errno; *again = somebody else took it. */
static s64 recv_packet_queued(struct socket *s, struct sock_msg *m, bool *again)
{
	struct unix_sock *u = unix_of(s);
	bool peek = m->flags & MSG_PEEK, end;
	struct unix_msg *msg;
	size_t want;
	u32 len;
	int err;

	msg = queue_head(u, &end);
	*again = !msg && !end;
	if (!msg)
		return -unix_take_error(s);
	len = msg->len;
	want = MIN(m->uio->left, (u64)len);
	if (uio_write(m->uio, msg->data, want) < want)
		return -EFAULT;
	if (want < len)
		m->out_flags |= MSG_TRUNC;
	if (m->name) {
		m->name->len = 0;
		if (msg->from)
			*m->name = msg->from->addr;
	}
	err = take_scm(msg, m->scm, peek);
	if (err)
		return err;
	if (!peek)
		queue_consume(u, msg, 0, true);
	return m->flags & MSG_TRUNC ? len : (s64)want;
}

static s64 recv_packet(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);

	for (;;) {
		bool again;
		s64 n = recv_wait(s, m);

		if (n)
			return n;
		mutex_lock(&u->read_lock);
		n = recv_packet_queued(s, m, &again);
		mutex_unlock(&u->read_lock);
		if (!again)
			return n;
	}
}

s64 unix_recv(struct socket *s, struct sock_msg *m)
{
	if (m->flags & MSG_OOB)
		return unix_oob_recv(s, m);
	return unix_of(s)->type == SOCK_STREAM ? recv_stream(s, m) : recv_packet(s, m);
}
