/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core dumps: a process that a signal ends leaves its memory and registers in an ELF file, as core(5) describes. coredump.c decides, holds the
 * other threads and opens the file; core_elf.c writes it. Patterns that name a program ('|') are refused.
 */
#ifndef TASK_COREDUMP_H
#define TASK_COREDUMP_H

#include "task/task.h"

#define CORE_PATTERN_MAX 128
#define CORE_FILTER	 0x33u /* kinds of mappings that are written: Linux's default */

/* The current task's process ends with sig; a core is written when it may be. Wait status: sig, with 0x80 when there is a core. */
int coredump(struct task *t, int sig, const siginfo_t *info);
/* A thread that ends: while another one writes the core, it waits. */
void coredump_park(struct task *t);

/* /proc/sys/kernel/core_pattern and core_uses_pid. */
void core_pattern_get(char *buf); /* CORE_PATTERN_MAX bytes */
int core_pattern_set(const char *text, size_t len); /* 0 or -EINVAL */
extern u64 core_uses_pid;

/* ---- core_elf.c ---- */
struct file;
struct core_file {
	struct file *file;
	u64 pos, limit;
	bool (*stop)(void); /* somebody wants no more of it */
};
/* Writes the core of t's process, whose other threads are parked. 0, or -errno: it is not complete. */
int core_write(struct core_file *f, struct task *t, const siginfo_t *info);

#endif
