/* SPDX-License-Identifier: Apache-2.0 */
/* madvise, msync and mincore. */
#include <linux/falloc.h>
#include <linux/mman.h>

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "mm/as_internal.h"
#include "mm/fault.h"
#include "mm/filemap_internal.h"
#include "mm/shm.h"
#include "mm/swap.h"
#include "mm/usercopy.h"

static int advise_range(uaddr_t start, u64 *len, uaddr_t *end)
{
	u64 aligned = *len ? page_align_len(*len) : 0;

	if ((start & (PAGE_SIZE - 1)) || (*len && !aligned) ||
		__builtin_add_overflow(start, aligned, end))
		return -EINVAL;
	*len = aligned;
	return *end > USER_TOP ? -ENOMEM : 0;
}

/* ---- giving pages up ---- */

static int advise_dontneed(struct as *as, uaddr_t start, uaddr_t end, bool lazy)
{
	uaddr_t at = start;
	int ret = 0;

	rwsem_read_lock(&as->lock);
	for (struct vma *v = as_find_vma(as, start); v && v->start < end; v = vma_next(v)) {
		if ((v->flags & (VMA_LOCKED | VMA_SPECIAL)) || (lazy && (v->file || v->shm))) {
			ret = -EINVAL;
			break;
		}
		if (v->start > at)
			ret = -ENOMEM;
		at = MIN(v->end, end);
		as_zap(as, MAX(v->start, start), at);
	}
	rwsem_read_unlock(&as->lock);
	return ret ? ret : at < end ? -ENOMEM : 0;
}

/* One hole per mapped file; the file is asked without as->lock, because it may sleep on locks that come before it. */
static int advise_remove_one(struct as *as, uaddr_t start, uaddr_t end, uaddr_t *stop)
{
	struct file *file = NULL;
	struct shm *shm = NULL;
	u64 off = 0;
	int ret = 0;

	rwsem_read_lock(&as->lock);
	struct vma *v = vma_find_exact(as, start);

	*stop = v ? MIN(end, v->end) : end;
	if (!v)
		ret = -ENOMEM;
	else if ((v->flags & VMA_LOCKED) || !(v->flags & VMA_SHARED) || !v->mapping)
		ret = -EINVAL;
	else if (!(v->flags & VMA_MAYWRITE))
		ret = -EACCES;
	if (!ret) {
		off = (v->pgoff << PAGE_SHIFT) + (start - v->start);
		file = v->file;
		shm = v->shm;
		if (file)
			file_get(file);
		if (shm)
			shm_get(shm);
	}
	rwsem_read_unlock(&as->lock);
	if (ret)
		return ret;
	if (shm) {
		mapping_truncate(&shm->mapping, off, off + (*stop - start));
		shm_put(shm);
		return 0;
	}
	ret = file->ops->fallocate
		      ? file->ops->fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(u64)off, *stop - start)
		      : -EOPNOTSUPP;
	file_put(file);
	return ret;
}

static int advise_remove(struct as *as, uaddr_t start, uaddr_t end)
{
	int ret = 0;

	while (start < end && !ret)
		ret = advise_remove_one(as, start, end, &start);
	return ret;
}

/* ---- flags ---- */

static int advise_flags(struct as *as, uaddr_t start, uaddr_t end, u32 set, u32 clear)
{
	struct list_head dead;
	int ret = 0;

	list_init(&dead);
	rwsem_write_lock(&as->lock);
	for (struct vma *v = clear & VMA_DONTDUMP ? as_find_vma(as, start) : NULL;
		v && v->start < end; v = vma_next(v)) {
		if (v->flags & VMA_SPECIAL)
			ret = -EINVAL;
	}
	if (set & VMA_WIPEONFORK) {
		for (struct vma *v = as_find_vma(as, start); v && v->start < end; v = vma_next(v)) {
			if (v->file || v->shm || (v->flags & VMA_SHARED))
				ret = -EINVAL;
		}
	}
	if (!ret)
		ret = vma_change_flags(as, start, end, set, clear, &dead);
	rwsem_write_unlock(&as->lock);
	vma_free_list(&dead);
	return ret;
}

