/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI process object of `casemate exec`. */
#include <config.h>
#include "control/exec_process.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "control/parse.h"
#include "control/spec.h"
#include "control/urpc.h"

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

static int process_user(json_t *p, const char *text, struct cm_err *err)
{
	const char *colon = strchr(text, ':');
	char uid[32];
	long n;

	if ((size_t)snprintf(uid, sizeof(uid), "%.*s", colon ? (int)(colon - text) : 31, text) >=
		sizeof(uid))
		return cm_err_set(err, 0, "--user: '%s'", text);
	if (cm_parse_number(uid, "--user", 0, UINT_MAX - 1, &n, err) < 0)
		return -err->code;
	json_object_set_new(json_object_get(p, "user"), "uid", json_integer(n));
	if (!colon)
		return 0;
	if (cm_parse_number(colon + 1, "--user", 0, UINT_MAX - 1, &n, err) < 0)
		return -err->code;
	json_object_set_new(json_object_get(p, "user"), "gid", json_integer(n));
	return 0;
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

/* The container's own process, changed. */
static int process_words(json_t *p, const struct cm_exec_words *w, struct cm_err *err)
{
	json_t *args = json_array();
	json_t *item;
	size_t i;

	for (char **a = w->argv; *a; a++) {
		if (json_array_append_new(args, json_string(*a)) < 0) {
			json_decref(args);
			return cm_err_set(err, 0, "'%s' is not UTF-8", *a);
		}
	}
	json_object_set_new(p, "args", args);
	json_object_set_new(p, "terminal", json_false());
	json_object_del(p, "consoleSize");
	if (!json_object_get(p, "user"))
		json_object_set_new(p, "user", json_object());
	if (w->cwd)
		json_object_set_new(p, "cwd", json_string(w->cwd));
	if (w->no_new_privs)
		json_object_set_new(p, "noNewPrivileges", json_true());
	if (w->user && process_user(p, w->user, err) < 0)
		return -err->code;
	if (w->groups)
		json_array_extend(
			process_list(json_object_get(p, "user"), "additionalGids"), w->groups);
	json_array_foreach(w->env, i, item) cm_spec_env_put(process_list(p, "env"), item);
	if (w->caps)
		process_caps(p, w->caps);
	return 0;
}

json_t *cm_exec_process(
	const char *root, const char *id, const struct cm_exec_words *w, struct cm_err *err)
{
	json_t *p = NULL;

	if (w->file) {
		p = cm_spec_load_object(w->file, err);
		if (!p)
			cm_err_wrap(err, "--process");
	} else if (cm_urpc_call(root, id, "casemate.Process", json_string(id), &p, err) == 0 &&
		   process_words(p, w, err) < 0) {
		json_decref(p);
		p = NULL;
	}
	if (p && w->tty)
		json_object_set_new(p, "terminal", json_true());
	return p;
}
