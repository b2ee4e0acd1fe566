/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: programs of the host that config.json wants run at moments of a container's life. Each gets the container's state as JSON on standard
 * input, its own arguments, its own environment or else the caller's, starts in the bundle directory, and is killed when its time is over.
 *
 * Order and failures are runc's: prestart, createRuntime and createContainer run before the program exists, and the first that fails undoes the
 * creation; startContainer inside of it, before the program (control/start.c); poststart after it began, a failure ends the container; poststop after everything is gone, failures are only told.
 * createContainer hooks run on the host, like the others: a guest has no namespace that a process of the host could enter.
 */
#ifndef CM_CONTROL_HOOKS_H
#define CM_CONTROL_HOOKS_H

#include "common/err.h"
#include "control/spec.h"
#include "control/state.h"

/*
 * Run the hooks of one kind with st as their input (its status is given as `status`), in the directory cwd (a descriptor). 0, or -errno of the first
 * that failed, the others not run; kind poststop runs all and returns the first error.
 */
int cm_hooks_run(const struct cm_spec_hooks hooks[CM_HOOK_KINDS], enum cm_hook_kind kind,
	const struct cm_state *st, enum cm_status status, int cwd, struct cm_err *err);

/* Run any program of the host in the same way, in "/" and without input. 0, or -errno with the beginning of what it said. */
int cm_hooks_program(const struct cm_spec_hook *program, struct cm_err *err);

/* A descriptor from which st can be read as hooks get it, with this status. -errno. */
int cm_hooks_input(const struct cm_state *st, enum cm_status status, struct cm_err *err);

/* The same for a record, which holds the hooks of the configuration. Nothing is done for a record without hooks. */
int cm_hooks_run_state(const struct cm_state *st, enum cm_hook_kind kind, enum cm_status status,
	struct cm_err *err);

#endif
