/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that stand for processes. */
#ifndef TASK_PIDFD_H
#define TASK_PIDFD_H

#include "lib/types.h"

struct file;
struct group;

/* A descriptor (close-on-exec) for g in the current task's table; flags: 0 or O_NONBLOCK. fd or -errno. */
int pidfd_install(struct group *g, u32 flags);
/* The process of a descriptor, with a reference, or NULL: no pidfd. It may have ended. */
struct group *pidfd_group(int fd);
bool pidfd_nonblocking(int fd);
/* A directory /proc/PID stands for its process, too. */
struct group *pidfd_group_or_proc(int fd);

#endif
