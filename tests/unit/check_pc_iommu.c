/* SPDX-License-Identifier: Apache-2.0 */
/* The PC's remapping unit, I/O APIC, PCI bus and edu device without KVM: each against what its specification says. */
#include <config.h>

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/pc/edu.h"
#include "vmm/pc/ioapic.h"
#include "vmm/pc/iommu.h"
#include "vmm/pc/pci.h"

#define RAM	0x20000u
#define ROOT	0x1000u
#define CONTEXT 0x2000u
#define TOP	0x3000u /* second-level tables: level 3, or 4 */
#define TABLES	0x4000u /* the next levels, a page each */
#define IRT	0x8000u
#define QUEUE	0x9000u
#define STATUS	0xa000u
#define SID	0x0310u /* bus 3, device 2 */

static uint8_t ram[RAM];
static struct gmem mem;
static struct pc_iommu unit;
static uint64_t sent_addr;
static uint32_t sent_data;
static unsigned sent, changes;

static void on_send(void *arg, uint64_t addr, uint32_t data)
{
	sent++;
	sent_addr = addr;
	sent_data = data;
}

static void on_msg(void *arg, struct vtd_msg m)
{
	on_send(arg, m.addr, m.data);
}

static void on_change(void *arg)
{
	changes++;
}

static void put(uint64_t gpa, uint64_t v)
{
	memcpy(ram + gpa, &v, sizeof(v));
}

static uint64_t reg(unsigned off, unsigned len)
{
	uint64_t v = 0;

	pc_iommu_ops.read(&unit, off, &v, len);
	return v;
}

static void reg_set(unsigned off, uint64_t v, unsigned len)
{
	pc_iommu_ops.write(&unit, off, &v, len);
}

/* 39 bits: IOVA 0x5000 at 0x6000, read and write; 2 MiB at 0x200000 from 0. */
static void set_up(void)
{
	memset(ram, 0, sizeof(ram));
	mem.count = 0;
	sent = changes = 0;
	ck_assert_int_eq(gmem_add(&mem, 0, RAM, ram, true), 0);
	put(ROOT + 16 * (SID >> 8), CONTEXT | 1);
	put(CONTEXT + 16 * (SID & 0xff), TOP | 1);
	put(CONTEXT + 16 * (SID & 0xff) + 8, 1);
	put(TOP, TABLES | 3);
	put(TABLES, (TABLES + 0x1000) | 3);
	put(TABLES + 8, 0 | 3 | 1 << 7);
	put(TABLES + 0x1000 + 8 * 5, 0x6000 | 3);
	pc_iommu_init(&unit, &mem, on_send, on_change, NULL);
}

static enum vtd_fault translate(uint64_t addr, bool write, struct vtd_place *at)
{
	return vtd_translate(&mem, ROOT, SID, addr, write, at);
}

START_TEST(walk)
{
	struct vtd_place at;

	ck_assert_int_eq(translate(0x5123, true, &at), VTD_OK);
	ck_assert_uint_eq(at.gpa, 0x6123);
	ck_assert_uint_eq(at.len, 0x1000 - 0x123);
	ck_assert_int_eq(translate(0x2ff000, false, &at), VTD_OK);
	ck_assert_uint_eq(at.gpa, 0xff000);
	ck_assert_uint_eq(at.len, 0x101000);
	/* Four levels. */
	put(CONTEXT + 16 * (SID & 0xff) + 8, 2);
	put(TOP, (TABLES + 0x2000) | 3);
	put(TABLES + 0x2000, TABLES | 3);
	ck_assert_int_eq(translate(0x5000, false, &at), VTD_OK);
	ck_assert_uint_eq(at.gpa, 0x6000);
	ck_assert_int_eq(translate(1ull << 39, false, &at), VTD_NO_READ);
	ck_assert_int_eq(translate(1ull << 48, false, &at), VTD_TOO_WIDE);
	/* Pass-through. */
	put(CONTEXT + 16 * (SID & 0xff), 2 << 2 | 1);
	ck_assert_int_eq(translate(0x5678, true, &at), VTD_OK);
	ck_assert_uint_eq(at.gpa, 0x5678);
	ck_assert_uint_eq(at.len, 0x988);
}
END_TEST

