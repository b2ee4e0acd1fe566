/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI process object of `casemate exec`: what the command line says, and what becomes of it in the sandbox process. */
#include <config.h>
#include "control/exec_process.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "control/parse.h"
#include "control/spec.h"

int cm_exec_words_add(struct cm_exec_words *w, int option, const char *text, struct cm_err *err)
{
	json_t **list = option == 'e' ? &w->env : option == 'g' ? &w->groups : &w->caps;
	json_t *item = NULL;
	long gid;

	if (option == 'g') {
		if (cm_parse_number(text, "--additional-gids", 0, UINT_MAX - 1, &gid, err) < 0)
			return -err->code;
		item = json_integer(gid);
	} else if (option == 'e' && !strchr(text, '=')) {
		return cm_err_set(err, 0, "--env: '%s' is not NAME=VALUE", text);
	} else {
		item = json_string(text);
	}
	if (!*list)
		*list = json_array();
	if (json_array_append_new(*list, item) < 0)
		return cm_err_set(err, EINVAL, "exec: '%s'", text);
	return 0;
}

/* UID[:GID] as members of `o`. */
static int words_user(json_t *o, const char *text, struct cm_err *err)
{
	const char *colon = strchr(text, ':');
	char uid[32];
	long n;

	if ((size_t)snprintf(uid, sizeof(uid), "%.*s", colon ? (int)(colon - text) : 31, text) >=
		sizeof(uid))
		return cm_err_set(err, 0, "--user: '%s'", text);
	if (cm_parse_number(uid, "--user", 0, UINT_MAX - 1, &n, err) < 0)
		return -err->code;
	json_object_set_new(o, "uid", json_integer(n));
	if (!colon)
		return 0;
	if (cm_parse_number(colon + 1, "--user", 0, UINT_MAX - 1, &n, err) < 0)
		return -err->code;
	json_object_set_new(o, "gid", json_integer(n));
	return 0;
}

static int words_args(json_t *o, char *const *argv, struct cm_err *err)
{
	json_t *args = json_array();

	json_object_set_new(o, "args", args);
	for (; *argv; argv++) {
		if (json_array_append_new(args, json_string(*argv)) < 0)
			return cm_err_set(err, 0, "'%s' is not UTF-8", *argv);
	}
	return 0;
}

json_t *cm_exec_words_json(const struct cm_exec_words *w, struct cm_err *err)
{
	json_t *o = json_pack("{s:s*, s:b, s:b, s:O*, s:O*, s:O*}", "cwd", w->cwd, "terminal",
		w->tty, "noNewPrivileges", w->no_new_privs, "env", w->env, "additionalGids",
		w->groups, "capabilities", w->caps);

	if (!o) {
		cm_err_set(err, 0, "--cwd: '%s' is not UTF-8", w->cwd ? w->cwd : "");
	} else if (words_args(o, w->argv, err) < 0 ||
		   (w->user && words_user(o, w->user, err) < 0)) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

static json_t *process_list(json_t *o, const char *name)
{
	json_t *list = json_object_get(o, name);

	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(o, name, list);
	}
	return list;
}

static void process_caps(json_t *p, const json_t *caps)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "ambient" };
	json_t *o = json_object_get(p, "capabilities");

	if (!json_is_object(o)) {
		o = json_object();
		json_object_set_new(p, "capabilities", o);
	}
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		json_array_extend(process_list(o, sets[i]), (json_t *)(uintptr_t)caps);
}

static void process_user(json_t *p, const json_t *words)
{
	json_t *user = json_object_get(p, "user");
	json_t *uid = json_object_get(words, "uid"), *gid = json_object_get(words, "gid");
	json_t *groups = json_object_get(words, "additionalGids");

	if (!user) {
		user = json_object();
		json_object_set_new(p, "user", user);
	}
	if (uid)
		json_object_set(user, "uid", uid);
	if (gid)
		json_object_set(user, "gid", gid);
	if (groups)
		json_array_extend(process_list(user, "additionalGids"), groups);
}

json_t *cm_exec_process(const json_t *process, const json_t *words)
{
	json_t *p = json_deep_copy(process);
	json_t *cwd = json_object_get(words, "cwd"), *env = json_object_get(words, "env");
	const json_t *caps = json_object_get(words, "capabilities");
	json_t *item;
	size_t i;

	if (!json_is_object(p)) {
		json_decref(p);
		return NULL;
	}
	json_object_set(p, "args", json_object_get(words, "args"));
	json_object_set(p, "terminal",
		json_is_true(json_object_get(words, "terminal")) ? json_true() : json_false());
	json_object_del(p, "consoleSize");
	if (cwd)
		json_object_set(p, "cwd", cwd);
	if (json_is_true(json_object_get(words, "noNewPrivileges")))
		json_object_set_new(p, "noNewPrivileges", json_true());
	process_user(p, words);
	json_array_foreach(env, i, item)
	{
		const char *text = json_string_value(item);

		if (text && strchr(text, '='))
			cm_spec_env_put(process_list(p, "env"), item);
		else
			json_array_append(process_list(p, "env"), item);
	}
	if (caps)
		process_caps(p, caps);
	return p;
}
