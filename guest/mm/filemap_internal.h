/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the page cache share: filemap.c (lookup, I/O), writeback.c, truncate.c, reclaim.c. */
#ifndef MM_FILEMAP_INTERNAL_H
#define MM_FILEMAP_INTERNAL_H

#include "mm/filemap.h"

static inline bool mapping_is_memory(const struct mapping *m)
{
	return !m->ops->write_pages;
}

/* A zero-filled page that needs no backing store, with flags; a reference. -EEXIST = somebody else was faster. */
int mapping_add_zero(struct mapping *m, u64 index, u32 flags, struct page **out);

/* Page flag waits (PG_LOCKED, PG_WRITEBACK): a small table of queues by page. */
void page_wait_clear(struct page *p, u32 flag);
void page_clear_wake(struct page *p, u32 flags);

/* Remove p from m: tree, counters, reclaim list. m->lock held. The tree's reference becomes the caller's. */
void mapping_remove_page(struct mapping *m, struct page *p);

/* Keep m from being destroyed; m->lock held by the caller of pin. unpin takes it itself and wakes the destroyer. */
void mapping_pin(struct mapping *m);
void mapping_unpin(struct mapping *m);

/* writeback.c */
void writeback_forget(struct mapping *m); /* takes m off the list of dirty mappings */
void writeback_balance(
	struct mapping *m); /* a writer waits here when too much is dirty; may sleep */
u64 writeback_dirty_pages(void);
/* p leaves m: it is not dirty any more. m->lock held. */
void writeback_page_removed(struct mapping *m, struct page *p);
/* One round over the dirty mappings; true when something is still dirty. Flusher thread. */
bool writeback_round(void);

/* reclaim.c */
void lru_add(struct page *p);
void lru_del(struct page *p);
u64 lru_shrink(u64 want); /* drops clean unmapped pages; never sleeps */

#endif
