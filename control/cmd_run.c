/* SPDX-License-Identifier: Apache-2.0 */
/* casemate run: creates, starts and, at the end, deletes a container. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include "control/parse.h"

static const char help[] =
	"usage: casemate run [OPTIONS] ID\n\n"
	"Run the bundle (config.json and a root directory) as container ID, with this\n"
	"command's standard input, output and error. Signals go to the program; the exit\n"
	"code is the program's, 128+n when signal n ended it, 1 when it did not start.\n\n"
	"  -b, --bundle DIR     the bundle (default: current directory)\n"
	"  -d, --detach         return when the program runs; delete removes the container\n"
	"  --keep               keep the container's state after the end\n"
	"  --overlay            keep writes to the root directory in memory\n"
	"  --pid-file FILE      write the sandbox's process id to FILE\n" CM_CLI_VM_HELP;

static const struct option longs[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ "detach", no_argument, NULL, 'd' },
	{ "keep", no_argument, NULL, CM_OPT_COMMAND },
	{ "overlay", no_argument, NULL, CM_OPT_COMMAND + 1 },
	{ "pid-file", required_argument, NULL, CM_OPT_COMMAND + 2 },
	CM_CLI_VM_LONGS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int cm_cmd_run(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	const char *bundle = ".", *pid_file = NULL;
	struct cm_sandbox_options o;
	char path[PATH_MAX];
	bool detach = false;
	int c;

	cm_cli_vm_init(cli, &o);
	while ((c = cm_cli_option(argc, argv, "+:b:dh", longs, help, err)) >= 0) {
		switch (c) {
		case 'b':
			bundle = optarg;
			break;
		case 'd':
			detach = true;
			break;
		case CM_OPT_COMMAND:
			o.keep = true;
			break;
		case CM_OPT_COMMAND + 1:
			o.overlay = true;
			break;
		case CM_OPT_COMMAND + 2:
			pid_file = optarg;
			break;
		default:
			if (cm_cli_vm_option(&o, c, err) < 0)
				return -err->code;
			break;
		}
	}
	if (c == -2 || cm_cli_words(argc, argv, 1, 1, err) < 0)
		return -err->code;
	o.id = argv[optind];
	o.keep |= detach;
	if (cm_id_check(o.id, err) < 0)
		return -err->code;
	if (!realpath(bundle, path))
		return cm_err_set(err, errno, "bundle '%s'", bundle);
	o.bundle = path;
	o.bundle_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (o.bundle_fd < 0)
		return cm_err_set(err, errno, "bundle '%s'", bundle);
	c = cm_cli_run_sandbox(cli, &o, detach, pid_file, err);
	return c < 0 ? cm_err_wrap(err, "run failed") : c;
}
