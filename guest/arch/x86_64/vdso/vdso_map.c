/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO as the kernel sees it: fill its data page, map both into an address space. */
#include <linux/mman.h>

#include "arch.h"
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/vdso/vdso_data.h"
#include "kernel/clock.h"
#include "kernel/errno.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "mm/as.h"
#include "mm/page.h"
#include "mm/pte.h"

#define VDSO_PAGES_MAX 4

extern const char vdso_image[], vdso_image_end[];

static union {
	struct vdso_data data;
	u8 page[PAGE_SIZE];
} vdso_page __aligned(4096);

static struct spinlock vdso_lock; /* leaf; protects: vdso_others, and writing of all pages */
static struct list_head vdso_others = LIST_HEAD_INIT(vdso_others);

static struct vdso_data *vdso_data_of(const struct vdso_clocks *v)
{
	return page_va(v->page);
}

/* Programs may be reading. */
static void vdso_fill(struct vdso_data *d)
{
	struct clock_params p;

	clock_params(&p);
	WRITE_ONCE(d->seq, d->seq + 1);
	barrier();
	d->mult = p.mult;
	d->shift = p.shift;
	d->base_tsc = p.base_tsc;
	d->realtime_offset = p.realtime_offset;
	d->cpu_segment = arch_pvm ? 0 : CPU_SEGMENT;
	barrier();
	WRITE_ONCE(d->seq, d->seq + 1);
}

/* Called again when the wall clock is set. */
void vdso_update(void)
{
	struct vdso_clocks *v;

	spin_lock(&vdso_lock);
	vdso_fill(&vdso_page.data);
	list_for_each_entry (v, &vdso_others, link)
		vdso_fill(vdso_data_of(v));
	spin_unlock(&vdso_lock);
}

int vdso_clocks_init(struct vdso_clocks *v)
{
	v->page = page_alloc(0, GFP_ZERO);
	if (!v->page)
		return -ENOMEM;
	spin_lock(&vdso_lock);
	vdso_fill(vdso_data_of(v));
	list_add_tail(&vdso_others, &v->link);
	spin_unlock(&vdso_lock);
	return 0;
}

/* Before a program reads them. */
void vdso_clocks_set(struct vdso_clocks *v, s64 monotonic, s64 boottime)
{
	vdso_data_of(v)->monotonic_offset = (u64)monotonic;
	vdso_data_of(v)->boottime_offset = (u64)boottime;
}

/* An address space may go on without the namespace, and has a reference of its own. */
void vdso_clocks_fini(struct vdso_clocks *v)
{
	spin_lock(&vdso_lock);
	list_del(&v->link);
	spin_unlock(&vdso_lock);
	page_put(v->page);
}

void arch_map_clocks(struct as *as, struct vdso_clocks *v)
{
	as_replace_special(as, VMA_VVAR, v ? v->page : page_of(image_pa(&vdso_page)));
}

/* A free range above the stack that the stack's last page table covers, or else of the mmap area: address space that was mapped for a moment. */
static s64 vdso_place(struct as *as, uaddr_t above, size_t size)
{
	uaddr_t end = MIN(pte_table_end(above), USER_TOP);
	u32 r;
	s64 at;
	int ret;

	if (end - above > size + PAGE_SIZE) {
		random_bytes(&r, sizeof(r));
		return (s64)(above + PAGE_SIZE +
			     r % ((end - above - size) >> PAGE_SHIFT) * PAGE_SIZE);
	}
	at = as_mmap(as, 0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);
	if (at < 0)
		return at;
	ret = as_munmap(as, (uaddr_t)at, size);
	return ret < 0 ? ret : at;
}

int arch_map_vdso(struct as *as, uaddr_t above)
{
	struct page *data = page_of(image_pa(&vdso_page)), *text[VDSO_PAGES_MAX];
	size_t size = (size_t)(vdso_image_end - vdso_image);
	s64 at = vdso_place(as, above, PAGE_SIZE + size);
	u32 n = (u32)(size / PAGE_SIZE);
	int ret;

	if (at < 0)
		return (int)at;
	panic_if(n > VDSO_PAGES_MAX);
	for (u32 i = 0; i < n; i++)
		text[i] = page_of(image_pa(vdso_image + i * PAGE_SIZE));
	ret = as_map_special(as, (uaddr_t)at, &data, 1, VMA_VVAR);
	if (ret < 0)
		return ret;
	ret = as_map_special(as, (uaddr_t)at + PAGE_SIZE, text, n, VMA_EXEC | VMA_VDSO);
	if (ret == 0)
		as->vdso = (uaddr_t)at + PAGE_SIZE;
	return ret;
}
