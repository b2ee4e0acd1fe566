/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracing of system calls in strace's format; off unless the boot option `trace`, the agent or a debugger turns it on: the latter from outside,
 * by writing TRACE_RING or TRACE_FUSE into trace_enabled.
 */
#ifndef SYSCALL_TRACE_H
#define SYSCALL_TRACE_H

#include "lib/types.h"

struct siginfo;
struct sysargs;
struct task;

#define TRACE_SINK 1u /* calls go to the sink or the log */
#define TRACE_RING 2u /* calls go to debug/trace_ring.h */
#define TRACE_FUSE 4u /* requests to the file server go there */
extern u32 trace_enabled; /* TRACE_*; atomic */

/* Are calls traced? */
static inline bool trace_calls_on(void)
{
	return unlikely(READ_ONCE(trace_enabled) & (TRACE_SINK | TRACE_RING));
}

/* sink NULL = the sentry's log. The sink gets whole lines in task context, may sleep, and must not make traced system calls. */
void trace_start(void (*sink)(const char *text, size_t len));
void trace_stop(void);
#define TRACE_ONLY 8
/* Only the calls whose bits are set from now on; no bit: all. For every taker of calls. */
void trace_only(const u64 bits[TRACE_ONLY]);
/* Before and after the handler, in the calling task. */
void trace_enter(struct task *t, u64 nr, const struct sysargs *a);
void trace_leave(struct task *t, u64 nr, const struct sysargs *a, s64 ret);
/* "--- SIGX {...} ---" and "+++ exited with N +++". */
void trace_signal(struct task *t, int sig, int code, u64 addr, int pid);
void trace_exit_status(struct task *t, int status);
/* One request to the file server, done: its number as in <linux/fuse.h>, the node, bytes of the reply or -errno, how long it took. */
void trace_fuse(u32 op, u64 nodeid, s64 result, u64 ns);
/* One that has no reply, sent. */
void trace_fuse_sent(u32 op, u64 nodeid);

#endif
