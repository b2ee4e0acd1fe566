/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes have in common that stand for a container on the host: they are forked from a command and outlive it. */
#ifndef CM_CONTROL_PROCESS_H
#define CM_CONTROL_PROCESS_H

#include <sys/types.h>
#include "common/err.h"
#include "control/preserve.h"

/* Close every inherited descriptor above 2 that is neither in keep (negative ones do not count) nor in the preserved ones. */
void cm_process_close_others(const int *keep, int n, const struct cm_preserve *p);

/*
 * Under this name (15 characters), with a session of its own: signals of the terminal stay away, and any terminal may be read from. All signals are
 * blocked; those but SIGCHLD come through the descriptor that is returned. -errno.
 */
int cm_process_detach(const char *name, struct cm_err *err);

/*
 * The number of this process, and of the child behind a pidfd, as /proc of the host has it: in a PID namespace of its own getpid() says something that
 * nobody else understands. fallback: what is returned where /proc does not tell.
 */
pid_t cm_process_host_pid(void);
pid_t cm_process_host_pid_of(int pidfd, pid_t fallback);

#endif
