/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree builder. libfdt's sequential writer remembers the first failure, so errors are looked at once, at the end. */
#include <config.h>
#include "vmm/devtree.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include <casemate/abi_version.h>
#include <casemate/guestmem.h>

/* A writer with its first error. */
struct devtree {
	void *buf;
	int err;
};

static void dt_note(struct devtree *t, int r)
{
	if (r < 0 && t->err == 0)
		t->err = r;
}

static void dt_begin(struct devtree *t, const char *name)
{
	dt_note(t, fdt_begin_node(t->buf, name));
}

static void dt_end(struct devtree *t)
{
	dt_note(t, fdt_end_node(t->buf));
}

static void dt_u32(struct devtree *t, const char *name, uint32_t v)
{
	dt_note(t, fdt_property_u32(t->buf, name, v));
}

static void dt_u64(struct devtree *t, const char *name, uint64_t v)
{
	dt_note(t, fdt_property_u64(t->buf, name, v));
}

static void dt_string(struct devtree *t, const char *name, const char *s)
{
	dt_note(t, fdt_property_string(t->buf, name, s));
}

static void dt_reg(struct devtree *t, uint64_t base, uint64_t size)
{
	fdt64_t reg[2] = { cpu_to_fdt64(base), cpu_to_fdt64(size) };

	dt_note(t, fdt_property(t->buf, "reg", reg, sizeof(reg)));
}

static void dt_begin_at(struct devtree *t, const char *name, uint64_t base)
{
	char node[40];

	snprintf(node, sizeof(node), "%s@%llx", name, (unsigned long long)base);
	dt_begin(t, node);
}

static void dt_window(
	struct devtree *t, const char *name, const char *compatible, uint64_t base, uint64_t size)
{
	if (size == 0)
		return;
	dt_begin_at(t, name, base);
	dt_string(t, "compatible", compatible);
	dt_reg(t, base, size);
	dt_end(t);
}

static void dt_chosen(struct devtree *t, const struct devtree_machine *m)
{
	dt_begin(t, "chosen");
	dt_string(t, "bootargs", m->cmdline);
	dt_note(t, fdt_property(t->buf, "rng-seed", m->seed, sizeof(m->seed)));
	dt_u32(t, "casemate,abi", CM_ABI_VERSION);
	dt_u32(t, "casemate,tsc-khz", m->tsc_khz);
	dt_u64(t, "casemate,boot-realtime-ns", m->realtime_ns);
	dt_u64(t, "casemate,boot-tsc", m->tsc);
	dt_end(t);
}

static void dt_cpus(struct devtree *t, unsigned cpus)
{
	unsigned i;

	dt_begin(t, "cpus");
	dt_u32(t, "#address-cells", 1);
	dt_u32(t, "#size-cells", 0);
	for (i = 0; i < cpus; i++) {
		dt_begin_at(t, "cpu", i);
		dt_string(t, "device_type", "cpu");
		dt_u32(t, "reg", i);
		dt_end(t);
	}
	dt_end(t);
}

static void dt_virtio(struct devtree *t, const struct devtree_device *d)
{
	uint64_t base = CM_GPA_VIRTIO + d->index * CM_VIRTIO_STRIDE;

	dt_begin_at(t, "virtio", base);
	dt_string(t, "compatible", "virtio,mmio");
	dt_reg(t, base, CM_VIRTIO_STRIDE);
	dt_u32(t, "interrupts", CM_VECTOR_VIRTIO + d->index);
	dt_u32(t, "casemate,device-id", d->virtio_id);
	dt_u32(t, "casemate,index", d->index);
	if (d->tag)
		dt_string(t, "casemate,tag", d->tag);
	dt_end(t);
}

int devtree_build(const struct devtree_machine *m, void *buf, size_t size)
{
	struct devtree t = { .buf = buf };
	unsigned i;

	dt_note(&t, fdt_create(buf, (int)size));
	dt_note(&t, fdt_finish_reservemap(buf));
	dt_begin(&t, "");
	dt_u32(&t, "#address-cells", 2);
	dt_u32(&t, "#size-cells", 2);
	dt_string(&t, "compatible", "casemate,machine");
	dt_chosen(&t, m);
	dt_begin_at(&t, "memory", CM_GPA_RAM);
	dt_string(&t, "device_type", "memory");
	dt_reg(&t, CM_GPA_RAM, m->ram);
	dt_end(&t);
	dt_cpus(&t, m->cpus);
	dt_window(&t, "arena", "casemate,arena", CM_GPA_ARENA, m->arena);
	dt_window(&t, "dax", "casemate,dax", CM_GPA_DAX, m->dax);
	for (i = 0; i < m->ndevices; i++)
		dt_virtio(&t, &m->device[i]);
	dt_end(&t);
	dt_note(&t, fdt_finish(buf));
	return t.err ? -ENOSPC : (int)fdt_totalsize(buf);
}
