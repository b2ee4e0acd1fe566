/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups.ReadControlFiles and WriteControlFiles: files of the guest's cgroup2 tree, one request to the guest after the other. c->work: {todo,
 * results, write}.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <string.h>

#define CGROUPS_FILES 64

static void cgroups_result(struct cm_urpc_client *c, const char *text, size_t len, bool error)
{
	json_t *value = json_stringn(text, len);

	json_array_append_new(json_object_get(c->work, "results"),
		json_pack("{s:o, s:b}", "value", value ? value : json_string("?"), "is_error",
			error));
}

static void cgroups_error(struct cm_urpc_client *c, int code)
{
	const char *text = strerror(code);

	cgroups_result(c, text, strlen(text), true);
}

/* A controller that there is, and a file of it or of every group: 0, or a positive errno. */
static int cgroups_check(const char *controller, const char *name)
{
	static const char *const controllers[] = { "cpu", "memory", "pids" };
	size_t n = strlen(controller);

	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		if (strcmp(controller, controllers[i]) != 0)
			continue;
		return (strncmp(name, controller, n) == 0 && name[n] == '.') ||
				       strncmp(name, "cgroup.", 7) == 0
			       ? 0
			       : ENOENT;
	}
	return ENODEV;
}

/* Ask for one file: 0, or a positive errno that is its result. */
static int cgroups_request(struct sandbox *s, struct cm_urpc_client *c, const json_t *e)
{
	const json_t *file = json_object_get(e, "file");
	const char *path = json_string_value(json_object_get(file, "path"));
	const char *name = json_string_value(json_object_get(file, "name"));
	struct cm_rpc_cgroup q = { .write = json_is_true(json_object_get(c->work, "write")) };
	int r = cgroups_check(json_string_value(json_object_get(file, "controller")), name);
	const char *const words[] = { path, name, json_string_value(json_object_get(e, "value")) };
	int64_t id;

	if (r != 0)
		return r;
	id = call_send(s, CM_RPC_CGROUP, &q, sizeof(q), words, 3);
	if (id < 0)
		return (int)-id;
	call_await(c, CALL_CGROUP, id);
	return 0;
}

static void cgroups_next(struct sandbox *s, struct cm_urpc_client *c)
{
	json_t *e;
	int r = 1;

	while (r != 0 && (e = call_next(c))) {
		r = cgroups_request(s, c, e);
		if (r != 0)
			cgroups_error(c, r);
		json_decref(e);
	}
	if (r != 0)
		cm_urpc_reply(c, 0, NULL,
			json_pack("{s:O}", "results", json_object_get(c->work, "results")));
}

static bool cgroups_well_formed(const json_t *args, bool write)
{
	static const char *const members[] = { "controller", "path", "name" };
	const json_t *e;
	size_t i;

	if (!json_is_array(args) || json_array_size(args) > CGROUPS_FILES)
		return false;
	json_array_foreach(args, i, e)
	{
		for (size_t k = 0; k < sizeof(members) / sizeof(members[0]); k++) {
			if (!json_is_string(
				    json_object_get(json_object_get(e, "file"), members[k])))
				return false;
		}
		if (write && !json_is_string(json_object_get(e, "value")))
			return false;
	}
	return true;
}

static void cgroups_call(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg, bool write)
{
	json_t *args = json_object_get(arg, "args");
	struct sandbox_container *k = sandbox_root(s);

	if (!cgroups_well_formed(args, write)) {
		cm_urpc_reply(c, EINVAL,
			"args: at most 64 files, each with controller, path and name", NULL);
		return;
	}
	if (!call_ready(s, k, c))
		return;
	c->container = k->number;
	c->work = json_pack("{s:o, s:[], s:b}", "todo", json_copy(args), "results", "write", write);
	cgroups_next(s, c);
}

void call_read_control(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	cgroups_call(s, c, arg, false);
}

void call_write_control(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	cgroups_call(s, c, arg, true);
}

void call_controlled(struct sandbox *s, struct cm_urpc_client *c, const struct cm_rpc_frame *f)
{
	if (f->hdr.error)
		cgroups_error(c, f->hdr.error);
	else
		cgroups_result(c, (const char *)f->payload, f->hdr.len, false);
	cgroups_next(s, c);
}
