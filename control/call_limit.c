/* SPDX-License-Identifier: Apache-2.0 */
/*
 * casemate.Limit: change what the guest lets its container use. `casemate update` calls it beside setting the host's cgroup, which only the
 * command can reach.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <string.h>

/* A limit of arg, -1 for none: 0, or -EINVAL. Left alone when absent. */
static int limit_number(const json_t *arg, const char *name, json_int_t max, uint32_t bit,
	struct cm_rpc_limit *q, uint64_t *value)
{
	const json_t *v = json_object_get(arg, name);
	json_int_t n = json_integer_value(v);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || n < -1 || n == 0 || n > max)
		return -EINVAL;
	q->which |= bit;
	*value = n < 0 ? 0 : (uint64_t)n;
	return 0;
}

void call_limit(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k = call_container(s, c, json_object_get(arg, "CID"));
	struct cm_rpc_limit q = { 0 };
	uint64_t pids = 0;
	int64_t id;

	if (!k)
		return;
	q.container = k->number;
	if (limit_number(arg, "Memory", INT64_MAX, CM_RPC_LIMIT_MEMORY, &q, &q.memory) < 0 ||
		limit_number(arg, "Pids", UINT32_MAX, CM_RPC_LIMIT_PIDS, &q, &pids) < 0 ||
		q.which == 0) {
		cm_urpc_reply(c, EINVAL, "Memory or Pids: a number above 0, or -1", NULL);
		return;
	}
	q.pids = (uint32_t)pids;
	c->container = k->number;
	id = sandbox_container_is_up(k)
		     ? cm_rpc_client_request(&s->rpc, CM_RPC_LIMIT, &q, sizeof(q))
		     : -ESRCH;
	/* A paused guest takes it when it goes on. */
	if (id > 0 && s->pause.count > 0)
		cm_urpc_reply(c, 0, NULL, NULL);
	else
		call_await(c, CALL_LIMIT, id);
}

json_t *call_limit_result(const struct cm_rpc_frame *f)
{
	struct cm_rpc_limit before;
	json_t *o;

	if (cm_rpc_decode_limit(f, &before) < 0)
		return NULL;
	o = json_object();
	if (before.which & CM_RPC_LIMIT_MEMORY)
		json_object_set_new(
			o, "Memory", json_integer(before.memory ? (json_int_t)before.memory : -1));
	if (before.which & CM_RPC_LIMIT_PIDS)
		json_object_set_new(
			o, "Pids", json_integer(before.pids ? (json_int_t)before.pids : -1));
	return o;
}
