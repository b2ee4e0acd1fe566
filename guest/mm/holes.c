/* SPDX-License-Identifier: Apache-2.0 */
/* Page cache of memory without backing: allocation ahead of use, and where data and holes are. */
#include "kernel/errno.h"
#include "mm/filemap_internal.h"

/* One page. `fresh` when it was not there. */
static int allocate_page(struct mapping *m, u64 index, bool *fresh)
{
	struct page *p;
	int ret = mapping_add_zero(m, index, PG_UNWRITTEN, &p);

	*fresh = !ret;
	/* One that an earlier allocation made loses the mark: should this one fail, it is not ours to take back. */
	if (ret == -EEXIST)
		ret = mapping_get_page(m, index, &p);
	if (ret)
		return ret;
	if (*fresh)
		mapping_set_dirty(m, p);
	page_put(p);
	return 0;
}

/* Take back the pages of [first, end) that nobody has looked for. */
static void allocate_undo(struct mapping *m, u64 first, u64 end)
{
	for (u64 at = first; at < end; at++) {
		struct page *p;
		bool drop;

		spin_lock(&m->lock);
		p = radix_next(&m->tree, &at, false);
		drop = p && at < end && (atomic_load(&p->flags) & PG_UNWRITTEN) &&
		       atomic_load(&p->ref.count) == 1;
		if (drop)
			mapping_remove_page(m, p);
		spin_unlock(&m->lock);
		if (!p)
			break;
		if (drop)
			page_put(p);
	}
}

int mapping_allocate(struct mapping *m, u64 first, u64 end)
{
	for (u64 at = first; at < end; at++) {
		bool fresh;
		int ret = allocate_page(m, at, &fresh);

		if (ret) {
			allocate_undo(m, first, at);
			return ret;
		}
	}
	return 0;
}

static bool page_has_data(const struct page *p)
{
	return p && !(atomic_load(&p->flags) & PG_UNWRITTEN);
}

bool mapping_has_data(struct mapping *m, u64 index)
{
	bool has;

	spin_lock(&m->lock);
	has = page_has_data(radix_get(&m->tree, index));
	spin_unlock(&m->lock);
	return has;
}

/* How many pages are looked at while the lock is held. */
#define SEEK_MOST 1024u

/* The first that is so, or the page to go on with, in *index. m->lock held. */
static bool seek_some(const struct mapping *m, u64 *index, u64 end, bool data)
{
	for (u32 n = 0; n < SEEK_MOST && *index < end; n++) {
		const struct page *p =
			data ? radix_next(&m->tree, index, false) : radix_get(&m->tree, *index);

		if (data && !p)
			*index = end;
		if (*index >= end || page_has_data(p) == data)
			return true;
		++*index;
	}
	return false;
}

u64 mapping_seek(struct mapping *m, u64 index, u64 end, bool data)
{
	bool done = false;

	while (index < end && !done) {
		spin_lock(&m->lock);
		done = seek_some(m, &index, end, data);
		spin_unlock(&m->lock);
	}
	return MIN(index, end);
}
