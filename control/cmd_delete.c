/* SPDX-License-Identifier: Apache-2.0 */
/* casemate delete: removes what is left of a container. */
#include <config.h>
#include "control/cli.h"

#include "control/container.h"

static const char help[] =
	"usage: casemate delete [OPTIONS] ID\n\n"
	"Remove container ID, which is stopped or was never started.\n\n"
	"  -f, --force          kill it when it is not stopped; an unknown ID is no error\n";

static const struct option longs[] = {
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int cm_cmd_delete(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	bool force = false;
	int c;

	while ((c = cm_cli_option(argc, argv, ":fh", longs, help, err)) >= 0)
		force = true;
	if (c == -2 || cm_cli_words(argc, argv, 1, 1, err) < 0)
		return -err->code;
	return cm_container_delete(cli->root, argv[optind], force, err);
}
