/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID: where the pages of the address space are. */
#include <linux/capability.h>
#include <linux/fs.h>

#include "fs/internal.h"
#include "fs/proc/proc.h"
#include "mm/as.h"
#include "mm/page.h"
#include "task/access.h"
#include "task/task.h"
#include "task/user_ns.h"

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

/* ---- /proc/PID/pagemap ---- */
#define PAGEMAP_PRESENT	  (1UL << 63)
#define PAGEMAP_SWAP	  (1UL << 62)
#define PAGEMAP_FILE	  (1UL << 61)
#define PAGEMAP_EXCLUSIVE (1UL << 56)
#define PAGEMAP_ENTRIES	  (PAGE_SIZE / sizeof(u64))

static u64 pagemap_entry(const struct page_place *p, bool numbers)
{
	u64 e = PAGEMAP_PRESENT;

	if (p->out)
		return PAGEMAP_SWAP | (numbers ? (u64)p->slot << 5 | p->area : 0);
	if (!p->there)
		return 0;
	if (p->file)
		e |= PAGEMAP_FILE;
	if (p->alone)
		e |= PAGEMAP_EXCLUSIVE;
	return numbers ? e | p->pa >> PAGE_SHIFT : e;
}

/* Entries from page number `first` on: how many; 0 at the end of the address space. */
static u32 pagemap_fill(struct as *as, u64 first, u64 *out, u32 n, bool numbers)
{
	u64 end = USER_TOP >> PAGE_SHIFT;

	n = first >= end ? 0 : (u32)MIN(n, end - first);
	for (u32 i = 0; i < n; i++) {
		struct page_place p;

		as_page_place(as, (first + i) << PAGE_SHIFT, &p);
		out[i] = pagemap_entry(&p, numbers);
	}
	return n;
}

static s64 pagemap_copy(struct as *as, struct uio *u, u64 *pos, u64 *entries, bool numbers)
{
	s64 done = 0;

	while (u->left) {
		u32 n = pagemap_fill(as, *pos / sizeof(u64), entries,
			(u32)MIN(u->left / sizeof(u64), PAGEMAP_ENTRIES), numbers);
		size_t got = uio_write(u, entries, n * sizeof(u64));

		*pos += got;
		done += (s64)got;
		if (got < n * sizeof(u64))
			return done ? done : -EFAULT;
		if (!n)
			break;
	}
	return done;
}

static s64 pagemap_read(struct file *f, struct uio *u, u64 *pos)
{
	struct proc_ctx *c = &proc_node(f->inode)->ctx;
	struct as *as;
	u64 *entries;
	s64 ret;

	if (!task_may_access_fs(c->task))
		return -EACCES;
	if (*pos % sizeof(u64) || u->left % sizeof(u64))
		return -EINVAL;
	as = task_get_as(c->task);
	if (!as)
		return 0;
	entries = page_alloc_va(0, 0);
	/* Numbers of pages tell of the machine: they are for those who may do all in it. */
	ret = entries ? pagemap_copy(as, u, pos, entries,
				file_ns_capable(f, &user_ns_root, CAP_SYS_ADMIN))
		      : -ENOMEM;
	if (entries)
		page_free_va(entries, 0);
	as_put(as);
	return ret;
}

static s64 pagemap_llseek(struct file *f, s64 off, int whence)
{
	return file_llseek_generic(f, off, whence == SEEK_END ? -1 : whence, 0);
}

const struct file_ops proc_pagemap_ops = { .read = pagemap_read, .llseek = pagemap_llseek };

/* ---- /proc/PID/clear_refs ---- */
enum clear_refs {
	CLEAR_ALL = 1,
	CLEAR_ANON,
	CLEAR_FILE,
	CLEAR_SOFT_DIRTY,
	CLEAR_PEAK
};

/* Soft-dirty marks are not kept, as by a Linux without CONFIG_MEM_SOFT_DIRTY, where clearing them is without effect. */
s64 proc_pid_clear_refs(struct proc_ctx *c, char *text, size_t len)
{
	struct as *as;
	s64 what;

	if (!proc_parse_int(text, &what) || what < CLEAR_ALL || what > CLEAR_PEAK)
		return -EINVAL;
	as = task_get_as(c->task);
	if (!as)
		return (s64)len;
	if (what == CLEAR_PEAK)
		as_reset_peak(as);
	else if (what != CLEAR_SOFT_DIRTY)
		as_clear_accessed(as, what != CLEAR_FILE, what != CLEAR_ANON);
	as_put(as);
	return (s64)len;
}
