/* SPDX-License-Identifier: Apache-2.0 */
/* The stages by which the VMM gives up what it does not need. Theory of operation in stage.c. */
#ifndef CM_VMM_STAGE_H
#define CM_VMM_STAGE_H

#include "common/err.h"

struct opts;

/* Stage 1: close every descriptor that no option names. */
int stage_inherit(const struct opts *o, struct cm_err *err);

/*
 * Stage 3: leave the host's namespaces and file tree, drop every privilege. No thread may exist yet. The last step goes on in the
 * background: nothing may use a path from here on, and stage_isolated waits for its end.
 */
int stage_isolate(const struct opts *o, struct cm_err *err);
int stage_isolated(struct cm_err *err);

/* Stage 5: filter the system calls of the calling thread. */
int stage_seal_io(struct cm_err *err);
int stage_seal_vcpu(struct cm_err *err);
int stage_seal_dbg(struct cm_err *err);

/*
 * Note a point in time of the start by name (a literal); stage_report_times appends "name=us" for each to buf, durations since the point
 * before. Main thread, at most 12 points.
 */
void stage_mark(const char *name);
int stage_report_times(char *buf, unsigned size);

#endif