START_TEST(faults)
{
	const uint64_t ce = CONTEXT + 16 * (SID & 0xff);
	const struct {
		uint64_t at, value, addr;
		bool write;
		enum vtd_fault why;
	} bad[] = {
		{ ROOT + 16 * 3, 0, 0, false, VTD_ROOT_ABSENT },
		{ ROOT + 16 * 3, CONTEXT | 0x11, 0, false, VTD_ROOT_RESERVED },
		{ ROOT + 16 * 3 + 8, 1, 0, false, VTD_ROOT_RESERVED },
		{ ROOT + 16 * 3, 0xffffffff001, 0, false, VTD_CONTEXT_ACCESS },
		{ ce, TOP, 0, false, VTD_CONTEXT_ABSENT },
		{ ce, TOP | 0x11, 0, false, VTD_CONTEXT_RESERVED },
		{ ce + 8, 0x81, 0, false, VTD_CONTEXT_RESERVED },
		{ ce + 8, 0, 0, false, VTD_CONTEXT_INVALID },
		{ ce + 8, 3, 0, false, VTD_CONTEXT_INVALID },
		{ ce, TOP | 1 << 2 | 1, 0, false, VTD_CONTEXT_INVALID },
		{ ce, TOP | 3 << 2 | 1, 0, false, VTD_CONTEXT_INVALID },
		{ ce, 0x40000000001, 0, false, VTD_TABLE_ACCESS },
		{ ce, TOP | 1, 1ull << 39, false, VTD_TOO_WIDE },
		{ ce, TOP | 1, ~0ull, false, VTD_TOO_WIDE },
		{ TOP, 0, 0x5000, false, VTD_NO_READ },
		{ TOP, TABLES | 2, 0x5000, false, VTD_NO_READ },
		{ TABLES, (TABLES + 0x1000) | 1, 0x5000, true, VTD_NO_WRITE },
		{ TOP, TABLES | 3 | 1 << 11, 0x5000, true, VTD_TABLE_RESERVED },
		{ TABLES, 0x1000 | 3 | 1 << 7, 0x5000, true, VTD_TABLE_RESERVED },
		{ TABLES, 0xffffffff000 | 3, 0x5000, true, VTD_TABLE_ACCESS },
	};
	struct vtd_place at;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_up();
		put(bad[i].at, bad[i].value);
		ck_assert_msg(
			translate(bad[i].addr, bad[i].write, &at) == bad[i].why, "case %zu", i);
		ck_assert(!at.quiet);
	}
	set_up();
	ck_assert_int_eq(vtd_translate(&mem, ROOT | 0x400, SID, 0, false, &at), VTD_ROOT_ACCESS);
	ck_assert_int_eq(vtd_translate(&mem, RAM, SID, 0, false, &at), VTD_ROOT_ACCESS);
	put(ce, 2);
	ck_assert_int_eq(translate(0, false, &at), VTD_CONTEXT_ABSENT);
	ck_assert(at.quiet);
}
END_TEST

/* Entry 5: vector 0x31, destination 7, for SID alone. */
static enum vtd_fault remap(
	uint64_t lo, uint64_t hi, uint64_t addr, uint32_t data, int sid, struct vtd_msg *m)
{
	put(IRT + 5 * 16, lo);
	put(IRT + 5 * 16 + 8, hi);
	*m = (struct vtd_msg){ .addr = addr, .data = data };
	return vtd_remap(&mem, IRT | 3, false, sid, m);
}

