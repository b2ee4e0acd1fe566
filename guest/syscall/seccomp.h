/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp as prctl(2) knows it. */
#ifndef SYSCALL_SECCOMP_H
#define SYSCALL_SECCOMP_H

#include "syscall/syscall.h"

/* PR_SET_SECCOMP. */
s64 prctl_set_seccomp(struct task *t, u64 mode, uaddr_t prog);

#endif
