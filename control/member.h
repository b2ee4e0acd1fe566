/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that stands for a further container of a sandbox: forked from the command line (its pid is the container's OCI pid), it owns the
 * container's record and starts its file server, which dies with it; the container itself lives in the microVM of another one, whose sandbox process it
 * calls. A signal to it is the container's, its exit code is the container's, and where either end dies the other one follows: a container without its
 * process is killed, and a process whose sandbox is gone ends as killed.
 */
#ifndef CM_CONTROL_MEMBER_H
#define CM_CONTROL_MEMBER_H

#include "control/sandbox.h"

/* Body of the forked process for a container of the sandbox o->sandbox; o->spec is read. As cm_sandbox_main. */
int cm_member_main(const struct cm_sandbox_options *o, int fd);

#endif
