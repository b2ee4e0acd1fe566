/* SPDX-License-Identifier: Apache-2.0 */
/* Process groups and sessions, and waiting for children. */
#ifndef TASK_FAMILY_H
#define TASK_FAMILY_H

#include <linux/resource.h>

#include "lib/types.h"

struct group;
struct pid;
struct task;

/* setpgid(2) and setsid(2) of the calling process. 0 (the session id) or -errno. */
int family_setpgid(struct group *self, int pid, int pgid);
int family_setsid(struct group *self);

enum wait_who {
	WAIT_ANY,
	WAIT_PID,
	WAIT_PGRP
};
struct wait_request {
	enum wait_who who;
	struct pid *id; /* borrowed; NULL: nobody has the number */
	u32 options; /* WNOHANG, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __WALL, __WCLONE */
	/* results */
	int pid; /* in the caller's namespace; 0: WNOHANG found nothing */
	u32 uid;
	int status; /* wait(2) encoding */
	int code; /* CLD_* */
	struct rusage usage;
};
/* Wait for a child. 0, -ECHILD or -ERESTARTSYS. */
int family_wait(struct task *t, struct wait_request *w);

#endif
