/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Installs the system call filters that tools/gen-seccomp builds from "#syscalls:" comments. A forbidden call kills the process by SIGSYS;
 * a developer build first says on descriptor 2 which call it was.
 */
#ifndef CM_COMMON_SECCOMP_H
#define CM_COMMON_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "common/err.h"

#ifdef CM_DEVEL
#define CM_SECCOMP_DENY SECCOMP_RET_TRAP
#else
#define CM_SECCOMP_DENY SECCOMP_RET_KILL_PROCESS
#endif

/*
 * Filter the calling thread and every thread that it creates later. no_new_privs must be set. A thread may be filtered more than once;
 * every filter must allow a call. `name` names the profile in the error. 0 or -errno.
 */
int cm_seccomp_install(
	const struct sock_filter *filter, size_t len, const char *name, struct cm_err *err);

/* Developer builds: install the handler that names a forbidden call. Else nothing. Before the filters. */
void cm_seccomp_report_calls(void);

#define CM_SECCOMP_INSTALL(filter, err) \
	cm_seccomp_install(filter, sizeof(filter) / sizeof((filter)[0]), #filter, err)

#endif
