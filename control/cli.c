/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: options, words, JSON output. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "casemate/guestmem.h"
#include "common/cleanup.h"
#include "control/parse.h"
#include "control/state.h"

#define CLI_CPUS_MAX 64

int cm_cli_option(int argc, char **argv, const char *shorts, const struct option *longs,
	const char *help, struct cm_err *err)
{
	int c = getopt_long(argc, argv, shorts, longs, NULL);
	const char *word = c == -1 ? NULL : argv[optind - 1];

	if (c == 'h') {
		fputs(help, stdout);
		exit(0);
	}
	if (c == ':') {
		cm_err_set(err, 0, "%s: option '%s' needs a value", argv[0], word);
		return -2;
	}
	if (c == '?') {
		cm_err_set(err, 0, "%s: unknown option '%s' (see casemate %s --help)", argv[0],
			word, argv[0]);
		return -2;
	}
	return c;
}

int cm_cli_words(int argc, char **argv, int min, int max, struct cm_err *err)
{
	int n = argc - optind;

	if (n < min)
		return cm_err_set(
			err, 0, "%s: a word is missing (see casemate %s --help)", argv[0], argv[0]);
	if (n > max)
		return cm_err_set(err, 0, "%s: unexpected word '%s'", argv[0], argv[optind + max]);
	return 0;
}

char *cm_cli_id(const struct cm_cli *cli, char *word, struct cm_err *err)
{
	static char id[CM_ID_MAX + 1];

	if (cli->log)
		return word;
	return cm_state_find(cli->root, word, id, err) < 0 ? NULL : id;
}

int cm_cli_id_words(
	const struct cm_cli *cli, int argc, char **argv, int min, int max, struct cm_err *err)
{
	char *id;

	if (cm_cli_words(argc, argv, min, max, err) < 0)
		return -err->code;
	id = cm_cli_id(cli, argv[optind], err);
	if (!id)
		return -err->code;
	argv[optind] = id;
	return 0;
}

void cm_cli_vm_init(const struct cm_cli *cli, struct cm_sandbox_options *o)
{
	memset(o, 0, sizeof(*o));
	o->root = cli->root;
	o->systemd = cli->systemd;
	o->vm.memory = CM_CLI_MEMORY;
	o->vm.cmdline = "";
	o->bundle_fd = o->trace_fd = o->console_sock = -1;
	o->log_fd = cli->debug ? STDERR_FILENO : -1;
}

static int cli_memory(struct cm_sandbox_options *o, struct cm_err *err)
{
	if (cm_parse_size(optarg, "--memory", &o->vm.memory, err) < 0)
		return -err->code;
	if (o->vm.memory < CM_RAM_MIN)
		return cm_err_set(err, 0, "--memory: %s is less than the minimum of %luM", optarg,
			CM_RAM_MIN >> 20);
	if (o->vm.memory > CM_RAM_MAX)
		return cm_err_set(err, 0, "--memory: %s is more than the maximum of %luG", optarg,
			CM_RAM_MAX >> 30);
	o->vm.memory = (o->vm.memory + 0x1fffff) & ~0x1fffffULL; /* whole 2 MiB pages */
	return 0;
}

static int cli_trace(struct cm_sandbox_options *o, struct cm_err *err)
{
	o->trace_fd = STDERR_FILENO;
	if (!optarg)
		return 0;
	o->trace_fd = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return o->trace_fd < 0 ? cm_err_set(err, errno, "--trace: open '%s'", optarg) : 0;
}

/* A core of the guest is written there by a process without this one's working directory. */
static int cli_core_dir(struct cm_sandbox_options *o, struct cm_err *err)
{
	struct stat st;

	o->core_dir = realpath(optarg, NULL);
	if (o->core_dir && stat(o->core_dir, &st) == 0 && !S_ISDIR(st.st_mode))
		return cm_err_set(err, ENOTDIR, "--core-on-panic: '%s'", optarg);
	if (!o->core_dir || access(o->core_dir, W_OK | X_OK) < 0)
		return cm_err_set(err, errno, "--core-on-panic: '%s'", optarg);
	if (o->vm.hold_on_panic == CM_HOLD_NOT)
		o->vm.hold_on_panic = CM_HOLD_FOR_CORE;
	return 0;
}

int cm_cli_vm_option(struct cm_sandbox_options *o, int option, struct cm_err *err)
{
	long n;

	switch ((enum cm_cli_vm_option)option) {
	case CM_OPT_MEMORY:
		return cli_memory(o, err);
	case CM_OPT_CPUS:
		if (cm_parse_number(optarg, "--cpus", 1, CLI_CPUS_MAX, &n, err) < 0)
			return -err->code;
		o->vm.cpus = (unsigned)n;
		return 0;
	case CM_OPT_TRACE:
		return cli_trace(o, err);
	case CM_OPT_TRACE_EXITS:
		o->vm.trace_exits = true;
		o->log_fd = STDERR_FILENO;
		return 0;
	case CM_OPT_ON_PANIC:
		if (strcmp(optarg, "hold") != 0 && strcmp(optarg, "end") != 0)
			return cm_err_set(
				err, 0, "--on-panic: '%s' is neither end nor hold", optarg);
		if (optarg[0] == 'h')
			o->vm.hold_on_panic = CM_HOLD;
		return 0;
	case CM_OPT_CORE:
		return cli_core_dir(o, err);
	case CM_OPT_CMDLINE:
		if (strlen(optarg) > 80)
			return cm_err_set(err, 0, "--guest-cmdline: longer than 80 characters");
		o->vm.cmdline = optarg;
		return 0;
	case CM_OPT_COMMAND:
		break;
	}
	return cm_err_set(err, 0, "unknown option");
}

int cm_cli_need(const struct cm_cli *cli, const char *id, const char *verb, unsigned legal,
	struct cm_err *err)
{
	struct cm_state st;
	int r = cm_state_load(cli->root, id, &st, err);

	if (r < 0)
		return r;
	if (!(legal & 1u << st.status))
		r = cm_err_set(err, 0, "cannot %s container '%s' that is %s", verb, id,
			cm_status_name(st.status));
	cm_state_fini(&st);
	return r;
}

int cm_cli_exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : (128 + WTERMSIG(status)) & 0xff;
}

/* One line in runc's JSON form: that is where container engines look for the reason. */
static void cli_log(const struct cm_cli *cli, const char *msg)
{
	cleanup_file FILE *f = fopen(cli->log, "ae");
	struct timeval tv;
	char stamp[32];
	struct tm tm;

	if (!f)
		return;
	gettimeofday(&tv, NULL);
	gmtime_r(&tv.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (cli->log_json) {
		json_t *o =
			json_pack("{s:s, s:s, s:s}", "level", "error", "msg", msg, "time", stamp);

		if (o && json_dumpf(o, f, JSON_COMPACT) == 0)
			fputc('\n', f);
		json_decref(o);
	} else {
		fprintf(f, "time=\"%s\" level=error msg=\"%s\"\n", stamp, msg);
	}
}

int cm_cli_report(const struct cm_cli *cli, const struct cm_err *err)
{
	if (cli->log)
		cli_log(cli, err->msg);
	fprintf(stderr, "casemate: %s\n", err->msg);
	return CM_CLI_FAILED;
}

int cm_cli_print_json(json_t *o, struct cm_err *err)
{
	int r = o ? json_dumpf(o, stdout, JSON_INDENT(2)) : -1;

	json_decref(o);
	if (r < 0 || putchar('\n') == EOF || fflush(stdout) != 0)
		return cm_err_set(err, r < 0 ? ENOMEM : errno, "write JSON");
	return 0;
}
