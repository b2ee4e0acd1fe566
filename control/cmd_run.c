/* SPDX-License-Identifier: Apache-2.0 */
/* casemate run and create: a container from a bundle. run starts its program too and, at the end, deletes the container. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include "control/console.h"
#include "control/parse.h"
#include "control/pod.h"

#define RUN_HELP_OPTIONS \
	"  -b, --bundle DIR     the bundle (default: current directory)\n" \
	"  --console-socket S   send the master of the terminal to socket S\n" \
	"  --overlay            keep writes to the root directory in memory\n" \
	"  --pid-file FILE      write the sandbox's process id to FILE\n" \
	"  --preserve-fds N     descriptors 3 to N+2 are the program's too\n"

static const char run_help[] =
	"usage: casemate run [OPTIONS] ID\n\n"
	"Run the bundle (config.json and a root directory) as container ID, with this\n"
	"command's standard input, output and error. Signals go to the program; the exit\n"
	"code is the program's, 128+n when signal n ended it, 1 when it did not start.\n\n"
	"  -d, --detach         return when the program runs; delete it later\n"
	"  --keep               keep the container's state after the end\n" RUN_HELP_OPTIONS
		CM_CLI_VM_HELP;

static const char create_help[] =
	"usage: casemate create [OPTIONS] ID\n\n"
	"Make container ID of the bundle (config.json and a root directory): its sandbox\n"
	"is up and its program found, but not executed before casemate start ID. This\n"
	"command's standard input, output and error become the program's.\n\n" RUN_HELP_OPTIONS
		CM_CLI_VM_HELP;

enum run_option {
	RUN_KEEP = CM_OPT_COMMAND,
	RUN_OVERLAY,
	RUN_PID_FILE,
	RUN_CONSOLE,
	RUN_PRESERVE,
	RUN_IGNORED
};

static const struct option longs[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ "detach", no_argument, NULL, 'd' },
	{ "keep", no_argument, NULL, RUN_KEEP },
	{ "overlay", no_argument, NULL, RUN_OVERLAY },
	{ "pid-file", required_argument, NULL, RUN_PID_FILE },
	{ "console-socket", required_argument, NULL, RUN_CONSOLE },
	{ "preserve-fds", required_argument, NULL, RUN_PRESERVE },
	{ "no-pivot", no_argument, NULL, RUN_IGNORED },
	{ "no-new-keyring", no_argument, NULL, RUN_IGNORED },
	{ "no-subreaper", no_argument, NULL, RUN_IGNORED },
	CM_CLI_VM_LONGS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct run_words {
	const char *bundle, *pid_file, *console;
	bool detach;
};

static int run_option(struct cm_sandbox_options *o, struct run_words *w, int c, struct cm_err *err)
{
	switch (c) {
	case 'b':
		w->bundle = optarg;
		return 0;
	case 'd':
		w->detach = true;
		return 0;
	case RUN_KEEP:
		o->keep = true;
		return 0;
	case RUN_OVERLAY:
		o->overlay = true;
		return 0;
	case RUN_PID_FILE:
		w->pid_file = optarg;
		return 0;
	case RUN_CONSOLE:
		w->console = optarg;
		return 0;
	case RUN_PRESERVE:
		return cm_preserve_option(&o->preserve, optarg, err);
	case RUN_IGNORED: /* engines pass them: what they turn off is not there */
		return 0;
	default:
		return cm_cli_vm_option(o, c, err);
	}
}

/* A container of a pod lives in the sandbox that its annotations name. */
static int run_find_sandbox(struct cm_sandbox_options *o, bool detach, struct cm_err *err)
{
	/* What the sandbox must know before its VMM starts: whether it is of a pod, and how many CPUs it may have. */
	static const char *const early[] = { CM_POD_WORD, "\"quota\"", "\"cpus\"", "\"unified\"",
		NULL };
	static const char *const any[] = { "", NULL };
	enum cm_pod_role role;

	/* Whoever is told of the container's process looks at its namespaces: they must be known before it is made. */
	if (cm_spec_load_if(o->bundle_fd, detach ? any : early, &o->spec, err) < 0)
		return -err->code;
	if (!o->spec)
		return 0;
	if (cm_pod_role(o->spec->annotations, &role, &o->sandbox, err) < 0)
		return cm_err_wrap(err, "config.json");
	o->pod = role == CM_POD_SANDBOX;
	if (o->sandbox && o->trace_fd >= 0)
		return cm_err_set(err, 0, "--trace: is of the sandbox that the container joins");
	return 0;
}

static int run_sandbox(const struct cm_cli *cli, struct cm_sandbox_options *o,
	const struct run_words *w, struct cm_err *err)
{
	char path[PATH_MAX];

	o->keep |= w->detach;
	if (cm_preserve_listen(&o->preserve, err) < 0 || cm_preserve_take(&o->preserve, err) < 0)
		return -err->code;
	if (cm_id_check(o->id, err) < 0)
		return -err->code;
	if (!realpath(w->bundle, path))
		return cm_err_set(err, errno, "bundle '%s'", w->bundle);
	o->bundle = path;
	o->bundle_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (o->bundle_fd < 0)
		return cm_err_set(err, errno, "bundle '%s'", w->bundle);
	if (run_find_sandbox(o, w->detach, err) < 0)
		return -err->code;
	if (w->console) {
		o->console_sock = cm_console_connect(w->console, err);
		if (o->console_sock < 0)
			return -err->code;
	}
	return cm_cli_run_sandbox(cli, o, w->detach, w->pid_file, err);
}

int cm_cmd_run(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct run_words w = { .bundle = "." };
	struct cm_sandbox_options o;
	int c;

	cm_cli_vm_init(cli, &o);
	while ((c = cm_cli_option(argc, argv, "+:b:dh", longs, run_help, err)) >= 0) {
		if (run_option(&o, &w, c, err) < 0)
			return -err->code;
	}
	if (c == -2 || cm_cli_words(argc, argv, 1, 1, err) < 0)
		return -err->code;
	o.id = argv[optind];
	c = run_sandbox(cli, &o, &w, err);
	return c < 0 ? cm_err_wrap(err, "run failed") : c;
}

int cm_cmd_create(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct run_words w = { .bundle = "." };
	struct cm_sandbox_options o;
	int c;

	cm_cli_vm_init(cli, &o);
	while ((c = cm_cli_option(argc, argv, "+:b:h", longs, create_help, err)) >= 0) {
		if (c == 'd' || c == RUN_KEEP)
			return cm_err_set(err, 0,
				"create: unknown option '%s' (see casemate create --help)",
				argv[optind - 1]);
		if (run_option(&o, &w, c, err) < 0)
			return -err->code;
	}
	if (c == -2 || cm_cli_words(argc, argv, 1, 1, err) < 0)
		return -err->code;
	o.id = argv[optind];
	o.create = true;
	w.detach = true;
	c = run_sandbox(cli, &o, &w, err);
	return c < 0 ? cm_err_wrap(err, "create failed") : c;
}
