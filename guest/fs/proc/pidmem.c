/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID: what comes from the address space. */
#include "fs/internal.h"
#include "fs/proc/proc.h"
#include "mm/as.h"
#include "task/access.h"
#include "task/task.h"

#include <linux/fs.h>
#include "task/user_ns.h"

#define MAPS_NAME_COLUMN 73u

/* The address space, or NULL (kernel threads, zombies) with 0 or -errno in *err. */
static struct as *inspect_as(struct proc_ctx *c, int *err)
{
	*err = 0;
	if (!task_may_access_fs(c->task)) {
		*err = -EACCES;
		return NULL;
	}
	return task_get_as(c->task);
}

static void maps_line(struct proc_buf *b, struct vma *v, char *path)
{
	size_t start = b->len;
	struct inode *inode = v->file ? v->file->inode : NULL;
	const char *name = vma_name(v);
	u64 off = inode ? v->pgoff << PAGE_SHIFT : 0;

	proc_printf(b, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
		v->flags & VMA_READ ? 'r' : '-', v->flags & VMA_WRITE ? 'w' : '-',
		v->flags & VMA_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p', off, 0,
		inode ? inode->sb->dev : 0, inode ? inode->ino : 0UL);
	if (!name && v->file && v->file->path.dentry) {
		name = path_to_string(&v->file->path, path, PATH_MAX_LEN);
		if (!name)
			name = "";
	}
	if (name && *name) {
		proc_pad(b, start, MAPS_NAME_COLUMN);
		proc_printf(b, "%s", name);
		if (v->file && v->file->path.dentry && path_deleted(&v->file->path))
			proc_printf(b, " (deleted)");
	}
	proc_printf(b, "\n");
}

static void smaps_stats(struct proc_buf *b, const struct vma_stats *s, u64 size_pages)
{
	if (size_pages)
		proc_printf(b,
			"Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
			size_pages * 4);
	proc_printf(
		b, "Rss:            %8lu kB\nPss:            %8lu kB\n", s->rss * 4, s->rss * 4);
	proc_printf(b, "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\n", s->shared_clean * 4,
		s->shared_dirty * 4);
	proc_printf(b, "Private_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n", s->private_clean * 4,
		s->private_dirty * 4);
	proc_printf(b, "Referenced:     %8lu kB\nAnonymous:      %8lu kB\n", s->referenced * 4,
		s->anon * 4);
	/* Anonymous memory alone has pieces of 2 MiB. */
	proc_printf(b,
		"AnonHugePages:  %8lu kB\nShmemPmdMapped:        0 kB\n"
		"FilePmdMapped:         0 kB\nShared_Hugetlb:        0 kB\n"
		"Private_Hugetlb:       0 kB\n",
		s->huge * 4);
	proc_printf(b,
		"Swap:           %8lu kB\nSwapPss:        %8lu kB\nLocked:         %8lu kB\n",
		s->swap * 4, s->swap * 4, s->locked * 4);
}

static void smaps_flags(struct proc_buf *b, const struct vma *v)
{
	static const struct {
		u32 flag;
		const char *name;
	} names[] = {
		{ VMA_READ, "rd" },
		{ VMA_WRITE, "wr" },
		{ VMA_EXEC, "ex" },
		{ VMA_SHARED, "sh" },
		{ VMA_MAYREAD, "mr" },
		{ VMA_MAYWRITE, "mw" },
		{ VMA_MAYEXEC, "me" },
		{ VMA_GROWSDOWN, "gd" },
		{ VMA_LOCKED, "lo" },
		{ VMA_NORESERVE, "nr" },
		{ VMA_DONTDUMP, "dd" },
		{ VMA_HUGE, "hg" },
		{ VMA_NOHUGE, "nh" },
	};

	proc_printf(b, "VmFlags: ");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (v->flags & names[i].flag)
			proc_printf(b, "%s ", names[i].name);
	}
	proc_printf(b, "\n");
}

enum maps_kind {
	MAPS_PLAIN,
	MAPS_SMAPS,
	MAPS_ROLLUP
};

static void stats_add(struct vma_stats *sum, const struct vma_stats *s)
{
	sum->rss += s->rss;
	sum->anon += s->anon;
	sum->shared_clean += s->shared_clean;
	sum->shared_dirty += s->shared_dirty;
	sum->private_clean += s->private_clean;
	sum->private_dirty += s->private_dirty;
	sum->referenced += s->referenced;
	sum->swap += s->swap;
	sum->huge += s->huge;
}