START_TEST(remapping)
{
	const uint64_t lo = 7ull << 40 | 0x31ull << 16 | 1, hi = SID | 1ull << 18;
	const uint32_t a = 0xfee00010 | 5 << 5;
	struct vtd_msg m;

	ck_assert_int_eq(remap(lo, hi, a, 0, SID, &m), VTD_OK);
	ck_assert_uint_eq(m.addr, 0xfee07000);
	ck_assert_uint_eq(m.data, 0x31);
	/* Logical, lowest priority, level, hint. */
	ck_assert_int_eq(remap(lo | 0x3c, hi, a, 0, SID, &m), VTD_OK);
	ck_assert_uint_eq(m.addr, 0xfee0700c);
	ck_assert_uint_eq(m.data, 0xc131);
	/* The index is handle plus subhandle. */
	ck_assert_int_eq(remap(lo, hi, 0xfee00018 | 3 << 5, 2, SID, &m), VTD_OK);
	ck_assert_int_eq(remap(lo, hi, 0xfee00018 | 3 << 5, 0x10002, SID, &m), VTD_IR_RESERVED);
	ck_assert_int_eq(remap(lo, hi, 0xfee00010 | 16 << 5, 0, SID, &m), VTD_IR_INDEX);
	ck_assert_int_eq(remap(lo, hi, a | 4, 0, SID, &m), VTD_IR_INDEX);
	ck_assert_int_eq(remap(lo, hi, 0xfee00018 | 3 << 5, 0xffff, SID, &m), VTD_IR_INDEX);
	ck_assert_int_eq(remap(lo, hi, 0xfee07000, 0x31, SID, &m), VTD_IR_COMPAT);
	ck_assert_int_eq(vtd_remap(&mem, IRT, true, SID, &m), VTD_OK);
	ck_assert_uint_eq(m.addr, 0xfee07000);
	ck_assert_int_eq(remap(lo & ~1ull, hi, a, 0, SID, &m), VTD_IR_ABSENT);
	ck_assert_int_eq(remap((lo & ~1ull) | 2, hi, a, 0, SID, &m), VTD_IR_ABSENT);
	ck_assert(m.quiet);
	ck_assert_int_eq(remap(lo | 1ull << 15, hi, a, 0, SID, &m), VTD_IRTE_RESERVED);
	ck_assert_int_eq(remap(lo | 3 << 5, hi, a, 0, SID, &m), VTD_IRTE_RESERVED);
	ck_assert_int_eq(remap(lo, hi | 3 << 18, a, 0, SID, &m), VTD_IRTE_RESERVED);
	/* Who may use it: this device, with or without some functions, a range of buses. */
	ck_assert_int_eq(remap(lo, hi, a, 0, SID + 1, &m), VTD_IR_SOURCE);
	ck_assert_int_eq(remap(lo, hi | 3 << 16, a, 0, SID + 7, &m), VTD_OK);
	ck_assert_int_eq(remap(lo, hi | 1 << 16, a, 0, SID + 4, &m), VTD_OK);
	ck_assert_int_eq(remap(lo, hi | 1 << 16, a, 0, SID + 5, &m), VTD_IR_SOURCE);
	ck_assert_int_eq(remap(lo, 0x0204 | 2 << 18, a, 0, SID, &m), VTD_OK);
	ck_assert_int_eq(remap(lo, 0x0102 | 2 << 18, a, 0, SID, &m), VTD_IR_SOURCE);
	ck_assert_int_eq(remap(lo, hi, a, 0, VTD_NO_SOURCE, &m), VTD_OK);
	m = (struct vtd_msg){ .addr = a };
	ck_assert_int_eq(vtd_remap(&mem, RAM | 3, false, SID, &m), VTD_IR_ACCESS);
}
END_TEST

START_TEST(registers)
{
	uint8_t byte;

	ck_assert_uint_eq(reg(0, 4), 0x10);
	ck_assert_uint_eq(reg(8, 8) >> 8 & 0x1f, 6);
	ck_assert_uint_eq(reg(0x10, 8) & 0xa, 0xa);
	reg_set(8, 0, 8);
	ck_assert_uint_ne(reg(8, 8), 0);
	/* What is not there reads as zeros; odd accesses as ones. */
	ck_assert_uint_eq(reg(0xff8, 8), 0);
	pc_iommu_ops.read(&unit, 0, &byte, 1);
	ck_assert_uint_eq(byte, 0xff);
	/* Root pointer, then translation: both show in the status, the command reads as zero. */
	reg_set(0x20, ROOT, 8);
	reg_set(0x18, 0x40000000, 4);
	ck_assert_uint_eq(reg(0x1c, 4), 0x40000000);
	reg_set(0x18, 0xc0000000, 4);
	ck_assert_uint_eq(reg(0x1c, 4), 0xc0000000);
	ck_assert_uint_eq(reg(0x18, 4), 0);
	reg_set(0x18, 0, 4);
	ck_assert_uint_eq(reg(0x1c, 4), 0x40000000);
	/* Invalidations by register are done at once. */
	reg_set(0x28, 1ull << 63 | 1ull << 61, 8);
	ck_assert_uint_eq(reg(0x28, 8) >> 59, 1 << 2 | 1);
	reg_set(0xf8, 1ull << 63 | 1ull << 60, 8);
	ck_assert_uint_eq(reg(0xf8, 8) >> 57, 1 << 3 | 1);
}
END_TEST

