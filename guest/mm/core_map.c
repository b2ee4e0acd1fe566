/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing mappings and pages for a core dump, by Linux's rules (core(5)). */
#include "mm/core_map.h"

#include "fs/vfs.h"
#include "kernel/errno.h"
#include "lib/string.h"
#include "mm/as_internal.h"
#include "mm/slab.h"

/* Bits of the filter. */
#define DUMP_ANON	 1u
#define DUMP_ANON_SHARED 2u
#define DUMP_FILE	 4u
#define DUMP_FILE_SHARED 8u
#define DUMP_ELF_HEADER	 16u

static const char elf_magic[4] = { 0x7f, 'E', 'L', 'F' };

/* A private mapping of a file whose pages the program changed has anonymous ones. */
static bool area_written(struct vma *v)
{
	struct vma_stats s;

	vma_stats(v, &s);
	return s.anon || s.swap;
}

static u64 area_dump(struct vma *v, u32 filter)
{
	u64 all = v->end - v->start;

	if (v->flags & VMA_VDSO)
		return all;
	if (v->flags & (VMA_DONTDUMP | VMA_SPECIAL | VMA_VVAR))
		return 0;
	if (v->flags & VMA_SHARED) {
		bool named = v->file && v->file->inode->nlink;

		return filter & (named ? DUMP_FILE_SHARED : DUMP_ANON_SHARED) ? all : 0;
	}
	if ((filter & DUMP_ANON) && area_written(v))
		return all;
	if (!v->file)
		return 0;
	if (filter & DUMP_FILE)
		return all;
	if ((filter & DUMP_ELF_HEADER) && v->pgoff == 0 && (v->flags & VMA_READ))
		return PAGE_SIZE; /* if it is one: looked at without the lock */
	return 0;
}

static void core_fill(struct core_area *a, struct vma *v, u32 filter)
{
	*a = (struct core_area){
		.start = v->start,
		.end = v->end,
		.flags = v->flags,
		.pgoff = v->pgoff,
		.file = v->file,
		.dump = area_dump(v, filter),
		.sparse = !v->file && !v->shm,
	};
	if (a->file)
		file_get(a->file);
}

static void core_check_headers(struct as *as, struct core_map *map)
{
	char head[sizeof(elf_magic)];
	u32 i;

	for (i = 0; i < map->n; i++) {
		struct core_area *a = &map->area[i];

		if (a->file && a->dump == PAGE_SIZE && a->end - a->start > PAGE_SIZE &&
			(as_copy_from(as, head, a->start, sizeof(head)) != sizeof(head) ||
				memcmp(head, elf_magic, sizeof(head))))
			a->dump = 0;
	}
}

int as_core_map(struct as *as, u32 filter, struct core_map *map)
{
	struct vma *v;

	map->n = 0;
	rwsem_read_lock(&as->lock);
	map->area = kmalloc(MAX(as->nvmas, 1u) * sizeof(*map->area));
	for (v = as_find_vma(as, 0); v && map->area && map->n < as->nvmas; v = vma_next(v))
		core_fill(&map->area[map->n++], v, filter);
	rwsem_read_unlock(&as->lock);
	if (!map->area)
		return -ENOMEM;
	core_check_headers(as, map);
	return 0;
}

void as_core_unmap(struct core_map *map)
{
	u32 i;

	for (i = 0; i < map->n; i++) {
		if (map->area[i].file)
			file_put(map->area[i].file);
	}
	kfree(map->area);
}

static bool core_present(pte_t e)
{
	return e && page_of(pte_pa(e)) != zero_page();
}

bool as_core_run(struct as *as, uaddr_t *from, uaddr_t *to, uaddr_t end)
{
	uaddr_t va = *from;
	bool found = false;
	const pte_t *slot;

	spin_lock(&as->pt_lock);
	while (!found && (slot = pgt_look_next(&as->pt, &va, end))) {
		uaddr_t stop = MIN(end, pte_table_end(va));

		for (; va < stop && !core_present(*slot); slot++)
			va += PAGE_SIZE;
		found = va < stop;
		for (*to = va; *to < stop && core_present(*slot); slot++)
			*to += PAGE_SIZE;
	}
	spin_unlock(&as->pt_lock);
	*from = va;
	return found;
}
