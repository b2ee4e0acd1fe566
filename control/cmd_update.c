/* SPDX-License-Identifier: Apache-2.0 */
/*
 * casemate update: changes the limits of a container that is there: those of its host cgroup, and what the guest enforces itself. The guest
 * comes first, so that a lower limit of memory finds it emptied, and gets its old limits back when the host refuses.
 */
#include <config.h>
#include "control/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/cgroup.h"
#include "control/parse.h"
#include "control/scope.h"
#include "control/state.h"
#include "control/update_guest.h"

static const char help[] =
	"usage: casemate update [OPTIONS] ID\n\n"
	"Change limits of container ID; what no option names stays. -1 is no limit.\n\n"
	"  -r, --resources FILE       read linux.resources of OCI from FILE (- is the\n"
	"                             standard input) and look at no other option\n"
	"  --memory SIZE              memory (like 512M), of guest and host\n"
	"  --memory-reservation SIZE  what the host leaves it when memory is short\n"
	"  --memory-swap SIZE         memory and swap together, on the host\n"
	"  --pids-limit N             tasks, of guest and host\n"
	"  --cpu-share N              weight against others\n"
	"  --cpu-period US, --cpu-quota US, --cpu-burst US\n"
	"                             CPU time in each period\n"
	"  --cpu-rt-period US, --cpu-rt-runtime US\n"
	"                             the same for real-time tasks\n"
	"  --cpu-idle 0|1             run only when nobody else does\n"
	"  --cpuset-cpus LIST, --cpuset-mems LIST\n"
	"                             CPUs and memory nodes of the host\n"
	"  --blkio-weight N           weight of its input and output on the host\n";

enum update_kind {
	UPDATE_SIZE, /* bytes, with a unit, or -1 */
	UPDATE_NUMBER,
	UPDATE_TEXT,
	UPDATE_NOTHING, /* taken for runc's sake, without effect */
	UPDATE_REFUSED,
};

/* Options in the order of `longs`; their place in linux.resources. */
static const struct update_option {
	const char *name, *object, *member;
	enum update_kind kind;
} update_options[] = {
	{ "memory", "memory", "limit", UPDATE_SIZE },
	{ "memory-reservation", "memory", "reservation", UPDATE_SIZE },
	{ "memory-swap", "memory", "swap", UPDATE_SIZE },
	{ "pids-limit", "pids", "limit", UPDATE_NUMBER },
	{ "cpu-share", "cpu", "shares", UPDATE_NUMBER },
	{ "cpu-period", "cpu", "period", UPDATE_NUMBER },
	{ "cpu-quota", "cpu", "quota", UPDATE_NUMBER },
	{ "cpu-burst", "cpu", "burst", UPDATE_NUMBER },
	{ "cpu-rt-period", "cpu", "realtimePeriod", UPDATE_NUMBER },
	{ "cpu-rt-runtime", "cpu", "realtimeRuntime", UPDATE_NUMBER },
	{ "cpu-idle", "cpu", "idle", UPDATE_NUMBER },
	{ "cpuset-cpus", "cpu", "cpus", UPDATE_TEXT },
	{ "cpuset-mems", "cpu", "mems", UPDATE_TEXT },
	{ "kernel-memory", NULL, NULL, UPDATE_NOTHING },
	{ "kernel-memory-tcp", NULL, NULL, UPDATE_NOTHING },
	{ "blkio-weight", "blockIO", "weight", UPDATE_NUMBER },
	{ "l3-cache-schema", NULL, NULL, UPDATE_REFUSED },
	{ "mem-bw-schema", NULL, NULL, UPDATE_REFUSED },
};

#define UPDATE_OPTIONS (sizeof(update_options) / sizeof(update_options[0]))
#define UPDATE_FIRST   0x100 /* value of the first of them */

static void update_longs(struct option longs[UPDATE_OPTIONS + 3])
{
	size_t i;

	for (i = 0; i < UPDATE_OPTIONS; i++)
		longs[i] = (struct option){ update_options[i].name, required_argument, NULL,
			UPDATE_FIRST + (int)i };
	longs[i++] = (struct option){ "resources", required_argument, NULL, 'r' };
	longs[i++] = (struct option){ "help", no_argument, NULL, 'h' };
	longs[i] = (struct option){ 0 };
}

