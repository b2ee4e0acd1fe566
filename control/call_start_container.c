/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lifecycle.StartContainer: a further container made of a program alone. It lives in the file system of the sandbox: its mounts are those of the root
 * container, as are its UTS and IPC namespaces; its pid namespace is new. docs/RPC.md has the argument.
 *
 * Strings of secret_envv go into the request and nowhere else: the configuration that is kept of the container has none.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/rpc_start.h"

#define LIFECYCLE_START_MS 20000 /* for the guest, which looks for the program */
#define LIFECYCLE_CAPS	   63

/* ---- the argument */

static const char *word(const json_t *arg, const char *name)
{
	const char *s = json_string_value(json_object_get(arg, name));

	return s && *s ? s : NULL;
}

/* NULL (absent, null) and a value of the right kind are fine. */
static bool is_kind(const json_t *v, json_type kind)
{
	return !v || json_is_null(v) || json_typeof(v) == kind ||
	       (kind == JSON_TRUE && json_is_false(v));
}

static int check_kinds(const json_t *arg, struct cm_err *err)
{
	static const struct {
		const char *name;
		json_type kind;
	} members[] = {
		{ "filename", JSON_STRING },
		{ "argv", JSON_ARRAY },
		{ "envv", JSON_ARRAY },
		{ "secret_envv", JSON_ARRAY },
		{ "wd", JSON_STRING },
		{ "KUID", JSON_INTEGER },
		{ "KGID", JSON_INTEGER },
		{ "user", JSON_STRING },
		{ "initial_cgroups", JSON_OBJECT },
		{ "limits", JSON_OBJECT },
		{ "resolve_home", JSON_TRUE },
		{ "resolve_binary_path", JSON_TRUE },
		{ "donated_fds", JSON_ARRAY },
	};
	const json_t *e;
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (!is_kind(json_object_get(arg, members[i].name), members[i].kind))
			return cm_err_set(err, 0, "%s: of the wrong type", members[i].name);
	}
	json_array_foreach(json_object_get(arg, "secret_envv"), i, e)
	{
		if (!json_is_string(e))
			return cm_err_set(err, 0, "secret_envv: not strings");
	}
	if (word(arg, "user") && (json_integer_value(json_object_get(arg, "KUID")) ||
					 json_integer_value(json_object_get(arg, "KGID"))))
		return cm_err_set(err, 0, "user: and KUID or KGID as well");
	return 0;
}

static json_t *limit_value(const json_t *limit, const char *upper, const char *lower)
{
	json_t *v = json_object_get(limit, upper);

	return json_incref(v ? v : json_object_get(limit, lower));
}

/* process.rlimits of {NAME: {Cur, Max}}. */
static json_t *limits(const json_t *arg)
{
	json_t *list = json_array(), *limit;
	const char *name;

	json_object_foreach(json_object_get(arg, "limits"), name, limit)
	{
		json_array_append_new(list, json_pack("{s:s, s:o*, s:o*}", "type", name, "soft",
						    limit_value(limit, "Cur", "cur"), "hard",
						    limit_value(limit, "Max", "max")));
	}
	return list;
}

/* As for a process of the sandbox's own user namespace: everything for user 0, and for others what they could get. */
static json_t *capabilities(bool root)
{
	json_t *all = json_array(), *none = json_array(), *sets;

	for (int bit = 0; bit < LIFECYCLE_CAPS; bit++) {
		const char *name = cm_spec_capability_name(bit);

		if (name)
			json_array_append_new(all, json_string(name));
	}
	sets = json_pack("{s:O, s:O, s:O}", "bounding", all, "effective", root ? all : none,
		"permitted", root ? all : none);
	json_decref(all);
	json_decref(none);
	return sets;
}

/* The name to execute: as it is, or without a search in PATH. */
static json_t *program(const json_t *arg, const char *name)
{
	bool search = json_is_true(json_object_get(arg, "resolve_binary_path"));

	return strchr(name, '/') || search ? json_string(name) : json_sprintf("./%s", name);
}

/* A configuration of nothing but the process; NULL with err set. */
static json_t *configuration(const json_t *arg, struct cm_err *err)
{
	json_t *argv = json_object_get(arg, "argv"), *env = json_object_get(arg, "envv");
	const json_t *uid = json_object_get(arg, "KUID"), *gid = json_object_get(arg, "KGID");
	const char *name = word(arg, "filename"), *wd = word(arg, "wd");
	bool has_argv = json_array_size(argv) > 0;
	json_t *doc;

	if (!name)
		name = json_string_value(json_array_get(argv, 0));
	if (!name) {
		cm_err_set(err, 0, "neither filename nor argv");
		return NULL;
	}
	doc = json_pack("{s:s, s:{s:s}, s:o, s:{s:o, s:o, s:s, s:{s:I, s:I}, s:o, s:o}}",
		"ociVersion", "1.0.2", "root", "path", "/", "filename", program(arg, name),
		"process", "args", has_argv ? json_incref(argv) : json_pack("[s]", name), "env",
		json_is_array(env) ? json_incref(env) : json_array(), "cwd", wd ? wd : "/", "user",
		"uid", json_integer_value(uid), "gid", json_integer_value(gid), "rlimits",
		limits(arg), "capabilities",
		capabilities(word(arg, "user") || json_integer_value(uid) == 0));
	if (!doc)
		cm_err_set(err, ENOMEM, "process");
	return doc;
}

