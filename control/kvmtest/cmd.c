/* SPDX-License-Identifier: Apache-2.0 */
/* casemate kvmtest run | suite | new. */
#include <config.h>
#include "control/kvmtest/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "control/kvmtest/kvmtest.h"
#include "control/launch.h"
#include "control/parse.h"

static const char help[] =
	"usage: casemate kvmtest run IMAGE [ARGUMENT]... [OPTION]...\n"
	"       casemate kvmtest suite FILE|DIR [NAME]... [OPTION]...\n"
	"       casemate kvmtest new DIR\n\n"
	"Boot kernels under test in a machine of their own, each a process that starts in\n"
	"about a millisecond. See casemate-kvmtest(1).\n";

/* ---- run */

static const char help_run[] =
	"usage: casemate kvmtest run [OPTION]... IMAGE [ARGUMENT]...\n\n"
	"Boot IMAGE (multiboot 1, PVH, flat) with its console on standard output and\n"
	"standard input on its serial port. Options may also follow IMAGE; all words\n"
	"behind \"--\" are arguments of the kernel.\n\n"
	"  --expect REGEX       pass as soon as a line of the console matches\n"
	"  --expect-exit N      pass when N is written to port 0xf4 (default 0; 77 = skipped)\n"
	"  --timeout SECONDS    limit (default 30; 0 = none)\n"
	"  --smp N              virtual CPUs (default 1)\n"
	"  --memory SIZE        memory (default 128M)\n"
	"  --cpu MODEL[,+F,-F]  CPU model and features (default max)\n"
	"  --device DEVICE      console, rng, blk=FILE[,ro], vsock=SOCKET, edu or intel-iommu (repeatable)\n"
	"  --format FORMAT      auto, flat16 or flat32\n"
	"  --irqchip KIND       auto, full (PIC, PIT, I/O APIC) or split (local APICs only)\n"
	"  --module FILE        boot module (initrd)\n"
	"  --backend-info       say first what this host's KVM is\n"
	"  --core-on-fail DIR   write an ELF core of a run that did not pass\n"
	"  --trace              print every access to a port or device, on stderr\n\n"
	"exit status: 0 passed, 1 failed, 2 guest crashed, 3 timed out, 4 KVM refused,\n"
	"5 image not bootable, 77 skipped, 125 kvmtest itself failed\n";

enum {
	OPT_BACKEND = 0x100,
	OPT_CORE,
	OPT_TRACE,
	OPT_SET
};

