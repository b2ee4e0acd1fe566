/* SPDX-License-Identifier: Apache-2.0 */
/* casemate events: prints statistics of a container, one JSON object a line, in the members of runc's that there are figures for. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "control/state.h"
#include "control/urpc.h"

#define EVENTS_INTERVAL 5 /* seconds */

static const char help[] =
	"usage: casemate events [OPTIONS] ID\n\n"
	"Print statistics of container ID as JSON, a line every interval until it ends.\n\n"
	"  --interval SECONDS   time between two lines (default 5; 3s and 1m as well)\n"
	"  --stats              print once\n";

static const struct option longs[] = {
	{ "interval", required_argument, NULL, 'i' },
	{ "stats", no_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int events_interval(const char *text, unsigned *seconds, struct cm_err *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || n == 0 || n > 86400 || (*end && end[1]) ||
		(*end && *end != 's' && *end != 'm'))
		return cm_err_set(err, 0, "events: --interval: '%s' is no time", text);
	*seconds = (unsigned)n * (*end == 'm' ? 60 : 1);
	return 0;
}

static int events_print(const struct cm_cli *cli, const char *id, struct cm_err *err)
{
	json_t *result;
	int r;

	if (cm_urpc_call(cli->root, id, "containerManager.Event", json_string(id), &result, err) <
		0)
		return -err->code;
	r = json_dumpf(json_object_get(result, "event"), stdout, JSON_COMPACT);
	json_decref(result);
	putchar('\n');
	return r < 0 || fflush(stdout) != 0 ? cm_err_set(err, EIO, "write JSON") : 0;
}

int cm_cmd_events(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	unsigned seconds = EVENTS_INTERVAL;
	bool once = false;
	struct cm_err gone;
	int c;

	while ((c = cm_cli_option(argc, argv, "+:h", longs, help, err)) >= 0) {
		if (c == 's')
			once = true;
		else if (events_interval(optarg, &seconds, err) < 0)
			return -err->code;
	}
	if (c == -2 || cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0)
		return -err->code;
	if (cm_cli_need(cli, argv[optind], "print statistics of",
		    1u << CM_CREATED | 1u << CM_RUNNING, err) < 0)
		return -err->code;
	while ((c = events_print(cli, argv[optind], err)) == 0 && !once) {
		sleep(seconds);
		/* Its end is the end of the list, not a failure. */
		if (cm_cli_need(cli, argv[optind], "", 1u << CM_CREATED | 1u << CM_RUNNING, &gone) <
			0)
			break;
	}
	return c;
}
