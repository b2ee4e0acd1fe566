/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space as bytes with a mask of those bits that a guest may change. */
#include <config.h>
#include "vmm/pc/pci.h"

#include <stddef.h>
#include <string.h>

#define C_COMMAND  0x04
#define C_STATUS   0x06
#define C_CLASS	   0x08 /* revision in the low byte */
#define C_BAR	   0x10
#define C_CAPS	   0x34
#define C_LINE	   0x3c
#define C_PIN	   0x3d
#define C_MSI	   0x40 /* control, address, upper address, data */
#define MSI_64BIT  0x80
#define MSI_ENABLE 0x01
#define CMD_MEMORY 0x0002u
#define CMD_MASTER 0x0004u
#define CMD_NO_INT 0x0400u
#define ST_INTX	   0x08 /* of the status' low byte */
#define ST_CAPS	   0x10
#define ENABLED	   0x80000000u
#define RESET	   0x04u /* of port 0xcf9 */

static uint32_t config_get(const struct pc_pci_function *f, unsigned at, unsigned len)
{
	uint32_t v = 0;

	memcpy(&v, f->config + at, len);
	return v;
}

static void config_set(
	struct pc_pci_function *f, unsigned at, unsigned len, uint32_t v, uint32_t writable)
{
	memcpy(f->config + at, &v, len);
	memcpy(f->writable + at, &writable, len);
}

/* ---- interrupts */

static bool msi_on(const struct pc_pci_function *f)
{
	return f->msi && (f->config[C_MSI + 2] & MSI_ENABLE);
}

bool pc_pci_master(const struct pc_pci_function *f)
{
	return (config_get(f, C_COMMAND, 2) & CMD_MASTER) != 0;
}

/* One line for all of them. */
static void line_update(struct pc_pci *p)
{
	bool level = false;

	for (unsigned i = 0; i < p->count; i++) {
		struct pc_pci_function *f = &p->function[i];

		f->config[C_STATUS] &= (uint8_t)~ST_INTX;
		f->config[C_STATUS] |= f->intx ? ST_INTX : 0;
		level |= f->intx && !msi_on(f) && !(config_get(f, C_COMMAND, 2) & CMD_NO_INT);
	}
	if (level != p->line)
		p->host.line(p->host.arg, level);
	p->line = level;
}

void pc_pci_interrupt(struct pc_pci *p, struct pc_pci_function *f, bool on)
{
	if (on && msi_on(f)) {
		if (pc_pci_master(f))
			p->host.msi(p->host.arg, f->devfn,
				config_get(f, C_MSI + 4, 4) | (uint64_t)config_get(f, C_MSI + 8, 4)
								      << 32,
				config_get(f, C_MSI + 12, 2));
		return;
	}
	f->intx = on;
	line_update(p);
}

/* ---- functions */

static struct pc_pci_function *pci_new(
	struct pc_pci *p, uint16_t devfn, uint32_t id, uint32_t class)
{
	struct pc_pci_function *f = &p->function[p->count++];

	*f = (struct pc_pci_function){ .devfn = devfn };
	config_set(f, 0, 4, id, 0);
	config_set(f, C_COMMAND, 2, 0, CMD_MEMORY | CMD_MASTER | CMD_NO_INT);
	config_set(f, C_CLASS, 4, class << 8, 0);
	return f;
}

void pc_pci_init(struct pc_pci *p, const struct pc_pci_host *host)
{
	memset(p, 0, sizeof(*p));
	p->host = *host;
	/* The host bridge of Intel's Q35. */
	pci_new(p, 0, 0x29c08086, 0x060000);
}

