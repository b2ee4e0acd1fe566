/* SPDX-License-Identifier: Apache-2.0 */
/* What a container leaves on the host. */
#include <config.h>
#include "control/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "control/hooks.h"
#include "control/scope.h"

#define HOST_WAIT_MS 2000 /* for killed processes to be gone from a cgroup */

void cm_host_leave(const struct cm_state *st)
{
	struct cm_err err;
	struct cm_cgroup cg;
	int r;

	if (st->cgroups && cm_cgroup_from_json(&cg, st->cgroups, &err) == 0) {
		r = cm_cgroup_remove(&cg, HOST_WAIT_MS);
		if (r < 0)
			fprintf(stderr, "casemate: the cgroup of '%s' stays: %s\n", st->id,
				strerror(-r));
		cm_cgroup_fini(&cg);
	}
	if (st->scope)
		cm_scope_stop(st->scope);
	if (cm_hooks_run_state(st, CM_HOOK_POSTSTOP, CM_STOPPED, &err) < 0)
		fprintf(stderr, "casemate: %s\n", err.msg);
}

static int host_make_cgroup(const struct cm_spec *spec, struct cm_cgroup *cg, struct cm_err *err)
{
	int r = cm_cgroup_make(cg, spec, err);

	return r < 0 ? r : cm_cgroup_join(cg, getpid(), err);
}

int cm_host_cgroup(const struct cm_sandbox_options *o, int cli_fd, const struct cm_spec *spec,
	struct cm_state *st, struct cm_cgroup *cg, struct cm_err *err)
{
	struct cm_scope scope = { 0 };
	char vmm[16] = "";
	int r = 0;

	if (!o->systemd && !cm_cgroup_wanted(spec))
		return 0;
	if (o->systemd)
		r = cm_scope_parse(&scope, spec->cgroups_path, o->id, err);
	/* Before systemd moves this process: it is going to leave the group to where it was. */
	if (r == 0)
		r = cm_cgroup_locate(cg, spec, o->id, scope.path, err);
	if (st->vmm_pid > 0)
		snprintf(vmm, sizeof(vmm), "%d", (int)st->vmm_pid);
	if (r == 0 && o->systemd)
		r = cm_sandbox_ask(cli_fd, CM_MSG_SCOPE, (int)st->pid, vmm, err);
	if (r == 0)
		r = host_make_cgroup(spec, cg, err);
	if (r == 0) {
		st->cgroups = cm_cgroup_json(cg);
		st->scope = scope.unit;
		scope.unit = NULL;
	}
	cm_scope_fini(&scope);
	return r;
}

int cm_host_keep_hooks(struct cm_state *st, const struct cm_spec *spec, struct cm_err *err)
{
	static const enum cm_hook_kind later[] = { CM_HOOK_START_CONTAINER, CM_HOOK_POSTSTART,
		CM_HOOK_POSTSTOP };
	json_t *hooks = json_object_get(spec->doc, "hooks");

	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		const char *name = cm_hook_name(later[i]);

		if (!spec->hooks[later[i]].n)
			continue;
		if (!st->hooks)
			st->hooks = json_object();
		if (json_object_set(st->hooks, name, json_object_get(hooks, name)) < 0)
			return cm_err_set(err, ENOMEM, "keep hooks");
	}
	return 0;
}