static bool dma(uint64_t addr, bool write)
{
	struct vtd_place at;

	return pc_iommu_dma(&unit, SID, addr, write, &at);
}

START_TEST(records)
{
	ck_assert(dma(0x123456000, true));
	reg_set(0x3c, 0x55, 4);
	reg_set(0x40, 0xfee01000, 4);
	reg_set(0x20, ROOT, 8);
	reg_set(0x18, 0xc0000000, 4);
	ck_assert(dma(0x5000, true));
	/* The first fault: recorded, and an event that waits for its mask. */
	ck_assert(!dma(0x9abc, false));
	ck_assert_uint_eq(reg(0x34, 4), 2);
	ck_assert_uint_eq(reg(0x200, 8), 0x9000);
	ck_assert_uint_eq(reg(0x208, 8), 1ull << 63 | 1ull << 62 | 6ull << 32 | SID);
	ck_assert_uint_eq(sent, 0);
	ck_assert_uint_eq(reg(0x38, 4), 0xc0000000);
	reg_set(0x38, 0, 4);
	ck_assert_uint_eq(sent, 1);
	ck_assert_uint_eq(sent_addr, 0xfee01000);
	ck_assert_uint_eq(sent_data, 0x55);
	ck_assert_uint_eq(reg(0x38, 4), 0);
	/* Records are few; the first one that is lost says so. No event but the first. */
	for (unsigned i = 1; i < PC_IOMMU_RECORDS; i++)
		ck_assert(!dma(0x9000, true));
	ck_assert_uint_eq(reg(0x34, 4), 2);
	ck_assert(!dma(0x9000, true));
	ck_assert_uint_eq(reg(0x34, 4), 3);
	ck_assert_uint_eq(sent, 1);
	/* Taken away one by one. */
	for (unsigned i = 0; i < PC_IOMMU_RECORDS; i++) {
		ck_assert_uint_eq(reg(0x34, 4) & 2, 2);
		reg_set(0x208 + 16 * i, 1ull << 63, 8);
	}
	reg_set(0x34, 1, 4);
	ck_assert_uint_eq(reg(0x34, 4) & 0xff, 0);
	ck_assert(!dma(0x9000, true));
	ck_assert_uint_eq(sent, 2);
	/* The device's entry may ask for silence. */
	reg_set(0x208, 1ull << 63, 8);
	ck_assert_uint_eq(reg(0x34, 4) & 2, 0);
	put(CONTEXT + 16 * (SID & 0xff), TOP | 3);
	ck_assert(!dma(0x9000, true));
	ck_assert_uint_eq(reg(0x34, 4) & 2, 0);
}
END_TEST

static void descriptor(unsigned n, uint64_t lo, uint64_t hi)
{
	put(QUEUE + 16ull * n, lo);
	put(QUEUE + 16ull * n + 8, hi);
}

