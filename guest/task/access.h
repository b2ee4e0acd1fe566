/* SPDX-License-Identifier: Apache-2.0 */
/* Access of one process to the inside of another. */
#ifndef TASK_ACCESS_H
#define TASK_ACCESS_H

#include "lib/types.h"

struct task;

/* May the current task attach to, read and write t (ptrace access with real credentials)? */
bool task_may_access(struct task *t);
/* The same through /proc, where the file system's credentials count. A kernel thread may. */
bool task_may_access_fs(struct task *t);

#endif
