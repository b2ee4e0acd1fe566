/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID: where the pages of the address space are. */
#include "fs/internal.h"
#include "fs/proc/proc.h"
#include "mm/as.h"
#include "task/access.h"
#include "task/task.h"

#define POLICY_TEXT 40u

/* Names as the kernel's seq_file_path shows them here: blanks, line ends and equals signs are octal. */
static void numa_file(struct proc_buf *b, const char *name)
{
	proc_printf(b, " file=");
	for (; *name; name++) {
		if (*name == '\n' || *name == '\t' || *name == '=' || *name == ' ')
			proc_printf(b, "\\%03o", (u8)*name);
		else
			proc_write(b, name, 1);
	}
}

static void numa_name(struct proc_buf *b, const struct vma *v, char *path)
{
	const char *name = v->shm ? vma_name(v) : NULL;

	if (v->file && v->file->path.dentry)
		name = path_to_string(&v->file->path, path, PATH_MAX_LEN);
	if (name)
		numa_file(b, name);
	else if (v->flags & VMA_HEAP)
		proc_printf(b, " heap");
	else if (v->flags & VMA_STACK)
		proc_printf(b, " stack");
}

static void numa_pages(struct proc_buf *b, struct vma *v)
{
	struct vma_stats s;
	u64 dirty;

	vma_stats(v, &s);
	dirty = s.shared_dirty + s.private_dirty;
	if (!s.rss)
		return;
	if (s.anon)
		proc_printf(b, " anon=%lu", s.anon);
	if (dirty)
		proc_printf(b, " dirty=%lu", dirty);
	if (s.rss != s.anon && s.rss != dirty)
		proc_printf(b, " mapped=%lu", s.rss);
	if (s.mapmax > 1)
		proc_printf(b, " mapmax=%u", s.mapmax);
	proc_printf(b, " N0=%lu kernelpagesize_kB=4", s.rss);
}

static void numa_line(struct proc_buf *b, struct vma *v, const struct mempolicy *own, char *path)
{
	char text[POLICY_TEXT];

	mempolicy_text(v->policy.mode ? &v->policy : own, text, sizeof(text));
	proc_printf(b, "%08lx %s", v->start, text);
	numa_name(b, v, path);
	numa_pages(b, v);
	proc_printf(b, "\n");
}

int proc_pid_numa_maps(struct proc_buf *b, struct proc_ctx *c)
{
	struct mempolicy own = c->task->mempolicy;
	char *path;
	struct as *as;

	if (!task_may_access_fs(c->task))
		return -EACCES;
	path = kmalloc(PATH_MAX_LEN);
	if (!path)
		return -ENOMEM;
	as = task_get_as(c->task);
	if (as) {
		rwsem_read_lock(&as->lock);
		for (struct vma *v = as_find_vma(as, 0); v; v = vma_next(v))
			numa_line(b, v, &own, path);
		rwsem_read_unlock(&as->lock);
		as_put(as);
	}
	kfree(path);
	return 0;
}
