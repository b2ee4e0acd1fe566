/* SPDX-License-Identifier: Apache-2.0 */
/*
 * casemate-debug: the debug console. A program of its own, so that `casemate` stays small and static; `casemate debug` executes it.
 *
 * usage: casemate-debug --root=DIR|--fd=N [--limit=SECONDS] [--json] [--sentry=FILE] ID [COMMAND [ARGUMENT]...]
 *
 * --limit: end by SIGALRM after so long, whatever hangs.
 */
#include <config.h>

#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "control/debug/session.h"

static const char help[] =
	"usage: casemate debug [OPTIONS] ID [COMMAND [ARGUMENT]...]\n\n"
	"Look into the sandbox of container ID, whether its guest runs, is paused, hangs\n"
	"or died. With a command: one answer; without: a prompt.\n\n"
	"  --json               answers as JSON\n"
	"  --sentry FILE        the sentry's ELF file (default: the installed one)\n"
	"  -h, --help           this text\n\n"
	"commands (`help` at the prompt, and the manual, say what each does):\n";

static void main_help(void)
{
	const struct command *c;
	int n = 0;

	fputs(help, stdout);
	for (c = commands; c->name; c++, n++)
		printf("%s %-8s", n % 8 ? "" : n ? "\n " : " ", c->name);
	putchar('\n');
}

static int main_options(struct session *s, int argc, char **argv, struct cm_err *err)
{
	static const struct option longs[] = {
		{ "root", required_argument, NULL, 'r' },
		{ "fd", required_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "sentry", required_argument, NULL, 's' },
		{ "limit", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t fd, seconds;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:h", longs, NULL)) != -1) {
		switch (c) {
		case 'r':
			s->root = optarg;
			break;
		case 'f':
			if (cmd_number("--fd", optarg, INT_MAX, &fd, err) < 0)
				return -1;
			s->fd = (int)fd;
			break;
		case 'j':
			s->json = true;
			break;
		case 'l':
			if (cmd_number("--limit", optarg, UINT32_MAX, &seconds, err) < 0)
				return -1;
			alarm((unsigned)seconds);
			break;
		case 's':
			s->image_path = optarg;
			break;
		case 'h':
			main_help();
			exit(0);
		case ':':
			return cm_err_set(err, 0, "option '%s' needs a value", argv[optind - 1]);
		default:
			return cm_err_set(err, 0, "unknown option '%s' (see casemate debug --help)",
				argv[optind - 1]);
		}
	}
	if (!s->root && s->fd < 0)
		return cm_err_set(err, 0, "--root is missing");
	if (optind == argc)
		return cm_err_set(err, 0, "ID is missing");
	s->id = argv[optind++];
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct session s = { .fd = -1 };
	struct cm_err err = { 0 };
	int r;

	sigaction(SIGPIPE, &ignore, NULL);
	r = main_options(&s, argc, argv, &err);
	if (r == 0) {
		s.d = s.fd >= 0 ? dbg_open(s.fd, &err) : dbg_attach(s.root, s.id, &err);
		r = s.d ? 0 : -err.code;
	}
	if (r == 0)
		r = optind < argc ? session_run(&s, argc - optind, argv + optind, &err)
				  : session_prompt(&s, &err);
	dbg_close(s.d);
	if (r < 0)
		fprintf(stderr, "casemate: debug: %s\n", err.msg);
	return r < 0 ? 1 : 0;
}
