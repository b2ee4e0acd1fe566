/* SPDX-License-Identifier: Apache-2.0 */
/* The sentry's tasks, their memory, files and stacks, read from outside. All text is escaped. */
#ifndef CM_DEBUG_TASKS_H
#define CM_DEBUG_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/debug/guest.h"

#define TASK_COMM 68 /* 16 bytes, escaped */
#define TASK_PATH 4096

struct task_info {
	uint64_t task, thread, group, as, files, fs, mnt_ns; /* kernel addresses, 0 = none */
	int tid, pid, ppid, pgid, sid; /* ppid 0 = child of the agent */
	uint32_t uid;
	char state; /* R runnable, S sleeps, D sleeps whatever comes, T stopped, Z zombie */
	unsigned cpu;
	bool running; /* on that vCPU now */
	uint64_t utime_ns, stime_ns;
	int64_t syscall; /* number of the one that it is in, -1 = none (or it runs) */
	uint64_t arg[6]; /* of the system call */
	char comm[TASK_COMM];
};

/* Calls fn for every task, process by process; fn returns false to stop. At most GUEST_LIST are visited. */
void tasks_each(struct guest *g, bool (*fn)(struct guest *g, const struct task_info *t, void *arg),
	void *arg);
/* The task with this tid. */
bool tasks_find(struct guest *g, int tid, struct task_info *t);
/* The thread that runs on a vCPU, 0 = none known; its task, if it has one. */
uint64_t tasks_running(struct guest *g, unsigned cpu, struct task_info *t, bool *has_task);

/* ---- memory and files */

struct vma_info {
	uint64_t start, end, flags, pgoff, ino, dev; /* flags as VMA_* of the table of constants */
	bool file;
	char name[TASK_PATH]; /* path, "[heap]"... or empty */
};
/* The mappings of an address space in order. */
void tasks_vmas(struct guest *g, uint64_t as,
	bool (*fn)(struct guest *g, const struct vma_info *v, void *arg), void *arg);
bool tasks_vma_find(struct guest *g, uint64_t as, uint64_t va, struct vma_info *v);
/* CR3 of an address space. */
uint64_t tasks_root(struct guest *g, uint64_t as);

/* Path of a file (struct file) or of {mount, dentry}, from the root of its mount tree. Returns buf. */
const char *tasks_file_path(struct guest *g, uint64_t file, char *buf, size_t size);
const char *tasks_path(struct guest *g, uint64_t mnt, uint64_t dentry, char *buf, size_t size);

/* ---- stacks */

#define STACK_DEPTH 64

struct stack_frame {
	uint64_t pc, fp; /* fp: where the frame was found, 0 = from registers */
	bool exact; /* pc is where execution stood, not a return address */
	const char *name; /* of the sentry's function, NULL = none */
	uint64_t offset;
};
/* Unwind the sentry's stack from pc and the frame pointer. Returns the number of frames, at most max. */
unsigned stack_unwind(
	struct guest *g, uint64_t pc, uint64_t fp, struct stack_frame *f, unsigned max);
/* The stack of a thread that runs nowhere. */
unsigned stack_sleeping(struct guest *g, uint64_t thread, struct stack_frame *f, unsigned max);
/* Unwind a program's stack by its frame pointers. */
unsigned stack_unwind_user(struct guest *g, uint64_t root, uint64_t pc, uint64_t fp,
	struct stack_frame *f, unsigned max);
/* The function that waits: the first frame that is not the scheduler's or a lock's. "" when there is none. */
const char *stack_wait_channel(const struct stack_frame *f, unsigned n);

/* Linux's name of a system call, NULL = none. syscalls.c (generated table). */
const char *syscall_name(int64_t nr);

#endif