/* ---- making pages present, or absent ---- */

/* Private memory may go out. Other pages are on the reclaimer's list and go by themselves. */
static int advise_idle(struct as *as, uaddr_t start, uaddr_t end, bool out)
{
	uaddr_t at = start;
	int ret = 0;

	rwsem_read_lock(&as->lock);
	for (struct vma *v = as_find_vma(as, start); v && v->start < end; v = vma_next(v)) {
		if (v->flags & (VMA_LOCKED | VMA_SPECIAL)) {
			ret = -EINVAL;
			break;
		}
		if (v->start > at)
			ret = -ENOMEM;
		if (out)
			swap_out_range(v, MAX(v->start, start), MIN(v->end, end));
		at = MIN(v->end, end);
	}
	rwsem_read_unlock(&as->lock);
	return ret ? ret : at < end ? -ENOMEM : 0;
}

static int advise_mapped(struct as *as, uaddr_t start, uaddr_t end)
{
	uaddr_t at = start;

	rwsem_read_lock(&as->lock);
	for (struct vma *v = as_find_vma(as, start); v && v->start <= at && at < end;
		v = vma_next(v))
		at = v->end;
	rwsem_read_unlock(&as->lock);
	return at < end ? -ENOMEM : 0;
}

static int advise_populate(struct as *as, uaddr_t start, uaddr_t end, bool write)
{
	int ret = advise_mapped(as, start, end);

	if (ret)
		return ret;
	ret = as_populate(as, start, end - start, write);
	return ret == -EACCES ? (write ? -EFAULT : -EINVAL) : ret == -EIO ? -EFAULT : ret;
}

int as_madvise(struct as *as, uaddr_t start, u64 len, int advice)
{
	uaddr_t end;
	int ret = advise_range(start, &len, &end);

	if (ret)
		return ret;
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return len ? advise_dontneed(as, start, end, false) : 0;
	case MADV_FREE:
		return len ? advise_dontneed(as, start, end, true) : 0;
	case MADV_REMOVE:
		return advise_remove(as, start, end);
	case MADV_DONTFORK:
		return len ? advise_flags(as, start, end, VMA_DONTFORK, 0) : 0;
	case MADV_DOFORK:
		return len ? advise_flags(as, start, end, 0, VMA_DONTFORK) : 0;
	case MADV_WIPEONFORK:
		return len ? advise_flags(as, start, end, VMA_WIPEONFORK, 0) : 0;
	case MADV_KEEPONFORK:
		return len ? advise_flags(as, start, end, 0, VMA_WIPEONFORK) : 0;
	case MADV_DONTDUMP:
		return len ? advise_flags(as, start, end, VMA_DONTDUMP, 0) : 0;
	case MADV_DODUMP:
		return len ? advise_flags(as, start, end, 0, VMA_DONTDUMP) : 0;
	case MADV_HUGEPAGE:
		return len ? advise_flags(as, start, end, VMA_HUGE, VMA_NOHUGE) : 0;
	case MADV_NOHUGEPAGE:
		return len ? advise_flags(as, start, end, VMA_NOHUGE, VMA_HUGE) : 0;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return len ? advise_populate(as, start, end, advice == MADV_POPULATE_WRITE) : 0;
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
		return len ? advise_mapped(as, start, end) : 0;
	case MADV_COLD:
	case MADV_PAGEOUT:
		return len ? advise_idle(as, start, end, advice == MADV_PAGEOUT) : 0;
	default:
		return -EINVAL;
	}
}

/* ---- msync ---- */

/* Next shared file mapping at or after *at: its file (reference) and byte range; *at moves behind it. NULL = none left. */
static struct file *msync_next(
	struct as *as, uaddr_t *at, uaddr_t end, u64 *from, u64 *to, bool *hole)
{
	struct file *file = NULL;
	struct vma *v;

