/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Swap areas: switching on and off, and their slots.
 *
 * An area with slots in use does not go, so whoever has a user of a slot may use its file without a lock.
 */
#include "mm/swap.h"

#include "cgroup/cgroup.h"
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "lib/swapmap.h"
#include "mm/filemap.h"
#include "mm/slab.h"
#include "mm/swap_internal.h"

#define CHUNK_BYTES (SWAP_CHUNK_SLOTS * sizeof(u32))

static struct swap_area {
	struct file *file; /* reference; NULL: there is no such area */
	struct swap_map map;
	s32 prio;
	bool open; /* takes pages */
} areas[SWAP_AREAS];

static struct {
	struct mutex change; /* protects: which areas there are. Outermost */
	struct spinlock lock; /* protects: areas, turn; rank 67 */
	u32 turn; /* of areas with the same priority, this one comes first */
	s32 least; /* priority of the next one that has none; below 0 */
	u64 in, out; /* atomic: pages */
} swap = { .lock = { .rank = 67 }, .least = -1 };

/* ---- slots ---- */

static u32 where_of(u32 area, u32 slot)
{
	return area << 24 | slot;
}

static struct swap_area *area_of(u32 where)
{
	return &areas[where >> 24];
}

static u32 slot_of(u32 where)
{
	return where & (SWAP_SLOTS_MAX - 1);
}

/* The area that is filled next, or NULL. swap.lock held. */
static struct swap_area *area_choose(void)
{
	struct swap_area *best = NULL;

	for (u32 i = 0; i < SWAP_AREAS; i++) {
		struct swap_area *a = &areas[(swap.turn + i) % SWAP_AREAS];

		if (a->open && swap_map_free(&a->map) && (!best || a->prio > best->prio))
			best = a;
	}
	return best;
}

bool swap_has_room(void)
{
	bool room;

	spin_lock(&swap.lock);
	room = area_choose() != NULL;
	spin_unlock(&swap.lock);
	return room;
}

u32 swap_take(u32 want, u32 *where)
{
	struct swap_area *a;
	u32 n = 0, slot;

	spin_lock(&swap.lock);
	a = area_choose();
	if (a) {
		n = swap_map_take(&a->map, want, &slot);
		*where = where_of((u32)(a - areas), slot);
		swap.turn = (u32)(a - areas) + 1;
	}
	spin_unlock(&swap.lock);
	return n;
}

bool swap_get(pte_t e)
{
	u32 where = pte_where(e);
	bool ok;

	spin_lock(&swap.lock);
	panic_if(!swap_map_has(&area_of(where)->map, slot_of(where)));
	ok = swap_map_get(&area_of(where)->map, slot_of(where));
	spin_unlock(&swap.lock);
	return ok;
}

void swap_put(pte_t e)
{
	u32 where = pte_where(e), owner;
	bool last;

	spin_lock(&swap.lock);
	panic_if(!swap_map_has(&area_of(where)->map, slot_of(where)));
	owner = swap_map_owner(&area_of(where)->map, slot_of(where));
	last = swap_map_put(&area_of(where)->map, slot_of(where));
	if (last && owner)
		memcg_swap((u16)owner, -1);
	spin_unlock(&swap.lock);
}

bool swap_may_charge(const struct page *p)
{
	return !p->memcg || memcg_may_swap(p);
}

void swap_charge(u32 where, const struct page *p)
{
	if (!p->memcg)
		return;
	spin_lock(&swap.lock);
	swap_map_set_owner(&area_of(where)->map, slot_of(where), p->memcg);
	memcg_swap(p->memcg, 1);
	spin_unlock(&swap.lock);
}

u64 swap_used(u32 area)
{
	return READ_ONCE(areas[area].map.used);
}

int swap_read(u32 where, struct page *p)
{
	struct file *f = area_of(where)->file;

	atomic_add(&swap.in, 1);
	return f->ops->swap->read(f->inode, slot_of(where), &p, 1) ? -EIO : 0;
}

int swap_write(u32 where, struct page **pages, u32 n)
{
	struct file *f = area_of(where)->file;

	atomic_add(&swap.out, (u64)n);
	return f->ops->swap->write(f->inode, slot_of(where), pages, n);
}

void swap_stats(struct swap_stats *s)
{
	*s = (struct swap_stats){ .in = atomic_load(&swap.in), .out = atomic_load(&swap.out) };
	spin_lock(&swap.lock);
	for (u32 i = 0; i < SWAP_AREAS; i++) {
		if (!areas[i].open)
			continue;
		s->total += areas[i].map.nslots - 1;
		s->free += swap_map_free(&areas[i].map);
	}
	spin_unlock(&swap.lock);
}

bool swap_info(u32 area, struct swap_info *out)
{
	const struct swap_area *a = &areas[area];

	spin_lock(&swap.lock);
	*out = (struct swap_info){ .file = a->open ? a->file : NULL };
	if (out->file) {
		out->pages = a->map.nslots - 1;
		out->used = a->map.used;
		out->prio = a->prio;
		file_get(out->file);
	}
	spin_unlock(&swap.lock);
	return out->file != NULL;
}

/* ---- on ---- */

static void map_free(struct swap_map *m)
{
	for (u32 i = 0; m->chunk && i < swap_map_chunks(m->nslots); i++) {
		if (m->chunk[i].slot)
			page_free_va(m->chunk[i].slot, 0);
	}
	kfree(m->chunk);
	*m = (struct swap_map){ .nslots = 0 };
}

