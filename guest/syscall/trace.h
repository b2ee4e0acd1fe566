/* SPDX-License-Identifier: Apache-2.0 */
/* Tracing of system calls in strace's format; off unless the boot option `trace` or the agent turns it on. */
#ifndef SYSCALL_TRACE_H
#define SYSCALL_TRACE_H

#include "lib/types.h"

struct siginfo;
struct sysargs;
struct task;

extern bool trace_enabled;

/* sink NULL = the sentry's log. The sink gets whole lines in task context, may sleep, and must not make traced system calls. */
void trace_start(void (*sink)(const char *text, size_t len));
void trace_stop(void);
/* Before and after the handler, in the calling task. */
void trace_enter(struct task *t, u64 nr, const struct sysargs *a);
void trace_leave(struct task *t, u64 nr, const struct sysargs *a, s64 ret);
/* "--- SIGX {...} ---" and "+++ exited with N +++". */
void trace_signal(struct task *t, int sig, int code, u64 addr, int pid);
void trace_exit_status(struct task *t, int status);

#endif
