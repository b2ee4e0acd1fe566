/* SPDX-License-Identifier: Apache-2.0 */
/* linux.seccomp compiled into the program that the sentry runs. */
#ifndef CM_CONTROL_SECCOMP_PROFILE_H
#define CM_CONTROL_SECCOMP_PROFILE_H

#include <jansson.h>
#include <stdint.h>
#include "casemate/rpc.h"
#include "common/err.h"

struct cm_seccomp_program {
	struct cm_rpc_insn *insn; /* owned */
	uint32_t n;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
};

/*
 * Compile a linux.seccomp object. Only x86-64 counts, the one ABI of a guest; names that libseccomp does not know are left out, as with every
 * OCI runtime. 0, or -errno with err naming the place.
 */
int cm_seccomp_compile(json_t *profile, struct cm_seccomp_program *out, struct cm_err *err);
void cm_seccomp_program_fini(struct cm_seccomp_program *p);

#endif