/* All controllers have the same groups: so one path for all that are named. */
static int initial_cgroup(const json_t *arg, const char **path, struct cm_err *err)
{
	json_t *groups = json_object_get(arg, "initial_cgroups"), *v;
	const char *name;

	*path = NULL;
	json_object_foreach(groups, name, v)
	{
		if (strcmp(name, "cpu") != 0 && strcmp(name, "memory") != 0 &&
			strcmp(name, "pids") != 0)
			return cm_err_set(err, ENODEV, "initial_cgroups: controller '%.64s'", name);
		if (!json_is_string(v) || !*json_string_value(v))
			return cm_err_set(err, 0, "initial_cgroups: %s: no path", name);
		if (*path && strcmp(*path, json_string_value(v)) != 0)
			return cm_err_set(err, 0, "initial_cgroups: two groups");
		*path = json_string_value(v);
	}
	return 0;
}

/* ---- descriptors */

/* The client's descriptors become streams: three of them as standard ones, the others as they are open. */
static int take_fds(struct sandbox *s, struct sandbox_proc *p, struct cm_urpc_client *c,
	const json_t *list, struct cm_rpc_start_options *so, struct cm_rpc_fd *fds,
	struct cm_err *err)
{
	int stdio[3] = { -1, -1, -1 }, r = 0;

	for (int i = 0; i < c->nfds; i++) {
		json_int_t number = json_integer_value(json_array_get(list, (size_t)i));
		int fd = c->fds[i];

		c->fds[i] = -1;
		if (number < 3)
			stdio[number] = fd;
		else if (r == 0)
			r = sandbox_donate(s, p, fd, (uint32_t)number, &fds[so->nfds++], err);
		else
			close(fd);
	}
	if (r < 0) {
		for (int i = 0; i < 3; i++)
			cm_cleanup_closep(&stdio[i]);
		return r;
	}
	so->fds = fds;
	r = sandbox_stdio(s, p, stdio, false, true, err);
	memcpy(so->token, p->token, sizeof(so->token));
	return r;
}

/* ---- the start */

static int send_start(struct sandbox *s, struct sandbox_container *k,
	const struct cm_rpc_start_options *so, struct cm_err *err)
{
	struct cm_buf b;
	int r;

	cm_buf_init(&b, CM_RPC_PAYLOAD_MAX);
	r = cm_rpc_start_build(&b, k->spec, so, err);
	if (r == 0) {
		k->start_id = cm_rpc_client_request(&s->rpc, CM_RPC_START, b.p, (uint32_t)b.len);
		if (k->start_id < 0) {
			k->start_id = 0;
			r = cm_err_set(err, EAGAIN, "guest is busy");
		}
	}
	if (b.p)
		explicit_bzero(b.p, b.len);
	cm_buf_fini(&b);
	return r;
}

static int start(struct sandbox *s, struct sandbox_container *k, struct cm_urpc_client *c,
	const json_t *arg, struct cm_err *err)
{
	struct cm_rpc_start_options so = { .container = k->number,
		.id = k->id,
		.shared = true,
		.no_home = !json_is_true(json_object_get(arg, "resolve_home")),
		.join = { [CM_RPC_NS_IPC] = 1, [CM_RPC_NS_UTS] = 1 },
		.user = word(arg, "user"),
		.secrets = json_object_get(arg, "secret_envv") };
	struct cm_rpc_fd fds[CM_RPC_FDS_MAX] = { 0 };
	struct sandbox_proc *p = sandbox_proc_new(s, k);
	int r;

	if (!p)
		return cm_err_set(err, EAGAIN, "too many processes were started from outside");
	p->init = true;
	p->id = ++s->next_proc;
	r = initial_cgroup(arg, &so.cgroup, err);
	if (r == 0)
		r = take_fds(s, p, c, json_object_get(arg, "donated_fds"), &so, fds, err);
	return r < 0 ? r : send_start(s, k, &so, err);
}

/* A container of the id, with what is kept of its configuration. Nothing of it is left after a failure. */
static int reserve(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg,
	struct sandbox_container **out, struct cm_err *err)
{
	struct sandbox_container *k;
	json_t *doc;

	if (check_kinds(arg, err) < 0 || sandbox_check_numbers(json_object_get(arg, "donated_fds"),
						 (size_t)c->nfds, 0, err) < 0)
		return -err->code;
	doc = configuration(arg, err);
	if (!doc)
		return -err->code;
	if (sandbox_container_new(
		    s, json_string_value(json_object_get(arg, "container_id")), &k, err) < 0) {
		json_decref(doc);
		return -err->code;
	}
	k->shared = true;
	k->pid = c->pid;
	clock_gettime(CLOCK_REALTIME, &k->requested);
	if (cm_spec_from_json(doc, &k->spec, err) < 0) {
		k->spec = NULL;
		sandbox_container_free(s, k);
		return -err->code;
	}
	k->spec->program = json_string_value(json_object_get(doc, "filename"));
	*out = k;
	return 0;
}

void call_start_container(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = NULL;
	struct cm_err err = { 0 };

	if (!json_is_string(json_object_get(arg, "container_id"))) {
		cm_urpc_reply(c, EINVAL, "container_id is missing", NULL);
		return;
	}
	if (!call_ready(s, sandbox_root(s), c))
		return;
	if (reserve(s, c, arg, &k, &err) == 0 && start(s, k, c, arg, &err) < 0)
		sandbox_container_free(s, k);
	if (err.code) {
		cm_urpc_reply(c, err.code, err.msg, NULL);
		return;
	}
	c->call = CALL_START;
	c->container = k->number;
	c->deadline = sandbox_now_ms() + LIFECYCLE_START_MS;
	sandbox_save(s, &err);
}