static int maps_show(struct proc_buf *b, struct proc_ctx *c, enum maps_kind kind)
{
	struct vma_stats sum = { 0 }, s;
	char *path;
	int err;
	struct as *as = inspect_as(c, &err);
	u64 first = 0, last = 0;
	struct vma *v;

	if (!as)
		return err;
	path = kmalloc(PATH_MAX_LEN);
	if (!path) {
		as_put(as);
		return -ENOMEM;
	}
	rwsem_read_lock(&as->lock);
	for (v = as_find_vma(as, 0); v; v = vma_next(v)) {
		first = first ? first : v->start;
		last = v->end;
		if (kind != MAPS_ROLLUP)
			maps_line(b, v, path);
		if (kind == MAPS_PLAIN)
			continue;
		vma_stats(v, &s);
		stats_add(&sum, &s);
		if (kind == MAPS_SMAPS) {
			smaps_stats(b, &s, (v->end - v->start) >> PAGE_SHIFT);
			smaps_flags(b, v);
		}
	}
	rwsem_read_unlock(&as->lock);
	if (kind == MAPS_ROLLUP) {
		size_t start = b->len;

		proc_printf(b, "%08lx-%08lx ---p 00000000 00:00 0 ", first, last);
		proc_pad(b, start, MAPS_NAME_COLUMN);
		proc_printf(b, "[rollup]\n");
		smaps_stats(b, &sum, 0);
	}
	kfree(path);
	as_put(as);
	return 0;
}

int proc_pid_maps(struct proc_buf *b, struct proc_ctx *c)
{
	return maps_show(b, c, MAPS_PLAIN);
}

int proc_pid_smaps(struct proc_buf *b, struct proc_ctx *c)
{
	return maps_show(b, c, MAPS_SMAPS);
}

int proc_pid_smaps_rollup(struct proc_buf *b, struct proc_ctx *c)
{
	return maps_show(b, c, MAPS_ROLLUP);
}

/* Bytes of [from, to) of the address space, at most 1 MiB. */
static int copy_area(struct proc_buf *b, struct as *as, uaddr_t from, uaddr_t to)
{
	u8 *page = page_alloc_va(0, 0);

	if (!page)
		return -ENOMEM;
	to = MIN(to, from + (1UL << 20));
	while (from < to) {
		size_t n = MIN(to - from, PAGE_SIZE), got = as_copy_from(as, page, from, n);

		proc_write(b, page, got);
		if (got < n)
			break;
		from += n;
	}
	page_free_va(page, 0);
	return 0;
}

int proc_pid_cmdline(struct proc_buf *b, struct proc_ctx *c)
{
	struct as *as = task_get_as(c->task);
	int err;

	if (!as)
		return 0;
	err = copy_area(b, as, as->arg_start, as->arg_end);
	/* setproctitle: the last byte was overwritten, the text goes on in the environment */
	if (!err && b->len && b->text[b->len - 1])
		err = copy_area(
			b, as, as->env_start, as->env_secret ? as->env_secret : as->env_end);
	as_put(as);
	return err;
}

int proc_pid_environ(struct proc_buf *b, struct proc_ctx *c)
{
	int err;
	struct as *as = inspect_as(c, &err);

	if (!as)
		return err;
	err = copy_area(b, as, as->env_start, as->env_end);
	as_put(as);
	return err;
}

int proc_pid_auxv(struct proc_buf *b, struct proc_ctx *c)
{
	int err;
	struct as *as = inspect_as(c, &err);
	u32 n = 0;

	if (!as)
		return err;
	while (n < AS_AUXV_WORDS - 2 && as->auxv[n])
		n += 2;
	proc_write(b, as->auxv, (n + 2) * sizeof(u64));
	as_put(as);
	return 0;
}

int proc_pid_statm(struct proc_buf *b, struct proc_ctx *c)
{
	struct as *as = task_get_as(c->task);

	if (!as) {
		proc_printf(b, "0 0 0 0 0 0 0\n");
		return 0;
	}
	proc_printf(b, "%lu %ld %ld %lu 0 %lu 0\n", as->total_vm,
		as->rss_anon + as->rss_file + as->rss_shmem, as->rss_file + as->rss_shmem,
		(as->code_end - as->code_start + PAGE_SIZE - 1) >> PAGE_SHIFT,
		as->data_vm + as->stack_vm);
	as_put(as);
	return 0;
}

/* ---- /proc/PID/mem ---- */
static s64 mem_move(struct file *f, struct uio *u, u64 *pos, bool write)
{
	struct proc_ctx *c = &proc_node(f->inode)->ctx;
	int err;
	struct as *as = inspect_as(c, &err);
	u8 *page;
	s64 done = 0;

	if (!as)
		return err;
	page = page_alloc_va(0, 0);
	if (!page) {
		as_put(as);
		return -ENOMEM;
	}
	while (u->left) {
		size_t n = MIN(u->left, PAGE_SIZE), got;

		if (write) {
			n = uio_read(u, page, n);
			got = as_copy_to(as, *pos, page, n);
		} else {
			n = as_copy_from(as, page, *pos, n);
			got = uio_write(u, page, n);
		}
		*pos += got;
		done += (s64)got;
		if (!got || got < n) {
			done = done ? done : -EIO;
			break;
		}
	}
	page_free_va(page, 0);
	as_put(as);
	return done;
}

static s64 mem_read(struct file *f, struct uio *u, u64 *pos)
{
	return mem_move(f, u, pos, false);
}

static s64 mem_write(struct file *f, struct uio *u, u64 *pos)
{
	return mem_move(f, u, pos, true);
}

static s64 mem_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence == SEEK_END ? -1 : whence, 0);
}

const struct file_ops proc_mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.llseek = mem_llseek,
};