static int map_make(struct swap_map *m, u32 nslots)
{
	u32 n = swap_map_chunks(nslots);

	_Static_assert(CHUNK_BYTES == PAGE_SIZE, "a chunk is a page");
	*m = (struct swap_map){ .nslots = nslots, .chunk = kzalloc(n * sizeof(*m->chunk)) };
	for (u32 i = 0; m->chunk && i < n; i++) {
		m->chunk[i].slot = page_alloc_va(0, GFP_ZERO | GFP_USER);
		if (!m->chunk[i].slot) {
			map_free(m);
			return -ENOMEM;
		}
	}
	if (!m->chunk)
		return -ENOMEM;
	swap_map_init(m, nslots, m->chunk);
	return 0;
}

/* What the file's header says. 0 or -errno. */
static int area_header(struct inode *inode, const struct swap_io *io, u32 *nslots)
{
	struct page *p = page_alloc(0, GFP_ZERO | GFP_USER);
	int ret;

	if (!p)
		return -ENOMEM;
	ret = inode->size < PAGE_SIZE ? -EINVAL : io->read(inode, 0, &p, 1);
	if (!ret) {
		*nslots = swap_header_pages(page_va(p), inode->size >> PAGE_SHIFT);
		ret = *nslots ? io->check(inode, *nslots) : -EINVAL;
	}
	page_put(p);
	return ret;
}

/* From here on nobody else writes to the file, and its server has all that was written. inode->lock is held for writing. */
static int area_claim(struct file *f, struct swap_map *m)
{
	struct inode *inode = f->inode;
	u32 nslots;
	int ret;

	if (!inode->nlink)
		return -ENOENT;
	if (inode->swapfile)
		return -EBUSY;
	if (!S_ISREG(inode->mode) || !f->ops->swap || !inode->mapping)
		return -EINVAL;
	ret = f->ops->fsync(f, 0, ~0UL, false);
	if (!ret)
		ret = area_header(inode, f->ops->swap, &nslots);
	if (!ret)
		ret = map_make(m, nslots);
	if (ret)
		return ret;
	inode->swapfile = true;
	/* what a mapping made dirty just now is on its way, or is refused from now on */
	(void)mapping_writeback(inode->mapping, 0, ~0UL);
	mapping_invalidate(inode->mapping, 0, ~0UL);
	return 0;
}

static void area_unclaim(struct file *f)
{
	rwsem_write_lock(&f->inode->lock);
	f->inode->swapfile = false;
	(void)mapping_writeback(f->inode->mapping, 0, ~0UL);
	mapping_invalidate(f->inode->mapping, 0, ~0UL);
	rwsem_write_unlock(&f->inode->lock);
}

static void area_open(struct swap_area *a, struct file *f, const struct swap_map *m, u32 flags)
{
	file_get(f);
	spin_lock(&swap.lock);
	a->file = f;
	a->map = *m;
	a->prio = flags & SWAP_PREFER ? (s32)(flags & SWAP_PRIO_MASK) : --swap.least;
	a->open = true;
	spin_unlock(&swap.lock);
}

static u32 area_count(void)
{
	u32 n = 0;

	for (u32 i = 0; i < SWAP_AREAS; i++)
		n += areas[i].file != NULL;
	return n;
}

static struct swap_area *area_find(const struct inode *inode)
{
	for (u32 i = 0; i < SWAP_AREAS; i++) {
		if (inode ? areas[i].file && areas[i].file->inode == inode : !areas[i].file)
			return &areas[i];
	}
	return NULL;
}

int swap_on(struct file *f, u32 flags)
{
	struct swap_map m;
	struct swap_area *a;
	int ret;

	mutex_lock(&swap.change);
	a = area_find(NULL);
	ret = a ? 0 : -EPERM;
	if (!ret && !area_count())
		ret = swap_out_start();
	if (!ret) {
		rwsem_write_lock(&f->inode->lock);
		ret = area_claim(f, &m);
		rwsem_write_unlock(&f->inode->lock);
	}
	if (!ret)
		area_open(a, f, &m, flags);
	else if (!area_count())
		swap_out_stop();
	mutex_unlock(&swap.change);
	return ret;
}

/* ---- off ---- */

static void area_set_open(struct swap_area *a, bool open)
{
	spin_lock(&swap.lock);
	a->open = open;
	spin_unlock(&swap.lock);
}

/* Is there room for what is out, without killing anybody for it? */
static bool area_fits(const struct swap_area *a)
{
	struct page_stats s;

	page_stats(&s);
	return a->map.used + page_low_water() <= s.free + s.cached;
}

/* Those that came without a priority after one that had none move up. */
static void area_move_up(s32 prio)
{
	if (prio >= 0)
		return;
	swap.least++;
	for (u32 i = 0; i < SWAP_AREAS; i++)
		areas[i].prio += areas[i].file && areas[i].prio < prio;
}

static struct file *area_close(struct swap_area *a)
{
	struct file *f = a->file;
	struct swap_map m = a->map;

	spin_lock(&swap.lock);
	a->file = NULL;
	area_move_up(a->prio);
	a->map = (struct swap_map){ .nslots = 0 };
	spin_unlock(&swap.lock);
	map_free(&m);
	area_unclaim(f);
	if (!area_count())
		swap_out_stop();
	return f;
}

int swap_off(struct file *f)
{
	struct file *was = NULL;
	struct swap_area *a;
	int ret;

	mutex_lock(&swap.change);
	a = area_find(f->inode);
	ret = a ? 0 : -EINVAL;
	if (!ret && !area_fits(a))
		ret = -ENOMEM;
	if (!ret) {
		area_set_open(a, false);
		ret = swap_empty((u32)(a - areas));
		if (ret)
			area_set_open(a, true);
		else
			was = area_close(a);
	}
	mutex_unlock(&swap.change);
	if (was)
		file_put(was);
	return ret;
}
