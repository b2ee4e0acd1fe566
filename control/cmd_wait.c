/* SPDX-License-Identifier: Apache-2.0 */
/* casemate wait: waits for the end of a container, or of one of its processes, and prints the exit status. */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/parse.h"
#include "control/state.h"
#include "control/urpc.h"

#define WAIT_PAUSE 20000 /* us */
#define WAIT_TRIES 250

static const char help[] =
	"usage: casemate wait [OPTIONS] ID\n\n"
	"Wait for the end of container ID and print {\"id\":..., \"exitStatus\":...}: the\n"
	"exit code, or 128+n when signal n ended it.\n\n"
	"  --pid PID            of this process, which casemate exec started\n";

static const struct option longs[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int wait_call(
	const struct cm_cli *cli, const char *id, long pid, int *status, struct cm_err *err)
{
	cleanup_fd int fd = cm_urpc_open(cli->root, id, err);
	json_t *result;
	int r;

	if (fd < 0)
		return fd;
	if (pid > 0)
		r = cm_urpc_send(fd, "containerManager.WaitPID",
			json_pack("{s:s, s:i}", "CID", id, "PID", (int)pid), NULL, 0, err);
	else
		r = cm_urpc_send(fd, "containerManager.Wait", json_string(id), NULL, 0, err);
	if (r < 0 || cm_urpc_receive(fd, true, &result, err) < 0)
		return -err->code;
	*status = (int)json_integer_value(result);
	json_decref(result);
	return 0;
}

/* The record of a container whose sandbox is gone; one that was just killed holds its lock a moment longer. */
static int wait_recorded(const struct cm_cli *cli, const char *id, int *status, struct cm_err *err)
{
	struct cm_state st;

	if (cm_state_load(cli->root, id, &st, err) < 0)
		return -err->code;
	for (int i = 0; st.status != CM_STOPPED && i < WAIT_TRIES; i++) {
		cm_state_fini(&st);
		usleep(WAIT_PAUSE);
		if (cm_state_load(cli->root, id, &st, err) < 0)
			return -err->code;
	}
	*status = st.exit_status;
	if (st.status != CM_STOPPED)
		cm_err_set(err, 0, "container '%s' is %s", id, cm_status_name(st.status));
	else if (*status < 0) /* killed before it could write its last record */
		*status = SIGKILL;
	cm_state_fini(&st);
	return *status < 0 ? -EINVAL : 0;
}

int cm_cmd_wait(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct cm_err ignored;
	long pid = 0;
	int status = 0, c;

	while ((c = cm_cli_option(argc, argv, "+:h", longs, help, err)) >= 0) {
		if (cm_parse_number(optarg, "--pid", 1, INT_MAX, &pid, err) < 0)
			return -err->code;
	}
	if (c == -2 || cm_cli_id_words(cli, argc, argv, 1, 1, err) < 0)
		return -err->code;
	if (cm_cli_need(cli, argv[optind], "wait for", ~0u, err) < 0)
		return -err->code;
	c = wait_call(cli, argv[optind], pid, &status, pid ? err : &ignored);
	if (c < 0 && (pid || wait_recorded(cli, argv[optind], &status, err) < 0))
		return -err->code;
	return cm_cli_print_json(
		json_pack("{s:s, s:i}", "id", argv[optind], "exitStatus", cm_cli_exit_code(status)),
		err);
}
