/* SPDX-License-Identifier: Apache-2.0 */
/* casemate start: runs the program of a created container. Legal when created. */
#include <config.h>
#include "control/cli.h"

#include <signal.h>

#include "control/hooks.h"
#include "control/state.h"
#include "control/urpc.h"

static const char help[] = "usage: casemate start ID\n\n"
			   "Run the program of container ID, which casemate create made.\n";

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* poststart: a failure ends the container; delete removes it. */
static int start_hooks(const char *root, const char *id, struct cm_err *err)
{
	struct cm_err ignored;
	struct cm_state st;
	int r;

	/* A short program may be gone already, and with it the record. */
	if (cm_state_load(root, id, &st, &ignored) < 0)
		return 0;
	r = cm_hooks_run_state(&st, CM_HOOK_POSTSTART, CM_RUNNING, err);
	cm_state_fini(&st);
	if (r < 0)
		(void)cm_urpc_signal(root, id, SIGKILL, 0, CM_URPC_ALL, &ignored);
	return r;
}

int cm_cmd_start(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	const char *id;

	if (cm_cli_option(argc, argv, "+:h", longs, help, err) == -2 ||
		cm_cli_words(argc, argv, 1, 1, err) < 0)
		return -err->code;
	id = argv[optind];
	if (cm_cli_need(cli, id, "start", 1u << CM_CREATED, err) < 0)
		return -err->code;
	if (cm_urpc_call(cli->root, id, "containerManager.StartRoot", json_string(id), NULL, err) <
		0)
		return cm_err_wrap(err, "start failed");
	return start_hooks(cli->root, id, err);
}
