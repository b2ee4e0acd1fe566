/* SPDX-License-Identifier: Apache-2.0 */
/* casemate ps: lists the processes of a container, by their numbers inside. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "control/state.h"
#include "control/urpc.h"

static const char help[] = "usage: casemate ps [OPTIONS] ID\n\n"
			   "List the processes of container ID. Their numbers are those inside.\n\n"
			   "  -f, --format FMT     table (default), or json: an array of numbers\n";

static const struct option longs[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char *ps_text(const json_t *p, const char *name)
{
	const char *s = json_string_value(json_object_get(p, name));

	return s ? s : "";
}

static long long ps_number(const json_t *p, const char *name)
{
	return json_integer_value(json_object_get(p, name));
}

static int ps_json(const json_t *list, struct cm_err *err)
{
	json_t *pids = json_array();
	const json_t *p;
	size_t i;

	json_array_foreach(list, i, p) json_array_append(pids, json_object_get(p, "pid"));
	i = (size_t)json_dumpf(pids, stdout, JSON_COMPACT);
	json_decref(pids);
	return i != 0 || fflush(stdout) != 0 ? cm_err_set(err, EIO, "write JSON") : 0;
}

static void ps_table(const json_t *list)
{
	const json_t *p;
	size_t i;

	printf("%-8s %6s %6s %3s %-5s %-8s %10s %s\n", "UID", "PID", "PPID", "C", "STIME", "TTY",
		"TIME", "CMD");
	json_array_foreach(list, i, p) printf("%-8lld %6lld %6lld %3lld %-5s %-8s %10s %s\n",
		ps_number(p, "uid"), ps_number(p, "pid"), ps_number(p, "ppid"), ps_number(p, "c"),
		ps_text(p, "stime"), ps_text(p, "tty"), ps_text(p, "time"), ps_text(p, "cmd"));
}

int cm_cmd_ps(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	bool json = false;
	json_t *list;
	int c;

	while ((c = cm_cli_option(argc, argv, "+:f:h", longs, help, err)) >= 0) {
		json = strcmp(optarg, "json") == 0;
		if (!json && strcmp(optarg, "table") != 0)
			return cm_err_set(
				err, 0, "ps: --format: '%s' is neither table nor json", optarg);
	}
	if (c == -2 || cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0)
		return -err->code;
	if (cm_cli_need(cli, argv[optind], "list the processes of",
		    1u << CM_CREATED | 1u << CM_RUNNING, err) < 0)
		return -err->code;
	if (cm_urpc_call(cli->root, argv[optind], "containerManager.Processes",
		    json_string(argv[optind]), &list, err) < 0)
		return -err->code;
	c = 0;
	if (json)
		c = ps_json(list, err);
	else
		ps_table(list);
	json_decref(list);
	return c;
}
