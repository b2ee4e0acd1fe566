/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces of the host for the process that stands for a container, as linux.namespaces asks for them: what engines, monitors and whoever reads
 * /proc/PID/ns expect of an OCI process. What runs in the guest has the guest's own namespaces in any case: docs/OCI.md tells what that means.
 *
 * Each is entered where it can be: pid by a fork, those by path before the helpers start, new ones while the guest boots, mount when nothing is
 * opened by name any more, user last, because the host's rights end there.
 */
#ifndef CM_CONTROL_NAMESPACES_H
#define CM_CONTROL_NAMESPACES_H

#include <sys/types.h>
#include "common/err.h"
#include "control/spec.h"

#define CM_NAMESPACES	  8
#define CM_NAMESPACE_NAME 65 /* with its NUL */

struct cm_namespaces {
	int fd[CM_NAMESPACES]; /* those by path; -1 = none */
	int make; /* CLONE_* of those without one */
	char hostname[CM_NAMESPACE_NAME],
		domainname[CM_NAMESPACE_NAME]; /* of a uts namespace that was joined */
};

void cm_namespaces_init(struct cm_namespaces *n);
void cm_namespaces_fini(struct cm_namespaces *n);

/*
 * fork. With a configuration whose pid namespace is a new one or has a path, the child is in that one; the caller's later children are not. NULL, or one
 * that does not name pid: an ordinary fork. The pid, 0, or -errno.
 */
pid_t cm_namespaces_fork(const struct cm_spec *spec, struct cm_err *err);

/* Open those with a path. 0, or -errno: one is missing, or of another type. On success the caller owns *n. */
int cm_namespaces_open(struct cm_namespaces *n, const struct cm_spec *spec, struct cm_err *err);

/*
 * Join those by path but pid, mount and user. The names of a uts namespace become those of the configuration, where that has none; *n must live as
 * long as spec.
 */
int cm_namespaces_join(struct cm_namespaces *n, struct cm_spec *spec, struct cm_err *err);

/* Make the new ones but pid, mount and user. */
int cm_namespaces_make(const struct cm_namespaces *n, struct cm_err *err);

/* Is the mount namespace a new one? */
bool cm_namespaces_new_mount(const struct cm_namespaces *n);

/* Join the mount namespace that has a path; the working directory becomes cwd. */
int cm_namespaces_mount(const struct cm_namespaces *n, int cwd, struct cm_err *err);

/* Does cm_namespaces_user change anything? */
bool cm_namespaces_moves_user(const struct cm_namespaces *n, const struct cm_spec *spec);

/* Join the user namespace that has a path, or make one with the configuration's mappings. proc: the directory /proc/self of the host. */
int cm_namespaces_user(
	const struct cm_namespaces *n, const struct cm_spec *spec, int proc, struct cm_err *err);

#endif
