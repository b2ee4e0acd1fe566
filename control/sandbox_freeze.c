/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox process: pause and resume of one container of several. The guest freezes its threads; the others go on. Pauses of it nest, apart from those of
 * the whole sandbox, during which the guest cannot be asked.
 */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <string.h>
#include "control/call.h"

bool call_freeze_is_due(struct sandbox *s, const struct sandbox_container *k)
{
	if (k != sandbox_root(s) || k->freezes || k->freeze_id)
		return true;
	/* What stops the virtual CPUs works with any guest: it is the way where nobody else would stand still by it. */
	for (uint32_t i = 2; i <= CM_RPC_CONTAINERS && s->pause.count == 0; i++) {
		const struct sandbox_container *other = sandbox_container_at(s, i);

		if (other && other->status != CM_STOPPED)
			return true;
	}
	return false;
}

/* May it be asked of the guest? 0, or -errno. */
static int freeze_check(
	struct sandbox *s, const struct sandbox_container *k, bool pause, struct cm_err *err)
{
	int code = EAGAIN;

	if (k->freeze_id)
		cm_err_set(err, 0, "another pause or resume is under way");
	else if (s->pause.count || s->pause.open)
		cm_err_set(err, 0, "the whole sandbox is paused");
	else if (cm_status_check(k->id, k->status, pause ? CM_PAUSED : CM_RUNNING, err) < 0)
		code = EINVAL;
	else if (!pause && !k->freezes) /* a created one may become running too, but not by this */
		code = -cm_err_set(err, 0, "the container is not paused");
	else
		return 0;
	err->code = code;
	return -code;
}

void call_freeze(
	struct sandbox *s, struct sandbox_container *k, bool pause, struct cm_urpc_client *c)
{
	struct cm_rpc_container q = { .container = k->number };
	struct cm_err err;
	int64_t id;

	/* Inner ones only count. */
	if (!k->freeze_id && k->freezes > (pause ? 0u : 1u)) {
		k->freezes += pause ? 1 : -1u;
		cm_urpc_reply(c, 0, NULL, NULL);
		return;
	}
	if (freeze_check(s, k, pause, &err) < 0) {
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	id = cm_rpc_client_request(&s->rpc, pause ? CM_RPC_FREEZE : CM_RPC_THAW, &q, sizeof(q));
	c->container = k->number;
	call_await(c, CALL_FREEZE, id);
	if (id > 0)
		k->freeze_id = id;
}

static struct sandbox_container *freeze_container(struct sandbox *s, const struct cm_rpc_frame *f)
{
	if (f->hdr.type != (CM_RPC_FREEZE | CM_RPC_REPLY) &&
		f->hdr.type != (CM_RPC_THAW | CM_RPC_REPLY))
		return NULL;
	for (uint32_t i = 1; i <= CM_RPC_CONTAINERS; i++) {
		struct sandbox_container *k = sandbox_container_at(s, i);

		if (k && k->freeze_id == f->hdr.id)
			return k;
	}
	return NULL;
}

bool sandbox_freeze_reply(struct sandbox *s, const struct cm_rpc_frame *f)
{
	struct sandbox_container *k = freeze_container(s, f);
	int code = f->hdr.error < 4096 ? f->hdr.error : EIO;
	struct cm_err ignored;

	if (!k)
		return false;
	k->freeze_id = 0;
	if (code == 0) {
		k->freezes = !k->freezes;
		/* While all stands it stands anyhow. */
		if (s->pause.count == 0)
			sandbox_container_change(k, k->freezes ? CM_PAUSED : CM_RUNNING, &ignored);
		sandbox_save(s, &ignored);
	}
	for (int i = 0; i < CM_URPC_CLIENTS; i++) {
		struct cm_urpc_client *c = &s->urpc.clients[i];

		if (c->fd >= 0 && c->call == CALL_FREEZE && c->key == f->hdr.id)
			cm_urpc_reply(c, code,
				code == EBUSY ? "its threads do not stand still"
				: code	      ? strerror(code)
					      : NULL,
				NULL);
	}
	return true;
}
