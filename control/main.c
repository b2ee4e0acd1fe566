/* SPDX-License-Identifier: Apache-2.0 */
/* casemate: global options, the command table, and the one place where errors are printed. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/cli.h"
#include "control/kvmtest/cmd.h"

static const struct cm_cmd commands[] = {
	{ "run", "run a bundle in a new sandbox", cm_cmd_run },
	{ "create", "make a container that `start` runs", cm_cmd_create },
	{ "start", "run the program of a created container", cm_cmd_start },
	{ "exec", "run one more process in a container", cm_cmd_exec },
	{ "do", "run a command in a sandbox above this host's files", cm_cmd_do },
	{ "spec", "write a config.json to start from", cm_cmd_spec },
	{ "state", "print the state of a container", cm_cmd_state },
	{ "list", "list the containers", cm_cmd_list },
	{ "ps", "list the processes of a container", cm_cmd_ps },
	{ "events", "print statistics of a container", cm_cmd_events },
	{ "pause", "stop the virtual CPUs of a container", cm_cmd_pause },
	{ "resume", "let a paused container go on", cm_cmd_resume },
	{ "update", "change the limits of a container", cm_cmd_update },
	{ "kill", "send a signal to a container", cm_cmd_kill },
	{ "wait", "wait for the end of a container", cm_cmd_wait },
	{ "delete", "remove a stopped container", cm_cmd_delete },
	{ "debug", "look into a sandbox: registers, stacks, tasks, memory", cm_cmd_debug },
	{ "doctor", "look at this host's KVM and say what to do", cm_cmd_doctor },
	{ "kvmtest", "test kernels, each in a machine of its own", cm_cmd_kvmtest },
	{ "features", "print what is supported, as OCI features JSON", cm_cmd_features },
};

static void main_help(FILE *f)
{
	fputs("usage: casemate [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	      "Run OCI containers, each in a microVM with a kernel of its own.\n\n"
	      "options:\n"
	      "  --root DIR         where the state is kept (default " CM_RUNSTATEDIR "/casemate)\n"
	      "  --log FILE         write errors to FILE too\n"
	      "  --log-format FMT   text or json\n"
	      "  --systemd-cgroup   linux.cgroupsPath is slice:prefix:name, of systemd\n"
	      "  --debug            show the log of the sandbox's processes\n"
	      "  -h, --help         this text; COMMAND --help for a command's\n"
	      "  -v, --version      version\n\n"
	      "commands:\n",
		f);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

static int main_version(void)
{
	printf("casemate version %s\nspec: 1.0.2\n", PACKAGE_VERSION);
	return 0;
}

static int main_options(struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	static const struct option longs[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "log", required_argument, NULL, 'l' },
		{ "log-format", required_argument, NULL, 'f' },
		{ "debug", no_argument, NULL, 'd' },
		{ "systemd-cgroup", no_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:hv", longs, NULL)) != -1) {
		switch (c) {
		case 'r':
			cli->root = optarg;
			break;
		case 'l':
			cli->log = optarg;
			break;
		case 'f':
			if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
				return cm_err_set(err, 0,
					"--log-format: '%s' is neither text nor json", optarg);
			cli->log_json = optarg[0] == 'j';
			break;
		case 'd':
			cli->debug = true;
			break;
		case 's':
			cli->systemd = true;
			break;
		case 'v':
			exit(main_version());
		case 'h':
			main_help(stdout);
			exit(0);
		case ':':
			return cm_err_set(err, 0, "option '%s' needs a value", argv[optind - 1]);
		default:
			return cm_err_set(err, 0, "unknown option '%s' (see casemate --help)",
				argv[optind - 1]);
		}
	}
	return 0;
}

/* The root must be absolute: the sandbox process works in another directory. */
static int main_root(struct cm_cli *cli, char *buf, size_t size, struct cm_err *err)
{
	char cwd[4096];

	if (cli->root[0] == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return cm_err_set(err, errno, "current directory");
	if ((size_t)snprintf(buf, size, "%s/%s", cwd, cli->root) >= size)
		return cm_err_set(err, ENAMETOOLONG, "--root");
	cli->root = buf;
	return 0;
}

/* Engines look into it for the reason of a failure: it is there in any case, and what cannot be told of is not done. */
static int main_log(const struct cm_cli *cli, struct cm_err *err)
{
	int fd = cli->log ? open(cli->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (cli->log && fd < 0)
		return cm_err_set(err, errno, "--log: open '%s'", cli->log);
	if (fd >= 0)
		close(fd);
	return 0;
}

static int main_run(struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	const char *name = argv[0];

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			optind = 1;
			return commands[i].run(cli, argc, argv, err);
		}
	}
	return cm_err_set(err, 0, "unknown command '%s' (see casemate --help)", name);
}

int main(int argc, char **argv)
{
	struct cm_cli cli = { .root = CM_RUNSTATEDIR "/casemate" };
	struct cm_err err = { 0 };
	char root[8192];
	int r;

	/* Standard descriptors exist, whoever starts us: no file of ours becomes one of them. */
	while ((r = open("/dev/null", O_RDWR)) >= 0 && r < 3)
		;
	if (r >= 3)
		close(r);
	r = main_options(&cli, argc, argv, &err);
	if (r == 0)
		r = main_root(&cli, root, sizeof(root), &err);
	if (r == 0)
		r = main_log(&cli, &err);
	if (r == 0 && optind == argc) {
		main_help(stderr);
		return CM_CLI_FAILED;
	}
	if (r == 0)
		r = main_run(&cli, argc - optind, argv + optind, &err);
	return r < 0 ? cm_cli_report(&cli, &err) : r;
}
