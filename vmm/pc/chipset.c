/* SPDX-License-Identifier: Apache-2.0 */
/* The way of accesses, interrupts and DMA between bus tables, devices, remapping unit and KVM. */
#include <config.h>
#include "vmm/pc/chipset.h"

#include <errno.h>
#include <string.h>

#include "vmm/pc/firmware.h"
#include "vmm/pc/pc.h"

/* ---- ways out */

static void chip_signal(void *arg, uint64_t addr, uint32_t data)
{
	struct pc_chipset *c = arg;

	/* Memory writes elsewhere are no interrupts. What KVM does not like is lost, as on a bus. */
	if (addr >> 20 == 0xfee)
		/* #syscalls:io,vcpu ioctl[1=KVM_SIGNAL_MSI] */
		kvm_signal_msi(c->pc->vm_fd, addr, data);
}

static void chip_send(struct pc_chipset *c, int sid, struct vtd_msg m)
{
	if (!c->has_iommu || pc_iommu_remap(&c->iommu, sid, &m, true))
		chip_signal(c, m.addr, m.data);
}

static void chip_pci_msi(void *arg, uint16_t sid, uint64_t addr, uint32_t data)
{
	chip_send(arg, sid, (struct vtd_msg){ .addr = addr, .data = data });
}

/* The I/O APIC has no number on the bus, so its entries' sources are not verified. */
static void chip_ioapic_send(void *arg, struct vtd_msg m)
{
	chip_send(arg, VTD_NO_SOURCE, m);
}

static void chip_pci_line(void *arg, bool level)
{
	struct pc_chipset *c = arg;

	if (c->has_iommu)
		pc_ioapic_line(&c->ioapic, PC_PCI_LINE, level);
	else
		pc_irq_line(c->pc, PC_PCI_LINE, level);
}

static void chip_pci_reset(void *arg)
{
	struct pc_chipset *c = arg;

	pc_end(c->pc, CM_PC_END_RESET, 0, "reset by port %#x", CM_PC_RESET);
}

static void chip_dma(void *arg, uint16_t sid, uint64_t addr, void *buf, size_t len, bool write)
{
	struct pc_chipset *c = arg;
	struct vtd_place at = { .gpa = addr, .len = len };
	char *p = buf;

	for (; len > 0; p += at.len, addr += at.len, len -= at.len) {
		if (c->has_iommu && !pc_iommu_dma(&c->iommu, sid, addr, write, &at))
			return;
		if (at.len > len)
			at.len = len;
		/* Where there is no memory, writes vanish and reads give ones. */
		if (write)
			gmem_write(&c->pc->mem, at.gpa, p, at.len);
		else if (gmem_read(&c->pc->mem, at.gpa, p, at.len) < 0)
			memset(p, 0xff, at.len);
	}
}

/* KVM reports the end of those interrupts that its routes call level-triggered. */
static void chip_changed(void *arg)
{
	struct pc_chipset *c = arg;
	struct pc_msi_route route[PC_IOAPIC_INPUTS];
	unsigned n = 0;

	for (unsigned i = 0; i < PC_IOAPIC_INPUTS; i++) {
		struct vtd_msg m;

		if (pc_ioapic_level(&c->ioapic, i, &m) &&
			pc_iommu_remap(&c->iommu, VTD_NO_SOURCE, &m, false))
			route[n++] = (struct pc_msi_route){ i, m.data, m.addr };
	}
	if (n > 0 || c->routed)
		pc_set_msi_routes(c->pc, route, n);
	c->routed = n > 0;
}

/* ---- ways in, under the lock */

static void chip_read(void *dev, uint64_t off, void *data, unsigned len)
{
	const struct pc_chip_range *r = dev;

	pthread_mutex_lock(&r->chipset->lock);
	r->ops->read(r->dev, off, data, len);
	pthread_mutex_unlock(&r->chipset->lock);
}

static void chip_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	const struct pc_chip_range *r = dev;

	pthread_mutex_lock(&r->chipset->lock);
	r->ops->write(r->dev, off, data, len);
	pthread_mutex_unlock(&r->chipset->lock);
}
static const struct bus_ops chip_ops = { .read = chip_read, .write = chip_write };

void pc_chipset_line(struct pc_chipset *c, unsigned input, bool level)
{
	pthread_mutex_lock(&c->lock);
	pc_ioapic_line(&c->ioapic, input, level);
	pthread_mutex_unlock(&c->lock);
}

void pc_chipset_eoi(struct pc_chipset *c, uint8_t vector)
{
	pthread_mutex_lock(&c->lock);
	pc_ioapic_eoi(&c->ioapic, vector);
	pthread_mutex_unlock(&c->lock);
}

/* ---- creation */

static int chip_claim(struct pc_chipset *c, struct bus *bus, uint64_t base, uint64_t len,
	const struct bus_ops *ops, void *dev)
{
	struct pc_chip_range *r = &c->range[c->ranges++];

	*r = (struct pc_chip_range){ c, ops, dev };
	return bus_add(bus, base, len, &chip_ops, r);
}

static int chip_pci(struct pc_chipset *c)
{
	const struct pc_pci_host host = { chip_pci_line, chip_pci_msi, chip_pci_reset, c };
	struct pc *pc = c->pc;
	int r;

	pc_pci_init(&c->pci, &host);
	r = pc->opts->edu ? pc_edu_init(&c->edu, &c->pci, chip_dma, c) : 0;
	if (r == 0)
		r = chip_claim(c, &pc->pio, PC_PCI_PORT, PC_PCI_PORTS, &pc_pci_port_ops, &c->pci);
	if (r == 0)
		r = chip_claim(c, &pc->mmio, PC_PCI_WINDOW, PC_PCI_WINDOW_LEN, &pc_pci_window_ops,
			&c->pci);
	return r;
}

static int chip_iommu(struct pc_chipset *c)
{
	struct pc *pc = c->pc;
	int r;

	pc_iommu_init(&c->iommu, &pc->mem, chip_signal, chip_changed, c);
	pc_ioapic_init(&c->ioapic, chip_ioapic_send, chip_changed, c);
	r = chip_claim(c, &pc->mmio, PC_IOMMU_BASE, PC_IOMMU_LEN, &pc_iommu_ops, &c->iommu);
	if (r == 0)
		r = chip_claim(
			c, &pc->mmio, PC_IOAPIC_BASE, PC_IOAPIC_LEN, &pc_ioapic_ops, &c->ioapic);
	return r;
}

int pc_chipset_init(struct pc_chipset *c, struct pc *pc, struct cm_err *err)
{
	const struct pc_opts *o = pc->opts;
	int r = 0;

	c->pc = pc;
	c->has_iommu = o->iommu;
	c->has_pci = o->iommu || o->edu;
	pthread_mutex_init(&c->lock, NULL);
	if (c->has_pci)
		r = chip_pci(c);
	if (r == 0 && c->has_iommu)
		r = chip_iommu(c);
	return r < 0 ? cm_err_set(err, -r, "create PCI and IOMMU") : 0;
}
