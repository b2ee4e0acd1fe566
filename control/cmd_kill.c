/* SPDX-License-Identifier: Apache-2.0 */
/* casemate kill: sends a signal to a running container. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <signal.h>
#include "control/parse.h"
#include "control/state.h"
#include "control/urpc.h"

static const char help[] =
	"usage: casemate kill [OPTIONS] ID [SIGNAL]\n\n"
	"Send SIGNAL (a name or a number, default TERM) to the first process of container\n"
	"ID.\n\n"
	"  -a, --all            to every process of the container\n";

static const struct option longs[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int cm_cmd_kill(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	enum cm_urpc_mode mode = CM_URPC_PROCESS;
	int signo = SIGTERM;
	struct cm_state st;
	bool stopped;
	int c;

	/* Engines write the option behind the id as well. */
	while ((c = cm_cli_option(argc, argv, ":ah", longs, help, err)) >= 0)
		mode = CM_URPC_ALL;
	if (c == -2 || cm_cli_id_words(cli, argc, argv, 1, 2, err) < 0)
		return -err->code;
	if (argc - optind == 2 && cm_parse_signal(argv[optind + 1], &signo, err) < 0)
		return -err->code;
	if (cm_state_load(cli->root, argv[optind], &st, err) < 0)
		return -err->code;
	stopped = st.status == CM_STOPPED;
	cm_state_fini(&st);
	if (stopped) {
		/* Every process of a stopped container has its signal, so to say. */
		if (mode == CM_URPC_ALL)
			return 0;
		cm_err_set(err, 0, "container not running");
		err->code = ESRCH;
		return -ESRCH;
	}
	return cm_urpc_signal(cli->root, argv[optind], signo, 0, mode, err);
}