/* The value of an option as a member of linux.resources; NULL with err set. */
static json_t *update_value(const struct update_option *o, struct cm_err *err)
{
	uint64_t bytes;
	long n;

	if (o->kind == UPDATE_TEXT)
		return json_string(optarg);
	if (o->kind == UPDATE_NUMBER)
		return cm_parse_number(optarg, o->name, -1, INT64_MAX, &n, err) < 0
			       ? NULL
			       : json_integer(n);
	if (strcmp(optarg, "-1") == 0)
		return json_integer(-1);
	return cm_parse_size(optarg, o->name, &bytes, err) < 0 ? NULL
							       : json_integer((json_int_t)bytes);
}

static int update_set(json_t *res, const struct update_option *o, struct cm_err *err)
{
	json_t *object, *value;

	if (o->kind == UPDATE_NOTHING)
		return 0;
	if (o->kind == UPDATE_REFUSED)
		return cm_err_set(err, ENOTSUP, "update: --%s", o->name);
	value = update_value(o, err);
	if (!value)
		return -err->code;
	object = json_object_get(res, o->object);
	if (!object) {
		object = json_object();
		json_object_set_new(res, o->object, object);
	}
	json_object_set_new(object, o->member, value);
	return 0;
}

/* The words of the command line as linux.resources: a new reference, or NULL with err set. */
static json_t *update_parse(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	struct option longs[UPDATE_OPTIONS + 3];
	const char *file = NULL;
	json_t *res = json_object();
	int c, r = 0;

	update_longs(longs);
	while (r == 0 && (c = cm_cli_option(argc, argv, "+:r:h", longs, help, err)) != -1) {
		if (c == 'r')
			file = optarg;
		else
			r = c == -2 ? -err->code
				    : update_set(res, &update_options[c - UPDATE_FIRST], err);
	}
	if (r == 0)
		r = cm_cli_id_words(cli, argc, argv, 1, 1, err);
	if (r < 0 || file) {
		json_decref(res);
		res = NULL;
	}
	if (r == 0 && file)
		res = cm_spec_load_object(file, err);
	return res;
}

static int update_host(
	const struct cm_state *st, const struct cm_spec_resources *res, struct cm_err *err)
{
	struct cm_cgroup cg;
	int r;

	if (!st->cgroups) {
		/* Without a group memory, tasks and CPU time are limited where they are used. */
		const char *name = cm_cgroup_limits_host(res);

		if (!name)
			return 0;
		return cm_err_set(err, ENOTSUP,
			"linux.resources.%s: container '%s' has no cgroup of its own on the host",
			name, st->id);
	}
	r = cm_cgroup_from_json(&cg, st->cgroups, err);
	if (r == 0) {
		r = cm_cgroup_update(&cg, res, err);
		cm_cgroup_fini(&cg);
	}
	if (r == 0 && st->scope)
		r = cm_scope_update(st->scope, res, err);
	return r;
}

static int update_apply(const struct cm_cli *cli, const struct cm_state *st,
	const struct cm_spec_resources *res, struct cm_err *err)
{
	struct cm_update_before before = { 0 };
	int r = cm_update_guest(cli->root, st, res, &before, err);

	if (r == 0) {
		r = update_host(st, res, err);
		if (r < 0)
			cm_update_guest_undo(cli->root, st, &before);
	}
	cm_update_guest_fini(&before);
	return r;
}

int cm_cmd_update(const struct cm_cli *cli, int argc, char **argv, struct cm_err *err)
{
	json_t *doc = update_parse(cli, argc, argv, err);
	struct cm_spec_resources res;
	struct cm_state st;
	int r;

	if (!doc)
		return -err->code;
	r = cm_spec_parse_resources(doc, &res, err);
	if (r == 0)
		r = cm_state_load(cli->root, argv[optind], &st, err);
	if (r == 0) {
		if (st.status == CM_STOPPED || st.status == CM_CREATING)
			r = cm_err_set(err, 0, "cannot update container '%s' that is %s", st.id,
				cm_status_name(st.status));
		else
			r = update_apply(cli, &st, &res, err);
		cm_state_fini(&st);
	}
	json_decref(doc);
	return r;
}