START_TEST(queue)
{
	uint32_t v;

	reg_set(0x90, QUEUE, 8);
	descriptor(0, 1, 0);
	descriptor(1, 2, 0);
	descriptor(2, 4, 0);
	descriptor(3, 0x77ull << 32 | 0x30 | 5, STATUS);
	/* Nothing happens while it is off. */
	reg_set(0x88, 4 * 16, 8);
	ck_assert_uint_eq(reg(0x80, 8), 0);
	reg_set(0x18, 0x04000000, 4);
	ck_assert_uint_eq(reg(0x80, 8), 4 * 16);
	ck_assert_uint_eq(changes, 1);
	memcpy(&v, ram + STATUS, sizeof(v));
	ck_assert_uint_eq(v, 0x77);
	/* The interrupt waits for its mask, too. */
	ck_assert_uint_eq(reg(0x9c, 4), 1);
	ck_assert_uint_eq(reg(0xa0, 4), 0xc0000000);
	reg_set(0x9c, 1, 4);
	ck_assert_uint_eq(reg(0xa0, 4), 0x80000000);
	/* A wrong descriptor stops it until the error is cleared. */
	descriptor(4, 9, 0);
	descriptor(5, 1, 0);
	reg_set(0x88, 6 * 16, 8);
	ck_assert_uint_eq(reg(0x80, 8), 4 * 16);
	ck_assert_uint_eq(reg(0x34, 4), 0x10);
	descriptor(4, 1, 0);
	reg_set(0x34, 0x10, 4);
	ck_assert_uint_eq(reg(0x80, 8), 6 * 16);
	ck_assert_uint_eq(reg(0x34, 4), 0);
	/* It wraps; a tail behind its end is an error. */
	for (unsigned i = 0; i < 256; i++)
		descriptor(i, 1, 0);
	reg_set(0x88, 0, 8);
	ck_assert_uint_eq(reg(0x80, 8), 0);
	reg_set(0x88, 0x1000, 8);
	ck_assert_uint_eq(reg(0x34, 4), 0x10);
}
END_TEST

static struct pc_ioapic apic;

static void window(uint8_t index, uint32_t v)
{
	uint32_t i = index;

	pc_ioapic_ops.write(&apic, 0, &i, 4);
	pc_ioapic_ops.write(&apic, 0x10, &v, 4);
}

static uint32_t window_read(uint8_t index)
{
	uint32_t v = index;

	pc_ioapic_ops.write(&apic, 0, &v, 4);
	pc_ioapic_ops.read(&apic, 0x10, &v, 4);
	return v;
}

START_TEST(ioapic)
{
	struct vtd_msg m;

	pc_ioapic_init(&apic, on_msg, on_change, NULL);
	ck_assert_uint_eq(window_read(1), 0x170011);
	ck_assert_uint_eq(window_read(0x10), 0x10000);
	pc_ioapic_line(&apic, 5, true);
	pc_ioapic_line(&apic, 5, false);
	ck_assert_uint_eq(sent, 0);
	/* An edge, once for each time that it rises. */
	window(0x1b, 7u << 24);
	window(0x1a, 0x0931);
	pc_ioapic_line(&apic, 5, true);
	pc_ioapic_line(&apic, 5, true);
	ck_assert_uint_eq(sent, 1);
	ck_assert_uint_eq(sent_addr, 0xfee07004);
	ck_assert_uint_eq(sent_data, 0x131);
	pc_ioapic_line(&apic, 5, false);
	ck_assert_uint_eq(changes, 0);
	/* A level, again after its end as long as it is high. */
	window(0x1a, 0x8032);
	ck_assert_uint_eq(changes, 1);
	ck_assert(pc_ioapic_level(&apic, 5, &m));
	ck_assert_uint_eq(m.data, 0xc032);
	pc_ioapic_line(&apic, 5, true);
	ck_assert_uint_eq(sent, 2);
	ck_assert_uint_eq(window_read(0x1a), 0xc032);
	pc_ioapic_eoi(&apic, 0x31);
	ck_assert_uint_eq(sent, 2);
	pc_ioapic_eoi(&apic, 0x32);
	ck_assert_uint_eq(sent, 3);
	pc_ioapic_line(&apic, 5, false);
	pc_ioapic_eoi(&apic, 0x32);
	ck_assert_uint_eq(sent, 3);
	ck_assert_uint_eq(window_read(0x1a), 0x8032);
	/* The remappable format: index 0x8003. */
	window(0x1b, 3u << 17 | 1u << 16);
	window(0x1a, 0x0833);
	pc_ioapic_line(&apic, 5, true);
	ck_assert_uint_eq(sent_addr, 0xfee00074);
	/* There is no such input. */
	pc_ioapic_line(&apic, 24, true);
	pc_ioapic_line(&apic, 4000, true);
	window(0x40, 5);
	window(0xff, 5);
	ck_assert_uint_eq(window_read(0x40), 0);
	ck_assert_uint_eq(sent, 4);
}
END_TEST

/* ---- PCI */

static struct pc_pci pci;
static struct pc_edu edu;
static bool line;
static unsigned resets;

static void on_line(void *arg, bool level)
{
	line = level;
}

