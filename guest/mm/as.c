/* SPDX-License-Identifier: Apache-2.0 */
/* Life of an address space, its random layout, and access to address spaces from outside. */
#include "mm/as.h"

#include <linux/mman.h>

#include "fs/aio.h"
#include "fs/vfs.h"
#include "kernel/errno.h"
#include "kernel/random.h"
#include "lib/string.h"
#include "mm/as_internal.h"
#include "mm/fault.h"
#include "mm/slab.h"

#define RANDOM_STACK_PAGES (1UL << 22) /* 16 GiB */
#define RANDOM_MMAP_PAGES  (1UL << 28) /* 1 TiB */
#define RANDOM_BRK_PAGES   (1UL << 13) /* 32 MiB */
#define RANDOM_OWN_PAGES   (1UL << 18) /* 1 GiB */
#define RANDOM_TABLE_PAGES (PTE_TABLE_SPAN >> PAGE_SHIFT)
#define RANDOM_TABLE_USES  128u
#define STACK_ROOM_MIN	   (128UL << 20)
#define STACK_ROOM_MAX	   (USER_LAYOUT_TOP / 6 * 5)
#define PIE_BASE	   (USER_LAYOUT_TOP / 3 * 2)
#define PIE_BASE_FIXED	   0x555555554000UL /* where debuggers are used to see it */

enum as_region {
	AS_STACK,
	AS_MMAP,
	AS_PIE,
	AS_BRK,
	AS_REGIONS
};

/* What the places of all programs have in common for a while. */
static struct as_random {
	u64 machine; /* for good; 0 = not drawn yet */
	u64 table; /* which last level tables: drawn again after RANDOM_TABLE_USES programs */
	u32 uses;
} as_random[AS_REGIONS];

static u64 as_draw(u64 *value, bool again)
{
	u64 r, old = atomic_load(value);

	if (old && !again)
		return old;
	random_bytes(&r, sizeof(r));
	atomic_cas(value, &old, r | 1UL << 63);
	return atomic_load(value);
}

/*
 * Page tables are dear to make on pvm (arch/x86_64/pgtable.c), so the programs of a sandbox share places in all but the last level. What a
 * range has beyond RANDOM_OWN_PAGES is drawn once for the machine, the table of last level for a number of programs, and the page
 * within it for every program.
 */
static u64 as_random_pages(const struct as *as, enum as_region region, u64 range)
{
	struct as_random *c = &as_random[region];
	u64 own = MIN(range, RANDOM_OWN_PAGES), tables = own / RANDOM_TABLE_PAGES;
	u64 r, table;

	if (as->no_random)
		return 0;
	random_bytes(&r, sizeof(r));
	table = as_draw(&c->table, atomic_add(&c->uses, 1u) % RANDOM_TABLE_USES == 0);
	r = r % RANDOM_TABLE_PAGES + table % tables * RANDOM_TABLE_PAGES;
	r += as_draw(&c->machine, false) % (range / own) * own;
	return r << PAGE_SHIFT;
}

uaddr_t as_layout(struct as *as, bool no_random)
{
	u64 room = as->limit_stack;
	uaddr_t top;

	as->no_random = no_random;
	room = MIN(MAX(room, STACK_ROOM_MIN), STACK_ROOM_MAX);
	top = USER_LAYOUT_TOP - as_random_pages(as, AS_STACK, RANDOM_STACK_PAGES);
	/* the stack's random part may take as much again */
	as->mmap_base =
		ALIGN_DOWN(USER_LAYOUT_TOP - (RANDOM_STACK_PAGES << PAGE_SHIFT) - room - STACK_GAP -
				   as_random_pages(as, AS_MMAP, RANDOM_MMAP_PAGES),
			PAGE_SIZE);
	as->hole_hint = 0;
	as->hole_max = 0;
	return top;
}

void as_set_brk(struct as *as, uaddr_t end)
{
	as->brk_start = ALIGN_UP(end, PAGE_SIZE) + as_random_pages(as, AS_BRK, RANDOM_BRK_PAGES);
	as->brk = as->brk_start;
}

uaddr_t as_pie_base(struct as *as)
{
	if (as->no_random)
		return PIE_BASE_FIXED;
	return ALIGN_DOWN(PIE_BASE, PTE_TABLE_SPAN) +
	       as_random_pages(as, AS_PIE, RANDOM_MMAP_PAGES);
}

static struct {
	struct spinlock lock; /* protects: list, n */
	struct list_head list;
	u32 n;
} as_all = { .list = LIST_HEAD_INIT(as_all.list) };

void as_publish(struct as *as)
{
	spin_lock(&as_all.lock);
	list_add_tail(&as_all.list, &as->all_link);
	as_all.n++;
	spin_unlock(&as_all.lock);
}

u32 as_count(void)
{
	return READ_ONCE(as_all.n);
}

struct as *as_next(struct as *prev)
{
	struct list_head *at;
	struct as *as = NULL;

