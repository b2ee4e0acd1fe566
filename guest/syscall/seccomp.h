/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp as prctl(2) and ptrace(2) know it. */
#ifndef SYSCALL_SECCOMP_H
#define SYSCALL_SECCOMP_H

#include "syscall/syscall.h"

/* PR_SET_SECCOMP. */
s64 prctl_set_seccomp(struct task *t, u64 mode, uaddr_t prog);
/* PTRACE_SECCOMP_GET_FILTER and PTRACE_SECCOMP_GET_METADATA of a stopped tracee. */
s64 ptrace_seccomp_filter(struct task *t, u64 n, uaddr_t to);
s64 ptrace_seccomp_metadata(struct task *t, u64 size, uaddr_t at);

#endif
