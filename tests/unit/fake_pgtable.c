/* SPDX-License-Identifier: Apache-2.0 */
/* Page tables of three fake levels (a sorted list of leaf tables), and user memory accessed through them as the processor would. */
#include "fake_pgtable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_guest.h"
#include "fs/aio.h"
#include "fs/vfs.h"
#include "kernel/random.h"
#include "mm/page.h"

#define FAKE_TABLES 4096

struct fake_table {
	uaddr_t base;
	bool large; /* one piece of 2 MiB: nobody may write to a slot */
	pte_t slot[512];
};

struct fake_root {
	struct fake_table *table[FAKE_TABLES]; /* sorted by base */
	unsigned n;
};

struct as *fake_as;
unsigned long fake_tlb_flushes, fake_faults;
static unsigned long fake_larges;
int fake_last_fault;
void (*fake_tlb_hook)(void);
static struct fake_root *roots[64];

#define FAKE_PT_CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

int pgt_init(struct pgtable *pt)
{
	for (unsigned i = 0; i < ARRAY_SIZE(roots); i++) {
		if (!roots[i]) {
			roots[i] = calloc(1, sizeof(*roots[i]));
			pt->root = i + 1;
			return 0;
		}
	}
	return -12;
}

static struct fake_root *fake_root_of(struct pgtable *pt)
{
	FAKE_PT_CHECK(pt->root);
	return roots[pt->root - 1];
}

void pgt_destroy(struct pgtable *pt)
{
	struct fake_root *r = fake_root_of(pt);

	for (unsigned i = 0; i < r->n; i++)
		free(r->table[i]);
	free(r);
	roots[pt->root - 1] = NULL;
	pt->root = 0;
}

