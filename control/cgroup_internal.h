/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by control/cgroup*.c. */
#ifndef CM_CONTROL_CGROUP_INTERNAL_H
#define CM_CONTROL_CGROUP_INTERNAL_H

#include "control/cgroup.h"

bool cm_cgroup_has(const struct cm_cgroup_dir *d, const char *controller);
/* Write a file of the group. 0 or -errno. */
int cm_cgroup_write(const struct cm_cgroup_dir *d, const char *file, const char *text);
bool cm_cgroup_limits_anything(const struct cm_spec_resources *res);

#endif
