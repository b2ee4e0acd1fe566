/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO as the kernel sees it: fill its data page, map both into an address space. */
#include "arch.h"
#include "arch/x86_64/pcpu.h"
#include "arch/x86_64/vdso/vdso_data.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "mm/as.h"
#include "mm/page.h"

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

size_t vdso_size(void)
{
	return PAGE_SIZE + (size_t)(vdso_image_end - vdso_image);
}

int vdso_map(struct as *as, uaddr_t at)
{
	struct page *data = page_of(image_pa(&vdso_page)), *text[VDSO_PAGES_MAX];
	u32 n = (u32)((vdso_size() - PAGE_SIZE) / PAGE_SIZE);
	int ret;

	panic_if(n > VDSO_PAGES_MAX);
	for (u32 i = 0; i < n; i++)
		text[i] = page_of(image_pa(vdso_image + i * PAGE_SIZE));
	ret = as_map_special(as, at, &data, 1, VMA_READ | VMA_MAYREAD | VMA_VVAR);
	if (ret < 0)
		return ret;
	ret = as_map_special(as, at + PAGE_SIZE, text, n,
		VMA_READ | VMA_EXEC | VMA_MAYREAD | VMA_MAYEXEC | VMA_VDSO);
	if (ret == 0)
		as->vdso = at + PAGE_SIZE;
	return ret;
}
