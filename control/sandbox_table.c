/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox process: its containers. Slot i has number i + 1 in the guest protocol; slot 0 is the container that the sandbox was made for. */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/cleanup.h"
#include "control/parse.h"

struct sandbox_container *sandbox_root(struct sandbox *s)
{
	return &s->table[0];
}

struct sandbox_container *sandbox_container_find(struct sandbox *s, const char *id)
{
	for (int i = 0; i < CM_RPC_CONTAINERS; i++) {
		if (s->table[i].id && strcmp(s->table[i].id, id) == 0)
			return &s->table[i];
	}
	return NULL;
}

struct sandbox_container *sandbox_container_at(struct sandbox *s, uint32_t number)
{
	if (number < 1 || number > CM_RPC_CONTAINERS || !s->table[number - 1].id)
		return NULL;
	return &s->table[number - 1];
}

int sandbox_container_new(
	struct sandbox *s, const char *id, struct sandbox_container **out, struct cm_err *err)
{
	struct sandbox_container *k = NULL;

	if (cm_id_check(id, err) < 0)
		return -err->code;
	if (sandbox_container_find(s, id)) {
		cm_err_set(err, 0, "container with id exists: '%s'", id);
		err->code = EEXIST;
		return -EEXIST;
	}
	for (int i = 0; !k && i < CM_RPC_CONTAINERS; i++) {
		if (!s->table[i].id)
			k = &s->table[i];
	}
	if (!k) {
		cm_err_set(err, 0, "a sandbox holds at most %d containers", CM_RPC_CONTAINERS);
		err->code = ENOSPC;
		return -ENOSPC;
	}
	memset(k, 0, sizeof(*k));
	k->number = (uint32_t)(k - s->table) + 1;
	k->status = CM_CREATING;
	k->console_fd = -1;
	k->id = strdup(id);
	if (!k->id)
		return cm_err_set(err, ENOMEM, "container '%s'", id);
	*out = k;
	return 0;
}

int sandbox_container_change(struct sandbox_container *k, enum cm_status to, struct cm_err *err)
{
	return cm_status_change(k->id, &k->status, to, err);
}

void sandbox_container_stopped(struct sandbox_container *k, int wait_status)
{
	struct cm_err ignored;

	if (sandbox_container_change(k, CM_STOPPED, &ignored) < 0)
		return;
	k->wait_status = wait_status;
	k->kill_deadline = 0;
}

/* What the table says of a container, into a record. */
static void table_record(const struct sandbox_container *k, struct cm_state *st)
{
	st->status = k->status;
	st->oom_killed = k->oom_killed;
	if (k->status == CM_STOPPED)
		st->exit_status = k->wait_status;
}

json_t *sandbox_container_state(struct sandbox *s, const struct sandbox_container *k)
{
	struct cm_state st = s->c.st;

	table_record(k, &st);
	return cm_state_json(&st);
}

int sandbox_save(struct sandbox *s, struct cm_err *err)
{
	table_record(sandbox_root(s), &s->c.st);
	return cm_container_save(&s->c, err);
}
