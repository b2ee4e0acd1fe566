/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V shared memory. A segment is a struct shm with a number: each mapping refers to the shm, the table once more, so the number of
 * attachments is the number of references less one. Unmapping comes here (shm->put), since the last one ends a segment that was removed before.
 */
#include "ipc/internal.h"

#include <linux/capability.h>
#include <linux/mman.h>

#include "fs/proc/proc.h"
#include "lib/printf.h"
#include "mm/as.h"
#include "mm/shm.h"
#include "task/user_ns.h"

struct segment {
	struct ipc_obj obj;
	struct shm *shm;
	u64 size; /* bytes */
	s64 atime, dtime, ctime;
	struct pid *creator, *last; /* references; last may be NULL */
};

void segment_free(struct ipc_obj *o)
{
	struct segment *g = list_entry(o, struct segment, obj);

	pid_put(g->creator);
	pid_put(g->last);
	kfree(g);
}

static struct ipc_ids *shm_ids(void)
{
	return &ipc_ns_current()->ids[IPC_SHM];
}

static u64 segment_pages(const struct segment *g)
{
	return g->shm->mapping.fixed_size >> PAGE_SHIFT;
}

static u64 segment_attached(const struct segment *g)
{
	return (u64)atomic_load(&g->shm->ref.count) - 1;
}

static struct segment *segment_find(int id, enum ipc_by by, s64 *err)
{
	struct ipc_obj *o = ipc_find_by(shm_ids(), id, by, err);

	return o ? list_entry(o, struct segment, obj) : NULL;
}

/* lock held; the last reference is the table's. The pages go after unlocking. */
static struct shm *segment_unlink(struct segment *g)
{
	struct ipc_ids *ids = g->obj.ids;
	struct shm *s = g->shm;

	ids->ns->shm_pages -= segment_pages(g);
	ipc_unlink(ids, &g->obj);
	ipc_put(ids, &g->obj);
	return s;
}

static void segment_drop(struct shm *s, bool detached)
{
	struct segment *g = s->owner;
	struct ipc_ids *ids = g->obj.ids;
	struct shm *last = NULL;
	bool unused;

	mutex_lock(&ids->lock);
	if (detached) {
		g->dtime = ipc_now();
		if (task_current())
			pid_assign(&g->last, ipc_pid());
	}
	ref_put(&s->ref);
	unused = !segment_attached(g);
	if ((g->obj.mode & SHM_DEST) && unused)
		last = segment_unlink(g);
	mutex_unlock(&ids->lock);
	if (last)
		shm_free(last);
	if (unused)
		ipc_ns_put(ids->ns);
}

static void segment_put(struct shm *s)
{
	segment_drop(s, true);
}

static u64 segment_leaving(struct shm *s)
{
	struct segment *g = s->owner;
	struct ipc_ids *ids = g->obj.ids;
	u64 n;

	mutex_lock(&ids->lock);
	n = g->obj.mode & SHM_DEST ? segment_attached(g) : 0;
	mutex_unlock(&ids->lock);
	return n;
}

static s64 segment_create(s32 key, u64 size, int flags)
{
	u64 pages = ALIGN_UP(size, PAGE_SIZE) >> PAGE_SHIFT;
	struct page_stats st;
	struct segment *g;
	s64 id;

	if (!size || size > ipc_limits()->shmmax)
		return -EINVAL;
	if (flags & SHM_HUGETLB)
		return capable(CAP_IPC_LOCK) ? -ENOMEM : -EPERM;
	if (ipc_ns_current()->shm_pages + pages > ipc_limits()->shmall)
		return -ENOSPC;
	page_stats(&st);
	if (!(flags & SHM_NORESERVE) && pages > st.total)
		return -ENOMEM;
	g = kzalloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->shm = shm_create(size);
	g->obj.key = key;
	g->size = size;
	g->ctime = ipc_now();
	g->creator = pid_get(ipc_pid());
	id = g->shm ? ipc_add(shm_ids(), &g->obj, flags, ipc_limits()->shmmni) : -ENOMEM;
	if (id < 0) {
		if (g->shm)
			shm_free(g->shm);
		segment_free(&g->obj);
		return id;
	}
	g->shm->owner = g;
	g->shm->put = segment_put;
	g->shm->leaving = segment_leaving;
	str_format(g->shm->name, sizeof(g->shm->name), "/SYSV%08x (deleted)", (u32)key);
	ipc_ns_current()->shm_pages += pages;
	return id;
}

