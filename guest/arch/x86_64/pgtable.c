/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tables. The kernel half is one set of tables that every address space shares by its top level entries.
 *
 * std: the user bit is taken away from the kernel's top level entries, below which everything may stay as the VMM made it.
 * pvm: the kernel runs unprivileged as far as the hardware knows, so kernel mappings keep the user bit and user mode must not have
 * them at all. An address space has two top level pages, 8 KiB aligned: the even one is the kernel's view, the odd one (CR3 bit 12)
 * the user's, with the same lower half and of the upper half only what the delivery of events needs. An entry of the lower half is
 * written to both.
 */
#include "arch/x86_64/pgtable.h"
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/trap.h"
#include "casemate/guestmem.h"
#include "kernel/errno.h"
#include "kernel/log.h"
#include "lib/string.h"
#include "mm/page.h"

#define PGT_P	      1UL
#define PGT_W	      2UL
#define PGT_U	      4UL
#define PGT_LARGE     0x80UL /* of the last level but one: maps 2 MiB */
#define PGT_NX	      (1UL << 63)
#define PGT_TABLE     (PGT_P | PGT_W | PGT_U | 0x20)
#define PGT_SLOTS     512u
#define PGT_HALF      256u
#define PGT_TRAMP     255u /* top level slot of the trampoline: its last page */
#define PGT_TOP_SHIFT 39

/* pvm: the user's view of the image: one table of each upper level, and enough last level tables. */
#define PGT_UTABS 4u
static u64 pgt_upper[2][PGT_SLOTS] __aligned(4096);
static u64 pgt_utabs[PGT_UTABS][PGT_SLOTS] __aligned(4096);
static u32 pgt_utabs_used;
struct tramp_area tramp_area;
/*
 * pvm: the tables of the trampoline, [0] of the last level, with one entry each, the last. All address spaces share them, until one has a page of its
 * own in the same table: it then gets a table with that entry in it (pgt_make).
 */
static u64 pgt_tramp[3][PGT_SLOTS] __aligned(4096);

paddr_t pgt_kernel_root;

static u32 pgt_index(u64 va, u32 shift)
{
	return va >> shift & (PGT_SLOTS - 1);
}

static void pgt_user_map(const void *va, size_t size, u64 flags)
{
	for (u64 at = (u64)va & PAGE_MASK; at < (u64)va + size; at += PAGE_SIZE) {
		u64 *pd = &pgt_upper[1][pgt_index(at, 21)];
		u64 *tab;

		if (!*pd) {
			panic_if(pgt_utabs_used == PGT_UTABS);
			*pd = image_pa(pgt_utabs[pgt_utabs_used++]) | PGT_TABLE;
		}
		tab = pa_to_va(pte_pa(*pd));
		tab[pgt_index(at, PAGE_SHIFT)] = image_pa((void *)at) | flags;
	}
}

static void pgt_init_user_view(void)
{
	extern const char desc_idt[];
	extern const char tramp_code[], tramp_code_end[];

	pgt_upper[0][pgt_index(CM_KERNEL_BASE, 30)] = image_pa(pgt_upper[1]) | PGT_TABLE;
	pgt_user_map(desc_idt, PAGE_SIZE, PGT_P | PGT_W | PGT_NX);
	for (u32 cpu = 0; cpu < cpu_count(); cpu++) {
		struct entry_area *ea = &entry_areas[cpu];

		pgt_user_map(ea, sizeof(*ea), PGT_P | PGT_W | PGT_NX);
	}
	memcpy(tramp_area.code, tramp_code, (size_t)(tramp_code_end - tramp_code));
	pgt_tramp[0][PGT_SLOTS - 1] = image_pa(&tramp_area) | PGT_P | PGT_U;
	pgt_tramp[1][PGT_SLOTS - 1] = image_pa(pgt_tramp[0]) | PGT_TABLE;
	pgt_tramp[2][PGT_SLOTS - 1] = image_pa(pgt_tramp[1]) | PGT_TABLE;
}

