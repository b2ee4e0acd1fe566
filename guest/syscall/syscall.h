/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls: table.def includes one table_AREA.def per area (file, mm, task, signal, time, poll, net, mount, misc); each line is
 *   SYS(name, handler, "argument kinds", LEVEL, "note")
 * LEVEL is FULL, PARTIAL (note: what is missing; that half returns an error) or NONE. The tables drive dispatch, tracing, docs/SYSCALLS.md and
 * the has-a-test check. A number that no table names returns -ENOSYS.
 * Argument kinds for the tracer (strace format): int, uint, long, hex, fd, dirfd, path, str, buf (length in the next argument), obuf (filled by the call, length = result),
 * ptr, size, off, oflags, mode, sig, pid, prot, mmapflags, ... ; a trailing "=kind" names the result's kind.
 */
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include "kernel/errno.h"
#include "lib/types.h"

struct task;

struct sysargs {
	u64 a[6];
};

/* >= 0, or -errno (restart codes included: signal delivery converts them). The calling task is `t`; never assumes its entry path. */
typedef s64 (*syscall_fn)(struct task *t, const struct sysargs *a);

#endif
