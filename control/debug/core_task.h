/* SPDX-License-Identifier: Apache-2.0 */
/* An ordinary core of one process. */
#ifndef CM_DEBUG_CORE_TASK_H
#define CM_DEBUG_CORE_TASK_H

#include "common/err.h"
#include "control/debug/core.h"
#include "control/debug/gdb.h"

/* Of process g->pid; the vCPUs stand. 0, or -errno with err filled. */
int core_of_task(struct gdb *g, struct core *c, struct cm_err *err);

#endif