void pgt_init_kernel(void)
{
	u64 *top = pa_to_va(CM_GPA_RAM + CM_BOOT_PML4);

	pgt_kernel_root = CM_GPA_RAM + CM_BOOT_PML4;
	pcpu_this()->root = pgt_kernel_root;
	image_map_protect(top);
	if (arch_pvm) {
		pgt_init_user_view();
	} else {
		for (u32 i = PGT_HALF; i < PGT_SLOTS; i++)
			top[i] &= ~PGT_U;
	}
	cpu_write_cr3(pgt_kernel_root);
}

/* ---- recycled tables ---- */

/*
 * On pvm every store to a table that the host knows costs a trap, and it goes on knowing it after its address space is gone: filling a top level
 * page anew took a millisecond. So a dead address space of ordinary size keeps all its tables, only emptied of pages, and becomes the next
 * one; mm chooses addresses that need few new tables. The tables of a large one are given back with each used entry cleared,
 * kept by level (the host remembers that too), and used again as they are.
 */
#define PGT_POOL_MAX  64u
#define PGT_TREE_MAX  40u /* tables below the top page of a tree that is kept whole */
#define PGT_TREES_MAX 8u
#define PGT_TOPS_MAX  24u /* top pages kept, with or without a tree */
#define PGT_LEVELS    4u

static struct {
	struct spinlock lock; /* protects: tables, n */
	struct list_head
		tables[PGT_LEVELS]; /* [0] = last level ... [3] = top; set up at first use */
	u32 n[PGT_LEVELS];
} pgt_pool;

static u32 pgt_pool_order(u32 level)
{
	return level == PGT_LEVELS - 1 && arch_pvm ? 1 : 0;
}

/* An empty table of the pool, or NULL. */
static u64 *pgt_pool_take(u32 level)
{
	struct page *p = NULL;

	spin_lock(&pgt_pool.lock);
	if (pgt_pool.n[level]) {
		p = list_first_entry(&pgt_pool.tables[level], struct page, link);
		list_del(&p->link);
		pgt_pool.n[level]--;
	}
	spin_unlock(&pgt_pool.lock);
	return p ? page_va(p) : NULL;
}

static void pgt_pool_give(u64 *tab, u32 level)
{
	struct page *p = page_of_va(tab);
	bool keep;

	spin_lock(&pgt_pool.lock);
	if (!pgt_pool.tables[level].next)
		list_init(&pgt_pool.tables[level]);
	keep = pgt_pool.n[level] < (level == PGT_LEVELS - 1 ? PGT_TOPS_MAX : PGT_POOL_MAX);
	if (keep) {
		list_add(&pgt_pool.tables[level], &p->link);
		pgt_pool.n[level]++;
	}
	spin_unlock(&pgt_pool.lock);
	if (!keep)
		page_free(p, pgt_pool_order(level));
}

int pgt_init(struct pgtable *pt)
{
	u64 *top = pgt_pool_take(PGT_LEVELS - 1);
	const u64 *kernel = pa_to_va(pgt_kernel_root);

	if (top) {
		pt->root = va_to_pa(top);
		return 0;
	}
	top = page_alloc_va(arch_pvm ? 1 : 0, 0);
	if (!top)
		return -ENOMEM;
	memset(top, 0, PGT_HALF * sizeof(*top));
	memcpy(top + PGT_HALF, kernel + PGT_HALF, PGT_HALF * sizeof(*top));
	pt->root = va_to_pa(top);
	if (arch_pvm) {
		u64 *user = top + PGT_SLOTS;

		panic_if(pt->root & PAGE_SIZE);
		memset(user, 0, PAGE_SIZE);
		user[PGT_SLOTS - 1] = image_pa(pgt_upper[0]) | PGT_TABLE;
		user[PGT_TRAMP] = image_pa(pgt_tramp[2]) | PGT_TABLE;
	}
	return 0;
}

/* Is e the shared table of the trampoline? It is none of the address space's own. */
static bool pgt_shared(u64 e)
{
	return arch_pvm && (e == pgt_tramp[2][PGT_SLOTS - 1] || e == pgt_tramp[1][PGT_SLOTS - 1]);
}

/* Tables below entry e of a table of `level` + 1, counted no further than `limit`. */
static u32 pgt_count(u64 e, u32 level, u32 limit)
{
	const u64 *tab = pa_to_va(pte_pa(e));
	u32 n = 1;

	for (u32 i = 0; level && i < PGT_SLOTS && n < limit; i++) {
		if (tab[i])
			n += pgt_count(tab[i], level - 1, limit - n);
	}
	return n;
}

