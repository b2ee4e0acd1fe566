/* SPDX-License-Identifier: Apache-2.0 */
/* The owner of a file (F_SETOWN) and the signal that it gets. */
#include "fs/lease.h"

#include <linux/fcntl.h>

#include "lib/string.h"
#include "task/internal.h"

static struct spinlock owner_lock; /* protects: owner, owner_type of every file; leaf */

void file_set_owner(struct file *f)
{
	file_change_owner(f, F_OWNER_PID, task_current()->group->id, false);
}

void file_change_owner(struct file *f, s32 type, struct pid *pid, bool replace)
{
	struct pid *old;

	spin_lock(&owner_lock);
	old = f->owner;
	if (old && !replace) {
		spin_unlock(&owner_lock);
		return;
	}
	f->owner = pid_get(pid);
	f->owner_type = type;
	spin_unlock(&owner_lock);
	pid_put(old);
}

struct pid *file_get_owner(struct file *f, s32 *type)
{
	struct pid *p;

	spin_lock(&owner_lock);
	p = pid_get(f->owner);
	*type = f->owner_type;
	spin_unlock(&owner_lock);
	return p;
}

static void owner_signal(const struct pid *owner, bool thread, int sig, const siginfo_t *info)
{
	u64 flags = tree_lock();
	struct group *g = group_of_pid(owner);

	if (thread && owner->task && !list_empty(&owner->task->group_link))
		signal_send_task(owner->task, sig, info);
	else if (!thread && g)
		signal_send_group(g, sig, info);
	tree_unlock(flags);
}

static void signal_owner(struct file *f, int sig, const siginfo_t *info)
{
	s32 type;
	struct pid *owner = file_get_owner(f, &type);

	if (owner && type == F_OWNER_PGRP)
		signal_send_pgrp(owner, sig, info);
	else if (owner)
		owner_signal(owner, type == F_OWNER_TID, sig, info);
	pid_put(owner);
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
	signal_owner(f, sig, &info);
}

void file_signal_urgent(struct file *f)
{
	signal_owner(f, SIGURG, NULL);
}
