/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by control/cgroup*.c. */
#ifndef CM_CONTROL_CGROUP_INTERNAL_H
#define CM_CONTROL_CGROUP_INTERNAL_H

#include "control/cgroup.h"

bool cm_cgroup_has(const struct cm_cgroup_dir *d, const char *controller);
/* Write a file of the group. 0 or -errno. */
int cm_cgroup_write(const struct cm_cgroup_dir *d, const char *file, const char *text);
/* Of linux.resources.NAME: `file` refused with r. Returns -err->code. */
int cm_cgroup_failed(const char *name, const struct cm_cgroup_dir *d, const char *file, int r,
	struct cm_err *err);
/* blockIO, hugepageLimits, network, rdma. 0 or -errno. */
int cm_cgroup_update_io(
	const struct cm_cgroup *cg, const struct cm_spec_resources *res, struct cm_err *err);
/* The first line of a file in a group. Its length or -errno. */
ssize_t cm_cgroup_read(const char *dir, const char *file, char *buf, size_t size);
/* A range of a list of CPUs or nodes, such as 0-3,6. False: there is none at *at, which else is moved behind it. */
bool cm_cgroup_list_range(const char **at, unsigned long *first, unsigned long *last);
bool cm_cgroup_limits_anything(const struct cm_spec_resources *res);
/* What v1 says as shares, 2 .. 262144, as the weight of v2, 1 .. 10000: as systemd and the other runtimes do. */
int64_t cm_cgroup_v2_weight(int64_t shares);

/* Does a configuration ask for this limit? 0 is none, as in the other runtimes. */
static inline bool cm_cgroup_is_set(int64_t v)
{
	return v != CM_SPEC_ABSENT && v != 0;
}

#endif
