/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nl_queue.h"

#include "fs/async.h"
#include "fs/poll.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define NL_OVERHEAD 512u /* what a queued datagram counts beside its bytes */

void nl_queue_init(struct nl_queue *q)
{
	list_init(&q->msgs);
	waitq_init(&q->wq);
}

void nl_queue_free(struct nl_queue *q)
{
	while (!list_empty(&q->msgs)) {
		struct nl_msg *msg = list_first_entry(&q->msgs, struct nl_msg, link);

		list_del(&msg->link);
		kfree(msg);
	}
}

struct nl_msg *nl_msg_new(u32 len)
{
	struct nl_msg *msg = kmalloc(sizeof(*msg) + len);

	if (msg)
		msg->len = len;
	return msg;
}

void nl_queue_put(struct nl_queue *q, struct nl_msg *msg, u32 limit, bool quiet)
{
	spin_lock(&q->lock);
	if (msg && !q->congested && q->bytes <= limit) {
		list_add_tail(&q->msgs, &msg->link);
		q->bytes += msg->len + NL_OVERHEAD;
		msg = NULL;
	} else if (!quiet && !q->congested) {
		q->congested = !list_empty(&q->msgs);
		q->error = -ENOBUFS;
	}
	spin_unlock(&q->lock);
	kfree(msg);
	waitq_wake(&q->wq, 1, POLLIN | POLLRDNORM | TELL_IN);
}

void nl_queue_copy(struct nl_queue *q, const void *data, u32 len, u32 limit, bool quiet)
{
	struct nl_msg *msg = nl_msg_new(len);

	if (msg)
		memcpy(msg->data, data, len);
	nl_queue_put(q, msg, limit, quiet);
}

struct nl_msg *nl_queue_first(struct nl_queue *q)
{
	struct nl_msg *msg = NULL;

	spin_lock(&q->lock);
	if (!list_empty(&q->msgs))
		msg = list_first_entry(&q->msgs, struct nl_msg, link);
	spin_unlock(&q->lock);
	return msg;
}

void nl_queue_drop(struct nl_queue *q, struct nl_msg *msg)
{
	spin_lock(&q->lock);
	list_del(&msg->link);
	q->bytes -= msg->len + NL_OVERHEAD;
	if (list_empty(&q->msgs))
		q->congested = false;
	spin_unlock(&q->lock);
	kfree(msg);
}

int nl_queue_error(struct nl_queue *q)
{
	int error;

	spin_lock(&q->lock);
	error = q->error;
	q->error = 0;
	spin_unlock(&q->lock);
	return error;
}

bool nl_queue_ready(struct nl_queue *q)
{
	bool ready;

	spin_lock(&q->lock);
	ready = !list_empty(&q->msgs) || q->error;
	spin_unlock(&q->lock);
	return ready;
}

u32 nl_queue_poll(struct nl_queue *q)
{
	u32 mask;

	spin_lock(&q->lock);
	mask = list_empty(&q->msgs) ? 0 : POLLIN | POLLRDNORM;
	if (q->error)
		mask |= POLLERR;
	spin_unlock(&q->lock);
	return mask;
}
