/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox process: its containers. Slot i has number i + 1 in the guest protocol; slot 0 is the container that the sandbox was made for. */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <signal.h>
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
	k->console_fd = k->server_fd = -1;
	k->id = strdup(id);
	if (!k->id)
		return cm_err_set(err, ENOMEM, "container '%s'", id);
	*out = k;
	return 0;
}

void sandbox_container_close(struct sandbox_container *k)
{
	cm_cleanup_closep(&k->console_fd);
	cm_cleanup_closep(&k->server_fd);
	k->console_fd = k->server_fd = -1;
	cm_buf_fini(&k->start);
}

void sandbox_container_free(struct sandbox *s, struct sandbox_container *k)
{
	struct cm_err ignored;

	sandbox_container_stopped(k, SIGKILL);
	sandbox_call_end(s, k);
	for (int i = 0; i < SANDBOX_PROCS; i++) {
		if (s->procs[i].used && s->procs[i].container == k->number)
			sandbox_proc_drop(s, &s->procs[i]);
	}
	sandbox_container_close(k);
	cm_spec_destroy(k->spec);
	free(k->filter.insn);
	free(k->id);
	memset(k, 0, sizeof(*k));
	sandbox_save(s, &ignored);
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

	if (k != sandbox_root(s)) {
		/* What else is known of it is known to who made it. */
		st = (struct cm_state){ .id = k->id, .pid = k->pid, .exit_status = -1 };
		st.sandbox = sandbox_root(s)->id;
		st.annotations = k->spec ? k->spec->annotations : NULL;
	}
	table_record(k, &st);
	return cm_state_json(&st);
}

/* The others, for their own records: cm_state_load puts the two together. */
static json_t *table_others(const struct sandbox *s)
{
	json_t *list = json_object();

	for (int i = 1; i < CM_RPC_CONTAINERS; i++) {
		const struct sandbox_container *k = &s->table[i];
		json_t *o;

		if (!k->id)
			continue;
		o = json_pack("{s:s}", "status", cm_status_name(k->status));
		if (k->status == CM_STOPPED)
			json_object_set_new(o, "exitStatus", json_integer(k->wait_status));
		if (k->oom_killed)
			json_object_set_new(o, "oomKilled", json_true());
		json_object_set_new(list, k->id, o);
	}
	return list;
}

int sandbox_save(struct sandbox *s, struct cm_err *err)
{
	table_record(sandbox_root(s), &s->c.st);
	json_decref(s->c.st.containers);
	s->c.st.containers = table_others(s);
	return cm_container_save(&s->c, err);
}
