/* SPDX-License-Identifier: Apache-2.0 */
/* What every call does that asks the guest about a container: find it, see whether it can be asked, send the request, wait for the reply. */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <string.h>

struct sandbox_container *call_container(
	struct sandbox *s, struct cm_urpc_client *c, const json_t *cid)
{
	struct sandbox_container *k = NULL;

	if (json_is_string(cid))
		k = sandbox_container_find(s, json_string_value(cid));
	if (!k)
		cm_urpc_reply(c, ENOENT,
			json_is_string(cid) ? "no such container" : "container id is missing",
			NULL);
	return k;
}

bool call_ready(struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c)
{
	if (!sandbox_container_is_up(k))
		cm_urpc_reply(c, ESRCH, "container not running", NULL);
	else if (s->pause.count > 0)
		cm_urpc_reply(c, EAGAIN, "the container is paused", NULL);
	else
		return true;
	return false;
}

bool call_ready_to_run(
	struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c)
{
	if (!call_ready(s, k, c))
		return false;
	if (!k->freezes && !k->freeze_id)
		return true;
	cm_urpc_reply(c, EAGAIN, "the container is paused", NULL);
	return false;
}

void call_await(struct cm_urpc_client *c, enum call_kind kind, int64_t request)
{
	if (request < 0) {
		cm_urpc_reply(c, (int)request,
			request == -ESRCH     ? "container not running"
			: request == -ENOBUFS ? "guest is busy"
					      : strerror((int)-request),
			NULL);
		return;
	}
	c->call = kind;
	c->key = request;
	c->deadline = sandbox_now_ms() + CALL_GUEST_MS;
}

void call_request(struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c,
	enum call_kind kind, uint16_t type, const void *payload, uint32_t len)
{
	c->container = k->number;
	if (call_ready(s, k, c))
		call_await(c, kind, cm_rpc_client_request(&s->rpc, type, payload, len));
}

void call_ask(struct sandbox *s, const struct sandbox_container *k, struct cm_urpc_client *c,
	enum call_kind kind, uint16_t type)
{
	struct cm_rpc_container q = { .container = k->number };

	call_request(s, k, c, kind, type, &q, sizeof(q));
}

int64_t call_send(struct sandbox *s, uint16_t type, const void *fixed, size_t size,
	const char *const words[], size_t n)
{
	struct cm_buf b;
	int64_t id;

	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	cm_buf_add(&b, fixed, size);
	for (size_t i = 0; i < n; i++)
		cm_buf_add_str(&b, words[i]);
	id = b.failed ? -ENAMETOOLONG : cm_rpc_client_request(&s->rpc, type, b.p, (uint32_t)b.len);
	cm_buf_fini(&b);
	return id;
}

json_t *call_next(struct cm_urpc_client *c)
{
	json_t *todo = json_object_get(c->work, "todo");
	json_t *first = json_incref(json_array_get(todo, 0));

	json_array_remove(todo, 0);
	return first;
}
