/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process beside the sandbox process that can start one program: casemate-debug, which tells all stacks of the guest. The sandbox process
 * itself starts nothing once it is sealed, and must not see the guest's memory; so this one is forked before, and sleeps. It gets a connection to
 * the VMM and a pipe for the answer, and ends with the sandbox process.
 */
#ifndef CM_CONTROL_SPAWNER_H
#define CM_CONTROL_SPAWNER_H

#include "common/err.h"

#define CM_SPAWNER_SECONDS 9 /* that a program may take */

/* Start it: the socket to speak to it, or -errno. */
int cm_spawner_start(struct cm_err *err);

/* Let it start the program: debug is a connection to the VMM, out takes the text, both stay the caller's. 0 or -errno. */
int cm_spawner_stacks(int fd, int debug, int out);

#endif