/* Index of the first table at or behind base. */
static unsigned fake_find(struct fake_root *r, uaddr_t base)
{
	unsigned lo = 0, hi = r->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (r->table[mid]->base < base)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct fake_table *fake_table_of(struct pgtable *pt, uaddr_t va, bool alloc)
{
	struct fake_root *r = fake_root_of(pt);
	uaddr_t base = va & ~(512 * PAGE_SIZE - 1);
	unsigned at = fake_find(r, base);

	FAKE_PT_CHECK(va < USER_TOP);
	if (at == r->n || r->table[at]->base != base) {
		if (!alloc)
			return NULL;
		FAKE_PT_CHECK(r->n < FAKE_TABLES);
		memmove(&r->table[at + 1], &r->table[at], (r->n - at) * sizeof(r->table[0]));
		r->table[at] = calloc(1, sizeof(*r->table[at]));
		r->table[at]->base = base;
		r->n++;
	}
	return r->table[at];
}

static void fake_split(struct fake_table *t)
{
	if (t && t->large) {
		t->large = false;
		fake_larges--;
	}
}

pte_t *pgt_walk(struct pgtable *pt, uaddr_t va, bool alloc)
{
	struct fake_table *t = fake_table_of(pt, va, alloc);

	fake_split(t);
	return t ? &t->slot[(va >> PAGE_SHIFT) & 511] : NULL;
}

const pte_t *pgt_look(struct pgtable *pt, uaddr_t va)
{
	struct fake_table *t = fake_table_of(pt, va, false);

	return t ? &t->slot[(va >> PAGE_SHIFT) & 511] : NULL;
}

static struct fake_table *fake_next(struct pgtable *pt, uaddr_t *va, uaddr_t end)
{
	struct fake_root *r = fake_root_of(pt);
	unsigned at = fake_find(r, *va & ~(512 * PAGE_SIZE - 1));

	if (*va >= end || at == r->n || r->table[at]->base >= end)
		return NULL;
	*va = MAX(*va, r->table[at]->base);
	return r->table[at];
}

pte_t *pgt_walk_next(struct pgtable *pt, uaddr_t *va, uaddr_t end)
{
	struct fake_table *t = fake_next(pt, va, end);

	fake_split(t);
	return t ? &t->slot[(*va >> PAGE_SHIFT) & 511] : NULL;
}

const pte_t *pgt_look_next(struct pgtable *pt, uaddr_t *va, uaddr_t end)
{
	struct fake_table *t = fake_next(pt, va, end);

	return t ? &t->slot[(*va >> PAGE_SHIFT) & 511] : NULL;
}

int pgt_map_large(struct pgtable *pt, uaddr_t va, pte_t first)
{
	struct fake_table *t = fake_table_of(pt, va, true);

	FAKE_PT_CHECK(fake_spin_held && !(va & (512 * PAGE_SIZE - 1)) &&
		      !(pte_pa(first) & (512 * PAGE_SIZE - 1)));
	for (unsigned i = 0; i < 512; i++) {
		if (t->slot[i])
			return -17;
	}
	for (unsigned i = 0; i < 512; i++)
		t->slot[i] = first + i * PAGE_SIZE;
	t->large = true;
	fake_larges++;
	return 0;
}

bool pgt_is_large(struct pgtable *pt, uaddr_t va)
{
	struct fake_table *t = fake_table_of(pt, va, false);

	return t && t->large;
}

u64 pgt_large_count(void)
{
	return fake_larges;
}

pte_t pte_make(paddr_t pa, u32 prot)
{
	return pa | 5 | (prot & PTE_W ? 2 : 0) | (prot & PTE_X ? 0 : 1UL << 63);
}

void tlb_flush(struct pgtable *pt, u64 cpumask, uaddr_t start, uaddr_t end)
{
	(void)pt;
	(void)cpumask;
	FAKE_PT_CHECK(!fake_spin_held && start < end);
	fake_tlb_flushes++;
	if (fake_tlb_hook)
		fake_tlb_hook();
}

/* ---- user memory ---- */

/* The page behind va, after as many faults as it takes; NULL = refused. */
static char *fake_user_page(uaddr_t va, bool write)
{
	for (int tries = 0; fake_as && tries < 8; tries++) {
		const pte_t *slot = pgt_look(&fake_as->pt, va);

		if (slot && pte_present(*slot) && (!write || pte_writable(*slot)))
			return (char *)pa_to_va(pte_pa(*slot)) + (va & (PAGE_SIZE - 1));
		fake_faults++;
		fake_last_fault = mm_fault(fake_as, va, (write ? FAULT_WRITE : 0) | FAULT_USER);
		if (fake_last_fault)
			return NULL;
	}
	return NULL;
}

size_t arch_copy_from_user(void *dst, uaddr_t src, size_t n)
{
	char *out = dst;

	for (; n; n--, src++, out++) {
		char *p = fake_user_page(src, false);

		if (!p)
			break;
		*out = *p;
	}
	return n;
}

size_t arch_copy_to_user(uaddr_t dst, const void *src, size_t n)
{
	const char *in = src;

	for (; n; n--, dst++, in++) {
		char *p = fake_user_page(dst, true);

		if (!p)
			break;
		*p = *in;
	}
	return n;
}

size_t arch_clear_user(uaddr_t dst, size_t n)
{
	const char zero = 0;

	for (; n && !arch_copy_to_user(dst, &zero, 1); n--)
		dst++;
	return n;
}

s64 arch_strnlen_user(uaddr_t s, size_t max)
{
	for (size_t n = 0; n < max; n++) {
		char *p = fake_user_page(s + n, false);

		if (!p)
			return -14;
		if (!*p)
			return (s64)n;
	}
	return (s64)max;
}

int arch_cmpxchg_user32(uaddr_t p, u32 expected, u32 new_value, u32 *old)
{
	if (arch_copy_from_user(old, p, sizeof(*old)))
		return -14;
	if (*old == expected && arch_copy_to_user(p, &new_value, sizeof(new_value)))
		return -14;
	return 0;
}

/* ---- the rooms above ---- */

void file_get(struct file *f)
{
	ref_get(&f->ref);
}

void aio_exit(struct as *as)
{
	FAKE_PT_CHECK(!as->aio);
}

void file_put(struct file *f)
{
	FAKE_PT_CHECK(!fake_spin_held);
	FAKE_PT_CHECK(!ref_put(&f->ref));
}

void random_bytes(void *buf, size_t len)
{
	arch_random(buf, len);
}
