/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals of the host: pseudo-terminals for engines (--console-socket) and the raw mode of the user's own. */
#ifndef CM_CONTROL_CONSOLE_H
#define CM_CONTROL_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/err.h"

/* Connect to the UNIX socket that an engine listens on for the master side. */
int cm_console_connect(const char *path, struct cm_err *err);

/*
 * Make a pseudo-terminal in raw mode and send its master through the connected socket, as runc does: one message, the descriptor as
 * SCM_RIGHTS, the name as data. The slave becomes the controlling terminal of the calling session leader, so that it gets SIGWINCH.
 * Returns the slave.
 */
int cm_console_send(int sock, struct cm_err *err);

/* Window size of a terminal; zeroes when it is none. */
void cm_console_size(int fd, uint16_t *rows, uint16_t *cols);

/* The user's terminal among descriptors 0, 1, 2: -1 when there is none. */
int cm_console_user(void);

/* Put the user's terminal into raw mode until the process ends (or cm_console_restore is called). */
void cm_console_raw(int fd);
void cm_console_restore(void);

#endif