static void on_msi(void *arg, uint16_t sid, uint64_t addr, uint32_t data)
{
	ck_assert_uint_eq(sid, 2 << 3);
	on_send(arg, addr, data);
}

static void on_reset(void *arg)
{
	resets++;
}

static void on_dma(void *arg, uint16_t sid, uint64_t addr, void *buf, size_t len, bool write)
{
	ck_assert_uint_eq(sid, 2 << 3);
	ck_assert_int_eq(
		write ? gmem_write(&mem, addr, buf, len) : gmem_read(&mem, addr, buf, len), 0);
}

static uint32_t config(unsigned devfn, unsigned at, unsigned len)
{
	uint32_t address = 0x80000000u | devfn << 8 | (at & 0xfc), v = 0;

	pc_pci_port_ops.write(&pci, 0, &address, 4);
	pc_pci_port_ops.read(&pci, 4 + (at & 3), &v, len);
	return v;
}

static void config_write(unsigned devfn, unsigned at, uint32_t v, unsigned len)
{
	config(devfn, at, len);
	pc_pci_port_ops.write(&pci, 4 + (at & 3), &v, len);
}

static void pci_set_up(void)
{
	const struct pc_pci_host host = { on_line, on_msi, on_reset, NULL };

	pc_pci_init(&pci, &host);
	ck_assert_int_eq(pc_edu_init(&edu, &pci, on_dma, NULL), 0);
	line = false;
	resets = 0;
}

START_TEST(pci_config)
{
	uint8_t v = 4;
	uint32_t a;

	pci_set_up();
	ck_assert_uint_eq(config(0, 0, 4), 0x29c08086);
	ck_assert_uint_eq(config(8, 0, 4), 0xffffffff);
	ck_assert_uint_eq(config(0x110, 0, 4), 0xffffffff);
	ck_assert_uint_eq(config(0x10, 0, 2), 0x1234);
	ck_assert_uint_eq(config(0x10, 2, 2), 0x11e8);
	ck_assert_uint_eq(config(0x10, 0x3c, 2), 0x100 | PC_PCI_LINE);
	/* Identity cannot be changed; the size of the BAR shows in what sticks. */
	config_write(0x10, 0, 0, 4);
	ck_assert_uint_eq(config(0x10, 0, 2), 0x1234);
	config_write(0x10, 0x10, 0xffffffff, 4);
	ck_assert_uint_eq(config(0x10, 0x10, 4), 0xfff00000);
	config_write(0x10, 0x14, 0xffffffff, 4);
	ck_assert_uint_eq(config(0x10, 0x14, 4), 0);
	/* Nothing is selected while the address is off, nor beyond the end. */
	a = 0x1000;
	pc_pci_port_ops.write(&pci, 0, &a, 4);
	pc_pci_port_ops.read(&pci, 4, &a, 4);
	ck_assert_uint_eq(a, 0xffffffff);
	a = 0x800010ff;
	pc_pci_port_ops.write(&pci, 0, &a, 4);
	pc_pci_port_ops.write(&pci, 4, &a, 4);
	pc_pci_port_ops.read(&pci, 4, &a, 4);
	ck_assert_uint_eq(a, 0xffffffff);
	pc_pci_port_ops.write(&pci, 1, &v, 1);
	ck_assert_uint_eq(resets, 1);
	ck_assert_ptr_null(pc_pci_add(&pci, 1, 0, 4096, &pc_pci_window_ops, NULL));
}
END_TEST

static uint64_t edu_get(uint64_t off, unsigned len)
{
	uint64_t v = 0;

	pc_pci_window_ops.read(&pci, off, &v, len);
	return v;
}

static void edu_put(uint64_t off, uint64_t v, unsigned len)
{
	pc_pci_window_ops.write(&pci, off, &v, len);
}

static void edu_dma_run(uint64_t from, uint64_t to, uint64_t count, uint64_t command)
{
	edu_put(0x80, from, 8);
	edu_put(0x88, to, 8);
	edu_put(0x90, count, 8);
	edu_put(0x98, command, 8);
	ck_assert_uint_eq(edu_get(0x98, 8) & 1, 0);
}

