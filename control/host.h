/* SPDX-License-Identifier: Apache-2.0 */
/* What a container leaves on the host besides its record, and the hooks of its end. */
#ifndef CM_CONTROL_HOST_H
#define CM_CONTROL_HOST_H

#include "control/state.h"

/*
 * The container of this record, whose processes are gone, is no more: remove its cgroup, run its poststop hooks. Called once, by whom the record
 * was removed. Failures are told on standard error: the container is gone all the same.
 */
void cm_host_leave(const struct cm_state *st);

#endif
