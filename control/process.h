/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes have in common that stand for a container on the host: they are forked from a command and outlive it. */
#ifndef CM_CONTROL_PROCESS_H
#define CM_CONTROL_PROCESS_H

#include "common/err.h"

/* Close every inherited descriptor above 2 that is not in keep (negative ones do not count). */
void cm_process_close_others(const int *keep, int n);

/*
 * Under this name (15 characters), with a session of its own: signals of the terminal stay away, and any terminal may be read from. All signals are
 * blocked; those but SIGCHLD come through the descriptor that is returned. -errno.
 */
int cm_process_detach(const char *name, struct cm_err *err);

#endif
