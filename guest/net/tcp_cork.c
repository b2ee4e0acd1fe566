/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP_CORK and MSG_MORE, tcp(7): what is written stays unseen until a segment is full, until somebody pulls the cork, shuts down or closes, or until
 * the time is over after which Linux sends it all the same.
 */
#include "kernel/clock.h"
#include "net/tcp.h"

#define CORK_SEGMENT 32741u /* what TCP_MAXSEG says */
#define CORK_TIME    (200 * NSEC_PER_MSEC)

/* In interrupt context: no signals from here. */
static void cork_expired(struct ktimer *k)
{
	struct tcp_sock *t = container_of(k, struct tcp_sock, cork);
	struct tcp_end *to = tcp_peer(t);

	if (stream_show(&to->rx, atomic_load(&to->rx.head)))
		waitq_wake(&to->sock->in.wq, 1, POLLIN | POLLRDNORM);
}

void tcp_cork_init(struct tcp_sock *t)
{
	ktimer_init(&t->cork, cork_expired);
}

bool tcp_cork_written(struct tcp_sock *t, bool more, bool full)
{
	struct stream *rx = &tcp_peer(t)->rx;
	u64 held = stream_held(rx), head = rx->head;

	/* Who waits for room must not wait for what the reader does not see. */
	if (likely(full || (!more && !READ_ONCE(t->in.opt[IT_CORK]))))
		return stream_show(rx, head);
	if (held % CORK_SEGMENT && !READ_ONCE(t->cork.armed))
		ktimer_arm(&t->cork, clock_monotonic() + CORK_TIME);
	return stream_show(rx, head - held % CORK_SEGMENT);
}

void tcp_uncork(struct tcp_sock *t)
{
	struct tcp_end *to = tcp_peer(t);

	ktimer_cancel(&t->cork);
	if (stream_show(&to->rx, atomic_load(&to->rx.head)))
		waitq_wake(&to->sock->in.wq, 1, POLLIN | POLLRDNORM | TELL_IN);
}
