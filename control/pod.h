/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's place in a pod, as CRI engines write it into the annotations: containerd's io.kubernetes.cri.container-type and
 * io.kubernetes.cri.sandbox-id, cri-o's io.kubernetes.cri-o.ContainerType and io.kubernetes.cri-o.SandboxID. A pod's sandbox is a container like any
 * other; the pod's containers live in its microVM.
 */
#ifndef CM_CONTROL_POD_H
#define CM_CONTROL_POD_H

#include <jansson.h>
#include "common/err.h"

#define CM_POD_WORD "io.kubernetes.cri" /* a configuration without it is of no pod */

enum cm_pod_role {
	CM_POD_NONE,
	CM_POD_SANDBOX,
	CM_POD_CONTAINER
};

/*
 * The role that the annotations (NULL allowed) give a container. *sandbox: for CM_POD_CONTAINER the id of the sandbox, borrowed; else NULL. 0, or -EINVAL
 * for a type that is none, or a container without a sandbox.
 */
int cm_pod_role(const json_t *annotations, enum cm_pod_role *role, const char **sandbox,
	struct cm_err *err);

#endif