static const struct option run_longs[] = {
	{ "expect", required_argument, NULL, OPT_SET },
	{ "expect-exit", required_argument, NULL, OPT_SET },
	{ "timeout", required_argument, NULL, OPT_SET },
	{ "smp", required_argument, NULL, OPT_SET },
	{ "memory", required_argument, NULL, OPT_SET },
	{ "cpu", required_argument, NULL, OPT_SET },
	{ "device", required_argument, NULL, OPT_SET },
	{ "format", required_argument, NULL, OPT_SET },
	{ "irqchip", required_argument, NULL, OPT_SET },
	{ "module", required_argument, NULL, OPT_SET },
	{ "backend-info", no_argument, NULL, OPT_BACKEND },
	{ "core-on-fail", required_argument, NULL, OPT_CORE },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int kt_cmd_option(int argc, char **argv, const char *shorts, const struct option *longs,
	const char *text, const char **name, struct cm_err *err)
{
	int index = -1, at = optind, c;

	opterr = 0;
	c = getopt_long(argc, argv, shorts, longs, &index);
	*name = index >= 0 ? longs[index].name : NULL;
	if (c == 'h') {
		fputs(text, stdout);
		exit(0);
	}
	if (c == '?' || c == ':') {
		cm_err_set(err, 0,
			c == ':' ? "kvmtest %s: option '%s' needs a value"
				 : "kvmtest %s: unknown option '%s' (see casemate kvmtest --help)",
			argv[0], argv[optind > at ? optind - 1 : at]);
		return -2;
	}
	return c;
}

static int run_options(struct kt_test *t, bool *backend, int argc, char **argv, struct cm_err *err)
{
	const char *name;
	int c, r = 0;

	while (r >= 0 &&
		(c = kt_cmd_option(argc, argv, ":h", run_longs, help_run, &name, err)) != -1) {
		if (c == -2)
			return -EINVAL;
		if (c == OPT_BACKEND)
			*backend = true;
		else if (c == OPT_TRACE)
			t->trace = true;
		else if (c == OPT_CORE)
			r = kt_text(&t->core_dir, optarg, err);
		else
			r = kt_test_set(t, NULL, name, optarg, err);
	}
	if (r < 0)
		return r;
	if (t->expect && t->expect_exit != KT_NO_EXIT)
		return cm_err_set(
			err, 0, "kvmtest run: --expect and --expect-exit exclude each other");
	return 0;
}

/* The words behind the image, as one line. */
static int run_arguments(struct kt_test *t, int argc, char **argv, struct cm_err *err)
{
	size_t len = 1;
	char *p;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	t->args = p = calloc(1, len);
	if (!p)
		return cm_err_set(err, ENOMEM, "arguments");
	for (int i = 0; i < argc; i++)
		p = stpcpy(stpcpy(p, i ? " " : ""), argv[i]);
	return 0;
}

static int run_backend(struct cm_err *err)
{
	char path[4096], name[] = "casemate-vmm", option[] = "--probe";
	char *const argv[] = { name, option, NULL };
	pid_t pid;
	int status;

	fflush(stdout);
	pid = cm_launch_spawn(cm_launch_path("casemate-vmm", path, sizeof(path)), argv, NULL, 0,
		STDOUT_FILENO, err);
	if (pid < 0)
		return pid;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static void run_report(const struct kt_test *t, const struct kt_outcome *o)
{
	if (o->result == KT_PASSED)
		return;
	fprintf(stderr, "casemate: kvmtest: %s: %s: %s\n", t->image, kt_result_name(o->result),
		o->reason);
	if (o->report)
		fputs(o->report, stderr);
	if (o->core)
		fprintf(stderr, "core file: %s\n", o->core);
}

static int run_wait(struct kt_run *r)
{
	struct pollfd fds[KT_POLL_MAX];
	int timeout;
	unsigned n;

	do {
		timeout = -1;
		n = kt_run_poll(r, fds, &timeout);
		if (n > 0 && poll(fds, n, timeout) < 0)
			n = 0;
	} while (!kt_run_step(r, fds, n));
	return 0;
}

static int cmd_run_test(struct kt_test *t, int argc, char **argv, struct cm_err *err)
{
	struct kt_outcome o;
	bool backend = false;
	struct kt_run *r;
	int e = run_options(t, &backend, argc, argv, err);

	if (e < 0)
		return e;
	if (optind == argc)
		return cm_err_set(err, 0,
			"kvmtest run: an image is missing (see casemate kvmtest run --help)");
	e = kt_text(&t->image, argv[optind], err);
	if (e == 0)
		e = run_arguments(t, argc - optind - 1, argv + optind + 1, err);
	if (e == 0 && backend)
		e = run_backend(err);
	if (e < 0)
		return e;
	r = kt_run_start(t, STDIN_FILENO, stdout);
	if (!r)
		return cm_err_set(err, ENOMEM, "run '%s'", t->image);
	run_wait(r);
	kt_run_finish(r, &o);
	run_report(t, &o);
	e = o.result;
	kt_outcome_fini(&o);
	return e;
}

static int cmd_run(int argc, char **argv, struct cm_err *err)
{
	struct kt_test t;
	int r;

	kt_test_init(&t);
	r = cmd_run_test(&t, argc, argv, err);
	kt_test_fini(&t);
	return r;
}

/* ---- the command */

static int cmd_new(int argc, char **argv, struct cm_err *err)
{
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(help, stdout);
		return 0;
	}
	if (argc != 2)
		return cm_err_set(err, 0, "kvmtest new: one directory is needed");
	return kt_new(argv[1], err);
}

static int cmd_kvmtest(int argc, char **argv, struct cm_err *err)
{
	const char *word = argc > 1 ? argv[1] : "";

	/* Anew: unlike main's options, these may stand among words. */
	optind = 0;
	if (strcmp(word, "run") == 0)
		return cmd_run(argc - 1, argv + 1, err);
	if (strcmp(word, "suite") == 0)
		return kt_cmd_suite(argc - 1, argv + 1, err);
	if (strcmp(word, "new") == 0)
		return cmd_new(argc - 1, argv + 1, err);
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		fputs(help, stdout);
		return 0;
	}
	return cm_err_set(err, 0,
		"kvmtest: '%s' is not run, suite or new (see casemate kvmtest --help)", word);
}

int cm_cmd_kvmtest(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	int r = cmd_kvmtest(argc, argv, err);

	if (r >= 0)
		return r;
	cm_cli_report(cli, err);
	return KT_STATUS_ERROR;
}
