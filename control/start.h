/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a container whose program is held: hooks inside of it, the program, hooks on the host. */
#ifndef CM_CONTROL_START_H
#define CM_CONTROL_START_H

#include "common/err.h"
#include "control/state.h"

/*
 * st: its record. startContainer hooks run as processes of the container, one after the other, with its ids, capabilities and environment; then its program
 * is let go. 0, or -errno: a hook that failed ends the container.
 */
int cm_start_program(
	const char *root, const char *id, const struct cm_state *st, struct cm_err *err);

/* poststart hooks: a failure ends the container. */
int cm_start_poststart(
	const char *root, const char *id, const struct cm_state *st, struct cm_err *err);

#endif