	spin_lock(&as_all.lock);
	at = prev ? prev->all_link.next : as_all.list.next;
	for (; at != &as_all.list && !as; at = at->next) {
		as = container_of(at, struct as, all_link);
		if (!ref_get_unless_zero(&as->shell))
			as = NULL;
	}
	spin_unlock(&as_all.lock);
	if (prev)
		as_drop(prev);
	return as;
}

struct as *as_create(void)
{
	struct as *as = as_create_hidden();

	if (as)
		as_publish(as);
	return as;
}

struct as *as_create_hidden(void)
{
	struct as *as = kzalloc(sizeof(*as));

	if (!as)
		return NULL;
	if (pgt_init(&as->pt)) {
		kfree(as);
		return NULL;
	}
	ref_init(&as->ref);
	ref_init(&as->shell);
	list_init(&as->all_link);
	as->lock.lock.rank = 35;
	as->pt_lock.rank = 65;
	as->limit_as = as->limit_data = as->limit_memlock = ~0UL;
	as->limit_stack = 8UL << 20;
	as->dumpable = true;
	as_layout(as, false);
	return as;
}

u64 as_max_vmas = AS_MAX_VMAS;

static void as_destroy(struct as *as)
{
	struct list_head dead;
	struct rb_node *n;

	aio_exit(as);
	/* whoever writes pages out goes on until he has let go, and sees from now on that ref is 0 */
	rwsem_write_lock(&as->lock);
	rwsem_write_unlock(&as->lock);
	list_init(&dead);
	/* truncation and write-back find the VMAs through their files: unlink first */
	while ((n = rb_first(&as->vmas))) {
		struct vma *v = rb_entry(n, struct vma, node);

		vma_unlink(v);
		list_add_tail(&dead, &v->map_link);
	}
	as_zap_dead(as);
	pgt_destroy(&as->pt);
	vma_free_list(&dead);
	if (as->exe)
		file_put(as->exe);
	as_drop(as);
}

void as_hold(struct as *as)
{
	ref_get(&as->shell);
}

void as_drop(struct as *as)
{
	if (!ref_put(&as->shell))
		return;
	spin_lock(&as_all.lock);
	if (!list_empty(&as->all_link)) {
		list_del(&as->all_link);
		as_all.n--;
	}
	spin_unlock(&as_all.lock);
	kfree(as);
}

void as_get(struct as *as)
{
	ref_get(&as->ref);
}

void as_put(struct as *as)
{
	if (ref_put(&as->ref))
		as_destroy(as);
}

/* ---- ahead of use, and from outside ---- */

/* The page at addr, faulted in, with a reference. NULL: no access. */
static struct page *as_get_page(struct as *as, uaddr_t addr, u32 access)
{
	for (int tries = 0; tries < 16; tries++) {
		struct page *p = NULL;
		const pte_t *slot;

		spin_lock(&as->pt_lock);
		slot = pgt_look(&as->pt, addr);
		if (slot && *slot && (!(access & FAULT_WRITE) || fault_may_write(*slot)))
			p = page_of(pte_pa(*slot));
		if (p)
			page_get(p);
		spin_unlock(&as->pt_lock);
		if (p)
			return p;
		if (mm_fault(as, addr, access))
			return NULL;
	}
	return NULL;
}

static size_t as_copy(struct as *as, uaddr_t at, char *buf, size_t n, u32 access)
{
	size_t done = 0;

	while (done < n && at < USER_TOP) {
		u64 off = at & (PAGE_SIZE - 1), part = MIN(PAGE_SIZE - off, n - done);
		struct page *p = as_get_page(as, at, access);
		char *mem;

		if (!p)
			break;
		mem = (char *)page_va(p) + off;
		if (access & FAULT_WRITE)
			memcpy(mem, buf + done, part);
		else
			memcpy(buf + done, mem, part);
		page_put(p);
		done += part;
		at += part;
	}
	return done;
}

size_t as_copy_to(struct as *as, uaddr_t dst, const void *src, size_t n)
{
	return as_copy(as, dst, (char *)(uintptr_t)src, n, FAULT_WRITE | FAULT_FORCE);
}

size_t as_copy_from(struct as *as, void *dst, uaddr_t src, size_t n)
{
	return as_copy(as, src, dst, n, FAULT_FORCE);
}
size_t as_copy_checked(struct as *as, uaddr_t at, void *buf, size_t n, bool write)
{
	return as_copy(as, at, buf, n, write ? FAULT_WRITE : 0);
}

int as_populate(struct as *as, uaddr_t start, u64 len, bool write)
{
	uaddr_t va = ALIGN_DOWN(start, PAGE_SIZE), end;

	if (__builtin_add_overflow(start, len, &end) || end > USER_TOP)
		return -ENOMEM;
	while (va < end) {
		const pte_t *slot;
		bool there;
		int ret;

		spin_lock(&as->pt_lock);
		slot = pgt_look(&as->pt, va);
		there = slot && pte_present(*slot) && (!write || pte_writable(*slot));
		spin_unlock(&as->pt_lock);
		if (!there) {
			ret = mm_fault(as, va, write ? FAULT_WRITE : 0);
			if (ret)
				return ret;
		}
		va += PAGE_SIZE;
	}
	return 0;
}
