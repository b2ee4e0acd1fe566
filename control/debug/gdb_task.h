/* SPDX-License-Identifier: Apache-2.0 */
/* State of the target for one process (gdb_task.c), and what it has files of its own for. */
#ifndef CM_DEBUG_GDB_TASK_H
#define CM_DEBUG_GDB_TASK_H

#include "control/debug/gdb.h"
#include "control/debug/tasks.h"

#define GDB_THREADS 4096u
#define GDB_VMAS    8192u

/* The sentry's addresses of a task. */
struct gdb_thread {
	int tid;
	uint64_t task, thread, as;
	char comm[TASK_COMM]; /* escaped */
};

struct gdb_vma {
	uint64_t start, end;
	bool zero; /* readable, private and without a file: what was never touched is zeroes */
};

#define GDB_LEFT 16 /* unfinished steps that are remembered */

struct gdb_task {
	struct gdb *g;
	struct gdb_thread task[GDB_THREADS]; /* of the process, as of the last stop; by tid */
	unsigned ntasks;
	uint64_t as, root;
	struct gdb_vma vma[GDB_VMAS]; /* as of the last stop */
	unsigned nvmas;
	struct rsp_resume how; /* what gdb wants */
	bool running;
	uint64_t over; /* thread for whose step a breakpoint is out; 0 = none */
	uint64_t stepped, stepped_pc; /* the thread of the last step, and where it led */
	uint64_t left[GDB_LEFT]; /* threads whose step was cut short, but may be told yet */
	uint64_t trap_stubs, ret_from_fork; /* code between which registers are on their way */
};

/* gdb_task.c: look again, after every stop. -ESRCH: the process is gone. */
int gdb_task_refresh(struct gdb_task *st);

/* ---- gdb_task_regs.c: where a task's user registers are */

/* The vCPU that runs it, or GDB_NO_CPU; *user: in user mode, the vCPU's registers are the task's. */
uint32_t task_cpu(struct gdb_task *st, const struct gdb_thread *t, bool *user);
int task_get_regs(struct gdb_task *st, const struct gdb_thread *t, struct rsp_regs *r);
int task_set_regs(struct gdb_task *st, const struct gdb_thread *t, const struct rsp_regs *r);
/* Set the trap flag in the user registers of a task that is in the kernel; thread: the sentry's address of it. */
int task_set_trap(struct gdb_machine *m, uint64_t thread);

/* ---- gdb_svr4.c: qXfer:libraries-svr4 as text; 0 or -errno. read gives memory of the process: bytes from the start, or -errno. */
struct svr4_memory {
	int (*read)(void *arg, uint64_t addr, void *buf, size_t len);
	void *arg;
};
int svr4_libraries(const struct svr4_memory *mem, const uint64_t *auxv, size_t words, char **text,
	size_t *len);

#endif
