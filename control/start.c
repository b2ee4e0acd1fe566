/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a container whose program is held. */
#include <config.h>
#include "control/start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/hooks.h"
#include "control/urpc.h"

/* The container's own process, which is another program now. argv[0] is the path: what is executed is found by it. */
static json_t *hook_process(
	const char *root, const char *id, const struct cm_spec_hook *h, struct cm_err *err)
{
	json_t *p = NULL, *args, *env;

	if (cm_urpc_call(root, id, "casemate.Process", json_string(id), &p, err) < 0)
		return NULL;
	args = json_array();
	json_array_append_new(args, json_string(h->path));
	for (size_t i = 1; i < h->args.n; i++)
		json_array_append_new(args, json_string(h->args.v[i]));
	json_object_set_new(p, "args", args);
	json_object_set_new(p, "terminal", json_false());
	json_object_del(p, "consoleSize");
	if (!h->env.n)
		return p;
	env = json_array();
	for (size_t i = 0; i < h->env.n; i++)
		json_array_append_new(env, json_string(h->env.v[i]));
	json_object_set_new(p, "env", env);
	return p;
}

/* The process's wait status, -ETIMEDOUT after timeout seconds (0 = none), or another -errno. */
static int hook_wait(int fd, const char *id, int pid, uint32_t timeout, struct cm_err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	json_t *result;
	int status, r;

	if (cm_urpc_send(fd, "containerManager.WaitPID",
		    json_pack("{s:s, s:i}", "CID", id, "PID", pid), NULL, 0, err) < 0)
		return -err->code;
	do {
		r = poll(&p, 1, timeout ? (int)(timeout * 1000) : -1);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return cm_err_set(err, ETIMEDOUT, "after %u s", timeout);
	if (cm_urpc_receive(fd, true, &result, err) < 0)
		return -err->code;
	status = (int)json_integer_value(result);
	json_decref(result);
	return status;
}

static int hook_inside(
	const char *root, const char *id, const struct cm_spec_hook *h, int in, struct cm_err *err)
{
	const int fds[3] = { in, STDERR_FILENO, STDERR_FILENO };
	cleanup_fd int fd = cm_urpc_open(root, id, err);
	json_t *process = fd < 0 ? NULL : hook_process(root, id, h, err);
	json_t *result = NULL;
	int status;

	if (!process || lseek(in, 0, SEEK_SET) < 0)
		return process ? cm_err_set(err, errno, "state for hooks") : -err->code;
	/* Owned: it does not outlive the connection. */
	if (cm_urpc_send(fd, "containerManager.ExecuteAsync",
		    json_pack("{s:s, s:o, s:b}", "CID", id, "Process", process, "Owned", 1), fds, 3,
		    err) < 0 ||
		cm_urpc_receive(fd, false, &result, err) < 0)
		return -err->code;
	status = hook_wait(fd, id, (int)json_integer_value(result), h->timeout, err);
	json_decref(result);
	if (status > 0 && WIFSIGNALED(status))
		return cm_err_set(err, 0, "killed by signal %d", WTERMSIG(status));
	if (status > 0)
		return cm_err_set(err, 0, "exit status %d", WEXITSTATUS(status));
	return status;
}

static int start_hooks_inside(
	const char *root, const char *id, const struct cm_state *st, struct cm_err *err)
{
	struct cm_spec_hooks hooks[CM_HOOK_KINDS];
	const struct cm_spec_hooks *list = &hooks[CM_HOOK_START_CONTAINER];
	cleanup_fd int in = -1;
	int r = st->hooks ? cm_spec_parse_hooks(st->hooks, hooks, err) : 1;

	if (r)
		return r < 0 ? r : 0;
	if (list->n)
		r = in = cm_hooks_input(st, CM_CREATED, err);
	for (size_t i = 0; r >= 0 && i < list->n; i++) {
		r = hook_inside(root, id, &list->v[i], in, err);
		if (r < 0)
			cm_err_wrap(err, "error running hook: hooks.%s[%zu]: '%s'",
				cm_hook_name(CM_HOOK_START_CONTAINER), i, list->v[i].path);
	}
	cm_spec_free_hooks(hooks);
	return r < 0 ? r : 0;
}

int cm_start_program(
	const char *root, const char *id, const struct cm_state *st, struct cm_err *err)
{
	struct cm_err ignored;
	int r = start_hooks_inside(root, id, st, err);

	if (r == 0)
		return cm_urpc_call(
			root, id, "containerManager.StartRoot", json_string(id), NULL, err);
	(void)cm_urpc_signal(root, id, SIGKILL, 0, CM_URPC_ALL, &ignored);
	return r;
}

int cm_start_poststart(
	const char *root, const char *id, const struct cm_state *st, struct cm_err *err)
{
	struct cm_err ignored;
	int r = cm_hooks_run_state(st, CM_HOOK_POSTSTART, CM_RUNNING, err);

	if (r < 0)
		(void)cm_urpc_signal(root, id, SIGKILL, 0, CM_URPC_ALL, &ignored);
	return r;
}
