/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a container's root directory. */
#ifndef CM_CONTROL_ROOTFS_H
#define CM_CONTROL_ROOTFS_H

#include <stdbool.h>
#include "common/err.h"
#include "control/volumes.h"

/*
 * O_PATH descriptor of the root directory `path` of config.json. A relative path must stay below the bundle directory, symbolic links
 * included; an absolute one is the administrator's word, but no /proc magic link is followed. Errors say what it is instead.
 */
int cm_rootfs_open(int bundle, const char *path, struct cm_err *err);

/*
 * Make the missing directories of a path below the root directory (mode 0755), and at its end a directory or an empty file, for mount
 * points of a root that the guest may not write to. Links are resolved inside the root and never lead out of it. 0 or -errno; an existing
 * path of any kind is fine.
 */
int cm_rootfs_make(int rootfs, const char *path, bool file, struct cm_err *err);

/*
 * What the guest cannot make in a root that is read-only: cm_rootfs_make for every mount of the configuration, and its missing device nodes. Those inside
 * another mount are not in the root.
 */
int cm_rootfs_prepare(int rootfs, const struct cm_spec *spec, const struct cm_volumes *volumes,
	struct cm_err *err);

#endif
