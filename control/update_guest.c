/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's part of an update: casemate.Limit for memory and tasks, the control files of the container's cgroup for the rest. Each file is read before
 * it is written: for what the update leaves as it is, and to go back to.
 */
#include <config.h>
#include "control/update_guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "control/cgroup.h"
#include "control/urpc.h"

static int guest_limit(const char *root, const struct cm_state *st,
	const struct cm_spec_resources *res, json_t **before, struct cm_err *err)
{
	bool memory = res->memory_limit != CM_SPEC_ABSENT && res->memory_limit != 0;
	bool pids = res->pids_limit != CM_SPEC_ABSENT && res->pids_limit != 0;
	json_int_t bytes = (json_int_t)cm_cgroup_guest_memory(res, !st->sandbox);
	json_int_t tasks = cm_cgroup_guest_pids(res);
	json_t *arg;

	if (!memory && !pids)
		return 0;
	arg = json_pack("{s:s}", "CID", st->id);
	if (memory)
		json_object_set_new(arg, "Memory", json_integer(bytes ? bytes : -1));
	if (pids)
		json_object_set_new(arg, "Pids", json_integer(tasks ? tasks : -1));
	return cm_urpc_call(root, st->id, "casemate.Limit", arg, before, err);
}

/* One file of the container's group, as the calls name it. */
static json_t *guest_file(const char *id, const char *name, const char *value)
{
	json_t *file = json_pack("{s:s%, s:o, s:s}", "controller", name, strcspn(name, "."), "path",
		json_sprintf("/%s", id), "name", name);

	return value ? json_pack("{s:o, s:s}", "file", file, "value", value)
		     : json_pack("{s:o}", "file", file);
}

struct guest_files {
	const char *id;
	json_t *names, *args; /* to read, and to write */
};

static void guest_add(void *arg, const char *file, const char *value)
{
	struct guest_files *f = arg;

	json_array_append_new(f->names, guest_file(f->id, file, NULL));
	json_array_append_new(f->args, guest_file(f->id, file, value));
}

/* Call for a list of files (consumed); the first that fails is the error. *results: a new reference, where asked for. */
static int guest_call(const char *root, const char *id, const char *method, json_t *files,
	json_t **results, struct cm_err *err)
{
	json_t *reply = NULL, *list, *e;
	size_t i;
	int r = cm_urpc_call(root, id, method, json_pack("{s:O}", "args", files), &reply, err);

	list = json_object_get(reply, "results");
	json_array_foreach(list, i, e)
	{
		if (r == 0 && json_is_true(json_object_get(e, "is_error")))
			r = cm_err_set(err, 0, "the guest's %s: %s",
				json_string_value(json_object_get(
					json_object_get(json_array_get(files, i), "file"), "name")),
				json_string_value(json_object_get(e, "value")));
	}
	if (r == 0 && json_array_size(list) != json_array_size(files))
		r = cm_err_set(err, EPROTO, "reply of the sandbox");
	if (r == 0 && results)
		*results = json_incref(list);
	json_decref(reply);
	json_decref(files);
	return r;
}

/* The files as they are: what WriteControlFiles takes. A new reference. */
static json_t *guest_as_is(const json_t *names, const json_t *results)
{
	json_t *args = json_array(), *e;
	size_t i;

	json_array_foreach(names, i, e)
	{
		json_array_append_new(
			args, json_pack("{s:O, s:O}", "file", json_object_get(e, "file"), "value",
				      json_object_get(json_array_get(results, i), "value")));
	}
	return args;
}

/* What cpu.max holds, among files that were read; NULL: it is none of them. */
static const char *guest_cpu_max(const json_t *as_is)
{
	const json_t *e;
	size_t i;

	json_array_foreach(as_is, i, e)
	{
		if (strcmp(json_string_value(json_object_get(json_object_get(e, "file"), "name")),
			    "cpu.max") == 0)
			return json_string_value(json_object_get(e, "value"));
	}
	return NULL;
}

static int guest_files(const char *root, const struct cm_state *st,
	const struct cm_spec_resources *res, json_t **before, struct cm_err *err)
{
	struct guest_files f = { st->id, json_array(), json_array() };
	json_t *results = NULL;
	int r = 0;

	cm_cgroup_guest_files(res, NULL, guest_add, &f);
	if (json_array_size(f.names) > 0)
		r = guest_call(root, st->id, "Cgroups.ReadControlFiles", json_incref(f.names),
			&results, err);
	if (results) {
		*before = guest_as_is(f.names, results);
		json_array_clear(f.args);
		cm_cgroup_guest_files(res, guest_cpu_max(*before), guest_add, &f);
		r = guest_call(
			root, st->id, "Cgroups.WriteControlFiles", json_incref(f.args), NULL, err);
	}
	json_decref(results);
	json_decref(f.names);
	json_decref(f.args);
	return r;
}

int cm_update_guest(const char *root, const struct cm_state *st,
	const struct cm_spec_resources *res, struct cm_update_before *before, struct cm_err *err)
{
	/* These first: a sandbox that is paused refuses them, while it takes limits for later and does not say what was before. */
	int r = guest_files(root, st, res, &before->files, err);

	if (r == 0)
		r = guest_limit(root, st, res, &before->limits, err);
	if (r < 0)
		cm_update_guest_undo(root, st, before);
	return r;
}

void cm_update_guest_undo(
	const char *root, const struct cm_state *st, const struct cm_update_before *before)
{
	struct cm_err ignored;

	if (json_object_size(before->limits) > 0) {
		json_object_set_new(before->limits, "CID", json_string(st->id));
		(void)cm_urpc_call(root, st->id, "casemate.Limit", json_incref(before->limits),
			NULL, &ignored);
	}
	if (before->files)
		(void)guest_call(root, st->id, "Cgroups.WriteControlFiles",
			json_incref(before->files), NULL, &ignored);
}

void cm_update_guest_fini(struct cm_update_before *before)
{
	json_decref(before->limits);
	json_decref(before->files);
	before->limits = before->files = NULL;
}