START_TEST(edu_device)
{
	pci_set_up();
	ck_assert_uint_eq(edu_get(0, 4), 0x010000ed);
	ck_assert_uint_eq(edu_get(0, 1), 0xff);
	ck_assert_uint_eq(edu_get(0, 8), ~0ull);
	edu_put(4, 0x12345678, 4);
	ck_assert_uint_eq(edu_get(4, 4), (uint32_t)~0x12345678u);
	edu_put(8, 10, 4);
	ck_assert_uint_eq(edu_get(8, 4), 3628800);
	edu_put(8, 0xffffffff, 4);
	ck_assert_uint_eq(edu_get(8, 4), 0);
	edu_put(8, 0, 4);
	ck_assert_uint_eq(edu_get(8, 4), 1);
	/* No DMA before the guest allowed it, none that leaves the buffer. */
	put(0x100, 0x1122334455667788);
	edu_dma_run(0x100, 0x40000, 8, 1);
	config_write(0x10, 4, 6, 2);
	edu_dma_run(0x40000, 0x200, 8, 3);
	ck_assert_uint_eq(ram[0x200], 0);
	edu_dma_run(0x100, 0x40ff8, 8, 1);
	edu_dma_run(0x40ff8, 0x200, 8, 3);
	ck_assert_uint_eq(ram[0x207], 0x11);
	edu_dma_run(0x100, 0x40ff9, 8, 1);
	edu_dma_run(0x100, 0x3ffff, 8, 1);
	edu_dma_run(0x100, 0x40000, ~0ull, 1);
	edu_dma_run(0x100, ~0ull, 8, 1);
	/* Moved by its BAR, gone without decoding. */
	config_write(0x10, 0x10, PC_PCI_WINDOW + 0x100000, 4);
	ck_assert_uint_eq(edu_get(0, 4), 0xffffffff);
	ck_assert_uint_eq(edu_get(0x100000, 4), 0x010000ed);
	ck_assert_uint_eq(edu_get(0x1ffffc, 8), ~0ull);
	config_write(0x10, 4, 4, 2);
	ck_assert_uint_eq(edu_get(0x100000, 4), 0xffffffff);
}
END_TEST

START_TEST(edu_interrupts)
{
	pci_set_up();
	edu_put(0x60, 3, 4);
	ck_assert(line);
	ck_assert_uint_eq(config(0x10, 6, 2) & 8, 8);
	edu_put(0x64, 1, 4);
	ck_assert(line);
	config_write(0x10, 4, 0x402, 2);
	ck_assert(!line);
	config_write(0x10, 4, 6, 2);
	ck_assert(line);
	edu_put(0x64, 2, 4);
	ck_assert(!line);
	/* Messages in place of the line, once the guest said where they go. */
	ck_assert_uint_eq(config(0x10, 0x34, 1), 0x40);
	ck_assert_uint_eq(config(0x10, 0x40, 4), 0x00800005);
	config_write(0x10, 0x44, 0xfee00053, 4);
	config_write(0x10, 0x4c, 0x1234, 2);
	config_write(0x10, 0x42, 1, 2);
	edu_put(0x60, 4, 4);
	ck_assert(!line);
	ck_assert_uint_eq(sent, 1);
	ck_assert_uint_eq(sent_addr, 0xfee00050);
	ck_assert_uint_eq(sent_data, 0x1234);
	/* By the end of a transfer and of a factorial, when asked to. */
	edu_put(0x64, 4, 4);
	edu_dma_run(0x100, 0x40000, 8, 5);
	ck_assert_uint_eq(edu_get(0x24, 4), 0x100);
	edu_put(0x20, 0x80, 4);
	edu_put(8, 3, 4);
	ck_assert_uint_eq(edu_get(0x24, 4), 0x101);
	ck_assert_uint_eq(sent, 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pc_iommu");
	TCase *tc = tcase_create("pc_iommu");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, walk);
	tcase_add_test(tc, faults);
	tcase_add_test(tc, remapping);
	tcase_add_test(tc, registers);
	tcase_add_test(tc, records);
	tcase_add_test(tc, queue);
	tcase_add_test(tc, ioapic);
	tcase_add_test(tc, pci_config);
	tcase_add_test(tc, edu_device);
	tcase_add_test(tc, edu_interrupts);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
