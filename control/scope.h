/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --systemd-cgroup: the host cgroup of a sandbox is a scope of systemd. linux.cgroupsPath is "SLICE:PREFIX:NAME" then, as runc reads it: the unit
 * PREFIX-NAME.scope in SLICE; no slice is system.slice, no prefix is NAME.scope, no path at all is casemate-ID.scope in system.slice.
 *
 * systemd makes the group where it has a hierarchy for it and is told the limits that it has properties for, so that it does not put its own values there
 * later; control/cgroup.c does the rest, in all hierarchies. systemd is asked by its own busctl(1), from processes that are in the caller's namespaces.
 */
#ifndef CM_CONTROL_SCOPE_H
#define CM_CONTROL_SCOPE_H

#include <sys/types.h>
#include "common/err.h"
#include "control/spec.h"

struct cm_scope {
	char *slice, *unit;
	char *path; /* absolute, of the group: /a.slice/a-b.slice/PREFIX-NAME.scope */
};

/* What a path stands for; NULL or "" where there is none. -EINVAL: err names the part that is wrong. */
int cm_scope_parse(
	struct cm_scope *s, const char *cgroups_path, const char *id, struct cm_err *err);

/* The scope, with these processes in it (0: none); waits until the first is there. 0 or -errno: there is none. res: NULL for no limits. */
int cm_scope_start(const struct cm_scope *s, const struct cm_spec_resources *res,
	const pid_t pids[2], struct cm_err *err);

/* The limits that res has. Nothing is done where they have no properties. */
int cm_scope_update(const char *unit, const struct cm_spec_resources *res, struct cm_err *err);

/* It is empty and not needed any more. Best effort: systemd notices by itself, too, but later. */
void cm_scope_stop(const char *unit);

/* Free the members. */
void cm_scope_fini(struct cm_scope *s);

#endif
