/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerManager.ProcfsDump: all processes with what /proc says about each. First the guest's list, then a request for one after the other; a
 * process that ended meanwhile is left out.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <string.h>
#include "control/procfs.h"

void call_procfs_dump(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k =
		json_is_string(arg) ? call_container(s, c, arg) : sandbox_root(s);

	if (!k)
		return;
	call_ask(s, k, c, CALL_DUMP, CM_RPC_PS);
}

/* Ask for the next process, or answer. */
static void procfs_next(struct sandbox *s, struct cm_urpc_client *c)
{
	json_t *pid = call_next(c);
	struct cm_rpc_process q = { .container = c->container };

	if (!pid) {
		cm_urpc_reply(c, 0, NULL, json_incref(json_object_get(c->work, "out")));
		return;
	}
	q.pid = (int32_t)json_integer_value(pid);
	json_decref(pid);
	call_await(c, CALL_DUMP, cm_rpc_client_request(&s->rpc, CM_RPC_PROCESS, &q, sizeof(q)));
}

static int procfs_list(struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	json_t *pids = json_array();
	struct cm_rpc_proc p;
	int n = 1;

	for (uint32_t i = 0; (n = cm_rpc_decode_proc(f, i, &p)) > 0; i++)
		json_array_append_new(pids, json_integer(p.pid));
	c->work = json_pack("{s:o, s:[]}", "todo", pids, "out");
	return n;
}

void call_dumped(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	bool list = !c->work;
	json_t *entry;

	if (list && (f->hdr.error || procfs_list(c, f) < 0)) {
		cm_urpc_reply(c, f->hdr.error ? ESRCH : EPROTO, "container not running", NULL);
		return;
	}
	if (!list && !f->hdr.error) {
		entry = cm_procfs_entry(f->payload, f->hdr.len, (int64_t)s->boot_time * 1000000000);
		if (entry)
			json_array_append_new(json_object_get(c->work, "out"), entry);
	}
	procfs_next(s, c);
}
