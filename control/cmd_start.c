/* SPDX-License-Identifier: Apache-2.0 */
/* casemate start: runs the program of a created container. Legal when created. */
#include <config.h>
#include "control/cli.h"

#include "control/container.h"
#include "control/start.h"
#include "control/state.h"

static const char help[] = "usage: casemate start ID\n\n"
			   "Run the program of container ID, which casemate create made.\n";

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int cm_cmd_start(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct cm_err ignored;
	struct cm_state st;
	const char *id;
	int r;

	if (cm_cli_option(argc, argv, "+:h", longs, help, err) == -2 ||
		cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0)
		return -err->code;
	id = argv[optind];
	if (cm_cli_need(cli, id, "start", 1u << CM_CREATED, err) < 0)
		return -err->code;
	r = cm_state_load(cli->root, id, &st, err);
	if (r < 0)
		return r;
	r = cm_start_program(cli->root, id, &st, err);
	cm_state_fini(&st);
	if (r < 0)
		return cm_err_wrap(err, "start failed");
	/* A short program may be gone already, and with it the record. */
	if (cm_state_load(cli->root, id, &st, &ignored) < 0)
		return 0;
	r = cm_start_poststart(cli->root, id, &st, err);
	cm_state_fini(&st);
	/* As with runc nothing of it stays. */
	if (r < 0)
		(void)cm_container_delete(cli->root, id, true, &ignored);
	return r;
}
