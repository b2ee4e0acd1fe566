/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host cgroup of a sandbox: all its processes are in one group, made as linux.cgroupsPath says (absolute: below the root of each hierarchy;
 * relative: below the caller's own group), in every hierarchy of cgroup v1, named ones included, or in the one of a pure v2 host. On a hybrid
 * host the v2 hierarchy, which holds no controller that matters, is left alone.
 *
 * What the guest can enforce itself, memory and the number of tasks, it gets as well, and the host's limits leave room for the processes that
 * carry it: see cm_cgroup_guest_memory.
 */
#ifndef CM_CONTROL_CGROUP_H
#define CM_CONTROL_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>
#include "common/err.h"
#include "control/spec.h"

#define CM_CGROUP_DIRS	   16
#define CM_CGROUP_OVERHEAD 64 /* tasks of a sandbox that are not the guest's */

struct cm_cgroup_dir {
	char *path;
	char *controllers; /* ",cpu,cpuacct," */
	char *home; /* where the process that made the group was before; NULL in one from a record */
	bool v2;
};

struct cm_cgroup {
	struct cm_cgroup_dir dir[CM_CGROUP_DIRS];
	unsigned n;
};

/* Does this configuration need a cgroup? It names one, or limits something. */
bool cm_cgroup_wanted(const struct cm_spec *spec);

/*
 * Where the group lies, and where this process is now; id names it where the configuration does not. scope: the path of the group that systemd makes for
 * it, which counts instead (control/scope.h), or NULL. On failure err names the path in the configuration.
 */
int cm_cgroup_locate(struct cm_cgroup *cg, const struct cm_spec *spec, const char *id,
	const char *scope, struct cm_err *err);

/* Make the group and set its limits. On failure nothing is left, cg is as cm_cgroup_fini leaves it, and err names the file that refused. */
int cm_cgroup_make(struct cm_cgroup *cg, const struct cm_spec *spec, struct cm_err *err);

/* Move a process, with all its threads, into the group. */
int cm_cgroup_join(const struct cm_cgroup *cg, pid_t pid, struct cm_err *err);

/* Move the calling process back to where it was. Best effort: what cannot be left is not removed then. */
void cm_cgroup_leave(const struct cm_cgroup *cg);

/* Set the limits that res has. */
int cm_cgroup_update(
	const struct cm_cgroup *cg, const struct cm_spec_resources *res, struct cm_err *err);

/* The group as a JSON array of paths, for the record; and back. A new reference. */
json_t *cm_cgroup_json(const struct cm_cgroup *cg);
int cm_cgroup_from_json(struct cm_cgroup *cg, const json_t *paths, struct cm_err *err);

/* Remove the group, waiting up to `ms` for processes that are about to end. Parents stay. 0 or -errno of the first that stays. */
int cm_cgroup_remove(const struct cm_cgroup *cg, long ms);

/* Free the members. */
void cm_cgroup_fini(struct cm_cgroup *cg);

/*
 * Bytes that the guest may give a container, 0: no limit. whole: it is the sandbox's only or first one, so the guest and the processes around it stay
 * below the limit together; that of a further container is its own alone.
 */
uint64_t cm_cgroup_guest_memory(const struct cm_spec_resources *res, bool whole);

/*
 * What else the container's cgroup in the guest is told: calls add for each control file. cpu_max: what that file of it holds, from which quota or period
 * is taken when res has the other alone; NULL: it is new.
 */
void cm_cgroup_guest_files(const struct cm_spec_resources *res, const char *cpu_max,
	void (*add)(void *arg, const char *file, const char *value), void *arg);

/* Tasks that the guest may have; 0: no limit. */
uint32_t cm_cgroup_guest_pids(const struct cm_spec_resources *res);

/*
 * Virtual CPUs of a sandbox for which none are asked: those that this process may run on, as many as the container's quota pays for, rounded up, and its
 * set of CPUs holds. 1 .. CM_CPUS_MAX. res NULL: without limits.
 */
unsigned cm_cgroup_cpus(const struct cm_spec_resources *res);

/* The first member of res that the host alone can enforce, by its name in linux.resources; NULL: there is none. */
const char *cm_cgroup_limits_host(const struct cm_spec_resources *res);

#endif
