/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that stand for processes: readable once the process ended. The group's reference is dropped with the file. */
#include "task/pidfd.h"

#include "fs/poll.h"
#include "fs/proc/proc.h"
#include "kernel/errno.h"
#include "lib/printf.h"
#include "task/internal.h"

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
	int pid = list_empty(&g->ns_link) ? -1 : g->pid;

	return str_format(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_ops = {
	.poll = pidfd_poll,
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
