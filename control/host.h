/* SPDX-License-Identifier: Apache-2.0 */
/* What a container leaves on the host besides its record, and the hooks of its end. */
#ifndef CM_CONTROL_HOST_H
#define CM_CONTROL_HOST_H

#include "control/cgroup.h"
#include "control/sandbox.h"
#include "control/spec.h"
#include "control/state.h"

/*
 * The container of this record, whose processes are gone, is no more: remove its cgroup, run its poststop hooks. Called once, by whom the record
 * was removed. Failures are told on standard error: the container is gone all the same.
 */
void cm_host_leave(const struct cm_state *st);

/*
 * The cgroup that the configuration asks for, with the calling process in it; by --systemd-cgroup it is a scope, for which the command at the other end of
 * cli_fd is asked. Into the record, too. Nothing is done where none is wanted.
 */
int cm_host_cgroup(const struct cm_sandbox_options *o, int cli_fd, const struct cm_spec *spec,
	struct cm_state *st, struct cm_cgroup *cg, struct cm_err *err);

/* The hooks of spec that other commands run later, into the record. */
int cm_host_keep_hooks(struct cm_state *st, const struct cm_spec *spec, struct cm_err *err);

/*
 * Whoever joins this process's mount namespace, or looks at its /proc/PID/root, finds the container's root directory from now on. The working directory
 * becomes cwd. proc: its /proc, where it has one, shows the PID namespace of this process, which must not be the host's.
 */
int cm_host_show_rootfs(
	int bundle_fd, const char *root_path, int cwd, bool proc, struct cm_err *err);

#endif
