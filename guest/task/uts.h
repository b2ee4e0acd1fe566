/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the system: uname(2) and /proc/sys/kernel. */
#ifndef TASK_UTS_H
#define TASK_UTS_H

#include <linux/utsname.h>

#include "kernel/lock.h"
#include "task/ns.h"

#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.1.0-casemate"
#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC Casemate"
#define UTS_MACHINE "x86_64"

struct uts_ns {
	struct ns ns;
	struct spinlock lock; /* protects: name */
	struct new_utsname name;
};
extern struct uts_ns uts_ns_root;
/* A new one with the same names. 0, -ENOSPC, -ENOMEM. */
int uts_ns_create(struct uts_ns *from, struct user_ns *owner, struct uts_ns **out);
void uts_ns_get(struct uts_ns *ns);
void uts_ns_put(struct uts_ns *ns);

/* A copy of the current namespace's names. */
void uts_get(struct new_utsname *out);
/* NUL not needed; 0 or -EINVAL (longer than 64). */
int uts_set_hostname(const char *name, size_t len);
int uts_set_domainname(const char *name, size_t len);

#endif
