/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time namespaces: CLOCK_MONOTONIC and CLOCK_BOOTTIME (and the clocks that follow them) shown with offsets. Inside the sentry all times are those of the
 * first namespace; time_shown and time_from_shown translate at the border, as identifiers are translated. The offsets may be set until the first task
 * enters. A set of namespaces (task/ns.h) has two: the task's, and the one that its children are born into.
 */
#ifndef TASK_TIME_NS_H
#define TASK_TIME_NS_H

#include "arch.h"
#include "task/ns.h"

struct as;
struct file;

struct time_ns {
	struct ns ns;
	bool frozen; /* a task has entered: the offsets stay; lock: time_ns_lock in time_ns.c */
	s64 monotonic, boottime; /* ns that the clocks are ahead; fixed once frozen */
	struct vdso_clocks clocks; /* not of the first namespace */
};
extern struct time_ns time_ns_root;
/* A new one with the same offsets. 0, -ENOSPC, -ENOMEM. */
int time_ns_create(const struct time_ns *from, struct user_ns *owner, struct time_ns **out);
void time_ns_get(struct time_ns *ns);
void time_ns_put(struct time_ns *ns);
/* Tasks use it from now on. */
void time_ns_freeze(struct time_ns *ns);
/* Programs in this address space read their clocks in ns. May sleep. */
void time_ns_map(struct time_ns *ns, struct as *as);

/* ns of a clock of the first namespace as the current task sees it, for CLOCK_MONOTONIC, CLOCK_BOOTTIME and those like them; other clocks as they are. */
u64 time_shown(int clock, u64 ns);
/* The other way round, for an absolute time that a program gives: never below 0. */
u64 time_from_shown(int clock, u64 ns);

struct proc_buf;
/* /proc/PID/timens_offsets; opener: whose rights count. What was taken, -EINVAL, -EPERM, -EACCES (frozen), -ERANGE. */
void time_ns_show_offsets(const struct time_ns *ns, struct proc_buf *b);
s64 time_ns_write_offsets(struct time_ns *ns, const struct file *opener, char *text, size_t len);

#define TIME_OFFSETS_MAX 2u
struct time_offset {
	int clock; /* CLOCK_MONOTONIC or CLOCK_BOOTTIME */
	s64 sec;
	u32 nsec;
};
/*
 * Lines of a clock ("monotonic", "boottime" or their numbers), seconds and nanoseconds. How many lines, with their bytes in *used: what comes after
 * the second is left. -EINVAL. text is terminated, and changed. Pure.
 */
int time_offsets_parse(char *text, struct time_offset *v, size_t *used);

#endif
