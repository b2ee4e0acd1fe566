/* SPDX-License-Identifier: Apache-2.0 */
/* The START request made of an OCI configuration, and the words for its failure. */
#ifndef CM_CONTROL_RPC_START_H
#define CM_CONTROL_RPC_START_H

#include <stdbool.h>
#include <stdint.h>
#include "common/err.h"
#include "control/buf.h"
#include "control/rpc_wire.h"
#include "control/seccomp_profile.h"
#include "control/spec.h"
#include "control/volumes.h"

struct cm_rpc_start_options {
	uint32_t container; /* its number */
	uint32_t join[CM_RPC_NS_KINDS]; /* see struct cm_rpc_start */
	const char *id; /* container id */
	bool overlay;
	const struct cm_seccomp_program *seccomp; /* NULL, or n = 0: no filter */
	const struct cm_volumes *volumes; /* of the bind mounts; NULL: there are none */
	bool hold; /* do not execute the program before RELEASE */
	uint64_t token
		[3]; /* streams of fd 0, 1, 2; 0 = /dev/null; with spec->terminal the first alone */
	uint16_t rows, cols; /* of the terminal, 0 = as process.consoleSize says */
	bool shared; /* its files are the root container's */
	bool no_home; /* HOME is not looked up */
	const char *user; /* overrides that of spec; NULL: none */
	const char *cgroup; /* that the program begins in; NULL: its own */
	const json_t *secrets; /* strings that follow the environment of spec; NULL: none */
	const struct cm_rpc_fd *fds; /* nfds descriptors besides the standard ones */
	uint32_t nfds;
};

/*
 * Append the payload of START (exec: of EXEC, which has only the process of spec) for spec to b. Errors (-EINVAL, -E2BIG, -ENOTSUP) name the field that the guest cannot serve.
 */
int cm_rpc_start_build(struct cm_buf *b, const struct cm_spec *spec,
	const struct cm_rpc_start_options *o, struct cm_err *err);
int cm_rpc_exec_build(struct cm_buf *b, const struct cm_spec *spec,
	const struct cm_rpc_start_options *o, struct cm_err *err);

/*
 * Set err from a failed START reply, in the words that container engines look for ("exec: "foo": executable file not found in
 * $PATH"). Returns -errno.
 */
int cm_rpc_start_error(
	const struct cm_rpc_frame *f, const struct cm_spec *spec, struct cm_err *err);

#endif
