/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/fd and fdinfo. */
#include "fs/internal.h"
#include "fs/proc/proc.h"

#include "fs/fdtable.h"
#include "lib/printf.h"
#include "task/access.h"
#include "task/task.h"

static struct file *ctx_file(struct proc_ctx *c)
{
	struct fdtable *t;
	struct file *f;

	if (!task_may_access_fs(c->task))
		return NULL;
	t = task_get_files(c->task);
	if (!t)
		return NULL;
	f = fdtable_file(t, (int)c->key, NULL);
	fdtable_put(t);
	return f;
}

s64 proc_file_describe(struct file *f, char *buf, size_t size)
{
	char *tmp, *s;
	int n;

	if (!f->path.dentry) {
		if (!strncmp(f->anon_name, "anon_inode:", 11))
			n = str_format(buf, size, "%s", f->anon_name);
		else
			n = str_format(buf, size, "%s:[%lu]", f->anon_name, f->inode->ino);
		return MIN(n, (int)size - 1);
	}
	tmp = kmalloc(PATH_MAX_LEN);
	if (!tmp)
		return -ENOMEM;
	s = path_to_string(&f->path, tmp, PATH_MAX_LEN);
	n = s ? str_format(buf, size, "%s%s", s, path_deleted(&f->path) ? " (deleted)" : "")
	      : -ENAMETOOLONG;
	kfree(tmp);
	return MIN(n, (int)size - 1);
}

static s64 fd_link(struct proc_ctx *c, char *buf, size_t size)
{
	struct file *f = ctx_file(c);
	s64 n;

	if (!f)
		return -ENOENT;
	n = proc_file_describe(f, buf, size);
	file_put(f);
	return n;
}

static int fd_follow(struct proc_ctx *c, struct path *out)
{
	struct file *f = ctx_file(c);
	int err;

	if (!f)
		return -ENOENT;
	err = file_path(f, out);
	file_put(f);
	return err;
}

static int fdinfo_show(struct proc_buf *b, struct proc_ctx *c)
{
	struct fdtable *t = task_get_files(c->task);
	bool cloexec = false;
	struct file *f;
	char more[256];

	if (!t)
		return -ENOENT;
	f = fdtable_file(t, (int)c->key, &cloexec);
	fdtable_put(t);
	if (!f)
		return -ENOENT;
	proc_printf(b, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n",
		f->mode & FMODE_STREAM ? 0UL : f->pos, f->flags | (cloexec ? O_CLOEXEC : 0),
		f->path.mnt ? f->path.mnt->id : 0, f->inode->ino);
	if (f->ops && f->ops->show_fdinfo) {
		more[0] = 0;
		f->ops->show_fdinfo(f, more, sizeof(more));
		proc_printf(b, "%s", more);
	}
	file_put(f);
	return 0;
}

static const struct proc_entry fd_entry = {
	.name = "fd",
	.mode = S_IFLNK | 0700,
	.link = fd_link,
	.follow = fd_follow,
};
static const struct proc_entry fdinfo_entry = PROC_FILE("fdinfo", fdinfo_show);

static void child_fill(
	struct proc_ctx *c, const struct proc_entry *e, int fd, struct proc_child *out)
{
	out->entry = e;
	out->ctx.key = fd;
	out->ctx.task = c->task;
	task_get(c->task);
	str_format(out->name, sizeof(out->name), "%d", fd);
}

static int fds_lookup(
	struct proc_ctx *c, const struct proc_entry *e, const char *name, struct proc_child *out)
{
	struct proc_ctx probe = { c->task, 0 };
	struct file *f;
	u64 fd;

	if (!proc_number(name, &fd))
		return -ENOENT;
	probe.key = (s64)fd;
	f = ctx_file(&probe);
	if (!f)
		return -ENOENT;
	file_put(f);
	child_fill(c, e, (int)fd, out);
	return 0;
}

static bool fds_next(
	struct proc_ctx *c, const struct proc_entry *e, s64 *key, struct proc_child *out)
{
	struct fdtable *t;
	int fd;

	if (!task_may_access_fs(c->task))
		return false;
	t = task_get_files(c->task);
	if (!t)
		return false;
	fd = fdtable_next(t, (int)*key);
	fdtable_put(t);
	if (fd < 0)
		return false;
	*key = fd;
	child_fill(c, e, fd, out);
	return true;
}

static int fd_lookup(struct proc_ctx *c, const char *name, struct proc_child *out)
{
	return fds_lookup(c, &fd_entry, name, out);
}

static bool fd_next(struct proc_ctx *c, s64 *key, struct proc_child *out)
{
	return fds_next(c, &fd_entry, key, out);
}

static int fdinfo_lookup(struct proc_ctx *c, const char *name, struct proc_child *out)
{
	return fds_lookup(c, &fdinfo_entry, name, out);
}

static bool fdinfo_next(struct proc_ctx *c, s64 *key, struct proc_child *out)
{
	return fds_next(c, &fdinfo_entry, key, out);
}

const struct proc_dyn proc_fd_dyn = { fd_lookup, fd_next };
const struct proc_dyn proc_fdinfo_dyn = { fdinfo_lookup, fdinfo_next };
