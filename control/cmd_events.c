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
	"Print statistics of container ID as JSON, a line every interval until it ends,\n"
	"and a line of type oom when a process of it was killed for want of memory.\n\n"
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

static int events_line(const json_t *event, struct cm_err *err)
{
	int r = json_dumpf(event, stdout, JSON_COMPACT);

	putchar('\n');
	return r < 0 || fflush(stdout) != 0 ? cm_err_set(err, EIO, "write JSON") : 0;
}

/* A process of the container was killed for want of memory. */
static int events_oom(const char *id, struct cm_err *err)
{
	json_t *event = json_pack("{s:s, s:s}", "type", "oom", "id", id);
	int r = events_line(event, err);

	json_decref(event);
	return r;
}

/* kills: how many have been told of, less than 0 before the first line. */
static int events_print(
	const struct cm_cli *cli, const char *id, json_int_t *kills, struct cm_err *err)
{
	const json_t *event, *memory;
	json_t *result;
	json_int_t n;
	int r = 0;

	if (cm_urpc_call(cli->root, id, "containerManager.Event", json_string(id), &result, err) <
		0)
		return -err->code;
	event = json_object_get(result, "event");
	memory = json_object_get(json_object_get(event, "data"), "memory");
	n = json_integer_value(json_object_get(json_object_get(memory, "raw"), "oom_kill"));
	if (*kills >= 0 && n > *kills)
		r = events_oom(id, err);
	*kills = n;
	if (r == 0)
		r = events_line(event, err);
	json_decref(result);
	return r;
}

/* Its end is the end of the list, not a failure; what it ended by may be the first that is heard of that. */
static int events_end(
	const struct cm_cli *cli, const char *id, json_int_t kills, struct cm_err *err)
{
	struct cm_err gone;
	struct cm_state st;
	int r = 0;

	if (cm_state_load(cli->root, id, &st, &gone) < 0)
		return 0;
	if (st.oom_killed && kills == 0)
		r = events_oom(id, err);
	cm_state_fini(&st);
	return r;
}

static bool events_ended(const struct cm_cli *cli, const char *id)
{
	struct cm_err gone;

	return cm_cli_need(cli, id, "", 1u << CM_CREATED | 1u << CM_RUNNING, &gone) < 0;
}

int cm_cmd_events(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	unsigned seconds = EVENTS_INTERVAL;
	bool once = false;
	json_int_t kills = -1;
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
	c = events_print(cli, argv[optind], &kills, err);
	while (c == 0 && !once) {
		sleep(seconds);
		if (events_ended(cli, argv[optind]))
			return events_end(cli, argv[optind], kills, err);
		c = events_print(cli, argv[optind], &kills, err);
		/* It may end between the look and the question. */
		if (c < 0 && (err->code == ESRCH || events_ended(cli, argv[optind])))
			return events_end(cli, argv[optind], kills, err);
	}
	return c;
}