/* Take all pages out of the tables below entry e; with `tables` also the tables. The pages are not ours. */
static void pgt_empty(u64 e, u32 level, bool tables)
{
	u64 *tab = pa_to_va(pte_pa(e));

	for (u32 i = 0; i < PGT_SLOTS; i++) {
		if (!tab[i])
			continue;
		panic_if(level == 1 && (tab[i] & PGT_LARGE)); /* its pages were taken out before */
		if (level && !pgt_shared(tab[i]))
			pgt_empty(tab[i], level - 1, tables);
		if (!level || tables)
			tab[i] = 0;
	}
	if (tables)
		pgt_pool_give(tab, level);
}

void pgt_destroy(struct pgtable *pt)
{
	u64 *top = pa_to_va(pt->root);
	u32 n = 0;

	tlb_forget(pt->root);
	/* CPUs may race to the limit: the pool of top pages is larger by that */
	if (READ_ONCE(pgt_pool.n[PGT_LEVELS - 1]) >= PGT_TREES_MAX)
		n = PGT_TREE_MAX;
	/* Tables with the trampoline in them are not kept empty of pages. */
	if (arch_pvm && top[PGT_TRAMP])
		n = PGT_TREE_MAX;
	for (u32 i = 0; i < PGT_HALF && n < PGT_TREE_MAX; i++) {
		if (top[i])
			n += pgt_count(top[i], PGT_LEVELS - 2, PGT_TREE_MAX - n);
	}
	for (u32 i = 0; i < PGT_HALF; i++) {
		if (!top[i])
			continue;
		pgt_empty(top[i], PGT_LEVELS - 2, n >= PGT_TREE_MAX);
		if (n < PGT_TREE_MAX)
			continue;
		top[i] = 0;
		if (arch_pvm)
			top[i + PGT_SLOTS] =
				i == PGT_TRAMP ? image_pa(pgt_tramp[2]) | PGT_TABLE : 0;
	}
	pgt_pool_give(top, PGT_LEVELS - 1);
	pt->root = 0;
}

/* Set an entry that is `old`; two threads that fault at once may race for it. False when the other one won. */
static bool pgt_set_table(struct pgtable *pt, u64 *slot, u64 old, paddr_t table)
{
	u64 *top = pa_to_va(pt->root);

	if (!atomic_cas(slot, &old, table | PGT_TABLE))
		return false;
	if (arch_pvm && slot >= top && slot < top + PGT_HALF)
		atomic_store(slot + PGT_SLOTS, table | PGT_TABLE);
	return true;
}

/* An empty table of `level` for va: with the trampoline, if its address is in the same. NULL: no memory. */
static u64 *pgt_make(u32 level, uaddr_t va)
{
	u32 shift = PAGE_SHIFT + (level + 1) * 9;
	u64 *tab = pgt_pool_take(level);

	if (!tab)
		tab = page_alloc_va(0, GFP_ZERO);
	if (tab && arch_pvm && va >> shift == TRAMP_VA >> shift)
		tab[PGT_SLOTS - 1] = pgt_tramp[level][PGT_SLOTS - 1];
	return tab;
}

/* ---- pieces of 2 MiB ---- */

static u64 pgt_larges; /* atomic */

u64 pgt_large_count(void)
{
	return atomic_load(&pgt_larges);
}

/*
 * The leaf entries of the piece that *slot = e maps. With `split` it is mapped by them from now on: they say the same, so it does not matter which of the two a
 * processor remembers, and what it remembers goes with any page of it.
 */
static u64 *pgt_large_table(u64 *slot, u64 e, bool split)
{
	paddr_t table = page_of(pte_pa(e))->index;

	if (split && atomic_cas(slot, &e, table | PGT_TABLE))
		atomic_sub(&pgt_larges, 1);
	return pa_to_va(table);
}

static bool pgt_is_empty(const u64 *tab)
{
	u64 any = 0;

	for (u32 i = 0; i < PGT_SLOTS; i++)
		any |= tab[i];
	return !any;
}

/* ---- walking ---- */

enum pgt_how {
	PGT_LOOK, /* pieces stay whole */
	PGT_SPLIT,
	PGT_ALLOC /* missing tables are made */
};