struct pc_pci_function *pc_pci_add(struct pc_pci *p, uint32_t id, uint32_t class, uint32_t bar_size,
	const struct bus_ops *ops, void *dev)
{
	struct pc_pci_function *f;

	/* One BAR each: none is larger than its share of the window. */
	if (p->count == PC_PCI_FUNCTIONS || bar_size > PC_PCI_WINDOW_LEN / 16)
		return NULL;
	f = pci_new(p, (uint16_t)((p->count + 1) << 3), id, class);
	f->ops = ops;
	f->dev = dev;
	f->bar_size = bar_size;
	f->msi = true;
	config_set(f, C_COMMAND, 2, CMD_MEMORY, CMD_MEMORY | CMD_MASTER | CMD_NO_INT);
	f->config[C_STATUS] = ST_CAPS;
	config_set(f, C_BAR, 4,
		(uint32_t)(PC_PCI_WINDOW + (p->count - 2) * (PC_PCI_WINDOW_LEN / 16)),
		~(bar_size - 1));
	f->config[C_CAPS] = C_MSI;
	config_set(f, C_LINE, 1, PC_PCI_LINE, 0xff);
	f->config[C_PIN] = 1;
	config_set(f, C_MSI, 4, 5u | (uint32_t)MSI_64BIT << 16, (uint32_t)MSI_ENABLE << 16);
	config_set(f, C_MSI + 4, 4, 0, 0xfffffffc);
	config_set(f, C_MSI + 8, 4, 0, 0xffffffff);
	config_set(f, C_MSI + 12, 2, 0, 0xffff);
	return f;
}

/* ---- accesses */

/*
 * The selected function, and the byte of its configuration space; NULL without one. The address' two lowest bits count, though they are
 * zero on real bridges: QEMU's takes them, and programs made for it select bytes by them.
 */
static struct pc_pci_function *pci_selected(
	struct pc_pci *p, uint64_t off, unsigned len, unsigned *at)
{
	*at = (p->address & 0xff) | (unsigned)(off & 3);
	for (unsigned i = 0; i < p->count && off >= 4 && *at + len <= 256; i++) {
		if ((p->address & ENABLED) && (p->address >> 8 & 0xffff) == p->function[i].devfn)
			return &p->function[i];
	}
	return NULL;
}

static void port_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_pci *p = dev;
	unsigned at;
	const struct pc_pci_function *f = pci_selected(p, off, len, &at);

	memset(data, 0xff, len);
	if (off == 0 && len == 4)
		memcpy(data, &p->address, len);
	else if (f)
		memcpy(data, f->config + at, len);
}

static void port_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_pci *p = dev;
	unsigned at;
	struct pc_pci_function *f = pci_selected(p, off, len, &at);
	const uint8_t *v = data;

	if (off == 0 && len == 4)
		memcpy(&p->address, data, len);
	if (off == 1 && (v[0] & RESET))
		p->host.reset(p->host.arg);
	if (!f)
		return;
	for (unsigned i = 0; i < len; i++) {
		uint8_t *c = &f->config[at + i], w = f->writable[at + i];

		*c = (uint8_t)((*c & ~w) | (v[i] & w));
	}
	line_update(p);
}

const struct bus_ops pc_pci_port_ops = { .read = port_read, .write = port_write };

/* The function whose BAR holds the whole access, and the place in it. */
static struct pc_pci_function *pci_decode(struct pc_pci *p, uint64_t *off, unsigned len)
{
	uint64_t addr = PC_PCI_WINDOW + *off;

	for (unsigned i = 0; i < p->count; i++) {
		struct pc_pci_function *f = &p->function[i];
		uint64_t base = config_get(f, C_BAR, 4);

		if (!f->bar_size || !(config_get(f, C_COMMAND, 2) & CMD_MEMORY) || addr < base ||
			addr + len > base + f->bar_size)
			continue;
		*off = addr - base;
		return f;
	}
	return NULL;
}

static void window_read(void *dev, uint64_t off, void *data, unsigned len)
{
	const struct pc_pci_function *f = pci_decode(dev, &off, len);

	memset(data, 0xff, len);
	if (f)
		f->ops->read(f->dev, off, data, len);
}

static void window_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	const struct pc_pci_function *f = pci_decode(dev, &off, len);

	if (f)
		f->ops->write(f->dev, off, data, len);
}

const struct bus_ops pc_pci_window_ops = { .read = window_read, .write = window_write };
