/* SPDX-License-Identifier: Apache-2.0 */
/* casemate state: prints the OCI state of a container. Legal in every state; changes nothing. */
#include <config.h>
#include "control/cli.h"

#include "control/state.h"

static const char help[] = "usage: casemate state ID\n\n"
			   "Print the state of container ID as OCI JSON.\n";

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int cm_cmd_state(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct cm_state st;
	int r;

	if (cm_cli_option(argc, argv, "+:h", longs, help, err) == -2 ||
		cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0)
		return -err->code;
	r = cm_state_load(cli->root, argv[optind], &st, err);
	if (r < 0)
		return r;
	r = cm_cli_print_json(cm_state_json(&st), err);
	cm_state_fini(&st);
	return r;
}
