/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest does about an update of a container's limits: memory, tasks, CPU time. */
#ifndef CM_CONTROL_UPDATE_GUEST_H
#define CM_CONTROL_UPDATE_GUEST_H

#include <jansson.h>
#include "control/spec.h"
#include "control/state.h"

/* What was before, to go back to. */
struct cm_update_before {
	json_t *limits; /* the reply of casemate.Limit; NULL: it was not asked */
	json_t *files; /* args of Cgroups.WriteControlFiles; NULL: none was written */
};

/* Set the limits that res has and the guest can enforce. 0, or -errno: then nothing of it is set. *before: cm_update_guest_fini. */
int cm_update_guest(const char *root, const struct cm_state *st,
	const struct cm_spec_resources *res, struct cm_update_before *before, struct cm_err *err);

/* Go back, as far as that can be had. */
void cm_update_guest_undo(
	const char *root, const struct cm_state *st, const struct cm_update_before *before);

void cm_update_guest_fini(struct cm_update_before *before);

#endif
