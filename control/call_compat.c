/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Methods of other receivers of gVisor's control server: Lifecycle and Proc, as far as one container in a sandbox gives them a meaning, and the
 * names of those that are not there yet. docs/RPC.md has the list.
 */
#include <config.h>
#include "control/call.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sandbox_container *lifecycle_container(
	struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	return call_container(s, c, json_object_get(arg, "container_id"));
}

void call_is_running(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const char *id = json_string_value(json_object_get(arg, "container_id"));
	const struct sandbox_container *k = id ? sandbox_container_find(s, id) : NULL;

	cm_urpc_reply(c, 0, NULL, json_boolean(k && sandbox_container_runs(k)));
}

void call_exit_status(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	const struct sandbox_container *k = lifecycle_container(s, c, arg);

	if (!k)
		return;
	if (k->status == CM_STOPPED) {
		cm_events_exited(&s->events, k->id, k->wait_status);
		cm_urpc_reply(c, 0, NULL, json_integer(k->wait_status));
	} else
		cm_urpc_reply(c, EAGAIN, "the container has not exited yet", NULL);
}

void call_signal_container(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	struct sandbox_container *k = lifecycle_container(s, c, arg);
	bool all = json_is_true(json_object_get(arg, "signalAll"));

	if (k)
		call_send_signal(s, k, c, json_integer_value(json_object_get(arg, "signo")), 0,
			all ? CM_URPC_ALL : CM_URPC_PROCESS);
}

/* As often as one likes: what is dying is not killed harder. */
void call_shutdown(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	sandbox_signal(s, sandbox_root(s), SIGKILL, 0, CM_RPC_SIGNAL_ALL);
	cm_urpc_reply(c, 0, NULL, NULL);
}

void call_signal_process(struct sandbox *s, struct cm_urpc_client *c, const json_t *arg)
{
	json_int_t pid = json_integer_value(json_object_get(arg, "pid"));

	if (pid <= 0)
		cm_urpc_reply(c, EINVAL, "pid must be positive", NULL);
	else
		call_send_signal(s, sandbox_root(s), c,
			json_integer_value(json_object_get(arg, "signo")), pid, CM_URPC_PROCESS);
}

json_t *call_ps_string(const struct sandbox *s, const struct cm_rpc_frame *f, bool json)
{
	json_t *list = call_ps_result(s, f), *pids = json_array(), *result;
	char line[160];
	struct cm_buf b;
	char *text;
	const json_t *p;
	size_t i;

	cm_buf_init(&b, CM_URPC_MESSAGE);
	snprintf(line, sizeof(line), "%-8s %6s %6s %10s %s\n", "UID", "PID", "PPID", "TIME", "CMD");
	cm_buf_add(&b, line, strlen(line));
	json_array_foreach(list, i, p)
	{
		json_array_append(pids, json_object_get(p, "pid"));
		snprintf(line, sizeof(line), "%-8lld %6lld %6lld %10s %s\n",
			(long long)json_integer_value(json_object_get(p, "uid")),
			(long long)json_integer_value(json_object_get(p, "pid")),
			(long long)json_integer_value(json_object_get(p, "ppid")),
			json_string_value(json_object_get(p, "time")),
			json_string_value(json_object_get(p, "cmd")));
		cm_buf_add(&b, line, strlen(line));
	}
	text = json ? json_dumps(pids, JSON_COMPACT) : NULL;
	result = !list || b.failed ? NULL : json ? json_string(text) : json_stringn(b.p, b.len);
	free(text);
	cm_buf_fini(&b);
	json_decref(pids);
	json_decref(list);
	return result;
}

/* Named by the interface that we follow, and not built. */
static const char *const later[] = {
	"State.Save",
	"containerManager.Checkpoint",
	"containerManager.PortForward",
	"containerManager.Restore",
};

bool call_is_later(const char *method)
{
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (strcmp(method, later[i]) == 0)
			return true;
	}
	return false;
}
