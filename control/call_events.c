/* SPDX-License-Identifier: Apache-2.0 */
/* casemate.Events and Lifecycle.Reap: who wants to be told of starts and ends, and who relies on it. */
#include <config.h>
#include "control/call.h"

#include <errno.h>

void call_events(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	int r;

	if (c->nfds != 1) {
		cm_urpc_reply(c, EINVAL, "one descriptor is expected, a stream socket", NULL);
		return;
	}
	r = cm_events_add(&s->events, c->fds[0]);
	if (r == 0)
		c->fds[0] = -1;
	cm_urpc_reply(c, r,
		r == -EAGAIN ? "too many take events already"
		: r < 0	     ? "the descriptor is no stream socket"
			     : NULL,
		NULL);
}

/* The caller wants to know the end from the channel: one that was before is told again, it may have been too early for him. */
void call_reap(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k;

	if (!cm_events_any(&s->events)) {
		cm_urpc_reply(c, ENOTCONN, "no event emitters configured", NULL);
		return;
	}
	k = call_container(s, c, json_object_get(arg, "container_id"));
	if (!k)
		return;
	if (k->status == CM_STOPPED)
		cm_events_exited(&s->events, k->id, k->wait_status);
	cm_urpc_reply(c, 0, NULL, NULL);
}
