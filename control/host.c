/* SPDX-License-Identifier: Apache-2.0 */
/* What a container leaves on the host. */
#include <config.h>
#include "control/host.h"

#include <stdio.h>
#include <string.h>
#include "control/cgroup.h"
#include "control/hooks.h"

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
	if (cm_hooks_run_state(st, CM_HOOK_POSTSTOP, CM_STOPPED, &err) < 0)
		fprintf(stderr, "casemate: %s\n", err.msg);
}
