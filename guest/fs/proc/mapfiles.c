/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/map_files: a link to the file of each mapping that has one, named by its addresses. */
#include "fs/internal.h"
#include "fs/proc/proc.h"

#include "lib/printf.h"
#include "mm/as.h"
#include "task/access.h"
#include "task/task.h"

/* The address space with its lock for reading, or NULL with -errno in *err. */
static struct as *maps_lock(struct proc_ctx *c, int *err)
{
	struct as *as;

	*err = -EACCES;
	if (!task_may_access_fs(c->task))
		return NULL;
	*err = -ENOENT;
	as = task_get_as(c->task);
	if (as)
		rwsem_read_lock(&as->lock);
	return as;
}

static void maps_unlock(struct as *as)
{
	rwsem_read_unlock(&as->lock);
	as_put(as);
}

/* The file of the mapping that starts at the entry's address, with a reference. */
static struct file *map_file(struct proc_ctx *c, int *err)
{
	struct file *f = NULL;
	struct as *as = maps_lock(c, err);
	struct vma *v;

	if (!as)
		return NULL;
	v = as_find_vma(as, (uaddr_t)c->key);
	if (v && v->start == (uaddr_t)c->key && v->file) {
		f = v->file;
		file_get(f);
	}
	maps_unlock(as);
	*err = f ? 0 : -ENOENT;
	return f;
}

static s64 map_link(struct proc_ctx *c, char *buf, size_t size)
{
	int err;
	struct file *f = map_file(c, &err);
	s64 n;

	if (!f)
		return err;
	n = proc_file_describe(f, buf, size);
	file_put(f);
	return n;
}

/* The file may be one that no path leads to for the reader: as in Linux, only for who may everything. */
static int map_follow(struct proc_ctx *c, struct path *out)
{
	struct file *f;
	int err;

	if (!fs_capable(CAP_CHECKPOINT_RESTORE) && !fs_capable(CAP_SYS_ADMIN))
		return -EPERM;
	f = map_file(c, &err);
	if (!f)
		return err;
	err = file_path(f, out);
	file_put(f);
	return err;
}

#define MAP_ENTRY(bits) \
	{ \
		.name = "map", .mode = S_IFLNK | (bits), .link = map_link, .follow = map_follow \
	}
/* By what the file is open for: reading, writing. */
static const struct proc_entry map_entries[4] = {
	MAP_ENTRY(0),
	MAP_ENTRY(0400),
	MAP_ENTRY(0200),
	MAP_ENTRY(0600),
};

static void map_child(struct proc_ctx *c, const struct vma *v, struct proc_child *out)
{
	u32 mode = v->file->mode;

	out->entry = &map_entries[(mode & FMODE_READ ? 1 : 0) | (mode & FMODE_WRITE ? 2 : 0)];
	out->ctx = *c;
	out->ctx.key = (s64)v->start;
	task_get(c->task);
	str_format(out->name, sizeof(out->name), "%lx-%lx", v->start, v->end);
}

/* Names are compared as they are printed: no leading zeroes, no blanks, no prefix. */
static int map_lookup(struct proc_ctx *c, const char *name, struct proc_child *out)
{
	char want[sizeof(out->name)];
	u64 start = 0;
	struct vma *v;
	struct as *as;
	int err;

	for (const char *s = name; *s && *s != '-' && s < name + 16; s++)
		start = start << 4 | (u64)(*s <= '9' ? *s - '0' : *s - 'a' + 10);
	as = maps_lock(c, &err);
	if (!as)
		return err;
	err = -ENOENT;
	v = as_find_vma(as, start);
	if (v && v->file) {
		str_format(want, sizeof(want), "%lx-%lx", v->start, v->end);
		err = strcmp(want, name) ? -ENOENT : 0;
	}
	if (!err)
		map_child(c, v, out);
	maps_unlock(as);
	return err;
}

static bool map_next(struct proc_ctx *c, s64 *key, struct proc_child *out)
{
	struct vma *v;
	int err;
	struct as *as = maps_lock(c, &err);

	if (!as)
		return false;
	v = as_find_vma(as, (uaddr_t)*key);
	while (v && (!v->file || v->start < (uaddr_t)*key))
		v = vma_next(v);
	if (v) {
		*key = (s64)v->start;
		map_child(c, v, out);
	}
	maps_unlock(as);
	return v != NULL;
}

const struct proc_dyn proc_map_files_dyn = { map_lookup, map_next };
