/* SPDX-License-Identifier: Apache-2.0 */
/* casemate debug: executes casemate-debug, which may link what this static program should not. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/launch.h"
#include "control/state.h"

/* The container of a command line: its whole id, and for a wrong name the message of every other command. */
static int debug_check_id(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct cm_state st;
	bool stopped;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0)
			return 0;
		i += strcmp(argv[i], "--sentry") == 0;
	}
	if (i >= argc)
		return 0;
	argv[i] = cm_cli_id(cli, argv[i], err);
	if (!argv[i])
		return -err->code;
	if (cm_state_load(cli->root, argv[i], &st, err) < 0)
		return -err->code;
	stopped = st.status == CM_STOPPED;
	cm_state_fini(&st);
	return stopped ? cm_err_set(err, 0, "container not running") : 0;
}

int cm_cmd_debug(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	cleanup_free char **args = calloc((size_t)argc + 2, sizeof(*args));
	cleanup_free char *root = NULL;
	char path[4096];

	if (debug_check_id(cli, argc, argv, err) < 0)
		return -err->code;
	if (!args || asprintf(&root, "--root=%s", cli->root) < 0)
		return cm_err_set(err, ENOMEM, "start the debugger");
	args[0] = argv[0];
	args[1] = root;
	memcpy(args + 2, argv + 1, (size_t)(argc - 1) * sizeof(*args));
	cm_launch_path("casemate-debug", path, sizeof(path));
	execv(path, args);
	return cm_err_set(err, errno, "start '%s'", path);
}
