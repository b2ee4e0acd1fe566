/* SPDX-License-Identifier: Apache-2.0 */
/* casemate list: prints all containers below the state directory. Changes nothing. */
#include <config.h>
#include "control/cli.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "common/cleanup.h"
#include "control/state.h"

static const char help[] = "usage: casemate list [OPTIONS]\n\n"
			   "List the containers.\n\n"
			   "  -q, --quiet          print ids only\n"
			   "  -f, --format FMT     table or json\n";

static const struct option longs[] = {
	{ "quiet", no_argument, NULL, 'q' },
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct list {
	bool quiet;
	json_t *json; /* array, NULL for a table */
	bool header; /* was printed */
};

static void list_one(struct list *l, const struct cm_state *st)
{
	if (l->quiet) {
		printf("%s\n", st->id);
	} else if (l->json) {
		json_array_append_new(l->json, cm_state_json(st));
	} else {
		if (!l->header)
			printf("%-24s %-9s %-9s %-28s %s\n", "ID", "PID", "STATUS", "CREATED",
				"BUNDLE");
		l->header = true;
		printf("%-24s %-9d %-9s %-28s %s\n", st->id, (int)st->pid,
			cm_status_name(st->status), st->created, st->bundle ? st->bundle : "-");
	}
}

static int list_all(const char *root, struct list *l, struct cm_err *err)
{
	cleanup_dir DIR *d = opendir(root);
	struct dirent *e;

	if (!d)
		return errno == ENOENT ? 0
				       : cm_err_set(err, errno, "open state directory '%s'", root);
	while ((e = readdir(d)) != NULL) {
		struct cm_err ignored;
		struct cm_state st;

		/* Not a container, or gone meanwhile. */
		if (e->d_name[0] == '.' || cm_state_load(root, e->d_name, &st, &ignored) < 0)
			continue;
		list_one(l, &st);
		cm_state_fini(&st);
	}
	return 0;
}

int cm_cmd_list(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct list l = { .quiet = false };
	int c;

	while ((c = cm_cli_option(argc, argv, "+:qf:h", longs, help, err)) >= 0) {
		if (c == 'q')
			l.quiet = true;
		else if (strcmp(optarg, "json") == 0)
			l.json = l.json ? l.json : json_array();
		else if (strcmp(optarg, "table") != 0)
			return cm_err_set(
				err, 0, "--format: '%s' is neither table nor json", optarg);
	}
	if (c == -2 || cm_cli_words(argc, argv, 0, 0, err) < 0)
		return -err->code;
	if (list_all(cli->root, &l, err) < 0)
		return -err->code;
	return l.json ? cm_cli_print_json(l.json, err) : 0;
}
