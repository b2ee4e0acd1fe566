/* SPDX-License-Identifier: Apache-2.0 */
/* casemate pause and resume: stop and start the virtual CPUs of a container. Legal when running, and when paused. */
#include <config.h>
#include "control/cli.h"

#include "control/state.h"
#include "control/urpc.h"

static const char pause_help[] =
	"usage: casemate pause ID\n\n"
	"Stop the virtual CPUs of container ID, or its threads where others share its\n"
	"sandbox: nothing in it runs before casemate resume.\n";

static const char resume_help[] = "usage: casemate resume ID\n\n"
				  "Let container ID, which casemate pause stopped, go on.\n";

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int cm_cmd_pause(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	if (cm_cli_option(argc, argv, "+:h", longs, pause_help, err) == -2 ||
		cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0 ||
		cm_cli_need(cli, argv[optind], "pause", 1u << CM_RUNNING, err) < 0)
		return -err->code;
	return cm_urpc_call(cli->root, argv[optind], "containerManager.Pause",
		json_string(argv[optind]), NULL, err);
}

int cm_cmd_resume(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	if (cm_cli_option(argc, argv, "+:h", longs, resume_help, err) == -2 ||
		cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0 ||
		cm_cli_need(cli, argv[optind], "resume", 1u << CM_PAUSED, err) < 0)
		return -err->code;
	return cm_urpc_call(cli->root, argv[optind], "containerManager.Resume",
		json_string(argv[optind]), NULL, err);
}
