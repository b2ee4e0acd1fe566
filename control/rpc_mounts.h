/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts of an OCI configuration in the START request, and what their options mean. */
#ifndef CM_CONTROL_RPC_MOUNTS_H
#define CM_CONTROL_RPC_MOUNTS_H

#include "common/err.h"
#include "control/buf.h"
#include "control/volumes.h"

/*
 * Append a struct cm_rpc_mount for each mount. 0, or -errno with err naming the type or option that cannot be served: nothing is dropped that
 * man casemate does not list as without effect.
 */
int cm_rpc_add_mounts(struct cm_buf *b, const struct cm_spec *spec,
	const struct cm_volumes *volumes, struct cm_err *err);

/* linux.rootfsPropagation as the flags of mount(2); 0 for NULL, and for what is none. */
uint32_t cm_rpc_propagation(const char *word);

/* Append destination, source and data of each. */
void cm_rpc_add_mount_words(struct cm_buf *b, const struct cm_spec *spec);

#endif
