/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO as the kernel sees it: fill its data page, map both into an address space. */
#include <linux/mman.h>

#include "arch.h"
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/vdso/vdso_data.h"
#include "kernel/clock.h"
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

/* Called again when the wall clock is set: programs may be reading. */
void vdso_update(void)
{
	struct vdso_data *d = &vdso_page.data;
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
