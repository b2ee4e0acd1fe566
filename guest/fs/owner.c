/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of a file (F_SETOWN) and the signal that it gets. */
#include "fs/lease.h"

#include <linux/fcntl.h>

#include "lib/string.h"
#include "task/task.h"

void file_set_owner(struct file *f)
{
	if (f->owner_pid)
		return;
	f->owner_type = F_OWNER_PID;
	f->owner_pid = task_current()->group->pid;
}

void file_signal_owner(struct file *f, int fd, int code, s64 band)
{
	int sig = f->owner_sig ? f->owner_sig : SIGIO;
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = f->owner_sig ? code : SI_KERNEL;
	info.si_band = band;
	info.si_fd = fd;
	if (f->owner_type == F_OWNER_PGRP) {
		signal_send_pgrp(f->owner_pid, sig, &info);
	} else if (f->owner_type == F_OWNER_TID) {
		struct task *t = task_find(f->owner_pid);

		if (t) {
			signal_send_task(t, sig, &info);
			task_put(t);
		}
	} else {
		struct group *g = group_find(f->owner_pid);

		if (g) {
			signal_send_group(g, sig, &info);
			group_put(g);
		}
	}
}