/* The table of `level` that slot points to, which va is in. */
static u64 *pgt_table(struct pgtable *pt, u64 *slot, u32 level, uaddr_t va, enum pgt_how how)
{
	u64 e = atomic_load(slot);

	if (e & PGT_LARGE)
		return pgt_large_table(slot, e, how != PGT_LOOK);
	if ((!e || pgt_shared(e)) && how == PGT_ALLOC) {
		u64 *tab = pgt_make(level, va);

		if (!tab)
			return NULL;
		if (!pgt_set_table(pt, slot, e, va_to_pa(tab))) {
			tab[PGT_SLOTS - 1] = 0;
			pgt_pool_give(tab, level);
		}
		e = atomic_load(slot);
	}
	return e && !pgt_shared(e) ? pa_to_va(pte_pa(e)) : NULL;
}

/* The slot of va in its table of `level`, 0 = the leaves. NULL: there is none. */
static u64 *pgt_slot(struct pgtable *pt, uaddr_t va, u32 level, enum pgt_how how)
{
	u64 *tab = pa_to_va(pt->root);

	for (u32 l = PGT_LEVELS - 1; l > level; l--) {
		tab = pgt_table(pt, &tab[pgt_index(va, PAGE_SHIFT + 9 * l)], l - 1, va, how);
		if (!tab)
			return NULL;
	}
	return &tab[pgt_index(va, PAGE_SHIFT + 9 * level)];
}

pte_t *pgt_walk(struct pgtable *pt, uaddr_t va, bool alloc)
{
	return pgt_slot(pt, va, 0, alloc ? PGT_ALLOC : PGT_SPLIT);
}

const pte_t *pgt_look(struct pgtable *pt, uaddr_t va)
{
	return pgt_slot(pt, va, 0, PGT_LOOK);
}

int pgt_map_large(struct pgtable *pt, uaddr_t va, pte_t first)
{
	u64 *slot = pgt_slot(pt, va, 1, PGT_ALLOC), *tab;
	u64 e = slot ? atomic_load(slot) : 0;

	if (!slot)
		return -ENOMEM;
	if (e & PGT_LARGE || pgt_shared(e))
		return -EEXIST;
	tab = e ? pa_to_va(pte_pa(e)) : pgt_make(0, va);
	if (!tab)
		return -ENOMEM;
	if (e && !pgt_is_empty(tab))
		return -EEXIST;
	for (u32 i = 0; i < PGT_SLOTS; i++)
		tab[i] = first + i * PAGE_SIZE;
	page_of(pte_pa(first))->index = va_to_pa(tab);
	atomic_store(slot, first | PGT_LARGE);
	atomic_add(&pgt_larges, 1);
	return 0;
}

bool pgt_is_large(struct pgtable *pt, uaddr_t va)
{
	const u64 *slot = pgt_slot(pt, va, 1, PGT_LOOK);

	return slot && (atomic_load(slot) & PGT_LARGE);
}

static u64 *pgt_next(struct pgtable *pt, uaddr_t *va, uaddr_t end, enum pgt_how how)
{
	u64 at = *va;

	while (at < end) {
		u64 *tab = pa_to_va(pt->root);
		u32 level = PGT_LEVELS;

		while (--level) {
			tab = pgt_table(pt, &tab[pgt_index(at, PAGE_SHIFT + 9 * level)], level - 1,
				at, how);
			if (!tab)
				break;
		}
		if (tab) {
			*va = at;
			return &tab[pgt_index(at, PAGE_SHIFT)];
		}
		at = ((at >> (PAGE_SHIFT + 9 * level)) + 1) << (PAGE_SHIFT + 9 * level);
	}
	return NULL;
}

pte_t *pgt_walk_next(struct pgtable *pt, uaddr_t *va, uaddr_t end)
{
	return pgt_next(pt, va, end, PGT_SPLIT);
}

const pte_t *pgt_look_next(struct pgtable *pt, uaddr_t *va, uaddr_t end)
{
	return pgt_next(pt, va, end, PGT_LOOK);
}

pte_t pte_make(paddr_t pa, u32 prot)
{
	return pa | PGT_P | PGT_U | (prot & PTE_W ? PGT_W : 0) | (prot & PTE_X ? 0 : PGT_NX);
}
