/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that stand for processes: readable once the process ended. The group's reference is dropped with the file. */
#include "task/pidfd.h"

#include <linux/ioctl.h>

#include "fs/poll.h"
#include "fs/proc/proc.h"
#include "kernel/errno.h"
#include "lib/printf.h"
#include "mm/usercopy.h"
#include "task/internal.h"
#include "task/user_ns.h"

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct group *g = f->priv;

	poll_wait(f, &g->exit_wq, pt);
	return READ_ONCE(g->state) == GROUP_ZOMBIE ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_release(struct file *f)
{
	group_put(f->priv);
}

static int pidfd_show(struct file *f, char *buf, size_t size)
{
	struct group *g = f->priv;
	int n;
	u32 i;

	if (list_empty(&g->ns_link))
		return str_format(buf, size, "Pid:\t-1\nNSpid:\t-1\n");
	n = str_format(buf, size, "Pid:\t%d\nNSpid:", pid_nr(g->id));
	for (i = pid_ns_current()->level; pid_nr(g->id) && i <= g->id->level && n < (int)size; i++)
		n += str_format(buf + n, size - (size_t)n, "\t%d", g->id->num[i].nr);
	return n + str_format(buf + n, size - (size_t)n, pid_nr(g->id) ? "\n" : "\t0\n");
}

/* ---- PIDFD_GET_INFO, which came with Linux 6.13 (the exit status with 6.15) ---- */

#define PIDFD_INFO_NR	 0xff0bu /* type and number of the command; its size grows */
#define PIDFD_INFO_PID	 1u
#define PIDFD_INFO_CREDS 2u
#define PIDFD_INFO_EXIT	 8u

struct pidfd_info {
	u64 mask, cgroupid;
	u32 pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	s32 exit_code;
};

/* Of a process that is there. False: it was collected. */
static bool pidfd_info_alive(struct group *g, struct pidfd_info *info)
{
	struct cred *c;
	u64 flags = tree_lock();
	bool alive = !list_empty(&g->ns_link) && g->leader;

	if (alive) {
		info->pid = info->tgid = (u32)pid_nr(g->id);
		info->ppid = g->parent ? (u32)pid_nr(g->parent->id) : 0;
		c = task_cred(g->leader);
		info->ruid = uid_shown(c->uid);
		info->rgid = gid_shown(c->gid);
		info->euid = uid_shown(c->euid);
		info->egid = gid_shown(c->egid);
		info->suid = uid_shown(c->suid);
		info->sgid = gid_shown(c->sgid);
		info->fsuid = uid_shown(c->fsuid);
		info->fsgid = gid_shown(c->fsgid);
		cred_put(c);
	}
	tree_unlock(flags);
	return alive;
}

static s64 pidfd_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct pidfd_info info = { 0 };
	struct group *g = f->priv;
	size_t size = _IOC_SIZE(cmd);
	u64 want;

	if ((cmd & 0xffff) != PIDFD_INFO_NR)
		return -ENOTTY;
	if (_IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE) || size < sizeof(info) || !arg)
		return -EINVAL;
	if (get_user(want, arg) < 0)
		return -EFAULT;
	if (pidfd_info_alive(g, &info)) {
		info.mask = PIDFD_INFO_PID | PIDFD_INFO_CREDS;
	} else if (want & PIDFD_INFO_EXIT) {
		info.mask = PIDFD_INFO_EXIT;
		info.exit_code = g->exit_code;
	} else {
		return -ESRCH;
	}
	if (clear_user(arg, size) < 0 || copy_to_user(arg, &info, sizeof(info)) < 0)
		return -EFAULT;
	return 0;
}

static const struct file_ops pidfd_ops = {
	.poll = pidfd_poll,
	.ioctl = pidfd_ioctl,
	.release = pidfd_release,
	.show_fdinfo = pidfd_show,
};

int pidfd_install(struct group *g, u32 flags)
{
	struct file *f;
	int fd;

	group_get(g);
	f = file_create_anon(&pidfd_ops, g, O_RDWR | flags, "anon_inode:[pidfd]");
	if (!f) {
		group_put(g);
		return -ENOMEM;
	}
	fd = fd_install(f, O_CLOEXEC, 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

struct group *pidfd_group(int fd)
{
	struct file *f = fd_get(fd);
	struct group *g = NULL;

	if (!f)
		return NULL;
	if (f->ops == &pidfd_ops) {
		g = f->priv;
		group_get(g);
	}
	file_put(f);
	return g;
}

bool pidfd_nonblocking(int fd)
{
	struct file *f = fd_get(fd);
	bool nonblock = f && f->ops == &pidfd_ops && (READ_ONCE(f->flags) & O_NONBLOCK);

	file_put(f);
	return nonblock;
}

struct group *pidfd_group_or_proc(int fd)
{
	struct group *g = pidfd_group(fd);
	struct file *f = g ? NULL : fd_get(fd);

	if (f) {
		g = proc_pid_group(f);
		file_put(f);
	}
	return g;
}