	rwsem_read_lock(&as->lock);
	for (v = as_find_vma(as, *at); v && v->start < end && !file; v = vma_next(v)) {
		uaddr_t start = MAX(v->start, *at), stop = MIN(v->end, end);

		if (v->start > *at)
			*hole = true;
		*at = v->end;
		if (!v->file || !v->mapping || !(v->flags & VMA_SHARED))
			continue;
		*from = (v->pgoff << PAGE_SHIFT) + (start - v->start);
		*to = *from + (stop - start);
		file = v->file;
		file_get(file);
	}
	rwsem_read_unlock(&as->lock);
	if (!file && *at < end)
		*hole = true;
	return file;
}

/* MS_INVALIDATE does not touch what is locked. */
static bool msync_busy(struct as *as, uaddr_t start, uaddr_t end)
{
	bool busy = false;

	rwsem_read_lock(&as->lock);
	for (struct vma *v = as_find_vma(as, start); v && v->start < end; v = vma_next(v))
		busy |= (v->flags & VMA_LOCKED) != 0;
	rwsem_read_unlock(&as->lock);
	return busy;
}

int as_msync(struct as *as, uaddr_t start, u64 len, int flags)
{
	bool hole = false;
	uaddr_t end;
	int ret = 0;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
		(flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC) || (start & (PAGE_SIZE - 1)))
		return -EINVAL;
	if (!len)
		return 0;
	len = page_align_len(len);
	if (!len || __builtin_add_overflow(start, len, &end) || end > USER_TOP)
		return -ENOMEM;
	if ((flags & MS_INVALIDATE) && msync_busy(as, start, end))
		return -EBUSY;
	while (start < end && !ret) {
		u64 from, to;
		struct file *f = msync_next(as, &start, end, &from, &to, &hole);

		if (!f)
			break;
		if ((flags & MS_SYNC) && f->ops->fsync)
			ret = f->ops->fsync(f, from, to, true);
		else if (flags & MS_SYNC)
			ret = mapping_writeback(f->inode->mapping, from, to);
		file_put(f);
	}
	return ret ? ret : hole ? -ENOMEM : 0;
}

/*
 * ---- mincore ----
 *
 * A fault of anonymous memory makes pages around its own present, too, which is cheaper than more faults, and which mincore would show. Who asks once
 * gets no more of those: the first answer may count neighbours of pages that were touched before, later ones are exact.
 */

static u8 mincore_page(struct vma *v, uaddr_t va)
{
	const pte_t *slot = pgt_look(&v->as->pt, va);

	pte_t e = slot ? atomic_load(slot) : 0;

	if (e)
		return !pte_is_away(e);
	return v->mapping &&
	       mapping_has_data(v->mapping, v->pgoff + ((va - v->start) >> PAGE_SHIFT));
}

int as_mincore(struct as *as, uaddr_t start, u64 len, uaddr_t vec)
{
	u64 aligned = page_align_len(len);
	uaddr_t end;

	if (start & (PAGE_SIZE - 1))
		return -EINVAL;
	if ((len && !aligned) || __builtin_add_overflow(start, aligned, &end) || end > USER_TOP)
		return -ENOMEM;
	WRITE_ONCE(as->exact, true);
	while (start < end) {
		u8 out[128];
		u32 n = 0;
		struct vma *v;

		rwsem_read_lock(&as->lock);
		v = vma_find_exact(as, start);
		for (; v && n < sizeof(out) && start < MIN(end, v->end); start += PAGE_SIZE)
			out[n++] = mincore_page(v, start);
		rwsem_read_unlock(&as->lock);
		if (!v)
			return -ENOMEM;
		if (copy_to_user(vec, out, n))
			return -EFAULT;
		vec += n;
	}
	return 0;
}
