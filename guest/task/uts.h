/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the system: uname(2) and /proc/sys/kernel. */
#ifndef TASK_UTS_H
#define TASK_UTS_H

#include <linux/utsname.h>

#include "lib/types.h"

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-casemate"
#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC Casemate"
#define UTS_MACHINE "x86_64"

/* A copy; nodename and domainname are the container's. */
void uts_get(struct new_utsname *out);
/* NUL not needed; 0 or -EINVAL (longer than 64). */
int uts_set_hostname(const char *name, size_t len);
int uts_set_domainname(const char *name, size_t len);

#endif