s64 shm_get_segment(s32 key, u64 size, int flags)
{
	struct ipc_obj *o;
	s64 ret;

	mutex_lock(&shm_ids()->lock);
	o = ipc_get_existing(shm_ids(), key, flags, &ret);
	if (o)
		ret = size > list_entry(o, struct segment, obj)->size
			      ? -EINVAL
			      : ipc_access(o, (u32)flags & 0777) ?: o->id;
	else if (!ret)
		ret = segment_create(key, size, flags);
	mutex_unlock(&shm_ids()->lock);
	return ret;
}

/* The segment's memory with a reference, when the caller may attach it so. */
static struct shm *segment_borrow(int id, u32 want, s64 *err)
{
	struct segment *g;
	struct shm *s = NULL;

	*err = 0;
	mutex_lock(&shm_ids()->lock);
	g = segment_find(id, IPC_BY_ID, err);
	if (g)
		*err = ipc_access(&g->obj, want);
	if (g && !*err) {
		s = g->shm;
		/* Where it is attached, its namespace stays. */
		if (!segment_attached(g))
			ipc_ns_get(ipc_ns_current());
		shm_get(s);
	}
	mutex_unlock(&shm_ids()->lock);
	return s;
}

s64 shm_attach(int id, u64 addr, int flags)
{
	u32 prot = PROT_READ, want = 0444, map = 0;
	struct segment *g;
	struct shm *s;
	s64 ret;

	if (addr & (PAGE_SIZE - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr = ALIGN_DOWN(addr, PAGE_SIZE);
	}
	if (!addr && (flags & SHM_REMAP))
		return -EINVAL;
	if (!(flags & SHM_RDONLY)) {
		prot |= PROT_WRITE;
		want |= 0222;
	}
	if (flags & SHM_EXEC) {
		prot |= PROT_EXEC;
		want |= 0111;
	}
	if (addr)
		map = flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	s = segment_borrow(id, want, &ret);
	if (!s)
		return ret;
	ret = as_map_shm(task_current()->as, addr, prot, map, s);
	if (ret >= 0) {
		mutex_lock(&shm_ids()->lock);
		g = s->owner;
		g->atime = ipc_now();
		pid_assign(&g->last, ipc_pid());
		mutex_unlock(&shm_ids()->lock);
	}
	segment_drop(s, false);
	return ret == -EEXIST ? -EINVAL : ret;
}

s64 shm_detach(u64 addr)
{
	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	return as_unmap_shm(task_current()->as, addr);
}

/* ---- shmctl ---- */

s64 shm_stat(int id, enum ipc_by by, struct shmid64_ds *out)
{
	struct segment *g;
	s64 ret = 0;

	memset(out, 0, sizeof(*out));
	mutex_lock(&shm_ids()->lock);
	g = segment_find(id, by, &ret);
	if (g && by != IPC_BY_INDEX_ANY)
		ret = ipc_access(&g->obj, 0444);
	if (g && !ret) {
		ipc_fill_perm(&out->shm_perm, &g->obj);
		out->shm_segsz = g->size;
		out->shm_atime = g->atime;
		out->shm_dtime = g->dtime;
		out->shm_ctime = g->ctime;
		out->shm_cpid = pid_nr(g->creator);
		out->shm_lpid = pid_nr(g->last);
		out->shm_nattch = segment_attached(g);
		ret = by == IPC_BY_ID ? 0 : g->obj.id;
	}
	mutex_unlock(&shm_ids()->lock);
	return ret;
}

s64 shm_limits(struct shminfo64 *out)
{
	memset(out, 0, sizeof(*out));
	out->shmmax = ipc_limits()->shmmax;
	out->shmmin = 1;
	out->shmmni = out->shmseg = ipc_limits()->shmmni;
	out->shmall = ipc_limits()->shmall;
	return MAX(READ_ONCE(shm_ids()->highest), 0);
}

s64 shm_usage(struct shm_info *out)
{
	s64 highest;
	int i;

	memset(out, 0, sizeof(*out));
	mutex_lock(&shm_ids()->lock);
	out->used_ids = (s32)shm_ids()->used;
	out->shm_tot = ipc_ns_current()->shm_pages;
	for (i = 0; i <= shm_ids()->highest; i++) {
		struct ipc_obj *o = shm_ids()->slot[i];

		if (o)
			out->shm_rss +=
				READ_ONCE(list_entry(o, struct segment, obj)->shm->mapping.npages);
	}
	highest = shm_ids()->highest;
	mutex_unlock(&shm_ids()->lock);
	return MAX(highest, 0);
}

s64 shm_set(int id, const struct ipc_change *c)
{
	struct segment *g;
	s64 ret = 0;

	mutex_lock(&shm_ids()->lock);
	g = segment_find(id, IPC_BY_ID, &ret);
	if (g)
		ret = ipc_owner(&g->obj);
	if (g && !ret) {
		ipc_set_perm(&g->obj, c);
		g->ctime = ipc_now();
	}
	mutex_unlock(&shm_ids()->lock);
	return ret;
}

/* A segment in use loses its key and goes with its last attachment. */
s64 shm_remove(int id)
{
	struct segment *g;
	struct shm *last = NULL;
	s64 ret = 0;

	mutex_lock(&shm_ids()->lock);
	g = segment_find(id, IPC_BY_ID, &ret);
	if (g)
		ret = ipc_owner(&g->obj);
	if (g && !ret) {
		if (segment_attached(g)) {
			g->obj.mode |= SHM_DEST;
			g->obj.key = IPC_PRIVATE;
		} else {
			last = segment_unlink(g);
		}
	}
	mutex_unlock(&shm_ids()->lock);
	if (last)
		shm_free(last);
	return ret;
}

/* Nothing is ever swapped out: the mark is kept and reported. */
s64 shm_lock(int id, bool on)
{
	const struct cred *c = cred_current();
	struct segment *g;
	s64 ret = 0;

	mutex_lock(&shm_ids()->lock);
	g = segment_find(id, IPC_BY_ID, &ret);
	if (g && !capable(CAP_IPC_LOCK)) {
		if (c->euid != g->obj.uid && c->euid != g->obj.cuid)
			ret = -EPERM;
		else if (on && !rlimit_soft(task_current()->group, RLIMIT_MEMLOCK))
			ret = -EPERM;
	}
	if (g && !ret)
		g->obj.mode = (g->obj.mode & ~(u32)SHM_LOCKED) | (on ? SHM_LOCKED : 0);
	mutex_unlock(&shm_ids()->lock);
	return ret;
}

int proc_sysvipc_shm(struct proc_buf *b)
{
	int i;

	proc_printf(b, "       key      shmid perms                  size  cpid  lpid nattch   uid"
		       "   gid  cuid  cgid      atime      dtime      ctime"
		       "                   rss                  swap\n");
	mutex_lock(&shm_ids()->lock);
	for (i = 0; i <= shm_ids()->highest; i++) {
		struct ipc_obj *o = shm_ids()->slot[i];
		struct segment *g = o ? list_entry(o, struct segment, obj) : NULL;

		if (g)
			proc_printf(b,
				"%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10ld %10ld"
				" %10ld %21lu %21lu\n",
				o->key, o->id, o->mode, g->size, (u32)pid_nr(g->creator),
				(u32)pid_nr(g->last), segment_attached(g), uid_shown(o->uid),
				gid_shown(o->gid), uid_shown(o->cuid), gid_shown(o->cgid), g->atime,
				g->dtime, g->ctime, g->shm->mapping.npages << PAGE_SHIFT, 0UL);
	}
	mutex_unlock(&shm_ids()->lock);
	return 0;
}

void shm_ns_clear(struct ipc_ids *ids)
{
	int i;

	for (i = 0; i <= ids->highest; i++) {
		if (ids->slot[i])
			shm_free(segment_unlink(list_entry(ids->slot[i], struct segment, obj)));
	}
}
