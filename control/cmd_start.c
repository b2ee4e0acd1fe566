/* SPDX-License-Identifier: Apache-2.0 */
/* casemate start: runs the program of a created container. Legal when created. */
#include <config.h>
#include "control/cli.h"

#include "control/state.h"
#include "control/urpc.h"

static const char help[] = "usage: casemate start ID\n\n"
			   "Run the program of container ID, which casemate create made.\n";

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

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
	return 0;
}
